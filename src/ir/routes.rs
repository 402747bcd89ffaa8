//! The options of a reader that reads `some`. A route is a non-empty subset of its candidates, and for a subset of several copies also
//! one of the queries of its gate. A subset of one copy has no gate, so it is a single option for any number of queries.
//!
//! Two numberings are used. The *number* of a decision is the input of a model and the value in `search.json`: it encodes subset and
//! query, and the numbers that would repeat a subset of one copy are never used. *Options* are the distinct decisions, in the order of
//! their numbers.

use rand::{Rng, RngExt};

use super::derive::Decision;
use super::*;

/// The most copies that a reader may choose a subset of: options are numbers, and subsets are bits.
pub const MOST_MEMBERS: usize = 32;

/// The number of a route: `(mask - 1) * queries + query`, where bit `i` of `mask` is candidate `i`. `queries` is at least 1. A subset of
/// one copy has no query; it counts as the first.
pub fn number(members: &[usize], query: usize, queries: usize) -> usize {
    let mask = members.iter().fold(0usize, |m, i| m | 1 << i);
    (mask - 1) * queries + if members.len() > 1 { query } else { 0 }
}

/// Members in order, and the query, of a route by its number.
pub fn route(number: usize, queries: usize) -> (Vec<usize>, usize) {
    let mask = number / queries + 1;
    ((0..usize::BITS as usize).filter(|i| mask >> i & 1 == 1).collect(), number % queries)
}

/// The number of bit masks in `1..=mask` that have several members.
pub fn several(mask: usize) -> usize {
    mask - (usize::BITS - mask.leading_zeros()) as usize
}

impl Choice {
    /// Queries that are chosen among: 1 where there is nothing to choose.
    pub fn queries(&self) -> usize {
        match &self.kind {
            ChoiceKind::Some { queries } => queries.len().max(1),
            ChoiceKind::One | ChoiceKind::Copy => 1,
        }
    }

    /// The number of subsets to choose from. For a choice of one candidate, this is the number of candidates.
    pub fn subsets(&self) -> usize {
        match self.kind {
            ChoiceKind::Some { .. } => (1usize << self.candidates) - 1,
            ChoiceKind::One | ChoiceKind::Copy => self.candidates,
        }
    }

    /// The number of distinct decisions: candidates, or subsets, where a subset of several copies counts once per query.
    pub fn options(&self) -> usize {
        match self.kind {
            ChoiceKind::Some { .. } => self.candidates + several(self.subsets()) * self.queries(),
            ChoiceKind::One | ChoiceKind::Copy => self.candidates,
        }
    }

    /// The upper bound of all numbers; it is not a number itself.
    pub fn numbers(&self) -> usize {
        self.subsets() * self.queries()
    }

    /// The number of the option at this index.
    pub fn number(&self, option: usize) -> usize {
        let queries = self.queries();
        if queries == 1 {
            return option;
        }
        // The subsets with largest member `largest` are that member alone, then that member with every subset of the smaller ones.
        let (mut first, mut largest) = (0, 0);
        loop {
            let wide = 1 + ((1usize << largest) - 1) * queries;
            if option < first + wide {
                break;
            }
            first += wide;
            largest += 1;
        }
        let place = option - first;
        let (beside, query) = if place == 0 { (0, 0) } else { (1 + (place - 1) / queries, (place - 1) % queries) };
        ((1 << largest) + beside - 1) * queries + query
    }

    /// Draws a decision: first a subset, uniformly, so that its probability does not depend on the number of queries; then, for a subset
    /// of several copies, a query.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        let (subset, queries) = (rng.random_range(0..self.subsets()), self.queries());
        let gated = self.is_route() && queries > 1 && !(subset + 1).is_power_of_two();
        subset * queries + if gated { rng.random_range(0..queries) } else { 0 }
    }

    /// What a number stands for.
    pub fn decision(&self, number: usize) -> Decision {
        match self.kind {
            ChoiceKind::Some { .. } => {
                let (members, query) = route(number, self.queries());
                Decision::Some(members, query)
            }
            ChoiceKind::One | ChoiceKind::Copy => Decision::One(number),
        }
    }

    /// The number of the option that reads all copies with the first query. For a choice of one candidate, the first candidate.
    pub fn everything(&self) -> usize {
        match self.kind {
            ChoiceKind::Some { .. } => (self.subsets() - 1) * self.queries(),
            ChoiceKind::One | ChoiceKind::Copy => 0,
        }
    }

    pub fn is_route(&self) -> bool {
        matches!(self.kind, ChoiceKind::Some { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::hir::Query;
    use crate::random::Randomness;

    fn choice(candidates: usize, queries: usize) -> Choice {
        Choice {
            reader: Reader::Head(TaskId(0)),
            of: StageId(0),
            candidates,
            kind: ChoiceKind::Some { queries: vec![Query::Previous; queries] },
        }
    }

    /// The meaning of a number: the copies, and the query if there are several copies.
    fn meaning(choice: &Choice, number: usize) -> (Vec<usize>, Option<usize>) {
        let Decision::Some(members, query) = choice.decision(number) else { panic!("a route") };
        let query = (members.len() > 1).then_some(query);
        (members, query)
    }

    /// The options are all distinct routes, without repetition: there are as many as distinct meanings of numbers.
    #[test]
    fn every_option_is_another_route() {
        for candidates in 1..=6 {
            for queries in 0..=4 {
                let choice = choice(candidates, queries);
                let all: HashSet<_> = (0..choice.numbers()).map(|n| meaning(&choice, n)).collect();
                let numbers: Vec<usize> = (0..choice.options()).map(|o| choice.number(o)).collect();
                assert!(numbers.is_sorted() && numbers.iter().all(|n| *n < choice.numbers()), "{numbers:?}");
                let mine: HashSet<_> = numbers.iter().map(|n| meaning(&choice, *n)).collect();
                assert_eq!((mine.len(), &mine), (numbers.len(), &all), "{candidates} copies, {queries} queries");
                for n in numbers {
                    let (members, query) = route(n, choice.queries());
                    assert_eq!(number(&members, query, choice.queries()), n);
                }
            }
        }
        assert_eq!((choice(3, 1).options(), choice(3, 2).options(), choice(3, 3).options()), (7, 11, 15));
        let choice = choice(3, 2);
        assert_eq!(route(choice.everything(), 2), (vec![0, 1, 2], 0));
        assert_eq!(choice.decision(0), Decision::Some(vec![0], 0));
        // A subset of one copy is the same route for every query.
        assert_eq!((number(&[1], 0, 3), number(&[1], 2, 3)), (3, 3));
    }

    /// Pearson's chi-squared statistic of counts that should have these proportions, transformed to a standard normal variable (Wilson and
    /// Hilferty 1931).
    fn surprise(counts: &[f64], shares: &[f64]) -> f64 {
        let total: f64 = counts.iter().sum();
        let x: f64 = counts.iter().zip(shares).map(|(n, p)| (n - total * p).powi(2) / (total * p)).sum();
        let k = (counts.len() - 1) as f64;
        ((x / k).powf(1.0 / 3.0) - (1.0 - 2.0 / (9.0 * k))) / (2.0 / (9.0 * k)).sqrt()
    }

    /// Draws are uniform over subsets for any number of queries, and uniform over the queries of every subset of several copies.
    #[test]
    fn draws_are_uniform_over_subsets_for_any_number_of_queries() {
        for candidates in 2..=4 {
            for queries in 1..=4 {
                let choice = choice(candidates, queries);
                let mut rng = Randomness::new(11).stream("test draws", [candidates as u64, queries as u64, 0]);
                let mut counts = vec![vec![0.0; queries]; choice.subsets()];
                for _ in 0..20_000 {
                    let n = choice.draw(&mut rng);
                    counts[n / queries][n % queries] += 1.0;
                }
                let subsets: Vec<f64> = counts.iter().map(|c| c.iter().sum()).collect();
                let even = |n: usize| vec![1.0 / n as f64; n];
                let off = surprise(&subsets, &even(subsets.len()));
                assert!(off < 3.0, "{candidates} copies, {queries} queries: {off} standard deviations, {subsets:?}");
                for (subset, counts) in counts.iter().enumerate() {
                    if (subset + 1).is_power_of_two() {
                        assert_eq!(counts[0], subsets[subset], "a subset of one has one number");
                    } else if queries > 1 {
                        let off = surprise(counts, &even(queries));
                        assert!(
                            off < 3.5,
                            "{candidates} copies, {queries} queries, subset {subset}: {off}, {counts:?}"
                        );
                    }
                }
            }
        }
    }
}
