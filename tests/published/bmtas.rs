//! BMTAS: steps as in the released code, the units of lambda, norms that learn nothing, and tasks that part and meet again.

use mtlc::check::cost;
use mtlc::schema::Cost;

use super::stopped_and_resumed;
use super::support::*;
use super::{checkpoint, far, program};

/// As many copies of everything as there are tasks.
const TREE: &str = "space branching over net { tree { trunk = any, branch = any } }";

fn place(search: &str) -> Place {
    let place = Place::table();
    place.write("net.mtl", program(TREE, &format!("search expected_cost {{ {search} }}")).as_bytes());
    place
}

fn searched(place: &Place) -> (Vec<f64>, Vec<f64>) {
    place.run("search net.mtl -o run --device cpu --quiet").ok();
    let weights = checkpoint(place, "run/checkpoints/supernet.safetensors").into_values().flatten().collect();
    let found = place.json("run/expected_cost.json");
    let rows =
        found["choices"].as_array().expect("choices").iter().flat_map(|c| c["logits"].as_array().expect("numbers"));
    (weights, rows.map(|v| v.as_f64().expect("a number")).collect())
}

/// Where every task has copies of its own no step is another's, and going task by task is going together; where they share a copy it is
/// not.
#[test]
fn steps_of_single_tasks() {
    let warm = "epochs = 2, batch = 12, warmup = 2 epochs, weights = sgd(lr = 0.05)";
    let of = |steps: &str| searched(&place(&format!("{warm}, steps = {steps}"))).0;
    let (joint, single) = (of("joint"), of("per_task"));
    assert!(far(&joint, &single) < 1e-6, "{}", far(&joint, &single));
    let shared = |steps: &str| {
        let place = place(&format!("{warm}, steps = {steps}"));
        let text = place.text("net.mtl").replace("trunk = any", "trunk = 1");
        place.write("net.mtl", text.as_bytes());
        searched(&place).0
    };
    let (joint, single) = (shared("joint"), shared("per_task"));
    assert!(far(&joint, &single) > 1e-5, "{}", far(&joint, &single));
    // Both learn: the difference is one of second order in the rate.
    assert!(far(&joint, &single) < 0.1, "{}", far(&joint, &single));
}

/// A step of each task in a batch, by hand: one linear map per task behind a shared one.
#[test]
fn steps_of_single_tasks_follow_the_code() {
    const ROWS: usize = 20;
    let place = Place::new();
    let x = numbers(ROWS, 3);
    place.write("x.npy", &npy(&[ROWS, 1], &x));
    let labels = [numbers(ROWS, 4), numbers(ROWS, 5)];
    place.write("u.npy", &npy(&[ROWS], &labels[0]));
    place.write("v.npy", &npy(&[ROWS], &labels[1]));
    let text = "mtl 1
data d { format = npy, train = [\"x.npy\", \"u.npy\", \"v.npy\"], validation = [\"x.npy\", \"u.npy\", \"v.npy\"] }
input x: f32[1] { from = d.x }
task u: regression(1) { from = d.u, loss = mse }
task v: regression(1) { from = d.v, loss = mse, weight = 2 }
backbone net(x) {
  stage trunk = linear(1)
  stage branch = linear(1)
}
head for * = linear(outputs)
space s over net { level trunk { copies = 1 }, level branch { copies = 2, reads = one } }
search expected_cost { epochs = 1, batch = 64, split = 0.5, warmup = 1 epochs, weights = sgd(lr = 0.1), steps = per_task }
";
    place.write("net.mtl", text.as_bytes());
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let standardised = &prepared.feed.dataset.train;
    let found = search(&prepared, 0, &mut Heard::default());
    let checked = prepared.checked();
    let (plan, symbols) = mtlc::plan::lower(checked, checked.supernet.as_ref().expect("a space")).expect("a plan");
    let random = mtlc::random::Randomness::new(0);
    let fresh = mtlc::runtime::model::Model::new(plan, symbols, random, &candle_core::Device::Cpu).expect("a model");
    let mut trunk = Map::of(&fresh, "trunk.a");
    let mut branch = [Map::of(&fresh, "branch.a"), Map::of(&fresh, "branch.b")];
    let mut heads = [Map::of(&fresh, "heads.u"), Map::of(&fresh, "heads.v")];
    // The first half of the epoch's batches is for the choices, which rest in the warm-up.
    let batches = mtlc::data::Batches::shuffled(prepared.feed.dataset.train.rows, 64, random).hold(0.5);
    let rows = batches.epoch(1).pop().expect("a batch of the weights");
    assert!(rows.len() < ROWS, "a part of the rows: {}", rows.len());
    for (t, weight) in [1.0, 2.0].into_iter().enumerate() {
        let (mut of_trunk, mut of_branch, mut of_head) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        for row in &rows {
            let x = f64::from(standardised.inputs[0].values[*row as usize]);
            let y = f64::from(standardised.labels[t].values[*row as usize]);
            let a = trunk.apply(&[x])[0];
            let b = branch[t].apply(&[a])[0];
            let out = heads[t].apply(&[b])[0];
            let g = weight * 2.0 * (out - y) / rows.len() as f64;
            of_head = [of_head[0] + g * b, of_head[1] + g];
            let g = g * heads[t].weight[0][0];
            of_branch = [of_branch[0] + g * a, of_branch[1] + g];
            let g = g * branch[t].weight[0][0];
            of_trunk = [of_trunk[0] + g * x, of_trunk[1] + g];
        }
        for (map, grad) in [(&mut trunk, of_trunk), (&mut branch[t], of_branch), (&mut heads[t], of_head)] {
            map.weight[0][0] -= 0.1 * grad[0];
            map.bias[0] -= 0.1 * grad[1];
        }
    }
    let model = found.supernet();
    for (unit, wanted) in [
        ("trunk.a", &trunk),
        ("branch.a", &branch[0]),
        ("branch.b", &branch[1]),
        ("heads.u", &heads[0]),
        ("heads.v", &heads[1]),
    ] {
        let got = Map::of(model, unit);
        let off = (got.weight[0][0] - wanted.weight[0][0]).abs().max((got.bias[0] - wanted.bias[0]).abs());
        assert!(off < 1e-5, "{unit}: {got:?} is not {wanted:?}");
    }
}

/// lambda in its units: once for each of three tasks, and in GFLOPs, where a multiply-accumulate is two.
#[test]
fn lambda_in_its_units() {
    // Weights that stay as they are, so that the choices alone say what lambda did.
    let still = "epochs = 8, batch = 12, warmup = 0 epochs, weights = sgd(lr = 1e-30), choices = adam(lr = 0.3)";
    let logits = |more: &str| searched(&place(&format!("{still}, {more}"))).1;
    let joint = logits("lambda = 6");
    assert!(far(&joint, &logits("lambda = 2, steps = per_task")) < 1e-9);
    assert!(far(&joint, &logits("lambda = 2")) > 1e-3, "lambda matters");
    let prepared = prepare(&place("epochs = 1").path("net.mtl"), &[]);
    let (stages, heads) = cost::sizes(prepared.checked(), Cost::Macs).expect("sizes");
    let macs = (stages.iter().sum::<u64>() + heads) as f64;
    let gflops = format!("lambda = {:e}, unit = gflops", 6.0 / (2e-9 * macs));
    assert!(far(&joint, &logits(&gflops)) < 1e-9);
    let both = format!("lambda = {:e}, unit = gflops, steps = per_task", 2.0 / (2e-9 * macs));
    assert!(far(&joint, &logits(&both)) < 1e-9, "the released code's lambda times tasks times GFLOPs");
}

/// The last normalisation of every copy has scale 1 and shift 0 in the search, unless it is asked for; others learn.
#[test]
fn final_norms_learn_nothing() {
    let run = |affine: bool, body: &str| {
        let search = format!("epochs = 3, batch = 12, final_affine = {affine}");
        let place = place(&search);
        place.write("net.mtl", place.text("net.mtl").replace("linear(6) -> relu", body).as_bytes());
        place.run("search net.mtl -o run --device cpu --quiet").ok();
        let weights = checkpoint(&place, "run/checkpoints/supernet.safetensors");
        let of = move |op: usize| -> bool {
            let names = weights.iter().filter(|(n, _)| n.starts_with("branch.") && n.contains(&format!(".{op}.")));
            let scales = names.filter(|(n, v)| v.len() == 6 && (n.ends_with(".weight") || n.ends_with(".bias")));
            let all: Vec<(&String, &Vec<f64>)> = scales.collect();
            assert_eq!(all.len(), 6, "three copies: {:?}", weights.keys());
            all.iter().all(|(n, v)| v.iter().all(|v| *v == if n.ends_with("bias") { 0.0 } else { 1.0 }))
        };
        place.run("train run/derived/net.mtl -o again --device cpu --quiet").ok();
        let retrained = checkpoint(&place, "again/checkpoints/trained.safetensors");
        let learned = retrained.iter().filter(|(n, _)| n.starts_with("branch.") && n.ends_with(".1.bias"));
        assert!(learned.flat_map(|(_, v)| v).any(|v| *v != 0.0), "the derived network has them again");
        of
    };
    for body in [
        "linear(6) -> batch_norm -> relu",
        "linear(6) -> layer_norm",
        "linear(6) -> batch_norm -> tanh -> dropout(0.1)",
    ] {
        assert!(run(false, body)(1), "{body}");
        assert!(!run(true, body)(1), "{body}");
    }
    // One behind which something is trained is not the last.
    let two = "linear(6) -> batch_norm -> linear(6) -> batch_norm -> relu";
    let found = run(false, two);
    assert!(!found(1) && found(3));
}

/// If tasks choose the same copy after they have chosen different ones, a finding reports it. The derived tree keeps these tasks apart.
#[test]
fn tasks_that_meet_again_are_reported() {
    let mut seen = [0, 0];
    for seed in 0..8 {
        let place = place("epochs = 3, batch = 12, lambda = 0, choices = adam(lr = 0.5)");
        let said = place.run(&format!("search net.mtl -o run --device cpu --seed {seed}")).ok().err;
        let found = place.json("run/expected_cost.json");
        let best = |stage: &str| -> Vec<usize> {
            let of = |task: &str| {
                let name = format!("{task}.{stage}");
                let choice =
                    found["choices"].as_array().expect("choices").iter().find(|c| c["choice"] == name.as_str());
                let row =
                    choice.unwrap_or_else(|| panic!("{name}: {found}"))["logits"].as_array().expect("numbers").clone();
                let row: Vec<f64> = row.iter().map(|v| v.as_f64().expect("a number")).collect();
                (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("some")
            };
            ["yes", "kind", "value"].map(of).to_vec()
        };
        let (first, second) = (best("trunk"), best("branch"));
        let met = (0..3).any(|t| (0..t).any(|u| first[t] != first[u] && second[t] == second[u]));
        let told = found["remerged"].as_array().expect("a list");
        assert_eq!(met, !told.is_empty(), "{first:?} {second:?} {told:?}");
        assert_eq!(
            met,
            said.contains("choose the same copy of `branch` after they have chosen different copies"),
            "{said}"
        );
        let summary = place.json("run/summary.json");
        let findings = summary["findings"].as_array().expect("a list");
        assert_eq!(met, findings.iter().any(|f| f["kind"] == "remerged"), "{findings:?}");
        if met {
            let names: Vec<&str> =
                told[0]["tasks"].as_array().expect("names").iter().filter_map(|n| n.as_str()).collect();
            assert!(told[0]["stage"] == "branch" && names.len() > 1, "{told:?}");
            let tree = &found["tree"];
            let apart = |stage: usize, t: usize, u: usize| tree[stage][t] != tree[stage][u];
            assert!((0..3).all(|t| (0..3).all(|u| !apart(0, t, u) || apart(1, t, u))), "{tree}");
        }
        seen[usize::from(met)] += 1;
    }
    println!("trees without and with tasks that meet again: {seen:?}");
    assert!(seen[1] > 0, "{seen:?}");
}

/// A search with `steps = per_task`, as in the released code, writes the same bytes if it is stopped and resumed.
#[test]
fn a_resumed_search_with_steps_per_task_writes_the_same_bytes() {
    let make = || place("epochs = 4, batch = 12, steps = per_task");
    stopped_and_resumed(make, &["checkpoints/supernet.safetensors", "expected_cost.json"]);
}
