//! A batch larger than the training split: every epoch is one step.

use super::Facts;
use crate::check::steps;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let Some([rows, ..]) = steps::rows(facts.spec).filter(|[train, ..]| *train > 0) else { return };
    for trains in steps::trainings(facts.spec) {
        let args = &trains.args;
        let Some(at) = args.span("batch").filter(|_| args.is_given("batch") && args.size("batch") > rows) else {
            continue;
        };
        diags.push(
            Diagnostic::new(
                codes::TRAIN_BATCH,
                at,
                format!(
                    "the training split has {rows} rows: with a batch of {} an epoch is one step",
                    args.size("batch")
                ),
            )
            .label("more than there are")
            .help(format!("take a part of them: `batch = {}`", (rows / 8).max(1))),
        );
    }
}
