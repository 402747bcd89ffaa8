//! The keys by which rows are drawn: the group, the stratum, the time or the split of each row of a file, and conditions on rows.

use std::collections::HashMap;

use super::attributes::Named;
use super::check::as_column;
use super::instants::Instant;
use crate::data::evaluate::Cell;
use crate::data::label::{self, Label};
use crate::data::outline::{Known, KnownColumn, KnownKind, Outline};
use crate::data::raw::{MISSING, Part, Raw, RawColumn, Split, Values};
use crate::data::terms::are_truths;
use crate::data::{DataError, schema_text};
use crate::syntax::ast::{Expr, ExprKind};

/// A file whose rows are divided.
#[derive(Clone, Copy)]
pub struct File<'a> {
    pub part: &'a Part,
    pub columns: &'a [RawColumn],
    /// Cells that mean "missing", and those that mean it in numeric columns and in columns of true and false only.
    pub missing: &'a [Vec<String>; 2],
}

/// A number per row, where rows with the same number belong together, and the meaning of each number.
pub struct Keys {
    pub of: Vec<u32>,
    pub words: Vec<String>,
}

impl File<'_> {
    fn column(&self, name: &str, attribute: &str) -> Result<usize, DataError> {
        let names = || self.columns.iter().map(|c| c.name.as_str());
        let at = names()
            .position(|n| n == name)
            .ok_or_else(|| DataError::no_column(name, format!(", which `{attribute}` names"), names()))?;
        let elements = self.columns[at].elements();
        if elements != 1 || matches!(self.part.columns[at], Values::Pictures(_)) {
            return Err(DataError::option(
                format!("`{attribute}` names the column `{name}`, which does not hold one value per sample"),
                "rows are divided by columns of one number or one text per sample",
            ));
        }
        Ok(at)
    }

    /// All rows with some of the columns, as one split.
    fn view(&self, names: &[String]) -> Raw {
        let all: Vec<u32> = (0..self.part.rows as u32).collect();
        let at: Vec<usize> = (0..self.columns.len()).filter(|c| names.contains(&self.columns[*c].name)).collect();
        let columns: Vec<RawColumn> = at.iter().map(|c| self.columns[*c].clone()).collect();
        let values = at.iter().map(|c| self.part.columns[*c].take(&all, self.columns[*c].elements())).collect();
        let split = Split {
            rows: self.part.rows,
            columns: values,
            source: self.part.source.display().to_string(),
            origin: self.part.origin.clone(),
            unit: self.part.unit,
        };
        let none = || Split { columns: columns.iter().map(|_| Values::F64(Vec::new())).collect(), ..Split::default() };
        let splits = [split, none(), none()];
        let [missing, missing_numbers] = self.missing.clone();
        let (files, notes) = (Vec::new(), Vec::new());
        Raw { format: "", columns, splits, missing, missing_numbers, files, notes }
    }

    /// The group of each row. A row with a missing cell in one of the columns is its own group.
    pub fn groups(&self, by: &[String]) -> Result<Keys, DataError> {
        let at = by.iter().map(|n| self.column(n, "by")).collect::<Result<Vec<_>, _>>()?;
        let mut keys = Collector::default();
        let columns: Vec<(&RawColumn, &Values)> =
            at.iter().map(|c| (&self.columns[*c], &self.part.columns[*c])).collect();
        let mut word = String::new();
        for row in 0..self.part.rows {
            if !group(&columns, row, &mut word) {
                word = format!("\u{1e}{row}");
            }
            keys.push(&word);
        }
        Ok(keys.end())
    }

    /// The stratum of each row, by a column or an expression.
    pub fn strata(&self, by: &Expr) -> Result<Keys, DataError> {
        let mut keys = Collector::default();
        match as_column(by) {
            Some(name) => {
                let at = self.column(&name.text, "stratify")?;
                for row in 0..self.part.rows {
                    keys.push(text(&self.columns[at], &self.part.columns[at], row).as_deref().unwrap_or("\u{1e}"));
                }
            }
            None => {
                let (raw, label) = self.expression(by, false)?;
                let bound = label.bind(&raw)?;
                for row in 0..self.part.rows {
                    match bound.cell(&bound.terms[0], 0, row, 0) {
                        Cell::Missing => keys.push("\u{1e}"),
                        Cell::Bool(b) => keys.push(&b.to_string()),
                        Cell::Number(v) => keys.push(&number(v)),
                        Cell::Whole(v) => keys.push(&v.to_string()),
                        Cell::Text(t) => keys.push(t),
                    }
                }
            }
        }
        let keys = keys.end();
        if keys.words.len() * 2 > self.part.rows {
            return Err(DataError::option(
                format!("`stratify` has {} different values in {} rows", keys.words.len(), self.part.rows),
                "shares cannot be kept of values that hardly repeat: stratify by a class, or by an expression such as `d.age > 60`",
            ));
        }
        Ok(keys)
    }

    /// The rank of each row in order of time; equal times have equal ranks.
    pub fn times(&self, column: &str) -> Result<Vec<u32>, DataError> {
        self.column(column, "time")?;
        let raw = self.view(&[column.to_string()]);
        let values = &raw.splits[0].columns[0];
        let missing = |row: usize| {
            DataError::option(
                format!("{}, column `{column}`: the time is missing", self.part.place(row)),
                "rows are divided by this column: fill it, or remove the row",
            )
        };
        let mut order: Vec<u32> = (0..self.part.rows as u32).collect();
        let same: Box<dyn Fn(usize, usize) -> bool>;
        if let Values::Text(codes) = values {
            let instants = self.instants(column, codes, &raw.columns[0].dictionary, missing)?;
            order.sort_by_key(|row| instants[*row as usize]);
            same = Box::new(move |a, b| instants[a] == instants[b]);
        } else if let Some(whole) = whole(values) {
            order.sort_by_key(|row| whole[*row as usize]);
            same = Box::new(move |a, b| whole[a] == whole[b]);
        } else {
            let numbers: Vec<f64> = values.numbers().collect();
            if let Some(row) = numbers.iter().position(|v| v.is_nan()) {
                return Err(missing(row));
            }
            order.sort_by(|a, b| numbers[*a as usize].total_cmp(&numbers[*b as usize]));
            same = Box::new(move |a, b| numbers[a] == numbers[b]);
        }
        let mut places = vec![0; order.len()];
        let mut place = 0;
        for (i, row) in order.iter().enumerate() {
            if i > 0 && !same(order[i - 1] as usize, *row as usize) {
                place += 1;
            }
            places[*row as usize] = place;
        }
        Ok(places)
    }

    /// The dates and times of a column of texts, row by row.
    fn instants(
        &self,
        column: &str,
        codes: &[u32],
        dictionary: &[String],
        missing: impl Fn(usize) -> DataError,
    ) -> Result<Vec<Instant>, DataError> {
        let place = |row: usize| format!("{}, column `{column}`", self.part.place(row));
        // Each distinct text is parsed once.
        let mut known: Vec<Option<Instant>> = vec![None; dictionary.len()];
        // The first row without an offset from UTC, and the first with one.
        let mut first: [Option<usize>; 2] = [None; 2];
        let mut instants = Vec::with_capacity(codes.len());
        for (row, code) in codes.iter().enumerate() {
            let word = dictionary.get(*code as usize).ok_or_else(|| missing(row))?;
            let instant = match known[*code as usize] {
                Some(instant) => instant,
                None => Instant::read(word).map_err(|reason| {
                    let why = reason.map(|r| format!(": {r}")).unwrap_or_default();
                    DataError::option(
                        format!("{}: {word:?} is neither a number nor a date{why}", place(row)),
                        "write dates as 2026-11-30, 2026-11-30 14:05:00 or 2026-11-30T14:05:00+01:00, or times as numbers, for example \
                         seconds",
                    )
                })?,
            };
            known[*code as usize] = Some(instant);
            first[usize::from(instant.offset)].get_or_insert(row);
            instants.push(instant);
        }
        if let [Some(without), Some(with)] = first {
            let word = |row: usize| &dictionary[codes[row] as usize];
            return Err(DataError::option(
                format!(
                    "{}: {:?} has no offset from UTC, and {:?} in {} {} has one, so their order is unknown",
                    place(without),
                    word(without),
                    word(with),
                    self.part.unit,
                    self.part.number(with)
                ),
                "write an offset (or `Z`) in every row, or in none",
            ));
        }
        Ok(instants)
    }

    /// The rows for which a condition is true; a missing value is false.
    pub fn rows_where(&self, condition: &Expr) -> Result<Vec<u32>, DataError> {
        let (raw, label) = self.expression(condition, true)?;
        let bound = label.bind(&raw)?;
        let holds = |row: &u32| bound.cell(&bound.terms[0], 0, *row as usize, 0) == Cell::Bool(true);
        Ok((0..self.part.rows as u32).filter(holds).collect())
    }

    fn expression(&self, e: &Expr, condition: bool) -> Result<(Raw, Label), DataError> {
        let names = first_names(e);
        let data = names.first().map(|(data, _)| data.clone()).unwrap_or_default();
        let read: Vec<String> = names.into_iter().map(|(_, column)| column).collect();
        let raw = self.view(&read);
        let kind = |c: &RawColumn, v: &Values| match v {
            Values::Text(codes) => KnownKind::Category(truths(&c.dictionary, codes)),
            Values::Pictures(_) => KnownKind::Picture,
            _ => KnownKind::Numeric(None),
        };
        let columns = raw.columns.iter().zip(&raw.splits[0].columns);
        let known = columns.map(|(c, v)| KnownColumn {
            name: c.name.clone(),
            kind: kind(c, v),
            shape: Some(c.shape.clone()),
            groups: c.groups.clone(),
        });
        let outline = Outline { columns: Some(known.collect()), missing: raw.missing.clone() };
        let mut known = Known::from_outline(data, outline);
        known.missing_numbers = raw.missing_numbers.clone();
        match label::check_row(e, condition, [&known]) {
            Ok(label) => Ok((raw, label)),
            Err(problems) => {
                let first = problems.into_iter().next();
                let (message, help) = first.map(|d| (d.message, d.help)).unwrap_or_default();
                Err(DataError::option(message, help.unwrap_or_default()))
            }
        }
    }

    /// The split of each row according to a column: 0, 1, 2, or `leave_out`.
    pub fn named(&self, named: &Named, leave_out: u8) -> Result<Vec<u8>, DataError> {
        let at = self.column(&named.column, "split")?;
        let meaning = |cell: &str| match &named.cells {
            Some(cells) => cells.iter().position(|c| c.iter().any(|w| w == cell)).map(|s| s as u8),
            None => usual(cell),
        };
        let mut out = Vec::with_capacity(self.part.rows);
        for row in 0..self.part.rows {
            let cell = text(&self.columns[at], &self.part.columns[at], row);
            match meaning(cell.as_deref().unwrap_or("")) {
                Some(3) => out.push(leave_out),
                Some(split) => out.push(split),
                None => {
                    let column = &named.column;
                    let found = match &cell {
                        Some(c) => format!("{:?} names no split", c),
                        None => "the cell that names the split is missing".to_string(),
                    };
                    let example = schema_text::quoted(cell.as_deref().unwrap_or(""));
                    return Err(DataError::option(
                        format!("{}, column `{column}`: {found}", self.part.place(row)),
                        format!(
                            "cells are `train`, `validation` or `test`; say what others mean: `split = column({}, train = [...], \
                             validation = [...], test = [...], leave_out = [{example}])`",
                            schema_text::name(column)
                        ),
                    ));
                }
            }
        }
        Ok(out)
    }
}

/// The texts that occur, if all of them are true or false.
fn truths(dictionary: &[String], codes: &[u32]) -> Option<Vec<String>> {
    let mut occurs = vec![false; dictionary.len()];
    codes.iter().filter(|c| **c != MISSING).for_each(|c| occurs[*c as usize] = true);
    let found = || dictionary.iter().zip(&occurs).filter(|(_, o)| **o).map(|(word, _)| word);
    are_truths(found()).then(|| found().cloned().collect())
}

/// The index of the split with one of the usual names.
fn usual(cell: &str) -> Option<u8> {
    match cell.to_ascii_lowercase().as_str() {
        "train" | "training" => Some(0),
        "validation" | "val" | "valid" | "dev" => Some(1),
        "test" | "testing" => Some(2),
        _ => None,
    }
}

fn number(v: f64) -> String {
    (v + 0.0).to_string()
}

/// The exact numbers of an integer type: nanoseconds since 1970 have more digits than an f64 holds.
fn whole(values: &Values) -> Option<Vec<i128>> {
    match values {
        Values::I64(v) => Some(v.iter().map(|v| i128::from(*v)).collect()),
        Values::U64(v) => Some(v.iter().map(|v| i128::from(*v)).collect()),
        _ => None,
    }
}

/// The end of each cell in the word of a group.
pub(super) const SEPARATOR: char = '\u{1f}';

/// Writes the word of the group of a row, by one or several columns. Returns whether the row has a group: no cell is missing.
pub(super) fn group(columns: &[(&RawColumn, &Values)], row: usize, word: &mut String) -> bool {
    word.clear();
    for (column, values) in columns {
        let Some(cell) = text(column, values, row) else { return false };
        word.push_str(&cell);
        word.push(SEPARATOR);
    }
    true
}

/// A cell as text; `None` if it is missing.
fn text(column: &RawColumn, values: &Values, row: usize) -> Option<String> {
    match values {
        Values::Text(codes) => column.dictionary.get(codes[row] as usize).cloned(),
        other => other.written(row),
    }
}

#[derive(Default)]
struct Collector {
    known: HashMap<String, u32>,
    of: Vec<u32>,
    words: Vec<String>,
}

impl Collector {
    fn push(&mut self, word: &str) {
        let next = self.words.len() as u32;
        let key = *self.known.entry(word.to_string()).or_insert(next);
        if key == next {
            self.words.push(word.to_string());
        }
        self.of.push(key);
    }

    fn end(self) -> Keys {
        Keys { of: self.of, words: self.words }
    }
}

/// The data sets and columns that an expression names, `d.age`.
fn first_names(e: &Expr) -> Vec<(String, String)> {
    fn walk(e: &Expr, out: &mut Vec<(String, String)>) {
        match &e.kind {
            ExprKind::Path(parts) => {
                if let [data, column] = parts.as_slice() {
                    out.push((data.text.clone(), column.text.clone()));
                }
            }
            ExprKind::Unary { operand, .. } => walk(operand, out),
            ExprKind::Binary { left, right, .. } => {
                walk(left, out);
                walk(right, out);
            }
            ExprKind::List(items) => items.iter().for_each(|i| walk(i, out)),
            _ => {}
        }
    }
    let mut out = Vec::new();
    walk(e, &mut out);
    out
}
