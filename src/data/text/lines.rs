//! Texts that are read as a whole and split into lines.

use std::io::Read;

use super::encoding::{Decoder, Encoding, windows};
use super::{Problem, foreign};

/// Decodes all bytes of a file.
pub fn whole(bytes: &[u8]) -> Result<String, Problem> {
    if let Some(problem) = foreign::refuse(bytes) {
        return Err(problem);
    }
    let (encoding, mark) = Encoding::of(bytes, None)?;
    let mut text = Vec::with_capacity(bytes.len());
    Decoder::new(&bytes[mark..], encoding).read_to_end(&mut text).map_err(|e| Problem::io(end(&text), e))?;
    String::from_utf8(text).map_err(|e| {
        let (good, rest) = e.as_bytes().split_at(e.utf8_error().valid_up_to());
        let ends = |b: &u8| matches!(b, b'\n' | b'\r');
        let begin = good.iter().rposition(ends).map_or(0, |at| at + 1);
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let line = &e.as_bytes()[begin..good.len() + length];
        Problem::line(
            end(good),
            format!(
                "this is not UTF-8 text; in Windows-1252 it reads {:?}",
                super::super::error::excerpt(&windows(line))
            ),
            "save the file as UTF-8: `iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW`",
        )
    })
}

/// The number of the last line of a text.
fn end(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text);
    lines(&text).count() as u64 + u64::from(text.is_empty() || text.ends_with(['\n', '\r']))
}

/// The lines of a text with their numbers from 1. A line ends with LF, CR LF or CR.
pub fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let mut rest = text;
    let cut = move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let (line, end) = rest.split_at(at);
        let length = if end.starts_with("\r\n") { 2 } else { end.len().min(1) };
        rest = &end[length..];
        Some(line)
    };
    (1..).zip(std::iter::from_fn(cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_in_every_way() {
        for end in ["\n", "\r\n", "\r"] {
            let text = "a\n\nb\nc".replace('\n', end);
            assert_eq!(lines(&text).collect::<Vec<_>>(), [(1, "a"), (2, ""), (3, "b"), (4, "c")], "{end:?}");
            assert_eq!(lines(&format!("{text}{end}")).count(), 4);
        }
        let Err(Problem::Text { line, message, .. }) = whole(b"a\r\rb\r\nc\xe9,1\nd") else { panic!("not UTF-8") };
        assert_eq!(line, Some(4));
        assert!(message.contains("c\u{e9},1"), "{message}");
    }
}
