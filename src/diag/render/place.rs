//! A span forced into the text that it names: in bounds, in order, on character boundaries. Every renderer reads spans
//! through it, so that none of them can panic or point outside the file.

use crate::source::{LineCol, SourceFile, SourceMap, Span};

/// A byte range that certainly lies in `file`.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    pub file: &'a SourceFile,
    pub start: usize,
    pub end: usize,
}

impl<'a> Place<'a> {
    /// `None` only where the map has no such file.
    pub fn of(map: &'a SourceMap, span: Span) -> Option<Place<'a>> {
        let file = map.get(span.file)?;
        let start = file.text.floor_char_boundary(span.start as usize);
        let end = file.text.ceil_char_boundary(span.end as usize).max(start);
        Some(Place { file, start, end })
    }

    /// Line and column of the first byte, from 1.
    pub fn first(&self) -> LineCol {
        self.file.line_col(self.start as u32)
    }

    /// Line and column just past the last byte, from 1.
    pub fn last(&self) -> LineCol {
        self.file.line_col(self.end as u32)
    }

    /// Both ends in UTF-16 units, lines and columns from 0, as editors count.
    pub fn utf16(&self) -> ((usize, usize), (usize, usize)) {
        (self.file.utf16_position(self.start as u32), self.file.utf16_position(self.end as u32))
    }
}
