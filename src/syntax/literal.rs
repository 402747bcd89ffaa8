//! What numbers and strings mean. Text in, value or a sentence out; no tree, no spans.

use super::ast::ExprKind;

/// Why a text is no number, the way out, and the number that it can only mean, if there is one.
#[derive(Debug, PartialEq)]
pub(super) struct NotANumber {
    pub message: String,
    pub help: Option<&'static str>,
    pub meant: Option<String>,
}

/// `12`, `1_000`, `0.5`, `1e-4`, `2.2M`. A whole number with a scale is an `Int`.
pub(super) fn number(text: &str) -> Result<ExprKind, NotANumber> {
    let wrong = |message: String, help| NotANumber { message, help, meant: None };
    let (digits, zeros) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 3),
        Some(b'M') => (&text[..text.len() - 1], 6),
        Some(b'G') => (&text[..text.len() - 1], 9),
        _ => (text, 0),
    };
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(i) => (&digits[..i], Some(&digits[i + 1..])),
        None => (digits, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((w, f)) => (w, Some(f)),
        None => (mantissa, None),
    };
    let unsigned_exponent = exponent.map(|e| e.trim_start_matches(['+', '-']));
    if !grouped(whole) || fraction.is_some_and(|f| !grouped(f)) || unsigned_exponent.is_some_and(|e| !grouped(e)) {
        return Err(match elsewhere(text) {
            Some((why, meant)) => NotANumber { message: why.to_string(), help: None, meant: Some(meant) },
            None => wrong(format!("`{text}` is not a number"), number_help(text)),
        });
    }
    let plain = |s: &str| s.replace('_', "");
    if exponent.is_none() {
        let fraction = fraction.map(plain);
        let significant = fraction.as_deref().unwrap_or("").trim_end_matches('0');
        let is_whole = fraction.is_none() || (zeros > 0 && significant.len() <= zeros);
        if is_whole {
            let all = format!("{}{significant}{}", plain(whole), "0".repeat(zeros - significant.len()));
            return match all.parse::<i64>() {
                Ok(value) => Ok(ExprKind::Int(value)),
                Err(_) => {
                    Err(wrong(format!("`{text}` is too large for a whole number"), Some("the largest is 2^63 - 1")))
                }
            };
        }
    }
    let scaled = match exponent {
        Some(e) => format!("{}e{}", plain(mantissa), plain(e)).parse::<f64>().map(|v| v * 10f64.powi(zeros as i32)),
        // One rounding only: the scale goes into the exponent.
        None => format!("{}e{zeros}", plain(mantissa)).parse::<f64>(),
    };
    match scaled {
        Ok(value) if value.is_finite() => Ok(ExprKind::Float(value)),
        _ => Err(wrong(format!("`{text}` is too large"), Some("the largest number is about 1.8e308"))),
    }
}

/// A number as other languages write it: what is said of it, and how it is written here.
fn elsewhere(text: &str) -> Option<(&'static str, String)> {
    let usual = |t: &str| number(t).is_ok().then(|| t.to_string());
    if text.contains(|c| matches!(c, '\u{FF10}'..='\u{FF19}')) {
        let narrow =
            |c| if matches!(c, '\u{FF10}'..='\u{FF19}') { char::from_u32(c as u32 - 0xFEE0).unwrap_or(c) } else { c };
        return Some(("these digits are full-width characters", usual(&text.chars().map(narrow).collect::<String>())?));
    }
    if let Some((whole, rest)) = text.split_once('.') {
        if whole.is_empty() {
            return Some(("a number does not begin with `.`", usual(&format!("0.{rest}"))?));
        }
        if rest.is_empty() || rest.starts_with(['e', 'E']) {
            let zero = if rest.is_empty() { ".0" } else { "" };
            return Some(("a number does not end with `.`", usual(&format!("{whole}{zero}{rest}"))?));
        }
    }
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let value = i64::from_str_radix(&digits.replace('_', ""), radix).ok()?;
            return Some(("whole numbers are written with decimal digits", value.to_string()));
        }
    }
    if text.contains("__") || text.ends_with('_') {
        let single = text.split('_').filter(|p| !p.is_empty()).collect::<Vec<_>>().join("_");
        return Some(("a `_` stands between two digits", usual(&single)?));
    }
    if let Some(digits) = text.strip_suffix('K') {
        return Some(("thousands are written with a small `k`", usual(&format!("{digits}k"))?));
    }
    // `64L`, `1.0f`: types of other languages.
    let bare = text.trim_end_matches(['L', 'l', 'u', 'U', 'f', 'F', 'd', 'D']);
    let whole = bare.bytes().all(|b| b.is_ascii_digit());
    if bare.len() < text.len() && (!whole || !text.ends_with(['f', 'F', 'd', 'D'])) {
        return Some(("a number has no letter for its type", usual(bare)?));
    }
    None
}

/// A name in which every letter of another alphabet looks like a Latin one, in Latin letters. Not where the whole word is of the other
/// alphabet, which may be a word of its own.
pub(super) fn look_alike(word: &str) -> Option<String> {
    if word.is_ascii() || !word.contains(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    word.chars().map(|c| if c.is_ascii() { Some(c) } else { latin(c) }).collect()
}

/// The Latin letter that a Greek, Cyrillic or full-width letter looks like.
fn latin(c: char) -> Option<char> {
    const OTHERS: &str = "\u{430}\u{435}\u{43E}\u{440}\u{441}\u{443}\u{445}\u{455}\u{456}\u{458}\u{501}\u{51B}\u{51D}\
        \u{410}\u{412}\u{415}\u{41A}\u{41C}\u{41D}\u{41E}\u{420}\u{421}\u{422}\u{425}\u{405}\u{406}\u{408}\
        \u{3BF}\u{3C1}\u{3BD}\u{3B9}\u{3BA}\u{3B1}\u{391}\u{392}\u{395}\u{396}\u{397}\u{399}\u{39A}\u{39C}\u{39D}\u{39F}\u{3A1}\u{3A4}\u{3A7}\u{3A5}";
    const LATIN: &str = "aeopcyxsijdqwABEKMHOPCTXSIJopvikaABEZHIKMNOPTXY";
    if matches!(c, '\u{FF21}'..='\u{FF3A}' | '\u{FF41}'..='\u{FF5A}') {
        return char::from_u32(c as u32 - 0xFEE0);
    }
    let at = OTHERS.chars().position(|o| o == c)?;
    LATIN.chars().nth(at)
}

/// Digits, with single `_` between them.
fn grouped(text: &str) -> bool {
    !text.is_empty() && text.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn number_help(text: &str) -> Option<&'static str> {
    if text.ends_with(['m', 'g']) {
        Some("millions are written `M`, thousands of millions `G`")
    } else if text.bytes().any(|b| b.is_ascii_alphabetic()) {
        Some(
            "a name that begins with a digit is written in quotes; the scales are `k`, `M` and `G`, of bytes too (`2G`)",
        )
    } else {
        None
    }
}

/// The text between the quotes, escapes resolved, and what is wrong with them: offset and length in `raw`, and why.
pub(super) fn string(raw: &str) -> (String, Vec<(usize, usize, String)>) {
    let mut out = String::with_capacity(raw.len());
    let mut wrong = Vec::new();
    let mut at = 0;
    while let Some(found) = raw[at..].find('\\') {
        out.push_str(&raw[at..at + found]);
        at += found;
        let tail = &raw[at + 1..];
        let Some(escape) = tail.chars().next() else {
            wrong.push((at, 1, "a backslash at the end escapes nothing".to_string()));
            return (out, wrong);
        };
        let mut length = 1 + escape.len_utf8();
        match escape {
            '"' | '\\' => out.push(escape),
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'u' => match unicode(&tail[1..]) {
                Some((digits, Some(c))) => {
                    out.push(c);
                    length += digits + 2;
                }
                Some((digits, None)) => {
                    length += digits + 2;
                    wrong.push((at, length, "this is not the number of a character".to_string()));
                }
                None => {
                    let why = "`\\u` is followed by up to six hexadecimal digits in braces, as in `\\u{e9}`";
                    wrong.push((at, length, why.to_string()));
                }
            },
            other => {
                wrong.push((at, length, format!("`\\{}` is not an escape", other.escape_debug())));
                out.push(other);
            }
        }
        at += length;
    }
    out.push_str(&raw[at..]);
    (out, wrong)
}

/// What `{e9}` after `\u` stands for: the number of digits, and the character if there is one of that number.
fn unicode(tail: &str) -> Option<(usize, Option<char>)> {
    let tail = tail.strip_prefix('{')?;
    let digits = tail.bytes().take(7).take_while(u8::is_ascii_hexdigit).count();
    if !(1..=6).contains(&digits) || tail.as_bytes().get(digits) != Some(&b'}') {
        return None;
    }
    Some((digits, u32::from_str_radix(&tail[..digits], 16).ok().and_then(char::from_u32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly() {
        for (text, value) in [
            ("0", ExprKind::Int(0)),
            ("1_000", ExprKind::Int(1000)),
            ("2.2M", ExprKind::Int(2_200_000)),
            ("10k", ExprKind::Int(10_000)),
            ("3G", ExprKind::Int(3_000_000_000)),
            ("2.2000k", ExprKind::Int(2200)),
            ("0.0005k", ExprKind::Float(0.5)),
            ("0.5", ExprKind::Float(0.5)),
            ("1e-4", ExprKind::Float(1e-4)),
            ("2.0", ExprKind::Float(2.0)),
            ("1e3", ExprKind::Float(1e3)),
        ] {
            assert_eq!(number(text).unwrap(), value, "{text}");
        }
        for text in ["3x", "1__0", "1_", "2K", "9223372036854775808", "1e999", "1e", "0x10", "9G9"] {
            assert!(number(text).is_err(), "{text}");
        }
        for (text, meant) in [
            (".9", "0.9"),
            ("1.", "1.0"),
            ("1.e-3", "1e-3"),
            ("10_", "10"),
            ("1__0", "1_0"),
            ("0x10", "16"),
            ("0b101", "5"),
            ("10K", "10k"),
            ("64L", "64"),
            ("1.0f", "1.0"),
            ("\u{FF11}\u{FF10}", "10"),
        ] {
            assert_eq!(number(text).unwrap_err().meant.as_deref(), Some(meant), "{text}");
        }
        for text in ["3x", "3m", "1e", "64f", "3d", "1.2.3"] {
            assert_eq!(number(text).unwrap_err().meant, None, "{text}");
        }
    }

    #[test]
    fn letters_that_look_latin_are_read_as_latin() {
        for (word, meant) in [
            ("t\u{43E}p", Some("top")),
            ("\u{3BF}_x", Some("o_x")),
            ("gr\u{F6}\u{DF}e", None),
            ("\u{441}\u{43E}", None),
        ] {
            assert_eq!(look_alike(word).as_deref(), meant, "{word}");
        }
    }

    #[test]
    fn escapes_are_resolved_or_explained() {
        assert_eq!(string(r#"a\"\\\n\t\r\u{e9}é"#), ("a\"\\\n\t\r\u{e9}é".to_string(), vec![]));
        assert_eq!(
            string(r"\q\u{110000}x\u").1.iter().map(|w| (w.0, w.1)).collect::<Vec<_>>(),
            [(0, 2), (2, 10), (13, 2)]
        );
    }
}
