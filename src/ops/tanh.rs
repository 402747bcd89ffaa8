//! `tanh`: the hyperbolic tangent.

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::{Arity, OpDef};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "tanh", doc: "The hyperbolic tangent.", args: &[] },
    arity: Arity::One,
    make: |_, inputs| pointwise::make(Tanh, inputs),
};

#[derive(Debug, Clone)]
struct Tanh;

impl Curve for Tanh {
    const NAME: &'static str = "tanh";
    const FROM_OUTPUT: bool = true;

    fn value<T: Real>(&self, x: T) -> T {
        x.tanh()
    }

    fn slope<T: Real>(&self, _: T, y: T) -> T {
        T::one() - y * y
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        x.tanh()
    }
}
