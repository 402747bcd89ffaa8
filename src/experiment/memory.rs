//! The memory of a run, estimated before it starts and compared with what the machine has.

use super::run::Command;
use super::{Failure, Prepared, baselines, network_of, train_args};
use crate::diag::numbers::human_bytes;
use crate::plan::{Plan, lower, lower_per_task};
use crate::runtime::memory::{Estimate, Training};
use crate::runtime::{RunError, machine};

/// The phase that takes most, and how much.
pub struct Need {
    pub phase: String,
    pub batch: usize,
    pub estimate: Estimate,
    /// What can be had now beside what the data take already; `None` where the system does not say.
    pub available: Option<u64>,
}

/// Estimates every phase of a run, and gives the one that takes most.
pub fn need(prepared: &Prepared, command: Command) -> Result<Option<Need>, Failure> {
    let checked = prepared.checked();
    let feed = &prepared.feed;
    let train = train_args(checked);
    let mut all: Vec<(String, usize, Estimate)> = Vec::new();
    let mut add = |phase: &str, training: Training, plan: &Plan| {
        all.push((phase.to_string(), training.pace.batch as usize, training.estimate(plan)));
    };
    if command != Command::Train
        && let Some(network) = &checked.supernet
    {
        for search in &checked.spec.searches {
            let Some(training) = Training::search(search, &checked.spec, feed) else { continue };
            // Every task runs every copy in a search by expected cost.
            let plan = match search.strategy.call.name {
                "expected_cost" => lower_per_task(checked, network).map(|unrolled| unrolled.plan),
                _ => lower(checked, network).map(|(plan, _)| plan),
            };
            let plan = plan.map_err(|e| RunError::NotYet(e.to_string()))?;
            add("search", training, &plan);
        }
    }
    let topologies: Vec<_> = match (command, &checked.spec.topology) {
        (Command::Search, _) => Vec::new(),
        (Command::Train, Some(t)) => vec![("trained".to_string(), t.clone())],
        _ => baselines(checked).into_iter().map(|c| (c.name, c.topology)).collect(),
    };
    for (name, topology) in topologies {
        let network = network_of(checked, &topology)?;
        let (plan, _) = lower(checked, &network).map_err(|e| RunError::NotYet(e.to_string()))?;
        add(&name, Training::of(&train, feed, true), &plan);
    }
    let most = all.into_iter().max_by_key(|(_, _, e)| e.total());
    Ok(most.map(|(phase, batch, estimate)| {
        // The data are in memory already.
        let available = machine::available_memory().map(|a| a.saturating_add(estimate.data));
        Need { phase, batch, estimate, available }
    }))
}

impl Need {
    /// "about 310 MiB for `search` at batch 64, of 20.1 GiB"
    pub fn describe(&self) -> String {
        let total = human_bytes(self.estimate.total());
        let of = self.available.map_or(String::new(), |a| format!(", of {} that can be had", human_bytes(a)));
        format!("about {total} for `{}` at batch {}{of}", self.phase, self.batch)
    }

    /// A run that does not fit, with where its memory goes.
    pub fn refuse(&self) -> Option<RunError> {
        let available = self.available?;
        if self.estimate.total() <= available {
            return None;
        }
        let e = &self.estimate;
        Some(RunError::Memory {
            message: format!(
                "the run needs {}: activations {}, weights with their gradients and optimiser state {}, data {}",
                self.describe(),
                human_bytes(e.activations),
                human_bytes(e.weights),
                human_bytes(e.data)
            ),
            activations: e.activations > e.weights,
        })
    }
}
