//! A temperature that never falls, for strategies whose choices harden only as it does.

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::schema::Call;

/// The strategies that anneal; for `group` a constant temperature is as published.
const ANNEALED: &[&str] = &["learn_to_branch", "expected_cost"];

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for search in facts.spec.searches.iter().filter(|s| ANNEALED.contains(&s.strategy.call.name)) {
        let Some(temperature) = search.args.opt_call("temperature") else { continue };
        let Some(why) = never_falls(temperature) else { continue };
        let at = search.args.span("temperature").unwrap_or(search.span);
        diags.push(
            Diagnostic::new(
                codes::SEARCH_COOLING,
                at,
                format!("the temperature {why}: choices stay as soft as at the start"),
            )
            .label("never cools")
            .help("let it fall, as published: `temperature = inverse(10, per = epoch)`"),
        );
    }
}

/// How a schedule fails to fall; `None` where it falls.
fn never_falls(s: &Call) -> Option<String> {
    match s.name {
        "constant" => Some(format!("is {} throughout", s.args.float("value"))),
        "linear" => {
            let (from, to) = (s.args.float("from"), s.args.float("to"));
            (to >= from).then(|| format!("goes from {from} to {to}"))
        }
        "exponential" | "step" => {
            let rate = s.args.float("rate");
            (rate >= 1.0).then(|| format!("is multiplied by {rate} again and again"))
        }
        _ => None,
    }
}
