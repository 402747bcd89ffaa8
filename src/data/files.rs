//! Reading files: relative to the spec, compressed or not, with the facts that a schema records.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{DataError, FileFact, LoadContext};
use crate::schema::{Args, Value};
use crate::source::{CHANGED, NOT_REGULAR, read_bytes};

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
    let (sha256, length) = (hex(&Sha256::digest(&stored)), stored.len() as u64);
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
    let mut sum = flate2::Crc::new();
    sum.update(&bytes);
    let contents = Some((u64::from(sum.amount()), sum.sum()));
    let fact = FileFact { path: written.to_string(), sha256, bytes: length, contents };
    Ok(Opened { path, bytes, fact })
}

/// A regular file that is read from front to back, decompressed if it is gzip, and hashed while it is read.
pub struct Stream {
    pub path: PathBuf,
    /// The path as written in the spec.
    written: String,
    /// Bytes on disk.
    pub size: u64,
    input: Packing,
    unpacked: u64,
    /// Checksum of the decompressed contents that were read.
    contents: flate2::Crc,
}

enum Packing {
    Plain(Hashing),
    Gzip(Box<flate2::bufread::MultiGzDecoder<BufReader<Hashing>>>),
}

/// Hashes the bytes on disk.
struct Hashing {
    file: io::Chain<io::Cursor<Vec<u8>>, io::Take<File>>,
    sum: Sha256,
    bytes: u64,
}

impl Read for Hashing {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read(to)?;
        self.sum.update(&to[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// The error for a compressed file that unpacks to more than a file of its size may contain.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {0} bytes")]
struct Bomb(u64);

/// Opens the file `written`, a path relative to the spec's folder.
pub fn stream(written: &str, context: &LoadContext) -> Result<Stream, DataError> {
    let path = resolve(written, context.base);
    let open = || -> io::Result<(File, u64)> {
        let found = std::fs::metadata(&path)?;
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, NOT_REGULAR));
        }
        Ok((File::open(&path)?, found.len()))
    };
    let begin = |mut file: File, size: u64| -> io::Result<Packing> {
        let mut first = Vec::with_capacity(2);
        file.by_ref().take(2).read_to_end(&mut first)?;
        let zipped = first == [0x1f, 0x8b];
        // Read at most one byte more than the size, which shows whether the file has grown.
        let rest = file.take((size + 1).saturating_sub(first.len() as u64));
        let hashing = Hashing { file: io::Cursor::new(first).chain(rest), sum: Sha256::new(), bytes: 0 };
        Ok(match zipped {
            true => Packing::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(hashing)))),
            false => Packing::Plain(hashing),
        })
    };
    let (file, size) = open().map_err(|e| DataError::read(&path, e))?;
    let input = begin(file, size).map_err(|e| DataError::read(&path, e))?;
    Ok(Stream { path, written: written.to_string(), size, input, unpacked: 0, contents: flate2::Crc::new() })
}

impl Read for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let n = match &mut self.input {
            Packing::Plain(file) => file.read(to)?,
            Packing::Gzip(file) => file.read(to)?,
        };
        self.contents.update(&to[..n]);
        if !self.is_packed() {
            return Ok(n);
        }
        self.unpacked += n as u64;
        let most = unpacked(self.size as usize) as u64;
        if self.unpacked > most { Err(io::Error::other(Bomb(most))) } else { Ok(n) }
    }
}

impl Stream {
    /// Whether the file is compressed, so that the size of its text is unknown.
    pub fn is_packed(&self) -> bool {
        matches!(self.input, Packing::Gzip(_))
    }

    /// The error for a file that could not be read.
    pub fn failed(path: &Path, size: u64, e: io::Error) -> DataError {
        match e.downcast::<Bomb>() {
            Ok(Bomb(most)) => DataError::Bomb { path: path.into(), stored: size as usize, most: most as usize },
            Err(e) => DataError::read(path, e),
        }
    }

    /// The facts that a schema records about the file. Call this after the file was read to its end.
    pub fn finish(mut self) -> Result<FileFact, DataError> {
        let rest = io::copy(&mut self, &mut io::sink());
        rest.map_err(|e| Stream::failed(&self.path, self.size, e))?;
        let (path, size) = (self.path, self.size);
        // The count of bytes is modulo 2^32, which is enough together with the checksum.
        let contents = Some((u64::from(self.contents.amount()), self.contents.sum()));
        let hashing = match self.input {
            Packing::Plain(file) => file,
            Packing::Gzip(file) => file.into_inner().into_inner(),
        };
        if hashing.bytes != size {
            return Err(DataError::read(&path, io::Error::other(CHANGED)));
        }
        Ok(FileFact { path: self.written, sha256: hex(&hashing.sum.finalize()), bytes: hashing.bytes, contents })
    }
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

/// The path or paths in an attribute; empty if it is absent or not a path.
pub fn written(args: &Args, attribute: &str) -> Vec<String> {
    let text = |v: &Value| match v {
        Value::Path(p) | Value::Str(p) => Some(p.clone()),
        _ => None,
    };
    match args.get(attribute) {
        Some(Value::List(items)) => items.iter().map(|v| text(&v.value)).collect::<Option<_>>().unwrap_or_default(),
        Some(one) => text(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// The bytes as lower-case hexadecimal digits, as `sha256sum` writes them.
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
