//! Heads that yield probabilities rather than logits: `loss = bce(from = probabilities)`. A product of the probabilities of two networks
//! (ESMM, Ma et al. 2018), for example, has no logits.

use std::borrow::Cow;

use super::TaskKind;
use crate::schema::{Args, AttrDef, Call, Need, Ty};

/// `from`, an argument of losses that take logits by default.
pub const FROM: AttrDef = AttrDef {
    name: "from",
    ty: Ty::OneOf(&["logits", "probabilities"]),
    need: Need::Default("logits"),
    doc: "What the head yields: logits, or probabilities (for a head that ends in `sigmoid`, `softmax`, or a product of probabilities). \
          Logarithms of probabilities are clamped at -100, and metrics and predictions use probabilities directly.",
};

/// The lower bound of the logarithm of a probability, as in PyTorch.
pub const LEAST_LOG: f64 = -100.0;

/// The lower bound of denominators, as in PyTorch, which keeps gradients finite at 0 and 1.
pub const LEAST: f64 = 1e-12;

/// Whether the head of a task yields probabilities, according to its loss.
pub fn from_probabilities(loss: &Call) -> bool {
    are_probabilities(&loss.args)
}

/// Like [`from_probabilities`], for the arguments of a loss.
pub fn are_probabilities(loss: &Args) -> bool {
    loss.get(FROM.name).is_some() && loss.str(FROM.name) == "probabilities"
}

/// ln p, but at least [`LEAST_LOG`].
pub fn log(p: f64) -> f64 {
    p.ln().max(LEAST_LOG)
}

/// The outputs of a task's head as logits, which metrics take. Probabilities are converted by the inverse of sigmoid or softmax.
pub fn as_logits<'o>(loss: &Call, kind: TaskKind, outputs: &'o [f32]) -> Cow<'o, [f32]> {
    if !from_probabilities(loss) {
        return Cow::Borrowed(outputs);
    }
    let logit = |p: &f32| {
        let p = f64::from(*p);
        // NaN stays NaN and is reported by the metrics.
        let value = match kind {
            TaskKind::Classes(_) | TaskKind::Segmentation(_) => log(p),
            _ => log(p) - log(1.0 - p),
        };
        if p.is_nan() { f32::NAN } else { value as f32 }
    };
    Cow::Owned(outputs.iter().map(logit).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span, Spanned};

    fn loss(name: &'static str, from: &str) -> Call {
        let mut args = Args::default();
        let value = crate::schema::Value::Name(vec![from.into()]);
        args.set("from", Spanned { value, span: Span::new(FileId(0), 0, 0) }, true);
        Call { name, args }
    }

    #[test]
    fn probabilities_become_the_logits_that_they_are_of() {
        let bce = loss("bce", "probabilities");
        let x = as_logits(&bce, TaskKind::Binary, &[0.5, 0.0, 1.0, 0.75]);
        assert_eq!(&x[..3], [0.0, -100.0, 100.0]);
        assert!((x[3] - 3f32.ln()).abs() < 1e-6);
        let classes = loss("cross_entropy", "probabilities");
        let x = as_logits(&classes, TaskKind::Classes(Some(2)), &[0.25, 0.75, 0.0, 1.0]);
        assert!((x[1] - x[0] - 3f32.ln()).abs() < 1e-6);
        assert_eq!(&x[2..], [-100.0, 0.0]);
        assert!(as_logits(&bce, TaskKind::Binary, &[f32::NAN])[0].is_nan());
        assert_eq!(as_logits(&loss("bce", "logits"), TaskKind::Binary, &[0.25])[0], 0.25);
    }
}
