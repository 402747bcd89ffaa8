//! Messages about cells and columns that a table cannot have.

use std::path::Path;

use super::kinds;
use crate::data::DataError;
use crate::data::error::excerpt;

/// `"NA" in 3 cells, first in line 5`, for each text.
pub fn spelled<'a>(others: impl Iterator<Item = kinds::Other<'a>>) -> String {
    let each = others.map(|o| match (o.count, o.line.unwrap_or_default()) {
        (1, line) => format!("{:?} in line {line}", o.text),
        (n, line) => format!("{:?} in {n} cells, first in line {line}", o.text),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The error for a cell that is NaN, infinite, or too large.
pub fn not_finite(path: &Path, line: u64, column: &str, value: f64) -> DataError {
    let place = format!("`{}`, line {line}", path.display());
    DataError::NotFinite { place, column: column.into(), value }
}

/// The error for a cell that is not UTF-8. It shows the cell in the most likely encoding.
pub fn not_utf8(path: &Path, line: u64, column: &str, cell: &[u8], reads: &str, add: &str) -> DataError {
    let way = match add {
        "add" => "add `encoding = windows1252` (or `latin1`)".to_string(),
        other => other.to_string(),
    };
    DataError::option(
        format!(
            "`{}`, line {line}, column `{}`: {:?} is not UTF-8",
            path.display(),
            excerpt(column),
            excerpt(&String::from_utf8_lossy(cell))
        ),
        format!(
            "in Windows-1252 or Latin-1 the cell reads {:?}: if that is right, {way}; convert other encodings, for example with \
             `iconv -f ENCODING -t UTF-8`",
            excerpt(reads)
        ),
    )
}

/// Refuses column names of implausible length, which occur if a file is not the table that it is taken for.
pub fn named_shortly<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), DataError> {
    const LONGEST: usize = 256;
    match names.into_iter().find(|n| n.len() > LONGEST) {
        None => Ok(()),
        Some(n) => Err(DataError::option(
            format!("the name of a column has {} bytes: `{}`", n.len(), excerpt(n)),
            format!("a name has {LONGEST} at most: is this the file that you mean, and the right `delimiter`?"),
        )),
    }
}

/// Refuses a name in an attribute that is not among the columns.
pub fn require(names: &[String], name: &str, attribute: &str) -> Result<(), DataError> {
    if names.iter().any(|n| n == name) {
        return Ok(());
    }
    let all = names.iter().map(String::as_str);
    Err(DataError::no_column(name, format!(", which `{attribute}` names"), all))
}
