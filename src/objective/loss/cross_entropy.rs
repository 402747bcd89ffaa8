//! `cross_entropy(label_smoothing = 0, from = logits)`: cross-entropy on logits or on probabilities, per sample or per pixel.

use candle_core::{DType, Result, Tensor, bail};

use super::{Each, LossDef, align_mask, clean_labels, in_full_precision};
use crate::objective::TaskKind;
use crate::objective::probabilities::{FROM, LEAST, LEAST_LOG, are_probabilities};
use crate::ops::kernel::loss::CrossEntropy;
use crate::ops::kernel::{apply2, apply3};
use crate::schema::{Args, AttrDef, CallDef, FRACTION, Need};

pub static DEF: LossDef = LossDef {
    call: CallDef {
        name: "cross_entropy",
        doc: "Cross-entropy of the softmax of n logits and a class index: -(1 - e) log p[label] - e / n sum(log p).",
        args: &[
            AttrDef {
                name: "label_smoothing",
                ty: FRACTION,
                need: Need::Default("0"),
                doc: "Fraction e of the target that is spread evenly over all classes (Szegedy et al. 2016).",
            },
            FROM,
        ],
    },
    fits: |kind| matches!(kind, TaskKind::Classes(_) | TaskKind::Segmentation(_)),
    default_for: |kind| matches!(kind, TaskKind::Classes(_) | TaskKind::Segmentation(_)),
    in_units: &[],
    whole: false,
    each,
    fused: Some(fused),
};

/// Logits `[batch, n]` or `[batch, n, h, w]`; one class index from 0 per sample or pixel, as a whole f32.
fn each(args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let x = in_full_precision(output)?;
    let classes = x.dim(1)?;
    let mut dims = x.dims().to_vec();
    dims[1] = 1;
    let shape = dims.into();
    let mask = align_mask(mask, &shape)?;
    let labels = clean_labels(labels, &shape, DType::F32, mask.as_ref())?;
    let (index, wrong) = class_index(&labels, classes)?;

    let smoothing = args.float("label_smoothing");
    let mut losses = match are_probabilities(args) {
        true => each_of_probabilities(smoothing, &x, &index)?,
        false => each_of_logits(smoothing, &x, &index)?,
    };
    if let Some(wrong) = wrong {
        losses = wrong.where_cond(&losses.affine(0.0, f64::NAN)?, &losses)?;
    }
    Ok(Each { losses, mask })
}

fn each_of_logits(smoothing: f64, x: &Tensor, index: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.detach().max_keepdim(1)?)?;
    let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(1)?.log()?)?;
    let losses = log_p.gather(index, 1)?.neg()?;
    if smoothing > 0.0 {
        return losses.affine(1.0 - smoothing, 0.0)? - log_p.mean_keepdim(1)?.affine(smoothing, 0.0)?;
    }
    Ok(losses)
}

/// -(1 - e) log p[label] - e / n sum(log p). Its gradient is the slope, treated as a constant, times the gradient of p, and finite at 0.
fn each_of_probabilities(smoothing: f64, x: &Tensor, index: &Tensor) -> Result<Tensor> {
    let classes = x.dim(1)? as f64;
    let p = x.detach();
    let logs = p.log()?.maximum(LEAST_LOG)?;
    let (moved, over) = ((x - &p)?, p.maximum(LEAST)?.recip()?);
    // The term of the label's class, then the sum over all classes.
    let own = (logs.gather(index, 1)? + (over.gather(index, 1)? * moved.gather(index, 1)?)?)?;
    let mut losses = own.affine(smoothing - 1.0, 0.0)?;
    if smoothing > 0.0 {
        let all = (logs + (over * moved)?)?.sum_keepdim(1)?;
        losses = (losses - all.affine(smoothing / classes, 0.0)?)?;
    }
    Ok(losses)
}

/// The mean, computed by the fused kernel, which takes logits.
fn fused(args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    if are_probabilities(args) {
        return each(args, output, labels, mask)?.mean();
    }
    let mut dims = output.dims().to_vec();
    dims[1] = 1;
    let shape = dims.into();
    let kernel = CrossEntropy { smoothing: args.float("label_smoothing") };
    let labels = clean_labels(labels, &shape, output.dtype(), None)?;
    match align_mask(mask, &shape)? {
        None => apply2(kernel, output, &labels),
        Some(mask) => apply3(kernel, output, &labels, &mask.to_dtype(output.dtype())?),
    }
}

/// Class indices. They are checked on the CPU. On other devices, a check would wait for the queue, so indices are clamped for the lookup;
/// if that changes one (which the encoding of labels excludes), the loss becomes NaN, so that training stops.
fn class_index(labels: &Tensor, classes: usize) -> Result<(Tensor, Option<Tensor>)> {
    if labels.device().is_cpu() {
        let wrong = |l: &f32| !(l.fract() == 0.0 && *l >= 0.0 && (*l as usize) < classes);
        if let Some(label) = labels.flatten_all()?.to_vec1::<f32>()?.into_iter().find(wrong) {
            bail!("label {label} is not one of {classes} classes, counted from 0; a missing label needs a mask")
        }
        Ok((labels.to_dtype(DType::U32)?, None))
    } else {
        let last = classes.saturating_sub(1) as f64;
        let index = labels.clamp(0f64, last)?.to_dtype(DType::U32)?;
        let wrong = index.to_dtype(labels.dtype())?.ne(labels)?;
        Ok((index, Some(wrong)))
    }
}
