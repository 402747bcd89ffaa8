//! How large a search space is: distinct trees exactly where that can be had, labelled choices otherwise.

use num_bigint::BigUint;

use super::*;
use crate::hir::{Reads, Space, Spec};

#[derive(Debug, Clone, PartialEq)]
pub struct SpaceSize {
    /// log10 of the number of labelled configurations, which is the product of the numbers of distinct options of all choices.
    pub labelled_log10: f64,
    /// The number of distinct trees: chains of refining partitions with at most as many blocks as copies. `None` where the space is
    /// no chain of levels that read `one`, or is too large to count.
    pub trees: Option<BigUint>,
}

/// Work beyond which trees are not counted (big-number additions).
const WORK: usize = 400_000;

pub fn space_size(spec: &Spec, space: &Space, network: &Network) -> SpaceSize {
    let labelled_log10 = network
        .choices
        .iter()
        .map(|c| {
            match &c.kind {
                // A subset of one copy counts once, for any number of queries.
                ChoiceKind::Some { .. } if c.candidates <= routes::MOST_MEMBERS => (c.options() as f64).log10(),
                ChoiceKind::Some { .. } => c.candidates as f64 * 2f64.log10() + (c.queries() as f64).log10(),
                ChoiceKind::One | ChoiceKind::Copy => (c.candidates as f64).log10(),
            }
        })
        .sum();
    SpaceSize { labelled_log10, trees: trees(spec, space) }
}

fn trees(spec: &Spec, space: &Space) -> Option<BigUint> {
    let backbone = spec.backbone.as_ref()?;
    let one = |r: &Reads| matches!(r, Reads::One);
    if !one(&space.heads.reads) || !space.levels.iter().all(|l| one(&l.reads)) {
        return None;
    }
    // A chain: every stage's only primary is the stage before, and every head reads the last.
    let ancestors = ancestors(&backbone.stages);
    for (s, stage) in backbone.stages.iter().enumerate() {
        let p = primary(&stage.reads, &ancestors);
        let chained = if s == 0 { p.is_empty() } else { p == [StageId(s - 1)] };
        if !chained {
            return None;
        }
    }
    let last = StageId(backbone.stages.len() - 1);
    for task in &spec.tasks {
        let head = &spec.heads[task.head?.0];
        if primary(&head.reads, &ancestors) != [last] {
            return None;
        }
    }
    chains(spec.tasks.len(), &space.levels.iter().map(|l| l.copies).collect::<Vec<_>>())
}

/// Number of chains P_1 <= P_2 <= ... of refining partitions of `tasks` items with at most `most[l]` blocks at level `l`.
pub fn chains(tasks: usize, most: &[usize]) -> Option<BigUint> {
    if tasks == 0 {
        return None;
    }
    let widest = most.iter().copied().max().unwrap_or(0).min(tasks);
    if tasks * widest > WORK || tasks * widest * tasks.ilog2().max(1) as usize / 8 > WORK {
        return None;
    }
    // ways[k]: number of chains of the levels done so far, from the leaves up, whose coarsest partition has k blocks.
    let mut ways: Vec<BigUint> = vec![BigUint::ZERO; tasks + 1];
    ways[tasks] = BigUint::from(1u8);
    let stirling = stirling(tasks, widest);
    for limit in most.iter().rev() {
        let mut next = vec![BigUint::ZERO; tasks + 1];
        for (k, w) in ways.iter().enumerate().filter(|(_, w)| **w != BigUint::ZERO) {
            for m in 1..=k.min(*limit).min(widest) {
                next[m] += &stirling[k][m] * w;
            }
        }
        ways = next;
    }
    Some(ways.into_iter().sum())
}

/// Stirling numbers of the second kind, `[items][blocks]` up to `n` items and `blocks` blocks.
fn stirling(n: usize, blocks: usize) -> Vec<Vec<BigUint>> {
    let mut s = vec![vec![BigUint::ZERO; blocks + 1]; n + 1];
    s[0][0] = BigUint::from(1u8);
    for i in 1..=n {
        for j in 1..=blocks.min(i) {
            s[i][j] = &s[i - 1][j] * j + &s[i - 1][j - 1];
        }
    }
    s
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chains of refining partitions of N tasks over D locations, as enumerated for branched networks.
    #[test]
    fn counts_of_refining_chains() {
        let table = [
            (2, [2u32, 3, 4, 5, 6, 7]),
            (3, [5, 12, 22, 35, 51, 70]),
            (4, [15, 60, 154, 315, 561, 910]),
            (5, [52, 358, 1304, 3455, 7556, 14532]),
        ];
        for (n, row) in table {
            for (d, want) in row.iter().enumerate() {
                assert_eq!(chains(n, &vec![n; d + 1]), Some(BigUint::from(*want)), "{n} tasks, {} levels", d + 1);
            }
        }
    }

    #[test]
    fn copies_bound_the_blocks() {
        // Two copies over three tasks: all together, or one of three pairs apart from the third.
        assert_eq!(chains(3, &[2]), Some(BigUint::from(4u8)));
        assert_eq!(chains(3, &[1, 3]), Some(BigUint::from(5u8)));
    }
}
