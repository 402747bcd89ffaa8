//! A look at the beginning of the training file, for `check`: what the columns hold that is not decided, before anything is trained.

use super::kinds::report;
use super::read::Reader;
use crate::data::{DataError, LoadContext};
use crate::schema::Args;

/// Rows that are looked at.
const ROWS: usize = 200_000;

/// What is wrong with the training file as far as its beginning shows: a message and the way out. `None` where there is no such
/// file here.
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
