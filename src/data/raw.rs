//! Data in memory as read: every column of every split, before any statistics or encoding.

use std::path::PathBuf;

use super::album::Album;

/// The three splits, in this order everywhere.
pub const SPLITS: [&str; 3] = ["train", "validation", "test"];

/// All splits of one data set. `columns[i]` describes `splits[s].columns[i]`.
#[derive(Debug, Clone)]
pub struct Raw {
    pub format: &'static str,
    pub columns: Vec<RawColumn>,
    /// Train, validation, test. A split that was not asked for has no rows.
    pub splits: [Split; 3],
    /// Cells that mean "missing" (tables only).
    pub missing: Vec<String>,
    /// Cells that mean "missing" in columns of numbers, besides those.
    pub missing_numbers: Vec<String>,
    pub files: Vec<FileFact>,
    /// Things worth telling the user that are no errors.
    pub notes: Vec<String>,
}

/// What a column is, for all splits.
#[derive(Debug, Clone, PartialEq)]
pub struct RawColumn {
    pub name: String,
    /// Sizes per sample; empty for one value per sample.
    pub shape: Vec<usize>,
    /// Distinct texts of a column of text; empty for numbers.
    pub dictionary: Vec<String>,
    /// Smallest and largest value the storage can hold, where the spec says so; else the training split's extremes serve.
    pub range: Option<[f64; 2]>,
    /// Named groups that the column belongs to (`synth.targets`).
    pub groups: Vec<String>,
    /// Texts that fewer training rows hold have no number of their own; 0 or 1: all have one.
    pub min_count: usize,
    /// Texts are hashed into so many categories.
    pub buckets: Option<usize>,
}

impl RawColumn {
    pub fn new(name: impl Into<String>, shape: &[usize]) -> RawColumn {
        RawColumn {
            name: name.into(),
            shape: shape.to_vec(),
            dictionary: Vec::new(),
            range: None,
            groups: Vec::new(),
            min_count: 0,
            buckets: None,
        }
    }

    /// Values per sample.
    pub fn elements(&self) -> usize {
        self.shape.iter().fold(1usize, |n, d| n.saturating_mul(*d))
    }
}

/// One split: all columns, same rows.
#[derive(Debug, Clone, Default)]
pub struct Split {
    pub rows: usize,
    pub columns: Vec<Values>,
    /// Where rows come from, for messages: a file (or "generated") and per row its line or sample number.
    pub source: String,
    pub origin: Vec<u32>,
    /// "line" for tables, "sample" for arrays.
    pub unit: &'static str,
}

impl Split {
    /// "`census.csv`, line 17".
    pub fn place(&self, row: usize) -> String {
        let number = self.origin.get(row).copied().unwrap_or(row as u32);
        if self.source.is_empty() {
            format!("{} {number}", if self.unit.is_empty() { "sample" } else { self.unit })
        } else {
            format!("`{}`, {} {number}", self.source, self.unit)
        }
    }
}

/// Code of a missing cell of text.
pub const MISSING: u32 = u32::MAX;

/// Values of one column in one split, sample after sample, each `shape` in C order.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Index into the dictionary, or [`MISSING`].
    Text(Vec<u32>),
    U8(Vec<u8>),
    /// Of a table; the smallest number is a missing cell.
    I16(Vec<i16>),
    I64(Vec<i64>),
    F32(Vec<f32>),
    /// NaN is a missing cell; a NaN in a file is refused while reading.
    F64(Vec<f64>),
    /// Files, whose pixels from 0 to 255 are read when a batch is gathered and not before.
    Pictures(Album),
}

impl Values {
    pub fn is_text(&self) -> bool {
        matches!(self, Values::Text(_))
    }

    /// All elements, of all samples.
    pub fn len(&self) -> usize {
        match self {
            Values::Text(v) => v.len(),
            Values::U8(v) => v.len(),
            Values::I16(v) => v.len(),
            Values::I64(v) => v.len(),
            Values::F32(v) => v.len(),
            Values::F64(v) => v.len(),
            Values::Pictures(a) => a.rows() * a.form.elements(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `i` as a number; NaN where missing. Text gives its dictionary index. Of a picture, which is not read here, NaN.
    pub fn number(&self, i: usize) -> f64 {
        match self {
            Values::Text(v) if v[i] == MISSING => f64::NAN,
            Values::Text(v) => v[i] as f64,
            Values::U8(v) => v[i] as f64,
            Values::I16(v) if v[i] == i16::MIN => f64::NAN,
            Values::I16(v) => v[i] as f64,
            Values::I64(v) => v[i] as f64,
            Values::F32(v) => v[i] as f64,
            Values::F64(v) => v[i],
            Values::Pictures(_) => f64::NAN,
        }
    }

    pub fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).map(|i| self.number(i))
    }

    /// The samples at `rows`, in that order, `elements` values each.
    pub fn take(&self, rows: &[u32], elements: usize) -> Values {
        fn gather<T: Copy>(v: &[T], rows: &[u32], k: usize) -> Vec<T> {
            rows.iter().flat_map(|r| v[*r as usize * k..(*r as usize + 1) * k].iter().copied()).collect()
        }
        match self {
            Values::Text(v) => Values::Text(gather(v, rows, elements)),
            Values::U8(v) => Values::U8(gather(v, rows, elements)),
            Values::I16(v) => Values::I16(gather(v, rows, elements)),
            Values::I64(v) => Values::I64(gather(v, rows, elements)),
            Values::F32(v) => Values::F32(gather(v, rows, elements)),
            Values::F64(v) => Values::F64(gather(v, rows, elements)),
            Values::Pictures(a) => Values::Pictures(a.take(rows)),
        }
    }
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct FileFact {
    /// As written in the spec.
    pub path: String,
    /// Of the bytes on disk (compressed ones if it is compressed), lower-case hex.
    pub sha256: String,
    pub bytes: u64,
    /// Length modulo 2^32 and CRC-32 of what it holds once it is unpacked. A schema does not record it.
    pub contents: Option<(u64, u32)>,
}

impl Raw {
    /// Position of a column.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// Takes a column out of every split.
    pub(super) fn drop_column(&mut self, name: &str) {
        if let Some(at) = self.index(name) {
            self.columns.remove(at);
            self.splits.iter_mut().filter(|s| at < s.columns.len()).for_each(|s| drop(s.columns.remove(at)));
        }
    }

    /// Refuses splits that were asked for and got no rows.
    pub(super) fn require_rows(self, asked: [bool; 3], why: &str) -> Result<Raw, super::DataError> {
        for (s, split) in self.splits.iter().enumerate() {
            if asked[s] && split.rows == 0 {
                return Err(super::DataError::EmptySplit { split: SPLITS[s], why: why.into() });
            }
        }
        Ok(self)
    }
}

/// A whole file's columns before it is split.
#[derive(Debug, Clone, Default)]
pub struct Part {
    pub rows: usize,
    pub columns: Vec<Values>,
    pub source: PathBuf,
    pub origin: Vec<u32>,
    pub unit: &'static str,
}

impl Part {
    /// "`census.csv`, line 17".
    pub fn place(&self, row: usize) -> String {
        format!("`{}`, {} {}", self.source.display(), self.unit, self.number(row))
    }

    /// The line or sample that a row is.
    pub fn number(&self, row: usize) -> u32 {
        self.origin.get(row).copied().unwrap_or(row as u32)
    }

    /// Splits it: the rows of each list, which stand in their order. Columns are let go one after the other, so that one at a time is
    /// held twice, and none if one list has all rows.
    pub fn deal(self, lists: &[&[u32]], columns: &[RawColumn]) -> Vec<Split> {
        let source = self.source.display().to_string();
        let origin = |rows: &[u32]| rows.iter().map(|r| self.origin.get(*r as usize).copied().unwrap_or(*r)).collect();
        let mut splits: Vec<Split> = lists
            .iter()
            .map(|rows| Split {
                rows: rows.len(),
                columns: Vec::with_capacity(columns.len()),
                source: source.clone(),
                origin: origin(rows),
                unit: self.unit,
            })
            .collect();
        let whole = |rows: &[u32]| rows.len() == self.rows && rows.iter().zip(0..).all(|(r, i)| *r == i);
        let all =
            lists.iter().position(|rows| whole(rows)).filter(|_| lists.iter().filter(|r| !r.is_empty()).count() == 1);
        for (values, column) in self.columns.into_iter().zip(columns) {
            for (split, rows) in
                splits.iter_mut().zip(lists).enumerate().filter(|(i, _)| all != Some(*i)).map(|(_, s)| s)
            {
                split.columns.push(values.take(rows, column.elements()));
            }
            if let Some(all) = all {
                splits[all].columns.push(values);
            }
        }
        splits
    }
}
