//! The texts that the client has open.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::TextDocumentContentChangeEvent as Change;

use super::positions::{Encoding, Lines};
use super::uri;
use crate::source::normal;

#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) version: i32,
    pub(super) text: Arc<str>,
    pub(super) path: PathBuf,
    /// Counts every change: of two states of a document the later one has the larger.
    pub(super) revision: u64,
}

/// By URI, as the client writes it.
#[derive(Debug, Clone, Default)]
pub(super) struct Documents {
    open: HashMap<String, Document>,
    revision: u64,
}

impl Documents {
    pub(super) fn open(&mut self, uri: &str, version: i32, text: &str) {
        self.revision += 1;
        let document = Document { version, text: text.into(), path: uri::path(uri), revision: self.revision };
        self.open.insert(uri.to_string(), document);
    }

    pub(super) fn close(&mut self, uri: &str) {
        self.revision += 1;
        self.open.remove(uri);
    }

    /// Applies changes one after the other; false for a document that is not open.
    pub(super) fn change(&mut self, uri: &str, version: i32, changes: &[Change], encoding: Encoding) -> bool {
        let Some(document) = self.open.get_mut(uri) else { return false };
        let mut text = document.text.to_string();
        for change in changes {
            match change {
                Change::TextDocumentContentChangePartial(c) => {
                    let lines = Lines::new(&text);
                    let (a, b) =
                        (lines.offset(&text, c.range.start, encoding), lines.offset(&text, c.range.end, encoding));
                    text.replace_range(a.min(b)..a.max(b), &c.text);
                }
                Change::TextDocumentContentChangeWholeDocument(c) => text.clone_from(&c.text),
            }
        }
        self.revision += 1;
        document.version = version;
        document.revision = self.revision;
        document.text = text.into();
        true
    }

    /// Changes whenever any document does.
    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    pub(super) fn get(&self, uri: &str) -> Option<&Document> {
        self.open.get(uri)
    }

    pub(super) fn uris(&self) -> impl Iterator<Item = &String> {
        self.open.keys()
    }

    /// The open document at a path.
    pub(super) fn at_path(&self, path: &Path) -> Option<(&String, &Document)> {
        let wanted = normal(path);
        self.open.iter().find(|(_, d)| d.path == path || normal(&d.path) == wanted)
    }
}
