//! Files that are written whole or not at all: to a temporary file beside, then renamed. A reader, or a crash, never sees half a
//! file.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use crate::source::{TEMPORARY, temporary_file};

/// Replaces the file at `path`, keeping its permissions.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    // A link stays a link: what it points to is replaced.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if let Ok(there) = std::fs::metadata(&real)
        && !there.is_file()
    {
        // A device or a pipe is written to, never put aside for a file: `-o /dev/stdout`. A folder says that it is one.
        let written =
            std::fs::OpenOptions::new().write(true).open(&real).and_then(|mut f| f.write_all(text.as_bytes()));
        return written.map_err(|e| Failure::io("write", path, &e));
    }
    let made = temporary(&real, text).and_then(|file| {
        if let Ok(old) = std::fs::metadata(&real) {
            std::fs::set_permissions(file.path(), old.permissions())?;
        }
        file.persist(&real).map(drop).map_err(|e| e.error)
    });
    made.map_err(|e| Failure::io("write", path, &e))
}

/// Writes a new file; an existing one is a failure.
pub fn create(path: &Path, text: &str) -> Result<(), Failure> {
    let made = temporary(path, text).and_then(|file| file.persist_noclobber(path).map(drop).map_err(|e| e.error));
    made.map_err(|e| Failure::io("write", path, &e))
}

fn temporary(path: &Path, text: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let mut file = temporary_file(TEMPORARY, 0o666, |b| b.tempfile_in(folder(path)))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// A new file that grows beside its place and comes there when it is whole; dropped, it leaves nothing.
pub struct Pending {
    path: PathBuf,
    file: tempfile::NamedTempFile,
    replace: bool,
}

impl Pending {
    /// Refuses an existing file unless it may be replaced, before any work is done.
    pub fn new(path: &Path, replace: bool) -> Result<Pending, Failure> {
        if path.is_dir() {
            return Err(Failure::new(Exit::Failure, format!("`{}` is a folder", path.display())).help("name a file"));
        }
        if path.exists() && !replace {
            return Err(exists(path));
        }
        let folder = folder(path);
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("create", folder, &e))?;
        let file = temporary_file(TEMPORARY, 0o666, |b| b.tempfile_in(folder));
        let file = file.map_err(|e| Failure::io("write", path, &e))?;
        Ok(Pending { path: path.to_path_buf(), file, replace })
    }

    pub fn folder(&self) -> &Path {
        folder(&self.path)
    }

    /// What is written goes here.
    pub fn stream(&self) -> Result<std::fs::File, Failure> {
        self.file.reopen().map_err(|e| Failure::io("write", &self.path, &e))
    }

    pub fn failed(&self, e: &std::io::Error) -> Failure {
        Failure::io("write", &self.path, e)
    }

    pub fn commit(self) -> Result<(), Failure> {
        let Pending { path, file, replace } = self;
        let made = file.as_file().sync_all();
        made.map_err(|e| Failure::io("write", &path, &e))?;
        let placed = match replace {
            true => file.persist(&path),
            false => file.persist_noclobber(&path),
        };
        match placed {
            Ok(_) => Ok(()),
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => Err(exists(&path)),
            Err(e) => Err(Failure::io("write", &path, &e.error)),
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn exists(path: &Path) -> Failure {
    Failure::new(Exit::Failure, format!("`{}` exists already", path.display()))
        .help("nothing was written; name another file with `-o`, or replace it with `--force`")
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    /// As readable as any other file of the user's, replaced or new.
    #[test]
    fn new_files_have_the_usual_permissions() {
        let place = tempfile::tempdir().expect("a folder");
        let mode = |name: &str| std::fs::metadata(place.path().join(name)).expect("it is there").permissions().mode();
        std::fs::write(place.path().join("plain"), "").expect("written");
        super::create(&place.path().join("created"), "a").expect("written");
        super::replace(&place.path().join("replaced"), "a").expect("written");
        let pending = super::Pending::new(&place.path().join("pending"), false).expect("a file");
        pending.commit().expect("written");
        for name in ["created", "replaced", "pending"] {
            assert_eq!(mode(name), mode("plain"), "{name}");
        }
    }
}
