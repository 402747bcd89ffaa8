//! `l1`: mean absolute error.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align, pointwise};
use crate::objective::TaskKind;
use crate::ops::kernel::Real;
use crate::ops::kernel::loss::Curve;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "l1", doc: "Mean absolute error, |x - y| averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Depth),
    in_units: &[],
    whole: false,
    each,
    fused: Some(|_, output, labels, mask| pointwise(Absolute, output, labels, mask)),
};

/// l = d sign(d) with d = x - y and the sign held constant: the gradient is sign(d), 0 at d = 0.
fn each(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    let d = (output - labels)?;
    Ok(Each { losses: (d.detach().sign()? * &d)?, mask })
}

#[derive(Clone, Copy)]
struct Absolute;

impl Curve for Absolute {
    const NAME: &'static str = "l1";

    fn value<T: Real>(&self, x: T, y: T) -> T {
        (x - y).abs()
    }

    fn slope<T: Real>(&self, x: T, y: T) -> T {
        let above = if x > y { T::one() } else { T::zero() };
        let below = if x < y { T::one() } else { T::zero() };
        above - below
    }
}
