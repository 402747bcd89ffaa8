//! `sigmoid`: 1 / (1 + exp(-x)).

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::{Arity, OpDef};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "sigmoid", doc: "1 / (1 + exp(-x)).", args: &[] },
    arity: Arity::One,
    make: |_, inputs| pointwise::make(Sigmoid, inputs),
};

#[derive(Debug, Clone)]
struct Sigmoid;

impl Curve for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const FROM_OUTPUT: bool = true;

    fn value<T: Real>(&self, x: T) -> T {
        sigmoid(x)
    }

    fn slope<T: Real>(&self, _: T, y: T) -> T {
        y * (T::one() - y)
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        composed(x)
    }
}

/// Exact on both sides: the exponential never overflows.
pub(super) fn sigmoid<T: Real>(x: T) -> T {
    if x < T::zero() {
        let e = x.exp();
        e / (T::one() + e)
    } else {
        T::one() / (T::one() + (T::zero() - x).exp())
    }
}

/// Of candle ops, by way of tanh, whose gradient is never NaN far out.
pub(super) fn composed(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? * 0.5)? + 0.5
}
