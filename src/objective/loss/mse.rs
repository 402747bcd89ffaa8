//! `mse`: mean squared error.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align};
use crate::objective::TaskKind;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "mse", doc: "Mean squared error, (x - y)^2 averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Regression(_)),
    each,
};

/// l = (x - y)^2; gradient 2 (x - y).
fn each(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    Ok(Each { losses: (output - labels)?.sqr()?, mask })
}
