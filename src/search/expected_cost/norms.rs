//! The last normalisation of every copy, without a scale and a shift while copies are blended.

use crate::check::{Checked, Typed};
use crate::hir::Flow;
use crate::ir::{Network, Node};
use crate::plan::{Plan, Symbols};

/// Ops that normalise and then scale and shift.
const NORMS: [&str; 3] = ["batch_norm", "group_norm", "layer_norm"];

/// Places of the normalisations of a stage after which nothing of it is trained any more.
fn last(stage: &Typed) -> Vec<usize> {
    // By op: whether something that is trained reads it, directly or by way of others.
    let mut behind = vec![false; stage.ops.len()];
    for (i, op) in stage.ops.iter().enumerate().rev() {
        let trained = behind[i] || op.op.weights().iter().any(|w| w.trained);
        for flow in op.inputs.iter().filter(|_| trained) {
            if let Flow::Node(n) = flow {
                behind[*n] = true;
            }
        }
    }
    (0..stage.ops.len()).filter(|i| !behind[*i] && NORMS.contains(&stage.ops[*i].op.name())).collect()
}

/// Leaves their scales at 1 and their shifts at 0 in the stages that have several copies.
pub(super) fn settle(checked: &Checked, network: &Network, plan: &mut Plan, symbols: &Symbols) {
    let stages = checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let copies = crate::check::cost::copies(network);
    for node in network.graph.node_weights() {
        let Node::Stage { stage, copy } = node else { continue };
        if copies.get(&stage.0).is_none_or(|n| *n < 2) {
            continue;
        }
        let label = format!("{}.{}", stages[stage.0].name, network.copy_name(*stage, *copy));
        for i in last(&checked.stages[stage.0]) {
            let prefix = format!("{label}.{i}.");
            let own = symbols.weights.iter().zip(&mut plan.weights).filter(|(name, _)| name.starts_with(&prefix));
            own.for_each(|(_, weight)| weight.trained = false);
        }
    }
}
