//! Reads the beginning of the training file for `check`, to report columns of undecided kind before anything is trained.

use super::kinds::report;
use super::read::Reader;
use crate::data::{DataError, LoadContext};
use crate::schema::Args;

/// The number of rows that are read.
const ROWS: usize = 200_000;

/// A message and a help text for what is wrong with the beginning of the training file. `None` if nothing is wrong, or if the file is
/// not available here.
pub fn look(args: &Args, context: &LoadContext) -> Option<(String, String)> {
    let written = args.str("train");
    match Reader::new(args, context).look(written, ROWS) {
        Ok((doubts, missing, rows)) if !doubts.is_empty() => {
            let (message, help) = report(&doubts, &missing);
            let of =
                if rows == ROWS { format!("the first {rows} rows of `{written}`") } else { format!("`{written}`") };
            Some((format!("{of}: {message}"), help))
        }
        Ok(_) | Err(DataError::NotFound { .. }) => None,
        Err(e) => Some((e.to_string(), e.help().unwrap_or_default())),
    }
}
