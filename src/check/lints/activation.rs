//! A head that ends in what its loss applies by itself: the gradient is squashed twice.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::Flow;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let mut seen = Vec::new();
    for task in &spec.tasks {
        let Some(head) = task.head.map(|h| &spec.heads[h.0]) else { continue };
        let Flow::Node(last) = head.body.out else { continue };
        let node = &head.body.nodes[last];
        let name = node.op.call.name;
        let inside = match task.loss.name {
            "bce" => "sigmoid",
            "cross_entropy" => "softmax",
            _ => continue,
        };
        let why = match name {
            "sigmoid" | "softmax" => format!("the loss `{}` applies its own `{inside}`", task.loss.name),
            "relu" => format!("the loss `{}` takes numbers below 0 as well, for what is unlikely", task.loss.name),
            _ => continue,
        };
        if std::mem::replace(&mut seen, vec![node.span]).contains(&node.span) {
            continue;
        }
        diags.push(
            Diagnostic::new(
                codes::TASK_ACTIVATION,
                node.site,
                format!("the head of `{}` ends in `{name}`, and {why}", task.name),
            )
            .label("not needed here")
            .also(task.span, format!("learned by `{}`", task.loss.name))
            .help(format!("end the head before it: remove `-> {name}`")),
        );
    }
}
