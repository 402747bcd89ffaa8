//! Derived files, digests, provenance and the canonical form of topologies.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mtlc::artifact::{self, Derivation, Provenance, Standing};
use mtlc::driver::{Compiled, compile_text};
use mtlc::hir::{Gate, Options, Spec, TaskId, TopoMix, TopoNode, TopoSource, Topology};
use mtlc::ir::partition;
use proptest::prelude::*;

fn compile_at(text: &str, path: &str, options: &Options, files: &HashMap<PathBuf, String>) -> Compiled {
    let load = |p: &Path| files.get(p).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into());
    compile_text(text, Path::new(path), options, &load)
}

#[track_caller]
fn compile(text: &str) -> Compiled {
    let c = compile_at(text, "spec.mtl", &Options::default(), &HashMap::new());
    clean(&c, text);
    c
}

#[track_caller]
fn clean(c: &Compiled, text: &str) {
    let messages: Vec<String> = c.diagnostics.iter().map(|d| format!("{}: {}", d.code.name(), d.message)).collect();
    assert!(c.checked.is_some(), "{messages:#?}\n{text}");
}

fn spec(c: &Compiled) -> &Spec {
    &c.checked.as_ref().expect("compiled").spec
}

fn derive(c: &Compiled, topology: &Topology, folder: &str) -> String {
    let provenance = Provenance::new(
        spec(c),
        "learn_to_branch",
        7,
        vec![("validation_loss".into(), 0.214), ("epochs".into(), 30.0)],
    );
    artifact::derived_file(Derivation {
        sources: &c.sources,
        spec: spec(c),
        topology,
        folder: Path::new(folder),
        provenance: &provenance,
    })
}

/// Deriving the derived file's own topology gives its bytes, its provenance holds, and the topology is the one given.
#[track_caller]
fn round_trip(c: &Compiled, topology: &Topology) -> String {
    let text = derive(c, topology, "");
    assert_eq!(text, derive(c, topology, ""), "two derivations differ");
    assert_eq!(mtlc::fmt::format(&text).expect("it formats"), text, "it is laid out");
    let back = compile(&text);
    assert!(!back.diagnostics.iter().any(|d| d.code.name().starts_with("provenance")), "{text}");
    assert_eq!(artifact::verify_self(spec(&back)), Standing::Untouched);
    let found = spec(&back).topology.as_ref().expect("it has a topology");
    let want = artifact::topology_text(spec(c), topology);
    assert_eq!(artifact::topology_text(spec(&back), found), want);
    assert!(artifact::same_meaning(spec(c), topology, found));
    let again = artifact::derived_file(Derivation {
        sources: &back.sources,
        spec: spec(&back),
        topology: found,
        folder: Path::new(""),
        provenance: &Provenance::of(spec(&back)).expect("it has provenance"),
    });
    assert_eq!(again, text);
    text
}

fn table(tasks: usize, stages: usize) -> String {
    let mut out = String::from("mtl 1\n\ninput x: f32[8]\n");
    (0..tasks).for_each(|t| out += &format!("task t{t}: binary\n"));
    out += "backbone net(x) {\n";
    (0..stages).for_each(|s| out += &format!("  stage s{s} = mlp(4)\n"));
    out += "}\nhead for binary = linear(1)\n";
    out
}

fn tree_spec() -> impl Strategy<Value = (usize, Vec<Vec<usize>>)> {
    (2..=12usize, 1..=6usize).prop_flat_map(|(tasks, stages)| {
        (Just(tasks), prop::collection::vec(prop::collection::vec(0..3usize, tasks), stages))
    })
}

/// Each stage splits the blocks of the one before by the labels drawn.
fn refine(labels: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut chain: Vec<Vec<usize>> = Vec::new();
    for row in labels {
        let mut names: HashMap<(usize, usize), usize> = HashMap::new();
        let before = chain.last().cloned().unwrap_or_else(|| vec![0; row.len()]);
        let next = row
            .iter()
            .zip(&before)
            .map(|(l, b)| {
                let n = names.len();
                *names.entry((*b, *l)).or_insert(n)
            })
            .collect();
        chain.push(next);
    }
    chain
}

/// Copies in another order, under other names, and mixes with them.
fn shuffled(t: &Topology, seed: u64) -> Topology {
    let mut stages: Vec<usize> = t.nodes.iter().map(|n| n.stage.0).collect();
    stages.dedup();
    let mut order: Vec<usize> = (0..t.nodes.len()).collect();
    let key = |n: usize| (n as u64 + 1).wrapping_mul(seed | 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    order.sort_by_key(|n| (t.nodes[*n].stage, key(*n)));
    let place: HashMap<usize, usize> = order.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let fix = |s: &TopoSource| match s {
        TopoSource::Node(n) => TopoSource::Node(place[n]),
        other => *other,
    };
    let mut out = t.clone();
    out.nodes = order
        .iter()
        .enumerate()
        .map(|(i, n)| TopoNode {
            copy: format!("q{i}"),
            reads: t.nodes[*n].reads.iter().map(fix).collect(),
            ..t.nodes[*n].clone()
        })
        .collect();
    for m in &mut out.mixes {
        m.members = m.members.iter().rev().map(fix).collect();
        m.query = m.query.as_ref().map(fix);
    }
    out.tasks.iter_mut().for_each(|(_, reads, _)| *reads = reads.iter().map(fix).collect());
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_comes_back((tasks, labels) in tree_spec(), seed in any::<u64>()) {
        let c = compile(&table(tasks, labels.len()));
        let t = partition::tree(spec(&c), &refine(&labels));
        round_trip(&c, &t);
        prop_assert!(artifact::same_meaning(spec(&c), &t, &shuffled(&t, seed)));
    }

    #[test]
    fn routes_come_back((tasks, stages, draws) in (2..=6usize, 2..=4usize, prop::collection::vec(any::<u32>(), 200)), seed in any::<u64>()) {
        let c = compile(&table(tasks, stages));
        let t = routes(spec(&c), &draws);
        round_trip(&c, &t);
        let other = shuffled(&t, seed);
        prop_assert_eq!(
            artifact::topology_text(spec(&c), &t),
            artifact::topology_text(spec(&c), &other)
        );
    }
}

/// A random network of up to four copies a stage, each reading one copy or a mix of some; readers may share a mix.
fn routes(spec: &Spec, draws: &[u32]) -> Topology {
    let mut draws = draws.iter().copied().cycle();
    let mut draw = move |n: usize| draws.next().expect("a cycle") as usize % n;
    let stages = &spec.backbone.as_ref().expect("it has one").stages;
    let mut t = Topology::default();
    let mut below: Vec<usize> = Vec::new();
    let source = |t: &mut Topology,
                      below: &[usize],
                      shared: &mut Vec<usize>,
                      draw: &mut dyn FnMut(usize) -> usize| {
        let some: Vec<usize> = below.iter().copied().filter(|_| draw(2) == 1).collect();
        match some.as_slice() {
            [] => TopoSource::Node(below[draw(below.len())]),
            [one] => TopoSource::Node(*one),
            _ if !shared.is_empty() && draw(3) == 0 => TopoSource::Mix(shared[draw(shared.len())]),
            _ => {
                let gate = [Gate::Softmax, Gate::Sigmoid, Gate::Sum, Gate::Mean][draw(4)];
                let members: Vec<TopoSource> = some.iter().map(|n| TopoSource::Node(*n)).collect();
                let query = match (gate.has_query(), draw(3)) {
                    (false, _) => None,
                    (true, 0) => Some(TopoSource::Input(mtlc::hir::InputId(0))),
                    (true, 1) => Some(TopoSource::Node(0)),
                    _ => {
                        let members = members.clone();
                        t.mixes.push(TopoMix { name: "p".into(), gate: Gate::Mean, query: None, members, span: None });
                        Some(TopoSource::Mix(t.mixes.len() - 1))
                    }
                };
                t.mixes.push(TopoMix { name: "q".into(), gate, query, members, span: None });
                shared.push(t.mixes.len() - 1);
                TopoSource::Mix(t.mixes.len() - 1)
            }
        }
    };
    for s in 0..stages.len() {
        let mut here = Vec::new();
        let mut shared = Vec::new();
        for _ in 0..if s == 0 { 1 } else { 1 + draw(4) } {
            let reads = match s {
                0 => TopoSource::Input(mtlc::hir::InputId(0)),
                _ => source(&mut t, &below, &mut shared, &mut draw),
            };
            let copy = format!("n{}", t.nodes.len());
            t.nodes.push(TopoNode { stage: mtlc::hir::StageId(s), copy, reads: vec![reads], span: None });
            here.push(t.nodes.len() - 1);
        }
        below = here;
    }
    let mut shared = Vec::new();
    for task in 0..spec.tasks.len() {
        let reads = source(&mut t, &below, &mut shared, &mut draw);
        t.tasks.push((TaskId(task), vec![reads], None));
    }
    t
}
