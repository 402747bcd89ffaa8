//! DMTG: One-Shot Differentiable Multi-Task Grouping (Gao et al. 2024), after the authors' released code.
//!
//! - **Space**: a shared trunk, `K` copies of one stage (the groups), and on every copy a head of every task: `K x N` heads.
//! - **Parametrisation**: one categorical over groups per task; its logits start even, or as `start` says. All groups start from the
//!   same weights, and so do the heads of a task: only the noise tells them apart, unless `alike = false`.
//! - **Estimator**: a relaxed categorical G, `[N, K]`, one sample per batch: softmax((logits + Gumbel noise) / temperature). It weighs
//!   *losses*, not features: L = sum_n w_n sum_k G[n, k] L_n(pred_{n,k}, y_n), the paper's equation 6 with our task weights, plus
//!   `entropy` times the mean over tasks of sum_k -p log p - (1 - p) log(1 - p), p = softmax(logits). With a sample per example
//!   (`gumbel_each`), G[b, n, k] weighs the part of L_n that example b adds to the batch's mean.
//! - **Procedure**: weights and logits together, in the same optimiser unless `choices` says otherwise. The result is the argmax;
//!   heads and groups that no task keeps fall away, and what is left works with the weights it has (`one_shot` in the tables). Beside
//!   it the same topology is retrained from scratch, and with `fine_tune` each group is trained further on its own tasks, with what
//!   lies before the groups as it is ([`crate::experiment`]).
//!
//! Samplers of the released code (`LearnToGroup.sample_task_group` in `models/learnToGroup.py`): `gumbel` is `gumbel` here, or `hard`
//! with `is_hard`; `diag_gumbel` and `gaussian_gumbel` are `gumbel` with another `start`; `batch_gumbel` is `gumbel_each`, which that code
//! supports only for classification (`Loss.__call__` in `models/loss.py` calls the loss without reduction, which its losses of images do
//! not support); `softmax` has neither noise nor temperature. Two samplers are left out. `batch_relaxed` draws one sample for the batch,
//! like `gumbel`, but with `sample()`, which passes no gradient to the logits, so they keep their initial values. The fixed `diagonal`
//! is not a search; it can be written as a topology.
//!
//! The released `train.py` saves two checkpoints: that of the last epoch, and that of the last epoch in which both the validation and the
//! training loss were below those of the previously saved epoch. `select` offers both, and the epoch of the lowest validation loss.

mod sample;
mod selection;
mod start;

use candle_core::{DType, Tensor, Var};

use self::sample::{Sampler, entropy, entropy_gradient, through_samples};
use self::selection::Selection;
use super::bench::{Bench, Ended, Ground, Outcome};
use super::choices::{Choices, choices_event};
use super::supernet::{Chooser, train};
use super::{Offer, StrategyDef, fits_always};
use crate::hir::schema::{DROP_LAST, WEIGHTING, optimizers};
use crate::optim::{Gradients, Missing, Optimizer, Schedule};
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::epochs::Procedure;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::Fed;
use crate::runtime::keeper;
use crate::runtime::losses::{Stepped, Watch};
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::record::{Listener, SplitScores};
use crate::runtime::state::{Best, Header, Position, State};
use crate::runtime::tape::Observer;
use crate::runtime::weigher::Weigher;
use crate::schema::{AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, NON_NEGATIVE, Need, POSITIVE, POSITIVE_SCHEDULE, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "group",
        doc: "DMTG: a relaxed categorical over groups weighs the losses of every task's heads; one-shot.",
        args: &[
            AttrDef {
                name: "epochs",
                ty: COUNT,
                need: Need::Default("100"),
                doc: "Passes over the training split. Code: 100.",
            },
            AttrDef {
                name: "batch",
                ty: COUNT,
                need: Need::Default("256"),
                doc: "Samples per step. Code: 256 (CelebA).",
            },
            DROP_LAST,
            AttrDef {
                name: "temperature",
                ty: POSITIVE_SCHEDULE,
                need: Need::Default("constant(2.5)"),
                doc: "Temperature of the relaxed categorical. Code: constant, 2.5 (CelebA), 4 (Taskonomy). `softmax` ignores it.",
            },
            AttrDef {
                name: "sampler",
                ty: Ty::OneOf(&["gumbel", "gumbel_each", "softmax", "hard"]),
                need: Need::Default("gumbel"),
                doc: "The weights of the losses: `gumbel`, a relaxed sample per batch, as published; `gumbel_each`, a relaxed sample per \
                      example, which weights that example's part of the loss (the code's `batch_gumbel`); `softmax`, the probabilities \
                      themselves, without noise or temperature; `hard`, the argmax of the batch's relaxed sample, with the gradient of \
                      the relaxed sample.",
            },
            AttrDef {
                name: "start",
                ty: Ty::OneOf(&["even", "diagonal", "normal"]),
                need: Need::Default("even"),
                doc: "The logits at the start: `even`, all alike, as in all released configurations; `diagonal`, of the k-th task 0.9 \
                      for the k-th group and 0.1 / (K - 1) for the others; `normal`, drawn from N(1, 0.2^2).",
            },
            AttrDef {
                name: "alike",
                ty: Ty::Bool,
                need: Need::Default("true"),
                doc: "Whether all groups, and the heads of a task on them, start from the same weights. Code: they do.",
            },
            AttrDef {
                name: "weights",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-3)"),
                doc: "Optimiser of the weights. Code: Adam, 8e-4 (CelebA), 1e-3 (Taskonomy).",
            },
            AttrDef {
                name: "choices",
                ty: Ty::Call(optimizers),
                need: Need::Optional,
                doc: "Optimiser of the logits. Absent: the weights', as published.",
            },
            AttrDef {
                name: "schedule",
                ty: FACTOR_SCHEDULE,
                need: Need::Optional,
                doc: "Factor on the learning rates. Code: halved every 15 epochs (CelebA).",
            },
            AttrDef {
                name: "clip",
                ty: POSITIVE,
                need: Need::Optional,
                doc: "Largest global L2 norm of the weights' gradient; absent: no clipping, as published.",
            },
            AttrDef {
                name: "select",
                ty: Ty::OneOf(&["last", "best", "both"]),
                need: Need::Default("last"),
                doc: "The epoch whose weights and logits are the result: `last`; `best`, the epoch of the lowest validation loss; `both`, \
                      the last epoch with a lower validation loss and a lower training loss than the previously selected epoch. Code: \
                      saves the last epoch and the one that `both` selects.",
            },
            AttrDef {
                name: "entropy",
                ty: NON_NEGATIVE,
                need: Need::Default("0"),
                doc: "Weight of the entropy term; 0 in all released configurations.",
            },
            AttrDef {
                name: "scale_gradients",
                ty: Ty::Bool,
                need: Need::Default("false"),
                doc: "Divides the gradient by the square root of K where the trunk splits, and of N where a group does. Code: for \
                      Taskonomy, where a slip takes K for both.",
            },
            AttrDef {
                name: "fine_tune",
                ty: COUNT,
                need: Need::Optional,
                doc: "Epochs for which `run` trains the groups further after pruning, each on its own tasks, and nothing of what lies \
                      before them; the best epoch is kept. Absent: not at all, as published.",
            },
            AttrDef {
                name: "tuner",
                ty: Ty::Call(optimizers),
                need: Need::Optional,
                doc: "Optimiser of the fine-tuning. Absent: the weights'.",
            },
            WEIGHTING,
        ],
    },
    paper: "Gao et al. 2024, DMTG: One-Shot Differentiable Multi-Task Grouping",
    decides: &[Offer::HeadPerCopy],
    requires: &[Offer::HeadPerCopy],
    most_levels: Some(1),
    whole: false,
    budget: false,
    single: false,
    one_shot: true,
    check: fits_always,
    procedure: search,
};

/// Trains the supernet and the logits in one phase, `search`. The validation scores are those of the supernet with the argmax decisions,
/// in the selected epoch.
fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    train(ground, bench, listener, None, &|g, model, phase| Ok(Box::new(Grouping::new(g, model, phase)?)))
}

/// The procedure: what is carried from step to step, and the attributes.
pub struct Grouping<'a> {
    ground: &'a Ground<'a>,
    model: &'a Model,
    per_epoch: usize,
    epochs: usize,
    temperature: Schedule,
    schedule: Schedule,
    sampler: Sampler,
    entropy: f64,
    clip: Option<f64>,
    factors: Option<Vec<f64>>,
    optimizer: Optimizer,
    weigher: Weigher,
    weights: Vec<(&'a str, &'a Var)>,
    choices: Choices,
    selection: Selection,
    watch: Watch,
}

/// What a step learns.
pub struct Pull {
    /// The losses that the weights minimise, including the entropy term.
    pub stepped: Stepped,
    /// By trained weight, before scaling at splits and clipping.
    pub weights: Gradients,
    /// With respect to each task's logits.
    pub logits: Vec<Vec<f64>>,
}

impl<'a> Grouping<'a> {
    /// Gives all groups, and the heads of a task on them, the same initial weights, unless `alike = false`.
    pub fn new(ground: &'a Ground<'a>, model: &'a Model, phase: &str) -> Result<Grouping<'a>, RunError> {
        let (args, spec) = (&ground.search.args, &ground.checked.spec);
        if args.bool("alike") {
            start::alike(ground, model)?;
        }
        let weights = model.trained();
        let logits = start::logits(args.str("start"), model, ground.random)?;
        let chooser = args.opt_call("choices").unwrap_or(args.call("weights"));
        Ok(Grouping {
            ground,
            model,
            per_epoch: ground.feed.training(args, ground.random).per_epoch(),
            epochs: args.size("epochs"),
            temperature: Schedule::new(args.call("temperature")),
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            sampler: Sampler::new(args.str("sampler")),
            entropy: args.float("entropy"),
            clip: args.opt_float("clip"),
            factors: args.bool("scale_gradients").then(|| start::factors(ground, model)),
            optimizer: Optimizer::new(args.call("weights"), &weights)?,
            weigher: Weigher::new(args, args.call("weights"), spec, model, ground.random)?,
            choices: Choices::new(model, logits, chooser)?,
            selection: Selection::new(args.str("select")),
            weights,
            watch: Watch::new(phase, model, spec),
        })
    }

    /// Loss and gradients of a batch under this sample of the groups: of each task `[K]`, or `[rows, K]` with a sample per example.
    pub fn pull(
        &mut self,
        fed: &Fed,
        at: &Position,
        sampled: &[Vec<f64>],
        observer: Option<&mut dyn Observer>,
    ) -> Result<Pull, RunError> {
        let logits = self.choices.read()?;
        let tau = self.temperature.value(at.step, self.per_epoch, self.epochs);
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let mode = Mode { train: true, idle: false, random: self.ground.random, step: at.step };
        let tape = self.model.record_observed(&fed.inputs, &self.all()?, mode, observer)?;
        let losses = self.losses(fed, &tape.outputs.heads)?;
        let (total, each) = self.total(&losses, sampled)?;
        let stepped = self.watch.check(&total, &each, at)?;
        let parts = (self.ground.feed, self.model, fed);
        let weighed = self.weigher.weigh(tape, (&total, &each), parts, at, factor, None)?;
        // d total / d G, by choice, in the shape of its samples.
        let mut pulls: Vec<Vec<f64>> = vec![Vec::new(); logits.len()];
        for ((o, row), factor) in self.model.plan.outputs.iter().zip(&losses).zip(&weighed.factors) {
            let Some(c) = o.choice else { continue };
            let weight = self.ground.checked.spec.tasks[o.task].weight * factor;
            let by_head = Tensor::stack(row, row[0].rank())?.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
            pulls[c] = by_head.into_iter().map(|loss| weight * loss).collect();
        }
        let share = self.entropy / logits.len().max(1) as f64;
        let rows = sampled.iter().zip(&pulls).zip(&logits).map(|((p, g), row)| {
            let mut grad = through_samples(p, g, row.len(), self.sampler.temperature(tau));
            if share > 0.0 {
                grad.iter_mut().zip(entropy_gradient(row)).for_each(|(a, b)| *a += share * b);
            }
            grad
        });
        let rows = rows.collect();
        let extra: f64 = if share > 0.0 { logits.iter().map(|r| share * entropy(r)).sum() } else { 0.0 };
        Ok(Pull { stepped: stepped.plus(extra), weights: weighed.learned.weights, logits: rows })
    }

    /// Every head of every task is computed; what is decided does not matter.
    fn all(&self) -> candle_core::Result<Vec<Decided>> {
        let of = |groups: &usize| {
            let probs = Some(Tensor::ones(*groups, DType::F32, &self.model.device)?);
            Ok(Decided { index: 0, probs, mask: None })
        };
        self.model.plan.choices.iter().map(of).collect()
    }

    /// Loss of each head of each output, `[outputs][heads]`: a number, or where each example has a sample its part of it, `[rows]`.
    fn losses(&self, fed: &Fed, heads: &[Vec<Option<Tensor>>]) -> Result<Vec<Vec<Tensor>>, RunError> {
        let feed = self.ground.feed;
        let mut out = Vec::new();
        for (o, heads) in self.model.plan.outputs.iter().zip(heads) {
            let at = feed.label_of(o.task);
            let (def, args) = feed.loss(at);
            let mut row = Vec::new();
            for head in heads.iter().flatten() {
                let (labels, mask) = (&fed.labels[at], fed.masks[at].as_ref());
                row.push(match o.choice.filter(|_| self.sampler.each()) {
                    Some(_) => def.by_sample(args, head, labels, mask)?,
                    None => def.forward(args, head, labels, mask)?,
                });
            }
            out.push(row);
        }
        Ok(out)
    }

    /// The total, and by output the sum over heads of share times loss.
    fn total(&self, losses: &[Vec<Tensor>], relaxed: &[Vec<f64>]) -> candle_core::Result<(Tensor, Vec<Tensor>)> {
        let mut total: Option<Tensor> = None;
        let mut each = Vec::new();
        for (o, row) in self.model.plan.outputs.iter().zip(losses) {
            let mut sum: Option<Tensor> = None;
            for (k, loss) in row.iter().enumerate() {
                let shares = o.choice.map_or(vec![1.0], |c| self.sampler.shares(&relaxed[c], row.len(), k));
                let part = match (loss.rank(), shares.as_slice()) {
                    (0, [share]) => (loss * *share)?,
                    _ => {
                        let shares = Tensor::new(shares, loss.device())?.to_dtype(loss.dtype())?;
                        (loss * shares)?.sum_all()?
                    }
                };
                sum = Some(match sum {
                    None => part,
                    Some(s) => (s + part)?,
                });
            }
            let sum = sum.expect("a task has a head");
            let weighted = (&sum * self.ground.checked.spec.tasks[o.task].weight)?;
            total = Some(match total {
                None => weighted,
                Some(t) => (t + weighted)?,
            });
            each.push(sum);
        }
        Ok((total.expect("a spec has tasks"), each))
    }
}

impl Chooser for Grouping<'_> {
    fn select(&mut self) -> Result<Option<Best>, RunError> {
        Ok(self.selection.restore(self.model, &self.choices)?)
    }

    fn logits(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(self.choices.read()?)
    }

    fn decisions(&self) -> Result<Vec<usize>, RunError> {
        Ok(self.choices.modes()?)
    }
}

impl Procedure for Grouping<'_> {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError> {
        let tau = self.temperature.value(at.step, self.per_epoch, self.epochs);
        at.temperature = self.sampler.temperature(tau);
        let sampled = self.sampler.draw(&self.choices.read()?, tau, self.ground.random, at.step, fed.rows);
        let Pull { stepped, weights: found, logits } = self.pull(fed, at, &sampled, None)?;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let watched = (&self.watch, &*at);
        self.choices.step(logits.into_iter().map(Some).collect(), factor, Missing::Zero, watched)?;
        let mut scales = self.factors.iter().flatten();
        let mut places = 0..;
        let mut grads = Gradients::from_fn(&self.weights, |_, _| {
            let scale = scales.next().copied().unwrap_or(1.0);
            let grad = found.get(places.next()?)?;
            if scale == 1.0 { Some(grad.clone()) } else { (grad * scale).ok() }
        });
        if let Some(c) = self.clip {
            grads.clip(c)?;
        }
        at.learning_rate = self.optimizer.lr() * factor;
        self.optimizer.step(&self.weights, &grads, at.learning_rate, Missing::Zero)?;
        if self.weigher.looks_again() {
            let mode = Mode { train: true, idle: false, random: self.ground.random, step: at.step };
            let out = self.model.look(&fed.inputs, &self.all()?, mode)?;
            let again = self.total(&self.losses(fed, &out.heads)?, &sampled)?.1;
            self.weigher.after(&again)?;
        }
        Ok(stepped)
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        let hard = self.choices.hard()?;
        let (spec, feed) = (&self.ground.checked.spec, self.ground.feed);
        evaluate(self.model, spec, feed, &feed.dataset.validation, &hard, control)
    }

    fn epoch(&mut self, at: &Position, scores: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError> {
        let rows = self.choices.read()?;
        listener.choices(&choices_event(&self.model.symbols, &rows, at.epoch, at.step, at.temperature));
        let train = at.tally.means(&self.watch.goals);
        self.selection.epoch(at.epoch, train, scores, self.model, rows)?;
        Ok(true)
    }

    fn save(&self, header: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(self.choices.save()?);
        tensors.extend(self.weigher.save()?);
        tensors.extend(self.selection.save(self.model, header)?);
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        self.choices.load(state)?;
        self.weigher.load(state)?;
        self.selection.load(self.model, state)?;
        Ok(())
    }
}
