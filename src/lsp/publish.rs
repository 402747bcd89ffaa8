//! The problems of documents, and of the files that they import where those are not open themselves.

use std::collections::{BTreeMap, BTreeSet};

use gen_lsp_types::{
    Diagnostic as Shown, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, Location,
    PublishDiagnosticsParams, Uri,
};
use serde_json::json;

use super::convert::Place;
use super::positions::Lines;
use super::queue::Snapshot;
use super::worker::Client;
use crate::diag::{Diagnostic, Severity, codes};
use crate::ide::Analysis;
use crate::screen::shell;
use crate::source::FileId;

/// What each document said of which file.
#[derive(Default)]
pub(super) struct Published {
    by_root: BTreeMap<String, BTreeMap<String, Vec<Shown>>>,
}

impl Published {
    /// Finds and sends the problems of a document; for one that is closed, that there are none.
    pub(super) fn update(&mut self, client: &Client, now: &Snapshot, root: &str, analysis: Option<&Analysis>) {
        let new = analysis.map(|a| by_file(now, root, a)).unwrap_or_default();
        let old = match new.is_empty() {
            true => self.by_root.remove(root),
            false => self.by_root.insert(root.to_string(), new),
        };
        let mut touched: BTreeSet<String> = old.iter().flat_map(BTreeMap::keys).cloned().collect();
        touched.extend(self.by_root.get(root).into_iter().flat_map(BTreeMap::keys).cloned());
        touched.insert(root.to_string());
        for uri in touched {
            let open = now.documents.get(&uri);
            // An open document speaks for itself; another file by all that import it.
            let mut list: Vec<Shown> = Vec::new();
            match open {
                Some(_) if uri != root => continue,
                Some(_) => list.extend(self.by_root.get(root).and_then(|m| m.get(&uri)).into_iter().flatten().cloned()),
                None => {
                    for shown in self.by_root.values().filter_map(|m| m.get(&uri)).flatten() {
                        if !list.contains(shown) {
                            list.push(shown.clone());
                        }
                    }
                }
            }
            let params =
                PublishDiagnosticsParams { uri: Uri(uri), version: open.map(|d| d.version), diagnostics: list };
            client.notify("textDocument/publishDiagnostics", serde_json::to_value(params).unwrap_or_default());
        }
    }
}

fn by_file(now: &Snapshot, root: &str, analysis: &Analysis) -> BTreeMap<String, Vec<Shown>> {
    let mut places: BTreeMap<FileId, Place> = BTreeMap::new();
    let mut out: BTreeMap<String, Vec<Shown>> = BTreeMap::from([(root.to_string(), Vec::new())]);
    for d in &analysis.diagnostics {
        let file = d.primary.as_ref().map_or(analysis.root, |p| p.span.file);
        for f in d.secondary.iter().map(|l| l.span.file).chain([file]) {
            places.entry(f).or_insert_with(|| Place::of(now, analysis, f, root));
        }
        let Some(uri) = places[&file].uri.clone() else { continue };
        out.entry(uri).or_default().push(shown(d, file, &places));
    }
    out
}

/// One problem as the protocol has it.
pub(super) fn shown(d: &Diagnostic, file: FileId, places: &BTreeMap<FileId, Place>) -> Shown {
    let here = &places[&file];
    let range = here.range(d.primary.as_ref().map_or(0..0, |p| p.span.range()));
    let mut message = d.message.clone();
    if let Some(label) = d.primary.as_ref().map(|p| p.text.as_str()).filter(|t| !t.is_empty()) {
        message += &format!("\n{label}");
    }
    let mut related = Vec::new();
    for l in &d.secondary {
        let place = &places[&l.span.file];
        let text = if l.text.is_empty() { "see here".to_string() } else { l.text.clone() };
        match &place.uri {
            Some(uri) => related.push(DiagnosticRelatedInformation {
                location: Location { uri: Uri(uri.clone()), range: place.range(l.span.range()) },
                message: text,
            }),
            None => message += &format!("\n{text} (in {})", place.name),
        }
    }
    if let Some(help) = &d.help {
        message += &format!("\nhelp: {help}");
    }
    Shown {
        range,
        severity: Some(match d.severity {
            Severity::Error => DiagnosticSeverity::Error,
            Severity::Warning => DiagnosticSeverity::Warning,
            Severity::Advice => DiagnosticSeverity::Information,
        }),
        code: Some(d.code.name().to_string().into()),
        code_description: None,
        source: Some("mtlc".into()),
        message: message.into(),
        tags: (d.code == codes::NAME_UNUSED).then(|| vec![DiagnosticTag::Unnecessary]),
        related_information: (!related.is_empty()).then_some(related),
        data: Some(json!({ "explain": shell::mtlc("explain").words(d.code.name()).text() })),
    }
}

/// Lines of a text, made when they are needed.
impl Place {
    pub(super) fn of(now: &Snapshot, analysis: &Analysis, file: FileId, root: &str) -> Place {
        let source = analysis.sources.file(file);
        let uri = match (&source.path, file == analysis.root) {
            (_, true) => Some(root.to_string()),
            (Some(path), false) => Some(now.uri_of(path)),
            (None, false) => None,
        };
        Place {
            uri,
            name: source.name.clone(),
            lines: Lines::new(&source.text),
            text: source.text.clone(),
            encoding: now.encoding,
        }
    }
}
