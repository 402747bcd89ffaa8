//! The findings that are reported with a result, and those that must not be: random and rare labels, missing labels, results that a budget
//! forces, and trainings that all diverge.

use super::support::*;

const TWO: &str = r#"mtl 1
data d { format = csv, train = "t.csv", validation = "v.csv", test = "s.csv" }
input x: fields { from = d, except = [coin, rare, gone] }
task coin: binary { label = d.coin == 1 }
task rare: binary { label = d.rare == 1 }
task gone: regression(1) { from = d.gone, mask = d.gone > -1000 }
backbone net(x) { stage body = one_hot -> linear(16) -> relu }
head for * = linear(outputs)
train { epochs = 60, batch = 20, optimizer = adam(lr = 1e-2) }
"#;

/// A table for [`TWO`]. `coin` is random. `rare` is 1 in about one of thirty rows and depends on `a`. `gone` has values only if `labels` is
/// true.
fn rows(count: usize, seed: u64, labels: bool) -> String {
    let mut out = String::from("a,b,coin,rare,gone\n");
    for r in numbers(3 * count, seed).chunks_exact(3) {
        let gone = if labels { format!("{:.3}", r[0] + r[1]) } else { String::new() };
        out += &format!("{:.3},{:.3},{},{},{gone}\n", r[0], r[1], u8::from(r[2] > 0.0), u8::from(r[0] > 0.93));
    }
    out
}

fn kinds(summary: &serde_json::Value) -> Vec<(String, String)> {
    let text = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_string();
    summary["findings"].as_array().expect("a list").iter().map(|f| (text(&f["kind"]), text(&f["task"]))).collect()
}

/// A random label is reported as no better than a constant, in most of three runs. A rare label that is learned is not reported,
/// although a constant has nearly the same accuracy. A task without labels in the test split is not compared with a constant.
#[test]
fn a_constant_is_compared_by_loss_and_metric() {
    let place = Place::new();
    place.write("t.csv", rows(600, 1, true).as_bytes());
    place.write("v.csv", rows(300, 2, true).as_bytes());
    place.write("s.csv", rows(300, 3, false).as_bytes());
    place.write("net.mtl", TWO.as_bytes());
    let mut coins = 0;
    for seed in 0..3 {
        place.run(&format!("train net.mtl -o r{seed} --device cpu --seed {seed} -q")).ok();
        let found = kinds(&place.json(&format!("r{seed}/summary.json")));
        coins += usize::from(found.contains(&("no_better_than_constant".into(), "coin".into())));
        assert!(found.iter().all(|(_, task)| task == "coin"), "{found:?}");
    }
    assert!(coins >= 2, "{coins} of 3");
}

/// If the budget admits only the network that shares everything, this result is not reported as a collapse.
#[test]
fn a_result_that_the_budget_forces_is_not_a_collapse() {
    let place = Place::new();
    let with = |budget: &str, run: &str| {
        let text = format!(
            "mtl 1\ndata h {{ format = hierarchy_synthetic, families = 2, groups = 1, tasks = 2, inputs = 6, hidden = 4, outputs = 2, \
             samples = 70, validation_samples = 30, test_samples = 30 }}\ninput z: f32[6] {{ from = h.z }}\ntask t[*]: regression(2) {{ from = \
             h.targets }}\nbackbone net(z) {{\n  stage a = linear(6) -> relu\n  stage b = linear(6) -> relu\n}}\nhead for * = \
             linear(outputs)\nspace s over net {{ tree {{ a = 2, b = any }} }}\ntrain {{ epochs = 1 }}\nsearch affinity {{ budget = {budget}, \
             single {{ epochs = 1 }} }}\n"
        );
        place.write("net.mtl", text.as_bytes());
        place.run(&format!("search net.mtl -o {run} --device cpu -q")).ok();
        kinds(&place.json(&format!("{run}/summary.json")))
    };
    assert!(!with("params <= 145", "forced").iter().any(|(kind, _)| kind == "collapsed"));
}

/// If every training diverges, there is no result: folds and comparisons end with exit code 5.
#[test]
fn trainings_that_all_diverge() {
    let place = Place::table();
    let (start, _) = SPEC.split_once("train {").expect("it has one");
    place
        .write("net.mtl", format!("{start}train {{ epochs = 2, batch = 8, optimizer = sgd(lr = 1e30) }}\n").as_bytes());
    for command in ["train net.mtl --folds 2 -o folds", "compare net.mtl --with random --seeds 1 -o compared"] {
        let out = place.run(&format!("{command} --device cpu -q"));
        assert_eq!(out.code, 5, "{command}: {}", out.err);
        assert!(out.err.contains("training diverged in every"), "{command}: {}", out.err);
    }
}

/// Inputs near the largest `f32` lead to outputs that are not finite. Then no file is written, and the error names the line.
#[test]
fn outputs_that_are_not_finite_are_not_written() {
    let place = Place::new();
    place.write("t.csv", rows(60, 1, true).as_bytes());
    place.write("v.csv", rows(30, 2, true).as_bytes());
    place.write("s.csv", rows(30, 3, true).as_bytes());
    // An input of type `fields` would be standardised, so that this value would be refused earlier. `f32[2]` is not.
    let dense = TWO.replace("fields { from = d, except = [coin, rare, gone] }", "f32[2] { from = d[a, b] }");
    let dense = dense.replace("one_hot -> ", "").replace("epochs = 60", "epochs = 1");
    place.write("net.mtl", dense.as_bytes());
    place.run("train net.mtl -o run --device cpu -q").ok();
    place.write("new.csv", b"a,b\n0.1,0.2\n3.3e38,-3.3e38\n");
    for name in ["o.csv", "o.jsonl", "o.npz"] {
        let out = place.run(&format!("predict run new.csv --raw -o {name} --device cpu"));
        assert_eq!(out.code, 5, "{}", out.err);
        assert!(out.err.contains("the output of task `") && out.err.contains("line 3"), "{}", out.err);
        assert!(!place.path(name).exists());
    }
}
