//! `adam(lr, beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0)`

use candle_core::{Result, Tensor};

use super::host::Real;
use super::{LR, Moment, OptimizerDef, Refusal, Rule, weight_decay};
use crate::ops::kernel::simd::wide;
use crate::schema::{Args, AttrDef, CallDef, EPSILON, FRACTION, Need};

pub static DEF: OptimizerDef = OptimizerDef {
    call: CallDef {
        name: "adam",
        doc: "Adam (Kingma and Ba 2015), as PyTorch's: g += weight_decay w; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; \
              w -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) at a weight's t-th step.",
        args: &[LR, BETA1, BETA2, EPS, weight_decay("0", "L2 penalty, added to the gradient.")],
    },
    check: check_betas,
    make: |args| Box::new(Adam::new(args, false)),
};

pub(super) const BETA1: AttrDef = AttrDef {
    name: "beta1",
    ty: FRACTION,
    need: Need::Default("0.9"),
    doc: "Share of the gradient's running mean that is kept, below 1.",
};
pub(super) const BETA2: AttrDef = AttrDef {
    name: "beta2",
    ty: FRACTION,
    need: Need::Default("0.999"),
    doc: "Share of the squared gradient's running mean that is kept, below 1.",
};
pub(super) const EPS: AttrDef = AttrDef {
    name: "eps",
    ty: EPSILON,
    need: Need::Default("1e-8"),
    doc: "Added to the denominator, so that it is never 0.",
};

pub(super) fn check_betas(args: &Args) -> std::result::Result<(), Refusal> {
    for name in ["beta1", "beta2"] {
        if args.float(name) >= 1.0 {
            return Err(Refusal::new(name, "must be below 1"));
        }
    }
    Ok(())
}

/// Adam and AdamW: they differ in where weight decay enters.
#[derive(Debug)]
pub(super) struct Adam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    weight_decay: f64,
    /// Decay shrinks the weight itself instead of entering the gradient.
    decoupled: bool,
}

/// Factors of one step, fixed before the pass.
struct Factors {
    /// lr / (1 - b1^t)
    rate: f64,
    /// sqrt(1 - b2^t)
    root: f64,
    /// Factor on the weight: 1 - lr weight_decay if decoupled.
    shrink: f64,
    /// Factor on the weight inside the gradient.
    l2: f64,
}

impl Adam {
    pub fn new(args: &Args, decoupled: bool) -> Adam {
        Adam {
            beta1: args.float("beta1"),
            beta2: args.float("beta2"),
            eps: args.float("eps"),
            weight_decay: args.float("weight_decay"),
            decoupled,
        }
    }

    fn factors(&self, at: Moment) -> Factors {
        let t = at.step as f64;
        let (shrink, l2) =
            if self.decoupled { (1.0 - at.lr * self.weight_decay, 0.0) } else { (1.0, self.weight_decay) };
        Factors { rate: at.lr / (1.0 - self.beta1.powf(t)), root: (1.0 - self.beta2.powf(t)).sqrt(), shrink, l2 }
    }

    fn host<T: Real>(&self, at: Moment, weight: &mut [T], grad: &[T], [mean, square]: [&mut [T]; 2]) {
        let f = self.factors(at);
        let [rate, root, shrink, l2, scale] = [f.rate, f.root, f.shrink, f.l2, at.scale].map(T::from_f64);
        let [b1, b2, c1, c2, eps] =
            [self.beta1, self.beta2, 1.0 - self.beta1, 1.0 - self.beta2, self.eps].map(T::from_f64);
        pass(weight, grad, mean, square, [rate, root, shrink, l2, scale], [b1, b2, c1, c2, eps]);
    }
}

wide! {
    fn pass[T: Real](
        weight: &mut [T],
        grad: &[T],
        mean: &mut [T],
        square: &mut [T],
        step: [T; 5],
        constants: [T; 5],
    ) {
        let ([rate, root, shrink, l2, scale], [b1, b2, c1, c2, eps]) = (step, constants);
        for (((w, g), m), v) in weight.iter_mut().zip(grad).zip(mean).zip(square) {
            let g = *g * scale + l2 * *w;
            *m = b1 * *m + c1 * g;
            *v = b2 * *v + c2 * g * g;
            *w = shrink * *w - rate * *m / (v.root() / root + eps);
        }
    }
}

impl Rule for Adam {
    fn slots(&self) -> &'static [&'static str] {
        &["mean", "square"]
    }

    fn f32(&self, at: Moment, weight: &mut [f32], grad: &[f32], slots: [&mut [f32]; 2]) {
        self.host(at, weight, grad, slots);
    }

    fn f64(&self, at: Moment, weight: &mut [f64], grad: &[f64], slots: [&mut [f64]; 2]) {
        self.host(at, weight, grad, slots);
    }

    fn rests(&self) -> bool {
        self.weight_decay == 0.0
    }

    #[cfg(feature = "cuda")]
    fn cuda(&self, at: Moment) -> super::cuda::Update {
        let f = self.factors(at);
        let (b1, b2) = (self.beta1, self.beta2);
        let factors = [f.rate, f.root, f.shrink, f.l2, b1, b2, 1.0 - b1, 1.0 - b2, self.eps].map(|v| v as f32).to_vec();
        super::cuda::Update { kernel: "adam", factors }
    }

    fn tensors(&self, at: Moment, weight: &Tensor, grad: &Tensor, slots: &mut [Tensor]) -> Result<Tensor> {
        let f = self.factors(at);
        let g = if f.l2 != 0.0 { (grad + weight.affine(f.l2, 0.0)?)? } else { grad.clone() };
        slots[0] = (slots[0].affine(self.beta1, 0.0)? + g.affine(1.0 - self.beta1, 0.0)?)?;
        slots[1] = (slots[1].affine(self.beta2, 0.0)? + g.sqr()?.affine(1.0 - self.beta2, 0.0)?)?;
        let step = slots[0].div(&slots[1].sqrt()?.affine(1.0 / f.root, self.eps)?)?;
        weight.affine(f.shrink, 0.0)? - step.affine(f.rate, 0.0)?
    }
}
