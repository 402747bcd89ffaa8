//! Splits: files of their own, a column that names them, conditions, shares and folds.
//!
//! First, `split = COLUMN` and conditions (`validation = d.age > 60`) assign rows to splits. The remaining training rows are the pool, of
//! which `test` and then `validation` take a share or a fold. Shares of one pool are drawn together, from one permutation of its rows,
//! and never overlap. Rows keep their order in the file. Whole groups are drawn by a hash of their value and `split_seed`, so that the
//! same groups are drawn for any order of the rows.

mod attributes;
mod check;
mod draw;
mod groups;
mod instants;
mod keys;

use super::raw::{Part, Raw, RawColumn, Split};
use super::{DataError, FileFact};
use crate::schema::Args;
pub use attributes::{GROUP, SHARE_TY, SPLIT, SPLIT_SEED, STRATIFY, TIME, groups, named};
use attributes::{Taken, taken};
pub use check::{check, check_columns};
use draw::Pool;
pub use groups::{Crossing, crossings};
use keys::File;

const TRAIN: u8 = 0;
const VALIDATION: u8 = 1;
const TEST: u8 = 2;
/// The code of rows that are in no split.
const OUT: u8 = 3;

/// Whether the validation rows are taken from the test file, so that splitting the training file does not determine them.
pub fn is_of_test_file(args: &Args) -> bool {
    let of_test = matches!(taken(args, "validation"), Some(Taken::Share { of_test: true, .. }));
    of_test && !super::files::written(args, "test").is_empty()
}

/// The sources of the three splits: a file of their own, or rows of another split.
pub struct Parts<'a> {
    pub train: Part,
    pub validation: Option<Part>,
    pub test: Option<Part>,
    pub args: &'a Args,
    /// Cells that mean "missing", and those that mean it in numeric columns and in columns of true and false only.
    pub missing: [Vec<String>; 2],
}

impl Parts<'_> {
    /// Divides the rows and assembles the data set.
    pub fn assemble(
        self,
        format: &'static str,
        columns: Vec<RawColumn>,
        files: Vec<FileFact>,
    ) -> Result<Raw, DataError> {
        let rows = [Some(&self.train), self.validation.as_ref(), self.test.as_ref()];
        if let Some(part) = rows.into_iter().flatten().find(|p| p.rows >= u32::MAX as usize) {
            return Err(DataError::option(
                format!("`{}` has {} samples", part.source.display(), part.rows),
                "at most 2^32 - 2 are read: make several files of it",
            ));
        }
        let [validation, test] = ["validation", "test"].map(|s| taken(self.args, s));
        let asked = [true, self.validation.is_some() || validation.is_some(), self.test.is_some() || test.is_some()];
        let seed = self.args.size("split_seed") as u64;
        let missing = &self.missing;
        let of = |part| File { part, columns: &columns, missing };
        let file = of(&self.train);
        let column = named(self.args);
        let mut to = match &column {
            Some(named) => file.named(named, OUT)?,
            None => vec![TRAIN; self.train.rows],
        };
        // A split that the column names must not be given again; a share that is only a default is ignored.
        let taken_too = |split: &str, code: u8, taken: Option<Taken>| {
            if taken.is_none() || !to.contains(&code) {
                return Ok(taken);
            }
            if !self.args.is_given(split) {
                return Ok(None);
            }
            Err(DataError::option(
                format!("the column of `split` names {split} rows, and `{split}` takes others"),
                format!("remove `{split}`, or the rows of that name from the column"),
            ))
        };
        let validation = taken_too("validation", VALIDATION, validation)?;
        let test = taken_too("test", TEST, test)?;
        for (split, code, taken) in [("validation", VALIDATION, &validation), ("test", TEST, &test)] {
            let Some(Taken::Where(condition)) = taken else { continue };
            for row in file.rows_where(condition)? {
                let at = &mut to[row as usize];
                if *at != TRAIN {
                    return Err(DataError::option(
                        format!(
                            "{} belongs to two splits: the condition of `{split}` holds, and that of the other",
                            self.train.place(row as usize)
                        ),
                        "write conditions that exclude each other",
                    ));
                }
                *at = code;
            }
        }
        let rows_in =
            |to: &[u8], code: u8| -> Vec<u32> { (0..to.len() as u32).filter(|r| to[*r as usize] == code).collect() };
        let mut pool = Pool::new(file, &rows_in(&to, TRAIN), seed, "split.train");
        // Folds divide the whole pool, so that together they contain all rows; shares are drawn from the remaining rows.
        let whole = pool.clone();
        let mut drawn: Vec<(u8, Vec<u32>)> = Vec::new();
        for (code, taken) in [(TEST, &test), (VALIDATION, &validation)] {
            let Some(Taken::Fold { index, of, grouping }) = taken else { continue };
            let (fold, after) = whole.clone().fold(*index, *of, grouping)?;
            pool.remove(&fold);
            pool.remove(&after);
            drawn.extend([(code, fold), (OUT, after)]);
        }
        for (code, taken) in [(TEST, &test), (VALIDATION, &validation)] {
            let Some(Taken::Share { fraction, of_test: false, grouping }) = taken else { continue };
            drawn.push((code, pool.share(*fraction, grouping)?));
        }
        for (code, rows) in drawn {
            rows.into_iter().for_each(|r| to[r as usize] = code);
        }
        // A share of the test split is drawn from its file, or from its rows of the training file.
        let mut of_test = None;
        if let Some(Taken::Share { fraction, of_test: true, grouping }) = &validation {
            let (part, all) = match &self.test {
                Some(part) => (part, (0..part.rows as u32).collect()),
                None => (&self.train, rows_in(&to, TEST)),
            };
            let mut pool = Pool::new(of(part), &all, seed, "split.test");
            let taken = pool.share(*fraction, grouping)?;
            match &self.test {
                Some(_) => of_test = Some((pool.rest(), taken)),
                None => taken.into_iter().for_each(|r| to[r as usize] = VALIDATION),
            }
        }

        let next = |splits: &mut std::vec::IntoIter<Split>| splits.next().expect("a split for each list");
        let all = |part: &Part| -> Vec<u32> { (0..part.rows as u32).collect() };
        let lists = [TRAIN, VALIDATION, TEST].map(|code| rows_in(&to, code));
        let mut of_train = self.train.deal(&[&lists[0], &lists[1], &lists[2]], &columns).into_iter();
        let (train, mut validation, mut test) = (next(&mut of_train), next(&mut of_train), next(&mut of_train));
        if let Some(file) = self.test {
            match of_test {
                Some((rest, share)) => {
                    let mut of_test = file.deal(&[&rest, &share], &columns).into_iter();
                    (test, validation) = (next(&mut of_test), next(&mut of_test));
                }
                None => {
                    let rows = all(&file);
                    test = next(&mut file.deal(&[&rows], &columns).into_iter());
                }
            }
        }
        if let Some(file) = self.validation {
            let rows = all(&file);
            validation = next(&mut file.deal(&[&rows], &columns).into_iter());
        }
        let splits = [train, validation, test];
        let [missing, missing_numbers] = self.missing;
        let mut raw = Raw { format, columns, splits, missing, missing_numbers, files, notes: Vec::new() };
        if let Some(named) = column {
            raw.drop_column(&named.column);
        }
        raw.require_rows(asked, "its file is empty, or it takes no rows of another split (or all of them)")
    }
}
