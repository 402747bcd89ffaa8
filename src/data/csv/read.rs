//! Reads files from front to back into columns. Each cell is stored as its number, or as the index of its text.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::attributes::plain;
use super::column::{self, Cells, Column, Kind};
use super::kinds::{self, Doubt, Verdict};
use super::messages::{named_shortly, not_finite, not_utf8, require, spelled};
use super::missing::{Cell, Missing, cell};
use super::numbers::Notation;
use crate::data::error::excerpt;
use crate::data::files::{self, Stream};
use crate::data::freeze::{Facts, Schema};
use crate::data::raw::{MISSING, Part, RawColumn, Values};
use crate::data::split;
use crate::data::terms::are_truths;
use crate::data::text::{self, Record, Text};
use crate::data::{DataError, FileFact, LoadContext};
use crate::schema::Args;

/// Reads the files of a table according to the attributes and the frozen schema.
pub struct Reader<'a> {
    args: &'a Args,
    context: &'a LoadContext<'a>,
    layout: text::Layout,
    notation: Notation,
    pub words: Missing,
    /// The names of all columns of the files.
    names: Vec<String>,
    /// For each column, whether it is read.
    keep: Vec<bool>,
    columns: Vec<Column>,
    pub facts: Vec<FileFact>,
    pub notes: Vec<String>,
}

/// What is known after reading the first rows.
pub struct Looked {
    /// The columns of undecided kind, and those that would be rounded.
    pub doubts: Vec<Doubt>,
    /// The words that mean "missing".
    pub missing: Vec<String>,
    /// The rows; meaningless if there are doubts.
    pub part: Part,
    pub rows: usize,
    /// Columns whose texts were not kept.
    pub unread: Vec<String>,
}

/// The state of reading one file.
struct Pass {
    cells: Vec<Cells>,
    lines: Vec<u32>,
    path: PathBuf,
    /// `None` until the file is read to its end.
    fact: Option<FileFact>,
}

/// The number of rows that are read before the representation of the columns is chosen, and the most memory that they may take.
const AHEAD: usize = 1000;
const AHEAD_CELLS: usize = 200_000;
const AHEAD_BYTES: usize = 4 << 20;

impl<'a> Reader<'a> {
    pub fn new(args: &'a Args, context: &'a LoadContext<'a>) -> Reader<'a> {
        let notation = Notation::of(args);
        Reader {
            args,
            context,
            layout: super::layout(args),
            words: Missing::of(args, context, &notation),
            notation,
            names: plain(args, "columns"),
            keep: Vec::new(),
            columns: Vec::new(),
            facts: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Reads the training file and decides the kinds of its columns.
    pub fn train(&mut self, written: &str) -> Result<Part, DataError> {
        let mut pass = self.pass(written, None, usize::MAX)?;
        let doubts = self.decide(&mut pass)?;
        self.settled(&doubts, &pass)?;
        self.texts(written, &mut pass)?;
        self.find_truths();
        self.part(pass)
    }

    /// Finds the columns of true and false that the program does not list as categories. In these, the usual spellings of missing values
    /// are missing, as in numeric columns.
    fn find_truths(&mut self) {
        let categories = plain(self.args, "categories");
        let facts = self.context.schema.map(Schema::by_name).unwrap_or_default();
        for column in self.columns.iter_mut().filter(|c| c.kind == Some(Kind::Category)) {
            column.truths = match facts.get(column.name.as_str()) {
                // If the schema has such a word among its texts, it stays a text. A schema without texts does not say.
                Some(c) if !matches!(c.facts, Facts::Withheld { .. }) => c.is_truths(),
                _ => {
                    let words = column.words.list().iter().filter(|w| !self.words.is_usual(w));
                    !categories.contains(&column.name) && are_truths(words)
                }
            };
        }
    }

    /// Reads another file with the column kinds of the training file.
    pub fn other(&mut self, written: &str) -> Result<Part, DataError> {
        let pass = self.pass(written, None, usize::MAX)?;
        let mut doubts = self.large(&pass);
        doubts.extend(self.zeros(&pass, false));
        self.settled(&doubts, &pass)?;
        self.part(pass)
    }

    /// Refuses columns with doubts.
    fn settled(&self, doubts: &[Doubt], pass: &Pass) -> Result<(), DataError> {
        if doubts.is_empty() {
            return Ok(());
        }
        let (message, help) = kinds::report(doubts, &self.known_missing(pass));
        Err(DataError::option(format!("`{}`: {message}", pass.path.display()), help))
    }

    /// Numeric columns that `numeric` does not list, with whole numbers that would be rounded.
    fn large(&self, pass: &Pass) -> Vec<Doubt> {
        let listed = plain(self.args, "numeric");
        let each = self.columns.iter().zip(&pass.cells);
        let open = each.filter(|(c, _)| c.kind == Some(Kind::Number) && !listed.contains(&c.name));
        open.filter_map(|(c, cells)| match cells {
            Cells::Numbers(numbers) if !numbers.rounded.is_empty() => Some(Doubt::large(&c.name, &numbers.rounded)),
            _ => None,
        })
        .collect()
    }

    /// Numeric columns of undeclared kind whose cells have leading zeros, if different texts would become equal, or if the column defines
    /// groups of rows. With `noted`, a note names the others.
    fn zeros(&mut self, pass: &Pass, noted: bool) -> Vec<Doubt> {
        if self.args.get("numeric").is_some() {
            return Vec::new();
        }
        let facts = self.context.schema.map(Schema::by_name).unwrap_or_default();
        let groups: HashSet<String> = split::groups(self.args).into_iter().flatten().collect();
        let mut doubts = Vec::new();
        for (column, cells) in self.columns.iter().zip(&pass.cells) {
            let Cells::Numbers(numbers) = cells else { continue };
            let open = column.kind == Some(Kind::Number) && !facts.contains_key(column.name.as_str());
            if !open || numbers.zeros.cells.is_empty() {
                continue;
            }
            match numbers.merged() {
                None if !groups.contains(&column.name) => self.notes.extend(noted.then(|| {
                    let place = format!("`{}`", pass.path.display());
                    format!("{place}: {}", kinds::leading_zeros(&column.name, &numbers.zeros.cells))
                })),
                merged => doubts.push(Doubt::zeros(&column.name, &numbers.zeros.cells, merged)),
            }
        }
        doubts
    }

    /// Reads only the first rows of the training file.
    pub fn look(&mut self, written: &str, rows: usize) -> Result<Looked, DataError> {
        let mut pass = self.pass(written, None, rows)?;
        let doubts = self.decide(&mut pass)?;
        let (missing, rows) = (self.known_missing(&pass), pass.lines.len());
        let mut unread = Vec::new();
        for (column, cells) in self.columns.iter().zip(&mut pass.cells) {
            if column.kind == Some(Kind::Category) && matches!(cells, Cells::Numbers(_)) {
                // Training would read the file again for these texts.
                *cells = Cells::Codes(vec![MISSING; rows]);
                unread.push(column.name.clone());
            }
        }
        self.find_truths();
        Ok(Looked { doubts, missing, part: self.part(pass)?, rows, unread })
    }

    /// The columns, after all files were read.
    pub fn finish(self) -> Vec<RawColumn> {
        let column = |c: Column| {
            let dictionary = if c.kind == Some(Kind::Number) { Vec::new() } else { c.words.into_list() };
            RawColumn { dictionary, ..RawColumn::new(c.name, &[]) }
        };
        self.columns.into_iter().map(column).collect()
    }

    /// Reads up to `most` rows of all columns, or the texts of the columns in `only`.
    fn pass(&mut self, written: &str, only: Option<&[usize]>, most: usize) -> Result<Pass, DataError> {
        let file = files::stream(written, self.context)?;
        let (path, size, packed) = (file.path.clone(), file.size, file.is_packed());
        let problem = |p: text::Problem| p.of(&path, |e| Stream::failed(&path, size, e));
        let mut text = Text::open(file, self.layout).map_err(problem)?;
        let mut record = Record::default();
        let mut pass = Pass { cells: Vec::new(), lines: Vec::new(), path: path.clone(), fact: None };
        let mut more = text.read(&mut record).map_err(problem)?;
        if more {
            if record.len() == 1
                && let Some(other) = text.other_delimiter()
            {
                return Err(problem(other));
            }
            self.start(&record, &path)?;
            if self.args.bool("header") {
                more = text.read(&mut record).map_err(problem)?;
            }
        }
        // Rows that are buffered until the representation of the columns is chosen.
        let mut ahead: Vec<Record> = Vec::new();
        let (mut cells, mut bytes) = (0, 0);
        let width = self.names.len();
        let check = |record: &Record, text: &Text<Stream>| {
            if record.len() == width {
                return Ok(());
            }
            Err(match text.other_delimiter() {
                Some(other) => problem(other),
                None => {
                    DataError::Ragged { path: path.clone(), line: record.line, found: record.len(), expected: width }
                }
            })
        };
        while more && ahead.len() < AHEAD.min(most) && cells < AHEAD_CELLS && bytes < AHEAD_BYTES {
            check(&record, &text)?;
            (cells, bytes) = (cells + record.len(), bytes + record.size() + record.len());
            ahead.push(record.clone());
            more = text.read(&mut record).map_err(problem)?;
        }
        let rows = match (more, packed) {
            (true, false) => (size as usize / (bytes / ahead.len()).max(1)).saturating_add(size as usize / bytes + 16),
            _ => ahead.len(),
        };
        pass.lines.reserve(rows.min(most));
        let mut places: Vec<(usize, usize)> = (0..self.names.len()).filter(|i| self.keep[*i]).enumerate().collect();
        let wanted: HashSet<usize> = only.unwrap_or_default().iter().copied().collect();
        let is_read = |c: usize| only.is_none() || wanted.contains(&c);
        for (c, at) in &places {
            let kind = match only {
                Some(_) => Kind::Category,
                None => self.columns[*c].kind.unwrap_or_else(|| self.likely(&ahead, *at)),
            };
            pass.cells.push(Cells::new(kind, if is_read(*c) { rows.min(most) } else { 0 }));
        }
        places.retain(|(c, _)| is_read(*c));
        for record in ahead {
            self.row(&record, &places, &mut pass)?;
        }
        while more && pass.lines.len() < most {
            check(&record, &text)?;
            self.row(&record, &places, &mut pass)?;
            more = text.read(&mut record).map_err(problem)?;
        }
        if !more {
            pass.fact = Some(text.into_inner().finish()?);
        }
        Ok(pass)
    }

    /// Adds one row to its columns. `places` are pairs of a column and the position of its cell.
    fn row(&mut self, record: &Record, places: &[(usize, usize)], pass: &mut Pass) -> Result<(), DataError> {
        for (c, at) in places {
            let column = &mut self.columns[*c];
            let cell = record.cell(*at);
            let text = text::utf8(cell)
                .map_err(|reads| not_utf8(&pass.path, record.line, &column.name, cell, &reads, "add"))?;
            match &mut pass.cells[*c] {
                Cells::Codes(codes) => codes.push(match self.words.is(text) {
                    true => MISSING,
                    false => column.words.number(text),
                }),
                Cells::Numbers(numbers) => match self::cell(text, &self.notation, &self.words) {
                    Cell::Number(v) => {
                        numbers.push(v);
                        if self.notation.is_rounded(text, v) {
                            numbers.was_rounded(text, record.line);
                        }
                        numbers.was_written(text, v, record.line);
                    }
                    Cell::Missing => numbers.push_missing(),
                    Cell::Usual => numbers.push_other(text, record.line),
                    Cell::Odd(v) if column.kind.is_none() => numbers.push_odd(v, record.line),
                    Cell::Not if column.kind.is_none() => numbers.push_other(text, record.line),
                    Cell::Odd(value) => return Err(not_finite(&pass.path, record.line, &column.name, value)),
                    Cell::Not => {
                        let name = column.name.clone();
                        return Err(self.not_a_number(&pass.path, record.line, &name, text));
                    }
                },
            }
        }
        pass.lines.push(record.line as u32);
        Ok(())
    }

    /// The likely kind of the column at a position of the training file, from its first rows. A wrong guess costs time but does not change the result.
    fn likely(&self, ahead: &[Record], at: usize) -> Kind {
        let (mut numbers, mut others) = (0, 0);
        for record in ahead {
            let Ok(text) = std::str::from_utf8(record.cell(at)) else { continue };
            match cell(text, &self.notation, &self.words) {
                Cell::Number(_) | Cell::Odd(_) => numbers += 1,
                Cell::Not => others += 1,
                Cell::Missing | Cell::Usual => {}
            }
        }
        if others > numbers { Kind::Category } else { Kind::Number }
    }

    /// Decides the kind of every column, and returns the columns for which that is impossible.
    fn decide(&mut self, pass: &mut Pass) -> Result<Vec<Doubt>, DataError> {
        let mut doubts = Vec::new();
        for c in 0..self.columns.len() {
            if self.columns[c].kind.is_some() {
                continue;
            }
            let column = &self.columns[c];
            let read = |t: &str| cell(t, &self.notation, &self.words);
            let tally = match &pass.cells[c] {
                Cells::Numbers(numbers) => numbers.tally(),
                Cells::Codes(codes) => column::tally(&column.words, codes, &pass.lines, read),
            };
            let verdict = kinds::judge(&column.name, &tally, &self.notation, &self.words.numbers);
            let kind = match verdict {
                Verdict::Number => Kind::Number,
                Verdict::Category => Kind::Category,
                Verdict::Doubtful(note) => {
                    self.notes.push(note);
                    Kind::Category
                }
                Verdict::Open(doubt) => {
                    doubts.push(*doubt);
                    continue;
                }
            };
            self.columns[c].kind = Some(kind);
            if kind == Kind::Number {
                self.read_numbers(pass, c)?;
            }
        }
        doubts.extend(self.large(pass));
        doubts.extend(self.zeros(pass, true));
        Ok(doubts)
    }

    /// Converts a numeric column whose cells were stored as texts.
    fn read_numbers(&mut self, pass: &mut Pass, c: usize) -> Result<(), DataError> {
        let column = &mut self.columns[c];
        if let Cells::Numbers(numbers) = &pass.cells[c] {
            return match numbers.odd {
                Some((line, value)) => Err(not_finite(&pass.path, line, &column.name, value)),
                None => Ok(()),
            };
        }
        let words = std::mem::take(&mut column.words);
        let read: Vec<Cell> = words.list().iter().map(|w| cell(w, &self.notation, &self.words)).collect();
        let Cells::Codes(codes) = std::mem::replace(&mut pass.cells[c], Cells::new(Kind::Number, pass.lines.len()))
        else {
            return Ok(());
        };
        let Cells::Numbers(numbers) = &mut pass.cells[c] else { return Ok(()) };
        for (code, line) in codes.into_iter().zip(&pass.lines) {
            let line = u64::from(*line);
            if code == MISSING {
                numbers.push_missing();
                continue;
            }
            match read[code as usize] {
                Cell::Number(v) => {
                    numbers.push(v);
                    let text = &words.list()[code as usize];
                    if self.notation.is_rounded(text, v) {
                        numbers.was_rounded(text, line);
                    }
                    numbers.was_written(text, v, line);
                }
                Cell::Missing => numbers.push_missing(),
                Cell::Odd(value) => return Err(not_finite(&pass.path, line, &column.name, value)),
                Cell::Usual | Cell::Not => numbers.push_other(&words.list()[code as usize], line),
            }
        }
        Ok(())
    }

    /// Reads the texts of columns that were stored as numbers but are categories.
    fn texts(&mut self, written: &str, pass: &mut Pass) -> Result<(), DataError> {
        let is_text =
            |c: &usize| self.columns[*c].kind == Some(Kind::Category) && matches!(pass.cells[*c], Cells::Numbers(_));
        let again: Vec<usize> = (0..self.columns.len()).filter(is_text).collect();
        if again.is_empty() {
            return Ok(());
        }
        // Free their numbers before the file is read again.
        again.iter().for_each(|c| pass.cells[*c] = Cells::new(Kind::Category, 0));
        let second = self.pass(written, Some(&again), usize::MAX)?;
        if second.fact != pass.fact {
            return Err(DataError::read(&pass.path, std::io::Error::other(crate::source::CHANGED)));
        }
        let mut cells: Vec<Option<Cells>> = second.cells.into_iter().map(Some).collect();
        for c in again {
            pass.cells[c] = cells[c].take().expect("each column once");
        }
        Ok(())
    }

    fn part(&mut self, mut pass: Pass) -> Result<Part, DataError> {
        for (column, cells) in self.columns.iter().zip(&mut pass.cells) {
            let (what, usual) = match cells {
                Cells::Numbers(numbers) => ("numeric column", spelled(numbers.others())),
                Cells::Codes(codes) if column.truths => {
                    let usual: Vec<bool> = column.words.list().iter().map(|w| self.words.is_usual(w)).collect();
                    let tally = column::tally(&column.words, codes, &pass.lines, |w| match self.words.is_usual(w) {
                        true => Cell::Usual,
                        false => Cell::Missing,
                    });
                    let found = spelled(tally.others.into_iter().filter(|o| o.count > 0));
                    for code in codes.iter_mut().filter(|c| **c != MISSING && usual[**c as usize]) {
                        *code = MISSING;
                    }
                    ("column of true and false", found)
                }
                Cells::Codes(_) => continue,
            };
            if !usual.is_empty() {
                self.notes.push(format!(
                    "`{}`: the {what} `{}` holds {usual}: read as missing",
                    pass.path.display(),
                    excerpt(&column.name),
                ));
            }
        }
        self.facts.extend(pass.fact);
        let mut columns: Vec<Values> = pass.cells.into_iter().map(Cells::into_values).collect();
        if columns.is_empty() {
            // The file has no lines.
            columns =
                self.columns.iter().map(|c| Cells::new(c.kind.unwrap_or(Kind::Category), 0).into_values()).collect();
        }
        Ok(Part { rows: pass.lines.len(), columns, source: pass.path, origin: pass.lines, unit: "line" })
    }

    /// The words that currently mean "missing": all that are listed, and the usual ones that occur.
    fn known_missing(&self, pass: &Pass) -> Vec<String> {
        let mut words = self.words.any.clone();
        for cells in &pass.cells {
            if let Cells::Numbers(numbers) = cells {
                for other in numbers.others().filter(|o| self.words.is_usual(o.text)) {
                    if !words.iter().any(|w| w == other.text) {
                        words.push(other.text.to_string());
                    }
                }
            }
        }
        words
    }

    fn not_a_number(&self, path: &Path, line: u64, column: &str, text: &str) -> DataError {
        let way = kinds::refused(column, text, &self.notation, &self.words);
        let way = match self.args.get("numeric") {
            Some(_) => format!("{way}; or take `{column}` out of `numeric` to read it as categories"),
            None => format!("the training cells of the column are numbers: {way}"),
        };
        DataError::option(
            format!(
                "`{}`, line {line}, column `{}`: {:?} is not a number",
                path.display(),
                excerpt(column),
                excerpt(text)
            ),
            way,
        )
    }

    /// Takes the column names from the first line of the first file, and compares those of later files with them.
    fn start(&mut self, record: &Record, path: &Path) -> Result<(), DataError> {
        if self.args.bool("header") {
            let mut found = Vec::with_capacity(record.len());
            for (i, cell) in record.iter().enumerate() {
                let name = text::utf8(cell)
                    .map_err(|reads| not_utf8(path, record.line, &format!("number {}", i + 1), cell, &reads, "add"))?;
                found.push(name.to_string());
            }
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
                let help = match self.keep.is_empty() {
                    true => {
                        "`columns` repeats the header of a file that has one: leave it out, or write the names as in \
                         the header, in quotes if a name has other characters than letters, digits and `_`"
                            .to_string()
                    }
                    false => format!(
                        "the files of a data set must have the same columns in the same order: correct this one to match `{}`",
                        self.args.str("train")
                    ),
                };
                return Err(DataError::option(format!("`{}`, line {}: {detail}", path.display(), record.line), help));
            }
        } else if self.names.is_empty() {
            return Err(DataError::option(
                "a table without a header needs names for its columns",
                "add `columns = [...]`, one name per column in the file's order",
            ));
        }
        if self.keep.is_empty() {
            self.columns()?;
        }
        Ok(())
    }

    /// Sets up the columns that are read, with their kinds as far as they are known.
    fn columns(&mut self) -> Result<(), DataError> {
        named_shortly(self.names.iter().map(String::as_str))?;
        let mut seen = HashSet::new();
        if let Some(twice) = self.names.iter().find(|n| !seen.insert(n.as_str())) {
            return Err(DataError::option(
                format!("column `{}` is named twice", excerpt(twice)),
                "every column needs its own name",
            ));
        }
        let drop = plain(self.args, "drop");
        drop.iter().try_for_each(|name| require(&self.names, name, "drop"))?;
        self.keep = self.names.iter().map(|n| !drop.contains(n)).collect();
        let kept: Vec<String> = self.names.iter().filter(|n| !drop.contains(n)).cloned().collect();
        let listed = |attribute: &str| -> Result<Vec<String>, DataError> {
            let names = plain(self.args, attribute);
            names.iter().filter(|n| !drop.contains(n)).try_for_each(|n| require(&kept, n, attribute))?;
            Ok(names)
        };
        let numeric = self.args.get("numeric").map(|_| listed("numeric")).transpose()?;
        let categories = listed("categories")?;
        let facts = self.context.schema.map(Schema::by_name).unwrap_or_default();
        let kind = |name: &String| match &numeric {
            Some(n) if n.contains(name) => Some(Kind::Number),
            Some(_) => Some(Kind::Category),
            None if categories.contains(name) => Some(Kind::Category),
            None => match &facts.get(name.as_str())?.facts {
                Facts::Numeric { .. } => Some(Kind::Number),
                facts if facts.is_text() => Some(Kind::Category),
                _ => None,
            },
        };
        let column =
            |name: &String| Column { name: name.clone(), kind: kind(name), truths: false, words: Default::default() };
        self.columns = kept.iter().map(column).collect();
        Ok(())
    }
}
