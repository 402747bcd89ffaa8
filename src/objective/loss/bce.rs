//! `bce(pos_weight, from = logits)`: binary cross-entropy on logits, or on probabilities.

use candle_core::{Result, Tensor};

use super::{Aligned, Each, LossDef, align, pointwise};
use crate::objective::TaskKind;
use crate::objective::probabilities::{FROM, LEAST, LEAST_LOG, are_probabilities, log};
use crate::ops::kernel::Real;
use crate::ops::kernel::loss::Curve;
use crate::schema::{Args, AttrDef, CallDef, Need, POSITIVE};

pub static DEF: LossDef = LossDef {
    call: CallDef {
        name: "bce",
        doc: "Binary cross-entropy of a logit x and a label y from 0 to 1: -w y log s(x) - (1 - y) log(1 - s(x)), s the \
              sigmoid.",
        args: &[
            AttrDef {
                name: "pos_weight",
                ty: POSITIVE,
                need: Need::Optional,
                doc: "Weight w of the positive term; absent means 1. The ratio of negatives to positives balances a rare label.",
            },
            FROM,
        ],
    },
    fits: |kind| matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)),
    default_for: |kind| matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)),
    in_units: &[],
    whole: false,
    each,
    fused: Some(|args, output, labels, mask| {
        let weight = args.opt_float("pos_weight").unwrap_or(1.0);
        match are_probabilities(args) {
            true => pointwise(Probable { weight }, output, labels, mask),
            false => pointwise(Logistic { weight }, output, labels, mask),
        }
    }),
};

/// l = (1 - y) x + (1 + (w - 1) y) softplus(-x), with softplus(-x) = z + log(exp(-z) + exp(-x - z)) and z = max(-x, 0) held
/// constant: no exponential overflows, and the gradient is smooth at x = 0, where logits start when a head starts at zero.
fn each(args: &Args, output: &Tensor, labels: &Tensor, mask: Option<&Tensor>) -> Result<Each> {
    let Aligned { output: x, labels: y, mask } = align(output, labels, mask)?;
    if are_probabilities(args) {
        return Ok(Each { losses: each_of_probabilities(args, &x, &y)?, mask });
    }
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
    /// The weight of the positive term.
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

/// l = -w y log p - (1 - y) log(1 - p). Its gradient is the slope, treated as a constant, times the gradient of p; it is finite everywhere.
fn each_of_probabilities(args: &Args, x: &Tensor, y: &Tensor) -> Result<Tensor> {
    let weight = args.opt_float("pos_weight").unwrap_or(1.0);
    let p = x.detach();
    let q = p.affine(-1.0, 1.0)?;
    let (positive, negative) = ((y * weight)?, y.affine(-1.0, 1.0)?);
    let logs = |p: &Tensor| p.log()?.maximum(LEAST_LOG);
    let value = ((&positive * logs(&p)?)? + (&negative * logs(&q)?)?)?.neg()?;
    let slope = ((&negative * &p)? - (&positive * &q)?)?.div(&(&p * &q)?.maximum(LEAST)?)?;
    value + (slope * (x - &p)?)?
}

/// Binary cross-entropy of a probability.
#[derive(Clone, Copy)]
struct Probable {
    /// The weight of the positive term.
    weight: f64,
}

impl Curve for Probable {
    const NAME: &'static str = "bce_of_probabilities";

    fn value<T: Real>(&self, x: T, y: T) -> T {
        let (p, y) = (x.to_f64(), y.to_f64());
        T::of(-(self.weight * y * log(p) + (1.0 - y) * log((T::one() - x).to_f64())))
    }

    /// ((1 - y) p - w y (1 - p)) / (p (1 - p))
    fn slope<T: Real>(&self, x: T, y: T) -> T {
        let (p, q, y) = (x.to_f64(), (T::one() - x).to_f64(), y.to_f64());
        T::of(((1.0 - y) * p - self.weight * y * q) / (p * q).max(LEAST))
    }
}
