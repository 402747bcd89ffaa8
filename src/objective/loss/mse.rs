//! `mse`: mean squared error.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align, pointwise};
use crate::objective::TaskKind;
use crate::ops::kernel::Real;
use crate::ops::kernel::loss::Curve;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "mse", doc: "Mean squared error, (x - y)^2 averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Regression(_)),
    in_units: &[],
    whole: false,
    each,
    fused: Some(|_, output, labels, mask| pointwise(Square, output, labels, mask)),
};

/// l = (x - y)^2; gradient 2 (x - y).
fn each(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    Ok(Each { losses: (output - labels)?.sqr()?, mask })
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
