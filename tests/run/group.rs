//! DMTG: its equations in plain loops, groups that start alike, and a one-shot result that is the supernet's argmax.

use mtlc::experiment::Prepared;
use mtlc::plan::lower;
use mtlc::random::Randomness;
use mtlc::runtime::model::Model;

use super::support::*;

/// Three groups of one linear stage, three tasks, a head of every task on every group; all rows in one batch.
fn spec(search: &str) -> String {
    format!(
        r#"mtl 1
data d {{ format = npy, train = ["x.npy", "u.npy", "v.npy", "w.npy"], validation = share(0.25, of = train), test = share(0.25, of = train) }}
input x: f32[4] {{ from = d.x }}
task u: regression(1) {{ from = d.u, loss = mse }}
task v: regression(1) {{ from = d.v, loss = mse, weight = 3 }}
task w: regression(1) {{ from = d.w, loss = mse }}
backbone net(x) {{
  stage trunk = linear(3)
  stage block = linear(2)
}}
head for * = linear(outputs)
space s over net {{
  level trunk {{ copies = 1 }}
  level block {{ copies = 3, reads = one }}
  heads {{ per = copy, reads = one }}
}}
search group {{ batch = 64, temperature = constant(2.5), weights = sgd(lr = 0.1), {search} }}
train {{ epochs = 2, batch = 12 }}
"#
    )
}

fn place(search: &str) -> (Place, Prepared) {
    let place = Place::new();
    place.write("x.npy", &npy(&[24, 4], &numbers(96, 1)));
    for (i, name) in ["u.npy", "v.npy", "w.npy"].iter().enumerate() {
        place.write(name, &npy(&[24], &numbers(24, 2 + i as u64)));
    }
    let path = place.write("net.mtl", spec(search).as_bytes());
    let prepared = prepare(&path, &[]);
    (place, prepared)
}

impl Map {
    fn zero(&self) -> Map {
        Map { weight: self.weight.iter().map(|r| vec![0.0; r.len()]).collect(), bias: vec![0.0; self.bias.len()] }
    }

    /// Adds to the gradient of this map; gives that of its input.
    fn back(&self, x: &[f64], out: &[f64], grad: &mut Map) -> Vec<f64> {
        let mut of_x = vec![0.0; x.len()];
        for (o, g) in out.iter().enumerate() {
            grad.bias[o] += g;
            for (i, v) in x.iter().enumerate() {
                grad.weight[o][i] += g * v;
                of_x[i] += g * self.weight[o][i];
            }
        }
        of_x
    }

    fn step(&mut self, grad: &Map, lr: f64) {
        for (row, g) in self.weight.iter_mut().zip(&grad.weight) {
            row.iter_mut().zip(g).for_each(|(w, g)| *w -= lr * g);
        }
        self.bias.iter_mut().zip(&grad.bias).for_each(|(w, g)| *w -= lr * g);
    }

    fn far(&self, other: &Map) -> f64 {
        let pairs =
            self.weight.iter().flatten().chain(&self.bias).zip(other.weight.iter().flatten().chain(&other.bias));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|v| v.exp()).sum();
    x.iter().map(|v| v.exp() / sum).collect()
}

/// L = sum_n w_n sum_k G[n, k] L_n(pred_{n,k}, y_n) + entropy, and gradient descent on all of it, in loops.
#[test]
#[allow(clippy::needless_range_loop, reason = "written as the sums are")]
fn steps_like_the_equations() {
    const STEPS: usize = 4;
    for (extra, entropy, scaled) in
        [("", 0.0, false), ("entropy = 0.7,", 0.7, false), ("scale_gradients = true,", 0.0, true)]
    {
        for seed in 0..2 {
            let (_place, prepared) = place(&format!("{extra} choices = sgd(lr = 5), epochs = {STEPS}"));
            let mut heard = Heard::default();
            let found = search(&prepared, seed, &mut heard);
            let checked = prepared.checked();
            let (plan, symbols) = lower(checked, checked.supernet.as_ref().expect("a space")).expect("it lowers");
            let fresh = Model::new(plan, symbols, Randomness::new(seed), &candle_core::Device::Cpu).expect("a model");
            let mut trunk = Map::of(&fresh, "trunk.a");
            let mut blocks = vec![Map::of(&fresh, "block.a"); 3];
            let names = ["u", "v", "w"];
            let mut heads: Vec<Vec<Map>> =
                names.iter().map(|n| vec![Map::of(&fresh, &format!("heads.{n}.a")); 3]).collect();
            let weights = [1.0, 3.0, 1.0];
            let mut logits = vec![vec![0.0f64; 3]; 3];
            let table = &prepared.feed.dataset.train;
            let rows = table.rows;
            let (tau, lr) = (2.5, 0.1);
            for step in 1..=STEPS {
                let g: Vec<Vec<f64>> = (0..3)
                    .map(|n| {
                        let noise = Randomness::new(seed).gumbel("gumbel", [step as u64, n as u64, 0], 3);
                        softmax(&logits[n].iter().zip(noise).map(|(l, e)| (l + e) / tau).collect::<Vec<_>>())
                    })
                    .collect();
                let mut of_trunk = trunk.zero();
                let mut of_blocks: Vec<Map> = blocks.iter().map(Map::zero).collect();
                let mut of_heads: Vec<Vec<Map>> = heads.iter().map(|r| r.iter().map(Map::zero).collect()).collect();
                let mut losses = [[0.0f64; 3]; 3];
                for row in 0..rows {
                    let x: Vec<f64> = table.inputs[0].values[row * 4..row * 4 + 4].iter().map(|v| *v as f64).collect();
                    let base = trunk.apply(&x);
                    for k in 0..3 {
                        let features = blocks[k].apply(&base);
                        let mut back = vec![0.0; 2];
                        for n in 0..3 {
                            let y = table.labels[n].values[row] as f64;
                            let pred = heads[n][k].apply(&features)[0];
                            losses[n][k] += (pred - y) * (pred - y) / rows as f64;
                            let out = [weights[n] * g[n][k] * 2.0 * (pred - y) / rows as f64];
                            let grad = heads[n][k].back(&features, &out, &mut of_heads[n][k]);
                            back.iter_mut().zip(grad).for_each(|(a, b)| *a += b);
                        }
                        let grad = blocks[k].back(&base, &back, &mut of_blocks[k]);
                        trunk.back(&x, &grad, &mut of_trunk);
                    }
                }
                let mut total = 0.0;
                for n in 0..3 {
                    let p = softmax(&logits[n]);
                    let entropies = p.iter().map(|p| -p * p.ln() - (1.0 - p) * (1.0 - p).ln());
                    total += weights[n] * (0..3).map(|k| g[n][k] * losses[n][k]).sum::<f64>()
                        + entropy / 3.0 * entropies.sum::<f64>();
                    let pull: Vec<f64> = (0..3).map(|k| weights[n] * losses[n][k]).collect();
                    let mean: f64 = (0..3).map(|k| g[n][k] * pull[k]).sum();
                    let of_p: Vec<f64> = p.iter().map(|p| ((1.0 - p) / p).ln()).collect();
                    let mean_p: f64 = (0..3).map(|k| p[k] * of_p[k]).sum();
                    for k in 0..3 {
                        let grad = g[n][k] * (pull[k] - mean) / tau + entropy / 3.0 * p[k] * (of_p[k] - mean_p);
                        logits[n][k] -= 5.0 * grad;
                    }
                }
                assert!(
                    (heard.losses[step - 1] - total).abs() < 1e-5,
                    "{extra} step {step}: {} {total}",
                    heard.losses[step - 1]
                );
                // At a split the gradient is divided by the square root of what it splits into.
                let (at_group, at_trunk) = if scaled { (lr / 3f64.sqrt(), lr / 3.0) } else { (lr, lr) };
                trunk.step(&of_trunk, at_trunk);
                blocks.iter_mut().zip(&of_blocks).for_each(|(m, g)| m.step(g, at_group));
                heads.iter_mut().flatten().zip(of_heads.iter().flatten()).for_each(|(m, g)| m.step(g, lr));
            }
            for (f, w) in found.result.logits.iter().flatten().zip(logits.iter().flatten()) {
                assert!((f - w).abs() < 1e-5, "{extra}: {:?} {logits:?}", found.result.logits);
            }
            assert!(logits.iter().flatten().any(|l| l.abs() > 1e-4), "something was learned: {logits:?}");
            let model = found.supernet();
            assert!(Map::of(model, "trunk.a").far(&trunk) < 1e-5);
            for (k, copy) in ["a", "b", "c"].iter().enumerate() {
                assert!(Map::of(model, &format!("block.{copy}")).far(&blocks[k]) < 1e-5);
                for (n, name) in names.iter().enumerate() {
                    assert!(Map::of(model, &format!("heads.{name}.{copy}")).far(&heads[n][k]) < 1e-5);
                }
            }
        }
    }
}

/// Without noise nothing tells the groups apart: they stay alike, and so do the logits.
#[test]
fn only_noise_breaks_the_symmetry() {
    let (_place, prepared) = place("sampler = softmax, epochs = 5");
    let found = search(&prepared, 0, &mut Heard::default());
    assert!(found.result.logits.iter().flatten().all(|l| l.abs() < 1e-9), "{:?}", found.result.logits);
    let of = |unit: &str| Map::of(found.supernet(), unit);
    assert_eq!(of("block.a").far(&of("block.b")), 0.0);
    assert_eq!(of("heads.v.a").far(&of("heads.v.c")), 0.0);
    let (_place, prepared) = place("epochs = 5");
    let noisy = search(&prepared, 0, &mut Heard::default());
    assert!(Map::of(noisy.supernet(), "block.a").far(&Map::of(noisy.supernet(), "block.b")) > 1e-6);
}

/// The pruned network with the supernet's weights is in the table, and gives the supernet's validation scores.
#[test]
fn one_shot() {
    let (place, _) = place("epochs = 6");
    let summary = place.run("run net.mtl -o run --device cpu --json").ok().json();
    let networks = summary["networks"].as_array().expect("a list");
    let names: Vec<&str> = networks.iter().map(|n| n["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["derived", "one_shot", "all_shared", "independent"]);
    assert_eq!(networks[0]["params"], networks[1]["params"]);
    let found = place.json("run/search.json");
    for (a, b) in found["validation"]["tasks"]
        .as_array()
        .expect("a list")
        .iter()
        .zip(networks[1]["validation"]["tasks"].as_array().expect("a list"))
    {
        let loss = |t: &serde_json::Value| t["loss"].as_f64().expect("a loss");
        assert!((loss(a) - loss(b)).abs() < 1e-6, "{a} {b}");
    }
    place.run("verify run").ok();
    place.run("evaluate run --network one_shot").ok();
    // The same again, and after a stop in the middle.
    place.run("run net.mtl -o twin --device cpu --quiet").ok();
    assert_eq!(place.text("run/derived/net.mtl"), place.text("twin/derived/net.mtl"));
}

#[test]
fn it_goes_on_where_it_stood() {
    use super::resume::{has_state, signal, spawn, wait_for};
    let long = "run net.mtl -o run --device cpu --quiet --save-every 10ms";
    let (stopped, _) = place("epochs = 800");
    let mut child = spawn(&stopped, long);
    wait_for(&mut child, || has_state(&stopped, "search-"));
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(75));
    stopped.run("run --resume run").ok();
    let (whole, _) = place("epochs = 800");
    whole.run(long).ok();
    for name in
        ["search.jsonl", "derived/net.mtl", "checkpoints/supernet.safetensors", "checkpoints/one_shot.safetensors"]
    {
        let read = |p: &Place| std::fs::read(p.path("run").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(&stopped) == read(&whole), "{name} differs");
    }
}
