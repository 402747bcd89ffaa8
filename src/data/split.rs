//! Splits: `validation = share(0.1, of = train)`, drawn by `split_seed`.
//!
//! Shares of one file are drawn together from one permutation of its rows and never overlap; the first share written takes
//! the front of the permutation, in the order test, validation. Rows keep their order in the file.

use super::raw::{Part, Raw, RawColumn, Split};
use super::{DataError, FileFact};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef, CallDef, Need, Ty, Value};

static SHARE: CallDef = CallDef {
    name: "share",
    doc: "A random part of another split's file, taken out of it; drawn by `split_seed`.",
    args: &[
        AttrDef {
            name: "fraction",
            ty: Ty::Float { min: 0.0, max: 1.0 },
            need: Need::Required,
            doc: "Part of the file's rows, rounded to the nearest row.",
        },
        AttrDef {
            name: "of",
            ty: Ty::OneOf(&["train", "test"]),
            need: Need::Default("train"),
            doc: "The file it is taken out of.",
        },
    ],
};

/// `share(...)`.
pub const SHARE_TY: Ty = Ty::Call(|| vec![&SHARE]);

pub const SPLIT_SEED: AttrDef = AttrDef {
    name: "split_seed",
    ty: crate::schema::NATURAL,
    need: Need::Default("0"),
    doc: "Seed of the shares. It belongs to the data, so all runs see the same splits whatever their own seed.",
};

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub fraction: f64,
    pub of_test: bool,
}

/// The share that an attribute asks for, if it is one.
pub fn share(args: &Args, name: &str) -> Option<Share> {
    match args.get(name)? {
        Value::Call(c) if c.name == "share" => {
            Some(Share { fraction: c.args.float("fraction"), of_test: c.args.str("of") == "test" })
        }
        _ => None,
    }
}

/// Where the three splits come from: a file of their own, or a share.
pub struct Parts {
    pub train: Part,
    pub validation: Option<Part>,
    pub test: Option<Part>,
    pub validation_share: Option<Share>,
    pub test_share: Option<Share>,
    pub seed: u64,
}

impl Parts {
    /// Draws the shares and puts the data set together.
    pub fn assemble(
        self,
        format: &'static str,
        columns: Vec<RawColumn>,
        files: Vec<FileFact>,
        missing: Vec<String>,
    ) -> Result<Raw, DataError> {
        let rows = [Some(&self.train), self.validation.as_ref(), self.test.as_ref()];
        if let Some(part) = rows.into_iter().flatten().find(|p| p.rows >= u32::MAX as usize) {
            return Err(DataError::option(
                format!("`{}` has {} samples", part.source.display(), part.rows),
                "at most 2^32 - 2 are read: make several files of it",
            ));
        }
        let asked = [
            true,
            self.validation.is_some() || self.validation_share.is_some(),
            self.test.is_some() || self.test_share.is_some(),
        ];
        if let Some(Share { of_test: true, .. }) = self.test_share {
            return Err(DataError::option("`test` is a share of itself", "write `test = share(..., of = train)`"));
        }
        if let (Some(Share { of_test: true, .. }), None) = (self.validation_share, &self.test) {
            return Err(DataError::option(
                "`validation` is a share of the test file, and there is none",
                "write `of = train`, or give `test` a file",
            ));
        }
        let from_train = [self.test_share, self.validation_share.filter(|s| !s.of_test)];
        let (mut train, mut taken) = draw(self.train.rows, &from_train, self.seed, "split.train")?;
        let validation_of_train = taken.pop().flatten();
        let test_of_train = taken.pop().flatten();
        let from_test = self.validation_share.filter(|s| s.of_test);
        let test_rows = self.test.as_ref().map_or(0, |t| t.rows);
        let (rest_of_test, mut taken) = draw(test_rows, &[from_test], self.seed, "split.test")?;
        let validation_of_test = taken.pop().flatten();
        train.sort_unstable();

        let next = |splits: &mut std::vec::IntoIter<Split>| splits.next().expect("a split for each list");
        let (validation_rows, test_rows) = (validation_of_train.unwrap_or_default(), test_of_train.unwrap_or_default());
        let mut of_train = self.train.deal(&[&train, &validation_rows, &test_rows], &columns).into_iter();
        let (train, mut validation, mut test) = (next(&mut of_train), next(&mut of_train), next(&mut of_train));
        if let Some(file) = self.test {
            let share = validation_of_test.unwrap_or_default();
            let mut of_test = file.deal(&[&rest_of_test, &share], &columns).into_iter();
            test = next(&mut of_test);
            if from_test.is_some() {
                validation = next(&mut of_test);
            }
        }
        if let Some(file) = self.validation {
            let all: Rows = (0..file.rows as u32).collect();
            validation = next(&mut file.deal(&[&all], &columns).into_iter());
        }
        let splits = [train, validation, test];
        Raw { format, columns, splits, missing, missing_numbers: Vec::new(), files, notes: Vec::new() }
            .require_rows(asked, "its file is empty, or its share rounds to no row at all (or to all of them)")
    }
}

/// Positions in a file.
type Rows = Vec<u32>;

/// Draws disjoint shares of `rows` rows: what is left, and one sorted list per share.
fn draw(
    rows: usize,
    shares: &[Option<Share>],
    seed: u64,
    purpose: &str,
) -> Result<(Rows, Vec<Option<Rows>>), DataError> {
    if shares.iter().all(Option::is_none) {
        return Ok(((0..rows as u32).collect(), vec![None; shares.len()]));
    }
    let total: f64 = shares.iter().flatten().map(|s| s.fraction).sum();
    if total >= 1.0 {
        return Err(DataError::option(
            format!("the shares of one file add up to {total}, which leaves it no rows"),
            "make the shares smaller; together they must stay below 1",
        ));
    }
    let order = Randomness::new(seed).permutation(purpose, [0; 3], rows);
    let mut at = 0;
    let taken = shares
        .iter()
        .map(|share| {
            share.map(|s| {
                let n = ((rows as f64 * s.fraction).round() as usize).min(rows - at);
                let mut part = order[at..at + n].to_vec();
                at += n;
                part.sort_unstable();
                part
            })
        })
        .collect();
    let mut rest = order[at..].to_vec();
    rest.sort_unstable();
    Ok((rest, taken))
}
