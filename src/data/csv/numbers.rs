//! The notation of numbers in a table.

use super::attributes::plain;
use crate::data::error::LARGEST;
use crate::schema::Args;

/// The attributes `decimal`, `thousands`, `strip` and `minus`.
#[derive(Debug, Clone, PartialEq)]
pub struct Notation {
    pub decimal: char,
    /// The separator between groups of three digits. A space also matches no-break and thin spaces.
    pub thousands: Option<char>,
    /// Texts that may precede or follow a number and are removed.
    pub strip: Vec<String>,
    /// Minus signs in addition to `-`.
    pub minus: Vec<char>,
}

impl Default for Notation {
    fn default() -> Notation {
        Notation { decimal: '.', thousands: None, strip: Vec::new(), minus: Vec::new() }
    }
}

/// The result of reading a cell as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Read {
    Number(f64),
    /// NaN, an infinity, or too large for 32 bits.
    Odd(f64),
    Not,
}

impl Notation {
    pub fn of(args: &Args) -> Notation {
        let one = |name: &str| args.opt_str(name).and_then(|s| s.chars().next());
        Notation {
            decimal: one("decimal").unwrap_or('.'),
            thousands: one("thousands"),
            strip: plain(args, "strip"),
            minus: plain(args, "minus").iter().filter_map(|m| m.chars().next()).collect(),
        }
    }

    fn is_plain(&self) -> bool {
        self.decimal == '.' && self.thousands.is_none() && self.strip.is_empty() && self.minus.is_empty()
    }

    /// Whether a cell is a number, finite or not.
    pub fn is_number(&self, cell: &str) -> bool {
        self.read(cell) != Read::Not
    }

    pub fn read(&self, cell: &str) -> Read {
        // A cell without another meaning is parsed directly.
        if self.decimal == '.'
            && self.thousands != Some('.')
            && let Ok(v) = cell.parse::<f64>()
        {
            return finite(v);
        }
        // What remains are no-break spaces around the number.
        if self.is_plain() && cell.is_ascii() {
            return Read::Not;
        }
        let spaced = spaces(cell);
        let Some((negative, body)) = self.body(&spaced) else { return Read::Not };
        match self.digits(body) {
            Some(plain) => match plain.parse::<f64>() {
                Ok(v) => finite(if negative { -v } else { v }),
                Err(_) => Read::Not,
            },
            None => Read::Not,
        }
    }

    /// Whether a cell that is read as `v` holds a different whole number, because that number has more than 53 bits.
    pub fn is_rounded(&self, cell: &str, v: f64) -> bool {
        const EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;
        if v.abs() < EXACT {
            return false;
        }
        let spaced = spaces(cell);
        let is_plain = self.decimal == '.' && self.thousands != Some('.') && cell.parse::<f64>().is_ok();
        let digits = match is_plain {
            true => Some(cell.trim_start_matches(['+', '-']).to_string()),
            false => self.body(&spaced).and_then(|(_, body)| self.digits(body)),
        };
        let Some(digits) = digits.filter(|d| !d.contains(['e', 'E'])) else { return false };
        let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
        fraction.bytes().all(|b| b == b'0') && whole.trim_start_matches('0') != format!("{:.0}", v.abs())
    }

    /// The cell without its sign and without stripped texts, and whether it is negative.
    fn body<'a>(&self, cell: &'a str) -> Option<(bool, &'a str)> {
        let mut sign = None;
        let mut rest = cell.trim_matches(' ');
        loop {
            let before = rest;
            for text in &self.strip {
                let text = spaces(text);
                let text = match text.trim_matches(' ') {
                    "" => continue,
                    text => text,
                };
                rest = rest.strip_prefix(text).unwrap_or(rest).trim_matches(' ');
                rest = rest.strip_suffix(text).unwrap_or(rest).trim_matches(' ');
            }
            let first = rest.chars().next()?;
            if sign.is_none() && (first == '-' || first == '+' || self.minus.contains(&first)) {
                sign = Some(first != '+');
                rest = rest[first.len_utf8()..].trim_matches(' ');
            }
            if rest == before {
                return Some((sign.unwrap_or(false), rest));
            }
        }
    }

    /// Converts grouped digits, a decimal sign and an exponent to the notation that Rust parses.
    pub(super) fn digits(&self, body: &str) -> Option<String> {
        let (mantissa, exponent) = match body.find(['e', 'E']) {
            Some(at) => body.split_at(at),
            None => (body, ""),
        };
        let (whole, fraction) = match mantissa.split_once(self.decimal) {
            Some((w, f)) => (w, Some(f)),
            None => (mantissa, None),
        };
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        let whole = match self.thousands {
            Some(sign) if whole.contains(sign) => grouped(whole, sign)?,
            _ => whole.to_string(),
        };
        let fraction = fraction.unwrap_or_default();
        if !all_digits(&whole) || !all_digits(fraction) || whole.len() + fraction.len() == 0 {
            return None;
        }
        Some(format!("{whole}.{fraction}0{exponent}"))
    }
}

fn finite(v: f64) -> Read {
    if v.abs() <= LARGEST { Read::Number(v) } else { Read::Odd(v) }
}

/// Replaces no-break and thin spaces by plain spaces.
pub(super) fn spaces(cell: &str) -> std::borrow::Cow<'_, str> {
    const SPACES: [char; 4] = ['\u{a0}', '\u{202f}', '\u{2009}', '\u{2007}'];
    if cell.is_ascii() || !cell.contains(SPACES) { cell.into() } else { cell.replace(SPACES, " ").into() }
}

/// `1,234,567` without its separators, if the first group has one to three digits and no leading zero, and the others have three.
pub(super) fn grouped(whole: &str, sign: char) -> Option<String> {
    let mut groups = whole.split(sign);
    let first = groups.next().filter(|g| (1..=3).contains(&g.len()) && !g.starts_with('0'))?;
    let mut out = first.to_string();
    for group in groups {
        if group.len() != 3 {
            return None;
        }
        out.push_str(group);
    }
    out.bytes().all(|b| b.is_ascii_digit()).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notation(decimal: char, thousands: Option<char>, strip: &[&str], minus: &[char]) -> Notation {
        Notation { decimal, thousands, strip: strip.iter().map(|s| s.to_string()).collect(), minus: minus.to_vec() }
    }

    #[test]
    fn numbers_are_read_as_declared() {
        let plain = Notation::default();
        for (cell, v) in [("1", 1.0), ("-2.5e3", -2500.0), (".5", 0.5), ("5.", 5.0), ("+1", 1.0)] {
            assert_eq!(plain.read(cell), Read::Number(v), "{cell}");
        }
        assert_eq!(plain.read("\u{a0}-2.5e3\u{202f}"), Read::Number(-2500.0));
        for cell in ["", "\u{a0}", "1\u{a0}000", "1,5", "1 000", "5%", "$5", "\u{2212}1", "0x10", "1_000"] {
            assert_eq!(plain.read(cell), Read::Not, "{cell}");
        }
        assert!(matches!(plain.read("NaN"), Read::Odd(_)) && matches!(plain.read("1e39"), Read::Odd(_)));

        let german = notation(',', Some('.'), &["€"], &['\u{2212}']);
        for (cell, v) in
            [("1.234,5", 1234.5), ("1,5", 1.5), ("12", 12.0), ("\u{2212}3,25\u{a0}€", -3.25), ("1.234", 1234.0)]
        {
            assert_eq!(german.read(cell), Read::Number(v), "{cell}");
        }
        for cell in ["1.5", "1.23.456", "1,2,3", "€", "--1", "1.2345"] {
            assert_eq!(german.read(cell), Read::Not, "{cell}");
        }
        let money = notation('.', Some(','), &["$", "%"], &[]);
        for (cell, v) in [("$1,234.50", 1234.5), ("-$5", -5.0), ("$-5", -5.0), ("7 %", 7.0), ("12,345,678", 12345678.0)]
        {
            assert_eq!(money.read(cell), Read::Number(v), "{cell}");
        }
        for cell in ["1,23", "12,3456", ",123", "1234,567", "$", "%5%x"] {
            assert_eq!(money.read(cell), Read::Not, "{cell}");
        }
        let spaced = notation(',', Some(' '), &[], &[]);
        assert_eq!(spaced.read("1\u{202f}234\u{a0}567,8"), Read::Number(1234567.8));
    }
}
