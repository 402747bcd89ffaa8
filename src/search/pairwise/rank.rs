//! Ranks all trees of a space by estimates from the results of two-task networks.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Serialize;

use super::pairs::{Better, Values};
use crate::ir::trees::{self, Labels, blocks};

/// A ranked tree.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ranked {
    pub estimate: f64,
    pub params: u64,
    pub macs: u64,
    pub within_budget: bool,
    /// The clusters at each stage, by the block of each task.
    pub clusters: Vec<Labels>,
    /// Its index in the order of labels.
    #[serde(skip)]
    place: u64,
}

/// The sizes from which the size of a tree is computed: of one copy of each stage, and of all heads.
#[derive(Debug, Clone)]
pub struct Sizes {
    pub stages: Vec<u64>,
    pub heads: u64,
}

impl Sizes {
    fn of(&self, chain: &[Labels]) -> u64 {
        self.heads + chain.iter().zip(&self.stages).map(|(p, s)| blocks(p) as u64 * s).sum::<u64>()
    }
}

/// The input of a ranking.
pub struct Problem {
    /// Relative results by task, partner and number of shared stages; lower is better ([`relative`]).
    pub shares: Values,
    /// The largest number of copies of each stage.
    pub most: Vec<usize>,
    pub params: Sizes,
    pub macs: Sizes,
    /// Whether the budget bounds multiply-accumulates.
    pub of_macs: bool,
    pub limit: f64,
}

/// The result of a ranking.
pub struct Ranking {
    /// The number of distinct trees of the space.
    pub trees: u64,
    /// The best tree within the budget.
    pub best: Option<Ranked>,
    /// All trees, the best first. If there are more trees than `most_listed`, that number of trees with the lowest estimates, and every
    /// tree that would be the result for some budget on parameters or multiply-accumulates.
    pub listed: Vec<Ranked>,
}

/// Converts results to relative ones, of which lower is better: 1 + d / m, where m is the mean of the task's results without sharing (its
/// absolute value), and d is how much worse the result is than that mean. If m is 0, the relative result is d. If a result is too far from
/// the mean, the error is its task and partner: sums of such results would be infinite, or so large that other results would not count.
pub fn relative(values: &mut Values, better: Better) -> Result<(), (usize, usize)> {
    const MOST: f64 = 1e100;
    let n = values.len();
    for (t, partners) in values.iter_mut().enumerate() {
        let alone: f64 = (0..n).filter(|u| *u != t).map(|u| partners[u][0]).sum::<f64>() / (n.max(2) - 1) as f64;
        for (u, v) in partners.iter_mut().enumerate().flat_map(|(u, list)| list.iter_mut().map(move |v| (u, v))) {
            let worse = if better == Better::Lower { *v - alone } else { alone - *v };
            *v = if alone != 0.0 { 1.0 + worse / alone.abs() } else { worse };
            if !(-MOST..=MOST).contains(v) {
                return Err((t, u));
            }
        }
    }
    Ok(())
}

impl Ranked {
    /// Compares trees by estimate, then by number of parameters, then by labels.
    fn order(&self, other: &Ranked) -> Ordering {
        let size = self.params.cmp(&other.params);
        self.estimate.total_cmp(&other.estimate).then(size).then(self.place.cmp(&other.place))
    }
}

/// Orders a heap such that the worst tree is on top.
struct Worst(Ranked);

impl Ord for Worst {
    fn cmp(&self, other: &Worst) -> Ordering {
        self.0.order(&other.0)
    }
}
impl PartialOrd for Worst {
    fn partial_cmp(&self, other: &Worst) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Worst {
    fn eq(&self, other: &Worst) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Worst {}

/// The trees that are best for some budget, sorted by size: for none of them is there a tree that is both smaller and better.
#[derive(Default)]
struct Front(Vec<(u64, Ranked)>);

impl Front {
    fn offer(&mut self, size: u64, tree: &Ranked) {
        let at = self.0.partition_point(|(s, _)| *s < size);
        let beaten = |(_, other): &(u64, Ranked)| other.order(tree).is_lt();
        if self.0[..at].last().is_some_and(beaten) || self.0.get(at).is_some_and(|o| o.0 == size && beaten(o)) {
            return;
        }
        let from = at;
        let to = from + self.0[from..].iter().take_while(|(_, other)| tree.order(other).is_lt()).count();
        self.0.splice(from..to, [(size, tree.clone())]);
    }
}

/// Ranks every tree. The list has at most `most_listed` trees, plus those for other budgets ([`Ranking::listed`]).
pub fn rank(problem: &Problem, most_listed: usize) -> Ranking {
    let n = problem.shares.len();
    let mut found = Ranking { trees: 0, best: None, listed: Vec::new() };
    let mut heap: BinaryHeap<Worst> = BinaryHeap::new();
    let mut fronts = [Front::default(), Front::default()];
    trees::each(n, &problem.most, &mut |chain| {
        let mut sum = 0.0;
        for t in 0..n {
            for u in (0..n).filter(|u| *u != t) {
                let shared = chain.iter().take_while(|p| p[t] == p[u]).count();
                sum += problem.shares[t][u][shared];
            }
        }
        let (params, macs) = (problem.params.of(chain), problem.macs.of(chain));
        let size = if problem.of_macs { macs } else { params };
        let tree = Ranked {
            estimate: sum / (n * (n.max(2) - 1)) as f64,
            params,
            macs,
            within_budget: size as f64 <= problem.limit,
            clusters: chain.to_vec(),
            place: found.trees,
        };
        found.trees += 1;
        if tree.within_budget && found.best.as_ref().is_none_or(|b| tree.order(b).is_lt()) {
            found.best = Some(tree.clone());
        }
        fronts[0].offer(params, &tree);
        fronts[1].offer(macs, &tree);
        if heap.len() < most_listed {
            heap.push(Worst(tree));
        } else if heap.peek().is_some_and(|w| tree.order(&w.0).is_lt()) {
            heap.pop();
            heap.push(Worst(tree));
        }
        true
    });
    found.listed = heap.into_iter().map(|w| w.0).collect();
    if found.trees > found.listed.len() as u64 {
        found.listed.extend(fronts.into_iter().flat_map(|f| f.0).map(|(_, tree)| tree));
    }
    found.listed.sort_by(Ranked::order);
    found.listed.dedup_by_key(|t| t.place);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::count::chains;
    use crate::random::Randomness;
    use rand::RngExt;

    fn problem(shares: Values, most: &[usize], sizes: &[u64], limit: f64) -> Problem {
        let macs = Sizes { stages: sizes.iter().rev().copied().collect(), heads: 0 };
        let params = Sizes { stages: sizes.to_vec(), heads: 0 };
        Problem { shares, most: most.to_vec(), params, macs, of_macs: false, limit }
    }

    /// Tasks 0 and 1 gain by sharing, and both lose by sharing with 2, so they share all stages, and 2 is separate.
    #[test]
    fn the_best_tree_of_pairs() {
        let (gain, loss) = ([1.0, 0.8, 0.6], [1.0, 1.3, 1.9]);
        let of = |better: Better| {
            let value = |t: usize, v: f64| (t + 1) as f64 * if better == Better::Lower { v } else { 2.0 - v };
            let list = |t: usize, u: usize| {
                if t + u == 1 { gain } else { loss }.iter().map(|v| value(t, *v)).collect::<Vec<f64>>()
            };
            let mut shares: Values = (0..3).map(|t| (0..3).map(|u| list(t, u)).collect()).collect();
            relative(&mut shares, better).expect("near one another");
            shares
        };
        let shares = of(Better::Lower);
        assert_eq!((shares[0][1][2], shares[2][0][1]), (0.6, 1.3));
        // Equivalent scores give the same ranking.
        for (a, b) in shares.iter().flatten().flatten().zip(of(Better::Higher).iter().flatten().flatten()) {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
        let ranking = rank(&problem(shares.clone(), &[3, 3], &[10, 10], 1e9), 1000);
        assert_eq!((ranking.trees, ranking.listed.len()), (12, 12), "all trees");
        assert_eq!(ranking.listed[0].clusters, [[0, 0, 1], [0, 0, 1]]);
        assert_eq!(ranking.best.as_ref(), ranking.listed.first());
        assert!((ranking.listed[0].estimate - (0.6 + 1.0 + 0.6 + 1.0 + 1.0 + 1.0) / 6.0).abs() < 1e-12);
        assert!(ranking.listed.windows(2).all(|w| w[0].estimate <= w[1].estimate));
        // With a budget of three copies, all tasks share the first stage. The list has all trees and marks those within the budget.
        let tight = rank(&problem(shares.clone(), &[3, 3], &[10, 10], 30.0), 1000);
        assert_eq!(tight.listed.len(), 12);
        assert!(tight.listed.iter().all(|r| r.within_budget == (r.params <= 30)));
        assert_eq!(tight.best.expect("one fits").clusters, [[0, 0, 0], [0, 0, 1]]);
        assert!(rank(&problem(shares, &[3, 3], &[10, 10], 19.0), 1000).best.is_none());
    }

    /// Values of any size become relative to a mean; one that is too far from it is named.
    #[test]
    fn shares_are_of_a_size_to_add() {
        let of = |alone: f64, shared: f64| {
            let mut values = vec![vec![vec![], vec![alone, shared]], vec![vec![1.0, 1.0], vec![]]];
            relative(&mut values, Better::Lower).map(|_| values[0][1][1])
        };
        assert_eq!(of(3e38, 1.5e38), Ok(0.5));
        assert_eq!(of(1e-45, 2e-45), Ok(2.0));
        assert_eq!(of(5e-324, 1.0), Err((0, 1)), "infinite");
        assert_eq!(of(1e-150, 1.0), Err((0, 1)), "so large that nothing else counts");
    }

    /// A shortened list has the right number of trees in total, the best trees, and for any budget the tree that it selects.
    #[test]
    fn a_cut_list_serves_every_budget() {
        for seed in 0..12u64 {
            let (tasks, stages) = (2 + seed as usize % 4, 1 + seed as usize % 3);
            let mut rng = Randomness::new(seed).stream("test pairs", [0; 3]);
            let mut list = |_| (0..=stages).map(|_| rng.random_range(0.5..1.5)).collect::<Vec<f64>>();
            let mut shares: Values = (0..tasks).map(|_| (0..tasks).map(&mut list).collect()).collect();
            relative(&mut shares, Better::Lower).expect("near one another");
            let sizes: Vec<u64> = (0..stages as u64).map(|s| 3 + 5 * s).collect();
            let most = vec![tasks; stages];
            let all = rank(&problem(shares.clone(), &most, &sizes, f64::INFINITY), 100_000);
            assert_eq!(Some(all.trees.into()), chains(tasks, &most));
            assert_eq!(all.listed.len() as u64, all.trees);
            let cut = rank(&problem(shares.clone(), &most, &sizes, f64::INFINITY), 3);
            assert_eq!(cut.trees, all.trees);
            assert!(cut.listed[..3.min(cut.listed.len())] == all.listed[..3.min(all.listed.len())]);
            let chosen =
                |list: &[Ranked], fits: &dyn Fn(&Ranked) -> bool| list.iter().find(|t| fits(t)).map(|t| t.place);
            for limit in 0..=all.listed.iter().map(|t| t.params.max(t.macs)).max().expect("trees") {
                for fits in
                    [&(|t: &Ranked| t.params <= limit) as &dyn Fn(&Ranked) -> bool, &|t: &Ranked| t.macs <= limit]
                {
                    assert_eq!(chosen(&cut.listed, fits), chosen(&all.listed, fits), "seed {seed}, {limit}");
                }
                let found = rank(&problem(shares.clone(), &most, &sizes, limit as f64), 1).best.map(|t| t.place);
                assert_eq!(found, chosen(&all.listed, &|t| t.params <= limit));
            }
        }
    }
}
