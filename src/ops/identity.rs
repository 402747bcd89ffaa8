//! `identity`: the value itself, columns included.

use super::{Arity, OpDef};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "identity", doc: "The value itself: a stage or head that adds nothing.", args: &[] },
    arity: Arity::One,
    make: |_, _| Ok(Vec::new()),
};
