//! Large vocabularies in a file next to the program. A program of more than 16 MiB is refused, and one with half a million ids is hard
//! to read. The name of the file contains its digest, so files with different contents never have the same name:
//!
//! ```text
//! mtl vocabulary 1
//! column user 450000
//! 12 a7f3
//! 9 b112
//! ...
//! ```
//!
//! Each text has a line with its count in the training split, a space, and the text, in which backslashes and line ends are escaped.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{escaped, in_order, lines, unescaped};
use crate::data::files::hex;
use crate::data::freeze::{ColumnFacts, Facts, Schema};
use crate::source::{TEMPORARY, read_bytes, temporary_file};

/// If all vocabularies of a data set together have more bytes than this, the large ones are stored in a file.
const INLINE: usize = 256 << 10;

/// A vocabulary of at most this many bytes is always stored in the program.
const SMALL: usize = 1 << 10;

/// No vocabulary file is larger.
const MOST: u64 = 1 << 30;

const FIRST: &str = "mtl vocabulary 1";

/// A file that belongs to a program and is stored next to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    pub name: String,
    pub sha256: String,
    pub text: String,
}

/// For each column, whether its vocabulary is stored in a file.
pub fn external(columns: &[ColumnFacts]) -> Vec<bool> {
    let size = |c: &ColumnFacts| match &c.facts {
        Facts::Category { values } => values.iter().map(|(v, _)| v.len() + 8).sum(),
        _ => 0,
    };
    let sizes: Vec<usize> = columns.iter().map(size).collect();
    let many = sizes.iter().sum::<usize>() > INLINE;
    sizes.into_iter().map(|s| many && s > SMALL).collect()
}

impl Schema {
    /// The file of the large vocabularies, if there are any. `name` is the name of the data set.
    pub fn sidecar(&self, name: &str) -> Option<Sidecar> {
        let out = external(&self.columns);
        let mut text = String::new();
        for (c, _) in self.columns.iter().zip(out).filter(|(_, out)| *out) {
            let Facts::Category { values } = &c.facts else { continue };
            text += &format!("column {} {}\n{}", escaped(&c.name), values.len(), lines(values));
        }
        if text.is_empty() {
            return None;
        }
        let text = format!("{FIRST}\n{text}");
        let sha256 = hex(&Sha256::digest(text.as_bytes()));
        let stem: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).take(40).collect();
        Some(Sidecar { name: format!("{stem}.{}.vocab", &sha256[..12]), sha256, text })
    }
}

impl Sidecar {
    /// Writes the file into a folder, completely or not at all. An existing file of that name is kept; different contents are an error.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let path = folder.join(&self.name);
        if path.symlink_metadata().is_ok() {
            return match read_bytes(&path, MOST) {
                Ok(there) if there == self.text.as_bytes() => Ok(()),
                Ok(_) => Err(std::io::Error::new(
                    std::io::ErrorKind::AlreadyExists,
                    format!("`{}` does not have the contents that its name implies: move it away", path.display()),
                )),
                Err(e) => Err(e),
            };
        }
        let mut file = temporary_file(TEMPORARY, 0o666, |b| b.tempfile_in(folder))?;
        file.write_all(self.text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            // Another process has written the file in the meantime.
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => match read_bytes(&path, MOST)? {
                there if there == self.text.as_bytes() => Ok(()),
                _ => Err(e.error),
            },
            Err(e) => Err(e.error),
        }
    }
}

/// The vocabularies of a file, by column.
#[derive(Debug, Default)]
pub struct Shelf {
    columns: HashMap<String, Vec<(String, usize)>>,
}

impl Shelf {
    /// Reads a file; the error describes what is wrong with it.
    pub fn read(text: &str, sha256: &str) -> Result<Shelf, String> {
        if hex(&Sha256::digest(text.as_bytes())) != sha256 {
            return Err("it is not the file that was written with this program: its sha256 differs".into());
        }
        // The digest matches, so parsing fails only if somebody wrote the digest by hand.
        Shelf::parse(text).ok_or_else(|| "it is not a vocabulary file".into())
    }

    fn parse(text: &str) -> Option<Shelf> {
        let mut lines = text.split_terminator('\n');
        if lines.next()? != FIRST {
            return None;
        }
        let mut columns = HashMap::new();
        while let Some(head) = lines.next() {
            let (name, n) = head.strip_prefix("column ")?.rsplit_once(' ')?;
            let n: usize = n.parse().ok()?;
            let one = |line: &str| {
                let (count, value) = line.split_once(' ')?;
                Some((unescaped(value)?, count.parse().ok()?))
            };
            let values: Vec<(String, usize)> = lines.by_ref().take(n).map(one).collect::<Option<_>>()?;
            if values.len() != n || !in_order(&values) || columns.insert(unescaped(name)?, values).is_some() {
                return None;
            }
        }
        Some(Shelf { columns })
    }

    pub fn take(&mut self, column: &str) -> Option<Vec<(String, usize)>> {
        self.columns.remove(column)
    }
}
