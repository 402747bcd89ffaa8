//! Reading files: relative to the spec, compressed or not, with the facts that a schema records.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{DataError, FileFact, LoadContext, zip};
use crate::schema::{Args, Value};
use crate::source::{CHANGED, open_regular, reserve};

/// A file's contents, decompressed if it is gzip (by its first bytes, not its name), with its path for messages.
pub struct Opened {
    pub path: PathBuf,
    pub bytes: Vec<u8>,
    pub fact: FileFact,
}

/// The length that the first bytes of a file claim, before the rest is read.
pub enum Claim {
    /// The whole file has this many bytes, decompressed.
    Bytes(u64),
    /// A zip archive, whose directory is at its end.
    Archive,
    /// The header is wrong. Only the first bytes are read, and whoever parses them reports why.
    Wrong,
    /// The format does not say: at most this many bytes.
    AtMost(u64),
}

/// The first bytes of a file, in which every header fits.
const HEAD: u64 = 1 << 20;

/// Reads `written`, which is relative to the spec's folder. `claim` gives the length according to the header; a file that is longer is
/// refused before it is read. `expected` is the kind of file, for messages.
pub fn open(
    written: &str,
    context: &LoadContext,
    expected: &'static str,
    claim: impl FnOnce(&[u8]) -> Claim,
) -> Result<Opened, DataError> {
    let mut file = stream(written, context)?;
    let (path, size, packed) = (file.path.clone(), file.size, file.is_packed());
    let failed = |e: io::Error| Stream::failed(&path, size, e);
    let mut bytes = Vec::new();
    file.by_ref().take(HEAD).read_to_end(&mut bytes).map_err(failed)?;
    let more = "bytes follow after the last value";
    let (most, found) = match claim(&bytes) {
        Claim::Wrong => return Ok(Opened { fact: file.fact_so_far(), path, bytes }),
        Claim::Archive if packed => (u64::MAX - 1, String::new()),
        Claim::Archive => {
            zip::accounted(&path, size)?;
            (size, String::new())
        }
        Claim::Bytes(n) if packed => (n, more.into()),
        Claim::Bytes(n) => (n, format!("{} {more}", size.saturating_sub(n))),
        Claim::AtMost(n) => (n, format!("a file of more than {} MiB", n >> 20)),
    };
    if !packed {
        if size > most {
            return Err(DataError::Magic { path, expected, found });
        }
        reserve(&mut bytes, size).map_err(failed)?;
    }
    // One byte more tells that a packed file is longer.
    let rest = (most + 1).saturating_sub(bytes.len() as u64);
    file.by_ref().take(rest).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(DataError::Magic { path, expected, found });
    }
    Ok(Opened { fact: file.finish()?, path, bytes })
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
        let file = open_regular(&path)?;
        let size = file.metadata()?.len();
        Ok((file, size))
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

    /// The facts of the part that was read, for a file that is refused.
    fn fact_so_far(self) -> FileFact {
        FileFact { path: self.written, sha256: String::new(), bytes: self.size, contents: None }
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
