//! Two linear maps after each other: together they are one.

use super::Facts;
use crate::check::Typed;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Body, Flow};
use crate::source::Span;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let stages = spec.backbone.iter().flat_map(|b| &b.stages).zip(facts.stages).map(|(s, t)| (&s.body, t));
    let heads = spec.tasks.iter().zip(facts.heads);
    let heads = heads.filter_map(|(task, t)| Some((&spec.heads[task.head?.0].body, t)));
    let mut seen: Vec<Span> = Vec::new();
    for (body, typed) in stages.chain(heads) {
        let Some(typed) = typed else { continue };
        for (first, second) in pairs(body, typed) {
            if seen.contains(&second) {
                continue;
            }
            seen.push(second);
            diags.push(
                Diagnostic::new(
                    codes::BACKBONE_COLLAPSE,
                    second,
                    "a `linear` right after a `linear`: together they are one",
                )
                .label("no activation before it")
                .also(first, "this one adds nothing but parameters")
                .help("put an activation between them (`-> relu ->`), or remove one"),
            );
        }
    }
}

/// Places of two `linear` in a row. A narrow first one is a factorisation, and meant.
fn pairs(body: &Body, typed: &Typed) -> Vec<(Span, Span)> {
    let size = |written: usize| {
        let op = typed.ops.iter().rev().find(|o| o.written == written)?;
        op.op.output().sizes().map(|s| s.iter().product::<usize>())
    };
    let mut out = Vec::new();
    for (i, node) in body.nodes.iter().enumerate() {
        let [Flow::Node(before)] = node.inputs.as_slice() else { continue };
        let first = &body.nodes[*before];
        let linear = |n: &crate::hir::FlowNode| n.op.call.name == "linear";
        // What else reads the first one may need it as it is.
        let shared = body.nodes.iter().filter(|n| n.inputs.contains(&Flow::Node(*before))).count() > 1;
        if linear(node) && linear(first) && !shared && size(*before).zip(size(i)).is_some_and(|(a, b)| a >= b) {
            out.push((first.site, node.site));
        }
    }
    out
}
