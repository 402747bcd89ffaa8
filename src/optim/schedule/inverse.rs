//! `inverse(value = 1, per = epoch)`: value divided by the epoch (or step).

use std::sync::Arc;

use super::{Clock, Curve, PER_EPOCH, Per, ScheduleDef, VALUE};
use crate::schema::CallDef;

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "inverse",
        doc: "Value over the epoch e (or step s), counted from 1: v / e.",
        args: &[VALUE, PER_EPOCH],
    },
    check: |_| Ok(()),
    make: |args| Arc::new(Inverse { value: args.float("value"), per: Per::of(args) }),
};

#[derive(Debug)]
struct Inverse {
    value: f64,
    per: Per,
}

impl Curve for Inverse {
    fn at(&self, clock: Clock) -> f64 {
        self.value / clock.count(self.per)
    }
}
