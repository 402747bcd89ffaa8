//! Changes of whole tokens: what is left still looks like the language.

use std::ops::Range;

use crate::dice::Dice;
use crate::seeds::Seeds;

/// Numbers that arithmetic is weak against, and what looks like numbers.
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "7",
    "1.5",
    "0.0",
    "-0.0",
    "1e308",
    "-1e308",
    "1e-320",
    "1e-400",
    "9223372036854775807",
    "4294967296",
    "1073741824",
    "1073741825",
    "65536",
    "100000",
    "10000",
    "10001",
    "1000000000",
    "1e9",
    "1e18",
    "1G",
    "999999M",
    "0.1",
    "0.999999999999",
    "1e309",
    "9223372036854775808",
    "-9223372036854775808",
    "9G9",
    "nan",
    "inf",
    "-inf",
    "NaN",
    "0x10",
    "1__0",
    "1e",
    "3x",
    "1..4",
    "0..100000",
    "1..1000000000",
];

/// How many of them the language reads as numbers.
const LEGAL: usize = 27;

/// Text that decides something, wherever it stands.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ",",
    "=",
    "->",
    "<-",
    "<",
    "<=",
    "==",
    "!=",
    "-",
    "*",
    "/",
    "%",
    "..",
    ".",
    ":",
    ";",
    "\"",
    "\\",
    "#",
    "\n",
    "\r\n",
    " ",
    "\t",
    "\r",
    "é",
    "\u{a0}",
    "\u{feff}",
    "\u{202e}",
    "\0",
    "'",
    "@",
    "//",
    "# note\n",
    "any",
    "previous",
    "outputs",
    "in",
    "out",
    "true",
    "false",
    "not ",
    "and ",
    "or ",
    "*",
    "\"\"",
    "\"a b\"",
    "\"..\"",
    "\"/\"",
    "\"\\u{0}\"",
    "\"\\n\"",
    "\"é\"",
    "\"a.b\"",
    "\"<&>\"",
    "\"mtl\"",
    "\"_\"",
    "\"a\\\"b\"",
];

/// The tokens of a text as ranges: words, numbers, strings, comments, runs of blanks, and single signs.
pub fn split(text: &str) -> Vec<Range<usize>> {
    let b = text.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < b.len() {
        let run = |from: usize, of: &dyn Fn(u8) -> bool| from + b[from..].iter().take_while(|c| of(**c)).count();
        let end = match b[at] {
            c if c.is_ascii_alphabetic() || c == b'_' => run(at, &|c| c.is_ascii_alphanumeric() || c == b'_'),
            c if c.is_ascii_digit() => run(at, &|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_')),
            b'"' => {
                let close = b[at + 1..].iter().position(|c| matches!(c, b'"' | b'\n'));
                close.map_or(b.len(), |n| at + 2 + n)
            }
            b'#' => run(at, &|c| c != b'\n'),
            b' ' | b'\t' => run(at, &|c| matches!(c, b' ' | b'\t')),
            b'-' | b'<' if matches!((b[at], b.get(at + 1)), (b'-', Some(b'>')) | (b'<', Some(b'-' | b'='))) => at + 2,
            _ => at + 1,
        };
        let mut end = end.max(at + 1);
        while !text.is_char_boundary(end) {
            end += 1;
        }
        out.push(at..end);
        at = end;
    }
    out
}

pub fn mutate(text: &str, seeds: &Seeds, times: usize, dice: &mut Dice) -> String {
    let mut tokens: Vec<String> = split(text).into_iter().map(|r| text[r].to_string()).collect();
    for _ in 0..times {
        one(&mut tokens, seeds, dice);
    }
    tokens.concat()
}

/// Tokens for tokens of the same kind: a name for a name, a number for a number, a text for a text.
pub fn gentle(text: &str, seeds: &Seeds, times: usize, dice: &mut Dice) -> String {
    let mut tokens: Vec<String> = split(text).into_iter().map(|r| text[r].to_string()).collect();
    for _ in 0..times {
        let of = |f: &dyn Fn(&str) -> bool| (0..tokens.len()).filter(|i| f(&tokens[*i])).collect::<Vec<usize>>();
        let (names, numbers, texts) = (of(&is_word), of(&is_number), of(&|t| t.starts_with('"')));
        let sort = dice.roll(10);
        if sort < 5 && !numbers.is_empty() {
            let at = *dice.pick(&numbers);
            tokens[at] = match dice.roll(4) {
                0 => tokens[*dice.pick(&numbers)].clone(),
                1 => (1 + dice.roll(20)).to_string(),
                // The last of them are none.
                2 => (*dice.pick(NUMBERS)).to_string(),
                _ => (*dice.pick(&NUMBERS[..LEGAL])).to_string(),
            };
        } else if sort < 9 && names.len() > 1 {
            let at = *dice.pick(&names);
            tokens[at] = match dice.roll(3) {
                0 => dice.pick(&seeds.names).clone(),
                1 => tokens[*dice.pick(&names)].clone(),
                _ => {
                    // The same name everywhere, spelt anew: nothing else changes.
                    let (old, new) = (tokens[at].clone(), dice.pick(&seeds.names).clone());
                    tokens.iter_mut().filter(|t| **t == old).for_each(|t| t.clone_from(&new));
                    new
                }
            };
        } else if !texts.is_empty() {
            let at = *dice.pick(&texts);
            let any: Vec<&&str> = PIECES.iter().filter(|p| p.len() > 1 && p.starts_with('"')).collect();
            tokens[at] =
                if dice.one_in(2) { (**dice.pick(&any)).to_string() } else { tokens[*dice.pick(&texts)].clone() };
        }
    }
    tokens.concat()
}

/// Blanks, line ends and comments put wherever they may stand.
pub fn relayout(text: &str, dice: &mut Dice) -> String {
    const GAPS: &[&str] = &[
        "  ",
        "\n",
        "\n\n\n",
        " # note\n",
        "\n# own line\n",
        "\n\n  # a\n\n  # b\n\n",
        "\r\n",
        "\t",
        "#\n",
        "\r",
        " #\r\n",
    ];
    let mut out = String::new();
    let rate = [3, 10, 40][dice.roll(3)];
    for token in split(text) {
        let token = &text[token];
        let open = matches!(token, "," | "[" | "(" | "{" | "=" | "->" | "<-" | "]" | ")" | "}");
        if token.trim().is_empty() && dice.one_in(rate) {
            out.push_str(dice.pick::<&str>(GAPS));
            continue;
        }
        if open && dice.one_in(rate) {
            out.push_str(dice.pick::<&str>(GAPS));
        }
        out.push_str(token);
        if open && dice.one_in(rate) {
            out.push_str(dice.pick::<&str>(GAPS));
        }
    }
    out
}

fn one(tokens: &mut Vec<String>, seeds: &Seeds, dice: &mut Dice) {
    if tokens.is_empty() {
        tokens.push(dice.pick(&seeds.words).clone());
        return;
    }
    let mut at = dice.roll(tokens.len());
    // Blanks decide little: look once more.
    if tokens[at].trim().is_empty() {
        at = dice.roll(tokens.len());
    }
    match dice.roll(14) {
        0 => drop(tokens.remove(at)),
        1 => {
            let end = (at + 1 + dice.roll(8)).min(tokens.len());
            tokens.drain(at..end);
        }
        2 => {
            let copy = tokens[at].clone();
            tokens.insert(at, copy);
        }
        3 => {
            let other = dice.roll(tokens.len());
            tokens.swap(at, other);
        }
        4 => {
            let end = (at + 1 + dice.roll(30)).min(tokens.len());
            let copy = tokens[at..end].to_vec();
            let to = dice.roll(tokens.len());
            tokens.splice(to..to, copy);
        }
        5 | 6 => tokens[at] = dice.pick(&seeds.words).clone(),
        7 => tokens.insert(at, dice.pick(&seeds.words).clone()),
        8 => tokens.insert(at, (*dice.pick(PIECES)).to_string()),
        9 => tokens[at] = (*dice.pick(PIECES)).to_string(),
        10 => {
            // A name of this text for another: what is declared is used elsewhere.
            let names: Vec<usize> = (0..tokens.len()).filter(|i| is_word(&tokens[*i])).collect();
            if names.len() > 1 {
                let (a, b) = (*dice.pick(&names), *dice.pick(&names));
                tokens[a] = tokens[b].clone();
            }
        }
        _ => {
            let numbers: Vec<usize> = (0..tokens.len()).filter(|i| is_number(&tokens[*i])).collect();
            let place = if numbers.is_empty() || dice.one_in(6) { at } else { *dice.pick(&numbers) };
            tokens[place] = (*dice.pick(NUMBERS)).to_string();
        }
    }
}

pub fn is_word(token: &str) -> bool {
    token.as_bytes()[0].is_ascii_alphabetic()
}

fn is_number(token: &str) -> bool {
    token.as_bytes()[0].is_ascii_digit()
}
