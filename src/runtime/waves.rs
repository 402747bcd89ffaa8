//! Steps of a plan that do not wait for one another, run at once.

use std::ops::Range;

use rayon::prelude::*;

use super::model::Model;
use crate::ops::kernel::record::apart;
use crate::plan::{Plan, memory};

/// Neighbours in a plan none of which reads another.
pub(super) struct Waves {
    /// By step: the first and the last but one of its wave.
    of: Vec<Range<usize>>,
    /// By step: about how many multiplications a sample takes.
    work: Vec<u64>,
}

/// Work below which a thread is not woken, in multiplications: some 20 microseconds.
const WORTH: u64 = 1 << 20;
impl Waves {
    pub fn new(plan: &Plan) -> Waves {
        Waves { of: memory::waves(plan), work: plan.steps.iter().map(|s| memory::work(&s.kind)).collect() }
    }

    /// What is left of a step's wave from it on.
    pub fn from(&self, step: usize) -> Range<usize> {
        step..self.of[step].end
    }
}

impl Model {
    /// The wave of a step.
    pub(super) fn wave(&self, step: usize) -> Range<usize> {
        self.waves.of[step].clone()
    }

    /// `f` of every job, by several threads if the work of their steps is worth it; results in order.
    pub(super) fn at_once<J: Send, R: Send>(
        &self,
        steps: &[usize],
        batch: usize,
        jobs: Vec<J>,
        f: impl Fn(J) -> R + Sync + Send,
    ) -> Vec<R> {
        let work = || steps.iter().map(|s| self.waves.work[*s]).fold(0u64, u64::saturating_add);
        if jobs.len() < 2 || !self.device.is_cpu() || work().saturating_mul(batch as u64) < WORTH {
            return jobs.into_iter().map(f).collect();
        }
        jobs.into_par_iter().with_max_len(1).map(|job| apart(|| f(job))).collect()
    }
}
