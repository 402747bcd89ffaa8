//! A patience that cannot run out before training ends.

use super::Facts;
use crate::check::steps;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for trains in steps::trainings(facts.spec) {
        let args = &trains.args;
        let Some(patience) = args.get("patience").map(|_| args.size("patience")) else { continue };
        let epochs = args.size("epochs");
        let Some(at) = args.span("patience").filter(|_| patience >= epochs) else { continue };
        let mut d = Diagnostic::new(
            codes::TRAIN_PATIENCE,
            at,
            format!("training has {epochs} epochs: a patience of {patience} never stops it"),
        )
        .label("never runs out")
        .help("make it shorter than `epochs`, or remove it");
        if args.is_given("epochs") {
            d = d.also(args.span("epochs").unwrap_or(at), "the whole training");
        }
        diags.push(d);
    }
}
