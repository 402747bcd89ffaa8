//! `constant(value = 1)`: the same value throughout.

use std::sync::Arc;

use super::{Clock, Curve, ScheduleDef, VALUE};
use crate::schema::CallDef;

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef { name: "constant", doc: "The same value throughout.", args: &[VALUE] },
    check: |_| Ok(()),
    make: |args| Arc::new(Constant(args.float("value"))),
};

#[derive(Debug)]
pub(super) struct Constant(pub f64);

impl Curve for Constant {
    fn at(&self, _: Clock) -> f64 {
        self.0
    }
}
