//! A folder by its path, on systems without handles of folders. Links are looked for before each step.

use std::fs::File;
use std::io::{ErrorKind, Result};
use std::path::{Path, PathBuf};

use super::folder::{Kind, temporary_name};

#[derive(Debug)]
pub struct Handle(PathBuf);

/// Files have no number here that could be compared.
#[derive(Debug)]
pub struct Identity;

impl Identity {
    pub fn of(_: &File) -> Result<Identity> {
        Ok(Identity)
    }
}

impl Handle {
    pub fn open(path: &Path) -> Result<Handle> {
        match path.is_dir() {
            true => Ok(Handle(path.to_path_buf())),
            false => Err(ErrorKind::NotADirectory.into()),
        }
    }

    /// A folder with an open file, such as the lock, cannot be renamed here.
    pub fn is_at(&self, path: &Path) -> bool {
        path.is_dir()
    }

    pub fn is_removed(&self) -> bool {
        !self.0.exists()
    }

    pub fn has(&self, name: &str, _: &Identity) -> bool {
        matches!(self.kind(name), Ok(Some(Kind::File)))
    }

    pub fn kind(&self, name: &str) -> Result<Option<Kind>> {
        match std::fs::symlink_metadata(self.0.join(name)) {
            Ok(m) if m.is_symlink() => Ok(Some(Kind::Link)),
            Ok(m) if m.is_dir() => Ok(Some(Kind::Folder)),
            Ok(m) if m.is_file() => Ok(Some(Kind::File)),
            Ok(_) => Ok(Some(Kind::Other)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub fn walk(&self, parts: &[&str], make: bool) -> Result<Handle> {
        let mut at = self.0.clone();
        for part in parts {
            match Handle(at.clone()).kind(part)? {
                Some(Kind::Folder) => {}
                None if make => std::fs::create_dir(at.join(part))?,
                None => return Err(ErrorKind::NotFound.into()),
                Some(Kind::File) => return Err(ErrorKind::NotADirectory.into()),
                Some(kind) => return Err(kind.refused(part)),
            }
            at.push(part);
        }
        Ok(Handle(at))
    }

    pub fn replace(&self, name: &str, fill: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
        if let Some(kind) = self.kind(name)?.filter(|k| *k != Kind::File) {
            return Err(kind.refused(name));
        }
        let temporary = self.0.join(temporary_name());
        let mut file = File::options().read(true).write(true).create_new(true).open(&temporary)?;
        let whole = fill(&mut file).and_then(|()| file.sync_all());
        drop(file);
        let placed = whole.and_then(|()| std::fs::rename(&temporary, self.0.join(name)));
        if placed.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        placed
    }

    pub fn append(&self, name: &str) -> Result<File> {
        match self.kind(name)? {
            None | Some(Kind::File) => {
                File::options().read(true).write(true).create(true).truncate(false).open(self.0.join(name))
            }
            Some(kind) => Err(kind.refused(name)),
        }
    }

    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let mut out = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            out.push(entry?.file_name().to_string_lossy().into_owned());
        }
        out.retain(|name| name.starts_with(prefix));
        Ok(out)
    }

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
        match kind {
            Kind::Folder => std::fs::remove_dir(self.0.join(name)),
            _ => std::fs::remove_file(self.0.join(name)),
        }
    }

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
