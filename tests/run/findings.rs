//! What is reported next to a result, and what is not: rare labels, labels that are missing, budgets, trainings that all diverge.

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

/// `coin` is drawn by chance, `rare` is one row in thirty and follows from `a`; `gone` has no label in some file.
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

/// A coin is reported whatever metric comes first. A rare label that is found is not, though the constant is right as often. A task
/// without labels in the split that is shown is compared with nothing.
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

/// Where a budget leaves nothing but the shared network, the result is no collapse.
#[test]
fn a_budget_that_forces_is_no_collapse() {
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

/// Trainings that all diverge leave nothing to report: exit code 5, for folds and for comparisons.
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

/// Inputs at the end of f32 make outputs that no file can hold: nothing is written, and the row is named.
#[test]
fn outputs_that_are_no_numbers_are_not_written() {
    let place = Place::new();
    place.write("t.csv", rows(60, 1, true).as_bytes());
    place.write("v.csv", rows(30, 2, true).as_bytes());
    place.write("s.csv", rows(30, 3, true).as_bytes());
    // Fields would be standardised, and such an input refused before.
    let dense = TWO.replace("fields { from = d, except = [coin, rare, gone] }", "f32[2] { from = d[a, b] }");
    let dense = dense.replace("one_hot -> ", "").replace("epochs = 60", "epochs = 1");
    place.write("net.mtl", dense.as_bytes());
    place.run("train net.mtl -o run --device cpu -q").ok();
    place.write("new.csv", b"a,b\n0.1,0.2\n3.3e38,-3.3e38\n");
    for name in ["o.csv", "o.jsonl", "o.npz"] {
        let out = place.run(&format!("predict run new.csv --raw -o {name} --device cpu"));
        assert_eq!(out.code, 5, "{}", out.err);
        assert!(out.err.contains("the output of task `") && out.err.contains("3"), "{}", out.err);
        assert!(!place.path(name).exists());
    }
}
