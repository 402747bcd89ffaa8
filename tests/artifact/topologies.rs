//! One text for one topology, whatever the order and the names it was written in.

use mtlc::hir::{Gate, TaskId, TopoMix, TopoNode, TopoSource};
use mtlc::ir::partition;
use proptest::prelude::*;

use super::digests::digest;
use super::*;

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
    let source = |t: &mut Topology, below: &[usize], shared: &mut Vec<usize>, draw: &mut dyn FnMut(usize) -> usize| {
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

#[test]
fn a_topology_has_one_text() {
    let base = table(3, 2);
    let a = format!("{base}topology over net {{ s0.a <- x; }}")
        .replace("{ s0.a <- x; }", "{\n s0.z <- x\n s1.p <- s0.z\n s1.q <- s0.z\n t2 <- s1.p\n t0, t1 <- s1.q\n}");
    let b = format!(
        "{base}topology named over net {{\n s0.a <- x\n s1.a <- s0.a\n s1.b <- s0.a\n t0 <- s1.a\n t1 <- [s1.a]\n t2 <- s1.b\n}}"
    );
    assert_eq!(digest(&a), digest(&b));
    let c = compile(&a);
    let text = artifact::topology_text(spec(&c), spec(&c).topology.as_ref().unwrap());
    let want = "topology over net {\n  s0.a   <- x\n  s1.a   <- s0.a\n  s1.b   <- s0.a\n  t0, t1 <- s1.a\n  t2     <- s1.b\n}\n";
    assert_eq!(text, want);
}

#[test]
fn a_shared_gate_and_gates_of_ones_own_differ() {
    let base = table(2, 2);
    let over = |lines: &str| {
        let text = format!("{base}topology over net {{\n s0.a <- x\n s1.a <- s0.a\n s1.b <- s0.a\n{lines}}}");
        let c = compile(&text);
        artifact::topology_text(spec(&c), spec(&c).topology.as_ref().unwrap())
    };
    let own = over("t0 <- mix(softmax, query = s0.a)[s1.a, s1.b]\nt1 <- mix(softmax, query = s0.a)[s1.b, s1.a]\n");
    let shared = over("g <- mix(softmax, query = s0.a)[s1.a, s1.b]\nt0, t1 <- g\n");
    assert_ne!(own, shared);
    assert!(shared.contains("m1     <- mix(softmax, query = s0.a)[s1.a, s1.b]"), "{shared}");
    assert!(own.contains("t1   <- mix(softmax, query = s0.a)[s1.a, s1.b]"), "{own}");
    // Without weights there is nothing to share.
    let own = over("t0 <- mix(mean)[s1.a, s1.b]\nt1 <- mix(mean)[s1.b, s1.a]\n");
    assert_eq!(own, over("g <- mix(mean)[s1.a, s1.b]\nt0 <- g\nt1 <- g\n"));
}

#[test]
fn a_derived_topology_is_canonical_already() {
    let c = compile(SEARCH);
    let checked = c.checked.as_ref().unwrap();
    let network = checked.supernet.as_ref().unwrap();
    let space = spec(&c).space.as_ref().unwrap();
    for seed in 0..40usize {
        let decisions: Vec<mtlc::ir::derive::Decision> = network
            .choices
            .iter()
            .enumerate()
            .map(|(i, c)| mtlc::ir::derive::Decision::One((seed * 7 + i * i * (seed + 3) + i) % c.candidates))
            .collect();
        let derived = mtlc::ir::derive::derive(spec(&c), space, network, &decisions);
        let canonical = artifact::canonicalise(spec(&c), &derived.topology);
        assert_eq!(canonical.nodes, (0..derived.topology.nodes.len()).collect::<Vec<_>>());
        let names = |t: &Topology| t.nodes.iter().map(|n| n.copy.clone()).collect::<Vec<_>>();
        assert_eq!(names(&canonical.topology), names(&derived.topology));
        round_trip(&c, &derived.topology);
    }
}

/// Copies that only the whole picture tells apart: each reads two of the stage below, in one ring or in two.
#[test]
fn rings_are_told_apart() {
    let c = compile(&table(2, 3));
    let ring = |neighbour: &dyn Fn(usize) -> usize| {
        let node = |stage, reads: TopoSource| TopoNode {
            stage: mtlc::hir::StageId(stage),
            copy: String::new(),
            reads: vec![reads],
            span: None,
        };
        let mut t = Topology { nodes: vec![node(0, TopoSource::Input(mtlc::hir::InputId(0)))], ..Topology::default() };
        t.nodes.extend((0..8).map(|_| node(1, TopoSource::Node(0))));
        let mix = |members| TopoMix { name: String::new(), gate: Gate::Mean, query: None, members, span: None };
        for i in 0..8 {
            t.mixes.push(mix(vec![TopoSource::Node(1 + i), TopoSource::Node(1 + neighbour(i))]));
            t.nodes.push(node(2, TopoSource::Mix(i)));
        }
        t.mixes.push(mix((9..17).map(TopoSource::Node).collect()));
        t.tasks = (0..2).map(|i| (TaskId(i), vec![TopoSource::Mix(8)], None)).collect();
        t
    };
    let (one, two) = (ring(&|i| (i + 1) % 8), ring(&|i| i / 4 * 4 + (i + 1) % 4));
    assert!(!artifact::same_meaning(spec(&c), &one, &two));
    for seed in 1..20 {
        assert!(artifact::same_meaning(spec(&c), &one, &shuffled(&one, seed)));
        assert!(artifact::same_meaning(spec(&c), &two, &shuffled(&two, seed)));
    }
}

#[test]
fn large_networks_are_quick() {
    // A tree of 10,000 copies, and a mixture of 400 experts that can be exchanged.
    let c = compile(&table(1000, 10));
    let t = partition::independent(spec(&c));
    assert_eq!(artifact::canonical(spec(&c), &shuffled(&t, 3)).nodes.len(), 10_000);
    let c = compile(&table(4, 2));
    let mut t = partition::all_shared(spec(&c));
    t.nodes.truncate(1);
    for i in 0..400 {
        let reads = vec![TopoSource::Node(0)];
        t.nodes.push(TopoNode { stage: mtlc::hir::StageId(1), copy: format!("e{i}"), reads, span: None });
    }
    let members: Vec<TopoSource> = (1..=400).map(TopoSource::Node).collect();
    for task in &mut t.tasks {
        let query = Some(TopoSource::Node(0));
        t.mixes.push(TopoMix { name: "g".into(), gate: Gate::Softmax, query, members: members.clone(), span: None });
        task.1 = vec![TopoSource::Mix(t.mixes.len() - 1)];
    }
    assert!(artifact::same_meaning(spec(&c), &t, &shuffled(&t, 5)));
}
