//! A schedule that training ends before: it never acts, or never gets where it goes.

use super::Facts;
use crate::check::steps::{self, Trains};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::schema::Call;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for trains in steps::trainings(facts.spec) {
        let args = &trains.args;
        for name in ["schedule", "temperature"] {
            if let Some(call) = args.opt_call(name).filter(|_| args.is_given(name)) {
                diags.extend(late(facts, &trains, call));
            }
        }
    }
}

fn late(facts: &Facts<'_>, trains: &Trains, call: &Call) -> Option<Diagnostic> {
    let epochs = trains.args.size("epochs") as f64;
    let (argument, what) = match call.name {
        "step" | "exponential" => ("every", "it never acts"),
        "linear" | "cosine" => ("over", "it never gets to its end"),
        "warmup" => ("steps", "it never gets to its full rate"),
        _ => return None,
    };
    call.args.get(argument)?;
    let length = facts.epochs(call.args.duration(argument), trains)?;
    // A smooth fall acts from the first step on.
    let smooth = call.name == "exponential" && call.args.get("smooth").is_some() && call.args.bool("smooth");
    let too_long = match call.name {
        "linear" | "cosine" => length > epochs,
        _ => length >= epochs && !smooth,
    };
    if !too_long {
        // How much of the training is left for what follows is not subtracted.
        return call.args.opt_call("then").filter(|_| call.name == "warmup").and_then(|then| late(facts, trains, then));
    }
    let at = call.args.span(argument)?;
    Some(
        Diagnostic::new(
            codes::TRAIN_SCHEDULE,
            at,
            format!("training ends after {epochs} epochs, and `{}` takes {length}: {what}", call.name),
        )
        .label(format!("{length} epochs"))
        .help(format!("make `{argument}` shorter than `epochs`, or train longer")),
    )
}
