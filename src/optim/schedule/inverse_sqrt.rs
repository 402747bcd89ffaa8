//! `inverse_sqrt(value = 1, per = epoch)`: value divided by the root of the step (or epoch).

use std::sync::Arc;

use super::{Clock, Curve, PER_EPOCH, Per, ScheduleDef, VALUE};
use crate::schema::CallDef;

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "inverse_sqrt",
        doc: "Value over the root of the epoch e (or step s), counted from 1: v / sqrt(e).",
        args: &[VALUE, PER_EPOCH],
    },
    check: |_| Ok(()),
    make: |args| Arc::new(InverseSqrt { value: args.float("value"), per: Per::of(args) }),
};

#[derive(Debug)]
struct InverseSqrt {
    value: f64,
    per: Per,
}

impl Curve for InverseSqrt {
    fn at(&self, clock: Clock) -> f64 {
        self.value / clock.count(self.per).sqrt()
    }
}
