//! From byte offsets to the protocol's positions and back. A line ends with `\n`, `\r\n` or `\r`; columns count bytes or UTF-16
//! units, as was agreed with the client.

use gen_lsp_types::{Position, Range};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    Utf8,
    /// What every client understands.
    #[default]
    Utf16,
}

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub struct Lines {
    starts: Vec<u32>,
    ascii: bool,
}

impl Lines {
    pub fn new(text: &str) -> Lines {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (i, b) in bytes.iter().enumerate() {
            if *b == b'\n' || *b == b'\r' && bytes.get(i + 1) != Some(&b'\n') {
                starts.push(i as u32 + 1);
            }
        }
        Lines { starts, ascii: text.is_ascii() }
    }

    /// Of an offset; past the end it is the end, inside a character that character's begin.
    pub fn position(&self, text: &str, offset: usize, encoding: Encoding) -> Position {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let line = self.starts.partition_point(|s| *s as usize <= offset) - 1;
        let start = self.starts[line] as usize;
        let character = match encoding {
            Encoding::Utf8 => offset - start,
            Encoding::Utf16 if self.ascii => offset - start,
            Encoding::Utf16 => text[start..offset].encode_utf16().count(),
        };
        Position { line: line as u32, character: character as u32 }
    }

    pub fn range(&self, text: &str, range: std::ops::Range<usize>, encoding: Encoding) -> Range {
        Range { start: self.position(text, range.start, encoding), end: self.position(text, range.end, encoding) }
    }

    /// Of a position; past the end of a line it is the line's end, past the last line the end of the text.
    pub fn offset(&self, text: &str, position: Position, encoding: Encoding) -> usize {
        let Some(start) = self.starts.get(position.line as usize).map(|s| *s as usize) else { return text.len() };
        let mut end = self.starts.get(position.line as usize + 1).map_or(text.len(), |s| *s as usize);
        let line_end = text[start..end].find(['\n', '\r']);
        end = line_end.map_or(end, |n| start + n);
        let mut left = position.character as usize;
        match encoding {
            Encoding::Utf8 => {
                let mut at = (start + left).min(end);
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            }
            Encoding::Utf16 => {
                let mut at = start;
                for c in text[start..end].chars() {
                    if left < c.len_utf16() {
                        break;
                    }
                    left -= c.len_utf16();
                    at += c.len_utf8();
                }
                at
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back() {
        let text = "mtl 1\r\n# 🙂é\u{202e}x\rparam\n\n\"日本\"";
        let lines = Lines::new(text);
        for encoding in [Encoding::Utf8, Encoding::Utf16] {
            for (at, _) in text.char_indices().chain([(text.len(), ' ')]) {
                let p = lines.position(text, at, encoding);
                let back = lines.offset(text, p, encoding);
                // Between `\r` and `\n` there is no place.
                assert!(back == at || text.as_bytes()[at - 1] == b'\r', "{at} {p:?} {back} {encoding:?}");
            }
        }
        let at = |line, character| lines.offset(text, Position { line, character }, Encoding::Utf16);
        assert_eq!(&text[..at(1, 4)], "mtl 1\r\n# 🙂");
        // Inside of a pair, past the end of a line, past the last line.
        assert_eq!(at(1, 3), at(1, 2));
        assert_eq!(at(0, 99), 5);
        assert_eq!(at(99, 0), text.len());
    }
}
