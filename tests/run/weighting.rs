//! Loss weightings in training and in searches: gradients of single tasks, different ways, states that go on to the same bytes.

use candle_core::{Device, Tensor};
use mtlc::experiment::{self, Prepared, train_args};
use mtlc::ir::partition;
use mtlc::optim::weighting::weightings;
use mtlc::random::Randomness;
use mtlc::runtime::control::Control;
use mtlc::runtime::epochs::Procedure;
use mtlc::runtime::feed::Fed;
use mtlc::runtime::fit::{Fitting, Job, losses};
use mtlc::runtime::keeper::Keeper;
use mtlc::runtime::model::{Decided, Mode, Model};
use mtlc::runtime::state::{Position, State};
use mtlc::search::learn_to_branch::Branching;

use super::support::*;

/// The program with a weight on a task, a schedule, and a weighting in `train` and in the search. One label keeps its own units, so
/// that the tasks' losses fall at different rates.
fn program(weighting: &str) -> String {
    SPEC.replace("classes(3) {", "classes(3) { weight = 3,")
        .replace("from = d.value }", "from = d.value, standardize = false }")
        .replace("lr = lr) }\n", &format!("lr = lr), weighting = {weighting}, schedule = linear(1, 0.1) }}\n"))
        .replace("  idle = strategy_idle\n", &format!("  idle = strategy_idle, weighting = {weighting}\n"))
}

fn prepared(place: &Place, weighting: &str) -> Prepared {
    let path = place.write(&format!("{weighting}.mtl"), program(weighting).as_bytes());
    prepare(&path, &[])
}

fn shared(prepared: &Prepared) -> Model {
    let topology = partition::all_shared(&prepared.checked().spec);
    experiment::network_model(prepared, &topology, Randomness::new(0), &Device::Cpu).map_err(why).expect("a model").1
}

/// The first batches of an endless training, four to an epoch.
fn batches(prepared: &Prepared, random: Randomness, count: usize) -> Vec<(Fed, Position)> {
    let feed = &prepared.feed;
    let batches = mtlc::data::Batches::shuffled(feed.dataset.train.rows, 12, random);
    let mut out = Vec::new();
    for epoch in 1.. {
        for rows in batches.epoch(epoch as u64) {
            if out.len() == count {
                return out;
            }
            let table = &feed.dataset.train;
            let fed = feed.take(table, &rows, &Device::Cpu).expect("a batch");
            out.push((fed, Position { epoch, step: out.len() as u64 + 1, ..Position::default() }));
        }
    }
    out
}

fn values(model: &Model) -> Vec<f32> {
    let one = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
    model.vars.iter().flat_map(|v| one(v.as_tensor())).collect()
}

#[test]
fn gradients_of_single_tasks_add_up() {
    let place = Place::table();
    let prepared = prepared(&place, "static");
    let (model, spec) = (shared(&prepared), &prepared.checked().spec);
    let random = Randomness::new(0);
    let (fed, _) = batches(&prepared, random, 1).remove(0);
    let mode = Mode { train: true, idle: false, random, step: 1 };
    let record = || model.record(&fed.inputs, &[], mode).expect("a tape");
    let of = |tape: &mtlc::runtime::tape::Tape| {
        losses(spec, &prepared.feed, &model, &fed, &tape.outputs, |_| 0).expect("losses")
    };
    let tape = record();
    let each = of(&tape).1;
    let single = tape.backward_each(&each).expect("gradients");
    let tape = record();
    let (_, each) = of(&tape);
    let sum = each.iter().skip(1).try_fold(each[0].clone(), |a, b| a + b).expect("a sum");
    let whole = tape.backward(&sum).expect("gradients").weights;
    assert_eq!(single.len(), 3);
    let numbers = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
    for (i, (name, _)) in model.trained().iter().enumerate() {
        let reached: Vec<Vec<f32>> = single.iter().filter_map(|l| l.weights.get(i)).map(numbers).collect();
        assert_eq!(reached.len(), if name.starts_with("heads.") { 1 } else { 3 }, "{name}");
        for (at, want) in numbers(whole.get(i).expect("reached")).iter().enumerate() {
            let got: f32 = reached.iter().map(|g| g[at]).sum();
            assert!((got - want).abs() <= 1e-6 + 1e-5 * want.abs(), "{name}: {got} is not {want}");
        }
    }
}

/// Six epochs with each; DWA begins to weigh in the third.
#[test]
fn any_two_train_different_weights() {
    let place = Place::table();
    let mut all: Vec<(&str, Vec<f32>)> = Vec::new();
    for def in weightings() {
        let prepared = prepared(&place, def.call.name);
        let (model, args) = (shared(&prepared), train_args(prepared.checked()));
        let random = Randomness::new(0);
        let job = Job { spec: &prepared.checked().spec, feed: &prepared.feed, args: &args, random };
        let mut fitting = Fitting::new(&model, &job, "test").expect("a procedure");
        for (fed, mut at) in batches(&prepared, random, 18) {
            let loss = fitting.step(&fed, &mut at).expect("a step").total;
            assert!(loss.is_finite(), "{}", def.call.name);
        }
        all.push((def.call.name, values(&model)));
    }
    for (i, (a, of_a)) in all.iter().enumerate() {
        for (b, of_b) in &all[..i] {
            let far = of_a.iter().zip(of_b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
            assert!(far > 1e-4, "`{a}` goes the way of `{b}`: {far:e} apart");
        }
    }
}

/// Saved after every step but the last and taken up by a procedure that knows nothing else.
fn goes_on(
    batches: Vec<(Fed, Position)>,
    mut make: impl FnMut(&mut dyn FnMut(&mut dyn Procedure) -> Vec<f32>) -> Vec<f32>,
) {
    let control = Control::free();
    let mut batches = batches;
    let straight = make(&mut |whole| {
        for (fed, at) in &mut batches {
            whole.step(fed, at).expect("a step");
        }
        Vec::new()
    });
    let mut state: Option<State> = None;
    let mut last = Vec::new();
    for (fed, at) in &mut batches {
        last = make(&mut |part| {
            if let Some(state) = &state {
                part.load(state).expect("it is taken back");
            }
            part.step(fed, at).expect("a step");
            let mut header = Keeper::none(&control).header();
            let tensors = part.save(&mut header).expect("a state");
            state = Some(State { header, tensors });
            Vec::new()
        });
    }
    assert!(straight == last, "the weights differ");
}

#[test]
fn training_goes_on_to_the_same_bytes() {
    let place = Place::table();
    for def in weightings() {
        let prepared = prepared(&place, def.call.name);
        let (args, random) = (train_args(prepared.checked()), Randomness::new(0));
        let job = Job { spec: &prepared.checked().spec, feed: &prepared.feed, args: &args, random };
        goes_on(batches(&prepared, random, 10), |run| {
            let model = shared(&prepared);
            run(&mut Fitting::new(&model, &job, "test").expect("a procedure"));
            values(&model)
        });
    }
}

#[test]
fn searches_go_on_to_the_same_bytes() {
    let place = Place::table();
    for def in weightings() {
        let prepared = prepared(&place, def.call.name);
        let checked = prepared.checked();
        let network = checked.supernet.as_ref().expect("a space");
        let random = Randomness::new(0);
        goes_on(batches(&prepared, random, 9), |run| {
            let (plan, symbols) = mtlc::plan::lower(checked, network).expect("a plan");
            let model = Model::new(plan, symbols, random, &Device::Cpu).expect("a model");
            let search = &checked.spec.searches[0];
            run(&mut Branching::new(checked, network, search, &model, &prepared.feed, random, "search").expect("one"));
            values(&model)
        });
    }
}

/// Both searches that train by a joint loss, with every method: they end, with numbers, and the methods matter.
#[test]
fn searches_run_with_every_weighting() {
    let place = Place::table();
    let grouped = |text: &str, weighting: &str| {
        let (head, rest) = text.split_once("space branching").expect("a space");
        let (_, train) = rest.split_once("\ntrain {").expect("training");
        format!(
            "{head}space grouping over net {{\n  level trunk {{ copies = 1 }}\n  level branch {{ copies = 2 }}\n  \
             heads {{ per = copy, reads = one }}\n}}\n\nsearch group {{ epochs = 3, batch = 12, weighting = {weighting} }}\n\n\
             train {{{train}"
        )
    };
    for group in [false, true] {
        let mut all: Vec<(&str, Vec<f64>)> = Vec::new();
        for def in weightings() {
            let name = def.call.name;
            let text = program(name);
            let text = if group { grouped(&text, name) } else { text };
            let prepared = prepare(&place.write("search.mtl", text.as_bytes()), &[("epochs", "3")]);
            let found = search(&prepared, 0, &mut Heard::default());
            let logits: Vec<f64> = found.result.logits.concat();
            assert!(logits.iter().all(|v| v.is_finite()), "{name}: {logits:?}");
            all.push((name, values(found.supernet()).into_iter().map(f64::from).chain(logits).collect()));
        }
        for (i, (a, of_a)) in all.iter().enumerate() {
            for (b, of_b) in &all[..i] {
                let far = of_a.iter().zip(of_b).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                assert!(far > 1e-5, "group {group}: `{a}` goes the way of `{b}`: {far:e} apart");
            }
        }
    }
}

/// A look leaves nothing behind, running statistics included, and sees what a training step sees.
#[test]
fn a_look_changes_nothing() {
    let place = Place::table();
    let text = program("famo").replace("linear(8) -> relu", "linear(8) -> batch_norm -> relu -> dropout(0.3)");
    let prepared = prepare(&place.write("look.mtl", text.as_bytes()), &[]);
    let (model, spec) = (shared(&prepared), &prepared.checked().spec);
    let random = Randomness::new(0);
    let (fed, _) = batches(&prepared, random, 1).remove(0);
    let mode = Mode { train: true, idle: false, random, step: 7 };
    let before = values(&model);
    let of = |outputs: &mtlc::runtime::model::Outputs| -> Vec<f32> {
        let each = losses(spec, &prepared.feed, &model, &fed, outputs, |_| 0).expect("losses").1;
        each.iter().map(|l| l.to_scalar::<f32>().expect("a number")).collect()
    };
    let decided: [Decided; 0] = [];
    let looked = of(&model.look(&fed.inputs, &decided, mode).expect("outputs"));
    assert!(values(&model) == before, "it leaves something behind");
    let stepped = of(&model.record(&fed.inputs, &decided, mode).expect("a tape").outputs);
    assert_eq!(looked, stepped);
    assert!(values(&model) != before, "a step moves running statistics");
}

/// Labels that are missing in most batches, with every method.
#[test]
fn tasks_without_labels_train() {
    let place = Place::table();
    let rows: Vec<String> = table(60)
        .lines()
        .enumerate()
        .map(|(i, line)| {
            let mut cells: Vec<&str> = line.split(',').collect();
            if i > 0 && i % 15 != 0 {
                cells[5] = "";
            }
            cells.join(",")
        })
        .collect();
    place.write("train.csv", format!("{}\n", rows.join("\n")).as_bytes());
    for def in weightings() {
        let name = def.call.name;
        let text = program(name)
            .replace("test = share(0.2, of = train) }", "test = share(0.2, of = train), missing = [\"\"] }");
        place.write("gaps.mtl", text.as_bytes());
        let run = place.run(&format!("train gaps.mtl -o {name} --device cpu --json --set epochs=3")).ok();
        let loss = run.json()["networks"][0]["validation"]["loss"].as_f64();
        assert!(loss.is_some_and(f64::is_finite), "{name}: {}", run.out);
    }
}
