//! How much memory a training will take, before it starts, and what it forgets so that it takes less. An estimate from the plan that
//! runs, fused and levelled: weights, the optimiser's state, the best weights so far, the peak of a step according to `plan::memory`,
//! and what the process already uses, mostly the encoded data. Reading may have used more memory than training will, so the peak so far
//! is included as well. `tests/peak.rs` compares estimates with measured peaks.

use super::feed::Feed;
use super::model::Model;
use super::record::Listener;
use crate::diag::numbers::human_bytes;
use crate::hir::{Search, Spec};
use crate::optim;
use crate::optim::weighting::{Needs, find_weighting};
use crate::plan::Plan;
use crate::plan::memory::{Ledger, Pace};
use crate::plan::passes::recompute::{self, Chosen};
use crate::plan::passes::{self, Switches};
use crate::schema::{Args, Call};
use crate::source::machine;

/// Bytes, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Weights, optimiser state, and weights that are kept aside.
    pub weights: u64,
    /// The peak of a step: values, everything that the backward pass reads, and gradients, including those of weights. If an evaluation
    /// needs more, its peak.
    pub activations: u64,
    /// Encoded splits, and batches of them.
    pub data: u64,
    /// Memory of the process apart from the encoded splits: the program itself, and what remains of reading and compiling.
    pub process: u64,
    /// The peak of the process so far: reading the data may need more memory than training.
    pub so_far: u64,
}

/// An estimate of [`Estimate::process`] for systems that do not report memory use.
const BASE: u64 = 96 << 20;

/// The largest number of rows of a forward pass in an evaluation. Latencies are measured with this number of rows.
const EVALUATED: u64 = 256;

/// What is trained how, as far as memory is concerned.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    pub optimizer: &'a Call,
    pub pace: Pace,
    /// The best weights are kept aside.
    pub kept: bool,
    pub feed: &'a Feed,
    /// Bytes that all of it may take together.
    pub budget: Option<u64>,
}

impl<'a> Training<'a> {
    /// By the attributes of `train`.
    pub fn of(args: &'a Args, feed: &'a Feed, on_cpu: bool) -> Training<'a> {
        let call = args.opt_call("weighting");
        let apart = call.and_then(|c| find_weighting(c.name)).is_some_and(|w| matches!(w.needs, Needs::Gradients(_)));
        let pace = Pace {
            batch: args.size("batch").min(feed.dataset.train.rows) as u64,
            early: args.opt_float("clip").is_none() && !apart && on_cpu,
            losses: if apart { feed.tasks.len() as u64 } else { 1 },
        };
        let kept = args.str("select") == "best";
        Training { optimizer: args.call("optimizer"), pace, kept, feed, budget: budget(args) }
    }

    /// Of a search's supernet, whose attributes are the strategy's; the budget is that of `train`. None where none is trained.
    pub fn search(search: &'a Search, spec: &Spec, feed: &'a Feed) -> Option<Training<'a>> {
        let args = &search.args;
        let optimizer = args.opt_call("weights")?;
        let batch = args.size("batch").min(feed.dataset.train.rows) as u64;
        let pace = Pace { batch, early: false, losses: 1 };
        Some(Training { optimizer, pace, kept: false, feed, budget: None }.within(spec))
    }

    /// By the budget of the spec's `train`, where there is none yet.
    pub fn within(self, spec: &Spec) -> Training<'a> {
        let of_spec = || spec.train.as_ref().and_then(|t| budget(&t.args));
        Training { budget: self.budget.or_else(of_spec), ..self }
    }

    /// All but what a step holds.
    fn rest(&self, plan: &Plan) -> Estimate {
        let elements = |trained_only: bool| -> u64 {
            let weights = plan.weights.iter().filter(|w| w.trained || !trained_only);
            weights.map(|w| w.shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64))).sum()
        };
        let (all, trained) = (elements(false), elements(true));
        let state = trained.saturating_mul(optim::slots(self.optimizer) as u64);
        let weights = all.saturating_add(state).saturating_add(if self.kept { all } else { 0 }).saturating_mul(4);
        // Gathered, and as a tensor.
        let batches = 2 * 4 * self.feed.values_per_row() as u64 * self.pace.batch;
        let data = self.feed.bytes();
        let (now, so_far) = machine::resident().unwrap_or((data.saturating_add(BASE), 0));
        Estimate {
            weights,
            activations: 0,
            data: data.saturating_add(batches),
            process: now.saturating_sub(data),
            so_far,
        }
    }

    /// Estimates the training of a plan as it is lowered.
    pub fn estimate(&self, plan: &Plan) -> Estimate {
        let (mut plan, switches) = (plan.clone(), Switches::chosen());
        passes::rewrite(&mut plan, &switches);
        let evaluated = Ledger::new(&plan).passing(EVALUATED);
        let estimate = self.forget(&mut plan, &switches).0;
        Estimate { activations: estimate.activations.max(evaluated), ..estimate }
    }

    /// Says what a step of a rewritten plan forgets.
    fn forget(&self, plan: &mut Plan, switches: &Switches) -> (Estimate, Chosen) {
        let rest = self.rest(plan);
        let budget = self.budget.map(|b| b.saturating_sub(rest.total()));
        let chosen = recompute::run(plan, self.pace, budget, switches);
        (Estimate { activations: chosen.most, ..rest }, chosen)
    }
}

/// `memory` of `train`.
fn budget(args: &Args) -> Option<u64> {
    args.opt_size("memory").map(|b| b as u64)
}

impl Estimate {
    pub fn total(&self) -> u64 {
        let training = [self.process, self.weights, self.activations, self.data];
        training.into_iter().fold(0u64, u64::saturating_add).max(self.so_far)
    }
}

/// What is to be said of a budget: nothing where there is none, or where a training fits as it is.
fn told(budget: Option<u64>, estimate: &Estimate, chosen: &Chosen) -> Option<String> {
    let (budget, total) = (budget?, estimate.total());
    let plain = human_bytes(total - chosen.most + chosen.plain);
    let again = (100.0 * chosen.again).round();
    let computed = format!("{again}% of the way forward computed twice");
    match (total <= budget, chosen.most < chosen.plain) {
        (true, false) => None,
        (true, true) => Some(format!("about {} with {computed}, in place of {plain}", human_bytes(total))),
        (false, true) => Some(format!(
            "about {} with {computed}, in place of {plain}; `memory` allows {}, which recomputation cannot reach: raise `memory`, make \
             `batch` smaller, or remove `memory` to save the time",
            human_bytes(total),
            human_bytes(budget)
        )),
        (false, false) => Some(format!(
            "about {plain}; `memory` allows {}, and computing again would not help: make the batch smaller",
            human_bytes(budget)
        )),
    }
}

impl Model {
    /// Forgets what a training step within the budget has to, and says so.
    pub fn keep_within(&mut self, training: &Training, listener: &mut dyn Listener) {
        if training.budget.is_none() {
            return;
        }
        let (estimate, chosen) = training.forget(&mut self.plan, &Switches::chosen());
        if let Some(said) = told(training.budget, &estimate, &chosen) {
            listener.note(&format!("memory: {said}"));
        }
    }
}
