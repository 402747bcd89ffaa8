//! The language's acceptance tests: complete programs of `tests/golden/programs`, each of which checks without a word, with a dump
//! beside it for every stage of the compiler (`.tree`, `.names`, `.graph`, `.cost`) and its drawing (`.drawing`). `UPDATE=1`
//! rewrites them. And programs of the sizes that must stay comfortable, which are made here.

mod support;

use std::fmt::Write;
use std::path::Path;

use mtlc::check::{Checked, cost};
use mtlc::diag::render::{MessageFormat, RenderOptions, render};
use mtlc::driver::{self, Compiled};
use mtlc::hir::Options;
use mtlc::report::graph::{GraphFormat, GraphOptions, draw};
use support::{Expectations, dump, files};

fn compile(path: &Path) -> (String, Checked) {
    let text = std::fs::read_to_string(path).expect("the program is there");
    let compiled = driver::compile_text(&text, path, &Options::default(), &driver::read);
    (text, clean(path.display(), compiled))
}

fn clean(name: impl std::fmt::Display, compiled: Compiled) -> Checked {
    let report = render(MessageFormat::Human, &compiled.diagnostics, &compiled.sources, RenderOptions::default());
    assert!(compiled.diagnostics.is_empty(), "{name}:\n{report}");
    compiled.checked.expect("nothing is wrong")
}

#[test]
fn programs_at_every_stage() {
    let mut expected = Expectations::default();
    let programs = files("tests/golden/programs", "mtl");
    assert!(programs.len() >= 15, "{} programs", programs.len());
    for path in programs {
        let (text, checked) = compile(&path);
        expected.check(&path.with_extension("tree"), &dump::tree(&text));
        expected.check(&path.with_extension("names"), &dump::names(&checked.spec));
        expected.check(&path.with_extension("graph"), &dump::graph(&checked));
        expected.check(&path.with_extension("cost"), &dump::costs(&checked));
        expected
            .check(&path.with_extension("drawing"), &draw(&checked, None, GraphFormat::Text, GraphOptions::default()));
    }
    expected.finish();
}

/// Formatting changes no meaning.
#[test]
fn the_layout_says_nothing() {
    for path in files("tests/golden/programs", "mtl") {
        let (text, checked) = compile(&path);
        let formatted = mtlc::fmt::format(&text).expect("it has no syntax errors");
        let again = driver::compile_text(&formatted, &path, &Options::default(), &driver::read);
        assert_eq!(
            dump::names(&checked.spec),
            dump::names(&clean(path.display(), again).spec),
            "{} is another program when formatted",
            path.display()
        );
    }
}

/// The branched VGG-16 that Vandenhende et al. released for 40 face attributes has 8,830,248 trained values.
#[test]
fn a_published_tree_has_its_published_size() {
    let (_, checked) = compile(Path::new("tests/golden/programs/bmtn_derived.mtl"));
    let fixed = checked.fixed.as_ref().expect("it has a topology");
    assert_eq!(cost::report(&checked, fixed).network.total.params, Some(8_830_248));
    let topology = checked.spec.topology.as_ref().expect("it has a topology");
    let mut copies = vec![0; checked.stages.len()];
    topology.nodes.iter().for_each(|n| copies[n.stage.0] += 1);
    assert_eq!(copies, [1, 2, 3, 10, 18, 33]);
}

/// What `mtlc new` writes checks, and is laid out as `mtlc fmt` would.
#[test]
fn templates_are_programs() {
    use mtlc::cli::args::Template;
    use mtlc::diag::Severity;
    for template in Template::ALL {
        let compiled = driver::compile_text(template.text(), Path::new("new.mtl"), &Options::default(), &driver::read);
        let worst = compiled.diagnostics.iter().map(|d| d.severity).min();
        assert!(worst.is_none_or(|s| s == Severity::Advice), "{template:?}: {:#?}", compiled.diagnostics);
        assert_eq!(mtlc::fmt::format(template.text()).as_deref(), Ok(template.text()), "{template:?}");
    }
}

/// A spec with that many stages and tasks, of about `10 * size` lines.
fn long(size: usize) -> String {
    let mut s = String::from("mtl 1\n\ninput image: f32[3, 16, 16]\n\n");
    for t in 0..4 * size {
        let _ = writeln!(s, "# One of many.\ntask t{t}: binary {{\n  weight = 0.5\n}}");
    }
    s += "\nbackbone net(image) {\n";
    for i in 0..size {
        let _ = writeln!(s, "  stage s{i} = conv_bn(8)");
    }
    s += "  stage last = global_avg_pool\n}\n\nhead for binary = linear(1)\n\n";
    s += "space branching over net {\n";
    for i in 0..size {
        let _ = writeln!(s, "  level s{i} {{\n    copies = {}\n    reads = one\n  }}", 1 + i % 3);
    }
    s += "  level last { copies = 3 }\n}\n";
    s
}

/// A tree of `tasks` tasks over `levels` levels with `copies` copies.
fn wide(tasks: usize, levels: usize, copies: usize) -> String {
    let mut s = String::from("mtl 1\n\ninput x: f32[16]\n\n");
    for t in 0..tasks {
        let _ = writeln!(s, "task t{t}: binary");
    }
    s += "\nbackbone net(x) {\n";
    for i in 0..levels {
        let _ = writeln!(s, "  stage s{i} = mlp(8)");
    }
    s += "}\n\nhead for binary = linear(1)\n\nspace branching over net {\n";
    for i in 0..levels {
        let _ = writeln!(s, "  level s{i} {{ copies = {copies} }}");
    }
    s += "}\n";
    s
}

/// Nodes and edges of a supernet; the time goes to `--nocapture`, for eyes only.
fn size(text: &str) -> (usize, usize) {
    let start = std::time::Instant::now();
    let compiled = driver::compile_text(text, Path::new("made.mtl"), &Options::default(), &driver::read);
    let took = start.elapsed();
    let checked = clean("made.mtl", compiled);
    let graph = &checked.supernet.as_ref().expect("it has a space").graph;
    println!("{} lines, {} nodes, {} edges: {took:?}", text.lines().count(), graph.node_count(), graph.edge_count());
    (graph.node_count(), graph.edge_count())
}

#[test]
fn ten_thousand_lines() {
    let (one, two) = (long(250), long(500));
    assert!(two.lines().count() >= 10_000, "{}", two.lines().count());
    let (small, large) = (size(&one), size(&two));
    assert!(large.0 <= 2 * small.0 + 10 && large.1 <= 2 * small.1 + 10, "{small:?} {large:?}");
}

/// The graph grows with copies and tasks, not with their product.
#[test]
fn a_thousand_tasks_on_ten_thousand_nodes() {
    let (small, large) = (size(&wide(500, 10, 500)), size(&wide(1000, 10, 1000)));
    assert!(large.0 >= 10_000);
    assert!(large.0 <= 2 * small.0 + 10 && large.1 <= 2 * small.1 + 10, "{small:?} {large:?}");
}
