//! Just enough of the zip format to read an `.npz`: stored and deflated members, found by the central directory.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::DataError;
use crate::source::open_regular;

pub fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06")
}

/// The directory of an archive ends at most this far before the end of the file: a comment has two bytes for its length.
const TAIL: u64 = 22 + 0xffff;

/// Bytes of an archive that its directory may leave out: headers of members, and room for alignment.
const SPARE: u64 = 1 << 20;

/// A directory has at most 65,535 entries.
const DIRECTORY: u64 = 64 << 20;

const EXPECTED: &str = "an `.npz` that can be read";
const ZIP64: &str = "a zip64 archive (over 4 GB); save the arrays as separate `.npy` files";

/// Refuses an archive of `size` bytes whose directory does not account for them, before the file is read into memory.
pub fn accounted(path: &Path, size: u64) -> Result<(), DataError> {
    let part = |from: u64, length: u64| -> std::io::Result<Vec<u8>> {
        let mut file = open_regular(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut out = Vec::new();
        file.take(length).read_to_end(&mut out)?;
        Ok(out)
    };
    let failed = |e| DataError::read(path, e);
    let begin = size.saturating_sub(TAIL);
    let tail = part(begin, TAIL).map_err(failed)?;
    let cut = || DataError::Truncated { path: path.to_path_buf(), detail: "its zip directory is missing".into() };
    let end = tail.windows(4).rposition(|w| w == b"PK\x05\x06").ok_or_else(cut)?;
    let number = |b: &[u8], at: usize, bytes: usize| -> Option<u64> {
        Some(b.get(at..at + bytes)?.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    let from = number(&tail, end + 16, 4).ok_or_else(cut)?;
    let refuse = |found| DataError::Magic { path: path.to_path_buf(), expected: EXPECTED, found };
    if from == u64::from(u32::MAX) {
        return Err(refuse(ZIP64.into()));
    }
    let length = (begin + end as u64).saturating_sub(from);
    let directory = part(from, length.min(DIRECTORY)).map_err(failed)?;
    let (mut at, mut found) = (0, TAIL + directory.len() as u64 + SPARE);
    // Each entry: the packed length, and the lengths of the name, the extra field and the comment.
    while let (Some(packed), Some(name), Some(extra), Some(comment)) = (
        number(&directory, at + 20, 4),
        number(&directory, at + 28, 2),
        number(&directory, at + 30, 2),
        number(&directory, at + 32, 2),
    ) {
        found += packed + 30 + name + extra;
        at += (46 + name + extra + comment) as usize;
    }
    match size > found {
        true => Err(refuse(format!("{} bytes that belong to no array", size - found))),
        false => Ok(()),
    }
}

/// All members by name, in the directory's order.
pub fn members(b: &[u8], path: &Path) -> Result<Vec<(String, Vec<u8>)>, DataError> {
    let cut = |detail: &str| DataError::Truncated { path: path.to_path_buf(), detail: detail.into() };
    let refuse = |found: String| DataError::Magic { path: path.to_path_buf(), expected: EXPECTED, found };
    let u16_at = |at: usize| b.get(at..at + 2).map(|c| u16::from_le_bytes([c[0], c[1]]) as usize);
    let u32_at = |at: usize| b.get(at..at + 4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]) as usize);
    let no_end = || cut("its zip directory is missing");
    let end = b.windows(4).rposition(|w| w == b"PK\x05\x06").ok_or_else(no_end)?;
    let count = u16_at(end + 10).ok_or_else(no_end)?;
    let mut at = u32_at(end + 16).ok_or_else(no_end)?;
    if at == u32::MAX as usize || count == 0xffff {
        return Err(refuse(ZIP64.into()));
    }
    // Members may lie over one another: what counts is all that is unpacked.
    let most = super::files::unpacked(b.len());
    let mut room = most;
    let mut found = Vec::new();
    for _ in 0..count {
        let broken = || cut("its zip directory is cut off");
        if b.get(at..at + 4) != Some(b"PK\x01\x02") {
            return Err(broken());
        }
        let field16 = |o: usize| u16_at(at + o).ok_or_else(broken);
        let field32 = |o: usize| u32_at(at + o).ok_or_else(broken);
        let (flags, method, crc) = (field16(8)?, field16(10)?, field32(16)? as u32);
        let (packed, size) = (field32(20)?, field32(24)?);
        let (name, extra, comment) = (field16(28)?, field16(30)?, field16(32)?);
        let local = field32(42)?;
        let member = String::from_utf8_lossy(b.get(at + 46..at + 46 + name).ok_or_else(broken)?).into_owned();
        if flags & 1 == 1 {
            return Err(refuse(format!("`{member}` is encrypted")));
        }
        // Sizes in the local header may be absent or in zip64 form; those of the directory are whole.
        let skip = 30 + u16_at(local + 26).ok_or_else(broken)? + u16_at(local + 28).ok_or_else(broken)?;
        if size > room {
            return Err(DataError::Bomb { path: path.to_path_buf(), stored: b.len(), most });
        }
        room -= size;
        let body = b.get(local + skip..local + skip + packed).ok_or_else(|| cut(&format!("`{member}` is cut off")))?;
        let plain = match method {
            0 => body.to_vec(),
            8 => {
                let mut out = Vec::new();
                flate2::read::DeflateDecoder::new(body)
                    .take(size as u64 + 1)
                    .read_to_end(&mut out)
                    .map_err(|e| DataError::read(path, e))?;
                out
            }
            other => return Err(refuse(format!("`{member}` uses compression method {other}"))),
        };
        let mut sum = flate2::Crc::new();
        sum.update(&plain);
        if plain.len() != size || sum.sum() != crc {
            return Err(cut(&format!("`{member}` does not have the size and checksum that the directory gives")));
        }
        found.push((member, plain));
        at += 46 + name + extra + comment;
    }
    Ok(found)
}
