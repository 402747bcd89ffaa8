//! More copies of a level than tasks can reach.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::Reads;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let Some(space) = &spec.space else { return };
    // A task that could not be read would make the number of tasks wrong.
    if spec.families.iter().any(|f| f.open) || spec.tasks.is_empty() || diags.has_errors() {
        return;
    }
    let tasks = spec.tasks.len();
    let one = |r: &Reads| matches!(r, Reads::One);
    for (i, level) in space.levels.iter().enumerate() {
        // A reader of several copies uses more than there are tasks.
        let tree = one(&space.heads.reads) && space.levels[i + 1..].iter().all(|l| one(&l.reads));
        if level.copies > tasks && tree {
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
