//! Groups that are in two splits: what a network has learned from one row of a group helps it with the others.

use std::collections::HashMap;

use super::keys::{SEPARATOR, group};
use crate::data::raw::{Raw, RawColumn, SPLITS, Values};

/// The groups, by one or several columns, that two splits have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    pub by: Vec<String>,
    /// Positions in [`SPLITS`].
    pub splits: [usize; 2],
    pub groups: usize,
    /// The number of rows of the second split that belong to such groups, and the number of all its rows.
    pub rows: [usize; 2],
    pub example: String,
}

impl Crossing {
    pub fn message(&self) -> String {
        let [a, b] = self.splits.map(|s| SPLITS[s]);
        let by = self.by.iter().map(|b| format!("`{b}`")).collect::<Vec<_>>().join(" and ");
        let what = if self.groups == 1 { "value" } else { "values" };
        format!(
            "{} {what} of {by} are in {a} and in {b}, for example {:?}: {} of {} {b} rows are of groups that {a} has, so scores look \
             better than they are on new groups",
            self.groups, self.example, self.rows[0], self.rows[1]
        )
    }
}

/// All pairs of splits that have groups in common.
pub fn crossings(raw: &Raw, groups: &[Vec<String>]) -> Vec<Crossing> {
    let mut out = Vec::new();
    for by in groups {
        let Some(at) = by.iter().map(|n| raw.index(n)).collect::<Option<Vec<_>>>() else { continue };
        let counts = [0, 1, 2].map(|s| counts(raw, s, &at));
        for [a, b] in [[0, 1], [0, 2], [1, 2]] {
            let mut both: Vec<(&String, usize)> =
                counts[b].iter().filter(|(g, _)| counts[a].contains_key(*g)).map(|(g, n)| (g, *n)).collect();
            both.sort_unstable();
            let Some((first, _)) = both.first() else { continue };
            out.push(Crossing {
                by: by.clone(),
                splits: [a, b],
                groups: both.len(),
                rows: [both.iter().map(|(_, n)| n).sum(), raw.splits[b].rows],
                example: first.split_terminator(SEPARATOR).collect::<Vec<_>>().join(", "),
            });
        }
    }
    out
}

/// The number of rows of each group in one split, without rows that have no group.
fn counts(raw: &Raw, s: usize, at: &[usize]) -> HashMap<String, usize> {
    let mut out = HashMap::new();
    let columns: Vec<(&RawColumn, &Values)> =
        at.iter().map(|c| (&raw.columns[*c], &raw.splits[s].columns[*c])).collect();
    let mut word = String::new();
    for row in 0..raw.splits[s].rows {
        if group(&columns, row, &mut word) {
            *out.entry(word.clone()).or_default() += 1;
        }
    }
    out
}
