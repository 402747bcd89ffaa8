//! Reading whole files that others made: regular files only, within a size, and not while someone writes them. Finding programs in
//! folders.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

pub const NOT_REGULAR: &str = "it is a pipe or a device, not a regular file";
pub const CHANGED: &str = "it changed while it was read: try again when nothing writes it";

/// The bytes of a regular file of at most `most` bytes. Pipes and devices are refused before they are opened: reading them may
/// never end. A file whose size changes while it is read is refused, not taken in part.
pub fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let found = std::fs::metadata(path)?;
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, NOT_REGULAR));
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
        return Err(Error::other(CHANGED));
    }
    Ok(bytes)
}

/// Folders inside folders are looked into this deep.
const DEEPEST: usize = 64;

/// The files named, and the programs (`*.mtl`) in the folders named, in order of name. Hidden folders and links to folders are not
/// looked into. The error comes with the folder that cannot be listed.
pub fn programs(named: &[PathBuf]) -> std::result::Result<Vec<PathBuf>, (PathBuf, Error)> {
    let mut out = Vec::new();
    for path in named {
        match path.is_dir() {
            true => inside(path, 0, &mut out).map_err(|e| (path.clone(), e))?,
            false => out.push(path.clone()),
        }
    }
    Ok(out)
}

fn inside(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Result<()> {
    let mut entries: Vec<std::fs::DirEntry> = std::fs::read_dir(folder)?.collect::<Result<_>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type()?;
        let path = entry.path();
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if kind.is_dir() && !hidden && depth < DEEPEST {
            inside(&path, depth + 1, out)?;
        } else if !kind.is_dir() && path.extension().is_some_and(|e| e == "mtl") && path.is_file() {
            out.push(path);
        }
    }
    Ok(())
}
