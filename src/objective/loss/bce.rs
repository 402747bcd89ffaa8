//! `bce(pos_weight)`: binary cross-entropy on logits.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align, pointwise};
use crate::objective::TaskKind;
use crate::ops::kernel::Real;
use crate::ops::kernel::loss::Curve;
use crate::schema::{Args, AttrDef, CallDef, Need, POSITIVE};

pub static DEF: LossDef = LossDef {
    call: CallDef {
        name: "bce",
        doc: "Binary cross-entropy of a logit x and a label y from 0 to 1: -w y log s(x) - (1 - y) log(1 - s(x)), s the \
              sigmoid.",
        args: &[AttrDef {
            name: "pos_weight",
            ty: POSITIVE,
            need: Need::Optional,
            doc: "Weight w of the positive term; absent means 1. Negatives over positives balances a rare label.",
        }],
    },
    fits: |kind| matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)),
    default_for: |kind| matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)),
    in_units: &[],
    each,
    fused: Some(|args, output, labels, mask| {
        let weight = args.opt_float("pos_weight").unwrap_or(1.0);
        pointwise(Logistic { weight }, output, labels, mask)
    }),
};

/// l = (1 - y) x + (1 + (w - 1) y) softplus(-x), with softplus(-x) = z + log(exp(-z) + exp(-x - z)) and z = max(-x, 0) held
/// constant: no exponential overflows, and the gradient is smooth at x = 0, where logits start when a head starts at zero.
fn each(args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output: x, labels: y, mask } = align(output, labels, mask)?;
    let minus_x = x.neg()?;
    let z = minus_x.detach().relu()?;
    let softplus = (((z.neg()?.exp()? + (&minus_x - &z)?.exp()?)?.log()?) + &z)?;
    let softplus = match args.opt_float("pos_weight") {
        Some(w) => (softplus * y.affine(w - 1.0, 1.0)?)?,
        None => softplus,
    };
    let losses = ((y.affine(-1.0, 1.0)? * &x)? + softplus)?;
    Ok(Each { losses, mask })
}

#[derive(Clone, Copy)]
struct Logistic {
    /// Of the positive term.
    weight: f64,
}

impl Curve for Logistic {
    const NAME: &'static str = "bce";

    fn value<T: Real>(&self, x: T, y: T) -> T {
        let one = T::one();
        let below = if x < T::zero() { T::zero() - x } else { T::zero() };
        let softplus = below + (T::zero() - x.abs()).exp().ln_1p();
        (one - y) * x + (one + T::of(self.weight - 1.0) * y) * softplus
    }

    /// (1 - y) - (1 + (w - 1) y) s(-x)
    fn slope<T: Real>(&self, x: T, y: T) -> T {
        let one = T::one();
        let e = (T::zero() - x.abs()).exp();
        let (small, large) = (e / (one + e), one / (one + e));
        (one - y) - (one + T::of(self.weight - 1.0) * y) * if x < T::zero() { large } else { small }
    }
}
