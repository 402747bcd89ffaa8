//! The tree whose clusters agree most under a budget (Vandenhende et al. 2020, section 3.2; methods taken from three
//! re-implementations, since the paper's text was not at hand).
//!
//! - **Cost of a location**: the mean over its clusters of the largest dissimilarity (1 - affinity) of two of a cluster's tasks.
//!   A cluster of one task costs nothing and counts in the mean.
//! - **Cost of a tree**: the sum over locations. Trees beyond the budget are discarded; the cheapest of the rest is chosen, of
//!   equally cheap ones the smaller, of those the first in the order of labels.
//!
//! Up to [`MOST`] tasks the optimum over all trees is found: a dynamic programme over partitions keeps, for every partition at a
//! location, the trees above it that no other is both cheaper and smaller than. Beyond, see `beam`.

use std::collections::HashMap;

use crate::ir::trees::{Labels, blocks, refinements};

/// Tasks up to which all trees are searched: eight have 4,140 partitions, nine have 21,147.
pub const MOST: usize = 8;

/// What is chosen from.
#[derive(Debug, Clone)]
pub struct Problem {
    pub tasks: usize,
    /// `1 - affinity` by location: `[tasks, tasks]`, row-major.
    pub dissimilarity: Vec<Vec<f64>>,
    /// What one copy costs of the budget, by location.
    pub sizes: Vec<u64>,
    /// Most clusters, by location.
    pub most: Vec<usize>,
    /// Largest sum over locations of clusters times size.
    pub limit: f64,
}

/// A tree with its cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Tree {
    /// The clusters at each location, from the first.
    pub chain: Vec<Labels>,
    pub cost: f64,
    pub size: u64,
}

impl Problem {
    pub fn locations(&self) -> usize {
        self.sizes.len()
    }

    /// Largest dissimilarity in each cluster.
    pub fn diameters(&self, location: usize, labels: &[u16]) -> Vec<f64> {
        let d = &self.dissimilarity[location];
        let mut out = vec![0.0f64; blocks(labels)];
        for i in 0..labels.len() {
            for j in i + 1..labels.len() {
                if labels[i] == labels[j] {
                    let most = &mut out[labels[i] as usize];
                    *most = most.max(d[i * self.tasks + j]);
                }
            }
        }
        out
    }

    /// Cost of clusters at a location.
    pub fn cost(&self, location: usize, labels: &[u16]) -> f64 {
        let diameters = self.diameters(location, labels);
        diameters.iter().sum::<f64>() / diameters.len() as f64
    }

    /// Cost and size of a whole tree.
    #[cfg(test)]
    pub fn tree(&self, chain: &[Labels]) -> Tree {
        let cost = chain.iter().enumerate().map(|(l, p)| self.cost(l, p)).sum();
        let size = chain.iter().zip(&self.sizes).map(|(p, s)| blocks(p) as u64 * s).sum();
        Tree { chain: chain.to_vec(), cost, size }
    }

    /// Most clusters at a location that later ones, which are no fewer, allow.
    pub fn bounds(&self) -> Vec<usize> {
        let mut most = self.most.clone();
        for l in (1..most.len()).rev() {
            most[l - 1] = most[l - 1].min(most[l]);
        }
        most.iter().map(|m| (*m).min(self.tasks)).collect()
    }
}

/// Trees down to some partition.
#[derive(Debug, Clone, Copy)]
struct Way {
    size: u64,
    cost: f64,
    /// Partition at the location above, and which of its ways.
    from: (u32, u32),
}

/// The best of all trees; `None` if not even the all-shared one keeps the budget.
pub fn exact(problem: &Problem) -> Option<Tree> {
    let all = crate::ir::trees::partitions(problem.tasks);
    let index: HashMap<&Labels, u32> = all.iter().zip(0..).collect();
    let below: Vec<Vec<u32>> =
        all.iter().map(|p| refinements(p, problem.tasks).iter().map(|r| index[r]).collect()).collect();
    let counts: Vec<usize> = all.iter().map(|p| blocks(p)).collect();
    let bounds = problem.bounds();
    let mut levels: Vec<Vec<Vec<Way>>> = Vec::new();
    for (l, size) in problem.sizes.iter().enumerate() {
        // Later locations have no fewer clusters.
        let rest: u64 = problem.sizes[l + 1..].iter().sum();
        let mut here: Vec<Vec<Way>> = vec![Vec::new(); all.len()];
        // Thinned out whenever a list has doubled, or memory would hold a way per tree.
        let mut room = vec![1024; all.len()];
        let costs: Vec<f64> = all.iter().map(|p| problem.cost(l, p)).collect();
        let mut extend = |to: usize, ways: &[Way], from: Option<u32>| {
            let k = counts[to];
            if k > bounds[l] {
                return;
            }
            for (i, w) in ways.iter().enumerate() {
                let total = w.size + k as u64 * size;
                if (total + k as u64 * rest) as f64 <= problem.limit {
                    let from = from.map_or((0, 0), |p| (p, i as u32));
                    here[to].push(Way { size: total, cost: w.cost + costs[to], from });
                }
            }
            if here[to].len() > room[to] {
                frontier(&mut here[to]);
                room[to] = 2 * here[to].len().max(512);
            }
        };
        match levels.last() {
            None => (0..all.len()).for_each(|p| extend(p, &[Way { size: 0, cost: 0.0, from: (0, 0) }], None)),
            Some(above) => {
                for (p, ways) in above.iter().enumerate().filter(|(_, w)| !w.is_empty()) {
                    below[p].iter().for_each(|to| extend(*to as usize, ways, Some(p as u32)));
                }
            }
        }
        here.iter_mut().for_each(frontier);
        levels.push(here);
    }
    let last = levels.last()?;
    let ends = last.iter().enumerate().flat_map(|(p, ways)| ways.iter().map(move |w| (p, w)));
    let (p, best) = ends.min_by(|(p, a), (q, b)| a.cost.total_cmp(&b.cost).then(a.size.cmp(&b.size)).then(p.cmp(q)))?;
    let (mut chain, mut at) = (vec![all[p].clone()], best.from);
    for level in levels.iter().rev().skip(1) {
        chain.push(all[at.0 as usize].clone());
        at = level[at.0 as usize][at.1 as usize].from;
    }
    chain.reverse();
    Some(Tree { chain, cost: best.cost, size: best.size })
}

/// Keeps the ways that no other is both smaller and cheaper than (or equal to, and earlier), by size.
fn frontier(ways: &mut Vec<Way>) {
    ways.sort_by(|a, b| a.size.cmp(&b.size).then(a.cost.total_cmp(&b.cost)));
    let mut least = f64::INFINITY;
    ways.retain(|w| {
        let better = w.cost < least;
        least = least.min(w.cost);
        better
    });
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::random::Randomness;
    use rand::RngExt;

    /// A problem whose affinities are drawn one by one: no structure that a heuristic could use.
    pub fn drawn(seed: u64, tasks: usize, locations: usize) -> Problem {
        let mut rng = Randomness::new(seed).stream("test problem", [tasks as u64, locations as u64, 0]);
        let mut matrix = || {
            let mut d = vec![0.0; tasks * tasks];
            for i in 0..tasks {
                for j in i + 1..tasks {
                    let v: f64 = rng.random_range(0.0..1.0);
                    (d[i * tasks + j], d[j * tasks + i]) = (v, v);
                }
            }
            d
        };
        let dissimilarity: Vec<Vec<f64>> = (0..locations).map(|_| matrix()).collect();
        let sizes: Vec<u64> = (0..locations).map(|_| rng.random_range(1..100)).collect();
        let whole: u64 = sizes.iter().sum();
        let limit = rng.random_range(1.0..tasks.max(2) as f64) * whole as f64;
        Problem { tasks, dissimilarity, sizes, most: vec![tasks; locations], limit }
    }

    /// By looking at every tree.
    fn brute(problem: &Problem) -> Option<Tree> {
        let mut best: Option<Tree> = None;
        crate::ir::trees::each(problem.tasks, &problem.most, &mut |chain| {
            let tree = problem.tree(chain);
            let better = best.as_ref().is_none_or(|b| (tree.cost, tree.size) < (b.cost, b.size));
            if tree.size as f64 <= problem.limit && better {
                best = Some(tree);
            }
            true
        });
        best
    }

    #[test]
    fn the_optimum_of_all_trees() {
        for seed in 0..60 {
            let (tasks, locations) = (1 + seed as usize % 5, 1 + seed as usize / 5 % 5);
            let mut problem = drawn(seed, tasks, locations);
            if seed % 3 == 0 {
                problem.most = (0..locations).map(|l| 1 + (l + seed as usize) % tasks).collect();
            }
            let (found, wanted) = (exact(&problem), brute(&problem));
            let (found, wanted) = (found.expect("shared fits"), wanted.expect("shared fits"));
            assert_eq!((found.cost, found.size), (wanted.cost, wanted.size), "seed {seed}: {found:?}");
            assert_eq!(problem.tree(&found.chain), found);
        }
    }

    /// The largest that is done exactly; the time is for eyes: `--nocapture`.
    #[test]
    fn five_and_eight_tasks() {
        for (tasks, locations) in [(5, 6), (MOST, 4)] {
            let problem = drawn(17, tasks, locations);
            let start = std::time::Instant::now();
            let best = exact(&problem).expect("shared fits");
            println!("{tasks} tasks, {locations} locations: {:?}", start.elapsed());
            assert_eq!(problem.tree(&best.chain), best);
        }
    }

    #[test]
    fn ends_of_the_budget() {
        let mut problem = drawn(3, 4, 3);
        let whole: u64 = problem.sizes.iter().sum();
        problem.limit = whole as f64;
        assert_eq!(exact(&problem).expect("it fits").chain, vec![vec![0; 4]; 3]);
        problem.limit -= 1.0;
        assert_eq!(exact(&problem), None);
        problem.limit = f64::INFINITY;
        let split = exact(&problem).expect("it fits");
        assert_eq!((split.chain, split.cost), (vec![vec![0, 1, 2, 3]; 3], 0.0));
    }

    /// With nothing to tell tasks apart the smallest tree is chosen.
    #[test]
    fn ties_everywhere() {
        let problem = Problem { dissimilarity: vec![vec![0.0; 25]; 3], limit: 1e9, ..drawn(1, 5, 3) };
        assert_eq!(exact(&problem).expect("it fits").chain, vec![vec![0; 5]; 3]);
    }
}
