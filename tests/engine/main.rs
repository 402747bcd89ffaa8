//! The engine under a training step: the way back through the tape against candle's graph, and steps that do not depend on
//! threads.

mod programs;

use candle_core::{Device, Tensor};
use mtlc::check::Checked;
use mtlc::ir::Network;
use mtlc::plan::lower;
use mtlc::random::Randomness;
use mtlc::runtime::feed::{Fed, Feed};
use mtlc::runtime::fit::losses;
use mtlc::runtime::model::{Decided, Mode, Model};
use mtlc::runtime::synthetic;

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
        let (plan, symbols) = lower(&checked, network).expect("all sizes are known");
        let model = Model::new(plan, symbols, Randomness::new(state), &Device::Cpu).expect("weights");
        let feed = synthetic::feed(&checked, 6, Randomness::new(state)).expect("a feed");
        let table = &feed.dataset.train;
        let fed = feed.tensors(table, table.gather(&[0, 1, 2, 3, 4, 5]), &Device::Cpu).expect("a batch");
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
        decided.push(Decided { index, probs: Some(leaf.as_tensor().clone()) });
        leaves.push(leaf);
    }
    let out = s.model.forward(&s.fed.inputs, &decided, s.mode(state)).expect("forward");
    let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &out, |_| 0).expect("losses");
    let store = total.backward().expect("backward");
    let mut grads = Vec::new();
    for (name, var) in s.model.trained() {
        grads.push((name.to_string(), store.get(var).map(values).unwrap_or_default()));
    }
    for (c, leaf) in leaves.iter().enumerate() {
        grads.push((format!("choice {c}"), store.get(leaf).map(values).unwrap_or_default()));
    }
    (total.to_scalar().expect("a number"), grads)
}

fn by_tape(s: &Setting, state: usize) -> (f32, Vec<(String, Vec<f32>)>) {
    let decided: Vec<Decided> = s
        .decided(state)
        .into_iter()
        .map(|(index, probs)| {
            let n = probs.len();
            Decided { index, probs: Some(Tensor::from_vec(probs, n, &Device::Cpu).expect("a tensor")) }
        })
        .collect();
    let tape = s.model.record(&s.fed.inputs, &decided, s.mode(state)).expect("forward");
    let (total, _) = losses(&s.checked.spec, &s.feed, &s.model, &s.fed, &tape.outputs, |_| 0).expect("losses");
    let learned = tape.backward(&total).expect("backward");
    let mut grads = Vec::new();
    for (i, (name, _)) in s.model.trained().into_iter().enumerate() {
        grads.push((name.to_string(), learned.weights.get(i).map(values).unwrap_or_default()));
    }
    for (c, choice) in learned.choices.iter().enumerate() {
        let row = choice.iter().flatten().map(|v| *v as f32).collect();
        grads.push((format!("choice {c}"), row));
    }
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
