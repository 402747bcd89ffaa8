//! Links of a stage's chain to a block of their own.

use super::actions::{Action, ActionKind};
use super::names::{Target, What};
use super::refer::same;
use super::{Analysis, Loader, TextEdit, apply};
use crate::source::Span;
use crate::syntax::ast::{Entry, Expr, ExprKind, Item};

/// The links that are selected, or all of the stage, become `block STAGE_layers(...) = ...` above the backbone.
pub(super) fn stage_to_block(analysis: &Analysis, selection: &std::ops::Range<usize>, load: Loader) -> Option<Action> {
    let (item, stage, chain) = stage_at(analysis, selection.start)?;
    let links: Vec<&Expr> = match &chain.kind {
        ExprKind::Chain(links) => links.iter().collect(),
        _ => vec![chain],
    };
    let chosen: Vec<&Expr> = match selection.is_empty() {
        true => links,
        false => {
            let inside = |e: &&&Expr| (e.span.start as usize) < selection.end && selection.start < e.span.end as usize;
            links.iter().filter(inside).copied().collect()
        }
    };
    let (first, last) = (chosen.first()?, chosen.last()?);
    let span = first.span.to(last.span);
    // A block that is only called is one already.
    if chosen.len() == 1
        && analysis.names().in_file(analysis.root).iter().any(|r| {
            r.span.start == span.start && matches!(r.to, Target::Def(d) if analysis.names().def(d).what == What::Block)
        })
    {
        return None;
    }
    let mut parameters: Vec<(String, String)> = Vec::new();
    let names = analysis.names();
    let here = |s: Span| s.file == span.file && span.start <= s.start && s.end <= span.end;
    for r in names.in_file(analysis.root).iter().filter(|r| here(r.span)) {
        let Target::Def(id) = r.to else { continue };
        let def = names.def(id);
        match def.what {
            // Stages, inputs and values of a body cannot be read from a block.
            What::Stage | What::Input | What::Value => return None,
            What::Parameter if def.owner.is_some_and(|o| names.def(o).what == What::Backbone) => {
                let ty = analysis
                    .sources
                    .text(def.whole)
                    .split_once(':')
                    .map(|(_, t)| t.split('=').next().unwrap_or(t).trim().to_string());
                parameters.push((def.name.clone(), ty.unwrap_or_else(|| "int".into())));
            }
            What::Counter => parameters.push((def.name.clone(), "int".into())),
            _ => {}
        }
    }
    parameters.sort();
    parameters.dedup();
    let name = free_name(analysis, &format!("{stage}_layers"));
    let declared: Vec<String> = parameters.iter().map(|(n, t)| format!("{n}: {t}")).collect();
    let passed: Vec<String> = match parameters.as_slice() {
        [(name, _)] => vec![name.clone()],
        all => all.iter().map(|(n, _)| format!("{n} = {n}")).collect(),
    };
    let declared = if declared.is_empty() { String::new() } else { format!("({})", declared.join(", ")) };
    let call = if passed.is_empty() { name.clone() } else { format!("{name}({})", passed.join(", ")) };
    let body = analysis.sources.text(span);
    let above = above(analysis, item);
    let end = if analysis.text().contains("\r\n") { "\r\n" } else { "\n" };
    let edits = vec![
        TextEdit { range: above..above, text: format!("block {name}{declared} = {body}{end}{end}") },
        TextEdit { range: span.range(), text: call },
    ];
    let after = Analysis::new(&apply(analysis.text(), &edits), &analysis.path(), load);
    same(analysis, &after).ok()?;
    let what = if chosen.len() == 1 { "link" } else { "links" };
    let title = format!("extract {} {what} of `{stage}` to the block `{name}`", chosen.len());
    Some(Action::here(title, ActionKind::Extract, edits))
}

/// The stage at an offset, if its value is a chain.
fn stage_at(analysis: &Analysis, offset: usize) -> Option<(&Item, String, &Expr)> {
    let inside = |s: Span| s.start as usize <= offset && offset <= s.end as usize;
    let item = analysis.parse().items().iter().find(|i| i.keyword.text == "backbone" && inside(i.span))?;
    item.body.iter().flat_map(|b| &b.entries).find_map(|e| match e {
        Entry::Nested(n) if inside(n.span) => Some((item, n.names.first()?.text.clone(), n.value.as_ref()?)),
        _ => None,
    })
}

/// A name that nothing has.
fn free_name(analysis: &Analysis, wish: &str) -> String {
    let taken = |n: &str| analysis.names().defs.iter().any(|d| d.name == n) || crate::ops::find(n).is_some();
    let clean: String = wish.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    (1..).map(|i| if i == 1 { clean.clone() } else { format!("{clean}{i}") }).find(|n| !taken(n)).unwrap_or(clean)
}

/// Where a new item goes so that the remarks above an item stay with it.
fn above(analysis: &Analysis, item: &Item) -> usize {
    let text = analysis.text();
    let start = item.span.start as usize;
    let mut at = text[..start].rfind('\n').map_or(0, |n| n + 1);
    while at > 0 {
        let line = text[..at - 1].rfind('\n').map_or(0, |n| n + 1);
        if !text[line..at].trim_start().starts_with('#') {
            break;
        }
        at = line;
    }
    at
}
