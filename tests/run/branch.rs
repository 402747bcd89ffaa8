//! Learning to Branch as published: one step against a reference in plain loops, written from equations 4 to 6.

use mtlc::data::Table;
use mtlc::experiment::Prepared;
use mtlc::plan::lower;
use mtlc::random::Randomness;
use mtlc::runtime::model::Model;

use super::support::*;

/// Two levels of two and three copies, two tasks, everything linear; all rows in one batch.
fn spec(search: &str) -> String {
    format!(
        r#"mtl 1
data d {{ format = npy, train = ["x.npy", "u.npy", "v.npy"], validation = share(0.25, of = train), test = share(0.25, of = train) }}
input x: f32[2] {{ from = d.x }}
task u: regression(1) {{ from = d.u, loss = mse }}
task v: regression(1) {{ from = d.v, loss = mse, weight = 3 }}
backbone net(x) {{
  stage low = linear(3)
  stage top = linear(2)
}}
head for * = linear(outputs)
space s over net {{
  level low {{ copies = 2 }}
  level top {{ copies = 3, reads = one }}
  heads {{ per = task, reads = one }}
}}
search learn_to_branch {{ batch = 64, weights = sgd(lr = 1e-30), choices = sgd(lr = 1), {search} }}
"#
    )
}

fn place() -> Place {
    let place = Place::new();
    place.write("x.npy", &npy(&[24, 2], &numbers(48, 1)));
    place.write("u.npy", &npy(&[24], &numbers(24, 2)));
    place.write("v.npy", &npy(&[24], &numbers(24, 3)));
    place
}

impl Map {
    /// The gradient of what was read.
    fn input_gradient(&self, dy: &[f64]) -> Vec<f64> {
        let width = self.weight[0].len();
        (0..width).map(|i| self.weight.iter().zip(dy).map(|(row, d)| row[i] * d).sum()).collect()
    }
}

fn softmax(row: &[f64]) -> Vec<f64> {
    let sum: f64 = row.iter().map(|v| v.exp()).sum();
    row.iter().map(|v| v.exp() / sum).collect()
}

fn largest(row: &[f64]) -> usize {
    (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]).then(b.cmp(a))).expect("not empty")
}

/// The weights, the data and the noise of a search, for the reference.
struct Reference {
    low: Vec<Map>,
    top: Vec<Map>,
    heads: Vec<Map>,
    x: Vec<Vec<f64>>,
    labels: [Vec<f64>; 2],
    random: Randomness,
}

impl Reference {
    fn new(prepared: &Prepared, seed: u64) -> Reference {
        let checked = prepared.checked();
        let (plan, symbols) = lower(checked, checked.supernet.as_ref().expect("a space")).expect("it lowers");
        let random = Randomness::new(seed);
        let model = Model::new(plan, symbols, random, &candle_core::Device::Cpu).expect("a model");
        let table: &Table = &prepared.feed.dataset.train;
        let wide = |v: &[f32]| -> Vec<f64> { v.iter().map(|v| f64::from(*v)).collect() };
        let units = |stage: &str, n: usize| {
            (0..n).map(|i| Map::of(&model, &format!("{stage}.{}", mtlc::ir::copy_letters(i)))).collect()
        };
        Reference {
            low: units("low", 2),
            top: units("top", 3),
            heads: ["heads.u", "heads.v"].map(|h| Map::of(&model, h)).into(),
            x: table.inputs[0].values.chunks(2).map(wide).collect(),
            labels: [wide(&table.labels[0].values), wide(&table.labels[1].values)],
            random,
        }
    }

    /// Gradients of all logits at a step: of `top`'s three copies over `low`, then of the two heads over `top`.
    fn gradient(&self, logits: &[Vec<f64>], step: u64, tau: f64) -> Vec<Vec<f64>> {
        let mut chosen = Vec::new();
        let mut relaxed = Vec::new();
        for (c, row) in logits.iter().enumerate() {
            let theta = softmax(row);
            let noise = self.random.gumbel("gumbel", [step, c as u64, 0], row.len());
            let noisy: Vec<f64> = theta.iter().zip(&noise).map(|(t, e)| t.ln() + e).collect();
            chosen.push(largest(&noisy));
            relaxed.push(softmax(&noisy.iter().map(|v| v / tau).collect::<Vec<_>>()));
        }
        // g[c][i] = dL/dx . y_i, summed over the rows.
        let mut g: Vec<Vec<f64>> = logits.iter().map(|r| vec![0.0; r.len()]).collect();
        for (row, x) in self.x.iter().enumerate() {
            let low: Vec<Vec<f64>> = self.low.iter().map(|m| m.apply(x)).collect();
            let top: Vec<Vec<f64>> = self.top.iter().enumerate().map(|(j, m)| m.apply(&low[chosen[j]])).collect();
            for (t, weight) in [1.0, 3.0].into_iter().enumerate() {
                let j = chosen[3 + t];
                let out = self.heads[t].apply(&top[j])[0];
                let dout = weight * 2.0 * (out - self.labels[t][row]) / self.x.len() as f64;
                let dtop = self.heads[t].input_gradient(&[dout]);
                let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
                for (i, y) in top.iter().enumerate() {
                    g[3 + t][i] += dot(&dtop, y);
                }
                let dlow = self.top[j].input_gradient(&dtop);
                for (i, y) in low.iter().enumerate() {
                    g[j][i] += dot(&dlow, y);
                }
            }
        }
        // d/d logit_k of sum_i d~_i g_i, by the softmax's own derivative.
        relaxed
            .iter()
            .zip(&g)
            .map(|(p, g)| {
                let each = |k: usize| -> f64 {
                    let d = |i: usize| p[i] * (f64::from(u8::from(i == k)) - p[k]) / tau;
                    (0..p.len()).map(|i| d(i) * g[i]).sum()
                };
                (0..p.len()).map(each).collect()
            })
            .collect()
    }
}

/// The expected share of parameters, choices taken as independent: 9 of a `low`, 8 of a `top`, 3 of a head, 23 all shared.
fn expected_size(logits: &[Vec<f64>]) -> f64 {
    let p: Vec<Vec<f64>> = logits.iter().map(|r| softmax(r)).collect();
    let top: Vec<f64> = (0..3).map(|j| 1.0 - (1.0 - p[3][j]) * (1.0 - p[4][j])).collect();
    let low: Vec<f64> = (0..2).map(|i| 1.0 - (0..3).map(|j| 1.0 - top[j] * p[j][i]).product::<f64>()).collect();
    (9.0 * low.iter().sum::<f64>() + 8.0 * top.iter().sum::<f64>()) / 23.0
}

fn differences(logits: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let h = 1e-5;
    let at = |c: usize, k: usize, d: f64| {
        let mut moved = logits.to_vec();
        moved[c][k] += d;
        expected_size(&moved)
    };
    let one = |c: usize| (0..logits[c].len()).map(|k| (at(c, k, h) - at(c, k, -h)) / (2.0 * h)).collect();
    (0..logits.len()).map(one).collect()
}

#[track_caller]
fn near(found: &[Vec<f64>], wanted: &[Vec<f64>], what: &str) {
    assert_eq!(found.len(), wanted.len());
    for (c, (f, w)) in found.iter().zip(wanted).enumerate() {
        for (f, w) in f.iter().zip(w) {
            assert!((f - w).abs() < 2e-5, "{what}, choice {c}: {f} and {w}\n{found:?}\n{wanted:?}");
        }
    }
}

#[test]
fn the_logits_follow_equations_4_to_6() {
    let place = place();
    for (seed, size) in [(0, 0.0), (1, 0.0), (2, 0.0), (3, 0.0), (0, 0.7), (4, 2.0)] {
        // From one step to three: logits that are no longer uniform, and a temperature that falls with the step.
        for steps in 1..=3u64 {
            let text =
                spec(&format!("epochs = {steps}, warmup = 0, temperature = inverse(2, per = step), size = {size}"));
            let prepared = prepare(&place.write("net.mtl", text.as_bytes()), &[]);
            let found = search(&prepared, seed, &mut Heard::default());
            let reference = Reference::new(&prepared, seed);
            let mut logits: Vec<Vec<f64>> = [2, 2, 2, 3, 3].map(|n| vec![0.0; n]).into();
            for step in 1..=steps {
                let mut gradient = reference.gradient(&logits, step, 2.0 / step as f64);
                for (row, extra) in gradient.iter_mut().zip(differences(&logits)) {
                    row.iter_mut().zip(extra).for_each(|(a, b)| *a += size * b);
                }
                for (row, g) in logits.iter_mut().zip(&gradient) {
                    row.iter_mut().zip(g).for_each(|(l, g)| *l -= g);
                }
            }
            near(&found.result.logits, &logits, &format!("seed {seed}, size {size}, step {steps}"));
            // Equation 7: no noise.
            let wanted: Vec<usize> = found.result.logits.iter().map(|r| largest(r)).collect();
            assert_eq!(found.result.decisions, wanted);
        }
    }
}

#[test]
fn the_size_term_alone_prefers_less() {
    let place = place();
    let text = spec("epochs = 60, warmup = 0, temperature = constant(5), size = 50");
    let prepared = prepare(&place.write("net.mtl", text.as_bytes()), &[]);
    let found = search(&prepared, 0, &mut Heard::default());
    assert_eq!(found.derived.topology.nodes.len(), 2, "one copy of each stage: {:?}", found.result.decisions);
}
