//! DMTG: One-Shot Differentiable Multi-Task Grouping (Gao et al. 2024), after the authors' released code.
//!
//! - **Space**: a shared trunk, `K` copies of one stage (the groups), and on every copy a head of every task: `K x N` heads.
//! - **Parametrisation**: one categorical over groups per task; its logits start alike. All groups start from the same weights, and
//!   so do the heads of a task: only the noise tells them apart.
//! - **Estimator**: a relaxed categorical G, `[N, K]`, one sample per batch: softmax((logits + Gumbel noise) / temperature). It weighs
//!   *losses*, not features: L = sum_n w_n sum_k G[n, k] L_n(pred_{n,k}, y_n), the paper's equation 6 with our task weights, plus
//!   `entropy` times the mean over tasks of sum_k -p log p - (1 - p) log(1 - p), p = softmax(logits).
//! - **Procedure**: weights and logits together, in the same optimiser unless `choices` says otherwise. The result is the argmax;
//!   heads and groups that no task keeps fall away, and what is left works with the weights it has (`one_shot` in the tables). Beside
//!   it the same topology is retrained from scratch.
//!
//! Not here: samples per example (`batch_gumbel`, `batch_relaxed`), and fine-tuning group by group.

use candle_core::{Device, Tensor, Var};

use super::bench::{Bench, Ended, Ground, Outcome};
use super::learn_to_branch::{argmax, choices_event, named, read, softmax};
use super::supernet::{Chooser, train};
use super::{Offer, StrategyDef, fits_always};
use crate::hir::StageId;
use crate::hir::schema::{WEIGHTING, optimizers, schedules};
use crate::ir::Node;
use crate::objective;
use crate::optim::{Gradients, Missing, Optimizer, Schedule};
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::epochs::Procedure;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::Fed;
use crate::runtime::fit::Watch;
use crate::runtime::keeper;
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::record::{Listener, SplitScores};
use crate::runtime::state::{Header, Position, State};
use crate::runtime::tape::Observer;
use crate::runtime::weigher::Weigher;
use crate::schema::{AttrDef, COUNT, CallDef, NON_NEGATIVE, Need, POSITIVE, Ty};

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
            AttrDef {
                name: "temperature",
                ty: Ty::Call(schedules),
                need: Need::Default("constant(2.5)"),
                doc: "Temperature of the relaxed categorical. Code: constant, 2.5 (CelebA), 4 (Taskonomy).",
            },
            AttrDef {
                name: "sampler",
                ty: Ty::OneOf(&["gumbel", "softmax", "hard"]),
                need: Need::Default("gumbel"),
                doc: "What weighs the losses: `gumbel`, a relaxed sample per batch, as published; `softmax`, no noise; `hard`, the \
                      relaxed sample's argmax, with the relaxed one's gradient.",
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
                ty: Ty::Call(schedules),
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

/// Trains the supernet and the logits in one phase, `search`. The validation scores are the supernet's under the argmax.
fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    train(ground, bench, listener, None, &|g, model, phase| Ok(Box::new(Grouping::new(g, model, phase)?)))
}

/// Gives every copy the initial weights of the first: `block.b` those of `block.a`, `heads.t.b` those of `heads.t.a`.
fn start_alike(model: &Model) -> candle_core::Result<()> {
    let name = |i: usize| {
        let label = &model.symbols.units[model.plan.weights[i].unit];
        (label.as_str(), &model.symbols.weights[i][label.len()..])
    };
    let all: std::collections::HashMap<(&str, &str), usize> = (0..model.vars.len()).map(|i| (name(i), i)).collect();
    for (i, var) in model.vars.iter().enumerate() {
        let (label, rest) = name(i);
        let Some((stem, copy)) = label.rsplit_once('.') else { continue };
        if copy != "a"
            && let Some(first) = all.get(&(format!("{stem}.a").as_str(), rest))
        {
            var.set(&model.vars[*first].as_tensor().copy()?)?;
        }
    }
    Ok(())
}

/// What each trained weight's gradient is multiplied by: the splits that it comes back through are the same for a whole stage, so
/// that scaling at a split is scaling what lies before it.
fn factors(ground: &Ground, model: &Model) -> Vec<f64> {
    let stages = ground.checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let Some(group) = ground.network.choices.first() else { return vec![1.0; model.trained().len()] };
    let is_group = |n: &&Node| matches!(n, Node::Stage { stage, .. } if *stage == group.of);
    let groups = ground.network.graph.node_weights().filter(is_group).count() as f64;
    let tasks = model.plan.outputs.len() as f64;
    let of = |label: &str| match label.rsplit_once('.').map(|(stage, _)| stages.iter().position(|s| s.name == stage)) {
        _ if label.starts_with("heads.") => 1.0,
        Some(Some(s)) if StageId(s) == group.of => 1.0 / tasks.sqrt(),
        _ => 1.0 / (tasks * groups).sqrt(),
    };
    let trained = model.plan.weights.iter().filter(|w| w.trained);
    trained.map(|w| of(&model.symbols.units[w.unit])).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sampler {
    Gumbel,
    Softmax,
    Hard,
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
    chooser: Optimizer,
    weights: Vec<(&'a str, &'a Var)>,
    /// Of the choices, by their names in states.
    names: Vec<String>,
    logits: Vec<Var>,
    tasks: Vec<String>,
    watch: Watch,
}

/// What a step learns.
pub struct Pull {
    /// The loss that the weights follow, with the entropy term.
    pub total: f64,
    /// By trained weight, before scaling at splits and clipping.
    pub weights: Gradients,
    /// With respect to each task's logits.
    pub logits: Vec<Vec<f64>>,
}

impl<'a> Grouping<'a> {
    /// Gives all groups, and the heads of a task on them, the same initial weights.
    pub fn new(ground: &'a Ground<'a>, model: &'a Model, phase: &str) -> Result<Grouping<'a>, RunError> {
        let (args, spec) = (&ground.search.args, &ground.checked.spec);
        start_alike(model)?;
        let weights = model.trained();
        let names: Vec<String> =
            model.symbols.choices.iter().enumerate().map(|(i, n)| format!("choice {i} {n}")).collect();
        let zeros = |n: &usize| Var::zeros(*n, candle_core::DType::F64, &Device::Cpu);
        let logits: Vec<Var> = model.plan.choices.iter().map(zeros).collect::<candle_core::Result<_>>()?;
        let chooser = args.opt_call("choices").unwrap_or(args.call("weights"));
        Ok(Grouping {
            ground,
            model,
            per_epoch: ground.feed.training(args.size("batch"), ground.random).per_epoch(),
            epochs: args.size("epochs"),
            temperature: Schedule::new(args.call("temperature")),
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            sampler: match args.str("sampler") {
                "gumbel" => Sampler::Gumbel,
                "softmax" => Sampler::Softmax,
                _ => Sampler::Hard,
            },
            entropy: args.float("entropy"),
            clip: args.opt_float("clip"),
            factors: args.bool("scale_gradients").then(|| factors(ground, model)),
            optimizer: Optimizer::new(args.call("weights"), &weights)?,
            weigher: Weigher::new(args, args.call("weights"), spec, model, ground.random)?,
            chooser: Optimizer::new(chooser, &named(&names, &logits))?,
            weights,
            names,
            logits,
            tasks: model.plan.outputs.iter().map(|o| spec.tasks[o.task].name.clone()).collect(),
            watch: Watch::new(phase),
        })
    }

    /// Loss and gradients of a batch under this sample of the groups, a row per task.
    pub fn pull(
        &mut self,
        fed: &Fed,
        at: &Position,
        sampled: &[Vec<f64>],
        observer: Option<&mut dyn Observer>,
    ) -> Result<Pull, RunError> {
        let logits = read(&self.logits)?;
        let tau = self.temperature.value(at.step, self.per_epoch, self.epochs);
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let mode = Mode { train: true, idle: false, random: self.ground.random, step: at.step };
        let tape = self.model.record_observed(&fed.inputs, &self.all(sampled)?, mode, observer)?;
        let losses = self.losses(fed, &tape.outputs.heads)?;
        let (total, each) = self.total(&losses, sampled)?;
        let value = self.watch.check(&total, &each, &self.tasks, at)?;
        let parts = (self.ground.feed, self.model, fed);
        let weighed = self.weigher.weigh(tape, (&total, &each), parts, at, factor)?;
        // d total / d G, by choice.
        let mut pulls: Vec<Vec<f64>> = vec![Vec::new(); logits.len()];
        for ((o, row), factor) in self.model.plan.outputs.iter().zip(&losses).zip(&weighed.factors) {
            let Some(c) = o.choice else { continue };
            let weight = self.ground.checked.spec.tasks[o.task].weight * factor;
            for loss in row {
                pulls[c].push(weight * loss.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?);
            }
        }
        let share = self.entropy / logits.len().max(1) as f64;
        let rows = sampled.iter().zip(&pulls).zip(&logits).map(|((p, g), row)| {
            let mut grad = through_softmax(p, g, tau);
            if share > 0.0 {
                grad.iter_mut().zip(entropy_gradient(row)).for_each(|(a, b)| *a += share * b);
            }
            grad
        });
        let rows = rows.collect();
        let extra: f64 = if share > 0.0 { logits.iter().map(|r| share * entropy(r)).sum() } else { 0.0 };
        Ok(Pull { total: value + extra, weights: weighed.learned.weights, logits: rows })
    }

    /// Every head of every task is computed; what is decided does not matter.
    fn all(&self, sampled: &[Vec<f64>]) -> candle_core::Result<Vec<Decided>> {
        let of = |p: &Vec<f64>| {
            let probs = Some(Tensor::ones(p.len(), candle_core::DType::F32, &self.model.device)?);
            Ok(Decided { index: 0, probs, mask: None })
        };
        sampled.iter().map(of).collect()
    }

    /// The relaxed sample of each task, `[K]`.
    fn sample(&self, logits: &[Vec<f64>], step: u64, tau: f64) -> Vec<Vec<f64>> {
        let row = |(c, row): (usize, &Vec<f64>)| {
            let noise = match self.sampler {
                Sampler::Softmax => vec![0.0; row.len()],
                _ => self.ground.random.gumbel("gumbel", [step, c as u64, 0], row.len()),
            };
            softmax(&row.iter().zip(noise).map(|(l, e)| (l + e) / tau).collect::<Vec<_>>())
        };
        logits.iter().enumerate().map(row).collect()
    }

    /// Loss of each head of each output: `[outputs][heads]`.
    fn losses(&self, fed: &Fed, heads: &[Vec<Option<Tensor>>]) -> Result<Vec<Vec<Tensor>>, RunError> {
        let (spec, feed) = (&self.ground.checked.spec, self.ground.feed);
        let mut out = Vec::new();
        for (o, heads) in self.model.plan.outputs.iter().zip(heads) {
            let task = &spec.tasks[o.task];
            let at = feed.tasks.iter().position(|t| *t == o.task).expect("every task is fed");
            let def = objective::find_loss(task.loss.name).expect("checked");
            let mut row = Vec::new();
            for head in heads.iter().flatten() {
                row.push((def.forward)(&task.loss.args, head, &fed.labels[at], fed.masks[at].as_ref())?);
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
            let share = |k: usize| match (o.choice, self.sampler) {
                (None, _) => 1.0,
                (Some(c), Sampler::Hard) => f64::from(argmax(&relaxed[c]) == k),
                (Some(c), _) => relaxed[c][k],
            };
            let mut sum: Option<Tensor> = None;
            for (k, loss) in row.iter().enumerate() {
                let part = (loss * share(k))?;
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

/// Gradient of `sum_k p_k g_k`, p = softmax(x / tau), with respect to x.
fn through_softmax(p: &[f64], g: &[f64], tau: f64) -> Vec<f64> {
    let mean: f64 = p.iter().zip(g).map(|(p, g)| p * g).sum();
    p.iter().zip(g).map(|(p, g)| p * (g - mean) / tau).collect()
}

/// Gradient of a task's entropy term with respect to its logits: d/dp (-p log p - (1 - p) log(1 - p)) = log((1 - p) / p).
fn entropy_gradient(logits: &[f64]) -> Vec<f64> {
    let p = softmax(logits);
    let g: Vec<f64> = p.iter().map(|p| ((1.0 - p).max(1e-300) / p.max(1e-300)).ln()).collect();
    through_softmax(&p, &g, 1.0)
}

/// A task's entropy term.
fn entropy(logits: &[f64]) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    softmax(logits).into_iter().map(|p| part(p) + part(1.0 - p)).sum()
}

impl Chooser for Grouping<'_> {
    fn logits(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(read(&self.logits)?)
    }

    fn decisions(&self) -> Result<Vec<usize>, RunError> {
        Ok(read(&self.logits)?.iter().map(|r| argmax(r)).collect())
    }
}

impl Procedure for Grouping<'_> {
    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<f64, RunError> {
        let tau = self.temperature.value(at.step, self.per_epoch, self.epochs);
        at.temperature = tau;
        let sampled = self.sample(&read(&self.logits)?, at.step, tau);
        let Pull { total, weights: found, logits } = self.pull(fed, at, &sampled, None)?;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let choices = named(&self.names, &self.logits);
        let mut rows = logits.into_iter();
        let of_choices = Gradients::from_fn(&choices, |_, v| {
            Tensor::from_vec(rows.next().expect("one per choice"), v.dims(), &Device::Cpu).ok()
        });
        self.chooser.step(&choices, &of_choices, self.chooser.lr() * factor, Missing::Zero)?;
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
            let out = self.model.look(&fed.inputs, &self.all(&sampled)?, mode)?;
            let again = self.total(&self.losses(fed, &out.heads)?, &sampled)?.1;
            self.weigher.after(&again)?;
        }
        Ok(total)
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        let hard: Vec<Decided> = read(&self.logits)?.iter().map(|r| Decided::hard(argmax(r))).collect();
        let (spec, feed) = (&self.ground.checked.spec, self.ground.feed);
        evaluate(self.model, spec, feed, &feed.dataset.validation, &hard, control)
    }

    fn epoch(&mut self, at: &Position, scores: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError> {
        self.watch.check_validation(scores, at)?;
        let rows = read(&self.logits)?;
        listener.choices(&choices_event(&self.model.symbols, &rows, at.epoch, at.step, at.temperature));
        Ok(true)
    }

    fn save(&self, header: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        header.last_losses = self.watch.last.clone();
        let choices = named(&self.names, &self.logits);
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(keeper::prefixed("choice", choices.iter().map(|(n, v)| (*n, v.as_tensor().clone()))));
        tensors.extend(self.chooser.state()?.into_iter().map(|(n, t)| (format!("chooser/{n}"), t)));
        tensors.extend(self.weigher.save()?);
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        keeper::set(&state.part("choice"), &named(&self.names, &self.logits))?;
        self.chooser.load_state(&state.part("chooser"))?;
        self.weigher.load(state)?;
        self.watch.last = state.header.last_losses.clone();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against central differences of the terms themselves.
    #[test]
    fn gradients_of_logits() {
        let (x, g, tau, h) = ([0.3, -0.7, 1.1], [2.0, 0.5, 1.25], 1.7, 1e-5);
        let of = |x: &[f64]| -> f64 {
            softmax(&x.iter().map(|v| v / tau).collect::<Vec<_>>()).iter().zip(&g).map(|(p, g)| p * g).sum()
        };
        let p = softmax(&x.iter().map(|v| v / tau).collect::<Vec<_>>());
        let (found, of_entropy) = (through_softmax(&p, &g, tau), entropy_gradient(&x));
        for k in 0..3 {
            let moved = |by: f64| {
                let mut y = x;
                y[k] += by;
                y
            };
            let difference = |f: &dyn Fn(&[f64]) -> f64| (f(&moved(h)) - f(&moved(-h))) / (2.0 * h);
            assert!((found[k] - difference(&of)).abs() < 1e-9);
            assert!((of_entropy[k] - difference(&entropy)).abs() < 1e-9);
        }
        // Logits that have gone far are no numbers to fear.
        assert!(entropy_gradient(&[900.0, -900.0]).iter().all(|v| v.is_finite()));
    }
}
