//! Reading files into columns of codes.

use std::collections::{HashMap, HashSet};

use crate::data::error::excerpt;
use crate::data::raw::{MISSING, Part, Values};
use crate::data::{DataError, FileFact, LoadContext, files};
use crate::diag::suggest;

/// Interns the cells of all files, column by column.
pub struct Reader {
    pub names: Vec<String>,
    pub keep: Vec<bool>,
    pub dictionaries: Vec<(HashMap<String, u32>, Vec<String>)>,
    pub missing: HashSet<String>,
    pub delimiter: u8,
    pub header: bool,
    pub facts: Vec<FileFact>,
}

impl Reader {
    /// Reads one file: a column of codes per kept column, and the line of each row.
    pub fn read(&mut self, written: &str, drop: &[String], context: &LoadContext) -> Result<Part, DataError> {
        let file = files::open(written, context)?;
        let path = file.path;
        if let Some(line) = too_long(&file.bytes) {
            let detail = format!("the line has more than {} MiB: this is no table", MAX_LINE >> 20);
            return Err(DataError::Text { path, line, detail });
        }
        let mut reader = ::csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .trim(::csv::Trim::All)
            .from_reader(file.bytes.as_slice());
        let mut record = ::csv::ByteRecord::new();
        let mut columns: Vec<Vec<u32>> = Vec::new();
        let mut lines = Vec::new();
        let mut first = true;
        loop {
            let more = reader.read_byte_record(&mut record).map_err(|e| DataError::Text {
                path: path.clone(),
                line: reader_line(&record),
                detail: e.to_string(),
            })?;
            if !more {
                break;
            }
            let line = reader_line(&record);
            if std::mem::take(&mut first) {
                self.start(&record, &path, drop)?;
                columns = vec![Vec::new(); self.keep.iter().filter(|k| **k).count()];
                if self.header {
                    continue;
                }
            }
            if record.len() != self.names.len() {
                return Err(DataError::Ragged { path, line, found: record.len(), expected: self.names.len() });
            }
            let kept = record.iter().zip(&self.keep).filter(|(_, k)| **k).map(|(c, _)| c);
            for ((cell, column), (index, words)) in kept.zip(&mut columns).zip(&mut self.dictionaries) {
                let text = std::str::from_utf8(cell).map_err(|_| DataError::Text {
                    path: path.clone(),
                    line,
                    detail: format!("the cell {:?} is not UTF-8", excerpt(&String::from_utf8_lossy(cell))),
                })?;
                column.push(match index.get(text) {
                    Some(code) => *code,
                    None if self.missing.contains(text) => MISSING,
                    None => {
                        words.push(text.to_string());
                        index.insert(text.to_string(), words.len() as u32 - 1);
                        words.len() as u32 - 1
                    }
                });
            }
            lines.push(line as u32);
        }
        self.facts.push(file.fact);
        let columns = columns.into_iter().map(Values::Text).collect();
        Ok(Part { rows: lines.len(), columns, source: path, origin: lines, unit: "line" })
    }

    /// Fixes the names by the first line of the first file, and compares those of later files with them.
    fn start(&mut self, record: &::csv::ByteRecord, path: &std::path::Path, drop: &[String]) -> Result<(), DataError> {
        if self.header {
            let found: Vec<String> = record.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
            let found: Vec<String> = found.into_iter().map(|c| c.trim_start_matches('\u{feff}').to_string()).collect();
            if self.names.is_empty() {
                self.names = found;
            } else if self.names != found {
                let differ = self.names.iter().zip(&found).position(|(a, b)| a != b);
                let detail = match differ {
                    Some(i) => {
                        format!(
                            "the header calls column {} `{}`, expected `{}`",
                            i + 1,
                            excerpt(&found[i]),
                            excerpt(&self.names[i])
                        )
                    }
                    None => format!("the header has {} columns, expected {}", found.len(), self.names.len()),
                };
                return Err(DataError::Text { path: path.to_path_buf(), line: 1, detail });
            }
        } else if self.names.is_empty() {
            return Err(DataError::option(
                "a table without a header needs names for its columns",
                "add `columns = [...]`, one name per column in the file's order",
            ));
        }
        named_shortly(self.names.iter().map(String::as_str))?;
        let mut seen = HashSet::new();
        if let Some(twice) = self.names.iter().find(|n| !seen.insert(n.as_str())) {
            return Err(DataError::option(
                format!("column `{}` is named twice", excerpt(twice)),
                "every column needs its own name",
            ));
        }
        if self.keep.is_empty() {
            for name in drop {
                require(&self.names, name, "drop")?;
            }
            self.keep = self.names.iter().map(|n| !drop.contains(n)).collect();
            self.dictionaries = vec![Default::default(); self.keep.iter().filter(|k| **k).count()];
        }
        Ok(())
    }
}

/// The longest line of a table.
const MAX_LINE: usize = 16 << 20;

/// The number of the first line that is longer than any table's.
fn too_long(bytes: &[u8]) -> Option<u64> {
    if bytes.len() <= MAX_LINE {
        return None;
    }
    bytes.split(|b| *b == b'\n').position(|l| l.len() > MAX_LINE).map(|n| n as u64 + 1)
}

/// Refuses names that are none: a file that is not what it is taken for has such.
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

fn reader_line(record: &::csv::ByteRecord) -> u64 {
    record.position().map_or(1, |p| p.line())
}

pub fn require(names: &[String], name: &str, attribute: &str) -> Result<(), DataError> {
    if names.iter().any(|n| n == name) {
        return Ok(());
    }
    let all = || names.iter().map(String::as_str);
    let near = suggest::nearest(name, all()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
    Err(DataError::Column {
        column: name.into(),
        context: format!(", which `{attribute}` names"),
        help: format!("{near}the columns are {}", suggest::listing(all())),
    })
}
