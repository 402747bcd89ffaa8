//! Fixes the scale and the shift of the last normalisation of every copy during the search.

use crate::check::{Checked, Typed};
use crate::hir::Flow;
use crate::ir::{Network, Node};
use crate::plan::{Plan, Symbols};

/// Ops that normalise and then apply a learned scale and shift.
const NORMS: [&str; 3] = ["batch_norm", "group_norm", "layer_norm"];

/// The indices of the normalisations of a stage that no trained op follows.
fn last(stage: &Typed) -> Vec<usize> {
    // For each op, whether a trained op reads it directly or indirectly.
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

/// Fixes their scales at 1 and their shifts at 0, in stages with several copies.
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
