//! `step(rate, every, value = 1)`: stairs.

use std::sync::Arc;

use super::exponential::Exponential;
use super::{EVERY, RATE, ScheduleDef, VALUE, check_length};
use crate::schema::CallDef;

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "step",
        doc: "Stairs: value * rate^floor((s - 1) / every) at step s. `step(0.5, 15 epochs)` halves it on the first step of \
              epochs 16, 31, ...",
        args: &[RATE, EVERY, VALUE],
    },
    check: |args| check_length(args, "every"),
    make: |args| {
        Arc::new(Exponential {
            value: args.float("value"),
            rate: args.float("rate"),
            every: args.duration("every"),
            smooth: false,
        })
    },
};
