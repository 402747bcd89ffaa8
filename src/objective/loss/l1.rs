//! `l1`: mean absolute error.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align};
use crate::objective::TaskKind;
use crate::schema::{Args, CallDef};

pub static DEF: LossDef = LossDef {
    call: CallDef { name: "l1", doc: "Mean absolute error, |x - y| averaged over outputs.", args: &[] },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Depth),
    each,
};

/// l = d sign(d) with d = x - y and the sign held constant: the gradient is sign(d), 0 at d = 0.
fn each(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    let d = (output - labels)?;
    Ok(Each { losses: (d.detach().sign()? * &d)?, mask })
}
