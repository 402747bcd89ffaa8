//! Strategies whose definitions check and whose procedures are still to come. Each moves to a file of its own when it runs.

use super::{Offer, StrategyDef, fits_always};
use crate::hir::schema::{optimizers, schedules};
use crate::schema::{AttrDef, COUNT, CallDef, FRACTION, NON_NEGATIVE, Need, Ty};

const fn attr(name: &'static str, ty: Ty, need: Need, doc: &'static str) -> AttrDef {
    AttrDef { name, ty, need, doc }
}

const BATCH: AttrDef = attr("batch", COUNT, Need::Default("64"), "Samples per step.");
const WEIGHTS: AttrDef =
    attr("weights", Ty::Call(optimizers), Need::Default("adam(lr = 1e-3)"), "Optimiser of the weights.");
const CHOICES: AttrDef =
    attr("choices", Ty::Call(optimizers), Need::Default("adam(lr = 1e-2)"), "Optimiser of the choices.");
const SCHEDULE: AttrDef = attr("schedule", Ty::Call(schedules), Need::Optional, "Factor on the learning rates.");

const fn def(
    call: CallDef,
    paper: &'static str,
    decides: &'static [Offer],
    requires: &'static [Offer],
    budget: bool,
) -> StrategyDef {
    StrategyDef {
        call,
        paper,
        decides,
        requires,
        most_levels: None,
        whole: false,
        budget,
        single: false,
        one_shot: false,
        check: fits_always,
        procedure: None,
    }
}

pub static EXPECTED_COST: StrategyDef = def(
    CallDef {
        name: "expected_cost",
        doc: "BMTAS: a relaxed copy per task and level, with the expected cost in the loss.",
        args: &[
            attr("epochs", COUNT, Need::Default("160"), "Passes over the training split."),
            BATCH,
            attr(
                "temperature",
                Ty::Call(schedules),
                Need::Default("linear(5, 0.1)"),
                "Temperature of the relaxed categorical.",
            ),
            attr("lambda", NON_NEGATIVE, Need::Default("0.05"), "Weight of the expected cost."),
            attr("split", FRACTION, Need::Default("0.2"), "Share of the training split that choices are trained on."),
            WEIGHTS,
            CHOICES,
            SCHEDULE,
        ],
    },
    "Bruggemann et al. 2020, Automated Search for Resource-Efficient Branched Multi-Task Networks",
    &[Offer::Tree],
    &[Offer::Tree],
    false,
);
