//! Reading files: relative to the spec, compressed or not, with the facts that a schema records.

use std::io::Read;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{DataError, FileFact, LoadContext};
use crate::source::read_bytes;

/// A file's contents, decompressed if it is gzip (by its first bytes, not its name), with its path for messages.
pub struct Opened {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub fact: FileFact,
}

/// Reads `written`, which is relative to the spec's folder.
pub fn open(written: &str, context: &LoadContext) -> Result<Opened, DataError> {
    let path = resolve(written, context.base);
    let stored = read_bytes(&path, u64::MAX).map_err(|e| DataError::read(&path, e))?;
    let fact =
        FileFact { path: written.to_string(), sha256: hex(&Sha256::digest(&stored)), bytes: stored.len() as u64 };
    let bytes = if stored.starts_with(&[0x1f, 0x8b]) {
        let most = unpacked(stored.len());
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(stored.as_slice())
            .take(most as u64 + 1)
            .read_to_end(&mut plain)
            .map_err(|e| DataError::read(&path, e))?;
        if plain.len() > most {
            return Err(DataError::Bomb { path, stored: stored.len(), most });
        }
        plain
    } else {
        stored
    };
    Ok(Opened { path, bytes, fact })
}

/// What a packed file of so many bytes may unpack to. Tables and images shrink to a tenth or a fiftieth; what shrinks to less was
/// made to fill the memory of whoever unpacks it.
pub fn unpacked(stored: usize) -> usize {
    (64 << 20) + stored.saturating_mul(100)
}

/// Whether the file, or the same name with `.gz`, exists; gives the name that does.
pub fn either(written: &str, context: &LoadContext) -> String {
    let zipped = format!("{written}.gz");
    let there = |w: &str| resolve(w, context.base).is_file();
    if !there(written) && there(&zipped) { zipped } else { written.to_string() }
}

/// The path as a user would write it: `parts/../data` is `data`, unless `parts` is a link and leads elsewhere.
fn resolve(written: &str, base: &Path) -> PathBuf {
    let (mut base, mut rest) = (base, Path::new(written));
    while let (Some(Component::Normal(_)), Ok(shorter)) = (base.components().next_back(), rest.strip_prefix(".."))
        && !base.is_symlink()
        && let Some(parent) = base.parent()
    {
        (base, rest) = (parent, shorter);
    }
    base.join(rest)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_left_again_is_not_named() {
        let folder = tempfile::tempdir().unwrap();
        let parts = folder.path().join("far").join("parts");
        std::fs::create_dir_all(&parts).unwrap();
        assert_eq!(resolve("../data/a.csv", Path::new("examples/parts")), Path::new("examples/data/a.csv"));
        assert_eq!(resolve("../../a.csv", Path::new("parts")), Path::new("../a.csv"));
        assert_eq!(resolve("../a.csv", Path::new("..")), Path::new("../../a.csv"));
        assert_eq!(resolve("a.csv", Path::new("parts")), Path::new("parts/a.csv"));
        #[cfg(unix)]
        {
            let link = folder.path().join("near");
            std::os::unix::fs::symlink(&parts, &link).unwrap();
            // Out of what the link points to, not out of where it stands.
            assert_eq!(resolve("../a.csv", &link), link.join("../a.csv"));
        }
    }
}
