//! Hints about cells that are numbers in another notation: with other separators, with a unit, or in a notation that no attribute reads.

use super::numbers::{Notation, grouped, spaces};

/// Describes how a cell that is not a number would become one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Hint {
    pub strip: Vec<String>,
    pub minus: Option<char>,
    pub marks: Marks,
    /// A word after the number, which is a unit if other cells have it too.
    pub unit: Option<String>,
    /// The parts of the notation that no attribute reads.
    pub unread: Vec<Unread>,
}

/// The separators between the digits of a cell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Marks {
    #[default]
    Plain,
    /// `1,5`: a comma that can only be decimal.
    DecimalComma,
    /// `1,234`: a comma that is either decimal or between thousands.
    CommaOfEither,
    /// `1,234,567`, `1,234.5`, `1 234`.
    Thousands(char),
    /// `1.234,5`: both.
    ThousandsAndComma(char),
    /// A notation that no attribute reads.
    Unread(Unread),
}

/// A notation of numbers that no attribute reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unread {
    Digits,
    Brackets,
    MinusAfter,
    /// Indian digit groups: `1,11,000`.
    Lakh,
    Point,
    Comma,
    Units,
    Thousands,
}

impl Unread {
    /// Describes such cells; follows "cells" in a message.
    pub fn what(self) -> &'static str {
        match self {
            Unread::Digits => "with digits other than 0 to 9",
            Unread::Brackets => "in brackets",
            Unread::MinusAfter => "with a minus sign after the number",
            Unread::Lakh => "with groups of two digits",
            Unread::Point => "with a decimal point, though `decimal` is \",\"",
            Unread::Comma => "with a comma that is not followed by three digits, though `thousands` is \",\"",
            Unread::Units => "in several units",
            Unread::Thousands => "with another separator between thousands than `thousands` says",
        }
    }

    /// How to correct such a cell.
    pub fn way(self) -> &'static str {
        match self {
            Unread::Digits => "write the digits 0 to 9",
            Unread::Brackets => "if (12) is minus 12, write -12",
            Unread::MinusAfter => "write -12 for 12-",
            Unread::Lakh => "write 111000 for 1,11,000",
            Unread::Point => "write a decimal comma, or leave `decimal` out: it applies to all columns",
            Unread::Comma => "write a decimal point, or leave `thousands` out: it applies to all columns",
            Unread::Units => "convert them to one unit",
            Unread::Thousands => "write the same separator in all cells, or change `thousands`",
        }
    }
}

/// Units and currency signs that consist of one character.
const SYMBOLS: &[char] = &['%', '‰', '°', '¢', '¤'];
/// Currency codes that occur in tables. A code that begins like another stands before it.
const CODES: &[&str] = &[
    "USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF",
    "BRL", "MXN", "ZAR", "TRY", "RUB", "KRW", "SGD", "HKD", "kr", "Kč", "zł", "Ft", "Rs.", "Rs", "R$", "US$", "Fr.",
];
/// Minus signs that number parsers do not know: U+2212, hyphen, figure dash, en dash and full-width hyphen.
const MINUS: [char; 5] = ['\u{2212}', '\u{2010}', '\u{2012}', '\u{2013}', '\u{ff0d}'];
/// What surrounds numbers that a spreadsheet must treat as text: `="12"`, `"12"`, `'12`.
const FENCES: &[(&str, &str)] = &[("=\"", "\""), ("\"", "\""), ("'", ""), ("\u{2019}", "")];
/// Words after a number that are not units: those of ordinals, times of day and dates.
const NO_UNITS: &[&str] = &[
    "st",
    "nd",
    "rd",
    "th",
    "am",
    "pm",
    "a.m.",
    "p.m.",
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "sept",
    "oct",
    "nov",
    "dec",
    "january",
    "february",
    "march",
    "april",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// The zeros of other scripts; the digits one to nine follow each.
const ZEROS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20, 0x1040,
    0x17e0, 0x1810, 0xff10,
];

fn is_symbol(c: char) -> bool {
    SYMBOLS.contains(&c) || c == '$' || c == '£' || c == '¥' || ('\u{20a0}'..='\u{20cf}').contains(&c)
}

/// Converts the digits of other scripts, and the Arabic decimal and thousands separators, to ASCII.
fn western(c: char) -> Option<char> {
    match c {
        '\u{66b}' => Some('.'),
        '\u{66c}' => Some(','),
        _ => {
            let code = u32::from(c);
            let zero = ZEROS.iter().find(|z| (**z..**z + 10).contains(&code))?;
            char::from_digit(code - zero, 10)
        }
    }
}

impl Hint {
    /// The hint for a cell that is not a number in `notation`. The settings of `notation` still apply.
    pub fn of(cell: &str, notation: &Notation) -> Option<Hint> {
        if cell.len() > 64 {
            return None;
        }
        let mut hint = Hint::default();
        if !cell.is_ascii() && cell.chars().any(|c| western(c).is_some()) {
            let written: String = cell.chars().map(|c| western(c).unwrap_or(c)).collect();
            let mut hint = match notation.is_number(&written) {
                true => hint,
                false => Hint::of(&written, notation)?,
            };
            hint.unread.push(Unread::Digits);
            return Some(hint);
        }
        if !cell.bytes().any(|b| b.is_ascii_digit()) {
            return None;
        }
        let spaced = spaces(cell);
        let mut rest = spaced.trim_matches(' ');
        let mut signed = false;
        loop {
            let before = rest;
            if let Some(code) = CODES.iter().find(|c| rest.starts_with(**c)) {
                hint.strip.push(code.to_string());
                rest = rest[code.len()..].trim_matches(' ');
            } else if let Some(code) = CODES.iter().find(|c| rest.ends_with(**c)) {
                hint.strip.push(code.to_string());
                rest = rest[..rest.len() - code.len()].trim_matches(' ');
            }
            let known = notation.strip.iter().find(|t| !t.is_empty() && (rest.starts_with(*t) || rest.ends_with(*t)));
            if let Some(text) = known {
                rest = rest.strip_prefix(text.as_str()).unwrap_or(rest);
                rest = rest.strip_suffix(text.as_str()).unwrap_or(rest).trim_matches(' ');
            }
            if let Some(c) = rest.chars().next().filter(|c| is_symbol(*c)) {
                hint.strip.push(c.to_string());
                rest = rest[c.len_utf8()..].trim_matches(' ');
            }
            if let Some(c) = rest.chars().next_back().filter(|c| is_symbol(*c)) {
                hint.strip.push(c.to_string());
                rest = rest[..rest.len() - c.len_utf8()].trim_matches(' ');
            }
            let fenced = FENCES.iter().find_map(|(a, b)| Some((a, b, rest.strip_prefix(a)?.strip_suffix(b)?)));
            if let Some((before, after, within)) = fenced {
                hint.strip.extend([*before, *after].iter().filter(|f| !f.is_empty()).map(|f| f.to_string()));
                hint.strip.dedup();
                rest = within.trim_matches(' ');
            }
            if let Some(within) = rest.strip_prefix('(').and_then(|r| r.strip_suffix(')')).filter(|_| !signed) {
                signed = true;
                hint.unread.push(Unread::Brackets);
                rest = within.trim_matches(' ');
            }
            let is_minus = |c: &char| *c == '-' || MINUS.contains(c) || notation.minus.contains(c);
            if let Some(c) = rest.chars().next().filter(|c| !signed && (*c == '+' || is_minus(c))) {
                signed = true;
                if MINUS.contains(&c) && !notation.minus.contains(&c) {
                    hint.minus = Some(c);
                }
                rest = rest[c.len_utf8()..].trim_matches(' ');
            }
            if let Some(c) = rest.chars().next_back().filter(|c| !signed && is_minus(c)) {
                signed = true;
                hint.unread.push(Unread::MinusAfter);
                rest = rest[..rest.len() - c.len_utf8()].trim_matches(' ');
            }
            if rest == before {
                break;
            }
        }
        hint.marks = match marks(rest, notation) {
            Some(marks) => marks,
            None => {
                let (number, unit) = measure(rest)?;
                hint.unit = Some(unit.to_string());
                marks(number, notation)?
            }
        };
        if let Marks::Unread(unread) = hint.marks {
            hint.unread.push(unread);
        }
        Some(hint)
    }
}

/// `12 kg`, `3.5km/h`: a number and the word after it.
fn measure(text: &str) -> Option<(&str, &str)> {
    const LONGEST: usize = 12;
    let at = text.find(|c: char| c.is_alphabetic())?;
    let (number, unit) = (text[..at].trim_end_matches(' '), &text[at..]);
    // A number with a leading zero is an identifier.
    let code = number.len() > 1 && number.starts_with('0') && number.as_bytes()[1].is_ascii_digit();
    let sign = |c: char| c.is_alphabetic() || matches!(c, '/' | '·' | '^' | '.' | '²' | '³' | '2' | '3');
    let powers = unit.char_indices().filter(|(_, c)| c.is_ascii_digit());
    let squared = powers.into_iter().all(|(at, _)| at + 1 == unit.len() && (unit[..at].ends_with(['m', 't', '^'])));
    let word = unit.trim_end_matches('.').to_lowercase();
    let other = NO_UNITS.contains(&word.as_str()) || NO_UNITS.contains(&unit.to_lowercase().as_str());
    (unit.chars().count() <= LONGEST && unit.chars().all(sign) && squared && !code && !other).then_some((number, unit))
}

/// Whether a unit is recognised in a column with several units. Most single letters are not, because they occur in house numbers and seats.
pub fn is_known_unit(unit: &str) -> bool {
    unit.chars().count() > 1
        || matches!(unit, "k" | "K" | "M" | "B" | "g" | "t" | "m" | "l" | "L" | "s" | "h" | "W" | "V")
}

/// The separators between the digits of a number, if it is one.
fn marks(body: &str, notation: &Notation) -> Option<Marks> {
    if !body.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',')) {
        return None;
    }
    if notation.digits(body).is_some() || (notation.decimal == '.' && body.parse::<f64>().is_ok()) {
        return Some(Marks::Plain);
    }
    let signs: Vec<char> = body.chars().filter(|c| !c.is_ascii_digit()).collect();
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match signs.as_slice() {
        [','] => {
            let (whole, fraction) = body.split_once(',')?;
            match (grouped(body, ',').is_some(), notation.thousands, notation.decimal) {
                // The other separator is already known.
                (true, None, '.') => Some(Marks::CommaOfEither),
                (true, _, ',') => Some(Marks::Thousands(',')),
                (true, ..) => Some(Marks::DecimalComma),
                (false, Some(','), _) if digits(whole) && digits(fraction) => Some(Marks::Unread(Unread::Comma)),
                (false, ..) if digits(fraction) => Some(Marks::DecimalComma),
                _ => None,
            }
        }
        ['.'] if notation.decimal == ',' && grouped(body, '.').is_none() => {
            body.parse::<f64>().is_ok().then_some(Marks::Unread(Unread::Point))
        }
        [.., last] => {
            let first = signs[0];
            let group = |c: char| matches!(c, ',' | '.' | ' ' | '\'' | '\u{2019}' | '_');
            if !group(first) {
                return None;
            }
            if is_lakh(body) {
                return Some(Marks::Unread(Unread::Lakh));
            }
            // All separators but the last are equal, and the last may be decimal.
            let same = signs[..signs.len() - 1].iter().all(|s| *s == first);
            if *last == first && same && grouped(body, first).is_some() {
                return Some(Marks::Thousands(first));
            }
            let (whole, fraction) = body.rsplit_once(*last)?;
            if !same || !digits(fraction) || grouped(whole, first).is_none() || *last == first {
                return None;
            }
            match last {
                '.' => Some(Marks::Thousands(first)),
                ',' => Some(Marks::ThousandsAndComma(first)),
                _ => None,
            }
        }
        [] => None,
    }
}

/// `1,11,000.5`: the last group of the whole part has three digits, the ones before it two, the first one or two.
fn is_lakh(body: &str) -> bool {
    let (whole, fraction) = body.split_once('.').unwrap_or((body, "0"));
    let groups: Vec<&str> = whole.split(',').collect();
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let [first, between @ .., last] = groups.as_slice() else { return false };
    groups.iter().all(|g| digits(g))
        && digits(fraction)
        && first.len() <= 2
        && !first.starts_with('0')
        && !between.is_empty()
        && between.iter().all(|g| g.len() == 2)
        && last.len() == 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_name_the_signs() {
        let of = |cell: &str| Hint::of(cell, &Notation::default());
        let marks = |cell: &str| of(cell).map(|h| h.marks);
        assert_eq!(marks("1,5"), Some(Marks::DecimalComma));
        assert_eq!(marks("0,123"), Some(Marks::DecimalComma));
        assert_eq!(marks("1,234"), Some(Marks::CommaOfEither));
        assert_eq!(marks("1,234.5"), Some(Marks::Thousands(',')));
        assert_eq!(marks("1,234,567"), Some(Marks::Thousands(',')));
        assert_eq!(marks("1.234,5"), Some(Marks::ThousandsAndComma('.')));
        assert_eq!(marks("1\u{a0}234"), Some(Marks::Thousands(' ')));
        assert_eq!(marks("1'234"), Some(Marks::Thousands('\'')));
        for cell in [
            "1.2.3",
            "1-2",
            "12:30",
            "2020-01-05",
            "A12",
            "oops",
            "",
            "1,2,3",
            "192.168.1.1",
            "3rd",
            "10 am",
            "5 May",
            "007x",
            "1.0rc1",
            "7f3a",
            "030 123 456",
            "(030) 12",
            "12-A",
            "12/5",
            "1,0,000",
            "10,20",
            "(a1)",
            "'",
            "=\"\"",
        ] {
            let hint = of(cell).filter(|h| h.marks != Marks::DecimalComma);
            assert_eq!(hint, None, "{cell}");
        }
        assert_eq!(of("-12 %").map(|h| h.strip), Some(vec!["%".to_string()]));
        assert_eq!(of("EUR 12.5").map(|h| h.strip), Some(vec!["EUR".to_string()]));
        assert_eq!(of("=\"12\"").map(|h| h.strip), Some(vec!["=\"".to_string(), "\"".to_string()]));
        assert_eq!(of("'12").map(|h| h.strip), Some(vec!["'".to_string()]));
        assert_eq!(of("\u{2212}4").and_then(|h| h.minus), Some('\u{2212}'));
        for (cell, unit) in [("1 kg", "kg"), ("-3.5km/h", "km/h"), ("20 m2", "m2"), ("1,234 Std.", "Std.")] {
            assert_eq!(of(cell).and_then(|h| h.unit).as_deref(), Some(unit), "{cell}");
        }
    }

    #[test]
    fn what_no_attribute_reads_has_a_name() {
        let of = |cell: &str, decimal: char, thousands: Option<char>| {
            let notation = Notation { decimal, thousands, ..Notation::default() };
            Hint::of(cell, &notation).map(|h| h.unread).unwrap_or_default()
        };
        for (cell, unread) in [
            ("1,11,000", Unread::Lakh),
            ("-12,34,567.89", Unread::Lakh),
            ("12-", Unread::MinusAfter),
            ("1,234.5 \u{2212}", Unread::MinusAfter),
            ("(37.47)", Unread::Brackets),
            ("$(1,234)", Unread::Brackets),
            ("(12%)", Unread::Brackets),
            ("\u{661}\u{662}", Unread::Digits),
            ("\u{ff11}\u{ff12}.5", Unread::Digits),
            ("-\u{967}%", Unread::Digits),
        ] {
            assert_eq!(of(cell, '.', None), [unread], "{cell}");
        }
        assert_eq!(of("52.5", ',', None), [Unread::Point]);
        assert_eq!(of("0.626", ',', Some('.')), [Unread::Point]);
        assert_eq!(of("1.000.000", ',', None), []);
        assert_eq!(of("12,5", '.', Some(',')), [Unread::Comma]);
    }
}
