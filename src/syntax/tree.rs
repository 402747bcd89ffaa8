//! From pest's pairs to a lossless rowan tree.
//!
//! A gap between two terminals is blank or comments; it goes into the outermost node that is open there, so a node begins
//! and ends with text that matters. Nothing here reports anything.

use pest::Token;
use pest::iterators::Pairs;
use rowan::{GreenNode, GreenNodeBuilder};

use super::grammar::Rule;

macro_rules! kinds {
    (nodes { $($node:ident $node_rule:ident),* $(,)? } tokens { $($token:ident $token_rule:ident),* $(,)? }) => {
        /// What a node or a token of the tree is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Kind { $($node,)* $($token,)* Whitespace, Comment }

        impl Kind {
            const ALL: &[Kind] = &[$(Kind::$node,)* $(Kind::$token,)* Kind::Whitespace, Kind::Comment];

            fn of(rule: Rule) -> Option<Kind> {
                Some(match rule {
                    $(Rule::$node_rule => Kind::$node,)*
                    $(Rule::$token_rule => Kind::$token,)*
                    _ => return None,
                })
            }

            /// Tokens carry text; nodes carry tokens, and a `Missing...` node nothing.
            pub fn is_token(self) -> bool {
                matches!(self, $(Kind::$token)|* | Kind::Whitespace | Kind::Comment)
            }
        }
    };
}

kinds! {
    nodes {
        File file, Edition edition, Item item, TypeClause type_clause, ForClause for_clause, OnClause on_clause,
        OverClause over_clause, Params params, Param param, Body body, Attr attr, Edge edge, Nested nested, Expr expr,
        Quantity quantity, Postfix postfix, Path path, List list, Index index, Args args, Group group, Arg arg,
        MissingValue missing_value, MissingOperand missing_operand, MissingName missing_name, MissingType missing_type,
        MissingArrow missing_arrow, MissingClose missing_close, MissingEq missing_eq, MissingOpen missing_open,
        OddArg odd_arg, BareBody bare_body, BareList bare_list, BareFor bare_for, MissingFor missing_for,
    }
    tokens {
        Junk junk, JunkTop junk_top, Odd odd, Ident ident, HyphenName hyphen_name, Number number, Unit unit, OddUnit odd_unit, Str string, OpenStr open_string,
        KwMtl kw_mtl, KwFor kw_for, KwOn kw_on, KwOver kw_over, KwOr kw_or, KwAnd kw_and, KwNot kw_not, KwIn kw_in, NotIn not_in,
        OrSign kw_or_sign, AndSign kw_and_sign, Power power,
        LBrace lbrace, RBrace rbrace, LParen lparen, RParen rparen, LBracket lbracket, RBracket rbracket, Comma comma,
        Colon colon, Dot dot, Eq eq, Arrow arrow, LArrow larrow, EqEq eqeq, Ne ne, Le le, Ge ge, Lt lt, Gt gt, Dots dots,
        Plus plus, Minus minus, Star star, Slash slash, Percent percent,
    }
}

impl Kind {
    pub fn is_trivia(self) -> bool {
        matches!(self, Kind::Whitespace | Kind::Comment)
    }
}

/// Ties rowan's untyped kinds to [`Kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mtl {}

impl rowan::Language for Mtl {
    type Kind = Kind;
    fn kind_from_raw(raw: rowan::SyntaxKind) -> Kind {
        Kind::ALL[raw.0 as usize]
    }
    fn kind_to_raw(kind: Kind) -> rowan::SyntaxKind {
        rowan::SyntaxKind(kind as u16)
    }
}

pub type SyntaxNode = rowan::SyntaxNode<Mtl>;
pub type SyntaxToken = rowan::SyntaxToken<Mtl>;
pub type SyntaxElement = rowan::SyntaxElement<Mtl>;

/// The tree of a text that pest has read.
pub(super) fn build(pairs: Pairs<'_, Rule>, text: &str) -> GreenNode {
    let mut tree = Builder { inner: GreenNodeBuilder::new(), text, at: 0 };
    // Inside a terminal, pest may report the terminals it is made of; they are one token here.
    let mut inside: Option<(Rule, usize)> = None;
    let mut depth = 0usize;
    for event in pairs.tokens() {
        match event {
            Token::Start { rule, pos } => {
                if inside.is_some() {
                    continue;
                }
                let Some(kind) = Kind::of(rule) else { continue };
                if kind.is_token() {
                    inside = Some((rule, pos.pos()));
                } else {
                    if depth > 0 && !is_missing(kind) {
                        tree.trivia(pos.pos());
                    }
                    tree.inner.start_node(raw(kind));
                    depth += 1;
                }
            }
            Token::End { rule, pos } => match inside {
                Some((outer, start)) if outer == rule => {
                    tree.trivia(start);
                    tree.token(Kind::of(rule).unwrap_or(Kind::Junk), pos.pos());
                    inside = None;
                }
                Some(_) => {}
                None if Kind::of(rule).is_some() => {
                    depth -= 1;
                    if depth == 0 {
                        tree.trivia(text.len());
                    }
                    tree.inner.finish_node();
                }
                None => {}
            },
        }
    }
    tree.inner.finish()
}

/// The tree of a text that was not read at all: one token.
pub(super) fn unread(text: &str) -> GreenNode {
    let mut inner = GreenNodeBuilder::new();
    inner.start_node(raw(Kind::File));
    if !text.is_empty() {
        inner.token(raw(Kind::JunkTop), text);
    }
    inner.finish_node();
    inner.finish()
}

fn raw(kind: Kind) -> rowan::SyntaxKind {
    rowan::SyntaxKind(kind as u16)
}

/// A missing thing stands right after the text before it, not before the text that follows.
fn is_missing(kind: Kind) -> bool {
    use Kind::*;
    matches!(
        kind,
        MissingValue
            | MissingOperand
            | MissingName
            | MissingType
            | MissingArrow
            | MissingClose
            | MissingEq
            | MissingOpen
            | MissingFor
            // Its brace is missing: it begins where that should stand.
            | BareBody
    )
}

struct Builder<'a> {
    inner: GreenNodeBuilder<'static>,
    text: &'a str,
    at: usize,
}

impl Builder<'_> {
    fn token(&mut self, kind: Kind, end: usize) {
        if self.at < end {
            self.inner.token(raw(kind), &self.text[self.at..end]);
            self.at = end;
        }
    }

    /// Blank runs and comments up to `end`.
    fn trivia(&mut self, end: usize) {
        while self.at < end {
            let rest = &self.text[self.at..end];
            let blank = rest.find(|c: char| !is_blank(c)).unwrap_or(rest.len());
            if blank > 0 {
                self.token(Kind::Whitespace, self.at + blank);
                continue;
            }
            let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
            // Another language's comment may end before its line does.
            let block = if rest.starts_with("/*") { block_comment(rest) } else { None };
            let length = block.unwrap_or(line.max(1));
            self.token(Kind::Comment, self.at + length);
        }
    }
}

/// The length of a comment that another language's `*/` ends, which the grammar looks for on this line and eight more.
fn block_comment(rest: &str) -> Option<usize> {
    let end = rest.find("*/").filter(|e| *e >= 2).or_else(|| rest[2..].find("*/").map(|e| e + 2))? + 2;
    let inside = rest[..end].replace("\r\n", "\n");
    (inside.matches(['\n', '\r']).count() <= 8).then_some(end)
}

/// Blanks, line ends, and characters that only look like a blank: the grammar's `blank`.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{feff}') || is_strange_blank(c)
}

pub(super) fn is_strange_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2000}'..='\u{200b}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}
