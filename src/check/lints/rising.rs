//! A learning rate that rises after the warm-up: arguments in the order of another tool, or a factor above 1.

use super::Facts;
use crate::check::steps;
use crate::diag::numbers::human_number;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::optim::Schedule;
use crate::schema::Call;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for trains in steps::trainings(facts.spec) {
        let Some(written) = trains.args.opt_call("schedule") else { continue };
        let Some(call) = after_warmup(written) else { continue };
        let epochs = trains.args.size("epochs");
        // Whether it rises does not depend on the number of rows.
        let Some((from, to)) = Schedule::new(call).rises(100, epochs) else { continue };
        let causes = ["to", "rate"].into_iter().filter(|a| call.args.is_given(a)).find_map(|a| call.args.span(a));
        let Some(at) = causes.or(trains.args.span("schedule")) else { continue };
        let help = match call.name {
            "linear" | "cosine" => format!("a rate that falls: `{}`", falling(call)),
            "step" | "exponential" => "a rate falls with a `rate` below 1".to_string(),
            _ => "a rate usually falls".to_string(),
        };
        let (from, to) = (human_number(from), human_number(to));
        diags.push(
            Diagnostic::new(
                codes::TRAIN_RATE,
                at,
                format!("the learning rate rises: the factor goes from {from} to {to}"),
            )
            .label("it rises to here")
            .help(format!("{help}; a start that rises is written `warmup(5 epochs, then = ...)`")),
        );
    }
}

/// The schedule that counts from the end of the warm-up, if one does.
fn after_warmup(call: &Call) -> Option<&Call> {
    match call.name {
        "warmup" => call.args.opt_call("then").and_then(after_warmup),
        _ => Some(call),
    }
}

/// The same ends, the other way round.
fn falling(call: &Call) -> String {
    let number = |name: &str| human_number(call.args.float(name));
    match call.name {
        "linear" => format!("linear(from = {}, to = {})", number("to"), number("from")),
        _ => format!("cosine(value = {}, to = {})", number("to"), number("value")),
    }
}
