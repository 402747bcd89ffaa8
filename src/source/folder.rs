//! A folder that this process writes into, such as a run folder.
//!
//! The folder is opened once, and every file in it is reached from there, one part of the name after the other, without following links.
//! So a link that a stranger has left in the folder leads nowhere, and a folder that is renamed or replaced while it is in use is noticed
//! before the next write. Where a system has no such handles (Windows), links are looked for before each write instead.

use std::fs::{File, TryLockError};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

#[cfg(not(unix))]
use super::held_other::{Handle, Identity};
#[cfg(unix)]
use super::held_unix::{Handle, Identity};

/// How the names of temporary files and folders begin, so that those of killed processes can be recognised.
pub const TEMPORARY: &str = ".mtlc-";

/// The file that tells which process works in a folder.
pub const LOCK: &str = "run.lock";

/// A folder that can no longer be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the folder `{}` {}", folder.display(), how.words())]
pub struct Lost {
    pub folder: PathBuf,
    pub how: Loss,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Or another folder is in its place.
    Renamed,
    Removed,
    /// The lock file is not the one that this process has locked.
    Taken,
}

impl Loss {
    fn words(self) -> &'static str {
        match self {
            Loss::Renamed => "was renamed or replaced while it was in use",
            Loss::Removed => "was removed while it was in use",
            Loss::Taken => "may be used by another process: its `run.lock` was removed or replaced",
        }
    }
}

impl Lost {
    /// The error, if it is one of these.
    pub fn of(error: &Error) -> Option<&Lost> {
        error.get_ref()?.downcast_ref()
    }
}

/// The error for an entry that is not a file or a folder: what it leads to is not ours to change.
pub(super) fn stranger(name: &str, what: &str) -> Error {
    let message = format!("`{name}` is {what}, and only files in the folder itself are written: remove it");
    Error::new(ErrorKind::InvalidInput, message)
}

/// A folder that is held open. Clones share the handle.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    held: Arc<Held>,
}

#[derive(Debug)]
struct Held {
    handle: Handle,
    /// The lock file that this process has taken.
    lock: OnceLock<Identity>,
    /// Whether the folder is known to be elsewhere and is still written to.
    followed: AtomicBool,
}

/// A folder that is taken for this process until this is dropped. The file contains the number of the process. Systems without locks on
/// files do without.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

impl Folder {
    /// Opens a folder that exists. A link to a folder is followed here: the user has named it.
    pub fn open(path: &Path) -> Result<Folder> {
        Ok(Folder::of(path.to_path_buf(), Handle::open(path)?))
    }

    fn of(path: PathBuf, handle: Handle) -> Folder {
        let held = Held { handle, lock: OnceLock::new(), followed: AtomicBool::new(false) };
        Folder { path, held: Arc::new(held) }
    }

    /// The same folder after it was renamed to `path`.
    pub fn renamed(self, path: &Path) -> Folder {
        Folder { path: path.to_path_buf(), ..self }
    }

    /// A folder in this one, which exists.
    pub fn inside(&self, name: &str) -> Result<Folder> {
        let handle = self.held.handle.walk(&parts(name)?, false)?;
        Ok(Folder::of(self.path.join(name), handle))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Fails if the folder is no longer the one that was opened, or if another process may have taken it.
    pub fn check(&self) -> Result<()> {
        let Held { handle, lock, followed } = &*self.held;
        let how = if followed.load(Ordering::Relaxed) || handle.is_at(&self.path) {
            match lock.get() {
                Some(mine) if !handle.has(LOCK, mine) => Loss::Taken,
                _ => return Ok(()),
            }
        } else if handle.is_removed() {
            Loss::Removed
        } else {
            Loss::Renamed
        };
        Err(Error::other(Lost { folder: self.path.clone(), how }))
    }

    /// From now on writes to the folder wherever it has been renamed to, so that it can be closed properly.
    pub fn follow(&self) {
        self.held.followed.store(true, Ordering::Relaxed);
    }

    /// Takes the folder for this process. The error of kind `WouldBlock` is the number of the process that has it, if it is known.
    pub fn lock(&self) -> Result<Lock> {
        let mut file = self.append(LOCK)?;
        match file.try_lock() {
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut holder);
                return Err(Error::new(ErrorKind::WouldBlock, holder.trim().to_string()));
            }
        }
        let _ = self.held.lock.set(Identity::of(&file)?);
        // Another process may have removed the file before this one took it.
        self.check()?;
        let _ = file.set_len(0);
        let _ = writeln!(file, "{}", std::process::id());
        Ok(Lock { file })
    }

    /// Lets `fill` write a temporary file, then puts it in the place of `name`: a file is the old one or the new one. Both the file and its
    /// name are on the disk when this returns. Folders of the name are made.
    pub fn write(&self, name: &str, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        self.within(|| {
            let (at, last) = self.parent(name, true)?;
            at.replace(&last, fill)
        })
    }

    /// Opens a file whose end is added to, or makes it. A file that has other names too is refused: it is changed in its place.
    pub fn append(&self, name: &str) -> Result<File> {
        self.within(|| {
            let (at, last) = self.parent(name, true)?;
            at.append(&last)
        })
    }

    /// Makes a folder, and those of its name that are missing.
    pub fn make(&self, name: &str) -> Result<()> {
        self.within(|| self.held.handle.walk(&parts(name)?, true).map(drop))
    }

    /// The names of the files in a folder in this one, in no order; none if there is no such folder.
    pub fn files(&self, below: &str) -> Vec<String> {
        let of = |at: Handle| at.entries().unwrap_or_default().into_iter();
        let all = parts(below).and_then(|p| self.held.handle.walk(&p, false));
        all.map_or_else(|_| Vec::new(), |at| of(at).filter(|(_, k)| *k == Kind::File).map(|(n, _)| n).collect())
    }

    pub fn remove(&self, name: &str) -> Result<()> {
        self.within(|| {
            let (at, last) = self.parent(name, false)?;
            at.remove(&last, Kind::File)
        })
    }

    /// Removes an empty folder in this one.
    pub fn remove_empty(&self, name: &str) -> Result<()> {
        self.within(|| {
            let (at, last) = self.parent(name, false)?;
            at.remove(&last, Kind::Folder)
        })
    }

    /// Removes a folder in this one with all that it contains. Links in it are removed, not followed.
    pub fn remove_all(&self, name: &str) -> Result<()> {
        self.within(|| {
            let (at, last) = self.parent(name, false)?;
            at.walk(&[&last], false)?.clear()?;
            at.remove(&last, Kind::Folder)
        })
    }

    /// Removes the temporary files and folders of killed processes here and in the folders below. Only the process that has locked the
    /// folder may do this. A folder that another process has locked is kept.
    pub fn tidy(&self) {
        if self.check().is_ok() {
            sweep(&self.held.handle, 4);
        }
    }

    /// Removes the temporary folders of killed processes in a folder that belongs to the user. A folder is one of these if it has a lock
    /// file that no process holds.
    pub fn remove_abandoned(&self) {
        for name in self.held.handle.names(TEMPORARY).unwrap_or_default() {
            if let Ok(inner) = self.held.handle.walk(&[&name], false)
                && inner.kind(LOCK).is_ok_and(|k| k == Some(Kind::File))
            {
                remove_unless_held(&self.held.handle, &name, &inner);
            }
        }
    }

    /// Does something in the folder while it is ours. If it fails because the folder is lost meanwhile, the error says so.
    fn within<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        self.check()?;
        act().map_err(|e| self.check().err().unwrap_or(e))
    }

    /// The folder in which a name lies, and its last part.
    fn parent(&self, name: &str, make: bool) -> Result<(Handle, String)> {
        let parts = parts(name)?;
        let (last, folders) = parts.split_last().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.held.handle.walk(folders, make)?, last.to_string()))
    }
}

fn sweep(at: &Handle, depth: usize) {
    for (name, kind) in at.entries().unwrap_or_default() {
        let temporary = name.starts_with(TEMPORARY);
        match kind {
            Kind::File if temporary => drop(at.remove(&name, Kind::File)),
            Kind::Folder if depth > 0 => match at.walk(&[&name], false) {
                Ok(inner) if temporary => remove_unless_held(at, &name, &inner),
                Ok(inner) if !is_held(&inner) => sweep(&inner, depth - 1),
                _ => {}
            },
            _ => {}
        }
    }
}

/// Removes a temporary folder, unless a process has locked it. One that stays costs space and no more.
fn remove_unless_held(at: &Handle, name: &str, inner: &Handle) {
    if !is_held(inner) && inner.clear().is_ok() {
        let _ = at.remove(name, Kind::Folder);
    }
}

/// Whether another process has locked a folder.
fn is_held(inner: &Handle) -> bool {
    let lock = inner.kind(LOCK).is_ok_and(|k| k == Some(Kind::File)).then(|| inner.append(LOCK));
    lock.is_some_and(|f| f.is_ok_and(|f| matches!(f.try_lock(), Err(TryLockError::WouldBlock))))
}

/// The parts of a name in a folder. A name that leads out of it is refused.
fn parts(name: &str) -> Result<Vec<&str>> {
    if !Path::new(name).components().all(|c| matches!(c, Component::Normal(_))) {
        return Err(Error::new(ErrorKind::InvalidInput, "the name leads out of the folder"));
    }
    Ok(name.split('/').filter(|p| !p.is_empty()).collect())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    /// A pipe, a socket or a device.
    Other,
}

impl Kind {
    /// The error for an entry of this kind where a file is to be written.
    pub(super) fn refused(self, name: &str) -> Error {
        if self == Kind::Folder { ErrorKind::IsADirectory.into() } else { stranger(name, self.words()) }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::File => "a file",
            Kind::Folder => "a folder",
            Kind::Link => "a link",
            Kind::Other => "a pipe or a device",
        }
    }
}

/// A name for a temporary file. Nobody can predict it; a name that exists is not used.
pub(super) fn temporary_name() -> String {
    use std::hash::{BuildHasher, Hasher};
    let random = std::hash::RandomState::new().build_hasher().finish();
    format!("{TEMPORARY}{:012x}", random & 0xffff_ffff_ffff)
}
