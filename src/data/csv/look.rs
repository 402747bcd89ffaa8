//! Reads the beginning of the training file for `check`: what the columns hold, and what training would report about them.

use super::kinds::report;
use super::read::{Looked, Reader};
use crate::data::raw::{Raw, Split};
use crate::data::split::{self, Parts};
use crate::data::{DataError, Known, KnownKind, LoadContext, Schema, vocabulary};
use crate::schema::Args;

/// The number of rows that are read.
const ROWS: usize = 200_000;

/// What is known about the training file after reading its beginning.
#[derive(Debug, Default)]
pub struct Look {
    /// What training would refuse: a message and a help text.
    pub refused: Option<(String, String)>,
    /// The notes of training about the columns.
    pub notes: Vec<String>,
    /// The columns as far as they were read; `None` if training would refuse them. They count as frozen if training would find the same.
    pub known: Option<Known>,
    /// Facts about the training rows, or about all rows of their file, if the whole file was read.
    pub schema: Option<Schema>,
    /// The rows, if they are split as in training.
    pub raw: Option<Raw>,
}

/// Reads the beginning of the training file of the data set `name`. `None` if the file is not available here.
pub fn look(name: &str, args: &Args, context: &LoadContext) -> Option<Look> {
    let written = args.str("train");
    let refused = |message: String, help: String| Look { refused: Some((message, help)), ..Look::default() };
    let mut reader = Reader::new(args, context);
    let looked = match reader.look(written, ROWS) {
        Ok(looked) => looked,
        Err(DataError::NotFound { .. }) => return None,
        Err(e) => return Some(refused(e.to_string(), e.help().unwrap_or_default())),
    };
    let Looked { doubts, missing, part, rows, unread } = looked;
    let whole = rows < ROWS;
    if !doubts.is_empty() {
        let (message, help) = report(&doubts, &missing);
        let of = if whole { format!("`{written}`") } else { format!("the first {rows} rows of `{written}`") };
        return Some(refused(format!("{of}: {message}"), help));
    }
    let (notes, words) = (std::mem::take(&mut reader.notes), reader.words.both());
    let columns = reader.finish();
    // If some rows or texts were not read, the split of the rows is unknown.
    let exact = whole && unread.is_empty();
    let format = super::DEF.call.name;
    let raw = match exact && !split::is_of_test_file(args) {
        true => {
            let parts = Parts { train: part, validation: None, test: None, args, missing: words };
            parts.assemble(format, columns, Vec::new())
        }
        false => {
            let all: Vec<u32> = (0..part.rows as u32).collect();
            let train = part.deal(&[&all], &columns).remove(0);
            let splits = [train, Split::default(), Split::default()];
            let ([missing, missing_numbers], files, notes) = (words, Vec::new(), Vec::new());
            Ok(Raw { format, columns, splits, missing, missing_numbers, files, notes })
        }
    };
    let asked = |mut raw: Raw| match exact {
        true => vocabulary::apply(&mut raw, args).map(|()| raw),
        false => Ok(raw),
    };
    let raw = match raw.and_then(asked) {
        Ok(raw) => raw,
        Err(e) => return Some(Look { notes, ..refused(e.to_string(), e.help().unwrap_or_default()) }),
    };
    let schema = Schema::freeze(&raw);
    let mut known = Known::from_schema(name, &schema);
    if !exact {
        known.frozen = false;
        for column in known.outline.columns.iter_mut().flatten() {
            let truths = schema.column(&column.name).is_some_and(|c| c.is_truths());
            if matches!(column.kind, KnownKind::Category(_)) && (!truths || unread.contains(&column.name)) {
                // Rows that were not read may hold other texts.
                column.kind = KnownKind::Category(None);
            }
        }
    }
    Some(Look { refused: None, notes, known: Some(known), schema: whole.then_some(schema), raw: exact.then_some(raw) })
}
