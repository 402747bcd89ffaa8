//! More copies of a level than tasks can reach.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let Some(space) = &spec.space else { return };
    // A task that could not be read would make the number of tasks wrong.
    if spec.families.iter().any(|f| f.open) || spec.tasks.is_empty() || diags.has_errors() {
        return;
    }
    let tasks = spec.tasks.len();
    for level in &space.levels {
        if level.copies > tasks && matches!(level.reads, crate::hir::Reads::One) {
            diags.push(
                Diagnostic::new(
                    codes::SPACE_SPARE_COPIES,
                    level.span,
                    format!(
                        "{} copies for {tasks} task{}: at most {tasks} can be used",
                        level.copies,
                        if tasks == 1 { "" } else { "s" }
                    ),
                )
                .help(format!("`copies = {tasks}`, or `copies = any`")),
            );
        }
    }
}
