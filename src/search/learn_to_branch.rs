//! Learning to Branch (Guo, Lee, Ulbricht, ICML 2020).
//!
//! - **Parametrisation**: one categorical over parents per child. The paper does not say how its theta stays positive and
//!   normalised; here log theta = log softmax of free logits, which start at 0 (uniform, theta = 1/I).
//! - **Estimator**: straight-through Gumbel-softmax, one sample per child and batch: the forward pass takes the argmax of
//!   log theta + Gumbel noise (equation 4), the backward pass the softmax at the temperature (equation 5). Mixing features, so the
//!   gradient of a choice needs every parent's output (equation 6).
//! - **Procedure**: weights and choices are updated jointly on the training loss; the first `warmup` updates weights only; the
//!   result is the noise-free argmax (equation 7), pruned, and retrained from scratch.

use super::{Offer, StrategyDef};
use crate::hir::schema::{optimizers, schedules};
use crate::schema::{AttrDef, COUNT, CallDef, NON_NEGATIVE, Need, POSITIVE, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "learn_to_branch",
        doc: "Learning to Branch: a straight-through Gumbel-softmax over the parents of every child, trained jointly with the weights.",
        args: &[
            AttrDef {
                name: "epochs",
                ty: COUNT,
                need: Need::Default("30"),
                doc: "Passes over the training split, warm-up included. Paper: 30 (CelebA, Taskonomy), 500 (synthetic).",
            },
            AttrDef {
                name: "warmup",
                ty: Ty::Duration,
                need: Need::Default("2 epochs"),
                doc: "At the start choices are sampled and not updated, so that all weights receive equal gradient. Paper: 2 epochs, 50 (synthetic).",
            },
            AttrDef {
                name: "batch",
                ty: COUNT,
                need: Need::Default("64"),
                doc: "Samples per step. Paper: 64, 100 (synthetic).",
            },
            AttrDef {
                name: "temperature",
                ty: Ty::Call(schedules),
                need: Need::Default("inverse(10, per = epoch)"),
                doc: "Temperature of equation 5. Paper: 10 / epoch; synthetic 50 / sqrt(iteration).",
            },
            AttrDef {
                name: "weights",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-4, weight_decay = 1e-4)"),
                doc: "Optimiser of the weights. Paper: Adam.",
            },
            AttrDef {
                name: "choices",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-2)"),
                doc: "Optimiser of the choices' logits. Paper: Adam with a rate of its own (100 times the weights'); whether weight decay reaches the choices is not said: here it does not.",
            },
            AttrDef {
                name: "schedule",
                ty: Ty::Call(schedules),
                need: Need::Optional,
                doc: "Factor on both learning rates. Paper: x0.97 every 2.4 epochs (CelebA).",
            },
            AttrDef {
                name: "clip",
                ty: POSITIVE,
                need: Need::Optional,
                doc: "Largest global L2 norm of the weights' gradient; absent: no clipping, as published.",
            },
            AttrDef {
                name: "idle",
                ty: Ty::OneOf(&["advance", "freeze"]),
                need: Need::Default("advance"),
                doc: "Copies that no sampled path reaches: `advance` runs them all the same (batch-norm statistics move) and updates their weights with a zero gradient (moments and decay move), as published code does; `freeze` leaves them untouched.",
            },
            AttrDef {
                name: "size",
                ty: NON_NEGATIVE,
                need: Need::Default("0"),
                doc: "Weight of an expected-size term: the expected parameters of the sampled network, as a share of the all-shared one's, added to the loss. Not in the paper, which has no cost on size.",
            },
        ],
    },
    paper: "Guo et al. 2020, Learning to Branch for Multi-Task Learning",
    decides: &[Offer::Tree],
    requires: &[Offer::Tree],
    most_levels: None,
    budget: false,
    single: false,
    runs: true,
};
