//! Whole parts that are missing, there twice, out of order, or do not go together.

use std::ops::Range;

use mtlc::syntax::Kind;
use mtlc::syntax::ast::{Entry, Expr, ExprKind, Item};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Kind as Mistake;
use super::program::{Expect, Plant, Program, Setting, at, range};

pub const KINDS: &[Mistake] = &[
    Mistake { name: "attribute twice, the same", places: attribute_twice },
    Mistake { name: "attribute twice, another value", places: attribute_again },
    Mistake { name: "item twice", places: item_twice },
    Mistake { name: "stage or level twice", places: nested_twice },
    Mistake { name: "required attribute missing", places: attribute_missing },
    Mistake { name: "label missing", places: label_missing },
    Mistake { name: "head missing", places: head_missing },
    Mistake { name: "level missing", places: level_missing },
    Mistake { name: "declaration missing", places: declaration_missing },
    Mistake { name: "loss that does not fit", places: wrong_loss },
    Mistake { name: "metric that does not fit", places: wrong_metric },
    Mistake { name: "head of the wrong size", places: head_size },
    Mistake { name: "op for another shape", places: shape },
    Mistake { name: "strategy that does not fit", places: strategy },
    Mistake { name: "stage reads a later one", places: later_stage },
    Mistake { name: "levels exchanged", places: levels_exchanged },
    Mistake { name: "stages exchanged", places: stages_exchanged },
];

fn attributes(p: &Program) -> impl Iterator<Item = &Setting> {
    p.settings.iter().filter(|s| !s.argument && s.owner != "schema" && s.owner != "searched")
}

/// A copy of some text after itself: on a line of its own where it has one.
fn twice(p: &Program, r: &Range<usize>, copy: &str) -> Plant {
    let indent = &p.text[..r.start];
    let indent = &indent[indent.rfind('\n').map_or(0, |i| i + 1)..];
    let between = if indent.trim().is_empty() { format!("\n{indent}") } else { ", ".to_string() };
    Plant::replace(r.end..r.end, format!("{between}{copy}")).also(r.clone())
}

fn attribute_twice(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    attributes(p).map(|s| twice(p, &s.span, &p.text[s.span.clone()])).collect()
}

fn attribute_again(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    attributes(p)
        .filter(|s| matches!(s.value.kind, ExprKind::Int(_)))
        .map(|s| twice(p, &s.span, &format!("{} = 7", s.key.text)).named(["remove"]))
        .collect()
}

fn item_twice(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let named = |i: &&Item| i.keyword.text != "use" && i.keyword.text != "search" && i.keyword.text != "provenance";
    p.file.items.iter().filter(named).map(|i| twice(p, &at(i.span), &p.text[at(i.span)])).collect()
}

fn nested_twice(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let here = |n: &str| ["stage", "level", "heads"].contains(&n);
    p.nested().filter(|(_, n)| here(&n.keyword.text)).map(|(_, n)| twice(p, &at(n.span), &p.text[at(n.span)])).collect()
}

/// Without the line it stands on, or without itself and a comma.
fn without(p: &Program, r: Range<usize>) -> Range<usize> {
    if let Some(lines) = p.whole_lines(r.clone()) {
        return lines;
    }
    let after = &p.text[r.end..];
    let comma = after.trim_start_matches(' ').starts_with(',');
    match comma {
        true => r.start..r.end + after.find(',').unwrap_or(0) + 1,
        false => p.text[..r.start].trim_end_matches([' ', ',', '\n']).len()..r.end,
    }
}

const REQUIRED: &[(&str, &str)] = &[
    ("data", "format"),
    ("data", "images"),
    ("data", "labels"),
    ("data", "train"),
    ("data", "root"),
    ("provenance", "tool"),
    ("provenance", "derived"),
    ("provenance", "strategy"),
    ("provenance", "self"),
];

fn attribute_missing(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    attributes(p)
        .filter(|s| REQUIRED.contains(&(s.owner.as_str(), s.key.text.as_str())))
        .map(|s| {
            Plant::delete(without(p, s.span.clone())).also(s.header.clone()).word(&s.key.text).named([&s.key.text])
        })
        .collect()
}

fn label_missing(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    attributes(p)
        .filter(|s| s.owner == "task" && (s.key.text == "label" || s.key.text == "from"))
        .map(|s| Plant::delete(without(p, s.span.clone())).also(s.header.clone()).named(["label = ", "from = "]))
        .collect()
}

fn whole_item(p: &Program, i: &Item) -> Range<usize> {
    p.whole_lines(at(i.span)).unwrap_or(at(i.span))
}

fn head_missing(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    // A head of a file that only builds on another stands in for that file's: without it there is another one.
    p.items("head")
        .filter(|_| p.items("use").next().is_none() || p.items("backbone").next().is_some())
        .map(|i| {
            let plant = Plant::delete(whole_item(p, i)).named(["head for"]);
            p.items("task").chain(p.items("backbone")).fold(plant, |plant, t| plant.also(at(t.span)))
        })
        .collect()
}

fn level_missing(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    p.nested()
        .filter(|(_, n)| n.keyword.text == "level")
        .map(|(i, n)| {
            let lines = p.whole_lines(at(n.span)).unwrap_or(at(n.span));
            let header =
                i.span.range().start..i.body.as_ref().and_then(|b| b.span).map_or(i.span.end, |b| b.start) as usize;
            Plant::delete(lines).also(header).named([format!("level {}", n.names[0].text)])
        })
        .collect()
}

/// What is used and not declared any more. The message stands where it is used.
fn declaration_missing(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    for i in &p.file.items {
        if !["param", "input", "data", "backbone", "block"].contains(&i.keyword.text.as_str()) {
            continue;
        }
        let lines = whole_item(p, i);
        let name = &i.names[0].text;
        let uses = p.of_kind(Kind::Ident).into_iter().filter(|t| t.text() == name && !lines.contains(&range(t).start));
        let uses: Vec<Range<usize>> = uses.map(|t| range(&t)).collect();
        // A backbone of a file with one is read by its tasks as well.
        let tasks = p.items("task").map(|t| at(t.span)).filter(|_| i.keyword.text == "backbone");
        let mut plant = Plant::delete(lines.clone())
            .word(name)
            .named([format!("{} {name}", i.keyword.text), format!("{} NAME", i.keyword.text)]);
        plant.also.extend(uses.iter().cloned().chain(tasks));
        if !uses.is_empty() {
            out.push(plant);
        }
    }
    out
}

fn kind_of(i: &Item) -> &str {
    let path = |e: &Expr| match &e.kind {
        ExprKind::Path(p) => Some(p[0].text.clone()),
        _ => None,
    };
    let name = match i.ty.as_ref().map(|t| &t.kind) {
        Some(ExprKind::Call { callee, .. }) => path(callee),
        _ => i.ty.as_ref().and_then(path),
    };
    match name.as_deref() {
        Some("binary") => "binary",
        Some("classes") => "classes",
        Some("regression") => "regression",
        _ => "",
    }
}

/// Puts `key = value` into a task, in place of the one that is there.
fn into_task(p: &Program, i: &Item, key: &str, value: &str) -> Option<Plant> {
    let body = i.body.as_ref()?;
    for e in &body.entries {
        if let Entry::Attr(a) = e
            && a.key.text == key
        {
            return Some(Plant::replace(at(a.value.span), value));
        }
    }
    let first = match body.entries.first()? {
        Entry::Attr(a) => a.span.range().start,
        _ => return None,
    };
    let own_line = p.text[..first].ends_with("\n  ");
    Some(Plant::replace(first..first, format!("{key} = {value}{}", if own_line { "\n  " } else { ", " })))
}

fn misfits(
    p: &Program,
    key: &str,
    of: fn(&str) -> (&'static [&'static str], &'static [&'static str]),
    rng: &mut ChaCha8Rng,
) -> Vec<Plant> {
    let mut out = Vec::new();
    for i in p.items("task") {
        let (wrong, right) = of(kind_of(i));
        if wrong.is_empty() {
            continue;
        }
        let value = wrong[rng.random_range(0..wrong.len())];
        let named = right.iter().map(|r| format!("`{r}`")).collect();
        let value = if key == "metrics" { format!("[{value}]") } else { value.to_string() };
        out.extend(into_task(p, i, key, &value).map(|plant| Plant { expect: Expect::Named(named), ..plant }));
    }
    out
}

fn wrong_loss(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    misfits(
        p,
        "loss",
        |kind| match kind {
            "binary" => (&["mse", "cross_entropy"], &["bce"]),
            "classes" => (&["bce", "mse"], &["cross_entropy"]),
            "regression" => (&["bce", "cross_entropy"], &["mse"]),
            _ => (&[], &[]),
        },
        rng,
    )
}

fn wrong_metric(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    misfits(
        p,
        "metrics",
        |kind| match kind {
            "binary" => (&["mse", "r2"], &["accuracy", "auc"]),
            "classes" => (&["mse", "r2"], &["accuracy"]),
            "regression" => (&["accuracy", "auc"], &["mse", "r2"]),
            _ => (&[], &[]),
        },
        rng,
    )
}

fn head_size(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let wrong = rng.random_range(2..9) * 11;
    let mut out = Vec::new();
    for t in p.of_kind(Kind::Ident) {
        if t.text() == "outputs" {
            out.push(Plant::replace(range(&t), wrong.to_string()).named(["outputs"]));
        }
    }
    out
}

/// `flatten` taken away before `linear`, or put before a convolution; pooling larger than the image.
fn shape(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    let name = |e: &Expr| match &e.kind {
        ExprKind::Path(p) if p.len() == 1 => p[0].text.clone(),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Path(p) => p[0].text.clone(),
            _ => String::new(),
        },
        _ => String::new(),
    };
    for e in &p.exprs {
        let ExprKind::Chain(links) = &e.kind else { continue };
        for pair in links.windows(2) {
            let (a, b) = (name(&pair[0]), name(&pair[1]));
            if a == "flatten" && b == "linear" {
                out.push(
                    Plant::delete(at(pair[0].span).start..at(pair[1].span).start).also(at(e.span)).named(["`flatten`"]),
                );
            }
            if a == "conv" || a == "conv_bn" {
                out.push(
                    Plant::replace(at(pair[0].span).start..at(pair[0].span).start, "flatten -> ")
                        .named(["image", "flatten", "before"]),
                );
            }
            if b == "max_pool" {
                out.push(Plant::replace(at(pair[1].span), "max_pool(99)").named(["smaller", "at most", "kernel"]));
            }
        }
    }
    out
}

fn strategy(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    p.items("search")
        .filter_map(|i| {
            let was = i.names[0].text.as_str();
            let others: &[&str] = match was {
                "learn_to_branch" | "affinity" => &["group", "snr", "dselect_k", "full"],
                "group" => &["affinity", "learn_to_branch"],
                "reinforce" => &["affinity", "pairwise"],
                _ => return None,
            };
            let other = others[rng.random_range(0..others.len())];
            let plant = Plant::replace(at(i.names[0].span), other).word(other).also(at(i.span));
            Some(plant.named(["fitting strategies"]))
        })
        .collect()
}

fn later_stage(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    for i in p.items("backbone") {
        let stages: Vec<_> = p.nested().filter(|(o, _)| std::ptr::eq(*o, i)).map(|(_, n)| n).collect();
        for (n, stage) in stages.iter().enumerate() {
            let (Some(value), None) = (&stage.value, &stage.index) else { continue };
            for later in &stages[n..] {
                let (name, text) = (&later.names[0].text, &p.text[at(value.span)]);
                let new = format!("stage {} {{ from = [{name}], out = {name} -> {text} }}", stage.names[0].text);
                let earlier = stages[..n].iter().map(|s| format!("`{}`", s.names[0].text));
                out.push(Plant::replace(at(stage.span), new).word(name).named(earlier.chain(["earlier".to_string()])));
            }
        }
    }
    out
}

/// Two neighbours exchanged, each on a line of its own.
fn exchanged(p: &Program, keyword: &str, owner: &str) -> Vec<Plant> {
    let mut out = Vec::new();
    for i in p.items(owner) {
        let entries: Vec<_> = p.nested().filter(|(o, n)| std::ptr::eq(*o, i) && n.keyword.text == keyword).collect();
        for pair in entries.windows(2) {
            let (a, b) = (at(pair[0].1.span), at(pair[1].1.span));
            let (x, y) = (p.text[a.clone()].to_string(), p.text[b.clone()].to_string());
            out.push(Plant { edits: vec![(a, y), (b, x)], ..Plant::default() });
        }
    }
    out
}

fn levels_exchanged(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    exchanged(p, "level", "space")
}

/// The levels still stand in the old order, or a stage reads a later one by name: either the stages or the levels may be meant.
fn stages_exchanged(p: &Program, _: &mut ChaCha8Rng) -> Vec<Plant> {
    let levels: Vec<Range<usize>> =
        p.nested().filter(|(_, n)| n.keyword.text == "level").map(|(_, n)| at(n.span)).collect();
    let mut out = exchanged(p, "stage", "backbone");
    // Without a space, exchanged stages are another program and no mistake; a topology shows them.
    out.retain(|_| !levels.is_empty());
    for plant in &mut out {
        plant.also = levels.clone();
        plant.expect = Expect::Named(vec!["order".into(), "earlier".into(), "before".into()]);
    }
    out
}
