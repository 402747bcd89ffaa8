//! Tables: csv, `.gz` or not, `-` for standard input. Read in pieces; columns are found by their names, whatever their order, and
//! columns that the network does not read are passed over.

use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Piece, Source, Wanted, cannot_read, shown, unpacked};
use crate::data::csv::{self, Cell, Missing};
use crate::data::freeze::Facts;
use crate::data::raw::{MISSING, Split, Values};
use crate::data::text::{Problem, Record, Text, describe, utf8};
use crate::data::{DataError, error};
use crate::diag::suggest;

pub struct Table<'a> {
    wanted: &'a Wanted,
    paths: VecDeque<PathBuf>,
    file: Option<File>,
    missing: Missing,
    /// Number of each word of each category.
    words: Vec<HashMap<&'a str, u32>>,
    /// Cells per column that hold a word training never showed.
    unseen: Vec<usize>,
    empty: Vec<PathBuf>,
}

struct File {
    path: PathBuf,
    text: Text<Box<dyn Read>>,
    /// Position of each wanted column, and of the one to hand through.
    at: Vec<usize>,
    id: Option<usize>,
    width: usize,
    /// The first line, if it is a row.
    first: Option<Record>,
    rows: usize,
}

impl<'a> Table<'a> {
    /// Opens the first file, whose header is the likeliest to be wrong.
    pub fn open(paths: &[PathBuf], wanted: &'a Wanted) -> Result<Table<'a>, DataError> {
        if let Some(c) = wanted.columns.iter().find(|c| !c.shape.is_empty()) {
            return Err(DataError::option(
                format!("the network reads `{}`, {:?} numbers per row, which is no cell of a table", c.name, c.shape),
                "give arrays (`.npy`, `.npz`, idx) or, for images, pictures (png, jpeg)",
            ));
        }
        let words = wanted.columns.iter().map(|c| match &c.facts {
            Facts::Category { values } => values.iter().zip(0..).map(|((w, _), i)| (w.as_str(), i)).collect(),
            _ => HashMap::new(),
        });
        let mut table = Table {
            wanted,
            paths: paths.iter().cloned().collect(),
            file: None,
            missing: Missing::new(wanted.missing.clone(), wanted.missing_numbers.clone(), &wanted.layout.notation),
            words: words.collect(),
            unseen: vec![0; wanted.columns.len()],
            empty: Vec::new(),
        };
        table.advance()?;
        Ok(table)
    }

    /// Opens the next file, if there is one.
    fn advance(&mut self) -> Result<(), DataError> {
        self.file = match self.paths.pop_front() {
            Some(path) => Some(File::open(path, self.wanted)?),
            None => None,
        };
        Ok(())
    }
}

impl File {
    fn open(path: PathBuf, wanted: &Wanted) -> Result<File, DataError> {
        let bytes = unpacked(&path)?;
        let path = shown(&path);
        let mut text = Text::open(bytes, wanted.layout.text).map_err(|p| unreadable(&path, p))?;
        let mut first = Record::default();
        if !text.read(&mut first).map_err(|p| unreadable(&path, p))? {
            return Err(DataError::option(
                format!("`{}` is empty", path.display()),
                "a table has a first line that names its columns; a table of no rows is that line alone",
            ));
        }
        if first.len() == 1
            && let Some(other) = text.other_delimiter()
        {
            return Err(unreadable(&path, other));
        }
        let cells: Vec<String> = first.iter().map(|c| String::from_utf8_lossy(c).into_owned()).collect();
        // Training tables without a header are read by position, unless the file has one all the same: a first line that holds
        // mostly names of columns. A row of data holds none.
        let (names, is_row) = match &wanted.layout.columns {
            Some(names) if 2 * cells.iter().filter(|c| names.contains(c)).count() < cells.len() => {
                if cells.len() != names.len() {
                    let found = match cells.len() {
                        1 => format!(
                            "one cell in its first line (cells are separated by {})",
                            describe(wanted.layout.text.delimiter)
                        ),
                        n => format!("{n} cells in its first line"),
                    };
                    let columns = names.len();
                    return Err(DataError::option(
                        format!(
                            "`{}` has no header and {found}, and the training tables have {columns} columns",
                            path.display()
                        ),
                        "bring all columns in the order of the program's `columns`, or add a first line that names them",
                    ));
                }
                (names.clone(), true)
            }
            _ => (cells, false),
        };
        let (at, id) = places(&path, &names, wanted)?;
        let width = names.len();
        Ok(File { path, text, at, id, width, first: is_row.then_some(first), rows: 0 })
    }

    /// The next row, or `false`.
    fn read(&mut self, record: &mut Record) -> Result<bool, DataError> {
        match self.first.take() {
            Some(first) => *record = first,
            None => {
                if !self.text.read(record).map_err(|p| unreadable(&self.path, p))? {
                    return Ok(false);
                }
            }
        }
        if record.len() != self.width {
            if let Some(other) = self.text.other_delimiter() {
                return Err(unreadable(&self.path, other));
            }
            let path = self.path.clone();
            return Err(DataError::Ragged { path, line: record.line, found: record.len(), expected: self.width });
        }
        self.rows += 1;
        Ok(true)
    }
}

/// Where the wanted columns stand; all that are not there are named at once.
fn places(path: &std::path::Path, names: &[String], w: &Wanted) -> Result<(Vec<usize>, Option<usize>), DataError> {
    let all = || names.iter().map(String::as_str);
    let lacks: Vec<&str> = w.columns.iter().map(|c| c.name.as_str()).filter(|c| !all().any(|n| n == *c)).collect();
    if !lacks.is_empty() {
        // Of columns that nothing reads, and whose names are long enough to look like something.
        let spare = || all().filter(|n| n.len() > 2 && !w.columns.iter().any(|c| c.name == *n));
        let near = lacks.iter().filter(|c| c.len() > 2 && names.len() > 1);
        let near =
            near.filter_map(|c| suggest::nearest(c, spare()).map(|n| format!("`{n}` looks like `{c}`; "))).next();
        let what = match lacks.len() {
            1 => "a column".to_string(),
            n => format!("{n} columns"),
        };
        let some = lacks.len() < w.columns.len();
        let header = match (some, names) {
            (false, [one]) => format!(
                "its first line reads {one:?}, one cell: is it a header, and are its cells separated by {}?",
                describe(w.layout.text.delimiter)
            ),
            (false, _) => format!("its first line must name the columns, and reads {}", suggest::listing(all())),
            (true, _) => format!("its columns are {}; their order does not matter", suggest::listing(all())),
        };
        return Err(DataError::option(
            format!("`{}` lacks {what} that the network reads: `{}`", path.display(), lacks.join("`, `")),
            format!("{}{header}", near.unwrap_or_default()),
        ));
    }
    let find = |name: &str| -> Result<usize, DataError> {
        let mut places = all().zip(0..).filter(|(n, _)| *n == name).map(|(_, i)| i);
        match (places.next(), places.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(DataError::option(
                format!("`{}` has two columns `{name}`", path.display()),
                "leave one; which of them is meant cannot be known",
            )),
            _ => Err(DataError::Column {
                column: name.into(),
                context: format!(" in `{}`, which `--id` names", path.display()),
                help: format!("its columns are {}", suggest::listing(all())),
            }),
        }
    };
    let at = w.columns.iter().map(|c| find(&c.name)).collect::<Result<_, _>>()?;
    Ok((at, w.id.as_deref().map(find).transpose()?))
}

/// The error for a problem of the file. New rows have no attributes: they must have the layout of the training tables.
fn unreadable(path: &Path, problem: Problem) -> DataError {
    match problem.of(path, |e| cannot_read(path, &e)) {
        DataError::Option { message, help } if help.starts_with("add `") => DataError::option(
            message,
            "write the new rows as the training tables were written: the same `delimiter`, and the same `encoding` or a byte order mark",
        ),
        other => other,
    }
}

impl Source for Table<'_> {
    fn next(&mut self, rows: usize) -> Result<Option<Piece>, DataError> {
        let columns = &self.wanted.columns;
        let mut values: Vec<Values> = columns
            .iter()
            .map(|c| match &c.facts {
                facts if facts.is_text() => Values::Text(Vec::with_capacity(rows)),
                _ => Values::F64(Vec::with_capacity(rows)),
            })
            .collect();
        let mut ids: Option<Vec<String>> = self.wanted.id.as_ref().map(|_| Vec::new());
        // The texts of hashed columns, which have no vocabulary.
        let mut hashed: Vec<(HashMap<String, u32>, Vec<String>)> = vec![Default::default(); columns.len()];
        let (mut source, mut origin) = (String::new(), Vec::with_capacity(rows));
        let mut record = Record::default();
        while origin.len() < rows {
            let Some(file) = &mut self.file else { break };
            if !file.read(&mut record)? {
                if file.rows == 0 {
                    self.empty.push(file.path.clone());
                }
                if !origin.is_empty() {
                    // Errors in a row name its file, so a piece has rows of one file only.
                    break;
                }
                self.advance()?;
                continue;
            }
            source = file.path.display().to_string();
            for (c, at) in file.at.iter().enumerate() {
                let text = text(file, &record, *at, &columns[c].name)?;
                match &mut values[c] {
                    Values::Text(codes) if matches!(columns[c].facts, Facts::Hashed { .. }) => {
                        let (places, texts) = &mut hashed[c];
                        codes.push(match (self.missing.is(text), places.get(text)) {
                            (true, _) => MISSING,
                            (false, Some(code)) => *code,
                            (false, None) => {
                                places.insert(text.to_string(), texts.len() as u32);
                                texts.push(text.to_string());
                                texts.len() as u32 - 1
                            }
                        });
                    }
                    Values::Text(codes) => codes.push(match self.words[c].get(text) {
                        Some(code) => *code,
                        None => {
                            // Encoded as in training: a category it never showed is as good as missing.
                            let missing =
                                self.missing.is(text) || (columns[c].facts.is_truths() && self.missing.is_usual(text));
                            self.unseen[c] += usize::from(!missing);
                            MISSING
                        }
                    }),
                    Values::F64(numbers) => {
                        numbers.push(match csv::cell(text, &self.wanted.layout.notation, &self.missing) {
                            Cell::Number(v) => v,
                            Cell::Missing | Cell::Usual => f64::NAN,
                            Cell::Odd(v) => {
                                let place = format!("`{}`, line {}", file.path.display(), record.line);
                                return Err(DataError::NotFinite { place, column: columns[c].name.clone(), value: v });
                            }
                            Cell::Not => {
                                return Err(no_number(text, file, &record, &columns[c].name, &self.missing));
                            }
                        })
                    }
                    _ => unreachable!("made above"),
                }
            }
            if let (Some(ids), Some(at)) = (&mut ids, file.id) {
                ids.push(text(file, &record, at, self.wanted.id.as_deref().unwrap_or_default())?.to_string());
            }
            origin.push(record.line as u32);
        }
        if origin.is_empty() {
            return Ok(None);
        }
        let rows = origin.len();
        let mut raw =
            self.wanted.raw(csv::DEF.call.name, Split { rows, columns: values, source, origin, unit: "line" });
        for (column, (_, texts)) in raw.columns.iter_mut().zip(hashed).filter(|(_, (places, _))| !places.is_empty()) {
            column.dictionary = texts;
        }
        Ok(Some(Piece { raw, rows, ids }))
    }

    fn id(&self) -> Option<&str> {
        self.wanted.id.as_deref()
    }

    fn notes(&self) -> Vec<String> {
        let unseen = self.wanted.columns.iter().zip(&self.unseen).filter(|(_, n)| **n > 0).map(|(c, n)| {
            let (cells, they, are) = if *n == 1 { ("cell holds", "it", "is") } else { ("cells hold", "they", "are") };
            format!(
                "column `{}`: {n} {cells} a text that {}; {they} {are} read as unknown, like missing ones",
                c.name,
                match c.rare {
                    Some(rare) => format!("occurs in fewer than {} training rows", rare.below),
                    None => "does not occur in the training rows".into(),
                }
            )
        });
        let empty = self.empty.iter().map(|p| format!("`{}` has no rows", p.display()));
        empty.chain(unseen).collect()
    }
}

fn text<'r>(file: &File, record: &'r Record, at: usize, column: &str) -> Result<&'r str, DataError> {
    let cell = record.cell(at);
    let way = "save the new rows as UTF-8: `iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv`";
    utf8(cell).map_err(|reads| csv::not_utf8(&file.path, record.line, column, cell, &reads, way))
}

fn no_number(text: &str, file: &File, record: &Record, column: &str, missing: &Missing) -> DataError {
    DataError::option(
        format!(
            "`{}`, line {}, column `{column}`: {:?} is not a number",
            file.path.display(),
            record.line,
            error::excerpt(text)
        ),
        format!(
            "training saw numbers in this column: write the cell as the training table writes numbers{}",
            missing.describe().map(|words| format!("; missing is written {words}")).unwrap_or_default()
        ),
    )
}
