//! Errors in data on disk, with file, row and column by name, and a help text in [`DataError::help`].

use std::path::{Path, PathBuf};

use crate::diag::suggest;

/// An error in data on disk. The message states the facts, and [`DataError::help`] says what to do. Rows of tables are numbered by their
/// lines from 1, samples of arrays from 0.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    #[error("no file `{}`", path.display())]
    NotFound { path: PathBuf },
    #[error("cannot read `{}`: {}", path.display(), why(source))]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` ends early: {detail}", path.display())]
    Truncated { path: PathBuf, detail: String },
    #[error("`{}` has {stored} bytes and unpacks to more than {} MiB", path.display(), most >> 20)]
    Bomb { path: PathBuf, stored: usize, most: usize },
    #[error("`{}` is not {expected}: {found}", path.display())]
    Magic { path: PathBuf, expected: &'static str, found: String },
    #[error("`{}`, {}: {found} cells where {expected} are expected", path.display(), at(*line))]
    Ragged { path: PathBuf, line: u64, found: usize, expected: usize },
    #[error("`{}`, {}: {detail}", path.display(), at(*line))]
    Text { path: PathBuf, line: u64, detail: String },
    #[error("{place}, column `{}`: {value:?} is {}", excerpt(column), odd(*value))]
    NotFinite { place: String, column: String, value: f64 },
    #[error("{place}: `{}` has {left} samples and `{}` has {right}", first.display(), second.display())]
    Lengths { place: String, first: PathBuf, left: usize, second: PathBuf, right: usize },
    #[error("the {split} split has no rows")]
    EmptySplit { split: &'static str, why: String },
    #[error("column `{}` holds the same number, {value}, in every training row", excerpt(column))]
    Constant { column: String, value: f64 },
    #[error("{place}: the label of task `{task}` is {found}")]
    Label { place: String, task: String, found: String, help: String },
    #[error("no column `{}`{context}", excerpt(column))]
    Column { column: String, context: String, help: String },
    #[error("{message}")]
    Option { message: String, help: String },
}

fn at(line: u64) -> String {
    format!("line {line}")
}

/// Values are held as 32-bit numbers.
pub(super) const LARGEST: f64 = f32::MAX as f64;

fn odd(value: f64) -> &'static str {
    if value.is_finite() { "too large: values are held as 32-bit numbers, up to 3.4e38" } else { "not a finite number" }
}

fn why(e: &std::io::Error) -> String {
    match e.kind() {
        std::io::ErrorKind::IsADirectory => "it is a folder".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        _ => e.to_string(),
    }
}

/// A text of a file for a message: the whole of it only where it is short.
pub(super) fn excerpt(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_string(),
    }
}

impl DataError {
    pub(super) fn read(path: &Path, source: std::io::Error) -> DataError {
        match source.kind() {
            std::io::ErrorKind::NotFound => DataError::NotFound { path: path.to_path_buf() },
            std::io::ErrorKind::UnexpectedEof => {
                DataError::Truncated { path: path.to_path_buf(), detail: "the compressed stream is cut off".into() }
            }
            _ => DataError::Read { path: path.to_path_buf(), source },
        }
    }

    pub fn option(message: impl Into<String>, help: impl Into<String>) -> DataError {
        DataError::Option { message: message.into(), help: help.into() }
    }

    /// A column that an attribute or expression names and that does not exist, with a suggestion and the list of the columns. `context`
    /// follows the name in the message.
    pub(super) fn no_column<'a>(
        column: &str,
        context: impl Into<String>,
        columns: impl Iterator<Item = &'a str> + Clone,
    ) -> DataError {
        let near =
            suggest::nearest(column, columns.clone()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
        let help = format!("{near}the columns are {}", suggest::listing(columns));
        DataError::Column { column: column.into(), context: context.into(), help }
    }

    /// The way out, where there is one to name.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            DataError::NotFound { path } if path.components().any(|c| c.as_os_str() == "full") => {
                "`examples/data/fetch.sh` brings the full Census-Income, MNIST and MovieLens files into `examples/data/full/`"
                    .into()
            }
            DataError::NotFound { .. } => {
                "paths are relative to the folder of the `.mtl` file that has the `data` item".into()
            }
            DataError::Bomb { .. } => {
                "unpack it yourself and name the unpacked file, if that is what it should hold".into()
            }
            DataError::Truncated { .. } => "copy or fetch the file again and compare its sha256".into(),
            DataError::Ragged { .. } => {
                "each row needs one cell per column; cells that contain the delimiter stand in double quotes".into()
            }
            DataError::NotFinite { .. } => {
                "remove or replace the value; in a table, leave the cell empty or write a text that means \"missing\"; in an array of labels, \
                 write NaN"
                    .into()
            }
            DataError::Lengths { .. } => "both need the same samples in the same order".into(),
            DataError::EmptySplit { why, .. } => why.clone(),
            DataError::Constant { column, .. } => {
                let written = super::schema_text::name(column);
                format!("a constant carries no information: leave `{column}` out with `except = [{written}]` or `drop`")
            }
            DataError::Column { help, .. } | DataError::Option { help, .. } | DataError::Label { help, .. }
                if !help.is_empty() =>
            {
                help.clone()
            }
            _ => return None,
        })
    }
}
