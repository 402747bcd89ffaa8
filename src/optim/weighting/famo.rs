//! `famo`: fast adaptive multitask optimisation (Liu, Feng, Stone, Liu, NeurIPS 2023, algorithm 1).
//!
//! z = softmax(xi); the network's step goes down c sum_k z_k / L_k grad L_k, c = 1 / sum_k (z_k / L_k); then
//! xi <- xi - beta (delta + gamma xi) with delta = J(xi)^T (log L(before) - log L(after)), J the Jacobian of the softmax, both losses on
//! the same batch. Released code takes Adam for the second, with gamma as its weight decay, and adds 1e-8 to every loss; so do we, and
//! `sgd(lr = BETA, weight_decay = GAMMA)` is the algorithm to the letter. The weights c z_k / L_k sum to 1; here they are taken K
//! times. The second look at a batch leaves running statistics as they were, on which the paper is silent.

use candle_core::{Result, Tensor};

use super::{Factors, Needs, Numbers, Rule, Seen, Setting, WeightingDef, count, optimizer, softmax};
use crate::schema::{Args, CallDef, Need};

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "famo",
        doc: "FAMO: losses fall at a like relative rate, by logits that learn from how much each has fallen in a step. One forward pass \
              more per step.",
        args: &[optimizer(
            Need::Default("adam(lr = 0.025, weight_decay = 0.01)"),
            "Optimiser of the logits; no schedule reaches it. Weight decay is the paper's gamma. Code: Adam, 0.025, 0.01.",
        )],
    },
    paper: "Liu et al. 2023, FAMO: Fast Adaptive Multitask Optimization, algorithm 1",
    needs: Needs::LossesTwice,
    make: |args, setting| Ok(Box::new(Famo::new(args, setting)?)),
};

/// Added to losses, so that they have a logarithm.
const LEAST: f64 = 1e-8;

struct Famo {
    logits: Numbers,
    /// Of the step that is being done.
    losses: Vec<f64>,
    present: Vec<bool>,
}

impl Famo {
    fn new(args: &Args, setting: &Setting) -> Result<Famo> {
        let logits = Numbers::new(args.call("optimizer"), 0.0, setting.tasks.len())?;
        Ok(Famo { logits, losses: Vec::new(), present: Vec::new() })
    }
}

fn positive(loss: f64) -> f64 {
    loss.max(0.0) + LEAST
}

impl Rule for Famo {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        self.losses = seen.losses.to_vec();
        self.present = seen.present.to_vec();
        let z = softmax(&self.logits.values()?, seen.present);
        let pulls: Vec<f64> = z.iter().zip(seen.losses).map(|(z, l)| z / positive(*l)).collect();
        let sum: f64 = pulls.iter().sum();
        let tasks = count(seen.present);
        // Of a batch without any label nothing is learned.
        Ok(Factors::alike(pulls.iter().map(|p| if sum > 0.0 { tasks * p / sum } else { 0.0 }).collect()))
    }

    fn after(&mut self, losses: &[f64]) -> Result<()> {
        let z = softmax(&self.logits.values()?, &self.present);
        let fell: Vec<f64> =
            self.losses.iter().zip(losses).map(|(b, a)| positive(*b).ln() - positive(*a).ln()).collect();
        let mean: f64 = z.iter().zip(&fell).map(|(z, f)| z * f).sum();
        let delta = |k: usize| z[k] * (fell[k] - mean);
        let gradients: Vec<Option<f64>> = (0..z.len()).map(|k| self.present[k].then(|| delta(k))).collect();
        self.logits.step(&gradients, 1.0)
    }

    fn save(&self) -> Result<Vec<(String, Tensor)>> {
        self.logits.save()
    }

    fn load(&mut self, saved: &[(String, Tensor)]) -> Result<()> {
        self.logits.load(saved)
    }
}
