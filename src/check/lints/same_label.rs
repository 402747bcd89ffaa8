//! Two tasks with one label: most likely copied, and not changed.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let tasks = &facts.spec.tasks;
    for (i, task) in tasks.iter().enumerate() {
        let Some(label) = &task.label else { continue };
        let same = |o: &&crate::hir::Task| {
            let mask = |t: &crate::hir::Task| t.mask.as_ref().map(|m| m.label.clone());
            o.kind == task.kind
                && mask(o) == mask(task)
                && o.reading == task.reading
                && o.label.as_ref().is_some_and(|l| l.data == label.data && l.label == label.label)
        };
        let Some(first) = tasks[..i].iter().find(same) else { continue };
        diags.push(
            Diagnostic::new(
                codes::TASK_SAME_LABEL,
                task.span,
                format!("`{}` and `{}` learn the same label", first.name, task.name),
            )
            .label("the same again")
            .also(first.span, "as this one")
            .help("change one of the labels, or remove one of the tasks"),
        );
    }
}
