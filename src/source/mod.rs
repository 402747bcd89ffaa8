//! Source files, byte spans, and the way from a byte offset to a line and a column. How any file is opened, and how a folder is
//! written: [`open_regular`] and [`Folder`] are the only doors.
//!
//! Everything that points into a user's text does it with a [`Span`]: a file id and a byte range. Spans stand
//! beside values and never take part in equality of meaning. Nothing in this room knows the language.

mod disk;
mod folder;
#[cfg(not(unix))]
mod held_other;
#[cfg(unix)]
mod held_unix;
pub mod json;
mod limits;
pub mod machine;

pub use disk::{CHANGED, NOT_REGULAR, open_regular, programs, read_bytes, read_rest, read_text, reserve};
pub use folder::{Folder, LOCK, Lock, Loss, Lost, TEMPORARY};

use std::path::{Path, PathBuf};

/// Index of a file in a [`SourceMap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A half-open byte range in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub file: FileId,
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(file: FileId, start: usize, end: usize) -> Span {
        Span { file, start: start as u32, end: end as u32 }
    }

    /// The smallest span that covers both; the file is the first one's.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}

/// A value with the place it came from. Equality looks at the value only.
#[derive(Debug, Clone)]
pub struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A position for people: line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineCol {
    pub line: usize,
    pub column: usize,
}

/// One text with its name.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The name shown to people: the path as given, or `std/NAME.mtl` for the standard library.
    pub name: String,
    /// Where it was read from; `None` for embedded or in-memory text.
    pub path: Option<PathBuf>,
    pub text: String,
    line_starts: Vec<u32>,
    /// Characters before each block of bytes: columns of a long line are not counted from its start each time.
    characters: Vec<u32>,
}

/// Bytes of a block whose characters are counted once.
const BLOCK: usize = 1024;

impl SourceFile {
    pub fn new(name: String, path: Option<PathBuf>, text: String) -> SourceFile {
        let mut line_starts = vec![0];
        line_starts.extend(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i as u32 + 1));
        let mut characters = vec![0];
        for block in text.as_bytes().chunks(BLOCK) {
            characters.push(characters[characters.len() - 1] + starts(block) as u32);
        }
        SourceFile { name, path, text, line_starts, characters }
    }

    /// Line and column (characters, from 1) of a byte offset; an offset past the end gives the end.
    pub fn line_col(&self, offset: u32) -> LineCol {
        let (line, start) = self.line_of(offset);
        LineCol {
            line: line + 1,
            column: self.characters_before(self.clamp(offset)) - self.characters_before(start) + 1,
        }
    }

    /// Characters of the text before a byte offset.
    fn characters_before(&self, offset: usize) -> usize {
        let block = offset / BLOCK;
        self.characters[block] as usize + starts(&self.text.as_bytes()[block * BLOCK..offset])
    }

    /// Line and column counted from 0, the column in UTF-16 units, as editors ask for.
    pub fn utf16_position(&self, offset: u32) -> (usize, usize) {
        let (line, start) = self.line_of(offset);
        (line, self.text[start..self.clamp(offset)].encode_utf16().count())
    }

    /// Byte range of a line (counted from 0) without its line end.
    pub fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.line_starts.get(line).map_or(self.text.len(), |s| *s as usize);
        let end = self.line_starts.get(line + 1).map_or(self.text.len(), |s| *s as usize - 1);
        start..end.max(start)
    }

    fn line_of(&self, offset: u32) -> (usize, usize) {
        let line = self.line_starts.partition_point(|s| *s <= offset) - 1;
        (line, self.line_starts[line] as usize)
    }

    fn clamp(&self, offset: u32) -> usize {
        let mut at = (offset as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Bytes that begin a character.
fn starts(bytes: &[u8]) -> usize {
    bytes.iter().filter(|b| **b & 0xc0 != 0x80).count()
}

/// All files of one compilation, the standard library's included.
#[derive(Debug, Clone, Default)]
pub struct SourceMap {
    files: Vec<SourceFile>,
}

impl SourceMap {
    pub fn add(&mut self, name: impl Into<String>, path: Option<&Path>, text: impl Into<String>) -> FileId {
        self.files.push(SourceFile::new(name.into(), path.map(Path::to_path_buf), text.into()));
        FileId(self.files.len() as u32 - 1)
    }

    pub fn file(&self, id: FileId) -> &SourceFile {
        &self.files[id.0 as usize]
    }

    /// The file of that id, if this map has it: for readers that must take any span, such as the renderers.
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        self.files.get(id.0 as usize)
    }

    pub fn files(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        self.files.iter().enumerate().map(|(i, f)| (FileId(i as u32), f))
    }

    pub fn text(&self, span: Span) -> &str {
        &self.file(span.file).text[span.range()]
    }

    pub fn line_col(&self, span: Span) -> LineCol {
        self.file(span.file).line_col(span.start)
    }
}

/// A path with `.` and `..` folded, so that two spellings of one file are one.
pub fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// A temporary file or folder that will come into the place of the user's own: `mode` less what the user masks, where there are
/// such modes. By itself it would be private.
pub fn temporary_file<T>(
    prefix: &str,
    mode: u32,
    make: impl FnOnce(&tempfile::Builder) -> std::io::Result<T>,
) -> std::io::Result<T> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    let _ = mode;
    make(&builder)
}
