//! The golden programs: what each stage of the compiler makes of them, as text files beside them. `UPDATE=1` rewrites.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use mtlc::check::{self, Checked, cost};
use mtlc::diag::Diagnostics;
use mtlc::driver;
use mtlc::hir::{self, Flow, Read, Reads, TopoSource};
use mtlc::ir::{Network, Node, Role, count};
use mtlc::report::graph::{GraphFormat, GraphOptions, View, draw};
use mtlc::source::{FileId, SourceMap};
use mtlc::syntax;

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/programs");
    let mut out: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder is there")
        .map(|e| e.expect("readable").path())
        .filter(|p| p.extension().is_some_and(|e| e == "mtl"))
        .collect();
    out.sort();
    assert!(out.len() >= 15, "only {} golden programs", out.len());
    out
}

/// Programs of the language, whether they can be trained yet or not.
fn compiled(path: &Path) -> Checked {
    let text = driver::read(path).expect("readable");
    let name = path.file_name().map(PathBuf::from).expect("a file");
    let (mut sources, mut diags) = (SourceMap::default(), Diagnostics::default());
    let root = sources.add(name.display().to_string(), Some(&name), &text);
    let parse = syntax::parse(root, &sources.file(root).text);
    let spec = hir::lower(root, &parse, Some(&name), &mut sources, &driver::read, &Default::default(), &mut diags);
    let checked = check::examine(spec, &mut diags);
    let wrong: Vec<_> = diags.iter().filter(|d| d.is_error()).map(|d| &d.message).collect();
    assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
    checked.expect("no errors")
}

fn expect(program: &Path, extension: &str, text: &str) {
    let path = program.with_extension(extension);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text).expect("writable");
        return;
    }
    let was = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        was == text,
        "{} differs from what is made now; UPDATE=1 rewrites it\n{}",
        path.display(),
        difference(&was, text)
    );
}

fn difference(was: &str, is: &str) -> String {
    let lines = was.lines().zip(is.lines()).enumerate().find(|(_, (a, b))| a != b);
    match lines {
        Some((i, (a, b))) => format!("line {}:\n- {a}\n+ {b}", i + 1),
        None => format!("{} lines were, {} are", was.lines().count(), is.lines().count()),
    }
}

#[test]
fn trees() {
    for path in programs() {
        let text = driver::read(&path).expect("readable");
        let parsed = syntax::parse(FileId(0), &text);
        let mut out = String::new();
        for event in parsed.syntax().preorder_with_tokens() {
            let rowan::WalkEvent::Enter(element) = event else { continue };
            let depth = match &element {
                rowan::NodeOrToken::Node(n) => n.ancestors().count() - 1,
                rowan::NodeOrToken::Token(t) => t.parent_ancestors().count(),
            };
            let indent = "  ".repeat(depth);
            match element {
                rowan::NodeOrToken::Node(n) => writeln!(out, "{indent}{:?}", n.kind()),
                rowan::NodeOrToken::Token(t) if t.text().trim().is_empty() => Ok(()),
                rowan::NodeOrToken::Token(t) => writeln!(out, "{indent}{:?} {:?}", t.kind(), t.text()),
            }
            .expect("to memory");
        }
        expect(&path, "tree", &out);
    }
}

#[test]
fn programs_are_in_the_canonical_layout() {
    for path in programs() {
        let text = driver::read(&path).expect("readable");
        assert_eq!(mtlc::fmt::format(&text).expect("no syntax errors"), text, "{}", path.display());
    }
}

#[test]
fn names() {
    for path in programs() {
        expect(&path, "names", &names_of(&compiled(&path)));
    }
}

fn names_of(checked: &Checked) -> String {
    let spec = &checked.spec;
    let mut out = String::new();
    let mut line = |s: String| {
        out.push_str(&s);
        out.push('\n');
    };
    for (i, d) in spec.data.iter().enumerate() {
        let frozen = if d.schema.is_some() { "frozen" } else { "open" };
        line(format!("data {i} {} {:?} {frozen}", d.name, d.format));
    }
    for (i, x) in spec.inputs.iter().enumerate() {
        line(format!("input {i} {}: {}", x.name, x.ty));
    }
    for (i, t) in spec.tasks.iter().enumerate() {
        let metrics: Vec<&str> = t.metrics.iter().map(|m| m.name).collect();
        let head = t.head.map_or("none".into(), |h| h.0.to_string());
        line(format!(
            "task {i} {}: {:?} loss {} metrics {metrics:?} weight {} head {head}",
            t.name, t.kind, t.loss.name, t.weight
        ));
    }
    let read = |r: &Read| match r {
        Read::Input(i) => format!("input {}", i.0),
        Read::Stage(s) => format!("stage {}", s.0),
    };
    let ops = |typed: &mtlc::check::Typed| -> Vec<String> {
        let flow = |f: &Flow| match f {
            Flow::Source(i) => format!("source {i}"),
            Flow::Node(i) => format!("op {i}"),
        };
        let mut lines: Vec<String> = typed
            .ops
            .iter()
            .enumerate()
            .map(|(i, o)| {
                let inputs: Vec<String> = o.inputs.iter().map(flow).collect();
                format!("  op {i} {} of {} -> {}", o.op.name(), inputs.join(", "), o.op.output())
            })
            .collect();
        lines.push(format!("  out {} : {}", flow(&typed.out), typed.ty));
        lines
    };
    if let Some(b) = &spec.backbone {
        line(format!("backbone {}", b.name));
        for (i, (s, typed)) in b.stages.iter().zip(&checked.stages).enumerate() {
            line(format!("stage {i} {} reads {:?}", s.name, s.reads.iter().map(read).collect::<Vec<_>>()));
            ops(typed).into_iter().for_each(&mut line);
        }
    }
    for (i, h) in spec.heads.iter().enumerate() {
        line(format!("head {i} reads {:?}", h.reads.iter().map(read).collect::<Vec<_>>()));
        let task = spec.tasks.iter().position(|t| t.head.is_some_and(|id| id.0 == i)).expect("a head has a task");
        if let Some(typed) = &checked.heads[task] {
            ops(typed).into_iter().for_each(&mut line);
        }
    }
    if let Some(space) = &spec.space {
        let describe = |r: &Reads| match r.mix() {
            Some(m) => format!("{} {} {:?}", r.word(), m.gate.word(), m.queries),
            None => r.word().to_string(),
        };
        for l in &space.levels {
            line(format!("level of stage {}: {} copies read {}", l.stage.0, l.copies, describe(&l.reads)));
        }
        line(format!("heads per copy {} read {}", space.heads.per_copy, describe(&space.heads.reads)));
    }
    for s in &spec.searches {
        let stages: Vec<usize> = s.stages.iter().map(|s| s.0).collect();
        let args: Vec<&str> = s.args.iter().map(|(k, _)| k).collect();
        line(format!("search {} decides stages {stages:?} heads {} with {args:?}", s.strategy.call.name, s.heads));
    }
    if let Some(t) = &spec.topology {
        let source = |s: &TopoSource| match s {
            TopoSource::Input(i) => format!("input {}", i.0),
            TopoSource::Node(n) => format!("node {n}"),
            TopoSource::Mix(m) => format!("mix {m}"),
        };
        let all = |s: &[TopoSource]| s.iter().map(source).collect::<Vec<_>>().join(", ");
        for (i, n) in t.nodes.iter().enumerate() {
            line(format!("node {i} stage {} copy {} reads {}", n.stage.0, n.copy, all(&n.reads)));
        }
        for (i, m) in t.mixes.iter().enumerate() {
            let query = m.query.as_ref().map_or("nothing".into(), source);
            line(format!("mix {i} {} {} of {} by {query}", m.name, m.gate.word(), all(&m.members)));
        }
        for (task, reads, _) in &t.tasks {
            line(format!("task {} reads {}", task.0, all(reads)));
        }
    }
    out
}

#[test]
fn graphs() {
    for path in programs() {
        let checked = compiled(&path);
        let mut out = String::new();
        for (what, network) in [("supernet", &checked.supernet), ("topology", &checked.fixed)] {
            if let Some(n) = network {
                writeln!(out, "{what}").expect("to memory");
                out.push_str(&graph_of(n));
            }
        }
        expect(&path, "graph", &out);
    }
}

fn graph_of(network: &Network) -> String {
    let mut out = String::new();
    for node in &network.order {
        let what = match &network.graph[*node] {
            Node::Input(i) => format!("input {}", i.0),
            Node::Pool { of, carries } => format!("pool of stage {} carries {:?}", of.0, carries.map(|c| c.0)),
            Node::Stage { stage, copy } => format!("stage {} copy {}", stage.0, network.copy_name(*stage, *copy)),
            Node::Select { choice, carries } => {
                format!("select by choice {} carries {:?}", choice.0, carries.map(|c| c.0))
            }
            Node::Mix { gate, choice, name } => {
                format!("mix {} choice {:?} {name:?}", gate.word(), choice.map(|c| c.0))
            }
            Node::Head { task, copy } => format!("head of task {} copy {copy:?}", task.0),
            Node::Loss { task, choice } => format!("loss of task {} choice {:?}", task.0, choice.map(|c| c.0)),
        };
        let sources: Vec<String> = network
            .sources(*node)
            .iter()
            .map(|(r, s)| match r {
                Role::Arg(i) => format!("arg {i} {}", s.index()),
                Role::Pool => format!("pool {}", s.index()),
                Role::Candidate(i) => format!("candidate {i} {}", s.index()),
                Role::Query(i) => format!("query {i} {}", s.index()),
            })
            .collect();
        writeln!(out, "{} {what} <- {}", node.index(), sources.join("; ")).expect("to memory");
    }
    for (i, c) in network.choices.iter().enumerate() {
        writeln!(out, "choice {i} {:?} of {} copies of stage {}: {:?}", c.reader, c.candidates, c.of.0, c.kind)
            .expect("to memory");
    }
    out
}

#[test]
fn costs() {
    for path in programs() {
        let checked = compiled(&path);
        let mut out = String::new();
        for (what, network) in [("supernet", &checked.supernet), ("topology", &checked.fixed)] {
            let Some(n) = network else { continue };
            let report = cost::report(&checked, n);
            for (name, c) in
                [(what, &report.network), ("all shared", &report.all_shared), ("independent", &report.independent)]
            {
                let [params, macs] = [c.shared.params, c.shared.macs].map(|s| s.map(|s| (s * 1e6).round() / 1e6));
                writeln!(out, "{name}: {:?} shared {params:?} {macs:?}", c.total).expect("to memory");
            }
            if n.is_fixed() {
                for (task, c) in checked.spec.tasks.iter().zip(&report.network.per_task) {
                    writeln!(out, "path of {}: {c:?}", task.name).expect("to memory");
                }
            }
            if let Some(space) = &checked.spec.space
                && what == "supernet"
            {
                let size = count::space_size(&checked.spec, space, n);
                let trees = size.trees.map_or("not counted".to_string(), |t| t.to_string());
                writeln!(out, "trees {trees} labelled 10^{:.4}", size.labelled_log10).expect("to memory");
            }
        }
        expect(&path, "cost", &out);
    }
}

#[test]
fn drawings() {
    for path in programs() {
        let checked = compiled(&path);
        for view in View::ALL.iter().filter(|v| v.is_in(&checked)) {
            for format in [GraphFormat::Text, GraphFormat::Svg] {
                let text = draw(&checked, Some(*view), format, GraphOptions::default());
                let extension = if format == GraphFormat::Svg { "svg" } else { "txt" };
                expect(&path, &format!("{}.{extension}", view.name()), &text);
            }
        }
    }
}

/// The released classifier of Branched Multi-Task Networks has 8,830,248 trainable values at 224x224.
#[test]
fn a_published_topology_has_its_published_size() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/programs/bmtn_derived.mtl");
    let checked = compiled(&path);
    let network = checked.fixed.as_ref().expect("a topology");
    assert_eq!(cost::network_cost(&checked, network).total.params, Some(8_830_248));
    assert_eq!(cost::copies(network), [(0, 1), (1, 2), (2, 3), (3, 10), (4, 18), (5, 33)].into_iter().collect());
}

/// Its `self` is the digest of its meaning, so nobody has edited it.
#[test]
fn the_derived_file_is_untouched() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/programs/ltb_derived.mtl");
    let checked = compiled(&path);
    let written = checked.spec.provenance.as_ref().expect("a derived file has one").args.str("self").to_string();
    assert_eq!(written, mtlc::artifact::digest(&checked.spec));
}
