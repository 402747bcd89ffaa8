//! How much of their work tasks share. Every table, drawing and file uses this definition.
//!
//! The work that two tasks have in common is the cost of the units (copies of stages, mixes) that both use. The shared fraction of a
//! network is the mean of that work over all pairs of tasks, divided by the same mean of the all-shared network. Heads serve one task
//! each and do not count, so the all-shared network has exactly 1 and the independent network exactly 0. A network whose tasks mix
//! several copies of a stage can have more work in common than the all-shared network; its fraction is above 1.

use serde::{Deserialize, Serialize};

use super::{Checked, Cost};
use crate::hir::{Read, Spec, StageId};
use crate::ir::{self, Network, Node};

/// The text of `mtlc explain shared`.
pub const EXPLANATION: &str = include_str!("shared.md");

/// The shared fractions of one network, by parameters and by multiply-accumulates. `None` where the fraction is not defined: there is
/// one task, no two tasks share a stage with a cost above 0, a size is unknown, or choices are still open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Shared {
    pub params: Option<f64>,
    pub macs: Option<f64>,
}

impl Shared {
    /// The shared fractions of a network without open choices.
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

    /// The fractions of the all-shared network: 1 where there is work to share.
    pub fn all(checked: &Checked) -> Shared {
        let all = all_shared(checked);
        all.over(all)
    }

    /// The fractions of the independent network: 0 where there is work to share.
    pub fn nothing(checked: &Checked) -> Shared {
        Common::default().over(all_shared(checked))
    }
}

/// The work that pairs of tasks have in common, summed over all pairs.
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
    /// Adds a unit that `tasks` tasks use, once for each pair of them.
    fn add(&mut self, cost: Cost, tasks: usize) {
        let pairs = (tasks * tasks.saturating_sub(1) / 2) as u128;
        if pairs == 0 {
            return;
        }
        let add = |sum: Option<u128>, of: Option<u64>| Some(sum?.saturating_add(u128::from(of?).saturating_mul(pairs)));
        self.params = add(self.params, cost.params);
        self.macs = add(self.macs, cost.macs);
    }

    /// Divides by the sums of the all-shared network. Both networks have the same number of pairs, so this is the quotient of the means.
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

/// The tasks that use each stage, in any of its copies. Indexed by stage; tasks in order.
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
