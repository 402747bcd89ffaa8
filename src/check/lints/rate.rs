//! A learning rate that trains nothing: 0, or far too large.

use super::Facts;
use crate::check::steps;
use crate::diag::{Diagnostic, Diagnostics, codes};

/// Steps of Adam have about the size of the rate whatever the gradient, so there 1 is large.
fn most(optimizer: &str) -> f64 {
    if optimizer == "sgd" { 10.0 } else { 1.0 }
}

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for trains in steps::trainings(facts.spec) {
        let args = &trains.args;
        for name in ["optimizer", "weights", "choices"] {
            let Some(optimizer) = args.opt_call(name) else { continue };
            let lr = optimizer.args.float("lr");
            let at = optimizer.args.span("lr").or(args.span(name));
            let Some(at) = at.filter(|_| lr == 0.0 || lr > most(optimizer.name)) else { continue };
            let d = match lr == 0.0 {
                true => Diagnostic::new(codes::TRAIN_RATE, at, "with a learning rate of 0 nothing is learned")
                    .label("no weight ever changes"),
                false => Diagnostic::new(
                    codes::TRAIN_RATE,
                    at,
                    format!("a learning rate of {lr} is far above what `{}` trains with", optimizer.name),
                )
                .label("most likely diverges at the first steps"),
            };
            diags.push(d.help("common rates lie between 1e-4 and 1e-1: `adam(lr = 1e-3)`, `sgd(lr = 0.05)`"));
        }
    }
}
