//! The lines of source that a report shows, ready to draw: one text of its own for each run of lines, with every label
//! moved into it.
//!
//! Drawing from such a copy, and not from the file, is what makes reports safe and cheap: line ends are plain, control
//! characters are visible, a line of any length is cut to a window around its label, a label at the very end of a line or
//! file has a column to stand on, labels of several files share one report, and a file of 10,000 lines is not read again
//! for each problem.

use super::place::Place;
use crate::diag::{Diagnostic, Label};
use crate::screen::visible;
use crate::source::{LineCol, SourceFile, SourceMap};

/// A label over more lines than this is drawn on its first line only.
const MAX_LABEL_LINES: usize = 6;

/// A run of lines of one file.
pub struct Chunk {
    /// The file's name.
    pub name: String,
    /// Where the run begins in the space of offsets that all chunks share.
    pub base: usize,
    /// The lines, each with its line end.
    pub text: String,
    /// Counted from 0.
    pub first_line: usize,
    pub line_count: usize,
}

/// A label, moved into the space of offsets that all chunks share.
pub struct Mark {
    pub offset: usize,
    pub len: usize,
    pub text: Option<String>,
    pub primary: bool,
    /// Where it begins in the file.
    pub at: LineCol,
}

/// Everything a report draws. Chunks stand in the order in which they are drawn; marks by offset.
#[derive(Default)]
pub struct Excerpt {
    pub chunks: Vec<Chunk>,
    pub marks: Vec<Mark>,
}

/// A label that can be drawn.
struct Shown<'a> {
    place: Place<'a>,
    text: &'a str,
    primary: bool,
    /// Lines counted from 0, both included.
    lines: (usize, usize),
    /// Labels of one layer do not overlap; each layer is drawn on its own.
    layer: usize,
}

impl Excerpt {
    /// The lines around every label; lines longer than `columns` are cut.
    pub fn of(d: &Diagnostic, map: &SourceMap, columns: usize) -> Excerpt {
        let mut shown: Vec<Shown> = Vec::new();
        let labels = d.primary.iter().map(|l| (l, true)).chain(d.secondary.iter().map(|l| (l, false)));
        for (label, primary) in labels {
            if let Some(mut s) = Shown::of(label, primary, map) {
                let full = |layer: usize| shown.iter().any(|o| o.layer == layer && o.clashes(&s));
                s.layer = (0..).find(|layer| !full(*layer)).unwrap_or(0);
                shown.push(s);
            }
        }
        let mut out = Excerpt::default();
        for layer in 0..=shown.iter().map(|s| s.layer).max().unwrap_or(0) {
            let mut rest: Vec<&Shown> = shown.iter().filter(|s| s.layer == layer).collect();
            // The primary label's file first, then the others as they come.
            while let Some(file) = rest.first().map(|s| s.place.file) {
                let (mut here, others): (Vec<_>, Vec<_>) =
                    rest.into_iter().partition(|s| std::ptr::eq(s.place.file, file));
                here.sort_by_key(|s| (s.place.start, s.place.end));
                out.add_file(file, &here, layer == 0, columns);
                rest = others;
            }
        }
        out
    }

    /// One chunk for each group of labels whose lines touch. `context` asks for a line before and after.
    fn add_file(&mut self, file: &SourceFile, labels: &[&Shown], context: bool, columns: usize) {
        let last_line = file.line_col(file.text.len() as u32).line - 1;
        let around = |s: &Shown| {
            let (a, b) = s.lines;
            let blank = |line: usize| file.text[file.line_range(line)].trim().is_empty();
            let from = if context && a > 0 && !blank(a - 1) { a - 1 } else { a };
            let to = if context && b < last_line && !blank(b + 1) { b + 1 } else { b };
            (from, to)
        };
        let mut rest = labels;
        while let Some(first) = rest.first() {
            let (from, mut to) = around(first);
            let mut many = 1;
            while let Some(next) = rest.get(many).filter(|s| around(s).0 <= to + 1) {
                to = to.max(around(next).1);
                many += 1;
            }
            self.add_chunk(file, from, to, &rest[..many], columns);
            rest = &rest[many..];
        }
    }

    fn add_chunk(&mut self, file: &SourceFile, from: usize, to: usize, labels: &[&Shown], columns: usize) {
        // A gap between chunks, so that the end of one is not the beginning of the next.
        let base = self.chunks.last().map_or(0, |c| c.base + c.text.len() + 2);
        let mut text = String::new();
        let mut places: Vec<(usize, usize)> = vec![(0, 0); labels.len()];
        for line in from..=to {
            let range = file.line_range(line);
            let raw = &file.text[range.clone()];
            let raw = raw.strip_suffix('\r').unwrap_or(raw);
            let here = labels.iter().filter(|s| s.lines.0 == line || s.lines.1 == line);
            let focus = here.max_by_key(|s| s.primary).map_or(0, |s| s.place.start.saturating_sub(range.start));
            let window = Window::of(raw, focus, columns);
            for (i, s) in labels.iter().enumerate() {
                if s.lines.0 == line {
                    places[i].0 = base + text.len() + window.offset(raw, s.place.start - range.start);
                }
                if s.lines.1 == line {
                    places[i].1 = base + text.len() + window.offset(raw, s.place.end - range.start);
                }
            }
            text += &window.text;
            // The space is a column for a label that stands at the end of the line.
            text += " \n";
        }
        for (s, (start, end)) in labels.iter().zip(places) {
            self.marks.push(Mark {
                offset: start,
                len: end.saturating_sub(start),
                text: (!s.text.is_empty()).then(|| visible(s.text, false)),
                primary: s.primary,
                at: s.place.first(),
            });
        }
        let name = visible(&file.name, false);
        self.chunks.push(Chunk { name, base, text, first_line: from, line_count: to - from + 1 });
    }
}

impl<'a> Shown<'a> {
    fn of(label: &'a Label, primary: bool, map: &'a SourceMap) -> Option<Shown<'a>> {
        let mut place = Place::of(map, label.span)?;
        let line_of = |at: usize| place.file.line_col(at as u32).line - 1;
        let first = line_of(place.start);
        // A line end at the end of a span would pull the next line in.
        let covered = &place.file.text[place.start..place.end];
        if covered.contains('\n') {
            place.end = place.start + covered.trim_end().len();
        }
        let mut last = place.file.line_col(place.end as u32).line - 1;
        if last - first >= MAX_LABEL_LINES {
            let line = place.file.line_range(first);
            place.end = place.start.max(line.start + place.file.text[line].trim_end().len());
            last = first;
        }
        Some(Shown { place, text: &label.text, primary, lines: (first, last), layer: 0 })
    }

    /// Whether drawing both under the same lines would put one beside the text that it is about.
    fn clashes(&self, other: &Shown) -> bool {
        let (a, b) = (&self.place, &other.place);
        let one_line = |s: &Shown| s.lines.0 == s.lines.1;
        std::ptr::eq(a.file, b.file)
            && (a.start == b.start || (one_line(self) == one_line(other) && a.start < b.end && b.start < a.end))
    }
}

/// The part of a line that is shown.
pub struct Window {
    /// With `…` where something is cut.
    pub text: String,
    /// Byte range of the line that is shown.
    from: usize,
    to: usize,
}

impl Window {
    /// At most about `columns` characters of `line`, those around byte `focus` if it is longer.
    pub fn of(line: &str, focus: usize, columns: usize) -> Window {
        if line.chars().count() <= columns {
            return Window { text: visible(line, false), from: 0, to: line.len() };
        }
        let focus = line.floor_char_boundary(focus);
        let before = columns / 4;
        // Fewer characters before the focus than asked for: begin at the line's start.
        let from = line[..focus].char_indices().rev().nth(before).map_or(0, |(i, _)| i);
        let to = line[from..].char_indices().nth(columns).map_or(line.len(), |(i, _)| from + i);
        let mut text = String::new();
        if from > 0 {
            text.push('…');
        }
        text += &visible(&line[from..to], false);
        if to < line.len() {
            text.push('…');
        }
        Window { text, from, to }
    }

    /// Where a byte of the line stands in the shown text; what is cut off stands on the `…`.
    pub fn offset(&self, line: &str, at: usize) -> usize {
        let mark = if self.from > 0 { '…'.len_utf8() } else { 0 };
        let at = line.floor_char_boundary(at);
        if at < self.from {
            return 0;
        }
        let shown = mark + visible(&line[self.from..at.min(self.to)], false).len();
        // An end beyond the window covers the `…`.
        if at > self.to { self.text.len() } else { shown }
    }
}
