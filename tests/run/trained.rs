//! Topologies that are written, not found: trees, mixes and routes; and labels that are missing.

use mtlc::runtime::control::Control;
use mtlc::runtime::evaluate::{evaluate, predictions};
use mtlc::runtime::model::Model;

use super::support::*;

const DATA: &str = r#"mtl 1
data synth { format = mmoe_synthetic, dim = 12, samples = 200, validation_samples = 60, test_samples = 60, correlation = 0.4 }
input x: f32[12] { from = synth.x }
task first: regression(1) { from = synth.y1 }
task second: regression(1) { from = synth.y2 }
backbone experts(x) {
  stage embed = linear(8) -> relu
  stage low   = mlp(8)
  stage high  = mlp(6)
}
head for * = mlp(4) -> linear(outputs)
train { epochs = 8, batch = 20, optimizer = adam(lr = 1e-2) }
"#;

const TREE: &str = r#"
topology tree over experts {
  embed.a <- x
  low.a   <- embed.a
  high.a  <- low.a
  high.b  <- low.a
  first  <- high.a
  second <- high.b
}
"#;

/// MMoE: every task mixes all experts by a gate of its own.
const MMOE: &str = r#"
topology mmoe over experts {
  embed.a <- x
  low.a   <- embed.a
  high.a  <- low.a
  high.b  <- low.a
  high.c  <- low.a
  first  <- mix(softmax, query = embed.a)[high.a, high.b, high.c]
  second <- mix(softmax, query = embed.a)[high.a, high.b, high.c]
}
"#;

/// PLE: experts of a task and shared ones, extracted twice.
const PLE: &str = r#"
topology ple over experts {
  embed.a <- x
  low.a <- embed.a
  low.s <- embed.a
  low.b <- embed.a
  ma <- mix(softmax, query = embed.a)[low.a, low.s]
  ms <- mix(sigmoid, query = embed.a)[low.a, low.s, low.b]
  mb <- mix(softmax, query = embed.a)[low.b, low.s]
  high.a <- ma
  high.s <- ms
  high.b <- mb
  first  <- mix(softmax, query = ma)[high.a, high.s]
  second <- mix(mean)[high.b, high.s]
}
"#;

#[test]
fn written_topologies_train_and_evaluate() {
    let place = Place::new();
    for (name, topology) in [("tree", TREE), ("mmoe", MMOE), ("ple", PLE)] {
        place.write(&format!("{name}.mtl"), format!("{DATA}{topology}").as_bytes());
        let train = place.run(&format!("train {name}.mtl -o {name} --json --device cpu")).ok();
        let network = &train.json()["networks"][0];
        let evaluated = place.run(&format!("evaluate {name} --json --device cpu")).ok().json();
        assert_eq!(evaluated["test"], network["test"], "{name}");
        assert_eq!(evaluated["params"], network["params"], "{name}");
        let losses: Vec<f64> =
            place.lines(&format!("{name}/metrics.jsonl")).iter().filter_map(|l| l["train"]["loss"].as_f64()).collect();
        assert_eq!(losses.len(), 8);
        assert!(losses[7] < 0.8 * losses[0], "{name} learns: {losses:?}");
    }
}

/// Half the labels of `value` are empty cells.
#[test]
fn a_loss_counts_labelled_rows_only() {
    let place = Place::table();
    let halved: String = table(60)
        .lines()
        .enumerate()
        .map(|(i, l)| match l.rsplit_once(',') {
            Some((rest, _)) if i > 0 && i % 2 == 0 => format!("{rest},\n"),
            _ => format!("{l}\n"),
        })
        .collect();
    place.write("train.csv", halved.as_bytes());
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let checked = prepared.checked();
    let found = search(&prepared, 0, &mut Heard::default());
    let hard: Vec<_> = found.result.decisions.iter().map(|d| mtlc::runtime::model::Decided::hard(*d)).collect();
    for table in [&prepared.feed.dataset.train, &prepared.feed.dataset.validation] {
        let at = checked.spec.tasks.iter().position(|t| t.name == "value").expect("declared");
        let labels = &table.labels[at];
        let mask = labels.mask.as_ref().expect("some are missing");
        let labelled = mask.marks.iter().filter(|m| **m == 1).count();
        assert!(labelled > 0 && labelled < table.rows, "{labelled} of {}", table.rows);
        let outputs = predictions(found.supernet(), &prepared.feed, table, &hard, &Control::free()).expect("outputs");
        let rows = outputs[at].iter().zip(&labels.values).zip(&mask.marks).filter(|(_, m)| **m == 1);
        let wanted = rows.map(|((o, l), _)| f64::from(o - l).powi(2)).sum::<f64>() / labelled as f64;
        let scores =
            evaluate(found.supernet(), &checked.spec, &prepared.feed, table, &hard, &Control::free()).expect("scores");
        assert!((scores.tasks[at].loss - wanted).abs() < 1e-5 * wanted.max(1.0), "{} {wanted}", scores.tasks[at].loss);
    }
}

#[test]
fn what_is_masked_teaches_nothing() {
    let spec = r#"mtl 1
data d {
  format = npy
  train = ["x.npy", "y.npy", "known.npy", "z.npy"]
  validation = share(0.2, of = train), test = share(0.2, of = train)
}
input x: f32[3] { from = d.x }
task y: regression(1) { from = d.y, mask = d.known > 0 }
task z: regression(1) { from = d.z }
backbone net(x) { stage one = linear(4) -> relu }
head for * = linear(outputs)
train { epochs = 3, batch = 8 }
"#;
    let mut weights = Vec::new();
    for other in [0.0f32, 55.0] {
        let place = Place::new();
        let known = numbers(60, 7);
        let labels: Vec<f32> =
            numbers(60, 3).iter().zip(&known).map(|(y, k)| if *k > 0.0 { *y } else { y + other }).collect();
        place.write("x.npy", &npy(&[60, 3], &numbers(180, 2)));
        place.write("y.npy", &npy(&[60], &labels));
        place.write("known.npy", &npy(&[60], &known));
        place.write("z.npy", &npy(&[60], &numbers(60, 4)));
        place.write("net.mtl", spec.as_bytes());
        place.run("train net.mtl -o run --device cpu --quiet").ok();
        // The values alone: the file also says of which program it is, and the labels are part of that.
        let file = std::fs::read(place.path("run/checkpoints/all_shared.safetensors")).expect("weights");
        let (header, _) = safetensors::SafeTensors::read_metadata(&file).expect("safetensors");
        weights.push(file[8 + header..].to_vec());
    }
    assert_eq!(weights[0], weights[1], "labels of masked rows have no effect");
}

/// A model keeps its own copy of the weights: evaluating twice is the same to the bit.
#[test]
fn evaluating_twice_gives_the_same_bits() {
    let place = Place::table();
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let found = search(&prepared, 0, &mut Heard::default());
    let hard: Vec<_> = found.result.decisions.iter().map(|d| mtlc::runtime::model::Decided::hard(*d)).collect();
    let bits = |m: &Model| -> Vec<u32> {
        let all =
            predictions(m, &prepared.feed, &prepared.feed.dataset.test, &hard, &Control::free()).expect("outputs");
        all.iter().flatten().map(|v| v.to_bits()).collect()
    };
    assert_eq!(bits(found.supernet()), bits(found.supernet()));
}
