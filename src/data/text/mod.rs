//! Tables and lists in text form: reads a file of any encoding and any line ends as records with line numbers.
//!
//! Everything that reads tables as text uses this module: the csv format, new rows for `predict`, and the lists of `celeba`.

mod delimiter;
mod encoding;
mod foreign;
mod lines;
mod records;

use std::io::{self, Chain, Cursor, Read};
use std::path::Path;

use super::DataError;
pub use delimiter::describe;
pub use encoding::{Encoding, NAMES as ENCODINGS};
pub use foreign::is_spreadsheet;
pub use lines::{lines, whole};
pub use records::Record;

use delimiter::{declared, separates};
use encoding::{Broken, Decoder, windows};
use records::Records;

/// An error in a text, without the path of its file.
#[derive(Debug)]
pub enum Problem {
    /// The file cannot be read.
    Read(io::Error),
    /// The text is not as expected; `line` is the line of the error, if it has one.
    Text { line: Option<u64>, message: String, help: String },
}

impl Problem {
    fn file(message: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::Text { line: None, message: message.into(), help: help.into() }
    }

    fn line(line: u64, message: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::Text { line: Some(line), message: message.into(), help: help.into() }
    }

    fn io(line: u64, e: io::Error) -> Problem {
        match e.downcast::<Broken>() {
            Ok(broken) => Problem::line(line, broken.0, "save the file again, as UTF-8"),
            Err(e) => Problem::Read(e),
        }
    }

    /// The error with the path of the file. `read` makes the error for a file that cannot be read.
    pub fn of(self, path: &Path, read: impl FnOnce(io::Error) -> DataError) -> DataError {
        match self {
            Problem::Read(e) => read(e),
            Problem::Text { line: Some(line), message, help } => {
                DataError::option(format!("`{}`, line {line}: {message}", path.display()), help)
            }
            Problem::Text { line: None, message, help } => {
                DataError::option(format!("`{}`: {message}", path.display()), help)
            }
        }
    }
}

/// The layout of a table in text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub delimiter: u8,
    /// The declared encoding. A byte order mark takes precedence over it; without either, the text is UTF-8.
    pub encoding: Option<Encoding>,
}

/// Reads the records of a file.
pub struct Text<R> {
    records: Records<Decoder<Chain<Cursor<Vec<u8>>, R>>>,
    /// The beginning of the text, decoded.
    sample: Vec<u8>,
    delimiter: u8,
    begun: bool,
}

/// The number of bytes that are read ahead to recognise the file.
const SAMPLE: u64 = 1 << 16;

impl<R: Read> Text<R> {
    /// Begins to read. Refuses a file whose first bytes are not text.
    pub fn open(mut input: R, layout: Layout) -> Result<Text<R>, Problem> {
        let mut first = Vec::new();
        input.by_ref().take(SAMPLE).read_to_end(&mut first).map_err(Problem::Read)?;
        if let Some(problem) = foreign::refuse(&first) {
            return Err(problem);
        }
        let (encoding, mark) = Encoding::of(&first, layout.encoding)?;
        let mut sample = Vec::new();
        // An error after the decodable text is reported when that place is read.
        let _ = Decoder::new(&first[mark..], encoding).read_to_end(&mut sample);
        let mut first = Cursor::new(first);
        first.set_position(mark as u64);
        let records = Records::new(Decoder::new(first.chain(input), encoding), layout.delimiter);
        Ok(Text { records, sample, delimiter: layout.delimiter, begun: false })
    }

    /// Reads the next record; returns `false` at the end. A first line `sep=;`, as written by Excel, is skipped if it declares the
    /// expected delimiter.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, Problem> {
        if !self.records.read(record)? {
            return Ok(false);
        }
        if std::mem::replace(&mut self.begun, true) {
            return Ok(true);
        }
        match declared(record, self.delimiter) {
            None => Ok(true),
            Some(sign) if sign == self.delimiter => self.records.read(record),
            Some(sign) => Err(Problem::line(
                record.line,
                format!("the file declares {} as its delimiter", describe(sign)),
                format!("add `delimiter = {:?}`", char::from(sign).to_string()),
            )),
        }
    }

    /// The problem of a table whose cells are separated by another delimiter. Called for the first record, and for one of another length.
    pub fn other_delimiter(&self) -> Option<Problem> {
        let (sign, cells, records) = separates(&self.sample, self.delimiter)?;
        let rows = if records == 1 { "its first line".into() } else { format!("each of its first {records} lines") };
        Some(Problem::file(
            format!(
                "its cells are separated by {} ({cells} in {rows}), and {} are expected",
                describe(sign),
                describe(self.delimiter)
            ),
            format!("add `delimiter = {:?}`", char::from(sign).to_string()),
        ))
    }

    /// The underlying file.
    pub fn into_inner(self) -> R {
        self.records.into_inner().into_inner().into_inner().1
    }
}

/// A cell as text; the error is its text in the most likely encoding.
pub fn utf8(cell: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(cell).map_err(|_| windows(cell))
}
