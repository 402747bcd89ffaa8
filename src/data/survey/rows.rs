//! Rows per split, and rows whose inputs repeat: within a split, and between splits.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hasher};

use serde::Serialize;

use super::{Finding, Subject, percent, split};
use crate::data::raw::{Raw, SPLITS, Values};

/// Of one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowsSplit {
    pub split: &'static str,
    pub rows: usize,
    /// Rows with the inputs of an earlier row of the split.
    pub repeated: usize,
    /// Rows with the inputs of a training row; of the training split itself none.
    pub in_train: usize,
}

pub fn survey(of: &Subject, findings: &mut Vec<Finding>) -> Vec<RowsSplit> {
    let columns: Vec<usize> = of.inputs.iter().filter_map(|n| of.raw.index(n)).collect();
    let mut train: HashSet<u128> = HashSet::new();
    let mut out = Vec::new();
    // Examples of rows that stand on both sides.
    let mut first_of: HashMap<u128, usize> = HashMap::new();
    for s in 0..SPLITS.len() {
        let rows = of.raw.splits[s].rows;
        let mut here: HashSet<u128> = HashSet::with_capacity(rows);
        let (mut repeated, mut in_train, mut example) = (0, 0, None);
        for row in 0..rows {
            let key = fingerprint(of.raw, s, row, &columns);
            repeated += usize::from(!here.insert(key));
            if s == 0 {
                first_of.entry(key).or_insert(row);
            } else if train.contains(&key) {
                in_train += 1;
                example.get_or_insert((row, first_of[&key]));
            }
        }
        if s == 0 {
            train = here;
        }
        if let Some((row, first)) = example {
            findings.push(Finding::new(
                "leak",
                split(s),
                format!(
                    "{in_train} of {rows} {} rows ({}) have the inputs of a training row, for example {} and {}: if they are the same \
                     cases, scores look better than they are",
                    split(s),
                    percent(in_train, rows),
                    of.raw.splits[s].place(row),
                    of.raw.splits[0].place(first),
                ),
            ));
        }
        if repeated * 100 > rows {
            let message = format!(
                "{repeated} of {rows} {} rows ({}) repeat the inputs of another one",
                split(s),
                percent(repeated, rows)
            );
            findings.push(Finding::new("duplicates", split(s), message));
        }
        out.push(RowsSplit { split: split(s), rows, repeated, in_train });
    }
    out
}

/// Of the values of these columns: two rows that differ have the same one with a chance of 2^-128 or so.
fn fingerprint(raw: &Raw, s: usize, row: usize, columns: &[usize]) -> u128 {
    let mut halves = [DefaultHasher::new(), DefaultHasher::new()];
    halves[1].write_u8(1);
    for c in columns {
        let k = raw.columns[*c].elements();
        let values = &raw.splits[s].columns[*c];
        for h in &mut halves {
            // A file stands for its pixels.
            if let Values::Pictures(album) = values {
                h.write(album.name(row).as_bytes());
                continue;
            }
            for i in row * k..(row + 1) * k {
                match values {
                    Values::U8(v) => h.write_u8(v[i]),
                    Values::Text(v) => h.write_u32(v[i]),
                    other => h.write_u128(other.key(i)),
                }
            }
        }
    }
    let [a, b] = halves.map(|h| h.finish());
    u128::from(a) << 64 | u128::from(b)
}
