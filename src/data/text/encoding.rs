//! Detects the encoding of a file and decodes its text to UTF-8.
//!
//! A byte order mark determines the encoding. A file without one is UTF-8 unless `encoding` is given; nothing is guessed, but error
//! messages name the likely encoding.

use std::io::{self, Read};

use super::Problem;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Utf8,
    Utf16 { big_endian: bool },
    Latin1,
    Windows1252,
}

/// The values of the attribute `encoding`, see [`Encoding::named`].
pub const NAMES: &[&str] = &["utf8", "utf16", "utf16le", "utf16be", "latin1", "windows1252"];

/// The characters of the bytes 0x80 to 0x9f, where Windows-1252 and Latin-1 differ. The five bytes that Windows-1252 leaves undefined
/// are control characters, as in browsers.
const WINDOWS: [char; 32] = [
    '\u{20ac}', '\u{81}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}', '\u{2030}',
    '\u{160}', '\u{2039}', '\u{152}', '\u{8d}', '\u{17d}', '\u{8f}', '\u{90}', '\u{2018}', '\u{2019}', '\u{201c}',
    '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\u{9d}',
    '\u{17e}', '\u{178}',
];

impl Encoding {
    pub fn named(name: &str) -> Option<Encoding> {
        Some(match name {
            "utf8" => Encoding::Utf8,
            "utf16" | "utf16le" => Encoding::Utf16 { big_endian: false },
            "utf16be" => Encoding::Utf16 { big_endian: true },
            "latin1" => Encoding::Latin1,
            "windows1252" => Encoding::Windows1252,
            _ => return None,
        })
    }

    /// The encoding that a byte order mark at the start of a file declares, and the length of the mark.
    fn marked(first: &[u8]) -> Option<(Encoding, usize)> {
        match first {
            [0xef, 0xbb, 0xbf, ..] => Some((Encoding::Utf8, 3)),
            [0xff, 0xfe, ..] => Some((Encoding::Utf16 { big_endian: false }, 2)),
            [0xfe, 0xff, ..] => Some((Encoding::Utf16 { big_endian: true }, 2)),
            _ => None,
        }
    }

    /// The encoding of a file that begins with these bytes, and the length of its mark.
    pub fn of(first: &[u8], declared: Option<Encoding>) -> Result<(Encoding, usize), Problem> {
        if first.starts_with(&[0xff, 0xfe, 0, 0]) || first.starts_with(&[0, 0, 0xfe, 0xff]) {
            return Err(Problem::file(
                "the text is UTF-32",
                "convert it: `iconv -f UTF-32 -t UTF-8 OLD.csv > NEW.csv`",
            ));
        }
        if let Some(marked) = Encoding::marked(first) {
            return Ok(marked);
        }
        if let Some(declared) = declared {
            return Ok((declared, 0));
        }
        match wide(first) {
            Some(big_endian) => {
                let (order, name) = if big_endian { ("big", "utf16be") } else { ("little", "utf16le") };
                Err(Problem::file(
                    format!("the text is UTF-16 ({order}-endian) without a byte order mark"),
                    format!("add `encoding = {name}`, or save the table as UTF-8"),
                ))
            }
            None => Ok((Encoding::Utf8, 0)),
        }
    }
}

/// Whether text is UTF-16, where every second byte of most characters is zero. `Some(true)` for big-endian: the first byte of a pair is
/// zero.
fn wide(first: &[u8]) -> Option<bool> {
    let pairs = first.chunks_exact(2).take(64);
    let n = pairs.len();
    let zeros = |at: usize| pairs.clone().filter(|p| p[at] == 0 && p[1 - at] != 0).count();
    let most = |count: usize| n >= 4 && count * 10 >= n * 9;
    if most(zeros(1)) {
        Some(false)
    } else if most(zeros(0)) {
        Some(true)
    } else {
        None
    }
}

/// Decodes bytes as Windows-1252 text, for messages.
pub fn windows(bytes: &[u8]) -> String {
    bytes.iter().map(|b| single(*b, Encoding::Windows1252)).collect()
}

fn single(byte: u8, encoding: Encoding) -> char {
    match byte {
        0x80..=0x9f if encoding == Encoding::Windows1252 => WINDOWS[usize::from(byte) - 0x80],
        _ => char::from(byte),
    }
}

/// Decodes a stream of bytes to UTF-8. Input that is UTF-8 already is not validated here, but where cells are used.
pub struct Decoder<R> {
    input: R,
    encoding: Encoding,
    /// Bytes that were read but not decoded yet.
    raw: Vec<u8>,
    /// Decoded text, and how much of it was returned.
    text: Vec<u8>,
    at: usize,
    ended: bool,
    /// The error that occurred after `text`.
    failed: Option<io::Error>,
}

impl<R: Read> Decoder<R> {
    pub fn new(input: R, encoding: Encoding) -> Decoder<R> {
        Decoder { input, encoding, raw: Vec::new(), text: Vec::new(), at: 0, ended: false, failed: None }
    }

    pub fn into_inner(self) -> R {
        self.input
    }

    fn refill(&mut self) -> io::Result<()> {
        const CHUNK: usize = 1 << 16;
        self.text.clear();
        self.at = 0;
        while self.text.is_empty() && !self.ended && self.failed.is_none() {
            let kept = self.raw.len();
            self.raw.resize(kept + CHUNK, 0);
            let n = self.input.read(&mut self.raw[kept..]);
            self.raw.truncate(kept + *n.as_ref().unwrap_or(&0));
            self.ended = matches!(n, Ok(0));
            n?;
            match self.encoding {
                Encoding::Utf16 { big_endian } => self.utf16(big_endian),
                encoding => {
                    let mut utf8 = [0; 4];
                    for byte in self.raw.drain(..) {
                        self.text.extend_from_slice(single(byte, encoding).encode_utf8(&mut utf8).as_bytes());
                    }
                }
            }
        }
        Ok(())
    }

    fn utf16(&mut self, big_endian: bool) {
        let unit =
            |b: &[u8]| if big_endian { u16::from_be_bytes([b[0], b[1]]) } else { u16::from_le_bytes([b[0], b[1]]) };
        let units: Vec<u16> = self.raw.chunks_exact(2).map(unit).collect();
        let mut used = 0;
        let mut utf8 = [0; 4];
        for c in char::decode_utf16(units.iter().copied()) {
            match c {
                Ok(c) => {
                    used += c.len_utf16();
                    self.text.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes());
                }
                // The second half of the surrogate pair is in the next bytes.
                Err(_) if used + 1 == units.len() && !self.ended => break,
                Err(e) => {
                    self.failed = Some(broken(format!("{e} in UTF-16 text")));
                    break;
                }
            }
        }
        self.raw.drain(..2 * used);
        if self.ended && !self.raw.is_empty() && self.failed.is_none() {
            self.failed = Some(broken("the UTF-16 text ends in the middle of a character".into()));
        }
    }
}

/// An error of the text, as opposed to an error of reading the file.
fn broken(detail: String) -> io::Error {
    io::Error::other(Broken(detail))
}

/// Text that is invalid in its encoding.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.encoding == Encoding::Utf8 {
            return self.input.read(to);
        }
        if self.at == self.text.len() {
            self.refill()?;
        }
        if self.at == self.text.len()
            && let Some(e) = self.failed.take()
        {
            return Err(e);
        }
        let n = to.len().min(self.text.len() - self.at);
        to[..n].copy_from_slice(&self.text[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], encoding: Encoding) -> io::Result<String> {
        // Reads three bytes at a time, so that characters are split.
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
                let n = self.0.len().min(3).min(to.len());
                to[..n].copy_from_slice(&self.0[..n]);
                self.0 = &self.0[n..];
                Ok(n)
            }
        }
        let mut out = String::new();
        Decoder::new(Slow(bytes), encoding).read_to_string(&mut out)?;
        Ok(out)
    }

    #[test]
    fn every_encoding_gives_the_same_text() {
        let text = "a\u{e9}\u{f1},x\r\n\u{fc}b,\u{df}\n";
        let latin: Vec<u8> = text.chars().map(|c| c as u8).collect();
        assert_eq!(decoded(&latin, Encoding::Latin1).expect("text"), text);
        assert_eq!(decoded(&latin, Encoding::Windows1252).expect("text"), text);
        let wide = format!("{text}\u{1f600}\u{1f601}!");
        let le: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let be: Vec<u8> = wide.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decoded(&le, Encoding::Utf16 { big_endian: false }).expect("text"), wide);
        assert_eq!(decoded(&be, Encoding::Utf16 { big_endian: true }).expect("text"), wide);
        assert_eq!(decoded(b"\x80 \x93q\x94", Encoding::Windows1252).expect("text"), "\u{20ac} \u{201c}q\u{201d}");
    }

    #[test]
    fn broken_wide_text_is_an_error_after_what_came_before() {
        let utf16 = Encoding::Utf16 { big_endian: false };
        for (bytes, why) in [(&b"a\0\n\0b"[..], "in the middle"), (&b"a\0\x00\xd8b\0"[..], "surrogate")] {
            let e = decoded(bytes, utf16).expect_err("broken");
            assert!(e.to_string().contains(why), "{e}");
        }
    }

    #[test]
    fn marks_decide_and_wide_text_without_one_is_named() {
        let of = |bytes: &[u8], declared| Encoding::of(bytes, declared);
        assert_eq!(of(b"\xff\xfea\0", None).ok(), Some((Encoding::Utf16 { big_endian: false }, 2)));
        assert_eq!(of(b"\xef\xbb\xbfa", Some(Encoding::Latin1)).ok(), Some((Encoding::Utf8, 3)));
        assert_eq!(of(b"a,b\n1,2\n", Some(Encoding::Latin1)).ok(), Some((Encoding::Latin1, 0)));
        assert_eq!(of(b"a,b\n1,2\n", None).ok(), Some((Encoding::Utf8, 0)));
        assert!(of(b"a\0,\0b\0\n\0", None).is_err() && of(b"\0a\0,\0b\0\n", None).is_err());
        assert!(of(b"\xff\xfe\0\0a\0\0\0", None).is_err());
    }
}
