//! `adamw(lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0.01)`

use super::adam::{Adam, BETA1, BETA2, EPS, check_betas};
use super::{LR, OptimizerDef, weight_decay};
use crate::schema::CallDef;

pub static DEF: OptimizerDef = OptimizerDef {
    call: CallDef {
        name: "adamw",
        doc: "Adam with decoupled weight decay (Loshchilov and Hutter 2019), as PyTorch's: w *= 1 - lr weight_decay before \
              Adam's step, and no penalty in the gradient.",
        args: &[
            LR,
            BETA1,
            BETA2,
            EPS,
            weight_decay("0.01", "Share of the weight, times the learning rate, that each step takes away."),
        ],
    },
    check: check_betas,
    make: |args| Box::new(Adam::new(args, true)),
};
