//! Dealing a split out: a seeded permutation per epoch, cut into batches, gathered into contiguous memory.

use super::encode::Table;
use crate::random::Randomness;

/// How a split is dealt out.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    pub rows: usize,
    pub batch: usize,
    /// `None`: in order, as for evaluation.
    pub shuffle: Option<Randomness>,
    /// Leave out the last batch of an epoch if it is smaller than the others (unless it is the only one).
    pub drop_last: bool,
}

impl Batches {
    pub fn shuffled(rows: usize, batch: usize, random: Randomness) -> Batches {
        Batches { rows, batch: batch.max(1), shuffle: Some(random), drop_last: false }
    }

    pub fn in_order(rows: usize, batch: usize) -> Batches {
        Batches { rows, batch: batch.max(1), shuffle: None, drop_last: false }
    }

    pub fn drop_last(self, drop_last: bool) -> Batches {
        Batches { drop_last, ..self }
    }

    /// Batches of one epoch.
    pub fn per_epoch(&self) -> usize {
        let full = self.rows / self.batch;
        let partial = !self.rows.is_multiple_of(self.batch);
        full + usize::from(partial && (!self.drop_last || full == 0))
    }

    /// The rows of each batch of an epoch. Depends on the seed and the epoch alone, so a run resumes anywhere.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<u32>> {
        let order = match self.shuffle {
            Some(random) => random.permutation("shuffle", [epoch, 0, 0], self.rows),
            None => (0..self.rows as u32).collect(),
        };
        order.chunks(self.batch).take(self.per_epoch()).map(<[u32]>::to_vec).collect()
    }
}

/// Samples gathered for one step; every list is row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    pub rows: usize,
    /// Per input of the table: `[rows * size]`.
    pub inputs: Vec<Vec<f32>>,
    /// Per task: `[rows * size]`.
    pub labels: Vec<Vec<f32>>,
    /// Per task: `[rows]`, 1 where the label counts; `None` if all do.
    pub masks: Vec<Option<Vec<f32>>>,
}

impl Table {
    /// The samples at `rows`, in that order.
    pub fn gather(&self, rows: &[u32]) -> Batch {
        let pick = |values: &[f32], size: usize| {
            let mut out = Vec::with_capacity(rows.len() * size);
            for r in rows {
                out.extend_from_slice(&values[*r as usize * size..(*r as usize + 1) * size]);
            }
            out
        };
        Batch {
            rows: rows.len(),
            inputs: self.inputs.iter().map(|i| pick(&i.values, i.size)).collect(),
            labels: self.labels.iter().map(|l| pick(&l.values, l.size)).collect(),
            masks: self.labels.iter().map(|l| l.mask.as_ref().map(|m| pick(m, 1))).collect(),
        }
    }
}
