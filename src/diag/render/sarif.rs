//! A SARIF 2.1.0 log (OASIS, 2020), for code hosts and CI. One run; the rules are the whole table of codes, so a reader
//! can look up any code from any log. Columns count UTF-16 units, the standard's own default.

use serde_json::{Map, Value, json};

use super::place::Place;
use crate::diag::{Code, Diagnostic, Fix, Label, Severity};
use crate::source::{FileId, SourceFile, SourceMap};

pub fn log(diags: &[Diagnostic], map: &SourceMap) -> Value {
    let codes: Vec<Code> = Code::all().collect();
    let rules: Vec<Value> = codes.iter().map(|c| rule(*c)).collect();
    let results: Vec<Value> = diags.iter().map(|d| result(d, map, &codes)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "mtlc",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "utf16CodeUnits",
            "results": results,
        }],
    })
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.name(),
        "shortDescription": { "text": code.title() },
        // The standard asks for plain text wherever markdown is given.
        "help": { "text": code.explanation(), "markdown": code.explanation() },
        "defaultConfiguration": { "level": level(code.severity()) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "note",
    }
}

fn result(d: &Diagnostic, map: &SourceMap, codes: &[Code]) -> Value {
    let mut text = d.message.clone();
    for more in [d.primary.as_ref().map(|l| &l.text), d.help.as_ref()].into_iter().flatten().filter(|t| !t.is_empty()) {
        text += "\n";
        text += more;
    }
    let mut out = Map::new();
    out.insert("ruleId".into(), d.code.name().into());
    if let Some(index) = codes.iter().position(|c| *c == d.code) {
        out.insert("ruleIndex".into(), index.into());
    }
    out.insert("level".into(), level(d.severity).into());
    out.insert("message".into(), json!({ "text": text }));
    let locations: Vec<Value> = d.primary.iter().filter_map(|l| location(l, map)).map(Value::Object).collect();
    out.insert("locations".into(), locations.into());
    let mut related = Vec::new();
    for label in &d.secondary {
        if let Some(mut at) = location(label, map) {
            at.insert("id".into(), (related.len() + 1).into());
            at.insert("message".into(), json!({ "text": label.text }));
            related.push(Value::Object(at));
        }
    }
    if !related.is_empty() {
        out.insert("relatedLocations".into(), related.into());
    }
    let fixes: Vec<Value> = d.fixes.iter().filter_map(|f| fix(f, map)).collect();
    if !fixes.is_empty() {
        out.insert("fixes".into(), fixes.into());
    }
    Value::Object(out)
}

fn location(label: &Label, map: &SourceMap) -> Option<Map<String, Value>> {
    let place = Place::of(map, label.span)?;
    let mut at = Map::new();
    at.insert(
        "physicalLocation".into(),
        json!({ "artifactLocation": { "uri": uri(place.file) }, "region": region(&place) }),
    );
    Some(at)
}

fn region(place: &Place) -> Value {
    let ((line, column), (end_line, end_column)) = place.utf16();
    json!({ "startLine": line + 1, "startColumn": column + 1, "endLine": end_line + 1, "endColumn": end_column + 1 })
}

/// One artifact change for each file. A fix of which a part cannot be placed is left out: half a fix is none.
fn fix(fix: &Fix, map: &SourceMap) -> Option<Value> {
    let mut files: Vec<(FileId, Vec<Value>)> = Vec::new();
    for e in &fix.edits {
        let place = Place::of(map, e.span)?;
        let change = json!({ "deletedRegion": region(&place), "insertedContent": { "text": e.text } });
        match files.iter_mut().find(|(id, _)| *id == e.span.file) {
            Some((_, changes)) => changes.push(change),
            None => files.push((e.span.file, vec![change])),
        }
    }
    let changes: Vec<Value> = files
        .into_iter()
        .filter_map(|(id, replacements)| {
            let file = map.get(id)?;
            Some(json!({ "artifactLocation": { "uri": uri(file) }, "replacements": replacements }))
        })
        .collect();
    (!changes.is_empty()).then(|| json!({ "description": { "text": fix.title }, "artifactChanges": changes }))
}

/// The file's name as a URI reference (RFC 3986): percent-encoded, `file://` before an absolute path.
fn uri(file: &SourceFile) -> String {
    let path = if cfg!(windows) { file.name.replace('\\', "/") } else { file.name.clone() };
    let mut out = String::new();
    if path.starts_with('/') {
        out += "file://";
    }
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte as char),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}
