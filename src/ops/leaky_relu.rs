//! `leaky_relu`: x above 0, slope * x elsewhere (Maas et al. 2013).

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::{Arity, OpDef};
use crate::schema::{AttrDef, CallDef, NUMBER, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "leaky_relu",
        doc: "x above 0, `slope * x` elsewhere (Maas et al. 2013).",
        args: &[AttrDef {
            name: "slope",
            ty: NUMBER,
            need: Need::Default("0.01"),
            doc: "Slope below 0; PyTorch's default.",
        }],
    },
    arity: Arity::One,
    make: |args, inputs| pointwise::make(LeakyRelu { slope: args.float("slope") }, inputs),
};

#[derive(Debug, Clone)]
struct LeakyRelu {
    slope: f64,
}

impl Curve for LeakyRelu {
    const NAME: &'static str = "leaky_relu";

    fn value<T: Real>(&self, x: T) -> T {
        if x > T::zero() { x } else { x * T::of(self.slope) }
    }

    fn slope<T: Real>(&self, x: T, _: T) -> T {
        if x > T::zero() { T::one() } else { T::of(self.slope) }
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        x.gt(0.0)?.where_cond(x, &(x * self.slope)?)
    }
}
