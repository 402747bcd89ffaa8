//! Data in memory as read: every column of every split, before any statistics or encoding.

use std::path::PathBuf;

use super::album::Album;
use super::numbers::{Precision, half};

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
    /// Cells that mean "missing" in numeric columns and in columns of true and false, in addition to `missing`.
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
    /// Texts in fewer training rows than this are read as unknown; with 0 or 1, no text is.
    pub min_count: usize,
    /// The number of buckets that texts are hashed into; `None`: they have a vocabulary.
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
    /// Describes the origin of a row: "`census.csv`, line 17".
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
    /// Numbers of a table; the smallest `i16` is a missing cell.
    I16(Vec<i16>),
    /// Whole numbers of up to 24 bits, which an f32 holds exactly. NaN is a missing cell.
    Whole(Vec<f32>),
    I64(Vec<i64>),
    /// Numbers of an array, if one of them does not fit in [`Values::I64`].
    U64(Vec<u64>),
    /// Half-precision floats (IEEE 754 binary16), as they are stored.
    F16(Vec<u16>),
    /// Numbers that were rounded to 32 bits when they were stored.
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
            Values::Whole(v) | Values::F32(v) => v.len(),
            Values::I64(v) => v.len(),
            Values::U64(v) => v.len(),
            Values::F16(v) => v.len(),
            Values::F64(v) => v.len(),
            Values::Pictures(a) => a.rows() * a.form.elements(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `i` as a number; NaN if missing. Whole numbers beyond 2^53 are rounded (see [`Values::large`]). Text gives its dictionary
    /// index. Of a picture, which is not read here, NaN.
    pub fn number(&self, i: usize) -> f64 {
        match self {
            Values::Text(v) if v[i] == MISSING => f64::NAN,
            Values::Text(v) => v[i] as f64,
            Values::U8(v) => v[i] as f64,
            Values::I16(v) if v[i] == i16::MIN => f64::NAN,
            Values::I16(v) => v[i] as f64,
            Values::I64(v) => v[i] as f64,
            Values::U64(v) => v[i] as f64,
            Values::F16(v) => f64::from(half(v[i])),
            Values::Whole(v) | Values::F32(v) => v[i] as f64,
            Values::F64(v) => v[i],
            Values::Pictures(_) => f64::NAN,
        }
    }

    pub fn numbers(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.len()).map(|i| self.number(i))
    }

    /// Element `i`, if it is a whole number that an f64 may not hold exactly.
    pub fn large(&self, i: usize) -> Option<i128> {
        let whole = match self {
            Values::I64(v) => i128::from(v[i]),
            Values::U64(v) => i128::from(v[i]),
            _ => return None,
        };
        (whole.unsigned_abs() > 1 << f64::MANTISSA_DIGITS).then_some(whole)
    }

    /// Element `i` of numbers as the shortest text that identifies it among the numbers of its type; `None` if it is missing.
    pub fn written(&self, i: usize) -> Option<String> {
        match self {
            Values::I64(v) => Some(v[i].to_string()),
            Values::U64(v) => Some(v[i].to_string()),
            // Negative zero is written as 0.
            other => {
                Some(other.number(i)).filter(|v| !v.is_nan()).map(|v| (other.precision().shortest(v) + 0.0).to_string())
            }
        }
    }

    /// Bits that are the same if and only if elements are equal.
    pub fn key(&self, i: usize) -> u128 {
        // Several of these may have the same nearest f64.
        const LARGE: u128 = 1 << 100;
        match self.large(i) {
            Some(whole) => whole as u128 | LARGE,
            None => u128::from((self.number(i) + 0.0).to_bits()),
        }
    }

    /// The precision in which the numbers are stored.
    pub fn precision(&self) -> Precision {
        match self {
            Values::F16(_) => Precision::Half,
            Values::F32(_) => Precision::Single,
            _ => Precision::Exact,
        }
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
            Values::Whole(v) => Values::Whole(gather(v, rows, elements)),
            Values::I64(v) => Values::I64(gather(v, rows, elements)),
            Values::U64(v) => Values::U64(gather(v, rows, elements)),
            Values::F16(v) => Values::F16(gather(v, rows, elements)),
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
    /// Length modulo 2^32 and CRC-32 of the decompressed contents. A schema does not record them.
    pub contents: Option<(u64, u32)>,
}

impl Raw {
    /// Position of a column.
    pub fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// Removes a column from every split.
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
    /// Describes the origin of a row: "`census.csv`, line 17".
    pub fn place(&self, row: usize) -> String {
        format!("`{}`, {} {}", self.source.display(), self.unit, self.number(row))
    }

    /// The number of the line or sample of a row.
    pub fn number(&self, row: usize) -> u32 {
        self.origin.get(row).copied().unwrap_or(row as u32)
    }

    /// Divides the rows into splits, one per list of row indices, in the order of the list. Columns are freed one after the other, so that
    /// at most one column is in memory twice, and none if one list has all rows.
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
