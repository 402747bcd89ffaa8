//! Around the estimator: warm-up, temperature, what is logged, idle copies, and what is kept.

use mtlc::random::Randomness;
use mtlc::runtime::model::Model;

use super::support::*;

fn weights(model: &Model, start: &str) -> Vec<f32> {
    let mut out = Vec::new();
    for (name, var) in model.named() {
        if name.starts_with(start) {
            out.extend(var.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers"));
        }
    }
    assert!(!out.is_empty(), "nothing begins with {start}");
    out
}

#[test]
fn warm_up_moves_weights_and_no_logit() {
    let place = Place::table();
    let path = place.path("net.mtl");
    let found = search(&prepare(&path, &[("epochs", "2"), ("warmup", "2")]), 0, &mut Heard::default());
    assert!(found.result.logits.iter().flatten().all(|l| *l == 0.0), "{:?}", found.result.logits);
    assert!(found.result.decisions.iter().all(|d| *d == 0), "the first of equals");
    let longer = search(&prepare(&path, &[("epochs", "3"), ("warmup", "2")]), 0, &mut Heard::default());
    assert!(longer.result.logits.iter().flatten().any(|l| *l != 0.0));
    let one = search(&prepare(&path, &[("epochs", "1"), ("warmup", "2")]), 0, &mut Heard::default());
    assert_ne!(weights(one.supernet(), "heads.yes."), weights(found.supernet(), "heads.yes."));
}

#[test]
fn what_is_logged_of_the_choices() {
    let place = Place::table();
    let mut heard = Heard::default();
    let prepared = prepare(&place.path("net.mtl"), &[("epochs", "4"), ("warmup", "1")]);
    let found = search(&prepared, 0, &mut heard);
    assert_eq!(heard.choices.len(), 4);
    for (i, event) in heard.choices.iter().enumerate() {
        assert_eq!(event.epoch, i + 1);
        assert!((event.temperature - 10.0 / (i + 1) as f64).abs() < 1e-12, "inverse(10, per = epoch) is the default");
        // `branch` has three copies that choose, and there are three heads.
        assert_eq!(event.choices.len(), 6);
        let mut shares = 0.0;
        for c in &event.choices {
            let sum: f64 = c.probabilities.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{} {:?}", c.reader, c.probabilities);
            assert_eq!(c.probabilities.len(), c.candidates.len());
            let entropy: f64 = -c.probabilities.iter().map(|p| p * p.ln()).sum::<f64>();
            assert!((c.entropy - entropy).abs() < 1e-12);
            shares += entropy / (c.candidates.len() as f64).ln();
            if i == 0 {
                let uniform = 1.0 / c.candidates.len() as f64;
                assert!(c.probabilities.iter().all(|p| (p - uniform).abs() < 1e-12), "warm-up leaves them uniform");
            }
        }
        assert!((event.entropy - shares / 6.0).abs() < 1e-12);
    }
    let readers: Vec<&str> = heard.choices[0].choices.iter().map(|c| c.reader.as_str()).collect();
    for wanted in ["branch.a", "branch.c", "heads.yes", "heads.value"] {
        assert!(readers.contains(&wanted), "{readers:?}");
    }
    // What is derived is the last line's argmax, and nothing that no task reaches.
    let last = heard.choices.last().expect("four");
    for (c, d) in last.choices.iter().zip(&found.result.decisions) {
        assert!(c.probabilities.iter().all(|p| *p <= c.probabilities[*d]), "{}", c.reader);
    }
    let heads: Vec<usize> = found.result.decisions[3..].to_vec();
    let mut branches = heads.clone();
    branches.sort_unstable();
    branches.dedup();
    let mut trunks: Vec<usize> = branches.iter().map(|b| found.result.decisions[*b]).collect();
    trunks.sort_unstable();
    trunks.dedup();
    assert_eq!(found.derived.topology.nodes.len(), branches.len() + trunks.len());
}

/// One task and three copies of a stage with batch norm: one copy is reached per step.
fn norm(warmup: usize, idle: &str) -> String {
    format!(
        r#"mtl 1
param epochs: int = 1
data d {{ format = npy, train = ["x.npy", "u.npy"], validation = share(0.25, of = train), test = share(0.25, of = train) }}
input x: f32[4] {{ from = d.x }}
task u: regression(1) {{ from = d.u }}
task w: regression(1) {{ label = d.u }}
backbone net(x) {{ stage one = linear(3) -> batch_norm -> relu }}
head for * = linear(outputs)
space s over net {{
  level one {{ copies = 4 }}
  heads {{ per = task, reads = one }}
}}
search learn_to_branch {{ epochs = epochs, warmup = {warmup}, batch = 64, weights = adam(lr = 1e-2), idle = {idle} }}
"#
    )
}

fn norm_place() -> Place {
    let place = Place::new();
    place.write("x.npy", &npy(&[24, 4], &numbers(96, 8)));
    place.write("u.npy", &npy(&[24], &numbers(24, 9)));
    place
}

/// The copies that two heads take at a step while their logits are equal.
fn taken(seed: u64, step: u64) -> Vec<usize> {
    (0..2)
        .map(|c| {
            let noise = Randomness::new(seed).gumbel("gumbel", [step, c, 0], 4);
            (0..4).max_by(|a, b| noise[*a].total_cmp(&noise[*b])).expect("four")
        })
        .collect()
}

#[test]
fn idle_copies_and_batch_norm() {
    let place = norm_place();
    for warmup in [0, 1] {
        for seed in 0..3 {
            let models = ["advance", "freeze"].map(|idle| {
                let path = place.write("net.mtl", norm(warmup, idle).as_bytes());
                search(&prepare(&path, &[]), seed, &mut Heard::default()).supernet.expect("a supernet")
            });
            let reached = taken(seed, 1);
            for copy in 0..4 {
                let start = format!("one.{}.", mtlc::ir::copy_letters(copy));
                let statistics = |m: &Model| -> Vec<f32> {
                    let names: Vec<&str> = m
                        .named()
                        .iter()
                        .map(|(n, _)| *n)
                        .filter(|n| n.starts_with(&start) && n.contains("running"))
                        .collect();
                    assert!(!names.is_empty(), "running statistics by name: {:?}", m.symbols.weights);
                    names.iter().flat_map(|n| weights(m, n)).collect()
                };
                let fresh = |v: &[f32]| v.iter().all(|v| *v == 0.0 || *v == 1.0);
                let [advance, freeze] = [statistics(&models[0]), statistics(&models[1])];
                assert!(!fresh(&advance), "seed {seed}: copy {copy} ran");
                assert_eq!(fresh(&freeze), !reached.contains(&copy), "seed {seed}, warm-up {warmup}: copy {copy}");
                if reached.contains(&copy) {
                    assert_eq!(advance, freeze, "a copy that is reached moves alike");
                }
            }
        }
    }
}

#[test]
fn idle_copies_and_momentum() {
    let place = norm_place();
    // A seed whose second step leaves a copy that the first has moved.
    let left = |s: &u64| (0..4).find(|c| taken(*s, 1).contains(c) && !taken(*s, 2).contains(c));
    let seed = (0..100).find(|s| left(s).is_some()).expect("most do");
    let copy = mtlc::ir::copy_letters(left(&seed).expect("found"));
    let never =
        (0..4).find(|c| !taken(seed, 1).contains(c) && !taken(seed, 2).contains(c)).expect("two of four are taken");
    let never = mtlc::ir::copy_letters(never);
    for idle in ["advance", "freeze"] {
        let path = place.write("net.mtl", norm(9, idle).replace("-> batch_norm", "").as_bytes());
        let run = |epochs: &str| {
            search(&prepare(&path, &[("epochs", epochs)]), seed, &mut Heard::default()).supernet.expect("a supernet")
        };
        let (one, two) = (run("1"), run("2"));
        let same = weights(&one, &format!("one.{copy}.")) == weights(&two, &format!("one.{copy}."));
        assert_eq!(same, idle == "freeze", "{idle}: momentum of a copy without gradient");
        let same = weights(&one, &format!("one.{never}.")) == weights(&two, &format!("one.{never}."));
        assert!(same, "a copy without momentum has nothing to move by");
        // Decay moves what momentum does not.
        let decayed = norm(9, idle).replace("-> batch_norm", "").replace("lr = 1e-2", "lr = 1e-2, weight_decay = 0.1");
        let path = place.write("net.mtl", decayed.as_bytes());
        let run = |epochs: &str| {
            search(&prepare(&path, &[("epochs", epochs)]), seed, &mut Heard::default()).supernet.expect("a supernet")
        };
        let same = weights(&run("1"), &format!("one.{never}.")) == weights(&run("2"), &format!("one.{never}."));
        assert_eq!(same, idle == "freeze", "{idle}: decay of a copy that is never reached");
    }
}
