//! One JSON object for each diagnostic, for programs that read line by line.
//!
//! ```json
//! {"code": "mtl::name::unknown", "severity": "error", "title": "...", "message": "...",
//!  "primary": LABEL, "secondary": [LABEL], "help": "..." or null,
//!  "fixes": [{"title": "...", "applicability": "safe" | "maybe", "edits": [RANGE with "text"]}]}
//! ```
//! A label is a range with `text`. A range has `file`, `bytes` (offsets, the end exclusive), `start` and `end` (line and
//! column from 1, in characters) and `utf16` (line and character from 0, as editors count). Keys are only ever added.

use serde_json::{Value, json};

use super::place::Place;
use crate::diag::{Diagnostic, Label};
use crate::source::{LineCol, SourceMap, Span};

pub fn object(d: &Diagnostic, map: &SourceMap) -> Value {
    let label = |l: &Label| ranged(l.span, &l.text, map);
    let fixes: Vec<Value> = d
        .fixes
        .iter()
        .map(|f| {
            let edits: Vec<Value> = f.edits.iter().map(|e| ranged(e.span, &e.text, map)).collect();
            json!({ "title": f.title, "applicability": f.applicability.name(), "edits": edits })
        })
        .collect();
    json!({
        "code": d.code.name(),
        "severity": d.severity.name(),
        "title": d.code.title(),
        "message": d.message,
        "primary": d.primary.as_ref().map(label),
        "secondary": d.secondary.iter().map(label).collect::<Vec<_>>(),
        "help": d.help,
        "fixes": fixes,
    })
}

/// A range and its text; the range is `null` where the file is not known.
fn ranged(span: Span, text: &str, map: &SourceMap) -> Value {
    let Some(place) = Place::of(map, span) else {
        return json!({ "file": null, "text": text });
    };
    let point = |p: LineCol| json!({ "line": p.line, "column": p.column });
    let editor = |(line, character): (usize, usize)| json!({ "line": line, "character": character });
    let (from, to) = place.utf16();
    json!({
        "file": place.file.name,
        "bytes": { "start": place.start, "end": place.end },
        "start": point(place.first()),
        "end": point(place.last()),
        "utf16": { "start": editor(from), "end": editor(to) },
        "text": text,
    })
}
