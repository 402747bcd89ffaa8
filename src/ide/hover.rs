//! What is shown for the word under the pointer: what it is, what was found out about it, what the tables say, and what is wrong there.

use super::facts;
use super::names::{Def, DefId, Target, What};
use super::{Analysis, docs, hints};
use crate::diag::Diagnostic;
use crate::screen::shell::option;
use crate::source::Span;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hover {
    pub range: std::ops::Range<usize>,
    /// Markdown.
    pub text: String,
}

pub fn hover(analysis: &Analysis, offset: usize) -> Option<Hover> {
    let found = analysis.names().at(analysis.root, offset);
    let about = found.and_then(|r| Some((r.span.range(), describe(analysis, r.to, r.span)?)));
    let wrong: Vec<&Diagnostic> = problems_at(analysis, offset).collect();
    let (range, mut text) = match (about, wrong.first()) {
        (Some(about), _) => about,
        (None, Some(d)) => (d.primary.as_ref()?.span.range(), String::new()),
        (None, None) => return None,
    };
    for d in wrong.iter().take(2) {
        if !text.is_empty() {
            text += "\n---\n\n";
        }
        text += &format!("**{}**: {}\n\n{}\n", d.code.name(), d.message, explanation(d));
    }
    Some(Hover { range, text: text.trim_end().to_string() })
}

/// What is said of the text at an offset.
pub fn problems_at(analysis: &Analysis, offset: usize) -> impl Iterator<Item = &Diagnostic> {
    let here = move |s: Span| s.file == analysis.root && s.start as usize <= offset && offset <= s.end as usize;
    analysis.diagnostics.iter().filter(move |d| d.primary.as_ref().is_some_and(|p| here(p.span)))
}

/// The explanation of a code without its heading.
pub fn explanation(d: &Diagnostic) -> String {
    let text = d.code.explanation().trim();
    match text.strip_prefix('#').and_then(|t| t.split_once('\n')) {
        Some((_, rest)) => rest.trim().to_string(),
        None => text.to_string(),
    }
}

/// Markdown about what a place refers to.
fn describe(analysis: &Analysis, to: Target, span: Span) -> Option<String> {
    let text = match to {
        Target::Def(id) | Target::Member(id) => definition(analysis, id, span),
        Target::Builtin(b) => {
            let mut text = match facts::link(analysis, span).filter(|_| b.topic == "ops") {
                Some(facts) => format!("{facts}\n"),
                None => String::new(),
            };
            text += &docs::call(b.def, "###");
            text
        }
        Target::Keyword(item) => docs::item(item, "###"),
        Target::Attr(a) => docs::attribute(a),
        Target::Column(data) => column(analysis, data, span)?,
        Target::File(file) => format!("`{}`", analysis.sources.file(file).name),
        Target::Word => word(analysis.sources.text(span))?,
        Target::Unknown => return None,
    };
    Some(text)
}

fn word(text: &str) -> Option<String> {
    Some(match text {
        "in" => "The value that the block is applied to.".to_string(),
        "out" => "The value that the block gives.".to_string(),
        "outputs" => "The number of outputs that the task needs.".to_string(),
        "previous" => "The mean of what may be read.".to_string(),
        _ => return None,
    })
}

/// The first line of a definition, and the remark above it.
fn code(analysis: &Analysis, def: &Def) -> String {
    let file = analysis.sources.file(def.whole.file);
    let text = analysis.sources.text(def.whole);
    let lines: Vec<&str> = text.lines().take(8).collect();
    let more = if text.lines().count() > 8 { "\n..." } else { "" };
    let before = &file.text[..def.whole.start as usize];
    let mut remark: Vec<&str> = Vec::new();
    for line in before.lines().rev().skip(usize::from(!before.ends_with('\n'))) {
        match line.trim().strip_prefix('#') {
            Some(r) => remark.push(r.trim()),
            None => break,
        }
    }
    remark.reverse();
    let remark = if remark.is_empty() { String::new() } else { format!("{}\n\n", remark.join("\n")) };
    format!("```mtl\n{}{more}\n```\n\n{remark}", lines.join("\n"))
}

fn definition(analysis: &Analysis, id: DefId, span: Span) -> String {
    let def = analysis.names().def(id);
    let spec = analysis.spec();
    let name = analysis.sources.text(span).trim_matches('"').to_string();
    let mut text = format!("{} **{}**\n\n{}", def.what.word(), def.name, code(analysis, def));
    match def.what {
        What::Stage => {
            let backbone = spec.backbone.as_ref();
            let index = facts::stages_named_at(analysis, def.span)
                .into_iter()
                .find(|i| !def.many || backbone.is_some_and(|b| b.stages[*i].name == name))
                .or_else(|| facts::stages_named_at(analysis, def.span).last().copied());
            text += &index.and_then(|i| facts::stage(analysis, i)).unwrap_or_default();
        }
        What::Block => text += &facts::link(analysis, span).unwrap_or_default(),
        What::Input => {
            if let Some(i) = spec.inputs.iter().find(|i| i.name == def.name) {
                text += &format!("- `{}`\n", i.ty);
            }
        }
        What::Param => {
            if let Some(p) = spec.params.iter().find(|p| p.name == def.name) {
                text += &format!(
                    "- {}; {} changes it for one run\n",
                    p.value.describe(),
                    option("--set").word(&format!("{}=...", p.name))
                );
            }
        }
        What::Task => text += &task(analysis, &def.name),
        What::Family => {
            if spec.tasks.iter().any(|t| t.name == name) {
                text += &task(analysis, &name);
            } else if let Some(f) = spec.families.iter().find(|f| f.name == def.name) {
                text += &match f.open {
                    true => "- its tasks are known when the data schema is frozen\n".to_string(),
                    false => format!("- {} tasks\n", f.tasks.len()),
                };
            }
        }
        What::Space => text += &hints::size(analysis).map(|s| format!("- {s}\n")).unwrap_or_default(),
        What::Data => {
            if let Some(d) = spec.data.iter().find(|d| d.name == def.name) {
                let columns = d.known.outline.columns.as_ref();
                text += &match columns {
                    Some(c) => format!("- format `{}`, {} columns\n", d.format.call.name, c.len()),
                    None => format!("- format `{}`, columns open until `mtlc data freeze`\n", d.format.call.name),
                };
            }
        }
        What::Backbone | What::Topology | What::Copy => {
            if let Some(c) = analysis.checked()
                && let Some(net) = c.fixed.as_ref().or(c.supernet.as_ref())
                && def.what != What::Copy
            {
                let cost = crate::check::cost::report(c, net).network.total;
                text += &format!(
                    "- {} parameters, {} MACs per sample{}\n",
                    facts::amount_or_open(cost.params),
                    facts::amount_or_open(cost.macs),
                    if c.fixed.is_some() { "" } else { " in the supernet" }
                );
            }
        }
        _ => {}
    }
    text
}

fn task(analysis: &Analysis, name: &str) -> String {
    let spec = analysis.spec();
    let Some(at) = spec.tasks.iter().position(|t| t.name == name) else { return String::new() };
    let task = &spec.tasks[at];
    let metrics: Vec<String> = task.metrics.iter().map(|m| format!("`{}`", m.name)).collect();
    let mut text = format!(
        "- {}, loss `{}`, weight {}{}\n",
        task.kind.name(),
        task.loss.name,
        task.weight,
        if metrics.is_empty() { String::new() } else { format!(", metrics {}", metrics.join(", ")) }
    );
    if let Some(head) = analysis.head(at) {
        text +=
            &format!("- its head gives `{}` with {} parameters\n", head.ty, facts::amount_or_open(head.cost.params));
    }
    text
}

fn column(analysis: &Analysis, data: DefId, span: Span) -> Option<String> {
    let set = &analysis.names().def(data).name;
    let name = analysis.sources.text(span).trim_matches('"');
    let known = &analysis.spec().data.iter().find(|d| d.name == *set)?.known;
    if let Some(members) = known.group(name) {
        return Some(format!("group of {} columns of `{set}`", members.len()));
    }
    use crate::data::KnownKind;
    let Some(c) = known.column(name) else { return Some(format!("column of `{set}`")) };
    let kind = match &c.kind {
        KnownKind::Open => "open until the schema is frozen".to_string(),
        KnownKind::Numeric(None) => "numeric".to_string(),
        KnownKind::Numeric(Some([low, high])) => format!("numeric, {low} to {high}"),
        KnownKind::Picture => "pictures, pixels from 0 to 255".to_string(),
        KnownKind::Counted(n) => format!("{n} categories"),
        KnownKind::Hashed(n) => format!("texts in {n} buckets"),
        KnownKind::Category(None) => "categories".to_string(),
        KnownKind::Category(Some(values)) => format!("{} categories", values.len()),
    };
    Some(format!("column **{name}** of `{set}`: {kind}"))
}
