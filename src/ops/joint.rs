//! Ops of one kind that read one value, run as one.

use candle_core::{Result, Tensor};

use super::grad::Grad;

/// What they gave, and their way back.
pub struct Joined {
    /// By sibling.
    pub outputs: Vec<Tensor>,
    pub back: Box<dyn Joint>,
}

/// The gradients of some siblings.
pub struct Found {
    /// Of what they all read.
    pub x: Option<Grad>,
    /// By sibling, those of its weights.
    pub weights: Vec<(usize, Vec<Option<Grad>>)>,
}

/// The way back through siblings.
pub trait Joint: Send + Sync {
    /// Gradients of what they read, and of weights, given those of some outputs; `wanted` says whether the first and the second are of
    /// use. `last` if nobody asks again.
    fn backward(&self, grads: Vec<(usize, Grad)>, wanted: [bool; 2], last: bool) -> Result<Found>;
}
