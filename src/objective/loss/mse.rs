//! `mse`: mean squared error.

use candle_core::{Result, Tensor};

use super::{LossDef, pointwise};
use crate::objective::TaskKind;
use crate::ops::kernel::Real;
use crate::ops::kernel::loss::Curve;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "mse", doc: "Mean squared error, (x - y)^2 averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Regression(_)),
    forward,
};

/// l = (x - y)^2; gradient 2 (x - y).
fn forward(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    pointwise(Square, output, labels, mask, |x, y| (x - y)?.sqr())
}

#[derive(Clone, Copy)]
struct Square;

impl Curve for Square {
    const NAME: &'static str = "mse";

    fn value<T: Real>(&self, x: T, y: T) -> T {
        (x - y) * (x - y)
    }

    fn slope<T: Real>(&self, x: T, y: T) -> T {
        T::of(2.0) * (x - y)
    }
}
