//! `gelu`: x times the normal distribution function (Hendrycks and Gimpel 2016), exact, not the tanh approximation.

use std::f64::consts::FRAC_1_SQRT_2;

use candle_core::{Result, Tensor};

use super::kernel::Real;
use super::pointwise::{self, Curve};
use super::{Arity, OpDef};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "gelu",
        doc: "x times the standard normal distribution function, exact (Hendrycks and Gimpel 2016).",
        args: &[],
    },
    arity: Arity::One,
    make: |_, inputs| pointwise::make(Gelu, inputs),
};

/// 1 / sqrt(2 pi), the density at 0.
const FRAC_1_SQRT_2PI: f64 = 0.398_942_280_401_432_7;

#[derive(Debug, Clone)]
struct Gelu;

impl Curve for Gelu {
    const NAME: &'static str = "gelu";

    fn value<T: Real>(&self, x: T) -> T {
        x * normal(x)
    }

    fn slope<T: Real>(&self, x: T, _: T) -> T {
        normal(x) + x * T::of(FRAC_1_SQRT_2PI) * (x * x * T::of(-0.5)).exp()
    }

    fn composed(&self, x: &Tensor) -> Result<Tensor> {
        // candle's own `gelu_erf` has a gradient with constants of six digits.
        x * (((x * FRAC_1_SQRT_2)?.erf()? + 1.0)? * 0.5)?
    }
}

fn normal<T: Real>(x: T) -> T {
    T::of(0.5) * (T::one() + (x * T::of(FRAC_1_SQRT_2)).erf())
}
