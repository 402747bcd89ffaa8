//! `cosine`: angle between predicted and true vectors, pixel by pixel.

use candle_core::{Result, Tensor, bail};

use super::{Each, LossDef, align_mask, clean_labels, in_full_precision};
use crate::objective::TaskKind;
use crate::schema::{Args, CallDef};

/// Added to squared lengths: a zero vector has cosine 0 and a finite gradient.
const EPS: f64 = 1e-12;

pub static DEF: LossDef = LossDef {
    call: CallDef {
        name: "cosine",
        doc: "One minus the cosine between predicted and true vector, averaged over pixels. Lengths do not matter.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Normals),
    in_units: &[],
    whole: true,
    each,
    fused: None,
};

/// l = 1 - x . y / sqrt((|x|^2 + eps) (|y|^2 + eps)) over dimension 1. A per-label mask counts a pixel where all of its
/// components are labelled.
fn each(_: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let x = in_full_precision(output)?;
    if x.rank() < 2 {
        bail!("a cosine needs vectors along dimension 1, and the output is {:?}", x.shape())
    }
    let mask = align_mask(mask, x.shape())?;
    let y = clean_labels(labels, x.shape(), x.dtype(), mask.as_ref())?;
    let dot = (&x * &y)?.sum_keepdim(1)?;
    let lengths = (x.sqr()?.sum_keepdim(1)?.affine(1.0, EPS)? * y.sqr()?.sum_keepdim(1)?.affine(1.0, EPS)?)?;
    let losses = dot.div(&lengths.sqrt()?)?.affine(-1.0, 1.0)?;
    let mask = mask.map(|m| m.min_keepdim(1)).transpose()?;
    Ok(Each { losses, mask })
}
