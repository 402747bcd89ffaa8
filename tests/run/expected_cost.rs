//! BMTAS: the unrolled supernet, its gradients, what the cost does, and going on.

use candle_core::{DType, Device, Tensor, Var};
use mtlc::experiment::Prepared;
use mtlc::ir::partition;
use mtlc::plan::{PerTask, lower, lower_per_task};
use mtlc::random::Randomness;
use mtlc::runtime::fit::losses;
use mtlc::runtime::model::{Decided, Mode, Model};

use super::resume::{has_state, signal, spawn, wait_for};
use super::support::*;

/// The usual program under this search, with three levels to choose at.
fn program(search: &str) -> String {
    let (head, rest) = SPEC.split_once("search learn_to_branch").expect("a search");
    let (_, train) = rest.split_once("\ntrain {").expect("training");
    let head = head.replace("level trunk  { copies = 2 }", "level trunk  { copies = 3 }");
    format!("{head}search expected_cost {{ {search} }}\n\ntrain {{{train}")
}

fn unrolled(prepared: &Prepared) -> (Model, Vec<(usize, usize)>) {
    let checked = prepared.checked();
    let PerTask { plan, symbols, places } =
        lower_per_task(checked, checked.supernet.as_ref().expect("a space")).expect("a plan");
    (Model::new(plan, symbols, Randomness::new(3), &Device::Cpu).expect("a model"), places)
}

fn first_batch(prepared: &Prepared) -> mtlc::runtime::feed::Fed {
    let feed = &prepared.feed;
    let rows = mtlc::data::Batches::shuffled(feed.dataset.train.rows, 12, Randomness::new(0)).epoch(1).remove(0);
    feed.take(&feed.dataset.train, &rows, &Device::Cpu).expect("a batch")
}

#[test]
fn hard_choices_are_the_trees_of_the_supernet() {
    let place = Place::table();
    let prepared = prepare(&place.write("bmtas.mtl", program("epochs = 2").as_bytes()), &[]);
    let (checked, fed) = (prepared.checked(), first_batch(&prepared));
    let network = checked.supernet.as_ref().expect("a space");
    let (model, places) = unrolled(&prepared);
    let (plan, symbols) = lower(checked, network).expect("a plan");
    let supernet = Model::new(plan, symbols, Randomness::new(3), &Device::Cpu).expect("a model");
    let names = |m: &Model| m.symbols.weights.clone();
    assert_eq!(names(&model), names(&supernet));
    assert_eq!(model.plan.choices.len(), 6, "three tasks at two stages");
    for chain in
        [vec![vec![0, 0, 0], vec![0, 0, 0]], vec![vec![0, 0, 1], vec![0, 1, 2]], vec![vec![0, 1, 0], vec![0, 1, 0]]]
    {
        let own: Vec<Decided> = places.iter().map(|(s, t)| Decided::hard(chain[*s][*t])).collect();
        let decisions = partition::decisions(network, &chain).expect("it fits");
        let theirs: Vec<Decided> = decisions.into_iter().map(Decided::hard).collect();
        let a = model.predict(&fed.inputs, &own).expect("outputs");
        let b = supernet.predict(&fed.inputs, &theirs).expect("outputs");
        for (a, b) in a.iter().zip(&b) {
            assert_eq!(a.to_vec2::<f32>().expect("numbers"), b.to_vec2::<f32>().expect("numbers"), "{chain:?}");
        }
    }
}

/// Our way back against candle's own graph: gradients of weights, and of every share.
#[test]
fn gradients_of_blends() {
    let place = Place::table();
    let prepared = prepare(&place.write("bmtas.mtl", program("epochs = 2").as_bytes()), &[]);
    let (fed, (model, _)) = (first_batch(&prepared), unrolled(&prepared));
    let spec = &prepared.checked().spec;
    let shares: Vec<Var> = (0..model.plan.choices.len())
        .map(|c| Var::new(&[[0.5f32, 0.3, 0.2], [0.1, 0.7, 0.2]][c % 2], &Device::Cpu).expect("shares"))
        .collect();
    let decided: Vec<Decided> =
        shares.iter().map(|v| Decided { index: 0, probs: Some(v.as_tensor().clone()), mask: None }).collect();
    let mode = Mode { train: true, idle: false, random: Randomness::new(0), step: 1 };
    let total = |outputs: &_| losses(spec, &prepared.feed, &model, &fed, outputs, |_| 0).expect("losses").0;
    let tape = model.record(&fed.inputs, &decided, mode).expect("a tape");
    let loss = total(&tape.outputs);
    let learned = tape.backward(&loss).expect("gradients");
    let outputs = model.forward(&fed.inputs, &decided, mode).expect("outputs");
    let store = total(&outputs).backward().expect("gradients");
    let numbers = |t: &Tensor| {
        t.to_dtype(DType::F64).and_then(|t| t.flatten_all()).and_then(|t| t.to_vec1::<f64>()).expect("numbers")
    };
    let near = |got: &[f64], want: &[f64], what: &str| {
        assert!(want.iter().any(|v| v.abs() > 1e-6), "{what}: nothing to compare");
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() <= 1e-5 + 1e-4 * w.abs(), "{what}: {g} is not {w}");
        }
    };
    for (i, (name, var)) in model.trained().iter().enumerate() {
        near(&numbers(learned.weights.get(i).expect(name)), &numbers(store.get(var).expect(name)), name);
    }
    for (c, var) in shares.iter().enumerate() {
        let got = learned.choices[c].as_ref().expect("reached");
        near(got, &numbers(store.get(var).expect("reached")), &format!("choice {c}"));
    }
}

fn found(place: &Place, search_text: &str) -> mtlc::experiment::Found {
    let prepared = prepare(&place.write("bmtas.mtl", program(search_text).as_bytes()), &[]);
    search(&prepared, 0, &mut Heard::default())
}

#[test]
fn cost_draws_tasks_together() {
    let place = Place::table();
    let with = |lambda: &str| {
        let found = found(&place, &format!("epochs = 12, batch = 12, choices = adam(lr = 0.1), lambda = {lambda}"));
        found.derived.topology.nodes.len()
    };
    assert_eq!(with("1000"), 2, "one copy of either stage");
    assert!(with("0") > 2, "without a cost nothing draws them together");
}

/// Choices that nothing has moved are ties, and ties are one tree.
#[test]
fn ties_share_everything() {
    let place = Place::table();
    let found = found(&place, "epochs = 2, batch = 12, warmup = 2 epochs");
    assert_eq!(found.derived.topology.nodes.len(), 2);
    assert!(found.result.validation.is_some_and(|v| v.loss.is_finite()));
}

/// Fewer copies than tasks, more than tasks, sampled costs, every form: a tree of the space, each time.
#[test]
fn trees_fit_their_space() {
    let place = Place::table();
    for (trunk, branch) in [(1, 3), (3, 2), (2, 2), (3, 40)] {
        let text = program("epochs = 3, batch = 12, choices = adam(lr = 0.3), lambda = 0")
            .replace("trunk  { copies = 3 }", &format!("trunk  {{ copies = {trunk} }}"))
            .replace("branch { copies = 3", &format!("branch {{ copies = {branch}"));
        let prepared = prepare(&place.write("bmtas.mtl", text.as_bytes()), &[]);
        for seed in 0..3 {
            let found = search(&prepared, seed, &mut Heard::default());
            let of = |stage: usize| found.derived.topology.nodes.iter().filter(|n| n.stage.0 == stage).count();
            assert!(of(0) <= trunk && of(1) <= branch, "{trunk} {branch}: {} {}", of(0), of(1));
        }
    }
}

#[test]
fn it_goes_on_to_the_same_bytes() {
    let arguments = "run net.mtl -o run --device cpu --quiet --save-every 10ms --set epochs=2";
    let text = program("epochs = 60, batch = 12, weighting = uncertainty");
    let place = Place::table();
    place.write("net.mtl", text.as_bytes());
    let mut child = spawn(&place, arguments);
    wait_for(&mut child, || has_state(&place, "search-"));
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(75), "{}", String::from_utf8_lossy(&ended.stderr));
    place.run("run --resume run").ok();
    let whole = Place::table();
    whole.write("net.mtl", text.as_bytes());
    whole.run(arguments).ok();
    for name in [
        "derived/net.mtl",
        "checkpoints/supernet.safetensors",
        "checkpoints/derived.safetensors",
        "search.jsonl",
        "expected_cost.json",
    ] {
        let read = |p: &Place| std::fs::read(p.path("run").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(&place) == read(&whole), "{name} differs");
    }
    place.run("verify run").ok();
    place.run("check run/derived/net.mtl").ok();
    place.run("evaluate run").ok();
}
