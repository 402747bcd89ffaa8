//! Documentation from the tables that checking reads, as markdown: one source for `mtlc explain`, the reference page and an editor's
//! hover.

use super::glossary;
use crate::data;
use crate::diag::{Code, suggest};
use crate::hir::schema::{self as items, ItemDef};
use crate::objective::{loss, metric};
use crate::schema::{AttrDef, CallDef, Need};
use crate::{hir, objective, ops, optim, search, std as library};

/// A table that can be shown by name.
pub struct Topic {
    pub name: &'static str,
    pub doc: &'static str,
    pub calls: fn() -> Vec<&'static CallDef>,
}

pub static TOPICS: [Topic; 9] = [
    Topic {
        name: "ops",
        doc: "What stages and heads are made of",
        calls: || ops::table().iter().map(|o| &o.call).collect(),
    },
    Topic { name: "kinds", doc: "What a task can be", calls: || hir::KINDS.iter().collect() },
    Topic { name: "losses", doc: "What a task minimises", calls: loss::loss_calls },
    Topic { name: "metrics", doc: "What a task is judged by", calls: metric::metric_calls },
    Topic { name: "optimizers", doc: "How weights and choices are updated", calls: optim::optimizer_calls },
    Topic {
        name: "schedules",
        doc: "How a rate or a temperature changes while training",
        calls: optim::schedule::schedule_calls,
    },
    Topic {
        name: "weightings",
        doc: "How the losses of several tasks become one step",
        calls: optim::weighting::weighting_calls,
    },
    Topic {
        name: "strategies",
        doc: "How a search decides its space",
        calls: || search::strategies().iter().map(|s| &s.call).collect(),
    },
    Topic {
        name: "formats",
        doc: "Where samples come from",
        calls: || data::table().iter().map(|f| &f.call).collect(),
    },
];

/// Markdown for a code, a table, an entry of a table, an item, a library module, or a word of the [`glossary`].
pub fn explain(what: &str) -> Option<String> {
    if let Some(c) = Code::find(what) {
        return Some(format!("{}\n", c.explanation().trim_end()));
    }
    if let Some(t) = TOPICS.iter().find(|t| t.name == what) {
        let mut out = format!("# {}\n\n{}.\n", t.name, t.doc);
        if t.name == "strategies" {
            out += &matrix();
        }
        for c in (t.calls)() {
            out += &format!("\n{}", call(c, "##"));
        }
        return Some(out);
    }
    if what == "items" {
        return Some(items::items().iter().map(|i| item(i, "##") + "\n").collect());
    }
    if what == "library" {
        return Some(modules());
    }
    // The type of an input, which is said where inputs are.
    if let Some(i) = items::item(if what == "fields" { "input" } else { what }) {
        return Some(item(i, "#") + &glossary::attributes(what));
    }
    // A name may stand in several tables (`mse` is a loss and a metric): all are shown.
    let found: Vec<String> = TOPICS
        .iter()
        .flat_map(|t| (t.calls)().into_iter().filter(|c| c.name == what).map(move |c| (t, c)))
        .map(|(t, c)| format!("{}\nOne of the {}.\n", call(c, "#"), t.name))
        .collect();
    if !found.is_empty() {
        return Some(found.join("\n") + &glossary::attributes(what));
    }
    let name = what.strip_prefix("std.").unwrap_or(what);
    let module = library::modules().iter().find(|(n, _)| *n == name).map(|(_, text)| (*text).to_string());
    module.or_else(|| block(what)).or_else(|| glossary::explain(what))
}

/// A block that every program has: its text, with the remark above it.
fn block(name: &str) -> Option<String> {
    let (_, prelude) = library::modules().iter().find(|(n, _)| *n == "prelude")?;
    let head = format!("block {name}(");
    let text = prelude.split("\n\n").find(|part| part.lines().any(|l| l.starts_with(&head)))?;
    Some(format!("{}\n\nA block that every program has; `mtlc explain prelude` shows all.\n", text.trim_end()))
}

/// The list that `explain` alone shows.
pub fn contents() -> String {
    let mut out = String::from("Tables (`mtlc explain ops`), and each of their entries (`mtlc explain conv`):\n\n");
    let tables = TOPICS.iter().map(|t| (t.name, t.doc));
    let more = [("items", "What a file is made of"), ("library", "Modules for `use std.NAME`")];
    for (name, doc) in tables.chain(more) {
        out += &format!("  {name:12} {doc}\n");
    }
    out += "\nKeywords, attributes, arguments and their values (`mtlc explain patience`), other tools' names for them, commands and options;\n\
            and terms of messages, tables and drawings:\n\n";
    let mut line = String::new();
    for name in glossary::terms().iter().map(|t| t.names[0]) {
        if line.len() + name.len() > 96 {
            out += &format!("  {line}\n");
            line.clear();
        }
        line += &format!("{}{name}", if line.is_empty() { "" } else { ", " });
    }
    out += &format!("  {line}\n");
    out += "\nCodes (`mtlc explain shape::merge`):\n";
    let width = Code::all().map(|c| c.name().len()).max().unwrap_or(0);
    let mut family = "";
    for c in Code::all() {
        let this = c.name().split("::").nth(1).unwrap_or_default();
        if this != family {
            out.push('\n');
            family = this;
        }
        out += &format!("  {:width$}  {:7}  {}\n", c.name(), c.severity().name(), c.title());
    }
    out
}

/// Strategies beside the spaces that they decide: what does not fit is refused at check time.
fn matrix() -> String {
    use search::Offer::{HeadPerCopy, Routes, Tree};
    let offers = [("reads `one`", Tree), ("reads `some`", Routes), ("heads `per = copy`", HeadPerCopy)];
    let names = offers.map(|(name, _)| name).join(" | ");
    let mut out = format!("\n| strategy | {names} | a part of a space | budget |\n|---|---|---|---|---|---|\n");
    let cell = |s: search::Standing| match s {
        search::Standing::Runs => "runs".to_string(),
        search::Standing::Refused(why) => format!("refused: {why}"),
    };
    for s in search::strategies() {
        let cells = offers.map(|(_, o)| cell(s.on(o))).join(" | ");
        let budget = if s.budget { "kept" } else { "refused" };
        out += &format!("| `{}` | {cells} | {} | {budget} |\n", s.call.name, cell(s.on_a_part()));
    }
    out + "\nA part: `search STRATEGY on LEVEL, ... { }`, where other searches decide the rest. They run one after the other as \
           written; meanwhile the choices of later ones stand still: a reader of `some` reads everything, readers of `one` are \
           spread over the copies. Each begins with fresh weights.\n\n\
           Beside the table: `independent` needs a copy of every stage for each task; `affinity` and `pairwise` need every task \
           to pass every stage; `group` decides one level; `snr` and `dselect_k` need readers with one query; `reinforce` takes \
           at most 8192 routes for a reader, which are 13 copies by one query, or 12 by two.\n"
}

/// An entry of a table.
pub fn call(c: &CallDef, heading: &str) -> String {
    let mut out = format!("{heading} `{}`\n\n{}\n", form(c), c.doc);
    if let Some(s) = search::strategy(c.name) {
        let list = |o: &[search::Offer]| o.iter().map(|o| o.describe()).collect::<Vec<_>>().join(", ");
        out += &format!("\nFrom: {}. Decides: {}.", s.paper, list(s.decides));
        if !s.requires.is_empty() {
            out += &format!(" Needs: {}.", list(s.requires));
        }
        out += if s.budget { " Keeps a budget." } else { "" };
        out += "\n";
    }
    if let Some(kind) = hir::kind_named(c.name).filter(|_| hir::KINDS.iter().any(|k| std::ptr::eq(k, c))) {
        let metrics = objective::default_metrics(kind);
        let metrics: Vec<&str> = metrics.iter().map(|m| m.call.name).collect();
        out += &format!(
            "\nUnless others are named: loss `{}`, metrics {}.\n",
            objective::default_loss(kind).call.name,
            suggest::listing(metrics)
        );
    }
    out + &attributes(c.args)
}

pub fn form(c: &CallDef) -> String {
    let args: Vec<String> = c
        .args
        .iter()
        .map(|a| match a.need {
            Need::Required => a.name.to_string(),
            Need::Default(d) => format!("{} = {d}", a.name),
            Need::Optional => format!("[{}]", a.name),
        })
        .collect();
    if args.is_empty() { c.name.to_string() } else { format!("{}({})", c.name, args.join(", ")) }
}

/// A list of attributes or arguments; empty where there are none.
fn attributes(attrs: &[AttrDef]) -> String {
    let text: String = attrs.iter().map(|a| format!("- {}\n", attribute(a))).collect();
    if text.is_empty() { text } else { format!("\n{text}") }
}

pub fn item(i: &ItemDef, heading: &str) -> String {
    let mut out = format!("{heading} `{}`\n\n{}\n\n    {}\n", i.keyword, i.doc, i.form.replace("  |  ", "\n    "));
    out += &attributes(i.attrs);
    for n in i.nested {
        out.push('\n');
        out += &item(n, &format!("{heading}#"));
    }
    if let Some(variants) = i.variants {
        let names = variants();
        let listed = names.iter().map(|c| format!("`{}`", c.name)).collect::<Vec<_>>().join(", ");
        out += &format!("\nMore attributes by variant, see `mtlc explain VARIANT`: {listed}\n");
    }
    out
}

fn modules() -> String {
    let mut out =
        String::from("# library\n\nModules for `use std.NAME`; `mtlc explain NAME` shows the text of one.\n\n");
    for (name, text) in library::modules() {
        let about = text.lines().find_map(|l| l.strip_prefix("# ")).unwrap_or_default();
        out += &format!("- `{name}`: {about}\n");
    }
    out
}

/// One attribute or argument: name, type, default, doc.
pub fn attribute(a: &AttrDef) -> String {
    let need = match a.need {
        Need::Required => "required".to_string(),
        Need::Optional => "optional".to_string(),
        Need::Default(d) => format!("default `{d}`"),
    };
    format!("`{}`: {}; {need}. {}", a.name, a.ty.describe(), a.doc)
}
