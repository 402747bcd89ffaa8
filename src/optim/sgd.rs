//! `sgd(lr, momentum = 0, weight_decay = 0, nesterov = false, dampening = 0)`

use candle_core::{Result, Tensor};

use super::host::Real;
use super::{LR, Moment, OptimizerDef, Refusal, Rule, weight_decay};
use crate::ops::kernel::simd::wide;
use crate::schema::{AttrDef, CallDef, FRACTION, Need, Ty};

pub static DEF: OptimizerDef = OptimizerDef {
    call: CallDef {
        name: "sgd",
        doc: "Stochastic gradient descent, as PyTorch's: g += weight_decay w; m = momentum m + (1 - dampening) g, m = g at \
              the first step; w -= lr m, or lr (g + momentum m) with `nesterov`.",
        args: &[
            LR,
            AttrDef { name: "momentum", ty: FRACTION, need: Need::Default("0"), doc: "Share of m that is kept." },
            weight_decay("0", "L2 penalty, added to the gradient."),
            AttrDef {
                name: "nesterov",
                ty: Ty::Bool,
                need: Need::Default("false"),
                doc: "Whether the step looks ahead (Sutskever et al. 2013). Needs a momentum, and no dampening.",
            },
            AttrDef {
                name: "dampening",
                ty: FRACTION,
                need: Need::Default("0"),
                doc: "Share of the gradient that does not enter the momentum.",
            },
        ],
    },
    check: |args| {
        if args.bool("nesterov") && args.float("momentum") == 0.0 {
            return Err(Refusal::new("nesterov", "needs a momentum above 0"));
        }
        if args.bool("nesterov") && args.float("dampening") != 0.0 {
            return Err(Refusal::new("nesterov", "takes no dampening"));
        }
        Ok(())
    },
    make: |args| {
        Box::new(Sgd {
            momentum: args.float("momentum"),
            weight_decay: args.float("weight_decay"),
            nesterov: args.bool("nesterov"),
            dampening: args.float("dampening"),
        })
    },
};

#[derive(Debug)]
struct Sgd {
    momentum: f64,
    weight_decay: f64,
    nesterov: bool,
    dampening: f64,
}

impl Sgd {
    /// Factors on the kept momentum and on the gradient: PyTorch's first step takes the gradient whole.
    fn factors(&self, at: Moment) -> (f64, f64) {
        if at.step == 1 { (0.0, 1.0) } else { (self.momentum, 1.0 - self.dampening) }
    }

    fn host<T: Real>(&self, at: Moment, weight: &mut [T], grad: &[T], [momentum, _]: [&mut [T]; 2]) {
        let [lr, scale, decay, mu] = [at.lr, at.scale, self.weight_decay, self.momentum].map(T::from_f64);
        if self.momentum == 0.0 {
            for (w, g) in weight.iter_mut().zip(grad) {
                let g = *g * scale + decay * *w;
                *w -= lr * g;
            }
            return;
        }
        let (keep, take) = self.factors(at);
        let (keep, take) = (T::from_f64(keep), T::from_f64(take));
        // The step is m, or with `nesterov` g + momentum m.
        let ahead = if self.nesterov { [T::from_f64(1.0), mu] } else { [T::from_f64(0.0), T::from_f64(1.0)] };
        heavy_ball(weight, grad, momentum, [lr, scale, decay, keep, take], ahead);
    }
}

wide! {
    fn heavy_ball[T: Real](weight: &mut [T], grad: &[T], momentum: &mut [T], factors: [T; 5], ahead: [T; 2]) {
        let ([lr, scale, decay, keep, take], [now, held]) = (factors, ahead);
        for ((w, g), m) in weight.iter_mut().zip(grad).zip(momentum) {
            let g = *g * scale + decay * *w;
            *m = keep * *m + take * g;
            *w -= lr * (now * g + held * *m);
        }
    }
}

impl Rule for Sgd {
    fn slots(&self) -> &'static [&'static str] {
        if self.momentum == 0.0 { &[] } else { &["momentum"] }
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
        let (keep, take) = self.factors(at);
        let [now, held] = if self.nesterov { [1.0, self.momentum] } else { [0.0, 1.0] };
        let factors = [at.lr, self.weight_decay, keep, take, now, held].map(|v| v as f32).to_vec();
        super::cuda::Update { kernel: "sgd", factors }
    }

    fn tensors(&self, at: Moment, weight: &Tensor, grad: &Tensor, slots: &mut [Tensor]) -> Result<Tensor> {
        let mut g = grad.clone();
        if self.weight_decay != 0.0 {
            g = (g + weight.affine(self.weight_decay, 0.0)?)?;
        }
        if let [momentum] = slots {
            let (keep, take) = self.factors(at);
            *momentum = (momentum.affine(keep, 0.0)? + g.affine(take, 0.0)?)?;
            g = if self.nesterov { (g + momentum.affine(self.momentum, 0.0)?)? } else { momentum.clone() };
        }
        weight - g.affine(at.lr, 0.0)?
    }
}
