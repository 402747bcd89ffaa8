//! The pest parser, and the gates in front of it.
//!
//! The grammar accepts every text, but it is recursive in brackets; so size and depth are looked at first, with a scan
//! that over-counts rather than under-counts what the grammar will nest. Nothing here knows the tree or the AST.

use super::ast::ITEM_KEYWORDS;

#[derive(pest_derive::Parser)]
#[grammar = "grammar/mtl.pest"]
pub(super) struct Grammar;

/// Larger files are not specs.
pub const MAX_BYTES: usize = 16 << 20;

/// Brackets may nest this deep. A thread with a 2 MiB stack parses it (there is a test).
pub const MAX_DEPTH: usize = 100;

/// The most bytes that the rule `string_tail` leaves outside an unclosed string.
const MAX_STRING_TAIL: usize = 12;

/// The offset of the first bracket that is nested deeper than [`MAX_DEPTH`].
pub(super) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut open: Vec<u8> = Vec::new();
    let mut at = 0;
    let mut line_start = true;
    // On a line with other quotes or comments than ours, brackets inside of text are counted too.
    let mut plain = is_plain(bytes, 0);
    while at < bytes.len() {
        let byte = bytes[at];
        if line_start && begins_item(&bytes[at..]) {
            // The grammar gives up on every open bracket here.
            open.clear();
        }
        match byte {
            b'\n' | b'\r' => {
                line_start = true;
                plain = is_plain(bytes, at + 1);
            }
            b' ' | b'\t' => {}
            _ => line_start = false,
        }
        match byte {
            b'"' if plain => at = string_end(bytes, at),
            b'#' if plain => at = line_end(bytes, at),
            b'{' | b'[' | b'(' => {
                open.push(byte);
                if open.len() > MAX_DEPTH {
                    return Some(at);
                }
                at += 1;
            }
            b'}' => {
                // Closes every `[` and `(` left open inside; alone, it closes nothing.
                if let Some(i) = open.iter().rposition(|b| *b == b'{') {
                    open.truncate(i);
                }
                at += 1;
            }
            b']' | b')' => {
                let mate = if byte == b']' { b'[' } else { b'(' };
                if open.last() == Some(&mate) {
                    open.pop();
                }
                at += 1;
            }
            _ => at += 1,
        }
    }
    None
}

/// The same question as the rule `at_item`, at the first word of a line.
fn begins_item(rest: &[u8]) -> bool {
    let word = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    if !ITEM_KEYWORDS.iter().any(|k| k.as_bytes() == &rest[..word]) {
        return false;
    }
    let after = &rest[word..];
    let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    match after.get(blanks) {
        Some(b'{') => true,
        // A name; the rare `task in ...` only makes the count start again, and it is bounded below by the grammar's own.
        Some(b) if blanks > 0 && (b.is_ascii_alphabetic() || *b == b'_') => {
            let next = &after[blanks..];
            let length = next.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
            !matches!(&next[..length], b"in" | b"and" | b"or")
        }
        _ => false,
    }
}

/// Whether the line that begins here has only quotes and comments of the language.
fn is_plain(bytes: &[u8], start: usize) -> bool {
    let line = &bytes[start.min(bytes.len())..line_end(bytes, start.min(bytes.len()))];
    let foreign = |t: &[u8]| !t.is_ascii() || t.contains(&b'\'') || t.windows(2).any(|w| w == b"/*");
    let comment = line.iter().position(|b| *b == b'#').map(|n| &line[..n]);
    !foreign(line) || comment.is_some_and(|before| !foreign(before) && !before.contains(&b'"'))
}

/// Past the closing quote, or the end of the line.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return at + 1,
            b'\n' | b'\r' => break,
            b'\\' if at + 1 < bytes.len() && !matches!(bytes[at + 1], b'\n' | b'\r') => at += 2,
            _ => at += 1,
        }
    }
    // Unclosed: the grammar leaves the few brackets that end the line outside the string.
    line_end(bytes, start).saturating_sub(MAX_STRING_TAIL).max(start + 1)
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(bytes.len(), |n| start + n)
}
