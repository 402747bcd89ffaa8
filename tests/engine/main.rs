//! The engine under a training step: the way back through the tape against candle's graph, passes over the plan on and off, and
//! weights that do not depend on the number of threads.

#[path = "../support/dice.rs"]
mod dice;
mod drawn;
mod networks;
mod programs;
mod recompute;

use std::ops::Range;

use candle_core::{Device, Tensor};
use mtlc::check::Checked;
use mtlc::ir::Network;
use mtlc::plan::passes::{self, Switches};
use mtlc::plan::{lower, lower_per_task};
use mtlc::random::Randomness;
use mtlc::runtime::epochs::Procedure;
use mtlc::runtime::feed::{Fed, Feed};
use mtlc::runtime::fit::{Fitting, Job, losses};
use mtlc::runtime::model::{Decided, Mode, Model};
use mtlc::runtime::state::Position;
use mtlc::runtime::synthetic;
use mtlc::search::learn_to_branch::Branching;

/// A model with a batch of random samples.
struct Setting {
    checked: Checked,
    feed: Feed,
    fed: Fed,
    model: Model,
}

impl Setting {
    fn new(text: &str, state: u64) -> Setting {
        let checked = programs::check(text);
        let network = programs::network(&checked);
        Setting::of(checked, &network, state)
    }

    fn of(checked: Checked, network: &Network, state: u64) -> Setting {
        Setting::with(checked, network, state, &Switches::all())
    }

    fn with(checked: Checked, network: &Network, state: u64, switches: &Switches) -> Setting {
        let (plan, symbols) = lower(&checked, network).expect("all sizes are known");
        let model = Model::with(plan, symbols, Randomness::new(state), &Device::Cpu, switches).expect("weights");
        let feed = synthetic::feed(&checked, 6, Randomness::new(state)).expect("a feed");
        let table = &feed.dataset.train;
        let fed = feed.take(table, &[0, 1, 2, 3, 4, 5], &Device::Cpu).expect("a batch");
        Setting { checked, feed, fed, model }
    }

    /// Decisions of a search's step, with probabilities.
    fn decided(&self, state: usize) -> Vec<(usize, Vec<f32>)> {
        let choice = |(c, n): (usize, &usize)| {
            let weights: Vec<f32> = (0..*n).map(|i| 1.0 + ((i * 7 + c * 3 + state) % 5) as f32).collect();
            let total: f32 = weights.iter().sum();
            ((c * 5 + state) % n, weights.iter().map(|w| w / total).collect())
        };
        self.model.plan.choices.iter().enumerate().map(choice).collect()
    }

    fn mode(&self, state: usize) -> Mode {
        Mode { train: true, idle: state.is_multiple_of(2), random: Randomness::new(3), step: state as u64 }
    }
}

/// Largest difference as a share of the larger norm.
fn gap(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    let size = norm(&mut a.iter().map(|v| f64::from(*v))).max(norm(&mut b.iter().map(|v| f64::from(*v))));
    if size == 0.0 { 0.0 } else { difference / size }
}

fn values(t: &Tensor) -> Vec<f32> {
    t.flatten_all().and_then(|t| t.to_vec1()).expect("numbers")
}

/// Loss and gradients by candle's graph: of weights by name, and of the choices' probabilities.
fn by_graph(s: &Setting, state: usize) -> (f32, Vec<(String, Vec<f32>)>) {
    let mut leaves = Vec::new();
    let mut decided = Vec::new();
    for (index, probs) in s.decided(state) {
        let leaf = candle_core::Var::from_vec(probs.clone(), probs.len(), &Device::Cpu).expect("a leaf");
        decided.push(Decided { index, probs: Some(leaf.as_tensor().clone()), mask: None });
        leaves.push(leaf);
    }
    let out = s.model.forward(&s.fed.inputs, &decided, s.mode(state)).expect("forward");
    let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &out, |_| 0).expect("losses");
    let store = total.backward().expect("backward");
    let mut grads = Vec::new();
    for (name, var) in s.model.trained() {
        grads.push((name.to_string(), store.get(var).map(values).unwrap_or_default()));
    }
    let row = |leaf: &candle_core::Var| store.get(leaf).map_or_else(|| vec![0.0; leaf.elem_count()], values);
    grads.push(("choices".into(), leaves.iter().flat_map(row).collect()));
    (total.to_scalar().expect("a number"), grads)
}

fn by_tape(s: &Setting, state: usize) -> (f32, Vec<(String, Vec<f32>)>) {
    let decided: Vec<Decided> = s
        .decided(state)
        .into_iter()
        .map(|(index, probs)| {
            let n = probs.len();
            Decided { index, probs: Some(Tensor::from_vec(probs, n, &Device::Cpu).expect("a tensor")), mask: None }
        })
        .collect();
    let tape = s.model.record(&s.fed.inputs, &decided, s.mode(state)).expect("forward");
    let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &tape.outputs, |_| 0).expect("losses");
    let learned = tape.backward(&total).expect("backward");
    let mut grads = Vec::new();
    for (i, (name, _)) in s.model.trained().into_iter().enumerate() {
        grads.push((name.to_string(), learned.weights.get(i).map(values).unwrap_or_default()));
    }
    // One vector: what a batch norm reads has no gradient along itself, so that of a single choice may be all rounding.
    let rows = learned.choices.iter().zip(&s.model.plan.choices);
    let row = |(row, n): (&Option<Vec<f64>>, &usize)| row.clone().unwrap_or_else(|| vec![0.0; *n]);
    grads.push(("choices".into(), rows.flat_map(row).map(|v| v as f32).collect()));
    (total.to_scalar().expect("a number"), grads)
}

#[test]
fn the_tape_gives_the_gradients_of_candles_graph() {
    for (name, text) in programs::ALL {
        let s = Setting::new(text, 1);
        for state in 0..4 {
            // Running statistics move with every pass: both start from the same.
            let before = s.model.snapshot().expect("a copy");
            let (loss, expected) = by_graph(&s, state);
            let after = s.model.snapshot().expect("a copy");
            s.model.restore(&before).expect("restored");
            let (taped, found) = by_tape(&s, state);
            assert!((loss - taped).abs() <= 1e-6 * loss.abs(), "{name}, state {state}: loss {loss} and {taped}");
            assert!(expected.iter().any(|(_, g)| g.iter().any(|v| *v != 0.0)), "{name}: no gradient at all");
            for ((weight, a), (_, b)) in expected.iter().zip(&found) {
                let far = gap(a, b);
                assert!(far <= 1e-6, "{name}, state {state}, {weight}: the gradients differ by {far:e} of their norm");
            }
            for ((a, b), n) in after.iter().zip(&s.model.vars).zip(&s.model.symbols.weights) {
                assert_eq!(values(a), values(b.as_tensor()), "{name}, state {state}: `{n}` after the pass");
            }
        }
    }
}

/// Decisions of routes and parents in turn, in place of the straight-through ones.
fn hard(s: &Setting, state: usize) -> Vec<Decided> {
    s.model.plan.choices.iter().enumerate().map(|(c, n)| Decided::hard((c * 5 + state * 7) % n)).collect()
}

const ROUTE_GATES: [&str; 4] = ["softmax, query = x", "sigmoid, query = [previous, x]", "sum", "mean"];

#[test]
fn routes_have_the_gradients_of_candles_graph() {
    for gate in ROUTE_GATES {
        let s = Setting::new(&programs::ROUTES.replace("GATE", gate), 1);
        let mut gates = 0;
        for state in 0..8 {
            let decided = hard(&s, state);
            let mode = Mode { idle: false, ..s.mode(state) };
            let out = s.model.forward(&s.fed.inputs, &decided, mode).expect("forward");
            let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &out, |_| 0).expect("losses");
            let store = total.backward().expect("backward");
            let tape = s.model.record(&s.fed.inputs, &decided, mode).expect("forward");
            assert_eq!(tape.outputs.chosen, out.chosen);
            let (taped, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &tape.outputs, |_| 0).expect("losses");
            let learned = tape.backward(&taped).expect("backward");
            for (i, (name, var)) in s.model.trained().into_iter().enumerate() {
                match (store.get(var), learned.weights.get(i)) {
                    (Some(a), Some(b)) => {
                        let far = gap(&values(a), &values(b));
                        assert!(far <= 1e-6, "{gate}, state {state}, {name}: {far:e}");
                        gates += usize::from(name.contains("gate") && values(b).iter().any(|v| *v != 0.0));
                    }
                    (None, None) => {}
                    (a, b) => panic!("{gate}, state {state}, {name}: {} {}", a.is_some(), b.is_some()),
                }
            }
        }
        assert!(gates > 0, "{gate}: no gate has learned");
    }
}

/// Gradients of relaxed subsets against central differences; a candidate at 0 does not run.
#[test]
fn masks_have_right_gradients() {
    for gate in ROUTE_GATES {
        let s = Setting::new(&programs::ROUTES.replace("GATE", gate), 2);
        let plan = &s.model.plan;
        let masks: Vec<Option<Vec<f32>>> = (0..plan.choices.len())
            .map(|c| plan.is_route(c).then(|| (0..3).map(|i| [0.9, 0.35, 0.6][(i + c) % 3]).collect()))
            .collect();
        let decided = |masks: &[Option<Vec<f32>>]| -> Vec<Decided> {
            let one = |(c, m): (usize, &Option<Vec<f32>>)| m.clone().map_or(Decided::hard(c % 3), Decided::relaxed);
            masks.iter().enumerate().map(one).collect()
        };
        let mode = Mode { idle: false, ..s.mode(0) };
        let loss = |masks: &[Option<Vec<f32>>]| {
            let out = s.model.forward(&s.fed.inputs, &decided(masks), mode).expect("forward");
            let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &out, |_| 0).expect("losses");
            f64::from(total.to_scalar::<f32>().expect("a number"))
        };
        let tape = s.model.record(&s.fed.inputs, &decided(&masks), mode).expect("forward");
        let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &tape.outputs, |_| 0).expect("losses");
        let learned = tape.backward(&total).expect("backward");
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for c in (0..masks.len()).filter(|c| masks[*c].is_some()) {
            for i in 0..3 {
                let moved = |by: f32| {
                    let mut masks = masks.clone();
                    masks[c].as_mut().expect("a mask")[i] += by;
                    loss(&masks)
                };
                expected.push(((moved(1e-2) - moved(-1e-2)) / 2e-2) as f32);
                found.push(learned.choices[c].as_ref().map_or(0.0, |g| g[i] as f32));
            }
        }
        assert!(found.iter().any(|g| *g != 0.0), "{gate}: no gradient at all");
        let far = gap(&found, &expected);
        assert!(far < 1e-2, "{gate}: {far} of {found:?} and {expected:?}");
        // What no mask takes does not run.
        let mut none = masks.clone();
        none.iter_mut().flatten().for_each(|m| m[0] = 0.0);
        let out = s.model.forward(&s.fed.inputs, &decided(&none), mode).expect("forward");
        let ran = |unit: &str| out.reached[s.model.symbols.units.iter().position(|u| u == unit).expect("a unit")];
        assert!(ran("mid.b") && ran("mid.c") && !ran("low.a"), "{gate}");
    }
}

#[test]
fn passes_change_no_value() {
    assert!(Switches::without(["fuse", "typo"]).unknown() == ["typo"]);
    for (name, text) in programs::ALL {
        let checked = || programs::check(text);
        let network = programs::network(&checked());
        for state in 0..50 {
            let plain = Setting::with(checked(), &network, state, &Switches::none());
            let (loss, expected) = by_tape(&plain, state as usize);
            let names = passes::table().iter().map(|p| p.name);
            let alone = names.clone().map(|on| (on, Switches::without(names.clone().filter(move |n| *n != on))));
            for (pass, switches) in alone.chain([("all", Switches::all())]) {
                let s = Setting::with(checked(), &network, state, &switches);
                let (found_loss, found) = by_tape(&s, state as usize);
                let place = format!("{name}, state {state}, pass {pass}");
                assert!((loss - found_loss).abs() <= 1e-6 * loss.abs(), "{place}: loss {loss} and {found_loss}");
                for ((weight, a), (other, b)) in expected.iter().zip(&found) {
                    assert_eq!(weight, other, "{place}");
                    let far = gap(a, b);
                    assert!(far <= 1e-6, "{place}, {weight}: the gradients differ by {far:e} of their norm");
                }
                for ((a, b), n) in plain.model.vars.iter().zip(&s.model.vars).zip(&s.model.symbols.weights) {
                    let far = gap(&values(a.as_tensor()), &values(b.as_tensor()));
                    assert!(far <= 1e-6, "{place}: `{n}` differs by {far:e} after the pass");
                }
            }
        }
    }
}

#[test]
fn passes_find_what_they_are_for() {
    let plan = |(_, text): &(&str, &str)| {
        let checked = programs::check(text);
        lower(&checked, &programs::network(&checked)).expect("all sizes are known").0
    };
    for pass in passes::table() {
        let order = |p: &mtlc::plan::Plan| p.steps.iter().map(|s| (s.output, s.siblings)).collect::<Vec<_>>();
        let changed = |plan: mtlc::plan::Plan| {
            let mut rewritten = plan.clone();
            (pass.run)(&mut rewritten);
            order(&rewritten) != order(&plan)
        };
        assert!(programs::ALL.iter().map(plan).any(changed), "{} changed nothing", pass.name);
    }
}

/// Weights make their step as soon as they have their gradient; where the norm of all is asked for first, they wait. A norm that
/// is never reached changes nothing.
#[test]
fn early_steps_give_the_same_weights() {
    for (name, text) in programs::ALL {
        let clipped = match text.contains("epochs = 2 }") {
            true => text.replace("epochs = 2 }", "epochs = 2, clip = 1e9 }"),
            false => format!("{text}train {{ clip = 1e9 }}\n"),
        };
        for ((weight, a), (_, b)) in trained(text, 2, 5).iter().zip(&trained(&clipped, 2, 5)) {
            assert!(a == b, "{name}: `{weight}` differs");
        }
    }
}

/// The weights after some steps of training, or of a search where there is one, with so many threads.
fn trained(text: &str, threads: usize, steps: u64) -> Vec<(String, Vec<f32>)> {
    trained_by(text, threads, steps, &[])
}

/// The same, with some stretches of the plan forgotten.
fn trained_by(text: &str, threads: usize, steps: u64, forgotten: &[Range<usize>]) -> Vec<(String, Vec<f32>)> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(|| {
        let mut s = Setting::new(text, 5);
        s.model.plan.forgotten = forgotten.to_vec();
        let random = Randomness::new(5);
        let args = mtlc::experiment::train_args(&s.checked);
        let job = Job { spec: &s.checked.spec, feed: &s.feed, args: &args, random };
        let network = programs::network(&s.checked);
        let mut procedure: Box<dyn Procedure> = match s.checked.spec.searches.first() {
            Some(search) => Box::new(
                Branching::new(&s.checked, &network, search, &s.model, &s.feed, random, "test").expect("a procedure"),
            ),
            None => Box::new(Fitting::new(&s.model, &job, "test").expect("a procedure")),
        };
        let mut at = Position { epoch: 1, ..Position::default() };
        for _ in 0..steps {
            at.step += 1;
            procedure.step(&s.fed, &mut at).expect("a step");
        }
        drop(procedure);
        s.model.named().into_iter().map(|(n, v)| (n.to_string(), values(v.as_tensor()))).collect()
    })
}

#[test]
fn any_number_of_threads_gives_the_same_weights() {
    for (name, text) in programs::ALL {
        let one = trained(text, 1, 200);
        let start = trained(text, 1, 0);
        assert!(one.iter().zip(&start).any(|(a, b)| a.1 != b.1), "{name}: nothing was learned");
        for threads in [2, 4] {
            for ((weight, a), (_, b)) in one.iter().zip(&trained(text, threads, 200)) {
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                assert!(bits(a) == bits(b), "{name}: `{weight}` differs between 1 and {threads} threads");
            }
        }
    }
}

/// Where a copy runs once for each of several tasks, its batch norms go on from what the last task left, at once or one by one.
#[test]
fn a_copy_keeps_the_statistics_of_all_its_tasks() {
    let after = |switches: &Switches| {
        let checked = programs::check(programs::BRANCHING);
        let network = programs::network(&checked);
        let unrolled = lower_per_task(&checked, &network).expect("all sizes are known");
        let random = Randomness::new(4);
        let model = Model::with(unrolled.plan, unrolled.symbols, random, &Device::Cpu, switches).expect("weights");
        let feed = synthetic::feed(&checked, 6, random).expect("a feed");
        let table = &feed.dataset.train;
        let fed = feed.take(table, &[0, 1, 2, 3, 4, 5], &Device::Cpu).expect("a batch");
        let s = Setting { checked, feed, fed, model };
        by_tape(&s, 1);
        s.model.named().into_iter().map(|(n, v)| (n.to_string(), values(v.as_tensor()))).collect::<Vec<_>>()
    };
    let alone = after(&Switches::none());
    assert!(alone.iter().any(|(name, _)| name.contains("running_mean")));
    for ((name, a), (_, b)) in alone.iter().zip(&after(&Switches::all())) {
        let far = gap(a, b);
        assert!(far <= 1e-6, "`{name}` differs by {far:e}");
    }
}
