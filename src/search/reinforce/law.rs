//! The probabilities of a reader's options, with the gradients that REINFORCE needs.
//!
//! A reader that chooses one parent has a categorical distribution. A reader of `some` has a categorical over its subsets and, for every
//! subset of several copies, one over the queries: p(route) = p(subset) p(query | subset). All logits start at 0, so neither the
//! probability nor the learning of a subset depends on the number of queries: the queries of a subset learn only from samples of that
//! subset.

use crate::ir::{Choice, routes};
use crate::random::open_unit;
use crate::search::choices::{argmax, softmax};

/// The layout of a row of logits: one per subset (or parent), then one per query for each subset of several copies, in their order.
#[derive(Debug, Clone, Copy)]
pub struct Law {
    subsets: usize,
    /// The number of queries; 1 if no query is chosen.
    queries: usize,
}

impl Law {
    pub fn of(choice: &Choice) -> Law {
        Law { subsets: choice.subsets(), queries: choice.queries() }
    }

    /// The number of logits of a reader.
    pub fn logits(self) -> usize {
        self.subsets + if self.queries > 1 { routes::several(self.subsets) * self.queries } else { 0 }
    }

    /// The index of the first logit of a subset's queries; `None` if no query is chosen.
    fn place(self, subset: usize) -> Option<usize> {
        let mask = subset + 1;
        let gated = self.queries > 1 && !mask.is_power_of_two();
        gated.then(|| self.subsets + (routes::several(mask) - 1) * self.queries)
    }

    fn of_queries(self, row: &[f64], subset: usize) -> Option<Vec<f64>> {
        self.place(subset).map(|at| softmax(&row[at..at + self.queries]))
    }

    fn of_subsets(self, row: &[f64]) -> Vec<f64> {
        softmax(&row[..self.subsets])
    }

    /// The number and the probability of every option, in the order of numbers.
    pub fn probabilities(self, row: &[f64]) -> Vec<(usize, f64)> {
        let mut out = Vec::new();
        for (subset, p) in self.of_subsets(row).into_iter().enumerate() {
            match self.of_queries(row, subset) {
                None => out.push((subset * self.queries, p)),
                Some(q) => out.extend(q.into_iter().enumerate().map(|(n, q)| (subset * self.queries + n, p * q))),
            }
        }
        out
    }

    /// Draws an option; returns its number.
    pub fn sample(self, row: &[f64], rng: &mut impl rand::Rng) -> usize {
        let subset = drawn(&self.of_subsets(row), open_unit(rng));
        let query = self.of_queries(row, subset).map_or(0, |q| drawn(&q, open_unit(rng)));
        subset * self.queries + query
    }

    /// The number of the most probable subset with its most probable query; the first one if several are equal.
    pub fn mode(self, row: &[f64]) -> usize {
        let subset = argmax(&row[..self.subsets]);
        subset * self.queries + self.place(subset).map_or(0, |at| argmax(&row[at..at + self.queries]))
    }

    /// Subtracts `weight` times d log p(number) / d row.
    pub fn push(self, row: &[f64], number: usize, weight: f64, gradient: &mut [f64]) {
        let mut categorical = |p: &[f64], at: usize, chosen: usize| {
            gradient[at..].iter_mut().zip(p).for_each(|(g, p)| *g += weight * p);
            gradient[at + chosen] -= weight;
        };
        let (subset, query) = (number / self.queries, number % self.queries);
        categorical(&self.of_subsets(row), 0, subset);
        if let (Some(at), Some(q)) = (self.place(subset), self.of_queries(row, subset)) {
            categorical(&q, at, query);
        }
    }

    pub fn entropy(self, row: &[f64]) -> f64 {
        let p = self.of_subsets(row);
        let of_queries = |(subset, p): (usize, &f64)| self.of_queries(row, subset).map_or(0.0, |q| p * entropy(&q));
        entropy(&p) + p.iter().enumerate().map(of_queries).sum::<f64>()
    }

    /// The entropy as a fraction of the initial entropy.
    pub fn openness(self, row: &[f64]) -> f64 {
        let even = self.entropy(&vec![0.0; row.len()]);
        // A single option leaves nothing to decide.
        if even > 0.0 { (self.entropy(row) / even).min(1.0) } else { 0.0 }
    }

    /// Subtracts `weight` times the gradient of the entropy. For a categorical, dH/dlogit_k = -p_k (ln p_k + H); the entropy of a subset's
    /// queries is added, weighted by the probability of the subset.
    pub fn spread(self, row: &[f64], weight: f64, gradient: &mut [f64]) {
        let p = self.of_subsets(row);
        let (own, mut inner) = (entropy(&p), vec![0.0; p.len()]);
        for (subset, p) in p.iter().enumerate() {
            if let (Some(at), Some(q)) = (self.place(subset), self.of_queries(row, subset)) {
                inner[subset] = entropy(&q);
                for (g, q) in gradient[at..].iter_mut().zip(&q).filter(|(_, q)| **q > 0.0) {
                    *g += weight * p * q * (q.ln() + inner[subset]);
                }
            }
        }
        let mean: f64 = p.iter().zip(&inner).map(|(p, h)| p * h).sum();
        for ((g, p), inner) in gradient.iter_mut().zip(&p).zip(&inner).filter(|((_, p), _)| **p > 0.0) {
            *g += weight * p * (p.ln() + own + mean - inner);
        }
    }
}

fn entropy(p: &[f64]) -> f64 {
    p.iter().map(|p| if *p > 0.0 { -p * p.ln() } else { 0.0 }).sum()
}

fn drawn(p: &[f64], u: f64) -> usize {
    let mut sum = 0.0;
    let place = p.iter().position(|p| {
        sum += p;
        u < sum
    });
    // Because of rounding, the probabilities can add up to slightly less than 1.
    place.unwrap_or(p.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hir::{Query, StageId, TaskId};
    use crate::ir::{ChoiceKind, Reader};
    use crate::random::Randomness;

    fn route(candidates: usize, queries: usize) -> Choice {
        Choice {
            reader: Reader::Head(TaskId(0)),
            of: StageId(0),
            candidates,
            kind: ChoiceKind::Some { queries: vec![Query::Previous; queries] },
        }
    }

    /// A row of logits without symmetries.
    fn row(law: Law) -> Vec<f64> {
        (0..law.logits()).map(|i| ((i * 7 + 3) % 11) as f64 / 5.0 - 1.0).collect()
    }

    fn moved(row: &[f64], i: usize, by: f64) -> Vec<f64> {
        let mut row = row.to_vec();
        row[i] += by;
        row
    }

    /// At the start, exactly: a subset of one copy is a single option, and the probability of a subset does not depend on the number of
    /// queries.
    #[test]
    fn a_subset_is_as_likely_with_any_number_of_queries() {
        for candidates in 1..=5 {
            for queries in 1..=4 {
                let choice = route(candidates, queries);
                let law = Law::of(&choice);
                let options = law.probabilities(&vec![0.0; law.logits()]);
                assert_eq!(options.len(), choice.options());
                let numbers: Vec<usize> = options.iter().map(|(n, _)| *n).collect();
                assert_eq!(numbers, (0..choice.options()).map(|o| choice.number(o)).collect::<Vec<_>>());
                let mut of_subset = vec![0.0; choice.subsets()];
                options.iter().for_each(|(n, p)| of_subset[n / queries] += p);
                for p in &of_subset {
                    assert!((p - 1.0 / of_subset.len() as f64).abs() < 1e-12, "{candidates} {queries}: {of_subset:?}");
                }
            }
        }
    }

    /// With one query and with three, subsets learn the same logits and the same mode from the same samples.
    #[test]
    fn a_subset_learns_the_same_with_any_number_of_queries() {
        let (one, three) = (Law::of(&route(3, 1)), Law::of(&route(3, 3)));
        let (mut a, mut b) = (vec![0.0; one.logits()], vec![0.0; three.logits()]);
        let mut rng = Randomness::new(3).stream("test rewards", [0; 3]);
        for step in 0..200 {
            let number = three.sample(&b, &mut rng);
            let advantage = open_unit(&mut rng) - 0.5;
            let (mut of_a, mut of_b) = (vec![0.0; a.len()], vec![0.0; b.len()]);
            one.push(&a, number / 3, advantage, &mut of_a);
            three.push(&b, number, advantage, &mut of_b);
            a.iter_mut().zip(&of_a).for_each(|(l, g)| *l -= 0.1 * g);
            b.iter_mut().zip(&of_b).for_each(|(l, g)| *l -= 0.1 * g);
            assert_eq!(a, b[..7], "step {step}");
            assert_eq!(one.mode(&a), three.mode(&b) / 3);
        }
        assert!(a.iter().any(|l| l.abs() > 0.05) && b[7..].iter().any(|l| l.abs() > 0.05));
    }

    /// Gradients of log p and of the entropy agree with central differences, and probabilities add up to 1.
    #[test]
    fn gradients_against_differences() {
        for (candidates, queries) in [(1, 3), (2, 1), (3, 2), (3, 3)] {
            let law = Law::of(&route(candidates, queries));
            let row = row(law);
            let chance = |row: &[f64], n: usize| law.probabilities(row).iter().find(|(m, _)| *m == n).expect("there").1;
            let all: f64 = law.probabilities(&row).iter().map(|(_, p)| p).sum();
            assert!((all - 1.0).abs() < 1e-12);
            let entropy: f64 = law.probabilities(&row).iter().map(|(_, p)| -p * p.ln()).sum();
            assert!((law.entropy(&row) - entropy).abs() < 1e-12);
            let mut spread = vec![0.0; row.len()];
            law.spread(&row, 1.0, &mut spread);
            for i in 0..row.len() {
                let h = 1e-6;
                let of = |f: &dyn Fn(&[f64]) -> f64| (f(&moved(&row, i, h)) - f(&moved(&row, i, -h))) / (2.0 * h);
                assert!((spread[i] + of(&|r| law.entropy(r))).abs() < 1e-8, "{candidates} {queries} {i}");
                for (n, _) in law.probabilities(&row) {
                    let mut push = vec![0.0; row.len()];
                    law.push(&row, n, 1.0, &mut push);
                    assert!((push[i] + of(&|r| chance(r, n).ln())).abs() < 1e-8, "{candidates} {queries} {n} {i}");
                }
            }
        }
    }

    /// Frequencies of samples agree with their probabilities, and the mode is the most probable subset with its most probable query.
    #[test]
    fn samples_and_modes() {
        let law = Law::of(&route(3, 2));
        let row = row(law);
        let p = law.probabilities(&row);
        let n = 40_000;
        let mut counts = [0.0; 14];
        let mut rng = Randomness::new(5).stream("test samples", [0; 3]);
        (0..n).for_each(|_| counts[law.sample(&row, &mut rng)] += 1.0 / n as f64);
        for (number, p) in &p {
            let error = (p * (1.0 - p) / n as f64).sqrt();
            assert!((counts[*number] - p).abs() < 4.0 * error, "{number}: {} {p}", counts[*number]);
        }
        // [a, b] has probabilities 0.30 and 0.18 with its two queries, and [a] has 0.4: the sum for [a, b] is larger.
        let mut row = vec![-9.0; law.logits()];
        (row[0], row[2], row[7], row[8]) = (0.4f64.ln(), 0.48f64.ln(), 0.18f64.ln(), 0.30f64.ln());
        assert_eq!(routes::route(law.mode(&row), 2), (vec![0, 1], 1));
        assert_eq!(law.mode(&vec![0.0; law.logits()]), 0, "the first of equals");
        assert_eq!(law.openness(&vec![0.0; law.logits()]), 1.0);
        assert_eq!(Law::of(&route(1, 2)).openness(&[0.0]), 0.0, "nothing is left to decide");
    }
}
