//! Slips that are mended before the items are read, so that each gives one message and the rest keeps its meaning: the same thing
//! written twice, a misspelt `level`, `=` for `<-` in a topology.

use std::collections::{BTreeSet, HashMap};

use super::import::Loaded;
use super::schema::{self, ItemDef};
use crate::diag::{Applicability, Diagnostic, Diagnostics, codes, suggest};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{Body, Edge, Entry, Expr, ExprKind, Item, Nested};

pub(super) fn mend(items: &mut Vec<Loaded>, sources: &SourceMap, diags: &mut Diagnostics) {
    // What parsing reported: where it is silent, a text means the same in any layout.
    let reported: Vec<Span> =
        diags.iter().filter(|d| d.is_error()).filter_map(|d| d.primary.as_ref()).map(|p| p.span).collect();
    for l in items.iter_mut().filter(|l| !l.library) {
        let Some(def) = schema::item(&l.item.keyword.text) else { continue };
        if let Some(body) = &mut l.item.body {
            match def.keyword {
                "topology" => equals_for_edges(body, sources, &reported, diags),
                "data" => format_misspelt(body, diags),
                _ => {}
            }
            nested_misspelt(body, def, diags);
            repeated_entries(body, def.keyword, sources, diags);
        }
        super::unread::mend_misspelt(&mut l.item, diags);
    }
    repeated_items(items, diags);
}

/// `a = b` between lines `a <- b`.
fn equals_for_edges(body: &mut Body, sources: &SourceMap, reported: &[Span], diags: &mut Diagnostics) {
    for entry in &mut body.entries {
        let Entry::Attr(a) = entry else { continue };
        // The rest of a line that could not be read is no line of its own.
        let text = &sources.file(a.span.file).text;
        let begins = text[..a.span.start as usize].rfind('\n').map_or(0, |i| i + 1);
        let before = Span { start: begins as u32, end: a.span.start, ..a.span };
        if reported.iter().any(|r| within(*r, before)) {
            continue;
        }
        let sign = Span { start: a.key.span.end, end: a.value.span.start, ..a.span };
        diags.push(
            Diagnostic::new(codes::SYNTAX_UNEXPECTED, a.key.span, format!("`{}` takes `<-`, not `=`", a.key.text))
                .label("what it reads stands after `<-`")
                .fix("replace `=` with `<-`", sign, " <- ", Applicability::Safe),
        );
        let target = Expr { kind: ExprKind::Path(vec![a.key.clone()]), span: a.key.span };
        *entry = Entry::Edge(Edge { targets: vec![target], source: a.value.clone(), span: a.span });
    }
}

fn within(inner: Span, outer: Span) -> bool {
    inner.file == outer.file && outer.start <= inner.start && inner.end <= outer.end
}

/// `format` decides what the other attributes are: misspelt, it would make them all unknown.
fn format_misspelt(body: &mut Body, diags: &mut Diagnostics) {
    let formats = crate::data::table();
    let known = |k: &str| k == "format" || formats.iter().any(|f| f.call.args.iter().any(|a| a.name == k));
    if body.entries.iter().any(|e| matches!(e, Entry::Attr(a) if a.key.text == "format")) {
        return;
    }
    for entry in &mut body.entries {
        if let Entry::Attr(a) = entry
            && !known(&a.key.text)
            && suggest::nearest(&a.key.text, ["format"]) == Some("format")
        {
            let message = format!("a `data` has no attribute `{}`", a.key.text);
            diags.push(Diagnostic::new(codes::NAME_UNKNOWN_ATTRIBUTE, a.key.span, message).nearest(
                &a.key.text,
                a.key.span,
                ["format"].into_iter(),
                str::to_string,
            ));
            a.key.text = "format".into();
            return;
        }
    }
}

/// `levle c1 { ... }`: the word is read as the one that it is near to.
fn nested_misspelt(body: &mut Body, def: &ItemDef, diags: &mut Diagnostics) {
    const OF_SCHEMA: &[&str] = &["file", "split", "column"];
    let known: Vec<&'static str> = match def.keyword {
        "schema" => OF_SCHEMA.to_vec(),
        _ if def.open || def.nested.is_empty() => return,
        _ => def.nested.iter().map(|n| n.keyword).collect(),
    };
    let words = || known.iter().copied();
    for entry in &mut body.entries {
        let Entry::Nested(n) = entry else { continue };
        let word = n.keyword.text.clone();
        if words().any(|w| w == word) {
            continue;
        }
        let Some(meant) = suggest::nearest(&word, words()) else { continue };
        let message = format!("a `{}` has no part called `{word}`", def.keyword);
        diags.push(
            Diagnostic::new(codes::NAME_UNKNOWN_ATTRIBUTE, n.keyword.span, message)
                .nearest(&word, n.keyword.span, words(), str::to_string)
                .help(format!("its parts are {}", suggest::listing(words()))),
        );
        n.keyword.text = meant.into();
    }
}

/// The same entry again: nothing is lost without it.
fn repeated_entries(body: &mut Body, owner: &str, sources: &SourceMap, diags: &mut Diagnostics) {
    for entry in &mut body.entries {
        if let Entry::Nested(Nested { keyword, body: Some(inner), .. }) = entry {
            repeated_entries(inner, &keyword.text.clone(), sources, diags);
        }
    }
    let mut drop: BTreeSet<usize> = BTreeSet::new();
    let mut named: HashMap<(&str, String), Vec<usize>> = HashMap::new();
    for (i, entry) in body.entries.iter().enumerate() {
        let (what, name, at, span) = describe(entry, owner);
        let earlier = named.entry((what, name.clone())).or_default();
        let first = earlier.iter().find(|e| body.entries[**e] == *entry).copied();
        earlier.push(i);
        let Some(first) = first else { continue };
        let before = end_of(&body.entries[i - 1]);
        let whole = Span { start: before, ..span };
        // A comment between the two is kept.
        let between = sources.file(span.file).text.get(before as usize..span.start as usize).unwrap_or("#");
        let place = if between.contains('#') { span } else { whole };
        drop.insert(i);
        diags.push(twice(what, &name, at, describe(&body.entries[first], owner).2, place));
    }
    let mut i = 0;
    body.entries.retain(|_| {
        i += 1;
        !drop.contains(&(i - 1))
    });
}

/// What an entry is called, its name, where that stands, and the whole of it.
fn describe(entry: &Entry, owner: &str) -> (&'static str, String, Span, Span) {
    match entry {
        Entry::Attr(a) => {
            let what = if matches!(owner, "block" | "stage" | "head") { "value" } else { "attribute" };
            (what, a.key.text.clone(), a.key.span, a.span)
        }
        Entry::Edge(e) => (
            "line",
            e.targets.first().map(name_of).unwrap_or_default(),
            e.targets.first().map_or(e.span, |t| t.span),
            e.span,
        ),
        Entry::Nested(n) => {
            let words = ["stage", "level", "heads", "tree", "single", "column", "file", "split", "array"];
            let what = words.into_iter().find(|w| *w == n.keyword.text).unwrap_or("entry");
            let name = n.names.first();
            (what, name.map(|n| n.text.clone()).unwrap_or_default(), name.map_or(n.keyword.span, |n| n.span), n.span)
        }
    }
}

fn name_of(target: &Expr) -> String {
    match &target.kind {
        ExprKind::Path(p) => super::eval::dotted(p),
        ExprKind::Str(s) => s.clone(),
        _ => String::new(),
    }
}

fn end_of(entry: &Entry) -> u32 {
    match entry {
        Entry::Attr(a) => a.span.end,
        Entry::Edge(e) => e.span.end,
        Entry::Nested(n) => n.span.end,
    }
}

/// The same item again. An import twice counts once and is no mistake.
fn repeated_items(items: &mut Vec<Loaded>, diags: &mut Diagnostics) {
    let mut drop: BTreeSet<usize> = BTreeSet::new();
    // Items with the same words in front; only these are compared whole.
    let mut alike: HashMap<(FileId, String), Vec<&Item>> = HashMap::new();
    for (i, l) in items.iter().enumerate().filter(|(_, l)| !l.library && l.item.keyword.text != "use") {
        let Item { keyword, names, targets, span, .. } = &l.item;
        let words = [keyword].into_iter().chain(names).map(|n| n.text.clone()).chain(targets.iter().map(name_of));
        let earlier = alike.entry((span.file, words.collect::<Vec<_>>().join("\n"))).or_default();
        let first = earlier.iter().find(|o| **o == &l.item).copied();
        earlier.push(&l.item);
        let Some(first) = first else { continue };
        let at = |i: &Item| i.names.first().map_or(i.keyword.span, |n| n.span);
        let what = schema::item(&l.item.keyword.text).map_or("item", |d| d.keyword);
        let name = l.item.names.first().map(|n| n.text.clone()).unwrap_or_default();
        drop.insert(i);
        diags.push(twice(what, &name, at(&l.item), at(first), l.item.span));
    }
    let mut i = 0;
    items.retain(|_| {
        i += 1;
        !drop.contains(&(i - 1))
    });
}

fn twice(what: &str, name: &str, at: Span, first: Span, whole: Span) -> Diagnostic {
    let quoted = if name.is_empty() { String::new() } else { format!(" `{name}`") };
    Diagnostic::new(codes::NAME_DUPLICATE, at, format!("the {what}{quoted} stands here twice"))
        .label("the same again")
        .also(first, "first here")
        // The second of two parts with a name may be meant to have another one.
        .fix(
            "remove the second",
            whole,
            "",
            if ["attribute", "value", "line"].contains(&what) { Applicability::Safe } else { Applicability::Maybe },
        )
}
