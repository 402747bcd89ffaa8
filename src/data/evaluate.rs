//! Computing label expressions on rows. A missing cell makes the whole label missing, except where it is asked for.

use super::DataError;
use super::label::{Label, Term};
use super::raw::{MISSING, Raw, Values};
use crate::syntax::ast::BinaryOp;

/// What a term gives on one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Missing,
    Bool(bool),
    Number(f64),
    Text(&'a str),
}

/// A label whose columns are found in the data.
#[derive(Debug, Clone)]
pub struct Bound<'a> {
    raw: &'a Raw,
    pub terms: Vec<Term>,
}

impl Label {
    /// Finds the columns.
    pub fn bind<'a>(&self, raw: &'a Raw) -> Result<Bound<'a>, DataError> {
        let mut terms = self.terms.clone();
        for t in &mut terms {
            place(t, raw, &self.data)?;
        }
        Ok(Bound { raw, terms })
    }
}

fn place(term: &mut Term, raw: &Raw, data: &str) -> Result<(), DataError> {
    match term {
        Term::Column(name, at) | Term::IsMissing(name, at) => {
            *at = raw.index(name).ok_or_else(|| DataError::Column {
                column: name.clone(),
                context: format!(" in data `{data}`"),
                help: format!(
                    "its columns are {}",
                    crate::diag::suggest::listing(raw.columns.iter().map(|c| c.name.as_str()))
                ),
            })?;
            Ok(())
        }
        Term::Not(t) | Term::Neg(t) | Term::Truth(t) | Term::Within(t, ..) | Term::OneOf(t, _) => place(t, raw, data),
        Term::Binary(_, l, r) => place(l, raw, data).and_then(|()| place(r, raw, data)),
        Term::Number(_) | Term::Text(_) | Term::Bool(_) => Ok(()),
    }
}

impl<'a> Bound<'a> {
    /// The stored sizes of the arrays in a term; empty if all its columns are single values. Checking has ensured that they agree.
    pub fn sizes(&self, term: &Term) -> &'a [usize] {
        match term {
            Term::Column(_, at) | Term::IsMissing(_, at) => match &self.raw.columns[*at] {
                c if c.elements() == 1 => &[],
                c => &c.shape,
            },
            Term::Not(t) | Term::Neg(t) | Term::Truth(t) | Term::Within(t, ..) | Term::OneOf(t, _) => self.sizes(t),
            Term::Binary(_, l, r) => match self.sizes(l) {
                [] => self.sizes(r),
                sizes => sizes,
            },
            Term::Number(_) | Term::Text(_) | Term::Bool(_) => &[],
        }
    }

    /// Evaluates a term on one row. Of arrays, it reads the value at index `at`; single values combine with every value of an array.
    pub fn cell(&'a self, term: &'a Term, split: usize, row: usize, at: usize) -> Cell<'a> {
        let place = |column: usize| match self.raw.columns[column].elements() {
            1 => row,
            n => row * n + at,
        };
        match term {
            Term::Column(_, column) => match &self.raw.splits[split].columns[*column] {
                Values::Text(codes) if codes[row] == MISSING => Cell::Missing,
                Values::Text(codes) => Cell::Text(&self.raw.columns[*column].dictionary[codes[row] as usize]),
                values => match values.number(place(*column)) {
                    v if v.is_nan() => Cell::Missing,
                    v => Cell::Number(v),
                },
            },
            Term::IsMissing(_, column) => {
                Cell::Bool(self.raw.splits[split].columns[*column].number(place(*column)).is_nan())
            }
            Term::Number(v) => Cell::Number(*v),
            Term::Text(s) => Cell::Text(s),
            Term::Bool(b) => Cell::Bool(*b),
            Term::Not(t) => match self.cell(t, split, row, at) {
                Cell::Bool(b) => Cell::Bool(!b),
                _ => Cell::Missing,
            },
            Term::Truth(t) => match self.cell(t, split, row, at) {
                Cell::Text(text) if text.eq_ignore_ascii_case("true") => Cell::Bool(true),
                Cell::Text(text) if text.eq_ignore_ascii_case("false") => Cell::Bool(false),
                // Other values are reported where the label is used.
                other => other,
            },
            Term::Neg(t) => match self.cell(t, split, row, at) {
                Cell::Number(v) => Cell::Number(-v),
                _ => Cell::Missing,
            },
            Term::Within(t, a, b) => match self.cell(t, split, row, at) {
                Cell::Number(v) => Cell::Bool(*a <= v && v <= *b),
                _ => Cell::Missing,
            },
            Term::OneOf(t, values) => match self.cell(t, split, row, at) {
                Cell::Missing => Cell::Missing,
                cell => Cell::Bool(values.iter().any(|v| self.cell(v, split, row, at) == cell)),
            },
            Term::Binary(op, l, r) => binary(*op, self.cell(l, split, row, at), || self.cell(r, split, row, at)),
        }
    }
}

fn binary<'a>(op: BinaryOp, l: Cell<'a>, right: impl FnOnce() -> Cell<'a>) -> Cell<'a> {
    // `true or missing` is true and `false and missing` is false, whichever side is missing.
    let r = right();
    let decides = |b: bool| match op {
        BinaryOp::And => (!b).then_some(Cell::Bool(false)),
        BinaryOp::Or => b.then_some(Cell::Bool(true)),
        _ => None,
    };
    for side in [l, r] {
        if let Cell::Bool(b) = side
            && let Some(result) = decides(b)
        {
            return result;
        }
    }
    match (l, r) {
        (Cell::Number(a), Cell::Number(b)) => match op {
            BinaryOp::Add => Cell::Number(a + b),
            BinaryOp::Sub => Cell::Number(a - b),
            BinaryOp::Mul => Cell::Number(a * b),
            BinaryOp::Div => Cell::Number(a / b),
            BinaryOp::Rem => Cell::Number(a.rem_euclid(b)),
            BinaryOp::Lt => Cell::Bool(a < b),
            BinaryOp::Le => Cell::Bool(a <= b),
            BinaryOp::Gt => Cell::Bool(a > b),
            BinaryOp::Ge => Cell::Bool(a >= b),
            BinaryOp::Eq => Cell::Bool(a == b),
            BinaryOp::Ne => Cell::Bool(a != b),
            _ => Cell::Missing,
        },
        (Cell::Bool(a), Cell::Bool(b)) => match op {
            BinaryOp::And => Cell::Bool(a && b),
            BinaryOp::Or => Cell::Bool(a || b),
            BinaryOp::Eq => Cell::Bool(a == b),
            BinaryOp::Ne => Cell::Bool(a != b),
            _ => Cell::Missing,
        },
        (Cell::Text(a), Cell::Text(b)) => match op {
            BinaryOp::Eq => Cell::Bool(a == b),
            BinaryOp::Ne => Cell::Bool(a != b),
            _ => Cell::Missing,
        },
        _ => Cell::Missing,
    }
}
