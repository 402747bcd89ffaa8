//! Learning to Branch (Guo, Lee, Ulbricht, ICML 2020).
//!
//! - **Parametrisation**: one categorical over parents per child. The paper does not say how its theta stays positive and
//!   normalised; here log theta = log softmax of free logits, which start at 0 (uniform, theta = 1/I).
//! - **Estimator**: straight-through Gumbel-softmax, one sample per child and batch: the forward pass takes the argmax of
//!   log theta + Gumbel noise (equation 4), the backward pass the softmax at the temperature (equation 5). Mixing features, so the
//!   gradient of a choice needs every parent's output (equation 6).
//! - **Procedure**: weights and choices are updated jointly on the training loss; the first `warmup` updates weights only; the
//!   result is the noise-free argmax (equation 7), pruned, and retrained from scratch.

use super::bench::{Bench, Ended, Ground, Outcome};
use super::choices::{Choices, argmax, choices_event, log_softmax, softmax_at};
use super::supernet::{Chooser, train};
use super::{Offer, StrategyDef, fits_always};
use crate::hir::schema::{DROP_LAST, WEIGHTING, optimizers};
use crate::schema::{AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, NON_NEGATIVE, Need, POSITIVE, POSITIVE_SCHEDULE, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "learn_to_branch",
        doc: "Learning to Branch: a straight-through Gumbel-softmax over the parents of every child, trained jointly with the weights.",
        args: &[
            AttrDef {
                name: "epochs",
                ty: COUNT,
                need: Need::Default("30"),
                doc: "Passes over the training split, warm-up included. Paper: 30 (CelebA, Taskonomy), 500 (synthetic).",
            },
            AttrDef {
                name: "warmup",
                ty: Ty::Duration,
                need: Need::Default("2 epochs"),
                doc: "At the start choices are sampled and not updated, so that all weights receive equal gradient. Paper: 2 epochs, 50 (synthetic).",
            },
            AttrDef {
                name: "batch",
                ty: COUNT,
                need: Need::Default("64"),
                doc: "Samples per step. Paper: 64, 100 (synthetic).",
            },
            DROP_LAST,
            AttrDef {
                name: "temperature",
                ty: POSITIVE_SCHEDULE,
                need: Need::Default("inverse(10, per = epoch)"),
                doc: "Temperature of equation 5. Paper: 10 / epoch; synthetic 50 / sqrt(iteration).",
            },
            AttrDef {
                name: "weights",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-4, weight_decay = 1e-4)"),
                doc: "Optimiser of the weights. Paper: Adam.",
            },
            AttrDef {
                name: "choices",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-2)"),
                doc: "Optimiser of the choices' logits. Paper: Adam with a rate of its own (100 times the weights'); whether weight decay reaches the choices is not said: here it does not.",
            },
            AttrDef {
                name: "schedule",
                ty: FACTOR_SCHEDULE,
                need: Need::Optional,
                doc: "Factor on both learning rates. Paper: x0.97 every 2.4 epochs (CelebA).",
            },
            AttrDef {
                name: "clip",
                ty: POSITIVE,
                need: Need::Optional,
                doc: "Largest global L2 norm of the weights' gradient; absent: no clipping, as published.",
            },
            AttrDef {
                name: "idle",
                ty: Ty::OneOf(&["advance", "freeze"]),
                need: Need::Default("advance"),
                doc: "Copies that no sampled path reaches: `advance` runs them all the same (batch-norm statistics move) and updates their weights with a zero gradient (moments and decay move), as published code does; `freeze` leaves them untouched.",
            },
            AttrDef {
                name: "size",
                ty: NON_NEGATIVE,
                need: Need::Default("0"),
                doc: "Weight of an expected-size term: the expected parameters of the sampled network, as a share of the all-shared one's, added to the loss. Not in the paper, which has no cost on size.",
            },
            WEIGHTING,
        ],
    },
    paper: "Guo et al. 2020, Learning to Branch for Multi-Task Learning",
    decides: &[Offer::Tree],
    requires: &[Offer::Tree],
    most_levels: None,
    whole: false,
    budget: false,
    single: false,
    one_shot: false,
    check: fits_always,
    procedure: search,
};

use candle_core::{Device, Tensor, Var};

use crate::check::Checked;
use crate::hir::{Search, StageId};
use crate::ir::{Choice, Network, Reader};
use crate::optim::{Missing, Optimizer, Schedule};
use crate::random::Randomness;
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::epochs::Procedure;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::{Fed, Feed};
use crate::runtime::fit::losses;
use crate::runtime::keeper;
use crate::runtime::losses::{Stepped, Watch};
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::record::{Listener, SplitScores};
use crate::runtime::state::{Header, Position, State};
use crate::runtime::weigher::Weigher;

/// Searches: trains the supernet's weights and the choices jointly, in one phase, `search`. The validation scores are the
/// supernet's under the decisions, after the last whole epoch.
pub fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    train(ground, bench, listener, None, &|g, model, phase| {
        Ok(Box::new(Branching::new(g.checked, g.network, g.search, model, g.feed, g.random, phase)?))
    })
}

/// The procedure: what is carried from step to step, and the attributes.
pub struct Branching<'a> {
    checked: &'a Checked,
    model: &'a Model,
    feed: &'a Feed,
    random: Randomness,
    per_epoch: usize,
    epochs: usize,
    warmup: u64,
    temperature: Schedule,
    schedule: Schedule,
    clip: Option<f64>,
    idle: bool,
    missing: Missing,
    size: Option<SizeTerm>,
    optimizer: Optimizer,
    weigher: Weigher,
    weights: Vec<(&'a str, &'a Var)>,
    choices: Choices,
    watch: Watch,
}

impl<'a> Branching<'a> {
    pub fn new(
        checked: &'a Checked,
        network: &Network,
        search: &Search,
        model: &'a Model,
        feed: &'a Feed,
        random: Randomness,
        phase: &str,
    ) -> Result<Branching<'a>, RunError> {
        let args = &search.args;
        let per_epoch = feed.training(args, random).per_epoch();
        let advance = args.str("idle") == "advance";
        let weights = model.trained();
        Ok(Branching {
            checked,
            model,
            feed,
            random,
            per_epoch,
            epochs: args.size("epochs"),
            warmup: args.duration("warmup").steps(per_epoch).round() as u64,
            temperature: Schedule::new(args.call("temperature")),
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            clip: args.opt_float("clip"),
            // Without running statistics an unreached copy's output has no effect, so it need not run.
            idle: advance && model.has_buffers,
            missing: if advance { Missing::Zero } else { Missing::Skip },
            size: SizeTerm::new(checked, network, args.float("size")),
            optimizer: Optimizer::new(args.call("weights"), &weights)?,
            weigher: Weigher::new(args, args.call("weights"), &checked.spec, model, random)?,
            choices: Choices::even(model, args.call("choices"))?,
            weights,
            watch: Watch::new(phase, model, &checked.spec),
        })
    }

    /// One sample per choice and batch (equation 4), and its relaxation (equation 5) where the choices learn from it.
    fn sample(
        &self,
        rows: &[Vec<f64>],
        step: u64,
        tau: f64,
        update: bool,
    ) -> candle_core::Result<(Vec<Decided>, Vec<Vec<f64>>)> {
        let mut decided = Vec::with_capacity(rows.len());
        let mut soft = Vec::new();
        for (c, row) in rows.iter().enumerate() {
            let noise = self.random.gumbel("gumbel", [step, c as u64, 0], row.len());
            let noisy: Vec<f64> = log_softmax(row).iter().zip(&noise).map(|(l, e)| l + e).collect();
            let index = argmax(&noisy);
            let probs = match update {
                true => {
                    let relaxed = softmax_at(&noisy, tau);
                    let values: Vec<f32> = relaxed.iter().map(|v| *v as f32).collect();
                    soft.push(relaxed);
                    Some(Tensor::from_vec(values, row.len(), &self.model.device)?)
                }
                false => None,
            };
            decided.push(Decided { index, probs, mask: None });
        }
        Ok((decided, soft))
    }
}

impl Chooser for Branching<'_> {
    fn logits(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(self.choices.read()?)
    }

    fn decisions(&self) -> Result<Vec<usize>, RunError> {
        Ok(self.choices.modes()?)
    }
}

impl Procedure for Branching<'_> {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError> {
        let tau = self.temperature.value(at.step, self.per_epoch, self.epochs);
        at.temperature = tau;
        let update = at.step > self.warmup;
        let logits = self.choices.read()?;
        let (decided, soft) = self.sample(&logits, at.step, tau, update)?;
        let mode = Mode { train: true, idle: self.idle, random: self.random, step: at.step };
        let tape = self.model.record(&fed.inputs, &decided, mode)?;
        let (total, each) = losses(&self.checked.spec, self.feed, self.model, fed, &tape.outputs, |_| 0)?;
        let stepped = self.watch.check(&total, &each, at)?;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        at.learning_rate = self.optimizer.lr() * factor;
        let mut step = self.optimizer.begin(&self.weights, at.learning_rate);
        // Clipping wants all gradients first, and a GPU one launch for all.
        let early = (self.clip.is_none() && self.model.device.is_cpu()).then_some(&mut step);
        let parts = (self.feed, self.model, fed);
        let learned = self.weigher.weigh(tape, (&total, &each), parts, at, factor, early)?.learned;
        if update {
            // d loss / d logits through the relaxed sample (equation 5): p_k (g_k - sum_i p_i g_i) / tau.
            let mut grads: Vec<Vec<f64>> = Vec::with_capacity(logits.len());
            for (p, g) in soft.iter().zip(&learned.choices) {
                // A reader that was not reached has nothing to learn from this sample.
                let Some(g) = g else {
                    grads.push(vec![0.0; p.len()]);
                    continue;
                };
                let mean: f64 = p.iter().zip(g).map(|(p, g)| p * g).sum();
                grads.push(p.iter().zip(g).map(|(p, g)| p * (g - mean) / tau).collect());
            }
            if let Some(size) = &self.size {
                for (row, extra) in grads.iter_mut().zip(size.gradient(&logits)?) {
                    row.iter_mut().zip(extra).for_each(|(a, b)| *a += b);
                }
            }
            let watched = (&self.watch, &*at);
            self.choices.step(grads.into_iter().map(Some).collect(), factor, Missing::Zero, watched)?;
        }
        let mut grads = learned.weights;
        if let Some(c) = self.clip {
            grads.clip(c)?;
        }
        step.finish(&grads, self.missing)?;
        if self.weigher.looks_again() {
            // Under the same sample.
            let hard: Vec<Decided> = decided.iter().map(|d| Decided::hard(d.index)).collect();
            let outputs = self.model.look(&fed.inputs, &hard, Mode { idle: false, ..mode })?;
            self.weigher.after(&losses(&self.checked.spec, self.feed, self.model, fed, &outputs, |_| 0)?.1)?;
        }
        Ok(stepped)
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        let hard = self.choices.hard()?;
        evaluate(self.model, &self.checked.spec, self.feed, &self.feed.dataset.validation, &hard, control)
    }

    fn epoch(&mut self, at: &Position, _: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError> {
        let rows = self.choices.read()?;
        listener.choices(&choices_event(&self.model.symbols, &rows, at.epoch, at.step, at.temperature));
        Ok(true)
    }

    fn save(&self, _: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(self.choices.save()?);
        tensors.extend(self.weigher.save()?);
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        self.choices.load(state)?;
        self.weigher.load(state)?;
        Ok(())
    }
}

/// The expected-size term: lambda times the expected parameters of the sampled network over those of the all-shared one, with
/// choices taken as independent: a copy is used unless none of its used readers chooses it.
struct SizeTerm {
    lambda: f64,
    /// Choices by the stage whose copies they choose among, and by who chooses.
    choices: Vec<Choice>,
    /// Per stage: copies, and parameters of one as a share of the all-shared network's.
    stages: Vec<(usize, f64)>,
}

impl SizeTerm {
    fn new(checked: &Checked, network: &Network, lambda: f64) -> Option<SizeTerm> {
        if lambda == 0.0 {
            return None;
        }
        // By number: of a network in which other choices are decided, some copies may be gone.
        let mut copies = vec![0; checked.stages.len()];
        for node in network.graph.node_weights() {
            if let crate::ir::Node::Stage { stage, copy } = node {
                copies[stage.0] = copies[stage.0].max(copy + 1);
            }
        }
        let params = |c: &crate::check::Cost| c.params.unwrap_or(0) as f64;
        let total: f64 = checked.stages.iter().map(|s| params(&s.cost)).sum::<f64>()
            + checked.heads.iter().flatten().map(|h| params(&h.cost)).sum::<f64>();
        let stages =
            checked.stages.iter().enumerate().map(|(i, s)| (copies[i], params(&s.cost) / total.max(1.0))).collect();
        Some(SizeTerm { lambda, choices: network.choices.clone(), stages })
    }

    /// Gradient with respect to every choice's logits.
    fn gradient(&self, logits: &[Vec<f64>]) -> candle_core::Result<Vec<Vec<f64>>> {
        let vars: Vec<Var> =
            logits.iter().map(|r| Var::from_slice(r, r.len(), &Device::Cpu)).collect::<candle_core::Result<_>>()?;
        let probs: Vec<Tensor> =
            vars.iter().map(|v| candle_nn::ops::softmax(v.as_tensor(), 0)).collect::<candle_core::Result<_>>()?;
        let mut used: Vec<Option<Tensor>> = vec![None; self.stages.len()];
        let mut expected = Tensor::zeros((), candle_core::DType::F64, &Device::Cpu)?;
        // From the heads down: readers come after what they read.
        for s in (0..self.stages.len()).rev() {
            let (copies, share) = self.stages[s];
            if copies <= 1 {
                expected = (expected + share)?;
                continue;
            }
            let mut unused = Tensor::ones(copies, candle_core::DType::F64, &Device::Cpu)?;
            for (c, choice) in self.choices.iter().enumerate().filter(|(_, c)| c.of == StageId(s)) {
                let reader = match choice.reader {
                    Reader::Head(_) => None,
                    Reader::Stage(stage, copy) => match &used[stage.0] {
                        Some(u) => Some(u.narrow(0, copy, 1)?),
                        None => None,
                    },
                };
                let taken = match reader {
                    Some(u) => probs[c].broadcast_mul(&u)?,
                    None => probs[c].clone(),
                };
                unused = (unused * (1.0 - taken)?)?;
            }
            // Copies that are read as others have decided are used.
            let decided = !self.choices.iter().any(|c| c.of == StageId(s));
            let use_ = if decided { unused } else { (1.0 - unused)? };
            expected = (expected + (use_.sum_all()? * share)?)?;
            used[s] = Some(use_);
        }
        let store = (expected * self.lambda)?.backward()?;
        vars.iter()
            .zip(logits)
            .map(|(v, row)| store.get(v).map_or_else(|| Ok(vec![0.0; row.len()]), |g| g.to_vec1::<f64>()))
            .collect()
    }
}
