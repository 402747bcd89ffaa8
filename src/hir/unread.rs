//! Values of stages, heads and blocks that no expression beside them reads: a misspelt `from` or `out`, or one too many.

use std::collections::HashSet;

use super::eval::walk_paths;
use super::schema;
use crate::diag::{Applicability, Diagnostic, Diagnostics, codes, suggest};
use crate::schema::AttrDef;
use crate::source::FileId;
use crate::syntax::ast::{Attr, Body, Entry, Expr, Item, Param};

/// The body that ends in `out = ...`, whose values are named freely.
fn bodies(item: &mut Item) -> Vec<(&'static [AttrDef], &'static str, &mut Body)> {
    let Some(def) = schema::item(&item.keyword.text) else { return Vec::new() };
    let Some(body) = &mut item.body else { return Vec::new() };
    if matches!(def.keyword, "head" | "block") {
        return vec![(def.attrs, def.keyword, body)];
    }
    let of_nested = |e| match e {
        &mut Entry::Nested(ref mut n) => {
            let def = def.nested.iter().find(|d| d.keyword == n.keyword.text && d.keyword == "stage")?;
            n.body.as_mut().map(|b| (def.attrs, def.keyword, b))
        }
        _ => None,
    };
    body.entries.iter_mut().filter_map(of_nested).collect()
}

/// The first segments of all names that the body's values read.
fn read_in(body: &Body) -> HashSet<String> {
    let mut read = HashSet::new();
    for entry in &body.entries {
        if let Entry::Attr(a) = entry {
            walk_paths(&a.value, &mut |p| {
                read.extend(p.first().map(|n| n.text.clone()));
            });
        }
    }
    read
}

fn attributes(body: &mut Body) -> impl Iterator<Item = &mut Attr> {
    body.entries.iter_mut().filter_map(|e| match e {
        Entry::Attr(a) => Some(a),
        _ => None,
    })
}

/// `fro = vitals` that nothing reads: taken as the word that it is near to, so that the stage reads what it was to read.
pub(super) fn mend_misspelt(item: &mut Item, diags: &mut Diagnostics) {
    for (attrs, keyword, body) in bodies(item) {
        let read = read_in(body);
        let given: Vec<String> = attributes(body).map(|a| a.key.text.clone()).collect();
        let words: Vec<&'static str> =
            attrs.iter().map(|a| a.name).chain(["out"]).filter(|w| !given.iter().any(|g| g == w)).collect();
        let own = |w: &str| w == "out" || attrs.iter().any(|a| a.name == w);
        let unread = |a: &&mut Attr| !read.contains(&a.key.text) && !own(&a.key.text);
        let count = attributes(body).filter(unread).count();
        for a in attributes(body).filter(unread) {
            let word = a.key.text.clone();
            let message = format!("nothing in this {keyword} reads a value called `{word}`");
            let message = Diagnostic::new(codes::NAME_UNKNOWN_ATTRIBUTE, a.key.span, message);
            let words = || words.iter().copied();
            if let Some(near) = suggest::nearest(&word, words()) {
                diags.push(message.nearest(&word, a.key.span, words(), str::to_string));
                a.key.text = near.into();
            } else if count == 1 && words().any(|w| w == "out") {
                diags.push(message.label("the result is called `out`").fix(
                    format!("replace `{word}` with `out`"),
                    a.key.span,
                    "out",
                    Applicability::Maybe,
                ));
                a.key.text = "out".into();
            }
        }
    }
}

/// Named, and read by nothing: legal, and surely not what was meant.
pub(super) fn warn(item: &Item, root: FileId, diags: &mut Diagnostics) {
    for (attrs, keyword, body) in bodies(&mut item.clone()) {
        let read = read_in(body);
        for a in attributes(body).filter(|a| a.span.file == root && !read.contains(&a.key.text)) {
            let word = &a.key.text;
            if word == "out" || attrs.iter().any(|a| a.name == word) {
                continue;
            }
            diags.push(
                Diagnostic::new(codes::NAME_UNUSED, a.key.span, format!("nothing in this {keyword} reads `{word}`"))
                    .help("remove it, or read it in a later value or in `out`"),
            );
        }
    }
}

/// Parameters of a block or a backbone that nothing in it reads: whatever a call gives for them changes nothing.
pub(super) fn warn_parameters(item: &Item, root: FileId, diags: &mut Diagnostics) {
    let typed = item.params.iter().flat_map(|p| &p.value).filter(|p| p.ty.is_some() && p.span.file == root);
    let typed: Vec<&Param> = typed.collect();
    if typed.is_empty() {
        return;
    }
    let mut read = HashSet::new();
    let mut visit = |e: &Expr| walk_paths(e, &mut |p| read.extend(p.first().map(|n| n.text.clone())));
    item.value.iter().for_each(&mut visit);
    item.params.iter().flat_map(|p| &p.value).filter_map(|p| p.default.as_ref()).for_each(&mut visit);
    each_value(item.body.as_ref(), &mut visit);
    for p in typed.into_iter().filter(|p| !read.contains(&p.name.text)) {
        let message = format!("nothing in this {} reads the parameter `{}`", item.keyword.text, p.name.text);
        let d = Diagnostic::new(codes::NAME_UNUSED, p.name.span, message);
        diags.push(d.help("remove it, or use it: giving it a value changes nothing now"));
    }
}

/// Visits all values of a body, those of nested entries too.
fn each_value(body: Option<&Body>, visit: &mut dyn FnMut(&Expr)) {
    for entry in body.iter().flat_map(|b| &b.entries) {
        match entry {
            Entry::Attr(a) => visit(&a.value),
            Entry::Nested(n) => {
                n.index.iter().flat_map(|i| &i.value).chain(&n.value).for_each(&mut *visit);
                each_value(n.body.as_ref(), visit);
            }
            Entry::Edge(e) => visit(&e.source),
        }
    }
}
