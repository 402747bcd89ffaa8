//! The expected cost of the tree that a sample of copies comes to, and its gradient.
//!
//! Every task draws a copy at every stage, independently, with probabilities p. At a stage tasks with the same copy are together, and
//! they share it if they share every stage before: the partition there is the common refinement of all partitions so far. A stage costs
//! as many times its own cost as that has blocks, at most its limit (what derivation merges down to).
//!
//! - **Exact**: a dynamic programme over set partitions, P_l(k) = sum over k' and pi with k' and pi refined together giving k of
//!   P_{l-1}(k') P(pi_l = pi), with P(pi_l = pi) the sum over the assignments of copies that give pi. The released code of BMTAS
//!   (`BranchingLoss.forward` in `src/criterion.py`) uses only P(pi_l = k) if k' is coarser, and assigns the remaining probability to
//!   the partition into single tasks. The sum here has no such approximation; tests confirm it by enumeration.
//! - **Sampled**, for more tasks: the mean over samples of the cost, unbiased; its gradient is the score function's, against the mean of
//!   the other samples, unbiased too (leave-one-out baseline).

use std::collections::HashMap;

use rand::RngExt;

use crate::ir::trees::{Labels, blocks, canonical};
use crate::random::Randomness;

/// Tasks up to which the sum is exact: there are 203 partitions of six.
pub const EXACT: usize = 6;
/// Assignments of a stage's copies up to which it is exact.
const ASSIGNMENTS: usize = 50_000;

/// A stage: what a copy of it costs, and how many copies its tree may have.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StageCost {
    pub cost: f64,
    pub limit: usize,
}

/// Probabilities `[stage][task][copy]`; a stage with one copy has ones.
pub type Probabilities = Vec<Vec<Vec<f64>>>;

/// An expectation and its gradient with respect to every probability.
#[derive(Debug, Clone, PartialEq)]
pub struct Expected {
    pub cost: f64,
    pub gradient: Probabilities,
}

/// Whether the exact sum is within reach.
pub fn is_exact(tasks: usize, copies: &[usize]) -> bool {
    let assignments = |c: &usize| c.checked_pow(tasks as u32).is_some_and(|n| n <= ASSIGNMENTS);
    tasks <= EXACT && copies.iter().all(assignments)
}

/// The common refinement of two partitions.
pub fn meet(a: &[u16], b: &[u16]) -> Labels {
    let wide = blocks(b) as u16;
    canonical_pairs(a.iter().zip(b).map(|(a, b)| u32::from(*a) * u32::from(wide) + u32::from(*b)))
}

fn canonical_pairs(labels: impl Iterator<Item = u32>) -> Labels {
    let mut names: Vec<u32> = Vec::new();
    labels
        .map(|l| {
            let at = names.iter().position(|n| *n == l).unwrap_or_else(|| {
                names.push(l);
                names.len() - 1
            });
            at as u16
        })
        .collect()
}

fn count(k: &[u16], stage: &StageCost) -> f64 {
    stage.cost * blocks(k).min(stage.limit) as f64
}

/// Visits every assignment of copies to tasks with its partition.
fn assignments(tasks: usize, copies: usize, visit: &mut dyn FnMut(&[usize], &Labels)) {
    let mut at = vec![0usize; tasks];
    loop {
        let labels: Labels = at.iter().map(|c| *c as u16).collect();
        visit(&at, &canonical_pairs(labels.iter().map(|l| u32::from(*l))));
        let Some(next) = at.iter().rposition(|c| c + 1 < copies) else { return };
        at[next] += 1;
        at[next + 1..].fill(0);
    }
}

/// By the dynamic programme.
pub fn exact(p: &Probabilities, stages: &[StageCost]) -> Expected {
    let tasks = p.first().map_or(0, Vec::len);
    // P(pi_l = pi), in an order that no hash decides.
    let mut drawn: Vec<Vec<(Labels, f64)>> = Vec::with_capacity(stages.len());
    for rows in p {
        let mut list: Vec<(Labels, f64)> = Vec::new();
        let mut place: HashMap<Labels, usize> = HashMap::new();
        assignments(tasks, rows.first().map_or(1, Vec::len), &mut |a, pi| {
            let at = *place.entry(pi.clone()).or_insert_with(|| {
                list.push((pi.clone(), 0.0));
                list.len() - 1
            });
            list[at].1 += a.iter().zip(rows).map(|(c, row)| row[*c]).product::<f64>();
        });
        drawn.push(list);
    }
    // P_l(k), forward.
    let mut reached: Vec<Vec<(Labels, f64)>> = vec![vec![(vec![0; tasks], 1.0)]];
    for list in &drawn {
        let mut next: Vec<(Labels, f64)> = Vec::new();
        let mut place: HashMap<Labels, usize> = HashMap::new();
        for (k, pk) in reached.last().expect("one is there") {
            for (pi, ppi) in list {
                let both = meet(k, pi);
                let at = *place.entry(both.clone()).or_insert_with(|| {
                    next.push((both, 0.0));
                    next.len() - 1
                });
                next[at].1 += pk * ppi;
            }
        }
        reached.push(next);
    }
    let cost =
        stages.iter().zip(&reached[1..]).flat_map(|(s, list)| list.iter().map(move |(k, w)| w * count(k, s))).sum();
    // V_l(k): the cost from stage l on, with k there; and backward from it d cost / d P(pi_l = pi).
    let mut gradient: Probabilities = p.iter().map(|rows| rows.iter().map(|r| vec![0.0; r.len()]).collect()).collect();
    let mut after: HashMap<Labels, f64> = HashMap::new();
    for l in (0..stages.len()).rev() {
        let value =
            |k: &Labels, after: &HashMap<Labels, f64>| count(k, &stages[l]) + after.get(k).copied().unwrap_or(0.0);
        let mut pull: HashMap<Labels, f64> = HashMap::new();
        for (pi, _) in &drawn[l] {
            let sum = reached[l].iter().map(|(k, w)| w * value(&meet(k, pi), &after)).sum();
            pull.insert(pi.clone(), sum);
        }
        let rows = &p[l];
        assignments(tasks, rows.first().map_or(1, Vec::len), &mut |a, pi| {
            let of = pull[pi];
            // Products of all others, from both sides.
            let mut before = 1.0;
            let mut behind = vec![1.0; tasks + 1];
            for t in (0..tasks).rev() {
                behind[t] = behind[t + 1] * rows[t][a[t]];
            }
            for t in 0..tasks {
                gradient[l][t][a[t]] += of * before * behind[t + 1];
                before *= rows[t][a[t]];
            }
        });
        let ahead: HashMap<Labels, f64> = reached[l]
            .iter()
            .map(|(k, _)| (k.clone(), drawn[l].iter().map(|(pi, w)| w * value(&meet(k, pi), &after)).sum()))
            .collect();
        after = ahead;
    }
    Expected { cost, gradient }
}

/// The cost of the tree of one draw, `copies[stage][task]`.
pub fn drawn(copies: &[Vec<usize>], stages: &[StageCost]) -> f64 {
    let tasks = copies.first().map_or(0, Vec::len);
    let mut k: Labels = vec![0; tasks];
    let mut sum = 0.0;
    for (labels, stage) in copies.iter().zip(stages) {
        let labels = canonical_pairs(labels.iter().map(|c| *c as u32));
        k = meet(&k, &labels);
        sum += count(&k, stage);
    }
    sum
}

/// By `samples` draws, at least two. The gradient is with respect to probabilities as if they were free: through a softmax, what all
/// copies have in common falls away.
pub fn sampled(p: &Probabilities, stages: &[StageCost], samples: usize, random: Randomness, step: u64) -> Expected {
    let samples = samples.max(2);
    let mut rng = random.stream("expected cost", [step, 0, 0]);
    let mut draw = |row: &Vec<f64>| {
        let mut left: f64 = rng.random();
        let mut at = 0;
        while at + 1 < row.len() && left >= row[at] {
            left -= row[at];
            at += 1;
        }
        at
    };
    let all: Vec<Vec<Vec<usize>>> =
        (0..samples).map(|_| p.iter().map(|rows| rows.iter().map(&mut draw).collect()).collect()).collect();
    let costs: Vec<f64> = all.iter().map(|copies| drawn(copies, stages)).collect();
    let sum: f64 = costs.iter().sum();
    let mut gradient: Probabilities = p.iter().map(|rows| rows.iter().map(|r| vec![0.0; r.len()]).collect()).collect();
    for (copies, cost) in all.iter().zip(&costs) {
        let others = (sum - cost) / (samples - 1) as f64;
        for (l, row) in copies.iter().enumerate() {
            for (t, copy) in row.iter().enumerate() {
                // d log p / d p of the copy that was drawn.
                gradient[l][t][*copy] += (cost - others) / p[l][t][*copy].max(1e-12) / samples as f64;
            }
        }
    }
    Expected { cost: sum / samples as f64, gradient }
}

/// The tree of labels: what each stage parts, refined by what was parted before; where that has more blocks than the limit, the two
/// blocks of one parent are merged that lose the least probability, until it has not. `scores[stage][task][copy]` are log
/// probabilities. Gives `[stage][task]` in canonical labels.
pub fn tree(scores: &[Vec<Vec<f64>>], limits: &[usize]) -> Vec<Labels> {
    let tasks = scores.first().map_or(0, Vec::len);
    let mut above: Labels = vec![0; tasks];
    let mut out = Vec::with_capacity(scores.len());
    for (rows, limit) in scores.iter().zip(limits) {
        let best: Labels = rows.iter().map(|r| crate::search::choices::argmax(r) as u16).collect();
        let mut k = meet(&above, &canonical_pairs(best.iter().map(|l| u32::from(*l))));
        while blocks(&k) > *limit {
            let Some((a, b)) = cheapest(&k, &above, rows) else { break };
            k.iter_mut().filter(|l| **l == b).for_each(|l| *l = a);
            k = canonical(&k);
        }
        above = k.clone();
        out.push(k);
    }
    out
}

/// The stages at which tasks choose the same copy although the tree separates them, because they were separated at an earlier stage;
/// and those tasks. `tree`: of the same scores, by [`tree`].
pub fn remerged(scores: &[Vec<Vec<f64>>], tree: &[Labels]) -> Vec<(usize, Vec<usize>)> {
    let tasks = scores.first().map_or(0, Vec::len);
    let mut out = Vec::new();
    for (stage, (rows, groups)) in scores.iter().zip(tree).enumerate() {
        let best: Vec<usize> = rows.iter().map(|r| crate::search::choices::argmax(r)).collect();
        let chosen = rows.iter().any(|r| r.len() > 1);
        // Groups are in the order of their smallest task, as in topologies.
        for first in (0..tasks).filter(|t| chosen && !best[..*t].contains(&best[*t])) {
            let together: Vec<usize> = (0..tasks).filter(|t| best[*t] == best[first]).collect();
            if together.iter().any(|t| groups[*t] != groups[first]) {
                out.push((stage, together));
            }
        }
    }
    out
}

/// The pair of blocks within one block of `above` whose merging loses least, the first of equals.
fn cheapest(k: &[u16], above: &[u16], rows: &[Vec<f64>]) -> Option<(u16, u16)> {
    let members = |b: u16| (0..k.len()).filter(move |t| k[*t] == b);
    let score = |tasks: &[usize]| {
        let of = |c: usize| tasks.iter().map(|t| rows[*t][c]).sum::<f64>();
        (0..rows.first().map_or(0, Vec::len)).map(of).fold(f64::NEG_INFINITY, f64::max)
    };
    let mut found: Option<(f64, (u16, u16))> = None;
    for b in 1..blocks(k) as u16 {
        for a in 0..b {
            let (of_a, of_b): (Vec<usize>, Vec<usize>) = (members(a).collect(), members(b).collect());
            if above[of_a[0]] != above[of_b[0]] {
                continue;
            }
            let both: Vec<usize> = of_a.iter().chain(&of_b).copied().collect();
            let loss = score(&of_a) + score(&of_b) - score(&both);
            if found.is_none_or(|(least, _)| loss < least) {
                found = Some((loss, (a, b)));
            }
        }
    }
    found.map(|(_, pair)| pair)
}

/// The most blocks that a stage's partition may have: a later stage has to refine it.
pub fn limits(copies: &[usize]) -> Vec<usize> {
    let mut out = copies.to_vec();
    for l in (0..out.len().saturating_sub(1)).rev() {
        out[l] = out[l].min(out[l + 1]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities that are far from even, and costs that are all different.
    fn problem(tasks: usize, copies: &[usize]) -> (Probabilities, Vec<StageCost>) {
        let random = Randomness::new(5);
        let mut p = Vec::new();
        for (l, copies) in copies.iter().enumerate() {
            let row = |t: usize| {
                let logits = random.gumbel("test", [l as u64, t as u64, 0], *copies);
                crate::search::choices::softmax(&logits)
            };
            p.push((0..tasks).map(row).collect());
        }
        let limits = limits(copies);
        let cost = |(l, limit): (usize, &usize)| StageCost { cost: 1.0 + 0.7 * l as f64, limit: *limit };
        (p, limits.iter().enumerate().map(cost).collect())
    }

    /// The sum over every assignment at every stage at once.
    fn enumerated(p: &Probabilities, stages: &[StageCost]) -> f64 {
        fn go(p: &Probabilities, stages: &[StageCost], chosen: &mut Vec<Vec<usize>>, weight: f64) -> f64 {
            let l = chosen.len();
            if l == p.len() {
                return weight * drawn(chosen, stages);
            }
            let mut sum = 0.0;
            let mut all = Vec::new();
            assignments(p[l].len(), p[l][0].len(), &mut |a, _| all.push(a.to_vec()));
            for a in all {
                let of: f64 = a.iter().zip(&p[l]).map(|(c, row)| row[*c]).product();
                chosen.push(a);
                sum += go(p, stages, chosen, weight * of);
                chosen.pop();
            }
            sum
        }
        go(p, stages, &mut Vec::new(), 1.0)
    }

    #[test]
    fn the_programme_is_the_sum_over_everything() {
        for (tasks, copies) in
            [(1, vec![3, 2]), (2, vec![2, 2, 2]), (3, vec![2, 3, 3]), (4, vec![1, 3, 4]), (3, vec![3, 2])]
        {
            let (p, stages) = problem(tasks, &copies);
            let (found, want) = (exact(&p, &stages).cost, enumerated(&p, &stages));
            assert!((found - want).abs() < 1e-9 * want, "{tasks} tasks, {copies:?}: {found} is not {want}");
        }
    }

    #[test]
    fn its_gradient_is_that_of_differences() {
        let (p, stages) = problem(4, &[2, 3, 4]);
        let found = exact(&p, &stages).gradient;
        let h = 1e-6;
        for l in 0..p.len() {
            for t in 0..4 {
                for c in 0..p[l][t].len() {
                    let at = |by: f64| {
                        let mut q = p.clone();
                        q[l][t][c] += by;
                        exact(&q, &stages).cost
                    };
                    let want = (at(h) - at(-h)) / (2.0 * h);
                    assert!((found[l][t][c] - want).abs() < 1e-6, "{l} {t} {c}: {} is not {want}", found[l][t][c]);
                }
            }
        }
    }

    /// Through the softmax, as it is used: the mean of many estimates within three standard errors of the exact one, cost and gradient.
    #[test]
    fn samples_are_unbiased() {
        let (p, stages) = problem(4, &[2, 3, 4]);
        let through = |e: &Expected| -> Vec<f64> {
            let mut all = vec![e.cost];
            for (rows, of) in p.iter().zip(&e.gradient) {
                for (row, g) in rows.iter().zip(of) {
                    let mean: f64 = row.iter().zip(g).map(|(p, g)| p * g).sum();
                    all.extend(row.iter().zip(g).map(|(p, g)| p * (g - mean)));
                }
            }
            all
        };
        let want = through(&exact(&p, &stages));
        let n = 4_000u64;
        let (mut sum, mut square) = (vec![0.0; want.len()], vec![0.0; want.len()]);
        for step in 0..n {
            let found = through(&sampled(&p, &stages, 8, Randomness::new(1), step));
            for (i, v) in found.iter().enumerate() {
                sum[i] += v;
                square[i] += v * v;
            }
        }
        let mut beyond = 0;
        for (i, want) in want.iter().enumerate() {
            let mean = sum[i] / n as f64;
            let error = ((square[i] / n as f64 - mean * mean) / n as f64).sqrt();
            beyond += usize::from((mean - want).abs() > 3.0 * error);
            assert!((mean - want).abs() <= 4.5 * error, "{i}: {mean} is not {want} within {error}");
        }
        assert!(
            (sum[0] / n as f64 - want[0]).abs()
                <= 3.0 * ((square[0] / n as f64 - (sum[0] / n as f64).powi(2)) / n as f64).sqrt()
        );
        // Of 37 numbers one in 370 each is beyond three standard errors by chance.
        assert!(beyond <= 1, "{beyond} of {}", want.len());
    }

    /// Certain choices have one tree.
    #[test]
    fn certain_choices_cost_what_their_tree_does() {
        let one = |labels: &[usize], copies: usize| -> Vec<Vec<f64>> {
            labels.iter().map(|c| (0..copies).map(|i| f64::from(u8::from(i == *c))).collect()).collect()
        };
        let p = vec![one(&[0, 0, 0], 2), one(&[1, 1, 0], 2), one(&[0, 1, 0], 3)];
        let stages = [10.0, 5.0, 2.0].map(|cost| StageCost { cost, limit: 3 });
        // Together; two and one; and, refined, three.
        assert_eq!(exact(&p, &stages).cost, 10.0 + 2.0 * 5.0 + 3.0 * 2.0);
    }

    /// Tasks that are separated and later choose one copy again are found at every such stage, also if other tasks stay together.
    #[test]
    fn tasks_that_meet_again() {
        let score = |labels: &[usize]| -> Vec<Vec<f64>> {
            labels.iter().map(|c| (0..4).map(|i| if i == *c { -0.1 } else { -2.0 }).collect()).collect()
        };
        let of = |chain: &[&[usize]]| {
            let scores: Vec<_> = chain.iter().map(|l| score(l)).collect();
            remerged(&scores, &tree(&scores, &vec![4; chain.len()]))
        };
        assert_eq!(of(&[&[0, 0, 0], &[1, 1, 2], &[0, 0, 1]]), [], "a tree");
        assert_eq!(of(&[&[0, 0, 0], &[1, 1, 2], &[0, 0, 0]]), [(2, vec![0, 1, 2])]);
        assert_eq!(of(&[&[0, 1, 2, 3], &[0, 0, 1, 1], &[0, 1, 2, 3]]), [(1, vec![0, 1]), (1, vec![2, 3])]);
        assert_eq!(
            of(&[&[0, 1, 0, 1], &[2, 2, 3, 1], &[3, 0, 3, 0]]),
            [(1, vec![0, 1]), (2, vec![0, 2]), (2, vec![1, 3])]
        );
        // A single copy is no choice: separated tasks still read it separately.
        let scores = [score(&[0, 1, 0]), vec![vec![0.0]; 3]];
        assert_eq!(remerged(&scores, &tree(&scores, &[4, 3])), []);
        // Too few copies for all groups: the tree merges tasks again that chose different copies, and nothing separates them later.
        let scores = [score(&[0, 0, 1, 1]), score(&[0, 1, 0, 1]), score(&[0, 0, 1, 1])];
        let merged = tree(&scores, &[2, 2, 2]);
        assert_eq!(merged, vec![vec![0, 0, 1, 1]; 3]);
        assert_eq!(remerged(&scores, &merged), [(1, vec![0, 2]), (1, vec![1, 3])]);
    }

    #[test]
    fn labels_come_to_a_tree() {
        let score = |labels: &[usize]| -> Vec<Vec<f64>> {
            labels.iter().map(|c| (0..3).map(|i| if i == *c { -0.1 } else { -2.0 }).collect()).collect()
        };
        // Parted at the second stage, the same copy again at the third: they stay parted.
        let found = tree(&[score(&[0, 0, 0]), score(&[1, 1, 2]), score(&[0, 0, 0])], &[3, 3, 3]);
        assert_eq!(found, [vec![0, 0, 0], vec![0, 0, 1], vec![0, 0, 1]]);
        // At most two at the last stage: the least certain of one parent goes with its sibling.
        let mut last = score(&[0, 1, 2]);
        last[1] = vec![-1.0, -0.9, -3.0];
        let found = tree(&[score(&[0, 0, 0]), last], &[2, 2]);
        assert_eq!(found[1], [0, 0, 1]);
        assert_eq!(limits(&[1, 4, 2, 5]), [1, 2, 2, 5]);
        // All the same: all together, and nothing is left to chance.
        assert_eq!(tree(&[vec![vec![-1.0, -1.0]; 4]], &[2]), [vec![0; 4]]);
    }
}
