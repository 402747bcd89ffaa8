//! A branch of a topology to a file of its own: the node, what it reads, and the tasks that it serves.

use std::collections::HashSet;
use std::path::PathBuf;

use super::actions::{Action, ActionKind};
use super::{Analysis, Loader, TextEdit, apply};
use crate::fmt;
use crate::hir::build::quoted_if_needed;
use crate::source::Span;
use crate::syntax::ast::{Edge, Entry, Expr, ExprKind, Item};

pub(super) fn to_own_file(analysis: &Analysis, offset: usize, load: Loader) -> Option<Action> {
    analysis.checked()?;
    let inside = |s: Span| s.start as usize <= offset && offset <= s.end as usize;
    let items = analysis.parse().items();
    let topology = items.iter().find(|i| i.keyword.text == "topology" && inside(i.span))?;
    let edges: Vec<&Edge> = topology
        .body
        .iter()
        .flat_map(|b| &b.entries)
        .filter_map(|e| match e {
            Entry::Edge(e) => Some(e),
            _ => None,
        })
        .collect();
    let start = edges.iter().find(|e| inside(e.span))?;
    let node = start.targets.iter().find(|t| inside(t.span)).or(start.targets.first()).map(node_name)?;
    let tasks: HashSet<String> = analysis.spec().tasks.iter().map(|t| t.name.clone()).collect();
    // Downwards to the tasks, then upwards to all that those need.
    let mut below: HashSet<String> = HashSet::from([node.clone()]);
    for e in &edges {
        if sources(&e.source).iter().any(|s| below.contains(s)) {
            below.extend(e.targets.iter().map(node_name));
        }
    }
    let kept: HashSet<String> = below.intersection(&tasks).cloned().collect();
    if kept.is_empty() || kept.len() == tasks.len() {
        return None;
    }
    let mut needed: HashSet<String> = kept.clone();
    for e in edges.iter().rev() {
        if e.targets.iter().any(|t| needed.contains(&node_name(t))) {
            needed.extend(sources(&e.source));
        }
    }
    let text = text_of(analysis, items, topology, &edges, &needed, &tasks, &kept)?;
    let formatted = fmt::mend(&text).text;
    let path = free_path(&analysis.path(), &node)?;
    let made = Analysis::new(&formatted, &path, load);
    made.checked()?;
    let many = format!("{} task{}", kept.len(), if kept.len() == 1 { "" } else { "s" });
    Some(Action {
        title: format!("turn the branch of `{node}` into its own file ({many})"),
        kind: ActionKind::Rewrite,
        edits: Vec::new(),
        creates: vec![(path, formatted)],
        mends: None,
        preferred: false,
    })
}

fn node_name(e: &Expr) -> String {
    match &e.kind {
        ExprKind::Path(parts) => parts.iter().map(|p| p.text.as_str()).collect::<Vec<_>>().join("."),
        ExprKind::Str(s) => s.clone(),
        _ => String::new(),
    }
}

/// The nodes that a source names.
fn sources(e: &Expr) -> Vec<String> {
    match &e.kind {
        ExprKind::Path(_) => vec![node_name(e)],
        ExprKind::Index { base, items } => sources(base).into_iter().chain(items.iter().flat_map(sources)).collect(),
        ExprKind::Call { args, .. } => args.iter().flat_map(|a| sources(&a.value)).collect(),
        ExprKind::List(items) => items.iter().flat_map(sources).collect(),
        _ => Vec::new(),
    }
}

/// A file beside that is not there yet.
fn free_path(path: &std::path::Path, node: &str) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_string_lossy().into_owned();
    let node: String = node.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    (1..100)
        .map(|i| {
            path.with_file_name(if i == 1 { format!("{stem}_{node}.mtl") } else { format!("{stem}_{node}_{i}.mtl") })
        })
        .find(|p| !p.exists())
}

#[allow(clippy::too_many_arguments)]
fn text_of(
    analysis: &Analysis,
    items: &[Item],
    topology: &Item,
    edges: &[&Edge],
    needed: &HashSet<String>,
    tasks: &HashSet<String>,
    kept: &HashSet<String>,
) -> Option<String> {
    let mut edits: Vec<TextEdit> = Vec::new();
    let remove = |span: Span| TextEdit { range: span.range(), text: String::new() };
    // Only those of the tasks that stay, in the order written.
    let list = |targets: &[Expr], stays: &dyn Fn(&str) -> bool| {
        let names = targets.iter().filter(|t| stays(&node_name(t)));
        names.map(|t| analysis.sources.text(t.span).to_string()).collect::<Vec<_>>().join(", ")
    };
    for item in items {
        match item.keyword.text.as_str() {
            // It says where the whole came from.
            "provenance" | "space" | "search" => edits.push(remove(item.span)),
            "task" => match &item.index {
                None if !kept.contains(&item.names.first()?.text) => edits.push(remove(item.span)),
                None => {}
                Some(index) => {
                    let family = analysis.spec().families.iter().find(|f| f.name == item.names[0].text)?;
                    let of = &analysis.spec().tasks[family.tasks.clone()];
                    let stay: Vec<String> =
                        of.iter().filter(|t| kept.contains(&t.name)).map(|t| quoted_if_needed(&t.name)).collect();
                    match stay.is_empty() {
                        true => edits.push(remove(item.span)),
                        false => {
                            edits.push(TextEdit { range: index.span.range(), text: format!("[{}]", stay.join(", ")) })
                        }
                    }
                }
            },
            "head" => {
                let gone = |n: &str| tasks.contains(n) && !kept.contains(n);
                let left = list(&item.targets, &|n| !gone(n));
                let (first, last) = (item.targets.first(), item.targets.last());
                match (left.is_empty() && !item.targets.iter().any(|t| t.kind == ExprKind::Star), first, last) {
                    (true, ..) => edits.push(remove(item.span)),
                    (false, Some(a), Some(b)) if item.targets.iter().any(|t| gone(&node_name(t))) => {
                        edits.push(TextEdit { range: a.span.to(b.span).range(), text: left });
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    for e in edges {
        let left = list(&e.targets, &|n| needed.contains(n));
        match (left.is_empty(), e.targets.first(), e.targets.last()) {
            (true, ..) => edits.push(remove(e.span)),
            (false, Some(a), Some(b)) => edits.push(TextEdit { range: a.span.to(b.span).range(), text: left }),
            _ => {}
        }
    }
    let _ = topology;
    Some(apply(analysis.text(), &edits))
}
