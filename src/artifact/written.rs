//! A spec's own text, put together again: the items in the order in which they are read, what the user's files import in place,
//! comments kept, some items left out, some values replaced.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::paths::rebased;
use crate::data::{name_text, number_text, quoted_text};
use crate::hir::{Spec, Written, eval::Const};
use crate::schema::{Args, Value};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{BinaryOp, Entry, ExprKind, Item};

/// Items that a derived file has anew, or no more.
pub const DERIVED: &[&str] = &["schema", "space", "search", "provenance", "topology"];

/// The text of the user's items for a file in `folder`, some kinds of item left out.
pub fn text(sources: &SourceMap, spec: &Spec, folder: &Path, left_out: &[&str]) -> String {
    let edits = edits(spec, folder);
    let mut out = String::new();
    let mut modules: HashSet<String> = HashSet::new();
    // Per file: how far it is written, and whether the item before was left out.
    let mut at: HashMap<FileId, (usize, bool)> = HashMap::new();
    let mut last_file = None;
    let last: HashMap<FileId, usize> = spec.written.iter().enumerate().map(|(i, w)| (w.item.span.file, i)).collect();
    for (i, Written { item, .. }) in spec.written.iter().enumerate() {
        let file = item.span.file;
        let text = &sources.file(file).text;
        let keep = match item.keyword.text.as_str() {
            "use" => library_module(item).is_some_and(|m| modules.insert(m)),
            word => !left_out.contains(&word),
        };
        // A comment over an import introduces what the import brings.
        let topology = item.names.first().is_some_and(|n| n.text == "topology" && !n.quoted);
        let introduces = keep || (item.keyword.text == "use" && !topology);
        let (from, dropped) = at.get(&file).copied().unwrap_or((0, true));
        let first = from == 0;
        if last_file.is_some_and(|f| f != file) {
            out.push_str("\n\n");
        }
        last_file = Some(file);
        let start = item.span.start as usize;
        out.push_str(&comments(&text[from..start.max(from)], first, dropped, introduces));
        if keep {
            out.push_str(&edited(text, item.span, &edits));
        }
        at.insert(file, (item.span.end as usize, !keep));
        if last[&file] == i {
            out.push_str(&comments(&text[item.span.end as usize..], false, !keep, true));
        }
    }
    out
}

/// `resnet18` of `use std.resnet18`.
fn library_module(item: &Item) -> Option<String> {
    match item.names.as_slice() {
        [name] if !name.quoted => name.text.strip_prefix("std.").map(str::to_string),
        [word, name] if word.text == "std" => Some(name.text.clone()),
        _ => None,
    }
}

/// What of the text between two items is written: comments and blank lines. `first`: the edition stands there, and goes.
/// `dropped`: the item before is left out, and with it the comment on its last line. Unless `keep`, the item after is left out,
/// and with it the comment right above.
fn comments(gap: &str, first: bool, dropped: bool, keep: bool) -> String {
    // A carriage return alone ends a line, too: trimmed away, it would join a comment with what follows.
    let gap = gap.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = gap.split('\n').map(str::trim).collect();
    if first {
        // Of the first lines only comments stay.
        for line in &mut lines {
            *line = line.find('#').map_or("", |at| &line[at..]);
        }
    } else if dropped {
        lines[0] = "";
    }
    if !keep {
        // The last line is what stands left of the item.
        let above = lines.len().saturating_sub(1);
        let start = lines[..above].iter().rposition(|l| !l.starts_with('#')).map_or(0, |i| i + 1);
        // A comment at the end of the item before is not above this one.
        for line in &mut lines[start.max(usize::from(!first))..above] {
            *line = "";
        }
    }
    lines.join("\n")
}

/// A piece of text to replace.
type Edit = (Span, String);

fn edited(text: &str, span: Span, edits: &[Edit]) -> String {
    let mut out = String::new();
    let mut at = span.start;
    let inside = |e: &&Edit| e.0.file == span.file && e.0.start >= span.start && e.0.end <= span.end;
    for (place, new) in edits.iter().filter(inside) {
        if place.start < at {
            continue;
        }
        out.push_str(&text[at as usize..place.start as usize]);
        out.push_str(new);
        at = place.end;
    }
    out.push_str(&text[at as usize..span.end as usize]);
    out
}

/// The text of a program in one file. The paths in its searches are relative to `from`; the returned text has them relative to `folder`.
pub fn searches_moved(text: &str, spec: &Spec, from: &Path, folder: &Path) -> String {
    let mut edits: Vec<Edit> = Vec::new();
    for s in &spec.searches {
        paths_of(&s.args, &mut |path, span| edits.push((span, quoted_text(&rebased(path, from, folder)))));
    }
    edits.sort_by_key(|(span, _)| (span.file, span.start));
    let whole = spec.searches.first().map(|s| Span::new(s.span.file, 0, text.len()));
    whole.map_or_else(|| text.to_string(), |whole| edited(text, whole, &edits))
}

/// Parameters set from outside, and paths as they read from `folder`; in order of place.
fn edits(spec: &Spec, folder: &Path) -> Vec<Edit> {
    let mut out: Vec<Edit> = Vec::new();
    for p in spec.params.iter().filter(|p| p.set) {
        let item =
            spec.written.iter().map(|w| &w.item).find(|i| i.keyword.text == "param" && i.names[0].span == p.span);
        let Some(value) = item.and_then(|i| i.value.as_ref()) else { continue };
        let default = match &value.kind {
            ExprKind::Binary { op: BinaryOp::In, left, .. } => left.span,
            _ => value.span,
        };
        let text = match &p.value {
            Const::Int(v) => v.to_string(),
            Const::Float(v) => number_text(*v),
            Const::Bool(v) => v.to_string(),
            Const::Str(v) => quoted_text(v),
            Const::Open => continue,
        };
        out.push((default, text));
    }
    for s in &spec.searches {
        paths_of(&s.args, &mut |path, span| {
            let new = rebased(path, &s.base, folder);
            if new != *path {
                out.push((span, quoted_text(&new)));
            }
        });
    }
    for d in &spec.data {
        paths_of(&d.args, &mut |path, span| {
            let new = rebased(path, &d.base, folder);
            if new != *path {
                out.push((span, quoted_text(&new)));
            }
        });
        let schemas = spec.written.iter().map(|w| &w.item).filter(|i| i.keyword.text == "schema");
        for schema in schemas.filter(|i| i.names.first().is_some_and(|n| n.text == d.name)) {
            for entry in schema.body.iter().flat_map(|b| &b.entries) {
                if let Entry::Nested(n) = entry
                    && n.keyword.text == "file"
                    && let [path] = n.names.as_slice()
                {
                    let new = rebased(&path.text, &d.base, folder);
                    if new != path.text {
                        out.push((path.span, name_text(&new)));
                    }
                }
            }
        }
    }
    out.sort_by_key(|(span, _)| (span.file, span.start));
    out
}

/// Visits the paths that are written in attributes.
fn paths_of(args: &Args, visit: &mut dyn FnMut(&String, Span)) {
    for (name, value) in args.iter() {
        if args.is_given(name) {
            paths_in(&value.value, value.span, visit);
        }
    }
}

fn paths_in(value: &Value, span: Span, visit: &mut dyn FnMut(&String, Span)) {
    match value {
        Value::Path(p) => visit(p, span),
        Value::List(items) => items.iter().for_each(|v| paths_in(&v.value, v.span, visit)),
        Value::Call(call) => paths_of(&call.args, visit),
        _ => {}
    }
}
