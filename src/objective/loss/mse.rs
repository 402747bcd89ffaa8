//! `mse`: mean squared error.

use candle_core::{Result, Tensor};

use super::{Aligned, LossDef, align, masked_mean};
use crate::objective::TaskKind;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "mse", doc: "Mean squared error, (x - y)^2 averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Regression(_)),
    forward,
};

/// l = (x - y)^2; gradient 2 (x - y).
fn forward(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    masked_mean(&(output - labels)?.sqr()?, mask.as_ref())
}
