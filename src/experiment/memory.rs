//! The memory of a run, estimated before it starts and compared with what the machine has.

use super::run::Command;
use super::{ALL_SHARED, Failure, Prepared, network_of, train_args};
use crate::diag::numbers::human_bytes;
use crate::hir::Topology;
use crate::ir::{Network, partition};
use crate::plan::{Plan, lower, lower_per_task};
use crate::runtime::memory::{Estimate, Training};
use crate::runtime::{RunError, blocks, machine};

/// The phase that takes most, and how much.
pub struct Need {
    pub phase: String,
    pub batch: usize,
    pub estimate: Estimate,
    /// What can be had now, with what the process holds already; `None` where the system does not say.
    pub available: Option<u64>,
}

/// Estimates every phase that a command runs, and gives the one that takes most. `baselines`: the all-shared and the independent
/// network are trained as well.
pub fn need(prepared: &Prepared, command: Command, baselines: bool) -> Result<Option<Need>, Failure> {
    let checked = prepared.checked();
    let feed = &prepared.feed;
    let train = train_args(checked);
    // What reading and compiling have left is free, and does not count.
    blocks::give_back();
    let mut all: Vec<(String, usize, Estimate)> = Vec::new();
    let mut add = |phase: &str, training: Training, plan: &Plan| {
        all.push((phase.to_string(), training.pace.batch as usize, training.estimate(plan)));
    };
    let lowered = |network: &Network| -> Result<Plan, RunError> {
        lower(checked, network).map(|(plan, _)| plan).map_err(|e| RunError::NotYet(e.to_string()))
    };
    if command != Command::Train
        && let Some(network) = &checked.supernet
    {
        for search in &checked.spec.searches {
            match Training::search(search, &checked.spec, feed) {
                Some(training) => {
                    // Every task runs every copy in a search by expected cost.
                    let plan = match search.strategy.call.name {
                        "expected_cost" => lower_per_task(checked, network)
                            .map(|unrolled| unrolled.plan)
                            .map_err(|e| RunError::NotYet(e.to_string()))?,
                        _ => lowered(network)?,
                    };
                    add("search", training, &plan);
                }
                // Strategies without a supernet train networks of one task, of two, or of all: none is larger than what all tasks
                // share with a head for each.
                None => {
                    let args = search.single.as_ref().unwrap_or(&train);
                    let network = network_of(checked, &partition::all_shared(&checked.spec))?;
                    add("search", Training::of(args, feed, true).within(&checked.spec), &lowered(&network)?);
                }
            }
        }
    }
    let mut topologies: Vec<(String, Topology)> = Vec::new();
    match (command, &checked.spec.topology) {
        (Command::Search, _) => {}
        (Command::Train, Some(t)) => topologies.push(("trained".into(), t.clone())),
        // Without a topology all tasks share everything, and nothing else is trained.
        (Command::Train, None) => topologies.push((ALL_SHARED.into(), partition::all_shared(&checked.spec))),
        (Command::Run, _) if baselines => {
            topologies.extend(super::baselines(checked).into_iter().map(|c| (c.name, c.topology)));
        }
        // What is derived is not known yet; it is no smaller than this.
        (Command::Run, _) => topologies.push(("derived".into(), partition::all_shared(&checked.spec))),
    }
    for (name, topology) in topologies {
        add(&name, Training::of(&train, feed, true), &lowered(&network_of(checked, &topology)?)?);
    }
    let most = all.into_iter().max_by_key(|(_, _, e)| e.total());
    Ok(most.map(|(phase, batch, estimate)| {
        // What the process holds counts in the estimate, and can be had.
        let held = machine::resident().map_or(estimate.data, |(now, _)| now);
        let available = machine::available_memory().map(|a| a.saturating_add(held));
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
                "the run needs {}: activations {}, weights with their gradients and optimiser state {}, data {}, the rest of the process {}",
                self.describe(),
                human_bytes(e.activations),
                human_bytes(e.weights),
                human_bytes(e.data),
                human_bytes(e.process)
            ),
            activations: e.activations > e.weights,
        })
    }
}
