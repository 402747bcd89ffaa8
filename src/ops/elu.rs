//! `elu`: x above 0, alpha (exp(x) - 1) elsewhere (Clevert et al. 2016).

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::{Arity, OpDef};
use crate::schema::{AttrDef, CallDef, NUMBER, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "elu",
        doc: "x above 0, `alpha * (exp(x) - 1)` elsewhere (Clevert et al. 2016).",
        args: &[AttrDef {
            name: "alpha",
            ty: NUMBER,
            need: Need::Default("1.0"),
            doc: "Minus the limit for x to minus infinity.",
        }],
    },
    arity: Arity::One,
    make: |args, inputs| pointwise::make(Elu { alpha: args.float("alpha") }, inputs),
};

#[derive(Debug, Clone)]
struct Elu {
    alpha: f64,
}

impl Curve for Elu {
    const NAME: &'static str = "elu";

    fn value<T: Real>(&self, x: T) -> T {
        if x > T::zero() { x } else { T::of(self.alpha) * x.exp_m1() }
    }

    fn slope<T: Real>(&self, x: T, y: T) -> T {
        if x > T::zero() { T::one() } else { y + T::of(self.alpha) }
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        x.elu(self.alpha)
    }
}
