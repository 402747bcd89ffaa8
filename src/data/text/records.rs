//! Records of a table in text form, each with the number of its first line in the file.
//!
//! A line ends with LF, CR LF or CR, also inside quotes. All lines are counted, including blank lines and those within a quoted cell. Blank
//! lines contain no record. ASCII white space around cells is removed. A cell that begins with a quote, possibly after blanks, ends at the
//! closing quote; `""` in it is one quote, and its line ends are read as LF, so that the meaning of a table does not depend on its line
//! ends.

use std::io::Read;

use super::Problem;

/// The size limit of a record in bytes.
const LONGEST: usize = 16 << 20;

/// One record. The buffers are reused for the next record.
#[derive(Debug, Clone, Default)]
pub struct Record {
    bytes: Vec<u8>,
    /// Beginning and end of each trimmed cell in `bytes`.
    cells: Vec<(usize, usize)>,
    /// The number of its first line in the file, from 1.
    pub line: u64,
}

impl Record {
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.cells.iter().map(|(a, b)| &self.bytes[*a..*b])
    }

    /// Cell `i`; empty if there is no such cell.
    pub fn cell(&self, i: usize) -> &[u8] {
        self.cells.get(i).map_or(&[], |(a, b)| &self.bytes[*a..*b])
    }

    /// The size of its text in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    fn clear(&mut self, line: u64) {
        self.bytes.clear();
        self.cells.clear();
        self.line = line;
    }

    fn close(&mut self, begin: usize) {
        let cell = &self.bytes[begin..];
        let lead = cell.len() - cell.trim_ascii_start().len();
        let len = cell.trim_ascii().len();
        self.cells.push((begin + lead, begin + lead + len));
    }

    /// Whether the record is a blank line.
    fn is_blank(&self) -> bool {
        matches!(self.cells.as_slice(), [(a, b)] if a == b)
    }
}

/// Reads records.
pub struct Records<R> {
    input: R,
    delimiter: u8,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    /// The line of the next byte.
    line: u64,
    /// For each byte, whether it interrupts the text of an unquoted cell.
    special: [bool; 256],
}

impl<R: Read> Records<R> {
    pub fn new(input: R, delimiter: u8) -> Records<R> {
        let mut special = [false; 256];
        for byte in [delimiter, b'\n', b'\r'] {
            special[usize::from(byte)] = true;
        }
        Records { input, delimiter, buffer: vec![0; 1 << 16], at: 0, end: 0, line: 1, special }
    }

    /// The underlying reader.
    pub fn into_inner(self) -> R {
        self.input
    }

    /// Reads the next record; returns `false` at the end.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, Problem> {
        loop {
            record.clear(self.line);
            if self.peek()?.is_none() {
                return Ok(false);
            }
            let quoted = self.cells(record)?;
            if quoted || !record.is_blank() {
                return Ok(true);
            }
        }
    }

    /// Reads the cells up to the end of the record; returns whether one of them is quoted.
    fn cells(&mut self, record: &mut Record) -> Result<bool, Problem> {
        let mut any = false;
        loop {
            let begin = record.bytes.len();
            if self.after_blanks(record)? == Some(b'"') {
                any = true;
                // The blanks are not part of the quoted text.
                record.bytes.truncate(begin);
                self.quoted(record)?;
            }
            self.plain(record)?;
            record.close(begin);
            match self.peek()? {
                Some(b) if b == self.delimiter => self.at += 1,
                None => return Ok(any),
                Some(_) => {
                    self.line_end()?;
                    return Ok(any);
                }
            }
        }
    }

    /// Reads the blanks at the beginning of a cell, which are kept for now. Returns the byte that follows.
    fn after_blanks(&mut self, record: &mut Record) -> Result<Option<u8>, Problem> {
        loop {
            match self.peek()? {
                Some(b @ (b' ' | b'\t' | b'\x0c')) if b != self.delimiter => {
                    record.bytes.push(b);
                    self.at += 1;
                    self.within(record)?;
                }
                next => return Ok(next),
            }
        }
    }

    /// Reads an unquoted cell up to the delimiter, the end of the line, or the end of the file.
    fn plain(&mut self, record: &mut Record) -> Result<(), Problem> {
        while self.peek()?.is_some() {
            let rest = &self.buffer[self.at..self.end];
            let n = rest.iter().position(|b| self.special[usize::from(*b)]);
            record.bytes.extend_from_slice(&rest[..n.unwrap_or(rest.len())]);
            self.at += n.unwrap_or(rest.len());
            self.within(record)?;
            if n.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// Reads a quoted cell up to the closing quote.
    fn quoted(&mut self, record: &mut Record) -> Result<(), Problem> {
        let opened = self.line;
        self.at += 1;
        loop {
            match self.peek()? {
                None => {
                    return Err(Problem::line(
                        opened,
                        "a quote is opened here and never closed",
                        "close the quote, or write a quote within a quoted cell twice: `\"\"`",
                    ));
                }
                Some(b'"') => {
                    self.at += 1;
                    if self.peek()? != Some(b'"') {
                        return Ok(());
                    }
                    record.bytes.push(b'"');
                    self.at += 1;
                }
                Some(b'\n' | b'\r') => {
                    self.line_end()?;
                    record.bytes.push(b'\n');
                }
                Some(_) => {
                    let rest = &self.buffer[self.at..self.end];
                    let n = rest.iter().position(|b| matches!(b, b'"' | b'\n' | b'\r')).unwrap_or(rest.len());
                    record.bytes.extend_from_slice(&rest[..n]);
                    self.at += n;
                }
            }
            self.within(record)?;
        }
    }

    /// Skips LF, CR LF or CR.
    fn line_end(&mut self) -> Result<(), Problem> {
        let first = self.buffer[self.at];
        self.at += 1;
        self.line += 1;
        if first == b'\r' && self.peek()? == Some(b'\n') {
            self.at += 1;
        }
        Ok(())
    }

    fn within(&self, record: &Record) -> Result<(), Problem> {
        if record.bytes.len() <= LONGEST {
            return Ok(());
        }
        Err(Problem::line(
            record.line,
            format!("the line has more than {} MiB: this is not a table", LONGEST >> 20),
            "is it the file that you mean, and is a quote never closed?",
        ))
    }

    fn peek(&mut self) -> Result<Option<u8>, Problem> {
        if self.at == self.end {
            self.at = 0;
            self.end = loop {
                match self.input.read(&mut self.buffer) {
                    Ok(n) => break n,
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => {
                        self.end = 0;
                        return Err(Problem::io(self.line, e));
                    }
                }
            };
            if self.end == 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line numbers and cells, read with a buffer of a single byte.
    fn all(text: &str) -> Vec<(u64, Vec<String>)> {
        let read = |buffer: usize| {
            let mut records = Records::new(text.as_bytes(), b',');
            records.buffer = vec![0; buffer];
            let (mut record, mut out) = (Record::default(), Vec::new());
            while records.read(&mut record).expect("a table") {
                let cells = record.iter().map(|c| String::from_utf8(c.to_vec()).expect("text")).collect();
                out.push((record.line, cells));
            }
            out
        };
        let whole = read(1 << 16);
        assert_eq!(read(1), whole, "{text:?}");
        assert_eq!(read(2), whole, "{text:?}");
        whole
    }

    fn lines(text: &str) -> Vec<u64> {
        all(text).into_iter().map(|(l, _)| l).collect()
    }

    #[test]
    fn every_line_end_counts_once() {
        for end in ["\n", "\r\n", "\r"] {
            let text = |t: &str| t.replace('\n', end);
            assert_eq!(lines(&text("a,b\n1,2\n\n3,4\n\n\n5,6")), [1, 2, 4, 7], "{end:?}");
            assert_eq!(lines(&text("\n\na\n  \n1\n")), [3, 5], "{end:?}");
            assert_eq!(lines(&text("a,b\n\"x\ny\n\",2\n3,4\n")), [1, 2, 5], "{end:?}");
            assert_eq!(all(&text("\"x\n\ny\",1\n"))[0].1, ["x\n\ny", "1"], "{end:?}");
        }
        assert_eq!(lines("a\nb\r\nc\rd\n\re\r\r\nf"), [1, 2, 3, 4, 6, 8]);
    }

    #[test]
    fn cells_are_trimmed_and_quotes_closed() {
        let one = |text: &str| all(text).remove(0).1;
        assert_eq!(one(" a , b\t,c "), ["a", "b", "c"]);
        assert_eq!(one("\"a, b\",\"he said \"\"no\"\"\",\"\""), ["a, b", "he said \"no\"", ""]);
        assert_eq!(one("\"a\"b,c\"d\""), ["ab", "c\"d\""]);
        assert_eq!(one(",,"), ["", "", ""]);
        // Blanks around the quotes are not part of a cell, in a header and in rows.
        assert_eq!(one("\"c\", \"e, f\" ,\t\"y\"\t, \"\" "), ["c", "e, f", "y", ""]);
        assert_eq!(one("  \"x\n\ny\", 1"), ["x\n\ny", "1"]);
        assert_eq!(lines("a,b\n1, \"x\ny\"\n  \n2, \"z\"\n \"\"\n"), [1, 2, 5, 6]);
        assert_eq!(all("\"\"\n"), [(1, vec![String::new()])], "a cell in quotes is a record");
        let mut open = Records::new(&b"a\n\n1,\"x\n2,3\n"[..], b',');
        let mut record = Record::default();
        assert!(open.read(&mut record).expect("a header"));
        let Err(Problem::Text { line, .. }) = open.read(&mut record) else { panic!("never closed") };
        assert_eq!(line, Some(3));
    }
}
