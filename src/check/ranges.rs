//! Schedules that leave the range of their attribute during training.

use super::steps::{self, Trains};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::Spec;
use crate::optim::{Schedule, Span};
use crate::schema::{Call, Ty};

/// Representative numbers of steps per epoch, for an unknown number of rows: a schedule is reported if it leaves the range for each. One
/// step is not among them, because hardly any schedule reaches its end in so few steps.
const ANY: [usize; 3] = [2, 7, 1000];

pub fn ranges(spec: &Spec, diags: &mut Diagnostics) {
    for trains in steps::trainings(spec) {
        for def in trains.attrs {
            let Ty::Schedule(range) = &def.ty else { continue };
            if let Some(call) = trains.args.opt_call(def.name) {
                diags.extend(outside(spec, &trains, def.name, range, call));
            }
        }
    }
}

fn outside(spec: &Spec, trains: &Trains, name: &str, range: &Ty, call: &Call) -> Option<Diagnostic> {
    let Ty::Float { min, max } = range else { return None };
    let schedule = Schedule::new(call);
    let leaves = |per_epoch: usize| {
        let span = span(trains, name, per_epoch);
        let (step, value) = schedule.leaves(&span, |v| v >= *min && v <= *max)?;
        // The schedule may begin later; report steps counted from the beginning of training.
        Some((step + span.before, value, per_epoch))
    };
    let known = steps::batches(spec, trains).map(|b| b.per_epoch());
    let (step, value, per_epoch) = match known {
        Some(n) => leaves(n)?,
        // The largest number of steps gives the most exact epoch.
        None => ANY.iter().map(|n| leaves(*n)).collect::<Option<Vec<_>>>()?.pop()?,
    };
    let epochs = trains.args.size("epochs");
    let epoch = (step - 1) / per_epoch.max(1) as u64 + 1;
    let at = trains.args.span(name).unwrap_or(trains.span);
    let when = match known {
        Some(_) => format!("in step {step} (epoch {epoch} of {epochs})"),
        None => format!("in epoch {epoch} of {epochs}"),
    };
    let message =
        format!("the schedule of `{name}` reaches {value} {when}, and each of its values must be {}", range.describe());
    Some(
        Diagnostic::new(codes::TRAIN_RANGE, at, message)
            .label(format!(
                "{value} from {} on",
                if known.is_some() { format!("step {step}") } else { format!("epoch {epoch}") }
            ))
            .help(remedy(call, *min)),
    )
}

/// The steps in which the schedule of an attribute is evaluated.
fn span(trains: &Trains, name: &str, per_epoch: usize) -> Span {
    let epochs = trains.args.size("epochs");
    let all = epochs as u64 * per_epoch as u64;
    // The schedule of this temperature begins when choices are sampled, after the warm-up.
    if trains.strategy() == Some("expected_cost") && name == "temperature" {
        let warmup = match trains.args.get("warmup") {
            Some(_) => trains.args.duration("warmup").steps(per_epoch).round() as u64,
            None => (epochs / 20 * per_epoch) as u64,
        };
        let rest = (epochs as f64 - warmup as f64 / per_epoch as f64).ceil().max(1.0) as usize;
        return Span { before: warmup, steps: all.saturating_sub(warmup).max(1), per_epoch, epochs: rest };
    }
    Span { before: 0, steps: all, per_epoch, epochs }
}

/// How to keep such a schedule within the range.
fn remedy(call: &Call, min: f64) -> String {
    let least = if min > 0.0 { "above 0" } else { "at 0 or above" };
    match call.name {
        "constant" | "inverse" | "inverse_sqrt" => format!("give it a value {least}: `{}(1)`", call.name),
        "linear" => format!(
            "let it begin and end {least}: `linear({}, {})`",
            shown(call, "from", 1.0),
            if min > 0.0 { "0.1" } else { "0" }
        ),
        "cosine" => format!("let it begin and end {least}: `cosine(to = {})`", if min > 0.0 { "0.1" } else { "0" }),
        "exponential" | "step" => {
            format!("let it begin {least}, and change more slowly: a `rate` nearer to 1, or a longer `every`")
        }
        _ => format!("let every part of it stay {least}"),
    }
}

/// The value of an argument if it is above 0, else `otherwise`.
fn shown(call: &Call, name: &str, otherwise: f64) -> f64 {
    let value = call.args.float(name);
    if value > 0.0 { value } else { otherwise }
}
