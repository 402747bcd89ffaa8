//! `file:` URIs and paths.

use std::path::{Path, PathBuf};

/// The path of a `file:` URI; of any other (`untitled:...`) a path that no file has, so that the text still has a name.
pub(super) fn path(uri: &str) -> PathBuf {
    let Some(rest) = uri.strip_prefix("file://") else { return PathBuf::from(decode(uri).replace(['/', '\\'], "_")) };
    // `file://host/path`: the host is dropped where it is this one.
    let rest = rest.strip_prefix("localhost").unwrap_or(rest);
    let text = decode(rest);
    let drive = text.as_bytes();
    if cfg!(windows) && drive.len() > 2 && drive[0] == b'/' && drive[2] == b':' {
        return PathBuf::from(text[1..].replace('/', "\\"));
    }
    PathBuf::from(text)
}

pub(super) fn of(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "/");
    let lead = if text.starts_with('/') { "" } else { "/" };
    let mut out = format!("file://{lead}");
    for b in text.bytes() {
        match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => out.push(b as char),
            b':' if cfg!(windows) => out.push_str("%3A"),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.filter(|_| bytes[at] == b'%').and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(b) => {
                out.push(b);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn paths_come_back() {
        for p in ["/a/b.mtl", "/with blank/é #1%.mtl", "/日本/🙂.mtl"] {
            assert_eq!(path(&of(Path::new(p))), Path::new(p));
        }
        assert_eq!(path("file:///a%20b/c.mtl"), Path::new("/a b/c.mtl"));
        assert_eq!(path("file:///100%/c.mtl"), Path::new("/100%/c.mtl"));
    }
}
