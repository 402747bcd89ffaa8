//! Text to a lossless tree, and the typed view of it. The only room that knows pest. Parsing is total: whatever the text,
//! there is a tree whose text is the source, and a list of problems.
//!
//! ```text
//! text --grammar--> pairs --tree--> rowan tree --read, expr--> ast::File
//!                                                  '--report, brackets--> diagnostics
//! ```
//!
//! What the words mean (which attributes an item has, what a name refers to) is not known here.

pub mod ast;
mod brackets;
mod expr;
mod foreign;
mod grammar;
mod habits;
mod header;
mod literal;
mod read;
mod report;
mod tree;
pub(crate) mod unquoted;

use pest::Parser as _;
use rowan::GreenNode;

pub use grammar::{MAX_BYTES, MAX_DEPTH};
pub use tree::{Kind, Mtl, SyntaxElement, SyntaxNode, SyntaxToken};

use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::source::{FileId, Span};

/// A text that was read: its tree, its problems in order of place, and its typed view.
#[derive(Debug, Clone)]
pub struct Parse {
    pub green: GreenNode,
    pub diagnostics: Vec<Diagnostic>,
    file: ast::File,
}

impl Parse {
    /// The typed view. Whatever could not be read is absent, or an [`ast::ExprKind::Missing`].
    pub fn file(&self) -> ast::File {
        self.file.clone()
    }

    /// Its items.
    pub fn items(&self) -> &[ast::Item] {
        &self.file.items
    }

    /// The same without a copy.
    pub fn into_file(self) -> ast::File {
        self.file
    }

    /// The root of the tree; its text is the source.
    pub fn syntax(&self) -> SyntaxNode {
        SyntaxNode::new_root(self.green.clone())
    }

    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Reads a text. Never fails and never panics; the time is linear in the length of the text.
pub fn parse(file: FileId, text: &str) -> Parse {
    let refused = |code, at: usize, message: String, help: &str| Parse {
        green: tree::unread(text),
        diagnostics: vec![Diagnostic::new(code, Span::new(file, at, at), message).help(help)],
        file: ast::File::default(),
    };
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} MiB; {} MiB is the most", text.len() >> 20, MAX_BYTES >> 20);
        return refused(
            codes::SYNTAX_TOO_LARGE,
            0,
            message,
            "is this the file that you mean? data stay outside, in files that it names",
        );
    }
    if let Some(found) = foreign::foreign(text) {
        let span = Span::new(file, found.at.start, found.at.end);
        let message = format!("this is not a program of mtlc: it is {}", found.what);
        return Parse {
            green: tree::unread(text),
            diagnostics: vec![
                Diagnostic::new(codes::SYNTAX_FOREIGN, span, message).label(found.label).help(found.help),
            ],
            file: ast::File::default(),
        };
    }
    if let Some(at) = grammar::too_deep(text) {
        let message = format!("brackets are nested more than {MAX_DEPTH} deep");
        return refused(codes::SYNTAX_TOO_DEEP, at, message, "close what is open, or give a part a name of its own");
    }
    let green = match grammar::Grammar::parse(grammar::Rule::file, text) {
        Ok(pairs) => tree::build(pairs, text),
        // The top rule accepts every text (there is a test); should it ever not, the text is kept and the problem shown.
        Err(e) => {
            let at = match e.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
            };
            return refused(
                codes::SYNTAX_UNEXPECTED,
                at,
                "the text cannot be read from here on".to_string(),
                "look here",
            );
        }
    };
    let (mut typed, mut found) = read::read(file, text, &SyntaxNode::new_root(green.clone()));
    if typed.edition.as_ref().is_some_and(|e| e.value > 1) {
        // The text may have another meaning in a later edition, so no other diagnostics are reported.
        found.retain(|d| d.code == codes::SYNTAX_EDITION);
        typed.items.clear();
    }
    let mut diagnostics = Diagnostics::default();
    diagnostics.extend(found);
    Parse { green, diagnostics: diagnostics.into_sorted(), file: typed }
}

/// Reads one expression on its own (a `--set` value, a default of the schema table); `None` if it is not exactly one. Its spans
/// point into no file.
pub fn expression(text: &str) -> Option<ast::Expr> {
    let whole = format!("mtl 1\ntrain {{ value = {text}\n}}\n");
    let parsed = parse(FileId(u32::MAX), &whole);
    if parsed.has_errors() {
        return None;
    }
    let [item] = <[ast::Item; 1]>::try_from(parsed.into_file().items).ok()?;
    match <[ast::Entry; 1]>::try_from(item.body?.entries).ok()? {
        [ast::Entry::Attr(a)] => Some(a.value),
        _ => None,
    }
}
