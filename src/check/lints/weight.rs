//! A task that counts for nothing.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for task in facts.spec.tasks.iter().filter(|t| t.weight == 0.0) {
        diags.push(
            Diagnostic::new(
                codes::TASK_WEIGHT,
                task.span,
                format!("the task `{}` has the weight 0: its head is never trained", task.name),
            )
            .label("counts for nothing")
            .help("give it a weight above 0, or remove the task"),
        );
    }
}
