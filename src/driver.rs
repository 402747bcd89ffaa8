//! The whole pipeline in one page. Read this second, after `lib.rs`.
//!
//! [`compile`] takes a file as far as text alone allows; everything that runs starts from its [`Checked`].

use std::path::Path;

use crate::artifact;
use crate::check::{self, Checked, Partly};
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::hir::{self, Options};
use crate::source::{FileId, SourceMap, read_text};
use crate::syntax::{self, Parse};

/// A compilation: the sources (for rendering), what was found, and the checked spec if nothing was wrong.
#[derive(Debug)]
pub struct Compiled {
    pub sources: SourceMap,
    pub root: FileId,
    /// In order of place.
    pub diagnostics: Vec<Diagnostic>,
    pub checked: Option<Checked>,
}

impl Compiled {
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// Whether the program itself is correct but the data do not match it: arrays of other sizes, labels of other classes.
    pub fn is_about_data(&self) -> bool {
        let of_data = |d: &Diagnostic| [codes::DATA_SHAPE, codes::TASK_RANGE].contains(&d.code);
        self.has_errors() && self.diagnostics.iter().filter(|d| d.is_error()).all(of_data)
    }
}

/// Reads a file and compiles it; an error only if it cannot be read.
pub fn compile(path: &Path, options: &Options) -> std::io::Result<Compiled> {
    let text = read(path)?;
    Ok(compile_text(&text, path, options, &read))
}

/// Compiles a text that stands at `path`; `load` reads what it imports.
pub fn compile_text(
    text: &str,
    path: &Path,
    options: &Options,
    load: &dyn Fn(&Path) -> std::io::Result<String>,
) -> Compiled {
    let Examined { sources, root, diagnostics, outcome, .. } = examine_text(text, path, options, load);
    Compiled { sources, root, diagnostics, checked: outcome.ok() }
}

/// A compilation that keeps what could be told in spite of errors.
#[derive(Debug)]
pub struct Examined {
    pub sources: SourceMap,
    pub root: FileId,
    /// The tree of the root.
    pub parse: Parse,
    /// In order of place.
    pub diagnostics: Vec<Diagnostic>,
    pub outcome: Result<Checked, Box<Partly>>,
}

/// The same as [`compile_text`], for an editor.
pub fn examine_text(
    text: &str,
    path: &Path,
    options: &Options,
    load: &dyn Fn(&Path) -> std::io::Result<String>,
) -> Examined {
    let mut sources = SourceMap::default();
    let root = sources.add(path.display().to_string(), Some(path), text);
    let mut diags = Diagnostics::default();
    suggest::begin();
    // Text -> tree -> spec: names resolved, templates and imports expanded.
    let parse = syntax::parse(root, &sources.file(root).text);
    let spec = hir::lower(root, &parse, Some(path), &mut sources, load, options, &mut diags);
    // Spec -> graph, shapes, costs, fit: facts in side tables.
    let outcome = check::trainable(spec, &mut diags);
    if let Ok(c) = &outcome {
        artifact::check_provenance(&c.spec, &mut diags);
    }
    Examined { sources, root, parse, diagnostics: diags.into_sorted(), outcome }
}

/// Larger files are not read at all; what the parser refuses as too large, with a diagnostic, is smaller.
const MOST: u64 = 256 << 20;

/// Reads a text file; bytes that are not UTF-8 are an error of kind `InvalidData`.
pub fn read(path: &Path) -> std::io::Result<String> {
    read_text(path, MOST)
}
