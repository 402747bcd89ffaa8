//! Losses, one file each: name, docs, which kinds of task they fit, and the value with its gradient.
//!
//! Adding a loss: a file here with a `pub static DEF: LossDef`, and a line in [`losses`].
//!
//! **Shapes.** An output is `[batch, n]`, or `[batch, n, h, w]` for dense kinds. Labels hold one number per output (same
//! number of elements), or one class index per sample or pixel. A mask is 1 where a label counts and 0 where it is missing:
//! one number per sample (`[batch]`, `[batch, 1]`), per pixel (`[batch, h, w]`, `[batch, 1, h, w]`) or per label.
//!
//! **Value.** With l the loss of one label and m its mask, L = sum(m l) / max(sum(m), 1): the mean over what is labelled,
//! and 0 with zero gradient where nothing is. Labels under a 0 of the mask are never read, so they may be NaN.

mod bce;
mod cosine;
mod cross_entropy;
mod huber;
mod l1;
mod mse;

use candle_core::{DType, Result, Shape, Tensor, bail};

use super::TaskKind;
use crate::ops::kernel::loss::{Curve, Pointwise};
use crate::ops::kernel::{apply2, apply3};
use crate::ops::path::own_kernel;
use crate::schema::{Args, CallDef, Value};
use crate::source::{FileId, Span, Spanned};

/// `(arguments, output, labels, mask)` to a scalar.
pub type Fused = fn(&Args, &Tensor, &Tensor, Option<&Tensor>) -> Result<Tensor>;

/// An entry of the table of losses.
pub struct LossDef {
    pub call: CallDef,
    /// Kinds of task that it may be written for.
    pub fits: fn(TaskKind) -> bool,
    /// Kinds of task that have it when none is written; exactly one loss per kind.
    pub default_for: fn(TaskKind) -> bool,
    /// Arguments that are measured in the label's units ([`LossDef::rescaled`]).
    pub in_units: &'static [&'static str],
    /// Whether all components of a label (of a pixel or a sample) have one loss together rather than one loss each.
    pub whole: bool,
    /// `(arguments, output, labels, mask)` to the loss of every label, in the output's dtype (f32 for half precision). Only the
    /// output gets a gradient.
    pub each: fn(&Args, &Tensor, &Tensor, Option<&Tensor>) -> Result<Each>,
    /// The value in one pass, where a kernel of ours knows it.
    pub fused: Option<Fused>,
}

impl LossDef {
    /// The value, a scalar.
    pub fn forward(&self, args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        match self.fused {
            Some(fused) if own_kernel(output) => fused(args, output, labels, mask),
            _ => (self.each)(args, output, labels, mask)?.mean(),
        }
    }

    /// The arguments for labels that were divided by `scale`, which has one number per component. Arguments in the label's units are
    /// divided as well, and become a list if components differ ([`by_component`]).
    pub fn rescaled(&self, args: &Args, scale: &[f64]) -> Args {
        let mut out = args.clone();
        for name in self.in_units {
            let all: Vec<f64> = scale.iter().map(|s| args.float(name) / s).collect();
            let span = args.span(name).unwrap_or(Span::new(FileId(0), 0, 0));
            let of = |v: f64| Spanned { value: Value::Float(v), span };
            let value = match all.as_slice() {
                [] => continue,
                [first, rest @ ..] if rest.iter().all(|v| v == first) => of(*first),
                _ => Spanned { value: Value::List(all.iter().map(|v| of(*v)).collect()), span },
            };
            out.set(name, value, args.is_given(name));
        }
        out
    }

    /// What each sample adds to the value, `[batch]`: the sum of its m l over the same max(sum(m), 1).
    pub fn by_sample(&self, args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        (self.each)(args, output, labels, mask)?.by_sample()
    }
}

/// The number of labels of a batch that count; its loss is the mean over them. Of the `size` numbers per row, every `together` components
/// are one label. The mask has one number per row, per pixel or per component.
pub fn labelled(mask: Option<&[f32]>, rows: usize, size: usize, together: usize) -> f64 {
    let labels = rows * size / together.max(1);
    let Some(mask) = mask else { return labels as f64 };
    if mask.is_empty() {
        return 0.0;
    }
    if together > 1 && mask.len() == rows * size {
        let pixels = size / together;
        let all = |row: usize, pixel: usize| (0..together).all(|c| mask[row * size + c * pixels + pixel] != 0.0);
        return (0..rows).map(|r| (0..pixels).filter(|p| all(r, *p)).count()).sum::<usize>() as f64;
    }
    let counted = mask.iter().filter(|m| **m != 0.0).count();
    counted as f64 * labels as f64 / mask.len() as f64
}

/// The losses of single labels, `[batch, ...]`, and which of them count.
pub struct Each {
    losses: Tensor,
    /// 0 or 1 (u8), of the losses' shape.
    mask: Option<Tensor>,
}

impl Each {
    /// The losses that count, 0 for the others, and max(sum(m), 1) where there is a mask.
    fn counted(&self) -> Result<(Tensor, Option<Tensor>)> {
        match &self.mask {
            Some(mask) => {
                let count = mask.to_dtype(self.losses.dtype())?.sum_all()?.maximum(1f64)?;
                Ok((mask.where_cond(&self.losses, &self.losses.zeros_like()?)?, Some(count)))
            }
            None => Ok((self.losses.clone(), None)),
        }
    }

    /// sum(m l) / max(sum(m), 1) over all labels.
    fn mean(&self) -> Result<Tensor> {
        match self.counted()? {
            (losses, Some(count)) => losses.sum_all()?.div(&count),
            (losses, None) if losses.elem_count() == 0 => losses.sum_all(),
            (losses, None) => losses.mean_all(),
        }
    }

    fn by_sample(&self) -> Result<Tensor> {
        let (losses, count) = self.counted()?;
        let (rows, all) = (losses.dim(0)?, losses.elem_count());
        let sums = if all == rows { losses.reshape(rows)? } else { losses.flatten_from(1)?.sum(1)? };
        match count {
            Some(count) => sums.broadcast_div(&count),
            None => sums.affine(1.0 / all.max(1) as f64, 0.0),
        }
    }
}

static TABLE: &[&LossDef] = &[&bce::DEF, &cross_entropy::DEF, &mse::DEF, &l1::DEF, &huber::DEF, &cosine::DEF];

/// All losses, in the order of the reference.
pub fn losses() -> &'static [&'static LossDef] {
    TABLE
}

pub fn find_loss(name: &str) -> Option<&'static LossDef> {
    losses().iter().copied().find(|d| d.call.name == name)
}

/// The loss of a task that names none.
pub fn default_loss(kind: TaskKind) -> &'static LossDef {
    losses().iter().copied().find(|d| (d.default_for)(kind)).expect("every kind has a default loss")
}

/// For `Ty::Call`.
pub fn loss_calls() -> Vec<&'static CallDef> {
    losses().iter().map(|d| &d.call).collect()
}

/// Output, labels and mask of one shape.
struct Aligned {
    output: Tensor,
    labels: Tensor,
    mask: Option<Tensor>,
}

/// For losses with one label per output.
fn align(output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Aligned> {
    let output = in_full_precision(output)?;
    let mask = align_mask(mask, output.shape())?;
    let labels = clean_labels(labels, output.shape(), output.dtype(), mask.as_ref())?;
    Ok(Aligned { output, labels, mask })
}

/// An argument in the label's units: a list with one number for all components, or with one number per component.
fn by_component(args: &Args, name: &str) -> Vec<f64> {
    match args.get(name) {
        Some(Value::List(items)) => {
            let number = |v: &Spanned<Value>| match v.value {
                Value::Float(v) => Some(v),
                _ => None,
            };
            items.iter().filter_map(number).collect()
        }
        _ => vec![args.float(name)],
    }
}

/// Half precision is summed in f32.
fn in_full_precision(output: &Tensor) -> Result<Tensor> {
    match output.dtype() {
        DType::F32 | DType::F64 => Ok(output.clone()),
        _ => output.to_dtype(DType::F32),
    }
}

/// The mask as 0 and 1 (u8) in the shape of the labels' losses.
fn align_mask(mask: Option<&Tensor>, shape: &Shape) -> Result<Option<Tensor>> {
    let Some(mask) = mask else { return Ok(None) };
    let mut dims = vec![1; shape.rank()];
    dims[0] = shape.dims()[0];
    let pixels: usize = shape.dims().iter().skip(2).product();
    let mask = if mask.elem_count() == shape.elem_count() {
        mask.reshape(shape)?
    } else if mask.elem_count() == dims[0] {
        mask.reshape(dims)?
    } else if mask.elem_count() == dims[0] * pixels {
        dims[2..].copy_from_slice(&shape.dims()[2..]);
        mask.reshape(dims)?
    } else {
        bail!("a mask of {:?} does not fit labels of {shape:?}", mask.shape())
    };
    Ok(Some(mask.detach().ne(0f64)?.broadcast_as(shape)?.contiguous()?))
}

/// Labels in the losses' shape and dtype, 0 where masked.
fn clean_labels(labels: &Tensor, shape: &Shape, dtype: DType, mask: Option<&Tensor>) -> Result<Tensor> {
    if labels.elem_count() != shape.elem_count() {
        bail!("labels of {:?} do not fit an output of {shape:?}", labels.shape())
    }
    let labels = labels.detach().reshape(shape)?.to_dtype(dtype)?;
    match mask {
        Some(mask) => mask.where_cond(&labels, &labels.zeros_like()?),
        None => Ok(labels),
    }
}

/// The mean of a curve over the labels that count, by its kernel.
fn pointwise<C: Curve>(curve: C, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    match mask {
        None => apply2(Pointwise(curve), &output, &labels),
        Some(mask) => apply3(Pointwise(curve), &output, &labels, &mask.to_dtype(output.dtype())?),
    }
}
