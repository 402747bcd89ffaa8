//! Reading whole files that others made: regular files only, within a size, and not while someone writes them.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// The bytes of a regular file of at most `most` bytes. Pipes and devices are refused before they are opened: reading them may
/// never end. A file whose size changes while it is read is refused, not taken in part.
pub fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is a pipe or a device, not a regular file"));
    }
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if size > most {
        let message = format!("it has {} MiB, and {} MiB are the most", size >> 20, most >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // One byte more than there should be tells that the file grew.
    (&mut file).take(size + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size || file.metadata()?.len() != size {
        let message = "it changed while it was read: try again when nothing writes it";
        return Err(Error::other(message));
    }
    Ok(bytes)
}
