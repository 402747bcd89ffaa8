//! Text with places where it may be broken, and how it is laid out in a given width.
//!
//! A group is written on one line if it fits, and otherwise breaks at each of its own places. Knows no `.mtl`.

/// A line is no longer than this where that can be helped; comments do not count.
pub(super) const WIDTH: usize = 100;
pub(super) const INDENT: usize = 2;

#[derive(Debug, Clone)]
pub(super) enum Doc {
    Text(String),
    /// A blank, or a line end in a group that is broken.
    Line,
    /// Nothing, or a line end in a group that is broken.
    Soft,
    /// Text that stands only in a group that is broken.
    IfBroken(&'static str),
    Group(Vec<Doc>),
    Indent(Vec<Doc>),
    /// Things separated by blanks, as many on a line as fit.
    Fill(Vec<Doc>),
    /// A comment ends its line; one that had a line of its own keeps it.
    Comment {
        text: String,
        own_line: bool,
    },
}

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Doc {
        Doc::Text(text.into())
    }

    /// Whether a comment inside forces a line end.
    fn must_break(&self) -> bool {
        match self {
            Doc::Comment { .. } => true,
            Doc::Group(parts) | Doc::Indent(parts) | Doc::Fill(parts) => parts.iter().any(Doc::must_break),
            _ => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Flat,
    Broken,
}

/// Lays out parts that begin at `column` of a line indented by `indent`. The first line comes without its indentation.
pub(super) fn render(parts: &[Doc], indent: usize, column: usize) -> String {
    let mut out = Layout { text: String::new(), column, pending: None, after_comment: false };
    let mut stack: Vec<(usize, Mode, &Doc)> = parts.iter().rev().map(|d| (indent, Mode::Broken, d)).collect();
    while let Some((indent, mode, doc)) = stack.pop() {
        match doc {
            Doc::Text(text) => out.write(text, indent),
            Doc::Line if mode == Mode::Flat => out.write(" ", indent),
            Doc::Soft if mode == Mode::Flat => {}
            Doc::Line | Doc::Soft => out.pending = Some(indent),
            Doc::IfBroken(text) => {
                if mode == Mode::Broken {
                    out.write(text, indent);
                }
            }
            Doc::Indent(parts) => stack.extend(parts.iter().rev().map(|d| (indent + INDENT, mode, d))),
            Doc::Group(parts) => {
                let column = out.pending.unwrap_or(out.column);
                let flat = mode == Mode::Flat || !doc.must_break() && fits(parts, &stack, column);
                let mode = if flat { Mode::Flat } else { Mode::Broken };
                stack.extend(parts.iter().rev().map(|d| (indent, mode, d)));
            }
            Doc::Fill(parts) => {
                // Text only: each part decides for itself whether it begins a line.
                for (i, part) in parts.iter().enumerate() {
                    let text = flat(std::slice::from_ref(part));
                    if i > 0 && out.pending.is_none() {
                        if out.column + 1 + width(&text) > WIDTH && mode == Mode::Broken {
                            out.pending = Some(indent);
                        } else {
                            out.write(" ", indent);
                        }
                    }
                    out.write(&text, indent);
                }
            }
            Doc::Comment { text, own_line } => out.comment(text, *own_line, indent),
        }
    }
    if out.after_comment {
        // The caller goes on below the comment.
        out.text.push('\n');
        out.text.push_str(&" ".repeat(indent));
    }
    out.text
}

/// The parts on one line, whatever its length.
pub(super) fn flat(parts: &[Doc]) -> String {
    let mut text = String::new();
    let mut stack: Vec<&Doc> = parts.iter().rev().collect();
    while let Some(doc) = stack.pop() {
        match doc {
            Doc::Text(t) => text.push_str(t),
            Doc::Line => text.push(' '),
            Doc::Soft | Doc::IfBroken(_) | Doc::Comment { .. } => {}
            Doc::Group(parts) | Doc::Indent(parts) => stack.extend(parts.iter().rev()),
            Doc::Fill(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    text.push_str(if i > 0 { " " } else { "" });
                    text.push_str(&flat(std::slice::from_ref(part)));
                }
            }
        }
    }
    text
}

pub(super) fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

/// Whether a group fits on the line, with what follows it up to the next place for a line end.
fn fits(parts: &[Doc], rest: &[(usize, Mode, &Doc)], column: usize) -> bool {
    let Some(mut left) = WIDTH.checked_sub(column) else { return false };
    let mut stack: Vec<(Mode, &Doc)> = parts.iter().rev().map(|d| (Mode::Flat, d)).collect();
    let mut rest = rest.iter().rev();
    loop {
        let Some((mode, doc)) = stack.pop() else {
            match rest.next() {
                // What follows may be broken even if it is inside a group.
                Some((_, mode, doc)) => stack.push((*mode, doc)),
                None => return true,
            }
            continue;
        };
        let used = match doc {
            Doc::Text(text) => width(text),
            Doc::Line | Doc::Soft if mode == Mode::Broken => return true,
            Doc::Line => 1,
            Doc::Soft => 0,
            Doc::IfBroken(_) => 0,
            Doc::Comment { .. } => return true,
            Doc::Group(parts) | Doc::Indent(parts) => {
                stack.extend(parts.iter().rev().map(|d| (mode, d)));
                0
            }
            Doc::Fill(_) if mode == Mode::Broken => return true,
            Doc::Fill(_) => width(&flat(std::slice::from_ref(doc))),
        };
        match left.checked_sub(used) {
            Some(l) => left = l,
            None => return false,
        }
    }
}

struct Layout {
    text: String,
    column: usize,
    /// A line end that is due before the next text, and its indentation.
    pending: Option<usize>,
    after_comment: bool,
}

impl Layout {
    fn write(&mut self, text: &str, indent: usize) {
        if text.is_empty() {
            return;
        }
        let due = if self.after_comment { Some(self.pending.unwrap_or(indent)) } else { self.pending };
        let mut text = text;
        if let Some(indent) = due {
            self.line_end(indent);
            text = text.trim_start();
        }
        self.text.push_str(text);
        self.column += width(text);
    }

    fn line_end(&mut self, indent: usize) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
        self.text.push_str(&" ".repeat(indent));
        self.column = indent;
        self.pending = None;
        self.after_comment = false;
    }

    fn comment(&mut self, text: &str, own_line: bool, indent: usize) {
        if own_line || self.after_comment {
            self.line_end(indent);
        } else {
            self.text.truncate(self.text.trim_end_matches(' ').len());
            self.text.push_str("  ");
        }
        self.text.push_str(text);
        self.after_comment = true;
    }
}
