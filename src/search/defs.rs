//! Strategies whose definitions check and whose procedures are still to come. Each moves to a file of its own when it runs.

use super::{Offer, StrategyDef, fits_always};
use crate::hir::schema::{optimizers, schedules};
use crate::schema::{AttrDef, COUNT, CallDef, FRACTION, NON_NEGATIVE, Need, POSITIVE, Ty};

const fn attr(name: &'static str, ty: Ty, need: Need, doc: &'static str) -> AttrDef {
    AttrDef { name, ty, need, doc }
}

const EPOCHS: AttrDef = attr("epochs", COUNT, Need::Default("30"), "Passes over the training split.");
const BATCH: AttrDef = attr("batch", COUNT, Need::Default("64"), "Samples per step.");
const WEIGHTS: AttrDef =
    attr("weights", Ty::Call(optimizers), Need::Default("adam(lr = 1e-3)"), "Optimiser of the weights.");
const CHOICES: AttrDef =
    attr("choices", Ty::Call(optimizers), Need::Default("adam(lr = 1e-2)"), "Optimiser of the choices.");
const SCHEDULE: AttrDef = attr("schedule", Ty::Call(schedules), Need::Optional, "Factor on the learning rates.");

static BASELINE: [CallDef; 2] = [
    CallDef {
        name: "moving_average",
        doc: "Exponential moving average of rewards.",
        args: &[attr("decay", FRACTION, Need::Default("0.9"), "Share of the old value.")],
    },
    CallDef { name: "none", doc: "No baseline.", args: &[] },
];
fn baselines() -> Vec<&'static CallDef> {
    BASELINE.iter().collect()
}

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
        budget,
        single: false,
        one_shot: false,
        check: fits_always,
        procedure: None,
    }
}

pub static REINFORCE: StrategyDef = def(
    CallDef {
        name: "reinforce",
        doc: "MTNAS: routes are sampled and reinforced by a validation reward, alternating with weight steps.",
        args: &[
            EPOCHS,
            attr("batch", COUNT, Need::Default("1024"), "Samples per step."),
            attr(
                "reward",
                Ty::OneOf(&["validation_auc", "validation_loss"]),
                Need::Default("validation_auc"),
                "What is reinforced.",
            ),
            attr("baseline", Ty::Call(baselines), Need::Default("moving_average(0.9)"), "Subtracted from the reward."),
            WEIGHTS,
            attr("choices", Ty::Call(optimizers), Need::Default("adam(lr = 1e-3)"), "Optimiser of the choices."),
            SCHEDULE,
        ],
    },
    "Chen et al. 2021, Boosting Share Routing for Multi-task Learning",
    &[Offer::Routes, Offer::Tree],
    &[],
    false,
);

pub static SNR: StrategyDef = def(
    CallDef {
        name: "snr",
        doc: "Sub-network routing: hard-concrete gates on connections with an L0 penalty.",
        args: &[
            EPOCHS,
            BATCH,
            attr("penalty", NON_NEGATIVE, Need::Default("1e-4"), "Weight of the L0 penalty."),
            attr("beta", POSITIVE, Need::Default("0.9"), "Temperature of the hard-concrete distribution."),
            WEIGHTS,
            CHOICES,
            SCHEDULE,
        ],
    },
    "Ma et al. 2019, SNR: Sub-Network Routing",
    &[Offer::Routes],
    &[Offer::Routes],
    false,
);

pub static DSELECT_K: StrategyDef = def(
    CallDef {
        name: "dselect_k",
        doc: "Differentiable selection of k sub-networks by smooth steps.",
        args: &[
            EPOCHS,
            BATCH,
            attr("k", COUNT, Need::Default("2"), "How many are selected."),
            attr("gamma", POSITIVE, Need::Default("1"), "Width of the smooth step."),
            attr("entropy", NON_NEGATIVE, Need::Default("1e-6"), "Weight of the entropy term."),
            WEIGHTS,
            CHOICES,
            SCHEDULE,
        ],
    },
    "Hazimeh et al. 2021, DSelect-k",
    &[Offer::Routes],
    &[Offer::Routes],
    false,
);

pub static FULL: StrategyDef = def(
    CallDef { name: "full", doc: "Every route taken: MMoE where heads mix all experts.", args: &[] },
    "Ma et al. 2018, MMoE",
    &[Offer::Routes],
    &[Offer::Routes],
    false,
);
