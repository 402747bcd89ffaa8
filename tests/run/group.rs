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
    for (extra, entropy, scaled) in [
        ("", 0.0, false),
        ("entropy = 0.7,", 0.7, false),
        ("scale_gradients = true,", 0.0, true),
        ("sampler = gumbel_each,", 0.0, false),
        ("sampler = hard, start = diagonal,", 0.0, false),
        ("sampler = softmax, start = diagonal,", 0.0, false),
    ] {
        let (each, hard) = (extra.contains("each"), extra.contains("hard"));
        // The released `softmax` has neither noise nor temperature.
        let (loud, tau) = if extra.contains("softmax") { (0.0, 1.0) } else { (1.0, 2.5) };
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
            let even = |n: usize, k: usize| {
                if !extra.contains("diagonal") {
                    0.0
                } else if n == k {
                    0.9
                } else {
                    0.05
                }
            };
            let mut logits: Vec<Vec<f64>> = (0..3).map(|n| (0..3).map(|k| even(n, k)).collect()).collect();
            let table = &prepared.feed.dataset.train;
            let rows = table.rows;
            let lr = 0.1;
            for step in 1..=STEPS {
                // By row and task: a row's sample is that of its place in the batch, or all have the first.
                let batch = mtlc::data::Batches::shuffled(rows, 64, Randomness::new(seed)).epoch(step as u64).remove(0);
                let place = |row: usize| batch.iter().position(|r| *r as usize == row).expect("all rows are in it");
                let samples = if each { rows } else { 1 };
                let noise: Vec<Vec<f64>> = (0..3)
                    .map(|n| Randomness::new(seed).gumbel("gumbel", [step as u64, n as u64, 0], 3 * samples))
                    .collect();
                let sample = |row: usize, n: usize| -> Vec<f64> {
                    let noise = &noise[n][3 * (place(row) % samples)..][..3];
                    softmax(&logits[n].iter().zip(noise).map(|(l, e)| (l + loud * e) / tau).collect::<Vec<_>>())
                };
                let share = |p: &[f64], k: usize| match hard {
                    true => f64::from((0..3).all(|j| p[j] <= p[k])),
                    false => p[k],
                };
                let relaxed: Vec<Vec<Vec<f64>>> = (0..rows).map(|r| (0..3).map(|n| sample(r, n)).collect()).collect();
                let mut of_trunk = trunk.zero();
                let mut of_blocks: Vec<Map> = blocks.iter().map(Map::zero).collect();
                let mut of_heads: Vec<Vec<Map>> = heads.iter().map(|r| r.iter().map(Map::zero).collect()).collect();
                let mut pulls = [[0.0f64; 3]; 3];
                let mut total = 0.0;
                for row in 0..rows {
                    let x: Vec<f64> = table.inputs[0].values[row * 4..row * 4 + 4].iter().map(|v| *v as f64).collect();
                    let base = trunk.apply(&x);
                    for k in 0..3 {
                        let features = blocks[k].apply(&base);
                        let mut back = vec![0.0; 2];
                        for n in 0..3 {
                            let y = table.labels[n].values[row] as f64;
                            let pred = heads[n][k].apply(&features)[0];
                            let p = &relaxed[row][n];
                            let loss = weights[n] * (pred - y) * (pred - y) / rows as f64;
                            total += share(p, k) * loss;
                            // d p_j / d logit_k, times this head's loss.
                            for j in 0..3 {
                                pulls[n][j] += loss * p[k] * (f64::from(j == k) - p[j]) / tau;
                            }
                            let out = [weights[n] * share(p, k) * 2.0 * (pred - y) / rows as f64];
                            let grad = heads[n][k].back(&features, &out, &mut of_heads[n][k]);
                            back.iter_mut().zip(grad).for_each(|(a, b)| *a += b);
                        }
                        let grad = blocks[k].back(&base, &back, &mut of_blocks[k]);
                        trunk.back(&x, &grad, &mut of_trunk);
                    }
                }
                for n in 0..3 {
                    let p = softmax(&logits[n]);
                    let entropies = p.iter().map(|p| -p * p.ln() - (1.0 - p) * (1.0 - p).ln());
                    total += entropy / 3.0 * entropies.sum::<f64>();
                    let of_p: Vec<f64> = p.iter().map(|p| ((1.0 - p) / p).ln()).collect();
                    let mean_p: f64 = (0..3).map(|k| p[k] * of_p[k]).sum();
                    for k in 0..3 {
                        let grad = pulls[n][k] + entropy / 3.0 * p[k] * (of_p[k] - mean_p);
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

/// What is drawn at the start: logits near 1, and weights of their own for every group and head.
#[test]
fn starts() {
    let (_place, prepared) = place("sampler = softmax, choices = sgd(lr = 1e-9), start = normal, epochs = 1");
    let logits = search(&prepared, 0, &mut Heard::default()).result.logits;
    let all: Vec<f64> = logits.iter().flatten().copied().collect();
    let mean = all.iter().sum::<f64>() / 9.0;
    let deviation = (all.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 8.0).sqrt();
    assert!((mean - 1.0).abs() < 0.25 && (0.05..0.5).contains(&deviation), "{all:?}");
    assert_ne!(search(&prepared, 1, &mut Heard::default()).result.logits, logits);
    let (_place, prepared) = place("sampler = softmax, alike = false, epochs = 1");
    let found = search(&prepared, 0, &mut Heard::default());
    let of = |unit: &str| Map::of(found.supernet(), unit);
    assert!(of("block.a").far(&of("block.b")) > 1e-2);
    assert!(of("heads.v.a").far(&of("heads.v.c")) > 1e-2);
}

/// A checkpoint of a run, its numbers by name.
fn numbers_of(place: &Place, name: &str) -> std::collections::BTreeMap<String, Vec<f64>> {
    let path = place.path("run/checkpoints").join(format!("{name}.safetensors"));
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).expect("a checkpoint");
    let flat = |t: candle_core::Tensor| t.flatten_all()?.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>();
    tensors.into_iter().map(|(n, t)| (n, flat(t).expect("numbers"))).collect()
}

const NORMED: (&str, &str) = ("linear(3)\n", "linear(3) -> batch_norm\n");
const TUNED: &str = "epochs = 6, fine_tune = 1, tuner = sgd(lr = 0.25)";

/// One step of gradient descent on the groups and heads in loops, behind a trunk as it is in an evaluation.
#[test]
fn fine_tuning() {
    let (place, _) = place(TUNED);
    place.write("net.mtl", spec(TUNED).replace(NORMED.0, NORMED.1).as_bytes());
    let summary = place.run("run net.mtl -o run --device cpu --json").ok().json();
    let networks = summary["networks"].as_array().expect("a list");
    let names: Vec<&str> = networks.iter().map(|n| n["name"].as_str().expect("text")).collect();
    assert_eq!(names, ["derived", "one_shot", "fine_tuned", "all_shared", "independent"]);
    assert_eq!((&networks[2]["params"], &networks[2]["epochs"]), (&networks[1]["params"], &1.into()));
    place.run("verify run").ok();
    place.run("evaluate run --network fine_tuned").ok();

    let (before, after) = (numbers_of(&place, "one_shot"), numbers_of(&place, "fine_tuned"));
    let derived = prepare(&place.path("run/derived/net.mtl"), &[]);
    let table = &derived.feed.dataset.train;
    let at = |unit: &str, end: &str| -> &Vec<f64> {
        let found: Vec<_> =
            before.iter().filter(|(n, _)| n.starts_with(&format!("{unit}.")) && n.ends_with(end)).collect();
        assert_eq!(found.len(), 1, "{unit} {end}: {:?}", before.keys());
        found[0].1
    };
    let map = |unit: &str, end: &str, inputs: usize| -> Map {
        let weight = at(unit, &format!("{end}weight")).chunks(inputs).map(<[f64]>::to_vec).collect();
        Map { weight, bias: at(unit, &format!("{end}bias")).clone() }
    };
    let (linear, norm) = (map("trunk.a.0", "", 4), "trunk.a.1");
    let (mean, variance) = (at(norm, "mean"), at(norm, "var"));
    let (scale, shift) = (at(norm, "weight"), at(norm, "bias"));
    assert!(mean.iter().any(|m| m.abs() > 1e-3), "the running statistics have moved: {mean:?}");
    // The group that each task keeps.
    let text = place.text("run/derived/net.mtl").replace('"', "");
    let copy = |task: &str| -> String {
        let of_task = |l: &&str| {
            l.contains("<- block.") && l.split("<-").next().is_some_and(|n| n.split(',').any(|n| n.trim() == task))
        };
        let line = text.lines().find(of_task).unwrap_or_else(|| panic!("{task} in {text}"));
        line.split("<-").nth(1).expect("a parent").trim().to_string()
    };
    let mut groups: std::collections::BTreeMap<String, (Map, Map)> = Default::default();
    let mut heads: Vec<(Map, Map)> = Vec::new();
    let names = ["u", "v", "w"];
    for task in names {
        let (group, head) = (map(&copy(task), "", 3), map(&format!("heads.{task}"), "", 2));
        groups.entry(copy(task)).or_insert_with(|| (group.clone(), group.zero()));
        heads.push((head.clone(), head.zero()));
    }
    for row in 0..table.rows {
        let x: Vec<f64> = table.inputs[0].values[row * 4..row * 4 + 4].iter().map(|v| f64::from(*v)).collect();
        let normed = |(i, v): (usize, f64)| (v - mean[i]) / (variance[i] + 1e-5).sqrt() * scale[i] + shift[i];
        let base: Vec<f64> = linear.apply(&x).into_iter().enumerate().map(normed).collect();
        for (n, task) in names.iter().enumerate() {
            let y = f64::from(table.labels[n].values[row]);
            let (group, of_group) = groups.get_mut(&copy(task)).expect("it is there");
            let features = group.apply(&base);
            let (head, of_head) = &mut heads[n];
            let out = [[1.0, 3.0, 1.0][n] * 2.0 * (head.apply(&features)[0] - y) / table.rows as f64];
            let back = head.back(&features, &out, of_head);
            group.back(&base, &back, of_group);
        }
    }
    let mut seen = 0;
    let mut same = |unit: &str, map: &Map| {
        for (end, wanted) in [("weight", map.weight.concat()), ("bias", map.bias.clone())] {
            let name =
                before.keys().find(|n| n.starts_with(&format!("{unit}.")) && n.ends_with(end)).expect("a weight");
            for (f, w) in after[name].iter().zip(&wanted) {
                assert!((f - w).abs() < 1e-5, "{name}: {:?} {wanted:?}", after[name]);
            }
            assert_ne!(after[name], before[name], "{name} is trained");
            seen += 1;
        }
    };
    for (name, (map, grad)) in &mut groups {
        map.step(grad, 0.25);
        same(name, map);
    }
    for (task, (map, grad)) in names.iter().zip(&mut heads) {
        map.step(grad, 0.25);
        same(&format!("heads.{task}"), map);
    }
    let trunk: Vec<&String> = before.keys().filter(|n| n.starts_with("trunk.")).collect();
    assert!(trunk.iter().all(|n| after[*n] == before[*n]), "nothing before the groups moves");
    assert_eq!(seen + trunk.len(), before.len());
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

/// Stopped in the search, and in the fine-tuning.
#[test]
fn it_goes_on_where_it_stood() {
    use super::resume::{has_state, signal, spawn, wait_for};
    let long = "run net.mtl -o run --device cpu --quiet --save-every 10ms";
    for (attributes, phase) in [("epochs = 800", "search-"), ("epochs = 2, fine_tune = 2000", "fine_tuned-")] {
        let (stopped, _) = place(attributes);
        let mut child = spawn(&stopped, long);
        wait_for(&mut child, || has_state(&stopped, phase));
        signal(&child, "-TERM");
        assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(75));
        stopped.run("run --resume run").ok();
        let (whole, _) = place(attributes);
        whole.run(long).ok();
        let last = if phase == "search-" { "one_shot" } else { "fine_tuned" };
        let last = format!("checkpoints/{last}.safetensors");
        for name in ["search.jsonl", "derived/net.mtl", "checkpoints/supernet.safetensors", &last] {
            let read = |p: &Place| std::fs::read(p.path("run").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(read(&stopped) == read(&whole), "{name} differs");
        }
    }
}
