//! Stable texts of what the compiler knows after each stage, for golden files. Spans and node numbers that mean nothing to a reader
//! are left out, so that a dump changes when the meaning does.

#![allow(dead_code)]

use std::fmt::Write;

use mtlc::check::{Checked, Cost, cost};
use mtlc::hir::{Body, Columns, Flow, Query, Read, Reads, Spec};
use mtlc::ir::{ChoiceKind, Network, Node, Reader, Role, count};
use mtlc::schema::{Args, Call, Cost as CostKind, Duration, Value};
use mtlc::source::FileId;
use mtlc::syntax::{SyntaxElement, SyntaxNode, parse};

/// The syntax tree without blanks: a node a line, its tokens beside it where it has no other nodes.
pub fn tree(text: &str) -> String {
    let mut out = String::new();
    node(&parse(FileId(0), text).syntax(), 0, &mut out);
    out
}

fn node(n: &SyntaxNode, depth: usize, out: &mut String) {
    let _ = write!(out, "{:1$}{2:?}", "", 2 * depth, n.kind());
    let flat = n.children().next().is_none();
    if flat {
        for t in n.children_with_tokens().filter(|t| !t.kind().is_trivia()) {
            let _ = write!(out, " {t}");
        }
    }
    out.push('\n');
    for child in n.children_with_tokens().filter(|_| !flat) {
        match child {
            SyntaxElement::Node(n) => node(&n, depth + 1, out),
            SyntaxElement::Token(t) if t.kind() == mtlc::syntax::Kind::Whitespace => {}
            SyntaxElement::Token(t) => {
                let _ = writeln!(out, "{:1$}{2}", "", 2 * depth + 2, t.text());
            }
        }
    }
}

/// The resolved spec: ids, what they read, the ops that stages and heads expand to.
pub fn names(spec: &Spec) -> String {
    let mut out = String::new();
    let o = &mut out;
    for p in &spec.params {
        let _ = writeln!(o, "param {} = {:?}", p.name, p.value);
    }
    for (i, d) in spec.data.iter().enumerate() {
        let frozen = if d.schema.is_some() { ", frozen" } else { "" };
        let _ = writeln!(o, "data#{i} {} = {}{}{frozen}", d.name, d.format.call.name, args(&d.args));
    }
    for (i, x) in spec.inputs.iter().enumerate() {
        let from: Vec<String> = x.from.iter().chain(&x.also).map(|c| columns(spec, c)).collect();
        let _ = writeln!(o, "input#{i} {}: {} from [{}]", x.name, x.ty, from.join("; "));
    }
    for f in &spec.families {
        let _ = writeln!(o, "family {} = tasks {:?}{}", f.name, f.tasks, if f.open { ", open" } else { "" });
    }
    for (i, t) in spec.tasks.iter().enumerate() {
        let metrics: Vec<String> = t.metrics.iter().map(call).collect();
        let head = t.head.map_or("none".to_string(), |h| format!("head#{}", h.0));
        let data = t.label.as_ref().map_or("none".to_string(), |l| format!("data#{}", l.data.0));
        let _ = writeln!(
            o,
            "task#{i} {}: {:?}, labels of {data}, loss {} x {}, metrics [{}], {head}",
            t.name,
            t.kind,
            call(&t.loss),
            t.weight,
            metrics.join(", ")
        );
    }
    if let Some(b) = &spec.backbone {
        let _ = writeln!(o, "backbone {}", b.name);
        for (i, s) in b.stages.iter().enumerate() {
            let _ = writeln!(o, "  stage#{i} {} reads [{}]", s.name, reads(&s.reads));
            body(&s.body, o);
        }
    }
    for (i, h) in spec.heads.iter().enumerate() {
        let _ = writeln!(o, "head#{i} reads [{}]", reads(&h.reads));
        body(&h.body, o);
    }
    if let Some(s) = &spec.space {
        let _ = writeln!(o, "space {}", s.name);
        for l in &s.levels {
            let _ = writeln!(o, "  stage#{}: {} copies read {}", l.stage.0, l.copies, how(&l.reads));
        }
        let per = if s.heads.per_copy { "copy" } else { "task" };
        let _ = writeln!(o, "  heads: per {per} read {}", how(&s.heads.reads));
    }
    for s in &spec.searches {
        let stages: Vec<usize> = s.stages.iter().map(|s| s.0).collect();
        let _ = writeln!(o, "search {} on stages {stages:?}, heads {}{}", s.strategy.call.name, s.heads, args(&s.args));
        if let Some(single) = &s.single {
            let _ = writeln!(o, "  single{}", args(single));
        }
    }
    if let Some(t) = &spec.topology {
        let _ = writeln!(
            o,
            "topology {}: {} nodes, {} mixes, {} tasks",
            t.name,
            t.nodes.len(),
            t.mixes.len(),
            t.tasks.len()
        );
    }
    if let Some(t) = &spec.train {
        let _ = writeln!(o, "train{}", args(&t.args));
    }
    if let Some(p) = &spec.provenance {
        let _ = writeln!(o, "provenance{}", args(&p.args));
    }
    out
}

fn columns(spec: &Spec, c: &Columns) -> String {
    let names = c.names.as_ref().map_or("open".to_string(), |n| n.join(", "));
    format!("{}: {names}", spec.data[c.data.0].name)
}

fn reads(reads: &[Read]) -> String {
    let one = |r: &Read| match r {
        Read::Input(i) => format!("input#{}", i.0),
        Read::Stage(s) => format!("stage#{}", s.0),
    };
    reads.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn how(r: &Reads) -> String {
    let Some(m) = r.mix() else { return r.word().to_string() };
    let query = |q: &Query| match q {
        Query::Previous => "previous".to_string(),
        Query::Read(r) => reads(&[*r]),
    };
    format!("{} ({}: {})", r.word(), m.gate.word(), m.queries.iter().map(query).collect::<Vec<_>>().join(", "))
}

fn body(b: &Body, out: &mut String) {
    let flow = |f: &Flow| match f {
        Flow::Source(i) => format!("source {i}"),
        Flow::Node(i) => format!("%{i}"),
    };
    for (i, n) in b.nodes.iter().enumerate() {
        let inputs: Vec<String> = n.inputs.iter().map(flow).collect();
        let _ = writeln!(out, "    %{i} = {}{} <- {}", n.op.call.name, args(&n.args), inputs.join(", "));
    }
    let _ = writeln!(out, "    out = {}", flow(&b.out));
}

fn args(a: &Args) -> String {
    let parts: Vec<String> = a.iter().map(|(k, v)| format!("{k} = {}", value(&v.value))).collect();
    if parts.is_empty() { String::new() } else { format!("({})", parts.join(", ")) }
}

fn call(c: &Call) -> String {
    format!("{}{}", c.name, args(&c.args))
}

fn value(v: &Value) -> String {
    match v {
        Value::Bool(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Float(v) => v.to_string(),
        Value::Str(v) | Value::Path(v) => format!("{v:?}"),
        Value::Name(parts) => parts.join("."),
        Value::List(items) => format!("[{}]", items.iter().map(|i| value(&i.value)).collect::<Vec<_>>().join(", ")),
        Value::Call(c) => call(c),
        Value::Duration(Duration::Epochs(v)) => format!("{v} epochs"),
        Value::Duration(Duration::Steps(v)) => format!("{v} steps"),
        Value::Budget(b) => {
            let of = if b.of == CostKind::Params { "params" } else { "macs" };
            format!("{of} <= {} of {:?}", b.at_most, b.relative_to)
        }
        Value::Expr(_) => "(expression)".to_string(),
    }
}

/// Nodes with what they read, and the choices.
pub fn graph(checked: &Checked) -> String {
    let mut out = String::new();
    for (what, network) in [("space", &checked.supernet), ("topology", &checked.fixed)] {
        let Some(n) = network else { continue };
        let _ = writeln!(
            out,
            "{what}: {} nodes, {} edges, {} choices",
            n.graph.node_count(),
            n.graph.edge_count(),
            n.choices.len()
        );
        for i in &n.order {
            let sources: Vec<String> = n
                .sources(*i)
                .into_iter()
                .map(|(role, s)| {
                    let name = node_name(checked, n, s);
                    match role {
                        Role::Query(_) => format!("query {name}"),
                        _ => name,
                    }
                })
                .collect();
            let _ = writeln!(out, "  {} <- [{}]", node_name(checked, n, *i), sources.join(", "));
        }
        for (i, c) in n.choices.iter().enumerate() {
            let spec = &checked.spec;
            let who = match c.reader {
                Reader::Stage(s, k) => format!("{}.{}", stage(spec, s.0), n.copy_name(s, k)),
                Reader::Head(t) => format!("head of {}", spec.tasks[t.0].name),
            };
            let kind = match &c.kind {
                ChoiceKind::One => "one".to_string(),
                ChoiceKind::Some { queries } => format!("a subset, and one of {} queries", queries.len()),
                ChoiceKind::Copy => "one head".to_string(),
            };
            let _ = writeln!(out, "  choice#{i}: {who} chooses {kind} of {} x {}", c.candidates, stage(spec, c.of.0));
        }
    }
    out
}

fn stage(spec: &Spec, s: usize) -> &str {
    spec.backbone.as_ref().map_or("?", |b| &b.stages[s].name)
}

fn node_name(c: &Checked, n: &Network, i: petgraph::graph::NodeIndex) -> String {
    let spec = &c.spec;
    let task = |t: usize| spec.tasks[t].name.as_str();
    match &n.graph[i] {
        Node::Input(x) => spec.inputs[x.0].name.clone(),
        Node::Pool { of, carries: None } => format!("all {}", stage(spec, of.0)),
        Node::Pool { of, carries: Some(s) } => format!("all {} above {}", stage(spec, s.0), stage(spec, of.0)),
        Node::Stage { stage: s, copy } => format!("{}.{}", stage(spec, s.0), n.copy_name(*s, *copy)),
        Node::Select { choice, carries: None } => format!("choice#{}", choice.0),
        Node::Select { choice, carries: Some(s) } => format!("choice#{}'s {}", choice.0, stage(spec, s.0)),
        Node::Mix { gate, choice, name } => {
            let which = match (choice, name) {
                (Some(c), _) => format!(" of choice#{}", c.0),
                (None, Some(name)) => format!(" {name}"),
                (None, None) => String::new(),
            };
            format!("{} mix{which} (n{})", gate.word(), i.index())
        }
        Node::Head { task: t, copy: None } => format!("head {}", task(t.0)),
        Node::Head { task: t, copy: Some(k) } => format!("head {} on copy {k}", task(t.0)),
        Node::Loss { task: t, .. } => format!("loss {}", task(t.0)),
    }
}

/// What each stage and head costs, the networks beside one another, and the size of the space.
pub fn costs(checked: &Checked) -> String {
    let mut out = String::new();
    let spec = &checked.spec;
    for (i, s) in checked.stages.iter().enumerate() {
        let _ = writeln!(out, "stage {}: {} {}", stage(spec, i), s.ty, figures(&s.cost));
    }
    let mut seen = Vec::new();
    for (t, h) in spec.tasks.iter().zip(&checked.heads) {
        let (Some(h), Some(id)) = (h, t.head) else { continue };
        if !seen.contains(&id) {
            seen.push(id);
            let _ = writeln!(out, "head#{}: {} {}", id.0, h.ty, figures(&h.cost));
        }
    }
    for (what, network) in [("space", &checked.supernet), ("topology", &checked.fixed)] {
        let Some(n) = network else { continue };
        let r = cost::report(checked, n);
        let _ = writeln!(out, "{what}: {}", figures(&r.network.total));
        if let Some(shared) = r.network.shared {
            let _ = writeln!(out, "  shared: {:.1} % of the parameters", 100.0 * shared);
        }
        for (t, c) in spec.tasks.iter().zip(&r.network.per_task).take(3) {
            let _ = writeln!(out, "  task {}: {}", t.name, figures(c));
        }
        let _ = writeln!(out, "  all shared: {}", figures(&r.all_shared.total));
        let _ = writeln!(out, "  independent: {}", figures(&r.independent.total));
    }
    if let (Some(space), Some(n)) = (&spec.space, &checked.supernet) {
        let size = count::space_size(spec, space, n);
        let trees = size.trees.map_or("not a tree".to_string(), |t| t.to_string());
        let _ = writeln!(out, "space size: 10^{:.3} labelled, {trees} trees", size.labelled_log10);
    }
    out
}

fn figures(c: &Cost) -> String {
    let n = |v: Option<u64>| v.map_or("open".to_string(), |v| v.to_string());
    format!("{} parameters, {} MACs, {} activations", n(c.params), n(c.macs), n(c.activations))
}
