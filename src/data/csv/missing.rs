//! Cells that mean "missing", and the content of cells of numeric columns.

use super::attributes::plain;
use super::kinds;
use super::numbers::{Notation, Read};
use crate::data::LoadContext;
use crate::schema::Args;

/// Cells that mean "missing".
#[derive(Debug, Clone)]
pub struct Missing {
    /// Words that mean it in every column.
    pub any: Vec<String>,
    /// Words that mean it in numeric columns and in columns of true and false only.
    pub numbers: Vec<String>,
    /// The values of the words that are numbers: in numeric columns, such a value is missing however it is written.
    values: Vec<f64>,
}

impl Missing {
    pub fn new(any: Vec<String>, numbers: Vec<String>, notation: &Notation) -> Missing {
        let value = |word: &String| match notation.read(word) {
            Read::Number(v) => Some(v),
            Read::Odd(v) => Some(v).filter(|v| !v.is_nan()),
            Read::Not => None,
        };
        let values = any.iter().chain(&numbers).filter_map(value).collect();
        Missing { any, numbers, values }
    }

    /// The words of a table: those of the program, else those of the frozen schema, else the usual ones.
    pub fn of(args: &Args, context: &LoadContext, notation: &Notation) -> Missing {
        let listed = plain(args, "missing");
        let (any, numbers) = match context.schema {
            _ if args.is_given("missing") => (listed, Vec::new()),
            Some(schema) => (schema.missing.clone(), schema.missing_numbers.clone()),
            None => (listed, kinds::usual(args)),
        };
        Missing::new(any, numbers, notation)
    }

    /// The words of both kinds.
    pub fn both(&self) -> [Vec<String>; 2] {
        [self.any.clone(), self.numbers.clone()]
    }

    pub fn is(&self, text: &str) -> bool {
        self.any.iter().any(|w| w == text)
    }

    pub fn is_usual(&self, text: &str) -> bool {
        self.numbers.iter().any(|w| w == text)
    }

    /// Describes how a missing number is written, for messages.
    pub fn describe(&self) -> Option<String> {
        let mut words: Vec<String> = self.any.iter().map(|m| format!("{m:?}")).collect();
        words.extend(self.numbers.first().map(|first| format!("a usual spelling such as {first:?}")));
        (!words.is_empty()).then(|| words.join(" or "))
    }
}

/// The content of a cell of a numeric column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell {
    Number(f64),
    Missing,
    /// Missing, in a usual spelling.
    Usual,
    /// NaN, an infinity, or too large.
    Odd(f64),
    Not,
}

/// Reads a cell of a numeric column.
pub fn cell(text: &str, notation: &Notation, missing: &Missing) -> Cell {
    match notation.read(text) {
        Read::Number(v) | Read::Odd(v) if missing.values.contains(&v) => Cell::Missing,
        Read::Number(v) => Cell::Number(v),
        _ if missing.is(text) => Cell::Missing,
        _ if missing.is_usual(text) => Cell::Usual,
        Read::Odd(v) => Cell::Odd(v),
        Read::Not => Cell::Not,
    }
}
