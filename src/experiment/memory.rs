//! The memory of a run, estimated before it starts and compared with what the machine has.

use super::run::Command;
use super::{ALL_SHARED, Failure, Prepared, network_of, train_args};
use crate::diag::numbers::human_bytes;
use crate::hir::Topology;
use crate::ir::{Network, partition};
use crate::plan::{Plan, lower, lower_per_task};
use crate::runtime::memory::{Estimate, Training};
use crate::runtime::{RunError, blocks};
use crate::source::machine;

/// The phase that takes most, and how much.
pub struct Need {
    pub phase: String,
    pub batch: usize,
    pub estimate: Estimate,
    /// The memory that is available now, including what the process already uses; `None` if the system does not report it.
    pub available: Option<u64>,
}

/// Estimates every phase that a command runs, and returns the one that needs most memory. `baselines`: whether the all-shared and the
/// independent network are trained as well.
pub fn need(prepared: &Prepared, command: Command, baselines: bool) -> Result<Option<Need>, Failure> {
    let checked = prepared.checked();
    let feed = &prepared.feed;
    let train = train_args(checked);
    // Return the memory that reading and compiling have freed, so that it does not count.
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
                    // In a search by expected cost, every task runs every copy.
                    let plan = match search.strategy.call.name {
                        "expected_cost" => lower_per_task(checked, network)
                            .map(|unrolled| unrolled.plan)
                            .map_err(|e| RunError::NotYet(e.to_string()))?,
                        _ => lowered(network)?,
                    };
                    add("search", training, &plan);
                }
                // Strategies without a supernet train networks of one task, of two tasks, or of all tasks. None is larger than the
                // all-shared network.
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
        // Without a topology, only the all-shared network is trained.
        (Command::Train, None) => topologies.push((ALL_SHARED.into(), partition::all_shared(&checked.spec))),
        (Command::Run, _) if baselines => {
            topologies.extend(super::baselines(checked).into_iter().map(|c| (c.name, c.topology)));
        }
        // The derived network is not known yet. It is no smaller than the all-shared one.
        (Command::Run, _) => topologies.push(("derived".into(), partition::all_shared(&checked.spec))),
    }
    for (name, topology) in topologies {
        add(&name, Training::of(&train, feed, true), &lowered(&network_of(checked, &topology)?)?);
    }
    let most = all.into_iter().max_by_key(|(_, _, e)| e.total());
    Ok(most.map(|(phase, batch, estimate)| {
        // The estimate includes the memory that the process already uses, so it counts as available.
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
