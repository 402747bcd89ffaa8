//! Steps of a plan that do not wait for one another, run at once.

use std::ops::Range;

use rayon::prelude::*;

use super::model::Model;
use crate::ops::kernel::record::apart;
use crate::plan::{Kind, Plan};

/// Neighbours in a plan none of which reads another.
pub(super) struct Waves {
    /// By step: the first and the last but one of its wave.
    of: Vec<Range<usize>>,
    /// By step: about how many multiplications a sample takes.
    work: Vec<u64>,
}

/// Work below which a thread is not woken, in multiplications: some 20 microseconds.
const WORTH: u64 = 1 << 20;
/// What a number that an op gives costs beside its multiplications.
const EACH: u64 = 16;

impl Waves {
    pub fn new(plan: &Plan) -> Waves {
        let mut starts = Vec::new();
        let mut from = vec![usize::MAX; plan.values];
        // By weight: the last step that keeps statistics in it.
        let mut kept = vec![usize::MAX; plan.weights.len()];
        for (i, step) in plan.steps.iter().enumerate() {
            let start = starts.last().copied().unwrap_or(0);
            let op = |i: usize| matches!(plan.steps[i].kind, Kind::Op(_));
            let before = |at: usize| at == usize::MAX || at < start;
            let buffers = || step.weights.iter().filter(|w| !plan.weights[**w].trained);
            // Of steps with the same statistics, as copies have them that several tasks run, each goes on from what the last one left.
            let alone = buffers().all(|w| before(kept[*w]));
            let joins = i > 0 && op(i) && op(i - 1) && alone && step.inputs.iter().all(|v| before(from[*v]));
            buffers().for_each(|w| kept[*w] = i);
            starts.push(if joins { start } else { i });
            from[step.output] = i;
        }
        let mut of: Vec<Range<usize>> = Vec::with_capacity(starts.len());
        for (i, start) in starts.iter().enumerate() {
            let end = i + starts[i..].iter().take_while(|s| *s == start).count();
            of.push(*start..end);
        }
        let work = |kind: &Kind| match kind {
            Kind::Op(op) => {
                let numbers = op.output().elements().unwrap_or(0) as u64;
                op.macs().unwrap_or(0).saturating_add(numbers.saturating_mul(EACH))
            }
            _ => 0,
        };
        Waves { of, work: plan.steps.iter().map(|s| work(&s.kind)).collect() }
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
