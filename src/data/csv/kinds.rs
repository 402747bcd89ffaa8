//! Decides which columns are numeric, and reports columns that are almost numeric.
//!
//! The decision is made on the training file and does not depend on the order of its rows. A column whose cells are all numbers or
//! missing is numeric. A column that is almost numeric, or whose numbers are written in another notation, is an error that names the
//! attributes that settle it; the meaning is not guessed. Every other column is a category.

use std::collections::BTreeMap;

use super::hints::{Hint, Marks, Unread, is_known_unit};
use super::missing::Missing;
use super::numbers::Notation;
use crate::data::error::excerpt;
use crate::data::schema_text::{name as written, quoted};
use crate::schema::Args;

/// Spellings of missing values in numeric columns and in columns of true and false, for programs without the attribute `missing`.
const USUAL: &[&str] = &[
    "NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#NA", "NaN", "nan", "NAN", "-nan", "-NaN", "NULL", "Null", "null",
    "None", "none", "-", "--",
];

/// The usual spellings, or none if the program has the attribute `missing`.
pub fn usual(args: &Args) -> Vec<String> {
    if args.is_given("missing") { Vec::new() } else { USUAL.iter().map(|w| w.to_string()).collect() }
}

/// A column is almost numeric if at most this fraction of its cells are not numbers.
const FEW: f64 = 0.1;
/// A category is reported in a note if at least this fraction of its cells are numbers.
const MANY: f64 = 0.5;
/// A column with fewer distinct numbers is assumed to contain codes.
pub const DIFFERENT: usize = 20;

/// Counts of the training cells of a column, without missing cells.
#[derive(Debug, Default)]
pub struct Tally<'a> {
    pub numbers: usize,
    /// The number of distinct numbers, counted up to [`DIFFERENT`].
    pub different: usize,
    /// The texts that are not numbers.
    pub others: Vec<Other<'a>>,
}

#[derive(Debug, Clone, Copy)]
pub struct Other<'a> {
    pub text: &'a str,
    pub count: usize,
    /// The line of its first occurrence, if known.
    pub line: Option<u64>,
}

/// What a column is.
#[derive(Debug)]
pub enum Verdict {
    Number,
    Category,
    /// A category that deserves a note, with the text of the note.
    Doubtful(String),
    /// A column that is almost numeric: the user has to decide.
    Open(Box<Doubt>),
}

/// Why a column is neither clearly numeric nor clearly a category.
#[derive(Debug, Default)]
pub struct Doubt {
    pub column: String,
    /// Descriptions of the cells in question, ready to be printed.
    found: Vec<String>,
    decimal_comma: bool,
    either: Option<String>,
    thousands: Option<char>,
    strip: Vec<String>,
    minus: Vec<char>,
    /// Whether there are whole numbers that would be rounded.
    large: bool,
    /// Whether there are whole numbers with leading zeros.
    zeros: bool,
    /// Notations that no attribute reads.
    unread: Vec<Unread>,
    /// Texts that may mean "missing".
    words: Vec<String>,
}

/// The cells of one notation.
#[derive(Debug, Default)]
pub struct Form {
    count: usize,
    first: Vec<(String, Option<u64>)>,
}

impl Form {
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub fn add(&mut self, other: Other) {
        self.count += other.count;
        if self.first.len() < 3 {
            self.first.push((excerpt(other.text), other.line));
        }
    }

    /// `200 cells with a decimal comma ("22,28" in line 2, "23,4" in line 3, ...)`.
    fn describe(&self, what: &str) -> String {
        let shown: Vec<String> = self
            .first
            .iter()
            .map(|(text, line)| match line {
                Some(line) => format!("{text:?} in line {line}"),
                None => format!("{text:?}"),
            })
            .collect();
        let more = if self.count > self.first.len() { ", ..." } else { "" };
        let cells = if self.count == 1 { "cell" } else { "cells" };
        format!("{} {cells} {what} ({}{more})", self.count, shown.join(", "))
    }
}

/// Decides the kind of a column. The texts in `usual` are missing values if it is numeric.
pub fn judge(column: &str, tally: &Tally, notation: &Notation, usual: &[String]) -> Verdict {
    let (mut junk, mut forms): (Form, BTreeMap<String, Form>) = Default::default();
    let mut doubt = Doubt { column: column.into(), ..Doubt::default() };
    let mut others: Vec<Other> = tally.others.iter().filter(|o| !usual.iter().any(|u| u == o.text)).copied().collect();
    others.sort_by(|a, b| (a.line, a.text).cmp(&(b.line, b.text)));
    // Hints are made twice, because all of them together would take more memory than the texts.
    let units = units(others.iter().map(|o| Hint::of(o.text, notation)), tally.different);
    // The number of cells that are numbers with a unit, and of distinct ones.
    let (mut measured, mut measures) = (0, 0);
    let (mut marked, mut commas, mut groups, mut odd) = (0, 0, 0, Vec::new());
    for other in others {
        let hint = Hint::of(other.text, notation).filter(|h| units != Units::None || h.unit.is_none());
        let Some(hint) = hint else {
            odd.push(other);
            junk.add(other);
            continue;
        };
        marked += other.count;
        let mut form = |what: String| forms.entry(what).or_default().add(other);
        for unread in &hint.unread {
            form(unread.what().into());
        }
        doubt.unread.extend(hint.unread.iter().copied());
        match hint.marks {
            Marks::Plain | Marks::Unread(_) => {}
            Marks::DecimalComma => {
                doubt.decimal_comma = true;
                commas += other.count;
                form("with a decimal comma".into());
            }
            Marks::CommaOfEither => {
                doubt.either.get_or_insert_with(|| other.text.to_string());
                form("with a comma that may be decimal or between thousands".into());
            }
            Marks::Thousands(sign) | Marks::ThousandsAndComma(sign)
                if notation.thousands.is_some_and(|t| t != sign) =>
            {
                doubt.unread.push(Unread::Thousands);
                form(Unread::Thousands.what().into());
            }
            Marks::Thousands(sign) => {
                doubt.thousands = Some(sign);
                // Then the point cannot be the decimal sign.
                doubt.decimal_comma |= sign == '.' && notation.decimal == '.';
                groups += usize::from(sign == ',') * other.count;
                form(format!("with {} between thousands", sign_text(sign)));
            }
            Marks::ThousandsAndComma(sign) => {
                doubt.thousands = Some(sign);
                doubt.decimal_comma |= notation.decimal == '.';
                form(format!("with {} between thousands and a decimal comma", sign_text(sign)));
            }
        }
        if let Some(sign) = hint.minus {
            form(format!("with the minus sign \"{sign}\" (U+{:04X})", sign as u32));
            if !doubt.minus.contains(&sign) {
                doubt.minus.push(sign);
            }
        }
        if let Some(unit) = &hint.unit {
            form(format!("with the unit `{unit}`"));
            (measured, measures) = (measured + other.count, measures + 1);
            if units == Units::Several {
                doubt.unread.push(Unread::Units);
            }
        }
        let unit = hint.unit.filter(|_| units == Units::One);
        for text in &hint.strip {
            form(format!("with the sign `{text}`"));
        }
        for text in hint.strip.into_iter().chain(unit) {
            if !doubt.strip.contains(&text) {
                doubt.strip.push(text);
            }
        }
    }
    doubt.unread.sort_unstable();
    doubt.unread.dedup();
    if doubt.unread.contains(&Unread::Lakh) {
        // Then the comma is not a decimal sign, and `thousands` would not read all cells.
        (doubt.either, doubt.thousands) = (None, doubt.thousands.filter(|s| *s != ','));
    }
    if doubt.unread.contains(&Unread::Point) {
        doubt.thousands = doubt.thousands.filter(|s| *s != '.');
    }
    if commas > 0 && groups > 0 {
        // Both notations occur, so no attribute is right for all cells.
        doubt.either.get_or_insert_with(|| "1,234".into());
    }
    let likely = tally.numbers + marked;
    let present = likely + junk.count;
    if present == likely && marked == 0 {
        return if tally.numbers > 0 { Verdict::Number } else { Verdict::Category };
    }
    if likely == 0 {
        return Verdict::Category;
    }
    if junk.count as f64 > FEW * present as f64 {
        let share = likely as f64 / present as f64;
        if share < MANY || (tally.different < DIFFERENT && marked == 0) {
            return Verdict::Category;
        }
        return Verdict::Doubtful(format!(
            "column `{}` is read as categories, though {likely} of its {present} cells are numbers; there are {}: list the words for \
             missing values in `missing`, or write `categories = [{}]` if categories are meant",
            excerpt(column),
            junk.describe("that are not numbers"),
            written(column)
        ));
    }
    if measured == marked && units == Units::One && tally.different + measures < DIFFERENT {
        let strip = doubt.strip.iter().map(|s| quoted(s)).collect::<Vec<_>>().join(", ");
        return Verdict::Doubtful(format!(
            "column `{}` is read as categories, though it holds {}: to read numbers, write `strip = [{strip}]`; if categories are meant, \
             write `categories = [{}]`",
            excerpt(column),
            forms.iter().map(|(what, form)| form.describe(what)).collect::<Vec<_>>().join("; "),
            written(column)
        ));
    }
    doubt.words = odd.iter().take(5).map(|o| o.text.to_string()).collect();
    doubt.found = forms.iter().map(|(what, form)| form.describe(what)).collect();
    if junk.count > 0 {
        let are = if junk.count == 1 { "that is not a number" } else { "that are not numbers" };
        doubt.found.push(junk.describe(are));
    }
    doubt.found.push(format!("{} of {present} cells are plain numbers", tally.numbers));
    Verdict::Open(Box::new(doubt))
}

/// The meaning of the words after the numbers of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    /// No units: a cell with such a word is not a number.
    None,
    One,
    /// Several units, so that the numbers cannot be compared.
    Several,
}

/// Whether the words after the numbers of a column are units. `different` is the number of distinct plain numbers. House numbers, postcodes
/// and seats have many different words or few cells; measurements have one unit, or many cells with a few known units.
fn units(hints: impl Iterator<Item = Option<Hint>>, different: usize) -> Units {
    const MOST: usize = 3;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = different == 0;
    for unit in hints.map(|h| h.and_then(|h| h.unit)) {
        let Some(unit) = unit else {
            all = false;
            continue;
        };
        // The case of a single letter matters: `m` and `M` are different units.
        let same = if unit.chars().count() > 1 { unit.to_lowercase() } else { unit };
        // A column with more words than this has no units, whatever follows.
        if found.len() <= MOST || found.contains_key(&same) {
            *found.entry(same).or_default() += 1;
        }
    }
    let cells: usize = found.values().sum();
    match found.len() {
        1 if cells > 1 => Units::One,
        2..=MOST if all && cells >= DIFFERENT && found.keys().all(|u| is_known_unit(u)) => Units::Several,
        _ => Units::None,
    }
}

fn sign_text(sign: char) -> String {
    if sign == ' ' { "spaces".into() } else { format!("`{sign}`") }
}

impl Doubt {
    /// A numeric column with whole numbers that would be rounded; they are likely to be identifiers.
    pub fn large(column: &str, cells: &Form) -> Doubt {
        let are = if cells.count == 1 { "that is a whole number of" } else { "that are whole numbers of" };
        let found =
            vec![cells.describe(&format!("{are} more than 53 bits, so that different numbers would become equal"))];
        Doubt { column: column.into(), found, large: true, ..Doubt::default() }
    }

    /// A numeric column with leading zeros; its cells are likely to be identifiers. `merged` are two texts that are the same number.
    pub fn zeros(column: &str, cells: &Form, merged: Option<[String; 2]>) -> Doubt {
        let why = match merged {
            Some([a, b]) => format!("so that {a:?} and {b:?} would become equal"),
            None => "and the column defines groups".into(),
        };
        let found = vec![cells.describe(&format!("with leading zeros, which numbers do not keep, {why}"))];
        Doubt { column: column.into(), found, zeros: true, ..Doubt::default() }
    }

    /// "column `spend`: 200 cells with a decimal comma ("22,28" in line 2, ...), 0 of 200 cells are plain numbers"
    fn describe(&self) -> String {
        format!("column `{}`: {}", excerpt(&self.column), self.found.join("; "))
    }
}

/// The note about a numeric column with leading zeros, of which no two texts become equal.
pub fn leading_zeros(column: &str, cells: &Form) -> String {
    format!(
        "column `{}` is read as numbers, which do not keep leading zeros: there are {}; if they are codes, write `categories = [{}]`",
        excerpt(column),
        cells.describe("with leading zeros"),
        written(column)
    )
}

/// The message and the help for undecided columns. `missing` are the words that currently mean "missing".
pub fn report(doubts: &[Doubt], missing: &[String]) -> (String, String) {
    const TOLD: usize = 5;
    let mut message: Vec<String> = doubts.iter().take(TOLD).map(Doubt::describe).collect();
    if doubts.len() > TOLD {
        let more = doubts.len() - TOLD;
        message.push(format!("and {more} more {}", if more == 1 { "column" } else { "columns" }));
    }
    (message.join("; "), remedy(doubts, missing, true))
}

/// The help: the attributes that settle the kind of the columns.
fn remedy(doubts: &[Doubt], missing: &[String], categories: bool) -> String {
    let list = |items: &[String]| format!("[{}]", items.iter().map(|i| quoted(i)).collect::<Vec<_>>().join(", "));
    let mut attributes = Vec::new();
    let either = doubts.iter().find_map(|d| d.either.as_ref());
    if either.is_none() && doubts.iter().any(|d| d.decimal_comma) {
        attributes.push("`decimal = \",\"`".to_string());
    }
    if let Some(sign) = doubts.iter().find_map(|d| d.thousands)
        && (either.is_none() || sign != ',')
    {
        attributes.push(format!("`thousands = {}`", quoted(&sign.to_string())));
    }
    let each = |of: fn(&Doubt) -> Vec<String>| {
        let mut all: Vec<String> = Vec::new();
        doubts.iter().flat_map(of).for_each(|t| {
            if !all.contains(&t) {
                all.push(t)
            }
        });
        all
    };
    let strip = each(|d| d.strip.clone());
    if !strip.is_empty() {
        attributes.push(format!("`strip = {}`", list(&strip)));
    }
    let minus = each(|d| d.minus.iter().map(char::to_string).collect());
    if !minus.is_empty() {
        attributes.push(format!("`minus = {}`", list(&minus)));
    }
    let mut ways = Vec::new();
    if let Some(cell) = either {
        let (whole, parts) = (cell.replace(',', ""), cell.replace(',', "."));
        ways.push(format!("if {cell:?} is {whole}, add `thousands = \",\"`; if it is {parts}, add `decimal = \",\"`"));
    }
    let mut unread: Vec<Unread> = doubts.iter().flat_map(|d| d.unread.iter().copied()).collect();
    unread.sort_unstable();
    unread.dedup();
    for kind in &unread {
        ways.push(format!("no attribute reads numbers {}: correct the cells ({})", kind.what(), kind.way()));
    }
    if !attributes.is_empty() {
        let them = if unread.is_empty() { "them" } else { "the others" };
        ways.push(format!("to read {them} as numbers, add {}", attributes.join(", ")));
    }
    let words = each(|d| d.words.clone());
    if !words.is_empty() {
        let mut all = missing.to_vec();
        all.extend(words);
        ways.push(format!("if these words mean \"missing\", add `missing = {}`, else correct the cells", list(&all)));
    }
    let columns: Vec<String> = doubts.iter().take(5).map(|d| written(&d.column)).collect();
    let they = if columns.len() == 1 { "it holds" } else { "they hold" };
    let large: Vec<String> = doubts.iter().filter(|d| d.large).take(5).map(|d| written(&d.column)).collect();
    let zeros: Vec<String> = doubts.iter().filter(|d| d.zeros).take(5).map(|d| written(&d.column)).collect();
    if categories {
        let what = match large.len() + zeros.len() {
            0 => "categories",
            n if n < columns.len() => "identifiers or categories",
            _ => "identifiers",
        };
        ways.push(format!("if {they} {what}, add `categories = [{}]`", columns.join(", ")));
    }
    if !large.is_empty() {
        ways.push(format!(
            "to use the nearest numbers anyway, list all numeric columns in `numeric`: `numeric = [{}, ...]`",
            large.join(", ")
        ));
    }
    if !zeros.is_empty() {
        ways.push(format!(
            "to read them as numbers, list all numeric columns in `numeric`: `numeric = [{}, ...]`",
            zeros.join(", ")
        ));
    }
    ways.join("; ")
}

/// The help for a cell of a numeric column that is not a number.
pub fn refused(column: &str, text: &str, notation: &Notation, missing: &Missing) -> String {
    // Judges the cell as one among so many numbers that its own form alone decides.
    const MANY_NUMBERS: usize = 1_000_000;
    let tally = Tally { numbers: MANY_NUMBERS, others: vec![Other { text, count: 1, line: None }], ..Tally::default() };
    if let Verdict::Open(doubt) = judge(column, &tally, notation, &[])
        && doubt.words.is_empty()
    {
        return remedy(std::slice::from_ref(&*doubt), &missing.any, false);
    }
    let way = "correct the cell, or add its text to `missing` if it means that";
    match missing.describe() {
        Some(words) => format!("{way}; missing is written {words}"),
        None => way.into(),
    }
}
