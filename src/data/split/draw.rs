//! Drawing rows: shares and folds of a pool of rows, at random, by whole groups, evenly over strata, or in order of time. The result
//! depends only on the seed and the rows; with groups, it does not depend on the order of the rows either.

use sha2::{Digest, Sha256};

use super::attributes::Grouping;
use super::keys::{File, Keys};
use crate::data::DataError;
use crate::random::Randomness;

/// The rows of a file that can be drawn. All draws use one order of the rows, and drawn rows are removed, so that shares never overlap.
#[derive(Clone)]
pub struct Pool<'a> {
    file: File<'a>,
    seed: u64,
    /// All rows of the pool, shuffled.
    order: Vec<u32>,
    /// For each row of the file, whether it is in the pool and was not drawn.
    free: Vec<bool>,
    /// The initial number of rows of the pool. Fractions refer to it.
    size: usize,
}

/// A group of rows, or a single row.
struct Bundle {
    rows: Vec<u32>,
    /// The strata of the rows in ascending order, each with its number of rows.
    counts: Vec<(usize, f64)>,
}

/// The number of rows of all groups by stratum.
fn totals(bundles: &[Bundle], width: usize) -> Vec<f64> {
    let mut all = vec![0.0; width];
    bundles.iter().flat_map(|b| &b.counts).for_each(|(c, n)| all[*c] += n);
    all
}

impl<'a> Pool<'a> {
    pub fn new(file: File<'a>, rows: &[u32], seed: u64, purpose: &str) -> Pool<'a> {
        let order = Randomness::new(seed).permutation(purpose, [0; 3], rows.len());
        let order: Vec<u32> = order.into_iter().map(|i| rows[i as usize]).collect();
        let mut free = vec![false; file.part.rows];
        rows.iter().for_each(|r| free[*r as usize] = true);
        Pool { file, seed, order, free, size: rows.len() }
    }

    /// Removes rows that were drawn from another pool.
    pub fn remove(&mut self, rows: &[u32]) {
        rows.iter().for_each(|r| self.free[*r as usize] = false);
    }

    /// The rows that were not drawn, in the order of the file.
    pub fn rest(&self) -> Vec<u32> {
        (0..self.free.len() as u32).filter(|r| self.free[*r as usize]).collect()
    }

    fn left(&self) -> impl Iterator<Item = u32> + '_ {
        self.order.iter().copied().filter(|r| self.free[*r as usize])
    }

    fn draw(&mut self, mut rows: Vec<u32>) -> Vec<u32> {
        rows.sort_unstable();
        rows.iter().for_each(|r| self.free[*r as usize] = false);
        rows
    }

    /// Draws a share of the pool; the result is sorted.
    pub fn share(&mut self, fraction: f64, grouping: &Grouping) -> Result<Vec<u32>, DataError> {
        let wanted = (self.size as f64 * fraction).round() as usize;
        let rows = match grouping {
            Grouping { time: Some(column), .. } => self.last(wanted, &self.file.times(column)?),
            Grouping { by, stratify: None, .. } if by.is_empty() => self.left().take(wanted).collect(),
            Grouping { by, stratify, .. } => {
                let strata = stratify.as_ref().map(|e| self.file.strata(e)).transpose()?;
                match by.is_empty() {
                    true => self.evenly(wanted, &strata.expect("one of them is given")),
                    false => self.groups(fraction, &self.file.groups(by)?, strata.as_ref()),
                }
            }
        };
        Ok(self.draw(rows))
    }

    /// The last rows in order of time. Rows with equal times stay together: those at the border are taken if most of them would be.
    fn last(&self, wanted: usize, times: &[u32]) -> Vec<u32> {
        let mut rows: Vec<u32> = self.left().collect();
        rows.sort_by_key(|r| std::cmp::Reverse(times[*r as usize]));
        let wanted = border(&rows, wanted, times);
        rows.truncate(wanted);
        rows
    }

    /// Rows in proportion to the size of each stratum, rounded by the largest-remainder method.
    fn evenly(&self, wanted: usize, strata: &Keys) -> Vec<u32> {
        let mut members: Vec<Vec<u32>> = vec![Vec::new(); strata.words.len()];
        self.left().for_each(|r| members[strata.of[r as usize] as usize].push(r));
        let left: usize = members.iter().map(Vec::len).sum();
        let wanted = wanted.min(left);
        let exact: Vec<f64> = members.iter().map(|m| m.len() as f64 * wanted as f64 / left.max(1) as f64).collect();
        let mut take: Vec<usize> = exact.iter().map(|e| e.floor() as usize).collect();
        let mut by_rest: Vec<usize> = (0..take.len()).collect();
        // Break ties by the value of the stratum, not by the order of the rows.
        by_rest.sort_by(|a, b| {
            let rest = |i: usize| exact[i] - exact[i].floor();
            rest(*b).total_cmp(&rest(*a)).then_with(|| strata.words[*a].cmp(&strata.words[*b]))
        });
        let missing = wanted - take.iter().sum::<usize>();
        by_rest.into_iter().take(missing).for_each(|i| take[i] += 1);
        members.into_iter().zip(take).flat_map(|(m, n)| m.into_iter().take(n)).collect()
    }

    /// Whole groups in the order of their hashes. A group is taken if it brings the result nearer to the wanted share of every stratum.
    fn groups(&self, fraction: f64, groups: &Keys, strata: Option<&Keys>) -> Vec<u32> {
        let bundles = self.bundles(groups, strata);
        let width = strata.map_or(1, |s| s.words.len());
        let all = totals(&bundles, width);
        let part = fraction * self.size as f64 / all.iter().sum::<f64>().max(1.0);
        let target: Vec<f64> = all.iter().map(|n| n * part).collect();
        let mut taken = vec![0.0; width];
        let mut rows = Vec::new();
        for b in &bundles {
            // The distance from the target changes only in the strata of the group.
            let distance = |with: f64| -> f64 {
                let of = |(c, n): &(usize, f64)| (target[*c] - taken[*c] - with * n).powi(2) / all[*c].max(1.0);
                b.counts.iter().map(of).sum()
            };
            if distance(1.0) < distance(0.0) {
                b.counts.iter().for_each(|(c, n)| taken[*c] += n);
                rows.extend(&b.rows);
            }
        }
        // Every group is more than twice as large as the share: take the smallest one, if another group remains.
        if rows.is_empty() && fraction > 0.0 && bundles.len() > 1 {
            rows = bundles.into_iter().min_by_key(|b| b.rows.len()).map(|b| b.rows).unwrap_or_default();
        }
        rows
    }

    /// The groups of the rows that are left, in the order of their hashes.
    fn bundles(&self, groups: &Keys, strata: Option<&Keys>) -> Vec<Bundle> {
        let mut out: Vec<Bundle> =
            groups.words.iter().map(|_| Bundle { rows: Vec::new(), counts: Vec::new() }).collect();
        for row in self.rest() {
            out[groups.of[row as usize] as usize].rows.push(row);
        }
        for bundle in &mut out {
            let mut of: Vec<usize> =
                bundle.rows.iter().map(|r| strata.map_or(0, |s| s.of[*r as usize] as usize)).collect();
            of.sort_unstable();
            bundle.counts = of.chunk_by(|a, b| a == b).map(|same| (same[0], same.len() as f64)).collect();
        }
        let mut keyed: Vec<(u64, &str, Bundle)> =
            groups.words.iter().zip(out).map(|(w, b)| (self.hash(w), w.as_str(), b)).collect();
        keyed.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
        keyed.into_iter().map(|(.., b)| b).filter(|b| !b.rows.is_empty()).collect()
    }

    /// The hash of a group, which depends on the seed.
    fn hash(&self, word: &str) -> u64 {
        let mut hash = Sha256::new();
        hash.update(b"split.group");
        hash.update(self.seed.to_le_bytes());
        hash.update(word.as_bytes());
        u64::from_le_bytes(hash.finalize()[..8].try_into().expect("eight bytes"))
    }

    /// Draws a fold of the pool. Returns its rows, sorted, and the rows that belong to no split: with `time`, those after the fold.
    pub fn fold(&mut self, index: usize, of: usize, grouping: &Grouping) -> Result<(Vec<u32>, Vec<u32>), DataError> {
        if let Some(column) = &grouping.time {
            let times = self.file.times(column)?;
            let mut rows: Vec<u32> = self.left().collect();
            rows.sort_by_key(|r| times[*r as usize]);
            if of >= rows.len() {
                return Err(DataError::option(
                    format!("{of} folds in order of time are asked for, and there are {} rows", rows.len()),
                    "each fold and the rows before the first one need a row: ask for fewer folds",
                ));
            }
            let cut =
                |part: usize| border(&rows, (rows.len() as u128 * part as u128 / (of as u128 + 1)) as usize, &times);
            let (from, to) = (cut(index), if index == of { rows.len() } else { cut(index + 1) });
            let (fold, after) = (rows[from..to].to_vec(), rows[to..].to_vec());
            return Ok((self.draw(fold), self.draw(after)));
        }
        let strata = grouping.stratify.as_ref().map(|e| self.file.strata(e)).transpose()?;
        let rows: Vec<u32> = if grouping.by.is_empty() {
            let mut order: Vec<u32> = self.left().collect();
            if let Some(strata) = &strata {
                // Deal out the shuffled rows of one stratum after the other, so that strata are evenly spread over the folds.
                order.sort_by(|a, b| {
                    let word = |r: u32| &strata.words[strata.of[r as usize] as usize];
                    word(*a).cmp(word(*b))
                });
            }
            order.into_iter().skip(index - 1).step_by(of).collect()
        } else {
            let groups = self.file.groups(&grouping.by)?;
            if groups.words.len() < of {
                return Err(DataError::option(
                    format!("{of} folds are asked for, and there are {} groups", groups.words.len()),
                    "a fold has whole groups: ask for as many folds as there are groups, or fewer",
                ));
            }
            let width = strata.as_ref().map_or(1, |s| s.words.len());
            dealt(self.bundles(&groups, strata.as_ref()), width, of).swap_remove(index - 1)
        };
        Ok((self.draw(rows), Vec::new()))
    }
}

/// The number of rows to take, close to `wanted`, such that rows with equal times stay together.
fn border(rows: &[u32], wanted: usize, times: &[u32]) -> usize {
    if wanted == 0 || wanted >= rows.len() {
        return wanted.min(rows.len());
    }
    let time = times[rows[wanted - 1] as usize];
    let from = rows[..wanted].iter().rposition(|r| times[*r as usize] != time).map_or(0, |i| i + 1);
    let to = wanted + rows[wanted..].iter().take_while(|r| times[**r as usize] == time).count();
    if wanted - from >= to - wanted { to } else { from }
}

/// Distributes groups to folds: the largest group first, each to the fold where it keeps the folds most alike.
fn dealt(mut bundles: Vec<Bundle>, width: usize, folds: usize) -> Vec<Vec<u32>> {
    let all = totals(&bundles, width);
    // Groups of equal size stay in the order of their hashes.
    bundles.sort_by_key(|b| std::cmp::Reverse(b.rows.len()));
    let mut counts = vec![vec![0.0; width]; folds];
    let mut out = vec![Vec::new(); folds];
    for b in bundles {
        let cost = |f: usize| -> f64 {
            let of =
                |(c, n): &(usize, f64)| ((counts[f][*c] + n).powi(2) - f64::powi(counts[f][*c], 2)) / all[*c].max(1.0);
            b.counts.iter().map(of).sum()
        };
        let least = (0..folds).min_by(|f, g| cost(*f).total_cmp(&cost(*g))).expect("there are folds");
        b.counts.iter().for_each(|(c, n)| counts[least][*c] += n);
        out[least].extend(b.rows);
    }
    out
}
