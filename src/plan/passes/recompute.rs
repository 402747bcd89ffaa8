//! Which stretches of a plan are forgotten, so that a training step stays within a budget of memory (Chen et al. 2016, Training Deep
//! Nets with Sublinear Memory Cost; they cut a chain into about sqrt(n) pieces of one length and forget all of them). Here the
//! account of `plan::memory` is asked: of several ways to cut the plan, each with its pieces forgotten one after the other, those
//! first that free most for their work, the one is taken that fits with the least work done again. Where none fits, the one that
//! needs least.

use std::ops::Range;

use super::Switches;
use crate::plan::Plan;
use crate::plan::memory::{Ledger, Pace, work};

/// The name that a [`Switches`] knows the choice by.
pub const NAME: &str = "recompute";

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chosen {
    /// Bytes of a step with nothing forgotten, and as chosen.
    pub plain: u64,
    pub most: u64,
    /// Work that is done again, as a share of the way forward.
    pub again: f64,
}

/// Numbers of pieces that are tried.
const PIECES: [usize; 10] = [2, 3, 4, 6, 8, 12, 17, 24, 34, 48];

/// Bytes that a step of this plan needs as it is, and forgets stretches until it needs no more than the budget. Runs after all other
/// passes, which move steps.
pub fn run(plan: &mut Plan, pace: Pace, budget: Option<u64>, switches: &Switches) -> Chosen {
    plan.forgotten.clear();
    let ledger = Ledger::new(plan);
    let plain = ledger.most(pace, &[]);
    let mut best = (Chosen { plain, most: plain, again: 0.0 }, Vec::new());
    let Some(budget) = budget.filter(|b| plain > *b && switches.is_on(NAME)) else { return best.0 };
    let works: Vec<u64> = plan.steps.iter().map(|s| work(&s.kind)).collect();
    let all: u64 = works.iter().fold(1, |a, b| a.saturating_add(*b));
    let again = |stretches: &[Range<usize>]| {
        stretches.iter().flat_map(|s| &works[s.clone()]).fold(0u64, |a, b| a.saturating_add(*b)) as f64 / all as f64
    };
    let (starts, crossing) = (ledger.starts(), ledger.crossing());
    for count in PIECES {
        let pieces = cut(&ledger, &starts, &crossing, plan.steps.len(), count);
        // What a piece frees for each multiplication of it; the last is needed as soon as it has run.
        let mut order: Vec<&Range<usize>> = pieces[..pieces.len() - 1].iter().collect();
        let worth = |r: &Range<usize>| {
            let frees: u64 = r.clone().map(|i| ledger.record(i)).sum();
            frees.saturating_sub(crossing[r.start]) as f64 / (1.0 + again(std::slice::from_ref(r)) * all as f64)
        };
        order.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then(a.start.cmp(&b.start)));
        for taken in 1..=order.len() {
            let mut stretches: Vec<Range<usize>> = order[..taken].iter().map(|r| (*r).clone()).collect();
            stretches.sort_by_key(|r| r.start);
            let found = Chosen { plain, most: ledger.most(pace, &stretches), again: again(&stretches) };
            let fits = |c: &Chosen| c.most <= budget;
            let better = match (fits(&found), fits(&best.0)) {
                (true, true) => (found.again, found.most) < (best.0.again, best.0.most),
                (false, false) => (found.most, found.again) < (best.0.most, best.0.again),
                (fits, _) => fits,
            };
            if better {
                best = (found, stretches);
            }
            // More of the same pieces is more work.
            if fits(&found) {
                break;
            }
        }
    }
    plan.forgotten = best.1;
    best.0
}

/// About so many pieces whose records are of one size, each beginning where little is read across, within a third of a piece.
fn cut(ledger: &Ledger, starts: &[usize], crossing: &[u64], steps: usize, count: usize) -> Vec<Range<usize>> {
    let mut before = vec![0u64; steps + 1];
    for i in 0..steps {
        before[i + 1] = before[i].saturating_add(ledger.record(i));
    }
    let all = before[steps];
    let reach = all / (3 * count as u64);
    let mut cuts = vec![0];
    for k in 1..count as u64 {
        let at = all / count as u64 * k;
        let near = starts.iter().copied().filter(|s| before[*s].abs_diff(at) <= reach);
        let nearest = || starts.iter().copied().min_by_key(|s| before[*s].abs_diff(at));
        let chosen = near.min_by_key(|s| (crossing[*s], before[*s].abs_diff(at))).or_else(nearest);
        cuts.extend(chosen.filter(|c| *c > cuts[cuts.len() - 1]));
    }
    cuts.push(steps);
    cuts.windows(2).map(|w| w[0]..w[1]).collect()
}
