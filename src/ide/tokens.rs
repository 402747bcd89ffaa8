//! What every word is, for an editor's colours.

use super::Analysis;
use super::names::{Target, What};
use crate::syntax::Kind;

/// Types of words, in the order of [`LEGEND`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenKind {
    Comment,
    String,
    Number,
    Keyword,
    Operator,
    Function,
    Type,
    Variable,
    Parameter,
    Property,
    EnumMember,
    Namespace,
    Class,
    Macro,
}

/// The names that the protocol has for them.
pub const LEGEND: &[&str] = &[
    "comment",
    "string",
    "number",
    "keyword",
    "operator",
    "function",
    "type",
    "variable",
    "parameter",
    "property",
    "enumMember",
    "namespace",
    "class",
    "macro",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub range: std::ops::Range<usize>,
    pub kind: TokenKind,
    /// The name is defined here.
    pub definition: bool,
}

/// Words in order of place; none spans a line end.
pub fn tokens(analysis: &Analysis, within: std::ops::Range<usize>) -> Vec<Token> {
    let names = analysis.names();
    let refs = names.in_file(analysis.root);
    let mut out: Vec<Token> = Vec::new();
    for token in analysis.parse().syntax().descendants_with_tokens().filter_map(|e| e.into_token()) {
        let range = usize::from(token.text_range().start())..usize::from(token.text_range().end());
        if range.end < within.start || range.start > within.end {
            continue;
        }
        let named = || {
            let at = refs.partition_point(|r| (r.span.start as usize) < range.start);
            refs[at..].iter().take(2).find(|r| r.span.start as usize == range.start && r.span.end as usize == range.end)
        };
        let mut definition = false;
        let kind = match token.kind() {
            Kind::Comment => TokenKind::Comment,
            Kind::Number => TokenKind::Number,
            Kind::Unit => TokenKind::EnumMember,
            Kind::KwMtl
            | Kind::KwFor
            | Kind::KwOn
            | Kind::KwOver
            | Kind::KwOr
            | Kind::KwAnd
            | Kind::KwNot
            | Kind::KwIn => TokenKind::Keyword,
            Kind::Arrow
            | Kind::LArrow
            | Kind::Plus
            | Kind::Minus
            | Kind::Star
            | Kind::Slash
            | Kind::Percent
            | Kind::EqEq
            | Kind::Ne
            | Kind::Le
            | Kind::Ge
            | Kind::Lt
            | Kind::Gt
            | Kind::Dots => TokenKind::Operator,
            Kind::Ident if token.parent().is_some_and(|p| p.kind() == Kind::Edition) => TokenKind::Keyword,
            Kind::Ident | Kind::Str => match named() {
                Some(r) => {
                    definition = matches!(r.to, Target::Def(d) if names.def(d).span == r.span);
                    match of(analysis, r.to) {
                        Some(kind) => kind,
                        None if token.kind() == Kind::Str => TokenKind::String,
                        None => continue,
                    }
                }
                None if token.kind() == Kind::Str => TokenKind::String,
                None => continue,
            },
            Kind::OpenStr => TokenKind::String,
            _ => continue,
        };
        for line in lines(&analysis.text()[range.clone()]) {
            out.push(Token { range: range.start + line.start..range.start + line.end, kind, definition });
        }
    }
    out
}

/// The lines of a text without their ends.
fn lines(text: &str) -> Vec<std::ops::Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    for (i, c) in text.char_indices() {
        if c == '\n' || c == '\r' {
            out.push(start..i);
            start = i + 1;
        }
    }
    out.push(start..text.len());
    out.retain(|r| !r.is_empty());
    out
}

fn of(analysis: &Analysis, to: Target) -> Option<TokenKind> {
    Some(match to {
        Target::Def(id) | Target::Member(id) => match analysis.names().def(id).what {
            What::Param | What::Parameter | What::Counter => TokenKind::Parameter,
            What::Data => TokenKind::Namespace,
            What::Block => TokenKind::Function,
            What::Backbone | What::Space | What::Topology => TokenKind::Class,
            What::Task | What::Family => TokenKind::Type,
            What::Input | What::Stage | What::Copy | What::Mix | What::Value => TokenKind::Variable,
        },
        Target::Builtin(b) => match b.topic {
            "ops" => TokenKind::Macro,
            "kinds" => TokenKind::Type,
            _ => TokenKind::Function,
        },
        Target::Keyword(_) => TokenKind::Keyword,
        Target::Attr(_) | Target::Column(_) => TokenKind::Property,
        Target::Word => TokenKind::EnumMember,
        Target::File(_) => TokenKind::Namespace,
        Target::Unknown => return None,
    })
}
