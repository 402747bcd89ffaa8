//! Programs of the sizes that must stay comfortable, made here: the graph grows with what is written, never with a product. Times go
//! to `--nocapture`, for eyes only.

use std::fmt::Write;
use std::path::Path;

use mtlc::driver;
use mtlc::hir::Options;

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
    assert!(compiled.diagnostics.is_empty(), "{:#?}", compiled.diagnostics);
    let checked = compiled.checked.expect("nothing is wrong");
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
