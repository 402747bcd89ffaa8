//! Computing label expressions on rows. Comparisons and computations with a missing cell are missing, except a test for missing cells. `and`
//! and `or` are missing only if the missing side decides the result. A division by zero is missing, and so is its remainder.
//!
//! Comparisons with a whole number beyond 2^53 are exact, and so are sums, differences, products and remainders of whole numbers. A constant that is compared with a column of 16 or 32 bits is rounded
//! like the column ([`Precision`]).

use std::cmp::Ordering;

use super::DataError;
use super::label::{Label, Term};
use super::numbers::Precision;
use super::raw::{MISSING, Raw, Values};
use crate::syntax::ast::BinaryOp;

/// What a term gives on one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Missing,
    Bool(bool),
    Number(f64),
    /// A whole number beyond 2^53, which an f64 may not hold exactly.
    Whole(i128),
    Text(&'a str),
}

impl Cell<'_> {
    /// The value as a number, rounded if an f64 does not hold it.
    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Number(v) => Some(*v),
            Cell::Whole(v) => Some(*v as f64),
            _ => None,
        }
    }

    /// The exact value, if it is a whole number.
    fn whole(&self) -> Option<i128> {
        const MOST: f64 = (1u128 << 100) as f64;
        match self {
            Cell::Whole(v) => Some(*v),
            Cell::Number(v) if v.fract() == 0.0 && v.abs() < MOST => Some(*v as i128),
            _ => None,
        }
    }

    /// The order of two numbers; `None` if one of them is not a number.
    fn order(&self, other: &Cell) -> Option<Ordering> {
        match (self, other) {
            (Cell::Whole(a), Cell::Whole(b)) => Some(a.cmp(b)),
            (Cell::Whole(a), Cell::Number(b)) => whole_order(*a, *b),
            (Cell::Number(a), Cell::Whole(b)) => whole_order(*b, *a).map(Ordering::reverse),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }
}

/// Compares a whole number with any number.
fn whole_order(whole: i128, v: f64) -> Option<Ordering> {
    // The conversion saturates, which does not change the order.
    let (floor, rest) = (v.floor(), v - v.floor());
    (!v.is_nan()).then(|| whole.cmp(&(floor as i128)).then(if rest > 0.0 { Ordering::Less } else { Ordering::Equal }))
}

/// An f64 holds all whole numbers up to this one.
const EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;

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
            *at = raw.index(name).ok_or_else(|| {
                let all = raw.columns.iter().map(|c| c.name.as_str());
                DataError::no_column(name, format!(" in data `{data}`"), all)
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

    /// The precision in which the values of a term are stored, if it is a plain column; computed values are exact.
    pub fn precision(&self, term: &Term, split: usize) -> Precision {
        match term {
            Term::Column(_, at) => self.raw.splits[split].columns[*at].precision(),
            Term::Neg(t) => self.precision(t, split),
            _ => Precision::Exact,
        }
    }

    /// The two sides of a comparison. A constant is rounded like the column that it is compared with.
    fn sides(&'a self, [l, r]: [&'a Term; 2], split: usize, row: usize, at: usize) -> [Cell<'a>; 2] {
        let side = |term: &'a Term, other: &Term| match self.cell(term, split, row, at) {
            Cell::Number(v) if is_constant(term) => Cell::Number(self.precision(other, split).rounded(v)),
            Cell::Whole(v) if is_constant(term) && self.precision(other, split) != Precision::Exact => {
                Cell::Number(self.precision(other, split).rounded(v as f64))
            }
            cell => cell,
        };
        [side(l, r), side(r, l)]
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
                values => match (values.large(place(*column)), values.number(place(*column))) {
                    (Some(whole), _) => Cell::Whole(whole),
                    (None, v) if v.is_nan() => Cell::Missing,
                    (None, v) => Cell::Number(v),
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
                Cell::Whole(v) => Cell::Whole(-v),
                _ => Cell::Missing,
            },
            Term::Within(t, a, b) => {
                let cell = self.cell(t, split, row, at);
                let to = |end: f64| cell.order(&Cell::Number(self.precision(t, split).rounded(end)));
                match (to(*a), to(*b)) {
                    (Some(low), Some(high)) => Cell::Bool(low.is_ge() && high.is_le()),
                    _ => Cell::Missing,
                }
            }
            Term::OneOf(t, values) => match self.cell(t, split, row, at) {
                Cell::Missing => Cell::Missing,
                cell => {
                    let precision = self.precision(t, split);
                    let rounded = |v: &'a Term| match self.cell(v, split, row, at) {
                        Cell::Number(v) => Cell::Number(precision.rounded(v)),
                        other => other,
                    };
                    let is = |v| compared(BinaryOp::Eq, cell, rounded(v)) == Cell::Bool(true);
                    Cell::Bool(values.iter().any(is))
                }
            },
            Term::Binary(op @ (BinaryOp::And | BinaryOp::Or), l, r) => {
                logic(*op, [self.cell(l, split, row, at), self.cell(r, split, row, at)])
            }
            Term::Binary(op, l, r) if is_comparison(*op) => {
                let [l, r] = self.sides([l, r], split, row, at);
                compared(*op, l, r)
            }
            Term::Binary(op, l, r) => computed(*op, self.cell(l, split, row, at), self.cell(r, split, row, at)),
        }
    }
}

/// Whether a term reads no column.
fn is_constant(term: &Term) -> bool {
    match term {
        Term::Number(_) | Term::Text(_) | Term::Bool(_) => true,
        Term::Neg(t) | Term::Not(t) => is_constant(t),
        Term::Binary(_, l, r) => is_constant(l) && is_constant(r),
        Term::Column(..) | Term::IsMissing(..) | Term::Truth(_) | Term::OneOf(..) | Term::Within(..) => false,
    }
}

fn is_comparison(op: BinaryOp) -> bool {
    use BinaryOp::{Eq, Ge, Gt, Le, Lt, Ne};
    matches!(op, Eq | Ne | Lt | Le | Gt | Ge)
}

/// `true or missing` is true and `false and missing` is false, whichever side is missing.
fn logic<'a>(op: BinaryOp, [l, r]: [Cell<'a>; 2]) -> Cell<'a> {
    let decides = op == BinaryOp::Or;
    match (l, r) {
        (Cell::Bool(b), _) | (_, Cell::Bool(b)) if b == decides => Cell::Bool(decides),
        (Cell::Bool(_), Cell::Bool(_)) => Cell::Bool(!decides),
        _ => Cell::Missing,
    }
}

fn compared<'a>(op: BinaryOp, l: Cell<'a>, r: Cell<'a>) -> Cell<'a> {
    let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
    let order = match (l, r) {
        (Cell::Bool(a), Cell::Bool(b)) if equality => Some(a.cmp(&b)),
        (Cell::Text(a), Cell::Text(b)) if equality => Some(a.cmp(b)),
        (l, r) => l.order(&r),
    };
    let Some(order) = order else { return Cell::Missing };
    Cell::Bool(match op {
        BinaryOp::Lt => order.is_lt(),
        BinaryOp::Le => order.is_le(),
        BinaryOp::Gt => order.is_gt(),
        BinaryOp::Ge => order.is_ge(),
        BinaryOp::Eq => order.is_eq(),
        _ => order.is_ne(),
    })
}

/// Arithmetic. Divisions by zero and other undefined results are missing.
fn computed<'a>(op: BinaryOp, l: Cell<'a>, r: Cell<'a>) -> Cell<'a> {
    let (Some(a), Some(b)) = (l.number(), r.number()) else { return Cell::Missing };
    let divides = matches!(op, BinaryOp::Div | BinaryOp::Rem);
    if divides && b == 0.0 {
        return Cell::Missing;
    }
    let v = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Rem => a.rem_euclid(b),
        _ => return Cell::Missing,
    };
    // The result may have been rounded if it, or a side, is beyond 2^53.
    if v.abs() >= EXACT || matches!(l, Cell::Whole(_)) || matches!(r, Cell::Whole(_)) {
        let exact = l.whole().zip(r.whole()).and_then(|(a, b)| match op {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Sub => a.checked_sub(b),
            BinaryOp::Mul => a.checked_mul(b),
            BinaryOp::Rem => a.checked_rem_euclid(b),
            _ => None,
        });
        if let Some(v) = exact {
            let small = v.unsigned_abs() <= 1 << f64::MANTISSA_DIGITS;
            return if small { Cell::Number(v as f64) } else { Cell::Whole(v) };
        }
    }
    if v.is_nan() { Cell::Missing } else { Cell::Number(v) }
}
