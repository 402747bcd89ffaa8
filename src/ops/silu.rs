//! `silu`: x sigmoid(x), also known as swish (Elfwing et al. 2018).

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::sigmoid::sigmoid;
use super::{Arity, OpDef};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "silu", doc: "x times sigmoid(x), also known as swish.", args: &[] },
    arity: Arity::One,
    make: |_, inputs| pointwise::make(Silu, inputs),
};

#[derive(Debug, Clone)]
struct Silu;

impl Curve for Silu {
    const NAME: &'static str = "silu";

    fn value<T: Real>(&self, x: T) -> T {
        x * sigmoid(x)
    }

    fn slope<T: Real>(&self, x: T, y: T) -> T {
        let s = sigmoid(x);
        s + y * (T::one() - s)
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        x.silu()
    }
}
