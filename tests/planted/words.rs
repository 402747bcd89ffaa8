//! Words that are misspelt, or that other tools use.

use std::collections::BTreeSet;

use mtlc::syntax::ast::{Expr, ExprKind, ITEM_KEYWORDS};
use mtlc::syntax::{Kind, SyntaxToken};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::Kind as Mistake;
use super::program::{Expect, Plant, Program, at, misspell, range};

pub const KINDS: &[Mistake] = &[
    Mistake { name: "attribute misspelt", places: attribute },
    Mistake { name: "item misspelt", places: item },
    Mistake { name: "`stage`, `level`... misspelt", places: nested },
    Mistake { name: "op or call misspelt", places: call },
    Mistake { name: "name misspelt", places: reference },
    Mistake { name: "column misspelt", places: column },
    Mistake { name: "unit misspelt", places: unit },
    Mistake { name: "another tool's attribute", places: foreign_attribute },
    Mistake { name: "another tool's op", places: foreign_op },
    Mistake { name: "unknown strategy or schedule", places: unknown_choice },
];

/// Names that the program declares: a use of one is a reference, not a word of the language.
pub fn own_names(p: &Program) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for i in &p.file.items {
        if i.keyword.text != "search" && i.keyword.text != "use" {
            out.extend(i.names.iter().map(|n| n.text.clone()));
        }
        out.extend(i.params.iter().flat_map(|p| &p.value).map(|p| p.name.text.clone()));
        for e in i.index.iter().flat_map(|e| &e.value) {
            out.insert(p.text[at(e.span)].trim_matches('"').to_string());
        }
    }
    out.extend(p.nested().flat_map(|(_, n)| &n.names).map(|n| n.text.clone()));
    // What imports and data bring: everything that only ever stands as a part of a dotted name, or in a list of names.
    for e in &p.exprs {
        match &e.kind {
            ExprKind::Path(path) if path.len() > 1 => out.extend(path.iter().map(|n| n.text.clone())),
            ExprKind::List(items) => out.extend(items.iter().filter_map(word_of)),
            _ => {}
        }
    }
    out.extend(["std", "mtl", "outputs", "i"].map(String::from));
    for (_, n) in p.nested().filter(|(i, _)| i.keyword.text == "backbone") {
        let keys = n.body.iter().flat_map(|b| &b.entries).filter_map(|e| match e {
            mtlc::syntax::ast::Entry::Attr(a) if a.key.text != "from" => Some(a.key.text.clone()),
            _ => None,
        });
        out.extend(keys);
    }
    out
}

fn word_of(e: &Expr) -> Option<String> {
    match &e.kind {
        ExprKind::Path(path) if path.len() == 1 => Some(path[0].text.clone()),
        _ => None,
    }
}

/// A slip in this word, unless it gives another word of the program. Of two letters one slip leaves too little to tell what was
/// meant: there the word itself must be named among those that exist.
fn slip(p: &Program, r: std::ops::Range<usize>, rng: &mut ChaCha8Rng) -> Option<Plant> {
    let text = p.text[r.clone()].trim_matches('"');
    let wrong = misspell(text, rng);
    if text.len() < 2 || wrong == text || p.words.contains(&wrong) || ITEM_KEYWORDS.contains(&wrong.as_str()) {
        return None;
    }
    let quoted = p.text[r.clone()].starts_with('"');
    let plant = Plant::replace(r, if quoted { format!("\"{wrong}\"") } else { wrong.clone() }).word(wrong);
    Some(if text.len() < 3 { plant.named([format!("`{text}`"), format!("`{text}.")]) } else { plant })
}

fn attribute(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    // In a tree, a schema or a block the keys are the user's own.
    let fixed = |s: &&super::program::Setting| {
        let open = ["tree", "schema", "column", "split", "file", "block", "searched"].contains(&s.owner.as_str());
        let own = (s.owner == "stage" || s.owner == "head") && s.key.text != "from";
        !open && !own
    };
    p.settings.iter().filter(fixed).filter_map(|s| slip(p, at(s.key.span), rng)).collect()
}

fn item(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    p.file.items.iter().filter_map(|i| slip(p, at(i.keyword.span), rng)).collect()
}

fn nested(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let known = |(i, _): &(&mtlc::syntax::ast::Item, &mtlc::syntax::ast::Nested)| i.keyword.text != "schema";
    p.nested().filter(known).filter_map(|(_, n)| slip(p, at(n.keyword.span), rng)).collect()
}

/// Ops, blocks, losses, optimisers, schedules, kinds, strategies, formats.
fn call(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let own = own_names(p);
    let settings = ["optimizer", "weights", "choices", "schedule", "temperature", "loss", "metrics", "format", "reads"];
    let mut out = Vec::new();
    for e in &p.exprs {
        match &e.kind {
            ExprKind::Call { callee, .. } => out.push(callee.span),
            ExprKind::Chain(links) => {
                let bare = |l: &&Expr| word_of(l).is_some_and(|w| !own.contains(&w) && w != "in");
                out.extend(links.iter().filter(bare).map(|l| l.span));
            }
            _ => {}
        }
    }
    for s in p.settings.iter().filter(|s| settings.contains(&s.key.text.as_str())) {
        let items = match &s.value.kind {
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(&s.value),
        };
        out.extend(items.iter().filter(|e| word_of(e).is_some_and(|w| !own.contains(&w))).map(|e| e.span));
    }
    out.extend(p.items("task").filter_map(|i| i.ty.as_ref()).filter(|t| word_of(t).is_some()).map(|t| t.span));
    out.extend(p.items("search").filter_map(|i| i.names.first()).map(|n| n.span));
    out.sort();
    out.dedup();
    out.into_iter().filter_map(|span| slip(p, at(span), rng)).collect()
}

/// Stages, inputs, tasks, backbones, parameters and data sets where they are used.
fn reference(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut spans = Vec::new();
    for i in &p.file.items {
        spans.extend(i.over.iter().map(|n| n.span));
        spans.extend(i.on.iter().map(|n| n.span));
        if i.keyword.text == "head" {
            spans.extend(i.targets.iter().filter(|t| word_of(t).is_some()).map(|t| t.span));
        }
        if i.keyword.text == "backbone" {
            let names = i.params.iter().flat_map(|p| &p.value).filter(|p| p.ty.is_none());
            spans.extend(names.map(|p| p.name.span));
        }
    }
    spans.extend(p.nested().filter(|(_, n)| n.keyword.text == "level").flat_map(|(_, n)| &n.names).map(|n| n.span));
    let params: BTreeSet<&str> = p.items("param").map(|i| i.names[0].text.as_str()).collect();
    for e in &p.exprs {
        let ExprKind::Path(path) = &e.kind else { continue };
        let first = &path[0];
        let data = p.items("data").any(|i| i.names[0].text == first.text);
        let node = path.len() == 2 && !data;
        if params.contains(first.text.as_str()) || data || node {
            spans.push(first.span);
        }
    }
    for s in p.settings.iter().filter(|s| s.owner == "stage" && s.key.text == "from") {
        if let ExprKind::List(items) = &s.value.kind {
            spans.extend(items.iter().map(|e| e.span));
        }
    }
    spans.sort();
    spans.dedup();
    spans.into_iter().filter_map(|span| slip(p, at(span), rng)).collect()
}

/// Columns in labels and lists, where the program says which there are.
fn column(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut spans = Vec::new();
    let known = |data: &str| {
        p.settings.iter().any(|s| {
            s.owner == "data" && s.of == data && ["columns", "images", "activations"].contains(&s.key.text.as_str())
        }) || p.items("schema").any(|i| i.names[0].text == data)
    };
    for e in &p.exprs {
        match &e.kind {
            ExprKind::Path(path) if path.len() == 2 && known(&path[0].text) => spans.push(path[1].span),
            _ => {}
        }
    }
    for s in p.settings.iter().filter(|s| ["except", "numeric", "drop"].contains(&s.key.text.as_str())) {
        let input = p.items("data").next().is_some_and(|d| known(&d.names[0].text));
        if let (true, ExprKind::List(items)) = (input, &s.value.kind) {
            spans.extend(items.iter().map(|e| e.span));
        }
    }
    spans.sort();
    spans.dedup();
    spans.into_iter().filter_map(|span| slip(p, at(span), rng)).collect()
}

fn unit(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let wrong = |t: &SyntaxToken, rng: &mut ChaCha8Rng| match rng.random_range(0..3) {
        0 => misspell(t.text(), rng),
        1 => t.text()[..1].to_uppercase() + &t.text()[1..],
        _ => "ep".to_string(),
    };
    let mut out: Vec<Plant> = Vec::new();
    for t in p.of_kind(Kind::Unit) {
        let w = wrong(&t, rng);
        if !["epoch", "epochs", "step", "steps"].contains(&w.as_str()) {
            out.push(Plant::replace(range(&t), w.clone()).word(w));
        }
    }
    // `per = epochs`.
    for s in p.settings.iter().filter(|s| s.key.text == "per" && s.argument) {
        let r = at(s.value.span);
        out.push(Plant::replace(r.clone(), format!("{}s", &p.text[r])));
    }
    out
}

/// How widely used tools call what we call otherwise.
const FOREIGN: [(&str, &[&str]); 8] = [
    ("optimizer", &["optimiser", "optim"]),
    ("batch", &["batch_size", "bs"]),
    ("lr", &["learning_rate"]),
    ("epochs", &["num_epochs", "n_epochs", "max_epochs"]),
    ("weight_decay", &["wd", "l2"]),
    ("kernel", &["kernel_size", "ksize"]),
    ("warmup", &["warmup_epochs"]),
    ("patience", &["early_stopping_patience", "early_stopping"]),
];

fn foreign_attribute(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    for s in p.settings.iter().filter(|s| s.owner != "block" && s.owner != "tree") {
        let Some((_, others)) = FOREIGN.iter().find(|(ours, _)| *ours == s.key.text) else { continue };
        let other = others[rng.random_range(0..others.len())];
        out.push(Plant::replace(at(s.key.span), other).word(other));
    }
    out
}

const FOREIGN_OPS: [(&str, &[&str]); 8] = [
    ("linear", &["dense", "fc", "fully_connected", "Linear"]),
    ("conv", &["conv2d", "convolution", "Conv2d"]),
    ("max_pool", &["maxpool", "max_pooling", "MaxPool2d", "maxpool2d"]),
    ("global_avg_pool", &["gap", "global_average_pooling", "adaptive_avg_pool"]),
    ("batch_norm", &["bn", "batchnorm", "BatchNorm2d"]),
    ("one_hot", &["onehot"]),
    ("binary", &["bool", "sigmoid", "binary_classification"]),
    ("classes", &["classification", "categorical", "multiclass", "softmax"]),
];

fn foreign_op(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    for t in p.of_kind(Kind::Ident) {
        let head = t.parent_ancestors().any(|n| n.kind() == Kind::ForClause);
        let Some((_, others)) = FOREIGN_OPS.iter().find(|(ours, _)| *ours == t.text()) else { continue };
        let other = others[rng.random_range(0..others.len())];
        if !head {
            out.push(Plant::replace(range(&t), other).word(other));
        }
    }
    out
}

/// Choices that exist elsewhere: what there is here must be listed.
fn unknown_choice(p: &Program, rng: &mut ChaCha8Rng) -> Vec<Plant> {
    let mut out = Vec::new();
    let mut add = |span: mtlc::source::Span, was: &str, others: &[&str]| {
        let other = others[rng.random_range(0..others.len())];
        let plant = Plant::replace(at(span), other).word(other);
        out.push(Plant { expect: Expect::Named(vec![format!("`{was}`")]), ..plant });
    };
    for i in p.items("search") {
        add(i.names[0].span, &i.names[0].text, &["darts", "nas", "evolution", "bayesian"]);
    }
    for s in &p.settings {
        let callee = match &s.value.kind {
            ExprKind::Call { callee, .. } => callee.as_ref(),
            _ => &s.value,
        };
        let Some(was) = word_of(callee) else { continue };
        match s.key.text.as_str() {
            "optimizer" | "weights" | "choices" => add(callee.span, &was, &["rmsprop", "lion", "adagrad"]),
            "schedule" | "temperature" => add(callee.span, &was, &["plateau", "one_cycle", "triangular"]),
            "format" => add(callee.span, &was, &["parquet", "hdf5", "tfrecord"]),
            "loss" => add(callee.span, &was, &["hinge", "focal", "dice"]),
            _ => {}
        }
    }
    out
}
