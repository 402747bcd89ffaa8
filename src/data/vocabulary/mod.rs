//! Vocabularies: the texts of a categorical column in the training rows. Large vocabularies are stored in a file next to the program
//! ([`sidecar`]). Vocabularies that name people can be left out, or hashed into buckets, and rare texts can be read as unknown
//! ([`asked`]).

mod asked;
mod sidecar;

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::files::hex;
pub use asked::{BUCKETS, MIN_COUNT, apply, check, contradictions};
pub use sidecar::{Shelf, Sidecar, external};

/// The bucket of a text, from 0: the first eight bytes of the SHA-256 of its UTF-8 bytes, as a little-endian number, modulo the number
/// of buckets. It is the same in every run, on every machine and in every version.
pub fn bucket(text: &str, buckets: usize) -> usize {
    let hash = Sha256::digest(text.as_bytes());
    let first: [u8; 8] = hash[..8].try_into().expect("a hash has 32 bytes");
    (u64::from_le_bytes(first) % buckets.max(1) as u64) as usize
}

/// The texts with their counts, one per line. Digests are computed from this text, and vocabulary files contain it.
fn lines(values: &[(String, usize)]) -> String {
    let mut out = String::with_capacity(values.iter().map(|(v, _)| v.len() + 8).sum());
    for (value, count) in values {
        writeln!(out, "{count} {}", escaped(value)).expect("writing to a string");
    }
    out
}

/// The sha256 of a vocabulary in hexadecimal digits. It does not reveal texts that cannot be guessed.
pub fn digest(values: &[(String, usize)]) -> String {
    hex(&Sha256::digest(lines(values).as_bytes()))
}

/// Escapes a text so that it fits on one line.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

/// Reverses [`escaped`]. `None` if the line is not an escaped text.
fn unescaped(line: &str) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\\' => match chars.next()? {
                '\\' => '\\',
                'n' => '\n',
                'r' => '\r',
                _ => return None,
            },
            other => other,
        });
    }
    Some(out)
}

/// Whether texts are in the order of category numbers: by descending count, then alphabetically, without repetition.
pub fn in_order(values: &[(String, usize)]) -> bool {
    values.windows(2).all(|w| w[0].1 > w[1].1 || (w[0].1 == w[1].1 && w[0].0 < w[1].0))
}
