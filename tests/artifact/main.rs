//! Derived files, digests, provenance and the canonical form of topologies.

mod digests;
mod files;
mod hygiene;
mod topologies;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use mtlc::artifact::{self, Derivation, Provenance, Standing};
use mtlc::driver::{Compiled, compile_text};
use mtlc::hir::{Options, Spec, Topology};

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
