//! The cells of one column of one file while they are read.

use std::collections::{HashMap, HashSet};

use super::kinds::{DIFFERENT, Form, Other, Tally};
use super::missing::Cell;
use super::words::Words;
use crate::data::raw::{MISSING, Values};

/// A column of the table, for all files.
#[derive(Debug)]
pub struct Column {
    pub name: String,
    /// `None` until it is decided.
    pub kind: Option<Kind>,
    /// Whether it is a category whose texts are true and false, in upper or lower case.
    pub truths: bool,
    /// The distinct texts of a category, or of a column that may become one.
    pub words: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Number,
    Category,
}

/// The values of the cells.
#[derive(Debug)]
pub enum Cells {
    /// Indices into the column's words, or [`MISSING`].
    Codes(Vec<u32>),
    Numbers(Box<Numbers>),
}

impl Cells {
    pub fn new(kind: Kind, rows: usize) -> Cells {
        match kind {
            Kind::Category => Cells::Codes(Vec::with_capacity(rows)),
            Kind::Number => Cells::Numbers(Box::new(Numbers { rows, ..Numbers::default() })),
        }
    }

    pub fn into_values(self) -> Values {
        match self {
            Cells::Codes(mut codes) => {
                codes.shrink_to_fit();
                Values::Text(codes)
            }
            Cells::Numbers(numbers) => numbers.store.into_values(),
        }
    }
}

/// The numbers of a column in order, in the smallest type that holds them exactly, and the texts among them that are not numbers.
#[derive(Debug, Default)]
pub struct Numbers {
    store: Store,
    /// The expected number of cells.
    rows: usize,
    pub finite: usize,
    others: Words,
    /// Count and first line of each text in `others`.
    seen: Vec<(usize, u64)>,
    /// Line and value of the first number that is not finite.
    pub odd: Option<(u64, f64)>,
    /// Whole numbers that were rounded.
    pub rounded: Form,
    /// Whole numbers with leading zeros.
    pub zeros: Zeros,
}

/// Cells of digits that begin with a zero, such as `007`. Ids and codes have them, and numbers do not keep them.
#[derive(Debug, Default)]
pub struct Zeros {
    pub cells: Form,
    /// For the value of each such cell, its number of digits and the number of such cells. The value and the number of digits are the text.
    seen: HashMap<u64, (usize, usize)>,
    /// Two texts with the same value.
    merged: Option<[String; 2]>,
}

impl Zeros {
    /// The most values that are remembered.
    const MOST: usize = 1 << 20;

    fn add(&mut self, text: &str, v: f64, line: u64) {
        self.cells.add(Other { text, count: 1, line: Some(line) });
        if self.seen.len() >= Zeros::MOST && !self.seen.contains_key(&v.to_bits()) {
            return;
        }
        let (digits, count) = self.seen.entry(v.to_bits()).or_insert((text.len(), 0));
        *count += 1;
        if *digits != text.len() {
            self.merged.get_or_insert_with(|| [format!("{v:0digits$}"), text.to_string()]);
        }
    }
}

impl Numbers {
    pub fn push(&mut self, v: f64) {
        self.finite += 1;
        self.store.push(v, self.rows);
    }

    /// Records that the last number was rounded from the whole number in the cell.
    pub fn was_rounded(&mut self, text: &str, line: u64) {
        self.rounded.add(Other { text, count: 1, line: Some(line) });
    }

    /// Looks at the text of the last number for leading zeros.
    pub fn was_written(&mut self, text: &str, v: f64, line: u64) {
        let digits = text.as_bytes();
        if digits.len() > 1 && digits[0] == b'0' && digits.iter().all(u8::is_ascii_digit) {
            self.zeros.add(text, v, line);
        }
    }

    /// Two texts that differ only in leading zeros, which are the same number: `007` and `7`.
    pub fn merged(&self) -> Option<[String; 2]> {
        let zeros = &self.zeros;
        if zeros.merged.is_some() || zeros.seen.is_empty() {
            return zeros.merged.clone();
        }
        // If more cells have the value than have its text with zeros, others are written without these zeros.
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for v in self.store.numbers() {
            let Some((digits, count)) = zeros.seen.get(&v.to_bits()) else { continue };
            let all = counts.entry(v.to_bits()).or_default();
            *all += 1;
            if *all > *count {
                let digits = *digits;
                return Some([format!("{v:0digits$}"), v.to_string()]);
            }
        }
        None
    }

    pub fn push_missing(&mut self) {
        self.store.push(f64::NAN, self.rows);
    }

    /// Adds a cell that is not a number, or that means "missing" if the column turns out to be numeric.
    pub fn push_other(&mut self, text: &str, line: u64) {
        let n = self.others.number(text) as usize;
        if n == self.seen.len() {
            self.seen.push((0, line));
        }
        self.seen[n].0 += 1;
        self.push_missing();
    }

    pub fn push_odd(&mut self, v: f64, line: u64) {
        self.odd.get_or_insert((line, v));
        self.push(0.0);
    }

    pub fn others(&self) -> impl Iterator<Item = Other<'_>> {
        let each = self.others.list().iter().zip(&self.seen);
        each.map(|(text, (count, line))| Other { text, count: *count, line: Some(*line) })
    }

    pub fn tally(&self) -> Tally<'_> {
        let mut different = HashSet::new();
        for v in self.store.numbers().filter(|v| !v.is_nan()) {
            different.insert(v.to_bits());
            if different.len() >= DIFFERENT {
                break;
            }
        }
        Tally { numbers: self.finite, different: different.len(), others: self.others().collect() }
    }
}

/// Integers of 16 bits, integers that 32-bit floats hold exactly, or any numbers: the smallest type that fits all values so far.
#[derive(Debug)]
enum Store {
    Short(Vec<i16>),
    Single(Vec<f32>),
    Double(Vec<f64>),
}

impl Default for Store {
    fn default() -> Store {
        Store::Short(Vec::new())
    }
}

impl Store {
    fn push(&mut self, v: f64, rows: usize) {
        match self {
            Store::Short(all) => match short(v) {
                Some(s) => {
                    if all.is_empty() {
                        all.reserve(rows);
                    }
                    all.push(s);
                }
                None => {
                    let numbers = all.iter().map(|s| long(*s));
                    if exact(v) {
                        let mut wider: Vec<f32> = Vec::with_capacity(rows.max(all.len() + 1));
                        wider.extend(numbers.map(|v| v as f32));
                        *self = Store::Single(wider);
                    } else {
                        *self = Store::Double(widened(numbers, rows));
                    }
                    self.push(v, rows);
                }
            },
            Store::Single(all) if v.is_nan() || exact(v) => all.push(v as f32),
            Store::Single(all) => {
                *self = Store::Double(widened(all.iter().map(|v| f64::from(*v)), rows));
                self.push(v, rows);
            }
            Store::Double(all) => all.push(v),
        }
    }

    fn numbers(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Store::Short(all) => Box::new(all.iter().map(|s| long(*s))),
            Store::Single(all) => Box::new(all.iter().map(|v| f64::from(*v))),
            Store::Double(all) => Box::new(all.iter().copied()),
        }
    }

    fn into_values(self) -> Values {
        match self {
            Store::Short(mut all) => {
                all.shrink_to_fit();
                Values::I16(all)
            }
            Store::Single(mut all) => {
                all.shrink_to_fit();
                Values::Whole(all)
            }
            Store::Double(mut all) => {
                all.shrink_to_fit();
                Values::F64(all)
            }
        }
    }
}

fn widened(numbers: impl ExactSizeIterator<Item = f64>, rows: usize) -> Vec<f64> {
    let mut wider = Vec::with_capacity(rows.max(numbers.len() + 1));
    wider.extend(numbers);
    wider
}

/// The value as an integer of 16 bits, if it is one or is missing. Negative zero is not an integer here.
fn short(v: f64) -> Option<i16> {
    if v.is_nan() {
        return Some(i16::MIN);
    }
    let whole = v as i16;
    (f64::from(whole).to_bits() == v.to_bits() && whole != i16::MIN).then_some(whole)
}

fn long(s: i16) -> f64 {
    if s == i16::MIN { f64::NAN } else { f64::from(s) }
}

/// Whether the value is an integer that an f32 holds and prints exactly.
fn exact(v: f64) -> bool {
    const WHOLE: f64 = (1u32 << 24) as f64;
    v.fract() == 0.0 && v.abs() <= WHOLE && !(v == 0.0 && v.is_sign_negative())
}

/// The tally of a column that is stored as words. `codes` and `lines` have one entry per cell; `read` parses a text as a cell of a numeric
/// column.
pub fn tally<'a>(words: &'a Words, codes: &[u32], lines: &[u32], read: impl Fn(&str) -> Cell) -> Tally<'a> {
    let mut seen: Vec<(usize, u64)> = vec![(0, 0); words.list().len()];
    for (code, line) in codes.iter().zip(lines).filter(|(code, _)| **code != MISSING) {
        let (count, first) = &mut seen[*code as usize];
        if *count == 0 {
            *first = u64::from(*line);
        }
        *count += 1;
    }
    let mut tally = Tally::default();
    let mut different = HashSet::new();
    for (text, (count, line)) in words.list().iter().zip(seen) {
        match read(text) {
            cell @ (Cell::Number(_) | Cell::Odd(_)) => {
                // A number that is not finite is stored as 0 in a column of numbers.
                let v = if let Cell::Number(v) = cell { v } else { 0.0 };
                tally.numbers += count;
                if count > 0 && different.len() < DIFFERENT {
                    different.insert(v.to_bits());
                }
            }
            Cell::Missing => {}
            Cell::Usual | Cell::Not => tally.others.push(Other { text, count, line: Some(line) }),
        }
    }
    tally.different = different.len();
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_the_smallest_place_that_holds_them() {
        let of = |numbers: &[f64]| {
            let mut store = Store::default();
            numbers.iter().for_each(|v| store.push(*v, 2));
            let back: Vec<f64> = store.numbers().collect();
            let same = |a: &f64, b: &f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
            assert!(back.len() == numbers.len() && back.iter().zip(numbers).all(|(a, b)| same(a, b)), "{back:?}");
            store.into_values()
        };
        assert!(matches!(of(&[1.0, -32767.0, f64::NAN, 32767.0]), Values::I16(_)));
        assert!(matches!(of(&[f64::NAN, 1.0, 32768.0, f64::NAN]), Values::Whole(_)));
        assert!(matches!(of(&[-32768.0]), Values::Whole(_)));
        assert!(matches!(of(&[1.0, 70000.0, 0.5, f64::NAN]), Values::F64(_)));
        assert!(matches!(of(&[f64::NAN, 16777217.0]), Values::F64(_)));
        assert!(matches!(of(&[-0.0]), Values::F64(_)));
    }
}
