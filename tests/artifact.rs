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

/// Two experiments in one: everything that a digest is over.
const SEARCH: &str = r#"mtl 1

# Where do regressions branch?
param width: int = 32 in 8..512

data d { format = ltb_synthetic, noises = 2, inputs = 20, outputs = 4 }
input z: f32[20] { from = d.z, normalize = true }
task target[*]: regression(4) { from = d.targets, loss = mse, metrics = [mae], weight = 2 }

block layer(units: int) = linear(units) -> relu
block residual(units: int) {
  y   = in -> layer(units)   # kept
  out = add(y, in)
}

backbone net(z) {
  stage first  = layer(width)
  stage second = 2 * residual(width) -> dropout(0.1)
  stage third { from = [second, first], out = concat(second, first) -> layer(width) }
}
head for target = linear(outputs)

# What may be chosen.
space trees over net {
  level first  { copies = 1 }
  level second { copies = 3, reads = one }
  level third  { copies = 4, reads = one }
  heads { per = task, reads = one }
}
search learn_to_branch {
  epochs = 30, warmup = 2, batch = 64
  temperature = inverse(10, per = epoch)
  weights = adam(lr = 1e-4, weight_decay = 1e-4)
}  # as published

train { epochs = 20, optimizer = sgd(lr = 0.05, momentum = 0.9), schedule = step(rate = 0.5, every = 15 epochs) }
# the end
"#;

fn digest(text: &str) -> String {
    artifact::digest(spec(&compile(text)))
}

#[track_caller]
fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn a_digest_ignores_what_has_no_meaning() {
    let want = digest(SEARCH);
    assert_eq!(want.len(), "mtl1:sha256:".len() + 64);
    assert!(want["mtl1:sha256:".len()..].bytes().all(|b| b.is_ascii_hexdigit()));
    assert_eq!(digest(&mtlc::fmt::format(SEARCH).unwrap()), want, "layout");
    assert_eq!(digest(&replaced(SEARCH, "# kept", "# something else")), want, "a comment");
    for (from, to) in [
        ("linear(units) -> relu", "linear(units, bias = true) -> relu"),
        ("noises = 2, ", "noises = 2, samples = 2000, "),
        ("warmup = 2", "warmup = 2, idle = advance"),
        ("heads { per = task, reads = one }", ""),
        ("adam(lr = 1e-4, ", "adam(lr = 1e-4, beta1 = 0.9, "),
        ("level first  { copies = 1 }", "level first { copies = 1, reads = one }"),
        ("every = 15 epochs", "every = 15"),
        ("= 32 in 8..512", "= 64 / 2"),
        ("width", "breadth"),
        ("residual", "skip"),
        (
            "y   = in -> layer(units)   # kept\n  out = add(y, in)",
            "q = in -> linear(units) -> relu\n  out = add(q, in)",
        ),
        ("y   = in -> layer(units)   # kept\n  out = add(y, in)", "out = add(in -> layer(units), in)"),
        ("2 * residual(width)", "residual(32) -> residual(width)"),
        ("space trees over", "space others over"),
        ("search learn_to_branch {", "search learn_to_branch on third, second, first, heads {"),
        ("from = [second, first], ", "from = [first, second], "),
    ] {
        let text = replaced(SEARCH, from, to);
        assert_eq!(digest(&text), want, "{from} -> {to}");
    }
    // Items in another order.
    let (head, tail) = SEARCH.split_at(SEARCH.find("backbone net").unwrap());
    let block = &head[head.find("block layer").unwrap()..];
    let moved = format!("{}{tail}{block}", replaced(head, block, ""));
    assert_eq!(digest(&moved), want, "blocks below");
    // A block in a file of its own.
    let files = HashMap::from([(PathBuf::from("lib/blocks.mtl"), format!("mtl 1\n{block}"))]);
    let text = replaced(SEARCH, block, "use \"lib/blocks.mtl\"\n");
    let c = compile_at(&text, "spec.mtl", &Options::default(), &files);
    assert_eq!(artifact::digest(spec(&c)), want, "an import");
    // The same value by `--set`.
    let options = Options { set: vec![("width".into(), "32".into())], ..Options::default() };
    let text = replaced(SEARCH, "= 32 in", "= 16 in");
    assert_eq!(artifact::digest(spec(&compile_at(&text, "spec.mtl", &options, &HashMap::new()))), want, "--set");
}

#[test]
fn a_digest_changes_with_every_change_of_meaning() {
    let edits = [
        ("= 32 in", "= 64 in"),
        ("noises = 2", "noises = 3"),
        ("data d {", "data d { seed = 5,"),
        ("d", "e"),
        ("normalize = true", "normalize = false"),
        ("loss = mse", "loss = l1"),
        ("metrics = [mae]", "metrics = [mse]"),
        ("weight = 2", "weight = 1"),
        ("-> relu", "-> gelu"),
        ("linear(units) -> relu", "linear(units, bias = false) -> relu"),
        ("add(y, in)", "mul(y, in)"),
        ("add(y, in)", "add(in, in -> relu)"),
        ("2 * residual", "3 * residual"),
        ("dropout(0.1)", "dropout(0.2)"),
        ("concat(second, first)", "concat(first, second)"),
        ("first", "start"),
        ("net", "network"),
        ("= linear(outputs)", "= relu -> linear(outputs)"),
        ("copies = 3, reads = one", "copies = 2, reads = one"),
        ("epochs = 30", "epochs = 31"),
        ("warmup = 2", "warmup = 3"),
        ("warmup = 2", "warmup = 2, idle = freeze"),
        ("per = epoch", "per = step"),
        ("adam(lr = 1e-4", "adam(lr = 2e-4"),
        ("epochs = 20", "epochs = 21"),
        ("sgd(lr", "sgd(nesterov = true, lr"),
        ("15 epochs", "15 steps"),
        ("train {", "train { patience = 3,"),
    ];
    let mut seen = HashMap::from([(digest(SEARCH), "the spec as it is".to_string())]);
    for (from, to) in edits {
        let text = match from {
            // Names, where they stand alone.
            "d" => replaced(&replaced(SEARCH, "data d ", "data e "), " d.", " e."),
            _ => replaced(SEARCH, from, to),
        };
        if let Some(other) = seen.insert(digest(&text), format!("{from} -> {to}")) {
            panic!("`{from} -> {to}` has the digest of `{other}`");
        }
    }
    // A topology in place of the space, another one, another schema.
    let c = compile(SEARCH);
    for t in [partition::all_shared(spec(&c)), partition::independent(spec(&c))] {
        let derived = derive(&c, &t, "");
        assert!(seen.insert(digest(&derived), "a topology".into()).is_none());
    }
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

#[test]
fn a_derived_file_is_the_spec_without_its_search() {
    let c = compile(SEARCH);
    let text = round_trip(&c, &partition::all_shared(spec(&c)));
    for gone in ["space", "search learn", "What may be chosen", "as published"] {
        assert!(!text.contains(gone), "{gone}\n{text}");
    }
    for kept in ["# Where do regressions branch?", "# kept", "# the end", "strategy = learn_to_branch", "seed     = 7"]
    {
        assert!(text.contains(kept), "{kept}\n{text}");
    }
    assert!(text.contains("searched = { validation_loss = 0.214, epochs = 30 }"), "{text}");
    assert!(text.contains(&format!("derived  = \"{}\"", artifact::digest(spec(&c)))), "{text}");
    assert!(text.trim_end().ends_with("<- third.a\n}"), "{text}");
}

#[test]
fn an_edited_derived_file_is_told() {
    let c = compile(SEARCH);
    let text = derive(&c, &partition::all_shared(spec(&c)), "");
    let told = |text: &str| compile(text).diagnostics.iter().filter(|d| d.code.name().contains("digest")).count();
    assert_eq!(told(&text), 0);
    assert_eq!(told(&format!("{text}\n# a remark\n")), 0);
    let edited = replaced(&text, "weight = 2", "weight = 3");
    assert_eq!(told(&edited), 1);
    assert_eq!(artifact::verify_self(spec(&compile(&edited))), Standing::Edited);
    assert_eq!(artifact::verify_self(spec(&c)), Standing::Handwritten);
    // `--set` changes the run, not the file.
    let options = Options { set: vec![("width".into(), "64".into())], ..Options::default() };
    let set = compile_at(&text, "spec.mtl", &options, &HashMap::new());
    assert!(set.diagnostics.iter().all(|d| !d.code.name().contains("digest")));
    // The older spelling is read too.
    assert_eq!(told(&replaced(&text, "searched = {", "searched {")), 0);
}

#[test]
fn values_that_were_set_become_defaults() {
    let text = replaced(SEARCH, "in 8..512", "in 8..512\nparam half: int = width / 2\nparam note: string = \"none\"");
    let text = replaced(&text, "layer(width)\n  stage second", "layer(half) -> layer(width)\n  stage second");
    let set = vec![("width".into(), "48".into()), ("note".into(), "\"a \\\"b\\\"\"".into())];
    let c = compile_at(&text, "spec.mtl", &Options { set, ..Options::default() }, &HashMap::new());
    clean(&c, &text);
    let derived = round_trip(&c, &partition::independent(spec(&c)));
    for line in ["param width: int = 48 in 8..512", "param half: int = width / 2", r#"param note: string = "a \"b\"""#]
    {
        assert!(derived.contains(line), "{line}\n{derived}");
    }
}

const CENSUS: &str = r#"mtl 1
data census {
  format = csv
  train  = "data/train.csv"
  test   = "../shared/test.csv"
}
input features: fields { from = census, except = [income, "never married"] }
task income: binary { label = census.income == "50000+." }
task "never married": binary { label = census."never married" == "yes", mask = census.age > 17 }
use std.mmoe
head for binary = linear(1)
"#;

fn census() -> mtlc::data::Schema {
    use mtlc::data::{ColumnFacts, Facts, FileFact, Schema};
    let column = |name: &str, facts| ColumnFacts {
        name: name.into(),
        shape: Vec::new(),
        facts,
        missing: 0,
        range: None,
        groups: Vec::new(),
    };
    let words = |a: &str, b: &str| Facts::Category { values: vec![(a.into(), 7), (b.into(), 3)] };
    Schema {
        format: "csv".into(),
        missing: vec!["?".into()],
        files: vec![FileFact { path: "data/train.csv".into(), sha256: "ab".repeat(32), bytes: 10 }],
        rows: [10, 2, 2],
        columns: vec![
            column("age", Facts::Numeric { mean: 40.0, std: 10.0, min: 17.0, max: 90.0 }),
            column("sex", words("f", "m")),
            column("income", words("- 50000.", "50000+.")),
            column("never married", words("no", "yes")),
        ],
    }
}

#[test]
fn a_frozen_schema_is_embedded_and_paths_follow_the_file() {
    let options = Options { schemas: HashMap::from([("census".into(), census())]), ..Options::default() };
    let c = compile_at(CENSUS, "specs/census.mtl", &options, &HashMap::new());
    clean(&c, CENSUS);
    let shared = partition::all_shared(spec(&c));
    let there = derive(&c, &shared, "runs/1");
    for part in [
        r#"train  = "../../specs/data/train.csv""#,
        r#"test   = "../../shared/test.csv""#,
        r#"file "../../specs/data/train.csv""#,
        "use std.mmoe",
        r#"income, "never married" <- expert.a"#,
        "topology over mmoe {",
    ] {
        assert!(there.contains(part), "{part}\n{there}");
    }
    // Read where it stands and derived for where the spec was, paths are as they were.
    let back = compile_at(&there, "runs/1/derived.mtl", &Options::default(), &HashMap::new());
    clean(&back, &there);
    assert_eq!(artifact::verify_self(spec(&back)), Standing::Untouched);
    let provenance = Provenance::of(spec(&back)).unwrap();
    let of = |folder| Derivation {
        sources: &back.sources,
        spec: spec(&back),
        topology: spec(&back).topology.as_ref().unwrap(),
        folder: Path::new(folder),
        provenance: &provenance,
    };
    assert_eq!(artifact::derived_file(of("runs/1")), there);
    let home = artifact::derived_file(of("specs"));
    assert_eq!(home, derive(&c, &shared, "specs"));
    assert!(home.contains(r#"train  = "data/train.csv""#), "{home}");
    // The facts count, where they came from does not.
    let other = |change: &dyn Fn(&mut mtlc::data::Schema)| {
        let mut schema = census();
        change(&mut schema);
        let options = Options { schemas: HashMap::from([("census".into(), schema)]), ..Options::default() };
        let c = compile_at(CENSUS, "specs/census.mtl", &options, &HashMap::new());
        artifact::digest(spec(&c))
    };
    let want = artifact::digest(spec(&c));
    assert_eq!(other(&|s| s.files[0].path = "elsewhere.csv".into()), want);
    assert_ne!(other(&|s| s.files[0].sha256 = "cd".repeat(32)), want);
    assert_ne!(other(&|s| s.rows[0] = 11), want);
    let moved = compile_at(&replaced(CENSUS, "data/train", "train"), "specs/census.mtl", &options, &HashMap::new());
    assert_eq!(artifact::digest(spec(&moved)), want);
    for (from, to) in
        [("age > 17", "age > 18"), (r#"== "50000+.""#, r#"!= "50000+.""#), ("except = [", "except = [sex, ")]
    {
        let c = compile_at(&replaced(CENSUS, from, to), "specs/census.mtl", &options, &HashMap::new());
        clean(&c, from);
        assert_ne!(artifact::digest(spec(&c)), want, "{from}");
    }
}

#[test]
fn imports_stand_in_place() {
    let text = "mtl 1\n# Top.\nuse std.thin_vgg\n# Shared by all.\nuse \"lib/net.mtl\"\nuse \"lib/net.mtl\"\ntask a: binary\ntask \"b c\": binary  # quoted\n";
    let net = "mtl 1  # ours\n# The net.\nuse std.thin_vgg\nuse \"blocks.mtl\"\ninput x: f32[4]  # four\nbackbone net(x) { stage s = layer(3) }\nhead for binary = linear(1)  # last\n# Bottom of net.\n";
    let blocks = "mtl 1\nblock layer(n: int) = linear(n)  # a block\n";
    let files = HashMap::from([
        (PathBuf::from("lib/net.mtl"), net.to_string()),
        (PathBuf::from("lib/blocks.mtl"), blocks.to_string()),
    ]);
    let c = compile_at(text, "spec.mtl", &Options::default(), &files);
    clean(&c, text);
    let derived = round_trip(&c, &partition::independent(spec(&c)));
    let body = &derived[derived.find("# Top").unwrap()..];
    let want = "# Top.
use std.thin_vgg
# Shared by all.

# ours
# The net.

block layer(n: int) = linear(n)  # a block

input x: f32[4]  # four
backbone net(x) { stage s = layer(3) }
head for binary = linear(1)  # last
# Bottom of net.

task a: binary
task \"b c\": binary  # quoted

topology over net {
  s.a   <- x
  s.b   <- x
  a     <- s.a
  \"b c\" <- s.b
}
";
    assert_eq!(body, want);
}

#[test]
fn an_imported_topology_is_written_out() {
    let text = format!("{}# From another data set.\nuse topology \"runs/a.mtl\"\n", table(2, 1));
    let other = "mtl 1\ntopology over net {\n s0.b <- x\n s0.a <- x\n t1 <- s0.b\n t0 <- s0.a\n}\n";
    let files = HashMap::from([(PathBuf::from("runs/a.mtl"), other.to_string())]);
    let c = compile_at(&text, "spec.mtl", &Options::default(), &files);
    clean(&c, &text);
    let derived = round_trip(&c, spec(&c).topology.as_ref().unwrap());
    assert!(!derived.contains("use ") && !derived.contains("From another"), "{derived}");
    assert!(derived.ends_with("  s0.a <- x\n  s0.b <- x\n  t0   <- s0.a\n  t1   <- s0.b\n}\n"), "{derived}");
}

#[test]
fn several_inputs_skips_and_odd_names() {
    let text = r#"mtl 1
input image: f32[3, 16, 16]
input "meta data": f32[4]
task "in": segmentation(2)
task "topology": segmentation(2)
task m1: segmentation(2)
task whole: classes(3)
backbone unet(image, "meta data") {
  stage down1 = conv_bn(4)
  stage down2 = max_pool(2) -> conv_bn(8)
  stage up1 { from = [down2, down1], out = concat(down2 -> upsample(2), down1) -> conv_bn(4) }
  stage "2nd" = conv_bn(4)
  stage side { from = "meta data", out = in -> linear(4) -> relu }
}
head for segmentation { from = "2nd", out = in -> conv(outputs, kernel = 1) }
head for whole { from = [down2, side], out = concat(down2 -> global_avg_pool, side) -> linear(outputs) }
"#;
    let c = compile(text);
    let chain = [vec![0, 0, 0, 0], vec![0, 1, 1, 0], vec![0, 1, 2, 0], vec![0, 1, 2, 0], vec![0, 1, 2, 3]];
    let derived = round_trip(&c, &partition::tree(spec(&c), &chain));
    for line in [r#""2nd".b "#, r#""in" "#, r#""topology" "#, "<- [down2.a, side.a]", r#"<- "meta data""#] {
        assert!(derived.contains(line), "{line}\n{derived}");
    }
    // A mix keeps clear of a task's name.
    let tail = &derived[derived.find("topology over").unwrap()..];
    let mixed = replaced(
        &derived,
        tail,
        "topology over unet {\n down1.a <- image\n down2.a <- down1.a\n up1.a <- down2.a\n \"2nd\".a <- up1.a\n \"2nd\".b <- up1.a\n side.a <- \"meta data\"\n g <- mix(mean)[\"2nd\".b, \"2nd\".a]\n \"in\", m1, \"topology\" <- g\n whole <- [side.a, down2.a]\n}\n",
    );
    let c = compile(&mixed);
    let derived = round_trip(&c, spec(&c).topology.as_ref().unwrap());
    assert!(derived.contains(r#""in", "topology", m1 <- m1_"#), "{derived}");
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
