//! Two tasks with one label: most likely copied, and not changed.

use std::collections::HashMap;

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::Task;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    // By the text of the label: the first task of every kind, mask and reading. So a program of thousands of tasks takes linear time.
    let mut firsts: HashMap<String, Vec<&Task>> = HashMap::new();
    for task in &facts.spec.tasks {
        let Some(label) = &task.label else { continue };
        let same = |o: &&&Task| {
            let masks = [o, task].map(|t| t.mask.as_ref().map(|m| &m.label));
            o.kind == task.kind && masks[0] == masks[1] && o.reading == task.reading
        };
        let firsts = firsts.entry(format!("{:?} {:?}", label.data, label.label)).or_default();
        let Some(first) = firsts.iter().find(same) else {
            firsts.push(task);
            continue;
        };
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
