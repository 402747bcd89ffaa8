//! Tables and lists in text form: how a file of any encoding and any line ends becomes records with the numbers of their lines.
//!
//! Everything that reads text of a table goes through here: the csv format, new rows for `predict`, the lists of `celeba`.

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

/// What is wrong with a text, before it is known which file it is.
#[derive(Debug)]
pub enum Problem {
    /// The file cannot be read.
    Read(io::Error),
    /// Its text is not what it should be; of a line where there is one.
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

    /// Of this file; `read` says how a file that cannot be read is reported.
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

/// How the text of a table is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub delimiter: u8,
    /// As declared; a byte order mark decides over it, and without either the text is UTF-8.
    pub encoding: Option<Encoding>,
}

/// Records of a file.
pub struct Text<R> {
    records: Records<Decoder<Chain<Cursor<Vec<u8>>, R>>>,
    /// How the text begins, decoded.
    sample: Vec<u8>,
    delimiter: u8,
    begun: bool,
}

/// What is read ahead to know the file by.
const SAMPLE: u64 = 1 << 16;

impl<R: Read> Text<R> {
    /// Begins to read; refuses a file that is no text by its first bytes.
    pub fn open(mut input: R, layout: Layout) -> Result<Text<R>, Problem> {
        let mut first = Vec::new();
        input.by_ref().take(SAMPLE).read_to_end(&mut first).map_err(Problem::Read)?;
        if let Some(problem) = foreign::refuse(&first) {
            return Err(problem);
        }
        let (encoding, mark) = Encoding::of(&first, layout.encoding)?;
        let mut sample = Vec::new();
        // What is wrong after the text that could be decoded is reported where it is read.
        let _ = Decoder::new(&first[mark..], encoding).read_to_end(&mut sample);
        let mut first = Cursor::new(first);
        first.set_position(mark as u64);
        let records = Records::new(Decoder::new(first.chain(input), encoding), layout.delimiter);
        Ok(Text { records, sample, delimiter: layout.delimiter, begun: false })
    }

    /// The next record, or `false` at the end. A first line `sep=;`, as Excel writes it, is read past if it declares the delimiter
    /// that is expected.
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

    /// Why the first record, or one of another length, is not what it seems: the cells are separated by another sign.
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

    /// The file, to be read to its end.
    pub fn into_inner(self) -> R {
        self.records.into_inner().into_inner().into_inner().1
    }
}

/// A cell as text, or how it would read in the encoding that it probably has.
pub fn utf8(cell: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(cell).map_err(|_| windows(cell))
}
