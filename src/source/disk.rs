//! Reading files that others made: regular files only, within a size, and not while someone writes them. Finding programs in folders.
//!
//! Every file that a user names, and every file of a run folder, is opened here. A pipe could block for ever, a device never ends, and a
//! file can claim any size: no memory is reserved for a size that the machine cannot hold.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::{Path, PathBuf};

use super::machine;

pub const NOT_REGULAR: &str = "it is a pipe or a device, not a regular file";
pub const CHANGED: &str = "it changed while it was read: try again when nothing writes it";

/// Opens a regular file for reading. Folders, pipes, sockets and devices are refused, and opening never waits.
pub fn open_regular(path: &Path) -> Result<File> {
    // To open a device can already have an effect, so look first.
    regular(&std::fs::metadata(path)?)?;
    let mut options = File::options();
    options.read(true);
    // A pipe may have taken the place of the file since.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits() as i32);
    let file = options.open(path)?;
    regular(&file.metadata()?)?;
    Ok(file)
}

/// Refuses everything but a regular file.
pub(super) fn regular(found: &Metadata) -> Result<()> {
    if found.is_dir() {
        return Err(ErrorKind::IsADirectory.into());
    }
    if !found.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, NOT_REGULAR));
    }
    Ok(())
}

/// The bytes of a regular file of at most `most` bytes. A file whose size changes while it is read is refused, not taken in part.
pub fn read_bytes(path: &Path, most: u64) -> Result<Vec<u8>> {
    let file = open_regular(path)?;
    let size = file.metadata()?.len();
    if size > most {
        let message = format!("it has {} MiB, and {} MiB are the most", size >> 20, most >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    let mut bytes = Vec::new();
    read_rest(file, size, &mut bytes)?;
    Ok(bytes)
}

/// Reads a file to its end, after the first bytes, which are in `bytes` already. `size` is the size of the whole file.
pub fn read_rest(mut file: File, size: u64, bytes: &mut Vec<u8>) -> Result<()> {
    reserve(bytes, size)?;
    // One byte more than there should be tells that the file grew.
    (&mut file).take((size + 1).saturating_sub(bytes.len() as u64)).read_to_end(bytes)?;
    if bytes.len() as u64 != size || file.metadata()?.len() != size {
        return Err(Error::other(CHANGED));
    }
    Ok(())
}

/// Files of this size are read without a look at the memory of the machine.
const SMALL: u64 = 64 << 20;

/// Makes room for `size` bytes in all. More than the machine can hold is an error.
pub fn reserve(bytes: &mut Vec<u8>, size: u64) -> Result<()> {
    if size > SMALL
        && let Some(memory) = machine::total_memory()
        && size > memory
    {
        let message = format!("it has {} MiB, and this machine has {} MiB of memory", size >> 20, memory >> 20);
        return Err(Error::new(ErrorKind::FileTooLarge, message));
    }
    // One byte more, so that nothing is moved when a reader looks for the end.
    let room = (size as usize + 1).saturating_sub(bytes.len());
    bytes.try_reserve_exact(room).map_err(|_| ErrorKind::OutOfMemory.into())
}

/// The text of a regular file of at most `most` bytes. Bytes that are not UTF-8 are an error of kind `InvalidData`.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    String::from_utf8(read_bytes(path, most)?).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        Error::new(ErrorKind::InvalidData, format!("not UTF-8 text (at byte {at})"))
    })
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
