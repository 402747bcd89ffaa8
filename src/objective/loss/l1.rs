//! `l1`: mean absolute error.

use candle_core::{Result, Tensor};

use super::{Aligned, LossDef, align, masked_mean};
use crate::objective::TaskKind;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "l1", doc: "Mean absolute error, |x - y| averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Depth),
    forward,
};

/// l = d sign(d) with d = x - y and the sign held constant: the gradient is sign(d), 0 at d = 0.
fn forward(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    let d = (output - labels)?;
    masked_mean(&(d.detach().sign()? * &d)?, mask.as_ref())
}
