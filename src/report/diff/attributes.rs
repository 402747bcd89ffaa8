//! What two specs say of the same thing: attribute by attribute, defaults known, and op by op.

use super::words;
use crate::artifact::Encoder;
use crate::data::{LabelFacts, Schema};
use crate::hir::{Body, Flow, Read, Spec, Task};
use crate::schema::{Args, Call, Value};

/// One difference. `None`: it is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `optimizer.lr`, `conv: channels`, `loss`.
    pub what: String,
    pub was: Option<Shown>,
    pub now: Option<Shown>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    pub text: String,
    /// It is not written: the default holds.
    pub default: bool,
}

/// Things of one kind that differ in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    pub names: Vec<String>,
    pub how: How,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    OnlyA,
    OnlyB,
    Changed(Vec<Change>),
}

/// The differences of one kind of thing, in the order in which A has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `inputs`, `tasks`, `heads`, `stages`, `data`, `train`.
    pub name: &'static str,
    pub items: Vec<Item>,
}

fn shown(text: impl Into<String>) -> Option<Shown> {
    Some(Shown { text: text.into(), default: false })
}

/// A change of something that is a text on each side, or nothing where the texts agree.
fn change(what: &str, was: Option<String>, now: Option<String>) -> Option<Change> {
    (was != now).then(|| Change { what: what.into(), was: was.and_then(shown), now: now.and_then(shown) })
}

/// All sections that have differences.
pub fn sections(a: &Spec, b: &Spec) -> Vec<Section> {
    let mut out = vec![
        Section { name: "data", items: items(&a.data, &b.data, |d| d.name.clone(), data) },
        Section { name: "inputs", items: items(&a.inputs, &b.inputs, |i| i.name.clone(), |x, y| input(a, x, b, y)) },
        Section { name: "tasks", items: items(&a.tasks, &b.tasks, |t| t.name.clone(), task) },
        Section { name: "heads", items: heads(a, b) },
        Section { name: "stages", items: stages(a, b) },
        Section { name: "train", items: train(a, b) },
    ];
    let tasks = |s: &Spec| s.tasks.iter().map(|t| t.name.clone()).collect();
    let stages = |s: &Spec| s.backbone.iter().flat_map(|b| &b.stages).map(|s| s.name.clone()).collect();
    order(&mut out, "tasks", tasks(a), tasks(b));
    order(&mut out, "stages", stages(a), stages(b));
    out.retain(|s| !s.items.is_empty());
    out
}

/// The order in which tasks and stages are declared counts: copies are named, and weights are drawn, in it.
fn order(out: &mut [Section], what: &'static str, a: Vec<String>, b: Vec<String>) {
    let common = |of: &[String], other: &[String]| {
        let both = of.iter().filter(|n| other.contains(n));
        Some(words::list(both.cloned()))
    };
    if let Some(c) = change("order", common(&a, &b), common(&b, &a))
        && let Some(section) = out.iter_mut().find(|s| s.name == what)
    {
        section.items.push(Item { names: Vec::new(), how: How::Changed(vec![c]) });
    }
}

/// Things matched by name; those that differ in the same way stand together.
fn items<T>(a: &[T], b: &[T], name: impl Fn(&T) -> String, compare: impl Fn(&T, &T) -> Vec<Change>) -> Vec<Item> {
    let mut out: Vec<Item> = Vec::new();
    let mut add = |name: String, how: How| match out.iter_mut().find(|i| i.how == how) {
        Some(item) => item.names.push(name),
        None => out.push(Item { names: vec![name], how }),
    };
    for x in a {
        match b.iter().find(|y| name(y) == name(x)) {
            None => add(name(x), How::OnlyA),
            Some(y) => {
                let changes = compare(x, y);
                if !changes.is_empty() {
                    add(name(x), How::Changed(changes));
                }
            }
        }
    }
    for y in b.iter().filter(|y| !a.iter().any(|x| name(x) == name(y))) {
        add(name(y), How::OnlyB);
    }
    out
}

/// Attributes by name. Calls of the same thing are compared by their arguments.
fn args(prefix: &str, a: &Args, b: &Args, skip: &[&str], out: &mut Vec<Change>) {
    let mut names: Vec<&str> = a.iter().chain(b.iter()).map(|(n, _)| n).filter(|n| !skip.contains(n)).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let what = format!("{prefix}{name}");
        match (a.get(name), b.get(name)) {
            (Some(Value::Call(x)), Some(Value::Call(y))) if x.name == y.name => {
                args(&format!("{what}."), &x.args, &y.args, &[], out);
            }
            (x, y) if x.map(words::key) != y.map(words::key) => {
                let side = |args: &Args, v: Option<&Value>| {
                    v.map(|v| Shown { text: words::value(v), default: !args.is_given(name) })
                };
                out.push(Change { what, was: side(a, x), now: side(b, y) });
            }
            _ => {}
        }
    }
}

fn data(a: &crate::hir::Data, b: &crate::hir::Data) -> Vec<Change> {
    let mut out = Vec::new();
    // Where a file lies is no difference; what it holds is in the schema.
    args("", &a.args, &b.args, &[], &mut out);
    match (&a.schema, &b.schema) {
        (Some(x), Some(y)) => schema(x, y, &mut out),
        (x, y) => {
            let word = |s: &Option<Schema>| s.as_ref().map(|_| "frozen".to_string());
            out.extend(change("schema", word(x), word(y)));
        }
    }
    out
}

fn schema(a: &Schema, b: &Schema, out: &mut Vec<Change>) {
    if a.digest_text() == b.digest_text() {
        return;
    }
    let before = out.len();
    let rows = |s: &Schema| Some(words::list(s.rows.iter().map(|r| r.to_string())));
    out.extend(change("schema: rows of train, validation, test", rows(a), rows(b)));
    let missing = |s: &Schema| Some(words::list(s.missing.iter().map(|m| crate::data::quoted_text(m))));
    out.extend(change("schema: missing", missing(a), missing(b)));
    let files = |s: &Schema| -> Option<String> {
        let sums =
            s.files.iter().map(|f| format!("{} bytes, sha256 {}…", f.bytes, f.sha256.get(..8).unwrap_or_default()));
        Some(words::list(sums))
    };
    out.extend(change("schema: files", files(a), files(b)));
    for c in &a.columns {
        match b.column(&c.name) {
            None => out.push(Change { what: format!("schema: column {}", c.name), was: shown("there"), now: None }),
            Some(d) if d != c => {
                out.push(Change {
                    what: format!("schema: column {}", c.name),
                    was: shown("as frozen"),
                    now: shown("other facts"),
                });
            }
            Some(_) => {}
        }
    }
    for c in b.columns.iter().filter(|c| a.column(&c.name).is_none()) {
        out.push(Change { what: format!("schema: column {}", c.name), was: None, now: shown("there") });
    }
    for l in &a.labels {
        let facts = |l: &LabelFacts| {
            let numbers = |v: &[f64]| words::list(v.iter().map(|v| crate::data::number_text(*v)));
            format!("mean {}, deviation {}", numbers(&l.mean), numbers(&l.std))
        };
        out.extend(change(&format!("schema: label of {}", l.task), Some(facts(l)), b.label(&l.task).map(facts)));
    }
    if out.len() == before {
        out.push(Change { what: "schema".into(), was: shown("as frozen"), now: shown("other facts") });
    }
}

fn input(sa: &Spec, a: &crate::hir::Input, sb: &Spec, b: &crate::hir::Input) -> Vec<Change> {
    let mut out = Vec::new();
    out.extend(change("type", Some(a.ty.to_string()), Some(b.ty.to_string())));
    let from = |s: &Spec, i: &crate::hir::Input| {
        let all: Vec<String> = i.from.iter().chain(&i.also).map(|c| words::columns(s, c)).collect();
        (!all.is_empty()).then(|| all.join(", "))
    };
    out.extend(change("from", from(sa, a), from(sb, b)));
    // Resolved columns say what `from` and `except` do, unless they are open.
    let open = |i: &crate::hir::Input| i.from.iter().chain(&i.also).any(|c| c.names.is_none());
    let skip: &[&str] = if open(a) || open(b) { &["from"] } else { &["from", "except"] };
    args("", &a.args, &b.args, skip, &mut out);
    out
}

fn task(a: &Task, b: &Task) -> Vec<Change> {
    let mut out = Vec::new();
    out.extend(change("kind", Some(kind(a)), Some(kind(b))));
    let text = |l: &Option<crate::hir::Label>| l.as_ref().map(|l| words::label(&l.label));
    out.extend(change("label", text(&a.label), text(&b.label)));
    out.extend(change("mask", text(&a.mask), text(&b.mask)));
    let list = |v: &[f64]| (!v.is_empty()).then(|| words::list(v.iter().map(|v| crate::data::number_text(*v))));
    out.extend(change("ignore", list(&a.reading.ignore), list(&b.reading.ignore)));
    let order = |t: &Task| Some(t.reading.order.word().to_string());
    out.extend(change("layout", order(a), order(b)));
    let resize = |t: &Task| t.reading.resize.map(|r| r.word().to_string());
    out.extend(change("resize", resize(a), resize(b)));
    calls("loss", &a.loss, &b.loss, &mut out);
    let metrics = |t: &Task| {
        let mut e = Encoder::default();
        t.metrics.iter().for_each(|m| e.call(m));
        e.text
    };
    if metrics(a) != metrics(b) {
        let list = |t: &Task| shown(words::list(t.metrics.iter().map(words::call)));
        out.push(Change { what: "metrics".into(), was: list(a), now: list(b) });
    }
    let number = |t: &Task| Some(crate::data::number_text(t.weight));
    out.extend(change("weight", number(a), number(b)));
    let standardize = |t: &Task| t.kind.has_units().then(|| t.standardize.to_string());
    out.extend(change("standardize", standardize(a), standardize(b)));
    out
}

fn kind(t: &Task) -> String {
    use crate::objective::TaskKind::*;
    let name = t.kind.name();
    match t.kind {
        Classes(n) | Multilabel(n) => format!("{name}({})", n.map_or("open".to_string(), |n| n.to_string())),
        Regression(n) | Segmentation(n) => format!("{name}({n})"),
        Binary | Depth | Normals => name.to_string(),
    }
}

/// The same thing called with other arguments, or another thing.
fn calls(what: &str, a: &Call, b: &Call, out: &mut Vec<Change>) {
    match a.name == b.name {
        true => args(&format!("{what}."), &a.args, &b.args, &[], out),
        false => out.push(Change { what: what.into(), was: shown(words::call(a)), now: shown(words::call(b)) }),
    }
}

fn train(a: &Spec, b: &Spec) -> Vec<Item> {
    let defaults = || crate::hir::build::defaults(crate::hir::schema::train_attrs());
    let of = |s: &Spec| s.train.as_ref().map_or_else(defaults, |t| t.args.clone());
    let mut out = Vec::new();
    args("", &of(a), &of(b), &[], &mut out);
    if out.is_empty() { Vec::new() } else { vec![Item { names: Vec::new(), how: How::Changed(out) }] }
}

fn heads(a: &Spec, b: &Spec) -> Vec<Item> {
    let with = |s: &Spec| -> Vec<(String, Option<usize>)> {
        s.tasks.iter().map(|t| (t.name.clone(), t.head.map(|h| h.0))).collect()
    };
    let common = |of: Vec<(String, Option<usize>)>, other: &Spec| -> Vec<(String, Option<usize>)> {
        of.into_iter().filter(|(n, _)| other.tasks.iter().any(|t| t.name == *n)).collect()
    };
    items(
        &common(with(a), b),
        &common(with(b), a),
        |t| t.0.clone(),
        |x, y| match (x.1, y.1) {
            (Some(x), Some(y)) => {
                let (x, y) = (&a.heads[x], &b.heads[y]);
                body((a, &x.reads, &x.body), (b, &y.reads, &y.body))
            }
            (x, y) => {
                let word = |h: Option<usize>| h.map(|_| "there".to_string());
                change("head", word(x), word(y)).into_iter().collect()
            }
        },
    )
}

fn stages(a: &Spec, b: &Spec) -> Vec<Item> {
    let of = |s: &'_ Spec| s.backbone.as_ref().map_or(0, |b| b.stages.len());
    let index = |n: usize| (0..n).collect::<Vec<usize>>();
    let stage = |s: &Spec, i: usize| s.backbone.as_ref().expect("it has stages").stages[i].name.clone();
    let (x, y) = (index(of(a)), index(of(b)));
    // Matched by name, which an index alone does not have: pairs of side and index.
    let x: Vec<(bool, usize)> = x.into_iter().map(|i| (false, i)).collect();
    let y: Vec<(bool, usize)> = y.into_iter().map(|i| (true, i)).collect();
    let mut out = items(
        &x,
        &y,
        |(second, i)| stage(if *second { b } else { a }, *i),
        |(_, i), (_, j)| {
            let x = &a.backbone.as_ref().expect("it has stages").stages[*i];
            let y = &b.backbone.as_ref().expect("it has stages").stages[*j];
            body((a, &x.reads, &x.body), (b, &y.reads, &y.body))
        },
    );
    let name = |s: &Spec| s.backbone.as_ref().map(|b| b.name.clone());
    let renamed: Vec<Change> = change("name", name(a), name(b)).into_iter().collect();
    if !renamed.is_empty() {
        out.insert(0, Item { names: vec!["the backbone".into()], how: How::Changed(renamed) });
    }
    out
}

type Side<'a> = (&'a Spec, &'a [Read], &'a Body);

/// Two dataflows: ops are matched in order, as few as possible left over.
fn body(a: Side, b: Side) -> Vec<Change> {
    let mut out = Vec::new();
    let reads = |(spec, reads, _): &Side| {
        let mut names: Vec<String> = reads.iter().map(|r| read(spec, *r)).collect();
        names.sort();
        Some(names.join(", "))
    };
    out.extend(change("reads", reads(&a), reads(&b)));
    let (x, y) = (&a.2.nodes, &b.2.nodes);
    let key = |args: &Args| {
        let mut e = Encoder::default();
        e.args(args, &[]);
        e.text
    };
    let keys = |side: &[crate::hir::FlowNode]| side.iter().map(|n| key(&n.args)).collect::<Vec<_>>();
    let (kx, ky) = (keys(x), keys(y));
    let score = |i: usize, j: usize| match x[i].op.call.name == y[j].op.call.name {
        true if kx[i] == ky[j] => 3,
        true => 2,
        false => 0,
    };
    // best[i][j]: the best match of what follows i and j.
    let mut best = vec![vec![0u32; y.len() + 1]; x.len() + 1];
    for i in (0..x.len()).rev() {
        for j in (0..y.len()).rev() {
            let paired = if score(i, j) > 0 { best[i + 1][j + 1] + score(i, j) } else { 0 };
            best[i][j] = paired.max(best[i + 1][j]).max(best[i][j + 1]);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut matched = Vec::new();
    while i < x.len() || j < y.len() {
        let pairs = i < x.len() && j < y.len() && score(i, j) > 0 && best[i][j] == best[i + 1][j + 1] + score(i, j);
        if pairs {
            let name = place(x, i);
            args(&format!("{name}: "), &x[i].args, &y[j].args, &[], &mut out);
            matched.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if i < x.len() && best[i][j] == best[i + 1][j] {
            out.push(Change {
                what: place(x, i),
                was: shown(words::with_args(x[i].op.call.name, &x[i].args)),
                now: None,
            });
            i += 1;
        } else {
            out.push(Change {
                what: place(y, j),
                was: None,
                now: shown(words::with_args(y[j].op.call.name, &y[j].args)),
            });
            j += 1;
        }
    }
    // The same ops in the same order may still be put together otherwise.
    if x.len() == y.len() && matched.len() == x.len() {
        let source = |(spec, reads, _): &Side, f: Flow| match f {
            Flow::Source(s) => reads.get(s).map(|r| read(spec, *r)).unwrap_or_default(),
            Flow::Node(n) => n.to_string(),
        };
        let wires = |side: &Side, inputs: &[Flow]| inputs.iter().map(|f| source(side, *f)).collect::<Vec<_>>();
        let same = matched.iter().all(|(i, j)| wires(&a, &x[*i].inputs) == wires(&b, &y[*j].inputs));
        if !same || source(&a, a.2.out) != source(&b, b.2.out) {
            out.push(Change {
                what: "how its ops read one another".into(),
                was: shown("as in A"),
                now: shown("otherwise"),
            });
        }
    }
    out
}

fn read(spec: &Spec, r: Read) -> String {
    match r {
        Read::Input(i) => spec.inputs[i.0].name.clone(),
        Read::Stage(s) => spec.backbone.as_ref().map(|b| b.stages[s.0].name.clone()).unwrap_or_default(),
    }
}

/// `conv`, or `conv 2 of 3` where there are several.
fn place(nodes: &[crate::hir::FlowNode], at: usize) -> String {
    let name = nodes[at].op.call.name;
    let all: Vec<usize> = (0..nodes.len()).filter(|i| nodes[*i].op.call.name == name).collect();
    match all.len() {
        1 => name.to_string(),
        n => format!("{name} {} of {n}", all.iter().position(|i| *i == at).unwrap_or(0) + 1),
    }
}
