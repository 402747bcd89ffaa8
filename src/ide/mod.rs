//! Answers for an editor, as plain data: byte offsets in, structs out. Nothing here knows the protocol, reads a file of its own
//! accord, or remembers anything between two texts: an answer is a function of the text and of what it imports.
//!
//! [`Analysis`] is one text with all that was found out about it; each feature is a file that asks it. [`names`] says what every name
//! means, [`context`] where the cursor stands in a text that is still being written.

pub mod actions;
mod branch;
pub mod completion;
pub mod context;
pub mod docs;
mod extract;
pub mod facts;
pub mod glossary;
pub mod hints;
pub mod hover;
mod inline;
pub mod lenses;
pub mod names;
pub mod outline;
pub mod refer;
mod resolve;
pub mod structure;
pub mod tokens;

use std::cell::OnceCell;
use std::io;
use std::path::{Path, PathBuf};

use crate::check::{Checked, Partly, Typed};
use crate::diag::Diagnostic;
use crate::driver;
use crate::hir::{Options, Spec};
use crate::ir::Network;
use crate::source::{FileId, SourceMap};
use crate::syntax::Parse;

/// Reads a file as text; an editor's unsaved text goes before what is on disk.
pub type Loader<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

/// One text, with what was found out about it and what it imports.
#[derive(Debug)]
pub struct Analysis {
    pub sources: SourceMap,
    pub root: FileId,
    /// In order of place, those of imported files included.
    pub diagnostics: Vec<Diagnostic>,
    outcome: Result<Checked, Box<Partly>>,
    parse: Parse,
    names: OnceCell<names::Names>,
}

impl Analysis {
    pub fn new(text: &str, path: &Path, load: Loader) -> Analysis {
        let examined = driver::examine_text(text, path, &Options::default(), load);
        Analysis {
            sources: examined.sources,
            root: examined.root,
            diagnostics: examined.diagnostics,
            outcome: examined.outcome,
            parse: examined.parse,
            names: OnceCell::new(),
        }
    }

    pub fn text(&self) -> &str {
        &self.sources.file(self.root).text
    }

    pub fn path(&self) -> PathBuf {
        self.sources.file(self.root).path.clone().unwrap_or_default()
    }

    /// The spec if it is clean.
    pub fn checked(&self) -> Option<&Checked> {
        self.outcome.as_ref().ok()
    }

    pub fn spec(&self) -> &Spec {
        match &self.outcome {
            Ok(c) => &c.spec,
            Err(p) => &p.spec,
        }
    }

    /// The network of the space, if there is one.
    pub fn supernet(&self) -> Option<&Network> {
        match &self.outcome {
            Ok(c) => c.supernet.as_ref(),
            Err(p) => p.supernet.as_ref(),
        }
    }

    /// Types and costs of a stage, by its index in the backbone.
    pub fn stage(&self, index: usize) -> Option<&Typed> {
        match &self.outcome {
            Ok(c) => c.stages.get(index),
            Err(p) => p.stages.get(index)?.as_ref(),
        }
    }

    /// Types and costs of a task's head.
    pub fn head(&self, task: usize) -> Option<&Typed> {
        match &self.outcome {
            Ok(c) => c.heads.get(task)?.as_ref(),
            Err(p) => p.heads.get(task)?.as_ref(),
        }
    }

    /// The tree of the text.
    pub fn parse(&self) -> &Parse {
        &self.parse
    }

    /// What every name means; read when it is first asked for.
    pub fn names(&self) -> &names::Names {
        self.names.get_or_init(|| resolve::names(&self.sources, self.root, self.parse(), self.spec()))
    }

    /// Whether the text has errors of its own or of what it imports.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// A text edit in one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEdit {
    pub range: std::ops::Range<usize>,
    pub text: String,
}

/// Makes disjoint edits of a text.
pub fn apply(text: &str, edits: &[TextEdit]) -> String {
    let mut sorted: Vec<&TextEdit> = edits.iter().collect();
    sorted.sort_by_key(|e| (e.range.start, e.range.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for e in sorted {
        if e.range.start < at || e.range.end > text.len() {
            continue;
        }
        out.push_str(&text[at..e.range.start]);
        out.push_str(&e.text);
        at = e.range.end;
    }
    out.push_str(&text[at..]);
    out
}
