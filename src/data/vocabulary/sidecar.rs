//! Large vocabularies as a file beside the program. A program of more than 16 MiB is refused, and one of half a million ids is no
//! text for people. The file's name holds its own digest, so two contents never have one name:
//!
//! ```text
//! mtl vocabulary 1
//! column user 450000
//! 12 a7f3
//! 9 b112
//! ...
//! ```
//!
//! A line for each text: its count in the training split, a blank, and the text, in which a backslash and line ends are escaped.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{escaped, hex, in_order, lines, unescaped};
use crate::data::freeze::{ColumnFacts, Facts, Schema};
use crate::source::temporary_file;

/// Bytes of all vocabularies of a data set from which on the large ones stand in a file.
const INLINE: usize = 256 << 10;

/// Bytes of a vocabulary that always stands in the program.
const SMALL: usize = 1 << 10;

const FIRST: &str = "mtl vocabulary 1";

/// A file that belongs beside a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sidecar {
    pub name: String,
    pub sha256: String,
    pub text: String,
}

/// Whether the columns' vocabularies stand in a file, by column.
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
    /// The file of its large vocabularies, if it has any. `name` is the data set's.
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
    /// Writes it into a folder, whole or not at all. What is there under its name stays: it is the same, or an error.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let path = folder.join(&self.name);
        if path.symlink_metadata().is_ok() {
            return match std::fs::read(&path) {
                Ok(there) if there == self.text.as_bytes() => Ok(()),
                Ok(_) => Err(std::io::Error::new(
                    std::io::ErrorKind::AlreadyExists,
                    format!("`{}` holds something else than its name says: move it away", path.display()),
                )),
                Err(e) => Err(e),
            };
        }
        let mut file = temporary_file(".mtlc-", 0o666, |b| b.tempfile_in(folder))?;
        file.write_all(self.text.as_bytes())?;
        file.as_file().sync_all()?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            // Another process was faster.
            Err(e) if e.error.kind() == std::io::ErrorKind::AlreadyExists => match std::fs::read(&path)? {
                there if there == self.text.as_bytes() => Ok(()),
                _ => Err(e.error),
            },
            Err(e) => Err(e.error),
        }
    }
}

/// The vocabularies of such a file, by column.
#[derive(Debug, Default)]
pub struct Shelf {
    columns: HashMap<String, Vec<(String, usize)>>,
}

impl Shelf {
    /// Reads a file; the error says what is wrong with it.
    pub fn read(text: &str, sha256: &str) -> Result<Shelf, String> {
        if hex(&Sha256::digest(text.as_bytes())) != sha256 {
            return Err("it is not the file that was written with this program: its sha256 is another".into());
        }
        // Of such a file the rest can only be wrong if somebody wrote digests by hand.
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
