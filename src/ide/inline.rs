//! A call of a block to what the block says.

use super::actions::{Action, ActionKind};
use super::names::{DefId, Target, What};
use super::refer::same;
use super::{Analysis, Loader, TextEdit, apply};
use crate::schema::main_name;
use crate::source::Span;
use crate::syntax::ast::{Arg, Body, Entry, Expr, ExprKind, Item};
use crate::syntax::parse;

/// The call at an offset becomes the chain of its block, its parameters the arguments.
pub(super) fn block(analysis: &Analysis, offset: usize, load: Loader) -> Option<Action> {
    let names = analysis.names();
    let r = names.at(analysis.root, offset)?;
    let Target::Def(id) = r.to else { return None };
    let def = names.def(id);
    if def.what != What::Block || def.span == r.span {
        return None;
    }
    let (call, args) = call_at(analysis, r.span)?;
    // The block may stand in any file of the unit.
    let file = parse(def.span.file, &analysis.sources.file(def.span.file).text);
    let item = file.items().iter().find(|i| i.span == def.whole)?;
    let value = chain_of(item)?;
    let text = substitute(analysis, id, item, value, args)?;
    let edits = vec![TextEdit { range: call.range(), text }];
    let after = Analysis::new(&apply(analysis.text(), &edits), &analysis.path(), load);
    same(analysis, &after).ok()?;
    Some(Action::here(format!("inline the block `{}`", def.name), ActionKind::Inline, edits))
}

/// What a block gives, if that is one chain.
fn chain_of(item: &Item) -> Option<&Expr> {
    let of_body = |b: &'_ Body| -> Option<usize> {
        match b.entries.as_slice() {
            [Entry::Attr(a)] if a.key.text == "out" => Some(0),
            _ => None,
        }
    };
    if let Some(value) = &item.value {
        return Some(value);
    }
    let body = item.body.as_ref()?;
    match &body.entries[of_body(body)?] {
        Entry::Attr(a) => Some(&a.value),
        _ => None,
    }
}

/// The whole call whose name stands at a place, and its arguments.
fn call_at(analysis: &Analysis, name: Span) -> Option<(Span, Vec<Arg>)> {
    fn find(e: &Expr, name: Span) -> Option<(Span, Vec<Arg>)> {
        let inside = |s: Span| s.start <= name.start && name.end <= s.end;
        match &e.kind {
            ExprKind::Call { callee, args } if callee.span == name => Some((e.span, args.clone())),
            ExprKind::Path(_) if e.span == name => Some((e.span, Vec::new())),
            ExprKind::Chain(links) => links.iter().filter(|l| inside(l.span)).find_map(|l| find(l, name)),
            ExprKind::Call { args, .. } => args.iter().find_map(|a| find(&a.value, name)),
            // `2 * block(...)`: what is repeated is one link.
            _ => None,
        }
    }
    let values = analysis.parse().items().iter().flat_map(|i| {
        let entries = i.body.iter().flat_map(|b| &b.entries).flat_map(|e| match e {
            Entry::Nested(n) => {
                let inner = n.body.iter().flat_map(|b| &b.entries).filter_map(|e| match e {
                    Entry::Attr(a) => Some(&a.value),
                    _ => None,
                });
                n.value.iter().chain(inner).collect::<Vec<_>>()
            }
            Entry::Attr(a) => vec![&a.value],
            Entry::Edge(_) => Vec::new(),
        });
        i.value.iter().chain(entries).collect::<Vec<_>>()
    });
    values.into_iter().find_map(|v| find(v, name))
}

/// The text of a block's chain with its arguments in place.
fn substitute(analysis: &Analysis, block: DefId, item: &Item, value: &Expr, args: Vec<Arg>) -> Option<String> {
    let names = analysis.names();
    let mut span = value.span;
    if let ExprKind::Chain(links) = &value.kind
        && is_in(&links[0])
    {
        span = links[1].span.to(value.span);
    }
    let parameters: Vec<&crate::syntax::ast::Param> = item.params.iter().flat_map(|p| &p.value).collect();
    let mut replaced: Vec<TextEdit> = Vec::new();
    let here = |s: Span| s.file == span.file && span.start <= s.start && s.end <= span.end;
    for r in names.in_file(span.file).iter().filter(|r| here(r.span)) {
        if matches!(r.to, Target::Word) && analysis.sources.text(r.span) == "in" {
            return None;
        }
        let Target::Def(id) = r.to else { continue };
        let def = names.def(id);
        if def.owner != Some(block) || def.what != What::Parameter {
            continue;
        }
        let at = parameters.iter().position(|p| p.name.span == def.span)?;
        let has = |name: &str| parameters.iter().any(|p| p.name.text == name);
        let given = args
            .iter()
            .find(|a| a.name.as_ref().is_some_and(|n| main_name(&n.text, has) == def.name))
            .or_else(|| args.get(at).filter(|a| a.name.is_none()))
            .map(|a| &a.value)
            .or(parameters[at].default.as_ref())?;
        let text = analysis.sources.text(given.span);
        let simple = matches!(
            given.kind,
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Path(_) | ExprKind::Str(_) | ExprKind::Call { .. }
        );
        let start = (r.span.start - span.start) as usize;
        let range = start..start + r.span.range().len();
        replaced.push(TextEdit { range, text: if simple { text.to_string() } else { format!("({text})") } });
    }
    Some(apply(analysis.sources.text(span), &replaced))
}

fn is_in(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Path(p) if p.len() == 1 && p[0].text == "in")
}
