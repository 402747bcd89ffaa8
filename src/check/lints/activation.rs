//! A head whose last activation makes its loss hard to minimise: it yields no negative numbers where the loss expects any number.

use super::Facts;
use crate::check::outputs::{Range, of_head};
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let mut seen = Vec::new();
    for task in spec.tasks.iter().filter(|t| ["bce", "cross_entropy"].contains(&t.loss.name)) {
        let Some(head) = task.head.map(|h| &spec.heads[h.0]) else { continue };
        let known = of_head(spec, head);
        let Some(node) = known.by.filter(|_| known.range == Range::Positive) else { continue };
        // The output of a stage may have other readers, which need the activation.
        if !head.body.nodes.iter().any(|n| std::ptr::eq(n, node)) {
            continue;
        }
        if std::mem::replace(&mut seen, vec![node.span]).contains(&node.span) {
            continue;
        }
        let (name, loss) = (node.op.call.name, task.loss.name);
        let why = format!("the loss `{loss}` takes numbers below 0 as well, for what is unlikely");
        diags.push(
            Diagnostic::new(
                codes::TASK_ACTIVATION,
                node.site,
                format!("the head of `{}` ends in `{name}`, and {why}", task.name),
            )
            .label("not needed here")
            .also(task.span, format!("learned by `{loss}`"))
            .help(format!("end the head before it: remove `-> {name}`")),
        );
    }
}
