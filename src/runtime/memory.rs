//! How much memory a training will take, before it starts. An estimate from the plan: weights, their gradients and the
//! optimiser's state, the best weights so far, every step's output for a batch with its gradient, and the encoded data. Measured
//! peaks stand beside it in `examples/README.md`.

use super::feed::Feed;
use crate::optim;
use crate::plan::{Kind, Plan};
use crate::schema::Call;

/// Bytes, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Estimate {
    /// Weights, gradients, optimiser state, and weights that are kept aside.
    pub weights: u64,
    /// Of one batch: what the forward pass leaves for the backward pass, and the gradients on the way.
    pub activations: u64,
    /// Encoded splits.
    pub data: u64,
}

/// Copies of every activation: itself, its gradient, and what an op keeps or needs beside.
const COPIES: u64 = 3;

/// What a process takes beside: itself, and what reading the data and compiling have left.
const BASE: u64 = 96 << 20;

impl Estimate {
    /// Of training a plan. `kept`: whether the best weights are kept aside.
    pub fn training(plan: &Plan, batch: usize, optimizer: &Call, kept: bool, feed: &Feed) -> Estimate {
        let elements = |trained_only: bool| -> u64 {
            let weights = plan.weights.iter().filter(|w| w.trained || !trained_only);
            weights.map(|w| w.shape.iter().product::<usize>() as u64).sum()
        };
        let (all, trained) = (elements(false), elements(true));
        let state = trained * (1 + optim::slots(optimizer) as u64);
        let weights = 4 * (all + state + if kept { all } else { 0 });
        let outputs: u64 = plan
            .steps
            .iter()
            .map(|s| match &s.kind {
                Kind::Op(op) => op.output().sizes().map_or(0, |s| s.iter().product::<usize>() as u64),
                Kind::Route(r) => r.whole.output().sizes().map_or(0, |s| s.iter().product::<usize>() as u64),
                Kind::Select(_) => 0,
                // As large as what it reads, which is counted; a sum of it is one more, small beside the copies.
                Kind::Blend(_) => 0,
            })
            .sum();
        let activations = outputs.saturating_mul(batch.min(feed.dataset.train.rows) as u64).saturating_mul(4 * COPIES);
        Estimate { weights, activations, data: feed.bytes() }
    }

    pub fn total(&self) -> u64 {
        BASE.saturating_add(self.weights).saturating_add(self.activations).saturating_add(self.data)
    }
}
