//! Batches of a split: a seeded permutation per epoch is divided into batches, whose samples are copied into contiguous memory.

use super::DataError;
use super::album::Drawn;
use super::encode::{InputData, Mask, Table};
use crate::random::Randomness;
use crate::schema::Args;

/// How a split is dealt out.
#[derive(Debug, Clone, Copy)]
pub struct Batches {
    pub rows: usize,
    pub batch: usize,
    /// `None`: in order, as for evaluation.
    pub shuffle: Option<Randomness>,
    /// Leave out the last batch of an epoch if it is smaller than the others (unless it is the only one).
    pub drop_last: bool,
    /// Rows that form separate batches before the others of each epoch: the same ones in every epoch, drawn by the seed.
    pub held: usize,
}

impl Batches {
    pub fn shuffled(rows: usize, batch: usize, random: Randomness) -> Batches {
        Batches { rows, batch: batch.max(1), shuffle: Some(random), drop_last: false, held: 0 }
    }

    /// Batches according to the attributes `batch` and `drop_last` of a training.
    pub fn of(args: &Args, rows: usize, random: Randomness) -> Batches {
        let drop_last = args.get("drop_last").is_some_and(|_| args.bool("drop_last"));
        Batches::shuffled(rows, args.size("batch"), random).drop_last(drop_last)
    }

    pub fn in_order(rows: usize, batch: usize) -> Batches {
        Batches { rows, batch: batch.max(1), shuffle: None, drop_last: false, held: 0 }
    }

    pub fn drop_last(self, drop_last: bool) -> Batches {
        Batches { drop_last, ..self }
    }

    /// With a share of the rows dealt apart: at least one, and one is left.
    pub fn hold(self, share: f64) -> Batches {
        if self.rows < 2 {
            return self;
        }
        let held = (share * self.rows as f64).round() as usize;
        Batches { held: held.clamp(1, self.rows - 1), ..self }
    }

    /// Batches of one epoch.
    pub fn per_epoch(&self) -> usize {
        self.held_batches() + self.parts(self.rows - self.held)
    }

    /// Of them, those that are dealt apart; they come first.
    pub fn held_batches(&self) -> usize {
        self.parts(self.held)
    }

    /// The number of rows of the smallest batch; `None` if there are no batches.
    pub fn smallest(&self) -> Option<usize> {
        let part = |rows: usize| match self.parts(rows) {
            0 => None,
            n => Some(self.batch.min(rows - (n - 1) * self.batch)),
        };
        part(self.held).into_iter().chain(part(self.rows - self.held)).min()
    }

    /// The number of rows of the largest batch.
    pub fn largest(&self) -> usize {
        self.batch.min(self.held.max(self.rows - self.held))
    }

    fn parts(&self, rows: usize) -> usize {
        let full = rows / self.batch;
        let partial = !rows.is_multiple_of(self.batch);
        full + usize::from(partial && (!self.drop_last || full == 0))
    }

    /// The rows of each batch of an epoch. Depends on the seed and the epoch alone, so a run resumes anywhere.
    pub fn epoch(&self, epoch: u64) -> Vec<Vec<u32>> {
        if let (Some(random), true) = (self.shuffle, self.held > 0) {
            let all = random.permutation("hold", [0; 3], self.rows);
            let (held, rest) = all.split_at(self.held);
            let mut out = Vec::with_capacity(self.per_epoch());
            for (part, rows) in [held, rest].into_iter().enumerate() {
                let order = random.permutation("shuffle", [epoch, part as u64 + 1, 0], rows.len());
                let dealt: Vec<u32> = order.into_iter().map(|i| rows[i as usize]).collect();
                out.extend(dealt.chunks(self.batch).take(self.parts(rows.len())).map(<[u32]>::to_vec));
            }
            return out;
        }
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
    /// Per task: 1 where a label counts and 0 where it does not, with one number per row or one per label; `None` if all labels count.
    pub masks: Vec<Option<Vec<f32>>>,
}

impl Batch {
    /// Bytes of its numbers.
    pub fn bytes(&self) -> usize {
        let lists = self.inputs.iter().chain(&self.labels).chain(self.masks.iter().flatten());
        4 * lists.map(Vec::len).sum::<usize>()
    }
}

impl Table {
    /// The samples at `rows`, in that order. Pictures are read here: what is wrong with one names its file. `drawn` is for
    /// training alone; without it nothing is augmented.
    pub fn gather(&self, rows: &[u32], drawn: Option<Drawn>) -> Result<Batch, DataError> {
        Ok(Batch {
            rows: rows.len(),
            inputs: self.inputs.iter().enumerate().map(|(n, i)| i.gather(n, rows, drawn)).collect::<Result<_, _>>()?,
            labels: self.labels.iter().map(|l| pick(&l.values, l.size, rows)).collect(),
            masks: self.labels.iter().map(|l| l.mask.as_ref().map(|m| m.gather(rows))).collect(),
        })
    }

    /// Whether a batch takes reading files.
    pub fn reads_files(&self) -> bool {
        self.inputs.iter().any(|i| !i.pictures.is_empty())
    }

    /// Bytes of one gathered sample, masks with it.
    pub fn bytes_per_row(&self) -> usize {
        let labels: usize = self.labels.iter().map(|l| l.size + l.mask.as_ref().map_or(0, |m| m.size)).sum();
        4 * (self.inputs.iter().map(|i| i.size).sum::<usize>() + labels)
    }
}

fn pick(values: &[f32], size: usize, rows: &[u32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows.len() * size);
    for r in rows {
        out.extend_from_slice(&values[*r as usize * size..(*r as usize + 1) * size]);
    }
    out
}

impl Mask {
    fn gather(&self, rows: &[u32]) -> Vec<f32> {
        rows.iter().flat_map(|r| self.row(*r as usize).iter().map(|m| f32::from(*m))).collect()
    }
}

impl InputData {
    /// Gathers the values of `rows`. `n` is the index of the input in its table.
    fn gather(&self, n: usize, rows: &[u32], drawn: Option<Drawn>) -> Result<Vec<f32>, DataError> {
        if self.pictures.is_empty() {
            let mut values = pick(&self.values, self.size, rows);
            if let Some(drawn) = drawn {
                self.unknown.replace(&mut values, self.size, rows, n, drawn);
            }
            return Ok(values);
        }
        let held = self.size - self.pictures.iter().map(|p| p.album.form.elements()).sum::<usize>();
        let mut out = Vec::with_capacity(rows.len() * self.size);
        for (i, r) in rows.iter().enumerate() {
            if i > 0 && rows[i - 1] == *r {
                // A pass that is filled up repeats its last row.
                out.extend_from_within(out.len() - self.size..);
                continue;
            }
            let (row, mut done) = (*r as usize, 0);
            let values = &self.values[row * held..(row + 1) * held];
            let start = out.len();
            for p in &self.pictures {
                let between = p.at - (out.len() - start);
                out.extend_from_slice(&values[done..done + between]);
                done += between;
                out.extend(p.encoded(row, drawn)?);
            }
            out.extend_from_slice(&values[done..]);
        }
        Ok(out)
    }
}
