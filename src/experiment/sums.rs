//! `SHA256SUMS` of a finished run, in the format of `sha256sum`: `sha256sum -c SHA256SUMS` in the folder reads it too.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::RunFolder;
use crate::runtime::seal::hex;
use crate::runtime::{RunError, checkpoint};
use crate::source::{machine, open_regular, read_text};

pub const FILE: &str = "SHA256SUMS";

/// No file of a run is larger, except weights.
const LARGEST: u64 = 1 << 30;

/// Files that change after the checksums are written.
const LEFT_OUT: [&str; 3] = [FILE, "run.json", "run.lock"];

/// Writes the checksums of all files of the folder except those with the status of the run. Returns the checksum of the list itself.
pub fn write(folder: &RunFolder) -> Result<String, RunError> {
    let mut text = String::new();
    for name in files(&folder.path)? {
        if let Some(sum) = sum(&folder.path.join(&name))? {
            text += &format!("{sum}  {name}\n");
        }
    }
    folder.write(FILE, &text)?;
    Ok(hex(&Sha256::digest(text.as_bytes())))
}

/// How the files of a folder stand to its sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// The checksum of the list itself.
    pub own: String,
    pub same: usize,
    pub changed: Vec<String>,
    pub missing: Vec<String>,
    /// Files that came later; the sums say nothing of them.
    pub unlisted: Vec<String>,
}

/// Compares a folder with its sums; `None` if it has none.
pub fn compare(folder: &RunFolder) -> Result<Option<Compared>, RunError> {
    let path = folder.path.join(FILE);
    let text = match read_text(&path, LARGEST) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(RunError::io(&path, e)),
    };
    let mut listed: BTreeMap<&str, &str> = BTreeMap::new();
    for (i, line) in text.lines().enumerate() {
        let read = line.split_once("  ").filter(|(sum, name)| sum.len() == 64 && is_inside(name));
        let Some((sum, name)) = read else {
            return Err(RunError::Checkpoint(format!(
                "line {} of `{}` is no sum and file name of this folder",
                i + 1,
                path.display()
            )));
        };
        listed.insert(name, sum);
    }
    let mut out = Compared { own: hex(&Sha256::digest(text.as_bytes())), ..Compared::default() };
    for (name, want) in &listed {
        let at = folder.path.join(name);
        if !at.is_file() {
            out.missing.push(name.to_string());
        } else if sum(&at)?.as_deref() == Some(*want) {
            out.same += 1;
        } else {
            out.changed.push(name.to_string());
        }
    }
    out.unlisted = files(&folder.path)?.into_iter().filter(|f| !listed.contains_key(f.as_str())).collect();
    Ok(Some(out))
}

/// A name that leads out of the folder is none of a run's.
fn is_inside(name: &str) -> bool {
    use std::path::Component::Normal;
    !name.is_empty() && Path::new(name).components().all(|c| matches!(c, Normal(_)))
}

/// All files in the folder and its subfolders that have a checksum, sorted, with `/` between the parts of a path.
fn files(folder: &Path) -> Result<Vec<String>, RunError> {
    let mut out = all(folder)?;
    out.retain(|name| !LEFT_OUT.contains(&name.as_str()));
    Ok(out)
}

/// All files in the folder and its subfolders, sorted.
pub fn all(folder: &Path) -> Result<Vec<String>, RunError> {
    entries(folder, |kind| kind.is_file())
}

/// Links, devices and other entries that are neither files nor folders, sorted.
pub fn neither_file_nor_folder(folder: &Path) -> Result<Vec<String>, RunError> {
    entries(folder, |kind| !kind.is_file())
}

fn entries(folder: &Path, wanted: impl Fn(std::fs::FileType) -> bool) -> Result<Vec<String>, RunError> {
    let mut out = Vec::new();
    let mut stack = vec![(folder.to_path_buf(), String::new())];
    while let Some((at, prefix)) = stack.pop() {
        let entries = std::fs::read_dir(&at).map_err(|e| RunError::io(&at, e))?;
        for entry in entries {
            let entry = entry.map_err(|e| RunError::io(&at, e))?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().map_err(|e| RunError::io(&entry.path(), e))?;
            if kind.is_dir() {
                stack.push((entry.path(), format!("{name}/")));
            } else if wanted(kind) {
                out.push(name);
            }
        }
    }
    out.sort();
    Ok(out)
}

/// The checksum of a file. A file that is longer than any of its kind is not read: it has none.
fn sum(path: &Path) -> Result<Option<String>, RunError> {
    let hashed = || -> std::io::Result<Option<String>> {
        let file = open_regular(path)?;
        let size = file.metadata()?.len();
        let most = match path.extension().is_some_and(|e| e == "safetensors") {
            true => checkpoint::claimed_length(path)?.unwrap_or(LARGEST),
            false => LARGEST,
        };
        if size > most || machine::total_memory().is_some_and(|m| size > m) {
            return Ok(None);
        }
        let mut hash = Sha256::new();
        std::io::copy(&mut file.take(size + 1), &mut hash)?;
        Ok(Some(hex(&hash.finalize())))
    };
    hashed().map_err(|e| RunError::io(path, e))
}
