//! How much of their work tasks share: one definition, for every table, drawing and file that states it.
//!
//! The work that two tasks have in common is the cost of the units (copies of stages, mixes) that both reach. The share of a network
//! is the mean of that over all pairs of tasks, divided by the same mean of the all-shared network. Heads serve one task each and do
//! not count, so the all-shared network has exactly 1 and the independent network exactly 0. A network whose tasks mix several
//! copies of a stage can have more in common than the all-shared network has: its share is above 1.

use serde::{Deserialize, Serialize};

use super::{Checked, Cost};
use crate::hir::{Read, Spec, StageId};
use crate::ir::{self, Network, Node};

/// Explained by `mtlc explain shared`.
pub const EXPLANATION: &str = include_str!("shared.md");

/// Shares of one network, by parameters and by multiply-accumulates. `None` where there is no such number: there is one task, no two
/// tasks have a stage in common that costs anything, a size is open, or choices are left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    pub params: Option<f64>,
    pub macs: Option<f64>,
}

impl Shared {
    /// The shares of a network without choices.
    pub fn of(checked: &Checked, network: &Network) -> Shared {
        if !network.is_fixed() {
            return Shared::default();
        }
        let sets = network.task_sets();
        let mut common = Common::default();
        for node in &network.order {
            let cost = match &network.graph[*node] {
                Node::Stage { stage, .. } => checked.stages[stage.0].cost,
                Node::Mix { .. } => super::cost::mix_cost(checked, network, *node),
                _ => continue,
            };
            common.add(cost, sets[node.index()].len());
        }
        common.over(all_shared(checked))
    }

    /// Those of the all-shared network: 1, where there is something to share.
    pub fn all(checked: &Checked) -> Shared {
        let all = all_shared(checked);
        all.over(all)
    }

    /// Those of the independent network: 0, where there is something to share.
    pub fn nothing(checked: &Checked) -> Shared {
        Common::default().over(all_shared(checked))
    }
}

/// Work that pairs of tasks have in common, summed over all pairs.
#[derive(Debug, Clone, Copy)]
struct Common {
    params: Option<u128>,
    macs: Option<u128>,
}

impl Default for Common {
    fn default() -> Self {
        Common { params: Some(0), macs: Some(0) }
    }
}

impl Common {
    /// A unit that `tasks` tasks reach is common to each pair of them.
    fn add(&mut self, cost: Cost, tasks: usize) {
        let pairs = (tasks * tasks.saturating_sub(1) / 2) as u128;
        if pairs == 0 {
            return;
        }
        let add = |sum: Option<u128>, of: Option<u64>| Some(sum?.saturating_add(u128::from(of?).saturating_mul(pairs)));
        self.params = add(self.params, cost.params);
        self.macs = add(self.macs, cost.macs);
    }

    /// The number of pairs is the same in both networks, so that sums serve as means.
    fn over(self, all: Common) -> Shared {
        let ratio = |own: Option<u128>, all: Option<u128>| match (own, all) {
            (Some(own), Some(all)) if all > 0 => Some(own as f64 / all as f64),
            _ => None,
        };
        Shared { params: ratio(self.params, all.params), macs: ratio(self.macs, all.macs) }
    }
}

fn all_shared(checked: &Checked) -> Common {
    let mut common = Common::default();
    for (stage, tasks) in checked.stages.iter().zip(passing(&checked.spec)) {
        common.add(stage.cost, tasks.len());
    }
    common
}

/// Which tasks pass each stage, whatever copy of it: by stage index, tasks in order.
pub(super) fn passing(spec: &Spec) -> Vec<Vec<usize>> {
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let ancestors = ir::ancestors(stages);
    let mut out = vec![Vec::new(); stages.len()];
    for (t, task) in spec.tasks.iter().enumerate() {
        let Some(head) = task.head else { continue };
        let mut passes = vec![false; stages.len()];
        for read in &spec.heads[head.0].reads {
            let Read::Stage(StageId(s)) = read else { continue };
            passes[*s] = true;
            passes.iter_mut().zip(&ancestors[*s]).for_each(|(p, a)| *p |= a);
        }
        for (s, _) in passes.iter().enumerate().filter(|(_, p)| **p) {
            out[s].push(t);
        }
    }
    out
}
