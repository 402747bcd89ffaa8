//! What the layout leaves alone: an entry with a syntax error keeps its lines, and the entries around it are laid out. The result
//! is read again and taken only if it says the same; else less is tried.

use super::{Lines, expr, sequence};
use crate::source::FileId;
use crate::syntax::{Kind, Parse, SyntaxElement, SyntaxNode, parse};

/// The places of a text that could not be read.
pub(super) struct Kept<'t> {
    text: &'t str,
    /// Byte ranges, both ends counted.
    broken: Vec<(usize, usize)>,
    /// Whether the entries of a body with a broken one are laid out, or the item is kept whole.
    inside: bool,
}

/// The layout of a text with syntax errors; `None` if it has to stay as it is.
pub(super) fn around(before: &Parse, text: &str) -> Option<String> {
    let root = before.syntax();
    let whole = |t: SyntaxElement| t.kind() == Kind::JunkTop && t.text_range() == root.text_range();
    if root.first_child_or_token().is_some_and(whole) {
        // Too large or too deep: it was not read at all.
        return None;
    }
    [true, false].into_iter().find_map(|inside| {
        let kept = Kept { text, broken: broken(before), inside };
        let mut lines = Lines::default();
        sequence(&before.syntax(), 0, &kept, &mut lines)?;
        let out = lines.finish();
        says_the_same(before, &out).then_some(out)
    })
}

fn broken(parse: &Parse) -> Vec<(usize, usize)> {
    // Without its edition a file is read all the same.
    let reported = parse.diagnostics.iter().filter(|d| d.is_error() && d.code != crate::diag::codes::SYNTAX_EDITION);
    let spans = reported.filter_map(|d| d.primary.as_ref()).map(|p| (p.span.start as usize, p.span.end as usize));
    let odd = parse.syntax().descendants_with_tokens().filter(|e| is_odd(e.kind())).map(|e| {
        let range = e.text_range();
        (range.start().into(), range.end().into())
    });
    let mut all: Vec<(usize, usize)> = spans.chain(odd).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn is_odd(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        Junk | JunkTop
            | Odd
            | OddUnit
            | OpenStr
            | OddArg
            | BareBody
            | BareFor
            | MissingValue
            | MissingOperand
            | MissingName
            | MissingType
            | MissingArrow
            | MissingClose
            | MissingEq
            | MissingOpen
            | MissingFor
    )
}

/// Whether two texts have the same meaning, words, comments and problems.
fn says_the_same(before: &Parse, out: &str) -> bool {
    let after = parse(FileId(0), out);
    let codes = |p: &Parse| p.diagnostics.iter().map(|d| d.code.name()).collect::<Vec<_>>();
    let words = |p: &Parse| {
        let tokens = p.syntax().descendants_with_tokens().filter_map(|e| e.into_token());
        let said = tokens.filter(|t| !matches!(t.kind(), Kind::Whitespace | Kind::Comma));
        // Line ends inside of what is kept may change with those of the file.
        said.map(|t| t.text().trim_end().replace("\r\n", "\n").replace('\r', "\n")).collect::<Vec<_>>()
    };
    codes(before) == codes(&after) && words(before) == words(&after) && before.file() == after.file()
}

impl Kept<'_> {
    pub(super) fn nothing() -> Kept<'static> {
        Kept { text: "", broken: Vec::new(), inside: true }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.broken.is_empty() && self.text.is_empty()
    }

    /// Whether the layout of an entry may be changed, but for what its body says about its own entries.
    pub(super) fn allows(&self, entry: &SyntaxNode) -> bool {
        if self.broken.is_empty() {
            return true;
        }
        let (start, end) = (usize::from(entry.text_range().start()), usize::from(entry.text_range().end()));
        let mut here = self.within(start, end).peekable();
        if here.peek().is_none() {
            return true;
        }
        if !self.inside {
            return false;
        }
        let Some(body) = entry.children().find(|c| c.kind() == Kind::Body) else { return false };
        let brace = |kind| body.children_with_tokens().find(|c| c.kind() == kind).map(|c| c.text_range());
        let (Some(open), Some(close)) = (brace(Kind::LBrace), brace(Kind::RBrace)) else { return false };
        let lines = body
            .descendants_with_tokens()
            .any(|e| e.as_token().is_some_and(|t| t.kind() == Kind::Whitespace && expr::has_line_end(t.text())));
        lines && here.all(|(s, e)| s >= usize::from(open.end()) && e <= usize::from(close.start()))
    }

    fn within(&self, start: usize, end: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        // Few places are broken, and each is asked for by few entries.
        self.broken.iter().copied().filter(move |(s, e)| *s <= end && *e >= start)
    }

    /// The whole lines on which an entry stands, and where they end; `None` if something else begins on the first.
    pub(super) fn lines_of(&self, entry: &SyntaxElement) -> Option<(String, usize)> {
        let (start, end) = (usize::from(entry.text_range().start()), usize::from(entry.text_range().end()));
        let line_start = self.text[..start].rfind(['\n', '\r']).map_or(0, |at| at + 1);
        if !self.text[line_start..start].chars().all(|c| c == ' ' || c == '\t') {
            return None;
        }
        // The text of a kept comment may go on below.
        let line_end = self.text[end..].find(['\n', '\r']).map_or(self.text.len(), |at| end + at);
        // What an open bracket swallowed may end in the line end of the file.
        let raw =
            self.text[line_start..line_end].trim_end_matches(['\n', '\r']).replace("\r\n", "\n").replace('\r', "\n");
        Some((raw, line_end))
    }
}
