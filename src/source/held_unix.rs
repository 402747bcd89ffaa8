//! A folder by its handle: nothing here follows a link.

use std::fs::File;
use std::io::Result;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, openat, renameat, statat, unlinkat};

use super::folder::{Kind, stranger, temporary_name};

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const USUAL: Mode = Mode::from_raw_mode(0o666);

#[derive(Debug)]
pub struct Handle(OwnedFd);

/// Tells two files apart.
#[derive(Debug)]
pub struct Identity(Stat);

impl Identity {
    pub fn of(file: &File) -> Result<Identity> {
        Ok(Identity(fstat(file)?))
    }

    fn is(&self, other: &Stat) -> bool {
        (self.0.st_dev, self.0.st_ino) == (other.st_dev, other.st_ino)
    }
}

fn kind(stat: &Stat) -> Kind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Folder,
        FileType::Symlink => Kind::Link,
        _ => Kind::Other,
    }
}

impl Handle {
    pub fn open(path: &Path) -> Result<Handle> {
        Ok(Handle(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    /// Whether this folder is at that path now.
    pub fn is_at(&self, path: &Path) -> bool {
        let there = statat(CWD, path, AtFlags::empty());
        fstat(&self.0).is_ok_and(|mine| there.is_ok_and(|t| Identity(mine).is(&t)))
    }

    /// Whether the folder has no name any more.
    pub fn is_removed(&self) -> bool {
        fstat(&self.0).is_ok_and(|s| s.st_nlink == 0)
    }

    pub fn has(&self, name: &str, identity: &Identity) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok_and(|s| identity.is(&s))
    }

    /// What has that name, if anything does.
    pub fn kind(&self, name: &str) -> Result<Option<Kind>> {
        match statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(kind(&stat))),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// The folder at the end of these names.
    pub fn walk(&self, parts: &[&str], make: bool) -> Result<Handle> {
        let mut at = Handle(self.0.try_clone()?);
        for part in parts {
            at = at.step(part, make)?;
        }
        Ok(at)
    }

    fn step(&self, name: &str, make: bool) -> Result<Handle> {
        let open = || openat(&self.0, name, FOLDER | OFlags::NOFOLLOW, Mode::empty());
        let mut opened = open();
        if make && opened.as_ref().is_err_and(|e| *e == rustix::io::Errno::NOENT) {
            match mkdirat(&self.0, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(rustix::io::Errno::EXIST) => opened = open(),
                Err(e) => return Err(e.into()),
            }
        }
        match (opened, self.kind(name)) {
            (Ok(fd), _) => Ok(Handle(fd)),
            (Err(_), Ok(Some(kind @ (Kind::Link | Kind::Other)))) => Err(stranger(name, kind.words())),
            (Err(e), _) => Err(e.into()),
        }
    }

    pub fn replace(&self, name: &str, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        if let Some(kind) = self.kind(name)?.filter(|k| *k != Kind::File) {
            return Err(kind.refused(name));
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let (temporary, fd) = loop {
            let temporary = temporary_name();
            match openat(&self.0, &temporary, flags, USUAL) {
                Err(rustix::io::Errno::EXIST) => {}
                made => break (temporary, made?),
            }
        };
        let mut file = File::from(fd);
        let whole = fill(&mut file).and_then(|()| file.sync_all());
        let placed = whole.and_then(|()| Ok(renameat(&self.0, &temporary, &self.0, name)?));
        if placed.is_err() {
            let _ = unlinkat(&self.0, &temporary, AtFlags::empty());
        }
        placed?;
        // The name is in the folder, which is a file of its own; not every file system lets it be synced.
        let _ = rustix::fs::fsync(&self.0);
        Ok(())
    }

    pub fn append(&self, name: &str) -> Result<File> {
        // To open a device can already have an effect, so look first.
        if let Some(kind) = self.kind(name)?.filter(|k| *k != Kind::File) {
            return Err(kind.refused(name));
        }
        // A pipe may have taken the place of the file since.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(&self.0, name, flags, USUAL)?);
        let stat = fstat(&file)?;
        match kind(&stat) {
            Kind::File if stat.st_nlink > 1 => Err(stranger(name, "a file with another name elsewhere (a hard link)")),
            Kind::File => Ok(file),
            kind => Err(kind.refused(name)),
        }
    }

    /// The names of all entries that begin with `prefix`.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." && name.starts_with(prefix) {
                out.push(name);
            }
        }
        Ok(out)
    }

    /// The names and kinds of all entries.
    pub fn entries(&self) -> Result<Vec<(String, Kind)>> {
        let mut out = Vec::new();
        for name in self.names("")? {
            if let Some(kind) = self.kind(&name)? {
                out.push((name, kind));
            }
        }
        Ok(out)
    }

    pub fn remove(&self, name: &str, kind: Kind) -> Result<()> {
        let flags = if kind == Kind::Folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        Ok(unlinkat(&self.0, name, flags)?)
    }

    /// Removes all entries.
    pub fn clear(&self) -> Result<()> {
        for (name, kind) in self.entries()? {
            if kind == Kind::Folder {
                self.walk(&[&name], false)?.clear()?;
            }
            self.remove(&name, kind)?;
        }
        Ok(())
    }
}
