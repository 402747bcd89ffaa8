//! `huber(delta = 1)`: squared near zero, absolute beyond.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align, by_component, pointwise};
use crate::objective::TaskKind;
use crate::ops::kernel::Real;
use crate::ops::kernel::loss::Curve;
use crate::schema::{Args, AttrDef, CallDef, Need, POSITIVE};

pub static DEF: LossDef = LossDef {
    call: CallDef {
        name: "huber",
        doc: "Huber loss of d = x - y: d^2 / 2 where |d| <= delta, delta (|d| - delta / 2) beyond.",
        args: &[AttrDef {
            name: "delta",
            ty: POSITIVE,
            need: Need::Default("1"),
            doc: "Error, in units of the label, from which the loss grows linearly (Huber 1964). If the label is standardised, `delta` is \
                  also divided by the standard deviation of the label.",
        }],
    },
    fits: |kind| matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals),
    default_for: |_| false,
    in_units: &["delta"],
    whole: false,
    each,
    fused: Some(fused),
};

/// l = c (d - c / 2) with c = clamp(d, -delta, delta) held constant, so the gradient is c itself.
fn each(args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output, labels, mask } = align(output, labels, mask)?;
    let d = (output - labels)?;
    let c = match by_component(args, "delta").as_slice() {
        [delta] => d.detach().clamp(-delta, *delta)?,
        all => {
            // The second dimension is that of the components.
            let mut shape = vec![1; d.rank()];
            shape[1] = all.len();
            let delta = Tensor::from_slice(all, shape, d.device())?.to_dtype(d.dtype())?;
            d.detach().broadcast_minimum(&delta)?.broadcast_maximum(&delta.neg()?)?
        }
    };
    Ok(Each { losses: (&c * (&d - c.affine(0.5, 0.0)?)?)?, mask })
}

fn fused(args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
    match by_component(args, "delta").as_slice() {
        [delta] => pointwise(Huber { delta: *delta }, output, labels, mask),
        _ => each(args, output, labels, mask)?.mean(),
    }
}

#[derive(Clone, Copy)]
struct Huber {
    delta: f64,
}

impl Curve for Huber {
    const NAME: &'static str = "huber";

    fn value<T: Real>(&self, x: T, y: T) -> T {
        let c = self.slope(x, y);
        c * ((x - y) - c * T::of(0.5))
    }

    fn slope<T: Real>(&self, x: T, y: T) -> T {
        let (d, most) = (x - y, T::of(self.delta));
        if d > most {
            most
        } else if d < T::zero() - most {
            T::zero() - most
        } else {
            d
        }
    }
}
