//! What numbers and strings mean. Text in, value or a sentence out; no tree, no spans.

use super::ast::ExprKind;

/// `12`, `1_000`, `0.5`, `1e-4`, `2.2M`. A whole number with a scale is an `Int`. The error is a message and a way out.
pub(super) fn number(text: &str) -> Result<ExprKind, (String, Option<&'static str>)> {
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
        return Err((format!("`{text}` is not a number"), number_help(text)));
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
                Err(_) => Err((format!("`{text}` is too large for a whole number"), Some("the largest is 2^63 - 1"))),
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
        _ => Err((format!("`{text}` is too large"), Some("the largest number is about 1.8e308"))),
    }
}

/// Digits, with single `_` between them.
fn grouped(text: &str) -> bool {
    !text.is_empty() && text.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn number_help(text: &str) -> Option<&'static str> {
    if text.ends_with('K') {
        Some("thousands are written with a small `k`")
    } else if text.ends_with(['m', 'g']) {
        Some("millions are written `M`, thousands of millions `G`")
    } else if text.contains("__") || text.ends_with('_') {
        Some("a `_` stands between two digits")
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
