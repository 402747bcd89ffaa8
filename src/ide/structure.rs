//! What belongs together: parts that fold, and ever larger selections around the cursor.

use super::Analysis;
use crate::syntax::{Kind, SyntaxElement};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    pub range: std::ops::Range<usize>,
    pub comment: bool,
}

/// Bodies, lists and runs of comments; those that stand on one line are left to the caller.
pub fn folds(analysis: &Analysis) -> Vec<Fold> {
    let root = analysis.parse().syntax();
    let mut out = Vec::new();
    let mut run: Option<(usize, usize)> = None;
    for element in root.descendants_with_tokens() {
        let range = usize::from(element.text_range().start())..usize::from(element.text_range().end());
        match element.kind() {
            Kind::Body | Kind::List | Kind::Args | Kind::Params | Kind::Index if element.to_string().contains('\n') => {
                out.push(Fold { range, comment: false });
            }
            Kind::Comment => {
                let text = analysis.text();
                let close = |r: (usize, usize)| text[r.1..range.start].chars().filter(|c| *c == '\n').count() <= 1;
                let blank = |r: (usize, usize)| text[r.1..range.start].trim().is_empty();
                match run.filter(|r| close(*r) && blank(*r)) {
                    Some((start, _)) => run = Some((start, range.end)),
                    None => {
                        out.extend(run.map(|(s, e)| Fold { range: s..e, comment: true }));
                        run = Some((range.start, range.end));
                    }
                }
            }
            _ => {}
        }
    }
    out.extend(run.map(|(s, e)| Fold { range: s..e, comment: true }));
    out.retain(|f| analysis.text()[f.range.clone()].contains('\n'));
    out.sort_by_key(|f| (f.range.start, f.range.end));
    out
}

/// Ranges around an offset, the innermost first, each larger than the one before.
pub fn selections(analysis: &Analysis, offset: usize) -> Vec<std::ops::Range<usize>> {
    let root = analysis.parse().syntax();
    let at = rowan::TextSize::from(offset.min(analysis.text().len()) as u32);
    let token = match root.token_at_offset(at) {
        rowan::TokenAtOffset::None => return std::iter::once(0..analysis.text().len()).collect(),
        rowan::TokenAtOffset::Single(t) => t,
        rowan::TokenAtOffset::Between(a, b) => {
            if b.kind().is_trivia() {
                a
            } else {
                b
            }
        }
    };
    let mut out: Vec<std::ops::Range<usize>> = Vec::new();
    let first = SyntaxElement::Token(token.clone());
    for element in std::iter::once(first).chain(token.parent_ancestors().map(SyntaxElement::Node)) {
        let range = usize::from(element.text_range().start())..usize::from(element.text_range().end());
        if out.last().is_none_or(|l| range.start <= l.start && l.end <= range.end && *l != range) {
            out.push(range);
        }
    }
    out
}
