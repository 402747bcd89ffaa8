//! `relu`: max(x, 0), with gradient 0 at 0.

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::{Arity, OpDef};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "relu", doc: "max(x, 0); its gradient at 0 is 0.", args: &[] },
    arity: Arity::One,
    make: |_, inputs| pointwise::make(Relu, inputs),
};

#[derive(Debug, Clone)]
struct Relu;

impl Curve for Relu {
    const NAME: &'static str = "relu";
    const FROM_OUTPUT: bool = true;

    fn value<T: Real>(&self, x: T) -> T {
        // Not `max`: a NaN must stay one.
        if x <= T::zero() { T::zero() } else { x }
    }

    fn slope<T: Real>(&self, _: T, y: T) -> T {
        if y <= T::zero() { T::zero() } else { T::one() }
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        // candle's `relu` has gradient 1 at 0.
        x.le(0.0)?.where_cond(&x.zeros_like()?, x)
    }
}
