//! A warm-up that leaves no epoch in which choices are learned.

use super::Facts;
use crate::check::steps;
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for trains in steps::trainings(facts.spec) {
        let args = &*trains.args;
        if args.get("warmup").is_none() {
            continue;
        }
        let epochs = args.size("epochs");
        let Some(length) = facts.epochs(args.duration("warmup"), &trains).filter(|l| *l >= epochs as f64) else {
            continue;
        };
        let given = if args.is_given("warmup") { "warmup" } else { "epochs" };
        let at = args.span(given).unwrap_or(trains.span);
        let mut d = Diagnostic::new(
            codes::SEARCH_WARMUP,
            at,
            format!("the warm-up takes {length} of {epochs} epochs: no choice is ever learned"),
        )
        .label("choices change only after the warm-up")
        .help(format!(
            "make it shorter (`warmup = {}`), or search for more epochs",
            (epochs / 10).max(1).min(epochs - 1)
        ));
        if args.is_given("epochs") && given == "warmup" {
            d = d.also(args.span("epochs").unwrap_or(at), "the whole search");
        }
        diags.push(d);
    }
}
