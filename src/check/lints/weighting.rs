//! A loss weighting that has nothing to weigh: one task, or declared weights that it leaves aside.

use super::Facts;
use crate::check::steps::{self, Of};
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let tasks = &facts.spec.tasks;
    let counting = tasks.iter().filter(|t| t.weight > 0.0).count();
    for trains in steps::trainings(facts.spec) {
        let args = &trains.args;
        let (Some(call), Some(at)) = (args.opt_call("weighting"), args.span("weighting")) else { continue };
        // TreeMTL's `single` trains pairs.
        let alone = matches!(trains.of, Of::Single(strategy) if strategy != "pairwise");
        if call.name != "static" && (alone || counting <= 1) {
            let message = match alone {
                true => {
                    format!("`{}` weighs the losses of several tasks, and each of these networks has one", call.name)
                }
                false => format!("`{}` weighs the losses of several tasks, and one task counts here", call.name),
            };
            diags
                .push(Diagnostic::new(codes::TRAIN_WEIGHTING, at, message).label("nothing to weigh").help("remove it"));
            continue;
        }
        let Some(task) = tasks.iter().find(|t| t.weight != 1.0 && t.weight > 0.0) else { continue };
        if call.name == "equal" {
            diags.push(
                Diagnostic::new(
                    codes::TRAIN_WEIGHTING,
                    at,
                    format!("`equal` leaves the weight {} of `{}` out of the training", task.weight, task.name),
                )
                .label("every loss counts once")
                .also(task.span, "declares a weight")
                .help("`weighting = static` trains with the tasks' weights; or remove them from the tasks"),
            );
        }
    }
}
