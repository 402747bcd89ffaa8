//! What stands beside the lines: the type after each stage, the parameters of each head, the size of the space.

use super::{Analysis, facts};
use crate::ir::count;
use crate::report::graph::drawing::SizeInfo;
use crate::syntax::ast::{Entry, Item};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintKind {
    Shape,
    Parameters,
    Topologies,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    pub at: usize,
    pub kind: HintKind,
    pub text: String,
    /// More, where the pointer rests.
    pub tooltip: String,
}

/// Which are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub shapes: bool,
    pub parameters: bool,
    pub topologies: bool,
}

impl Default for Shown {
    fn default() -> Shown {
        Shown { shapes: true, parameters: true, topologies: true }
    }
}

pub fn hints(analysis: &Analysis, within: std::ops::Range<usize>, shown: Shown) -> Vec<Hint> {
    let mut out = Vec::new();
    for item in analysis.parse().items() {
        if item.span.end as usize > within.end.max(within.start) && item.span.start as usize > within.end
            || (item.span.end as usize) < within.start
        {
            continue;
        }
        match item.keyword.text.as_str() {
            "backbone" if shown.shapes => stages(analysis, item, &mut out),
            "head" if shown.parameters => out.extend(head(analysis, item)),
            "space" if shown.topologies => out.extend(space(analysis, item)),
            _ => {}
        }
    }
    out.retain(|h| within.start <= h.at && h.at <= within.end);
    out
}

fn stages(analysis: &Analysis, item: &Item, out: &mut Vec<Hint>) {
    for entry in item.body.iter().flat_map(|b| &b.entries) {
        let Entry::Nested(n) = entry else { continue };
        let Some(name) = n.names.first() else { continue };
        // Of a repetition the last one.
        let Some(index) = facts::stages_named_at(analysis, name.span).pop() else { continue };
        let Some(typed) = analysis.stage(index) else { continue };
        let at = if n.body.is_some() { name.span.end } else { n.span.end } as usize;
        let tooltip = facts::stage(analysis, index).unwrap_or_default();
        out.push(Hint { at, kind: HintKind::Shape, text: format!(": {}", typed.ty), tooltip });
    }
}

fn head(analysis: &Analysis, item: &Item) -> Option<Hint> {
    let spec = analysis.spec();
    let inside =
        |s: crate::source::Span| s.file == item.span.file && item.span.start <= s.start && s.end <= item.span.end;
    let tasks = spec.tasks.iter().enumerate();
    let own = tasks.filter(|(_, t)| t.head.is_some_and(|h| inside(spec.heads[h.0].span)));
    let costs: Vec<Option<u64>> = own.filter_map(|(i, _)| Some(analysis.head(i)?.cost.params)).collect();
    let first = (*costs.first()?)?;
    let total = costs.iter().try_fold(0u64, |n, c| Some(n.saturating_add((*c)?)))?;
    let text = match costs.len() {
        1 => format!("{} parameters", facts::amount(first)),
        n if costs.iter().all(|c| *c == Some(first)) => format!("{n} × {} parameters", facts::amount(first)),
        n => format!("{} parameters in {n} heads", facts::amount(total)),
    };
    let last = item.targets.iter().map(|t| t.span.end).max();
    let at = if item.body.is_some() { last? } else { item.span.end } as usize;
    Some(Hint { at, kind: HintKind::Parameters, text, tooltip: format!("{total} parameters in all") })
}

fn space(analysis: &Analysis, item: &Item) -> Option<Hint> {
    let at = item.over.as_ref()?.span.end as usize;
    Some(Hint { at, kind: HintKind::Topologies, text: size(analysis)?, tooltip: String::new() })
}

/// `14,532 distinct trees (... labelled choices)`; `None` while it cannot be told.
pub fn size(analysis: &Analysis) -> Option<String> {
    let spec = analysis.spec();
    if spec.families.iter().any(|f| f.open) {
        return None;
    }
    let size = count::space_size(spec, spec.space.as_ref()?, analysis.supernet()?);
    let choices = analysis.supernet()?.choices.len();
    let trees = size.trees.map(|t| t.to_string());
    Some(SizeInfo { choices, labelled_log10: size.labelled_log10, trees }.words())
}
