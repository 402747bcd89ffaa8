//! `gradnorm`: gradient normalisation (Chen, Badrinarayanan, Lee, Rabinovich, ICML 2018, equations 1 and 2, algorithm 1).
//!
//! G_k = ||grad_W w_k L_k||, L~_k = L_k(t) / L_k(0), r_k = L~_k / mean(L~); the weights w go down the gradient of
//! sum_k |G_k - mean(G) r_k^alpha|, in which the target is constant, and are then rescaled so that they sum to K. As the algorithm has
//! it, a step of the network uses the weights from before their update.
//!
//! Where the paper is silent or leaves a choice: W is the last layer that all tasks reach, with its bias; where no layer is reached by
//! all, every weight that two tasks reach. L_k(0) is the loss of the first batch in which the task has labels (the paper offers log C
//! as an alternative); of 0, L~ is 1. A weight that an update takes below 1e-4 stops there, since a negative one would climb.

use candle_core::{Result, Tensor, bail};

use super::{
    Factors, Needs, Numbers, Over, Rule, Seen, Setting, WeightingDef, count, counted, numbers, optimizer, restored,
};
use crate::schema::{Args, AttrDef, CallDef, NON_NEGATIVE, Need};

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "gradnorm",
        doc: "GradNorm: learned weights that bring the tasks' gradients in the last shared layer to norms that follow their training \
              rates. A backward pass per task.",
        args: &[
            AttrDef {
                name: "alpha",
                ty: NON_NEGATIVE,
                need: Need::Default("1.5"),
                doc: "Strength with which tasks are pulled to a common training rate. Paper: 1.5 (NYUv2).",
            },
            optimizer(
                Need::Default("adam(lr = 0.025)"),
                "Optimiser of the weights; no schedule reaches it. Paper: a rate of its own, 0.025.",
            ),
        ],
    },
    paper: "Chen et al. 2018, GradNorm, algorithm 1",
    needs: Needs::Gradients(Over::LastShared),
    make: |args, setting| Ok(Box::new(GradNorm::new(args, setting)?)),
};

/// Smallest weight.
const LEAST: f64 = 1e-4;

struct GradNorm {
    alpha: f64,
    counted: Vec<bool>,
    /// L_k(0); -1 before there is one.
    first: Vec<f64>,
    weights: Numbers,
}

impl GradNorm {
    fn new(args: &Args, setting: &Setting) -> Result<GradNorm> {
        let tasks = setting.tasks.len();
        Ok(GradNorm {
            alpha: args.float("alpha"),
            counted: counted(setting.tasks),
            first: vec![-1.0; tasks],
            weights: Numbers::new(args.call("optimizer"), 1.0, tasks)?,
        })
    }

    /// Back to a sum of K over the tasks that take part.
    fn rescale(&self) -> Result<()> {
        let mut w: Vec<f64> = self.weights.values()?.into_iter().map(|w| w.max(LEAST)).collect();
        let sum: f64 = w.iter().zip(&self.counted).filter(|(_, c)| **c).map(|(w, _)| w).sum();
        let factor = count(&self.counted) / sum;
        w.iter_mut().for_each(|w| *w *= factor);
        self.weights.set(&w)
    }
}

impl Rule for GradNorm {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        let Some(products) = seen.gradients else { bail!("gradnorm needs gradients") };
        let w = self.weights.values()?;
        for (first, (loss, present)) in self.first.iter_mut().zip(seen.losses.iter().zip(seen.present)) {
            if *present && *first < 0.0 {
                *first = *loss;
            }
        }
        let here: Vec<usize> = (0..w.len()).filter(|k| seen.present[*k] && products.reach[*k]).collect();
        if here.len() > 1 {
            let mean = |of: &dyn Fn(usize) -> f64| here.iter().map(|k| of(*k)).sum::<f64>() / here.len() as f64;
            let norm = |k: usize| products.inner[k][k].max(0.0).sqrt();
            let ratio = |k: usize| if self.first[k] > 0.0 { seen.losses[k] / self.first[k] } else { 1.0 };
            let (norms, ratios) = (mean(&|k| w[k] * norm(k)), mean(&ratio));
            let mut gradients = vec![None; w.len()];
            for k in &here {
                let rate = if ratios > 0.0 { ratio(*k) / ratios } else { 1.0 };
                let target = norms * rate.powf(self.alpha);
                let above = w[*k] * norm(*k) - target;
                let sign = if above == 0.0 { 0.0 } else { above.signum() };
                gradients[*k] = Some(sign * norm(*k));
            }
            self.weights.step(&gradients, 1.0)?;
            self.rescale()?;
        }
        Ok(Factors::alike(w))
    }

    fn save(&self) -> Result<Vec<(String, Tensor)>> {
        let mut all = self.weights.save()?;
        all.push(numbers("first", &self.first)?);
        Ok(all)
    }

    fn load(&mut self, saved: &[(String, Tensor)]) -> Result<()> {
        self.first = restored(saved, "first", self.first.len())?;
        self.weights.load(saved)
    }
}
