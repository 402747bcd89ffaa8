//! Edits of several files, and files that are made.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::convert::Place;
use super::positions::Lines;
use super::worker::World;
use crate::ide::TextEdit;

impl World {
    /// A text that the client has or that stands on disk, to speak of places in it.
    pub(super) fn place(&self, uri: &str, text: &str) -> Place {
        Place {
            uri: Some(uri.to_string()),
            name: String::new(),
            text: text.to_string(),
            lines: Lines::new(text),
            encoding: self.now.encoding,
        }
    }

    pub(super) fn place_at(&self, path: &Path) -> Option<Place> {
        let text = self.now.load(path).ok()?;
        Some(self.place(&self.now.uri_of(path), &text))
    }

    /// A workspace edit; an empty path is the document itself. `None` where a file cannot be read, or made by this client.
    pub(super) fn workspace_edit(
        &self,
        here: &Place,
        edits: &[(PathBuf, Vec<TextEdit>)],
        creates: &[(PathBuf, String)],
    ) -> Option<Value> {
        let mut by_file: Vec<(String, Value)> = Vec::new();
        for (path, list) in edits {
            match path.as_os_str().is_empty() {
                true => by_file.push((here.uri.clone()?, serde_json::to_value(here.edits(list)).ok()?)),
                false => {
                    let place = self.place_at(path)?;
                    by_file.push((place.uri.clone()?, serde_json::to_value(place.edits(list)).ok()?));
                }
            }
        }
        if creates.is_empty() {
            let changes: serde_json::Map<String, Value> = by_file.into_iter().collect();
            return Some(json!({ "changes": changes }));
        }
        if !self.client.creates_files {
            return None;
        }
        let mut changes: Vec<Value> = Vec::new();
        for (uri, list) in by_file {
            changes.push(json!({ "textDocument": { "uri": uri, "version": null }, "edits": list }));
        }
        for (path, text) in creates {
            let uri = self.now.uri_of(path);
            let start = json!({ "line": 0, "character": 0 });
            changes.push(
                json!({ "kind": "create", "uri": uri, "options": { "ignoreIfExists": false, "overwrite": false } }),
            );
            changes.push(json!({
                "textDocument": { "uri": uri, "version": null },
                "edits": [{ "range": { "start": start, "end": start }, "newText": text }],
            }));
        }
        Some(json!({ "documentChanges": changes }))
    }
}
