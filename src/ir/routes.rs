//! The options of a reader that reads `some`: a route is a non-empty subset of its candidates with one of the queries. Options are
//! numbered, so that one number stands for a decision of any kind, in logits, in states and in `search.json`.

use super::derive::Decision;
use super::*;

/// The most copies that a reader may choose a subset of: options are numbers, and subsets are bits.
pub const MOST_MEMBERS: usize = 32;

/// The number of a route: `(mask - 1) * queries + query`, where bit `i` of `mask` is candidate `i`. `queries` is at least 1.
pub fn number(members: &[usize], query: usize, queries: usize) -> usize {
    let mask = members.iter().fold(0usize, |m, i| m | 1 << i);
    (mask - 1) * queries + query
}

/// Members in order, and the query, of a route by its number.
pub fn route(number: usize, queries: usize) -> (Vec<usize>, usize) {
    let mask = number / queries + 1;
    ((0..usize::BITS as usize).filter(|i| mask >> i & 1 == 1).collect(), number % queries)
}

impl Choice {
    /// Queries that are chosen among: 1 where there is nothing to choose.
    pub fn queries(&self) -> usize {
        match &self.kind {
            ChoiceKind::Some { queries } => queries.len().max(1),
            ChoiceKind::One | ChoiceKind::Copy => 1,
        }
    }

    /// How many decisions there are: candidates, or (2^candidates - 1) subsets times the queries. A subset of one has no gate, so
    /// its queries are one route under several numbers.
    pub fn options(&self) -> usize {
        match self.kind {
            ChoiceKind::Some { .. } => ((1usize << self.candidates) - 1) * self.queries(),
            ChoiceKind::One | ChoiceKind::Copy => self.candidates,
        }
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

    /// The option that reads everything, by the first query; of a choice of one candidate the first.
    pub fn everything(&self) -> usize {
        match self.kind {
            ChoiceKind::Some { .. } => ((1usize << self.candidates) - 2) * self.queries(),
            ChoiceKind::One | ChoiceKind::Copy => 0,
        }
    }

    pub fn is_route(&self) -> bool {
        matches!(self.kind, ChoiceKind::Some { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hir::Query;

    #[test]
    fn every_number_is_one_route() {
        let choice = Choice {
            reader: Reader::Head(TaskId(0)),
            of: StageId(0),
            candidates: 3,
            kind: ChoiceKind::Some { queries: vec![Query::Previous, Query::Previous] },
        };
        assert_eq!(choice.options(), 14);
        let mut seen = Vec::new();
        for n in 0..choice.options() {
            let (members, query) = route(n, 2);
            assert!(!members.is_empty() && members.iter().all(|m| *m < 3));
            assert_eq!(number(&members, query, 2), n);
            assert!(!seen.contains(&(members.clone(), query)));
            seen.push((members, query));
        }
        assert_eq!(route(choice.everything(), 2), (vec![0, 1, 2], 0));
        assert_eq!(choice.decision(0), Decision::Some(vec![0], 0));
    }
}
