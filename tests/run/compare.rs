//! Comparisons, seen from the command line: rows, numbers against the runs they come from, budgets, verdicts, going on.

use serde_json::Value;

use super::resume::{signal, spawn, wait_for};
use super::support::*;

const COMPARE: &str = "compare net.mtl -o cmp --device cpu --quiet --seeds 3 --set epochs=2 --format json";

fn row<'a>(c: &'a Value, name: &str) -> &'a Value {
    let rows = c["rows"].as_array().expect("rows");
    rows.iter().find(|r| r["name"] == name).unwrap_or_else(|| panic!("no row {name}: {rows:#?}"))
}

fn number(v: &Value) -> f64 {
    v.as_f64().unwrap_or_else(|| panic!("no number: {v}"))
}

/// What is fine-tuned has a row of its own, with the epochs of that.
#[test]
fn fine_tuned_groups() {
    let place = Place::table();
    let with = "--with group{epochs=1,fine_tune=2}";
    let c = place.run(&format!("{COMPARE} {with}")).ok().json();
    for (name, epochs) in [("group, one shot", 0.0), ("group, fine tuned", 2.0)] {
        assert_eq!(row(&c, name)["train_epochs"]["mean"], epochs, "{name}");
        assert_eq!(row(&c, name)["runs"].as_array().expect("runs").len(), 3, "{name}");
    }
    assert_ne!(row(&c, "group, fine tuned")["loss"], row(&c, "group, one shot")["loss"]);
}

#[test]
fn every_fitting_strategy_beside_the_baselines() {
    let place = Place::table();
    let c = place.run(COMPARE).ok().json();
    let names: Vec<&str> =
        c["rows"].as_array().expect("rows").iter().map(|r| r["name"].as_str().expect("a name")).collect();
    assert_eq!(names[..2], ["independent", "all_shared"]);
    assert_eq!(names.last(), Some(&"random"));
    for name in ["learn_to_branch", "affinity", "group", "group, one shot", "expected_cost", "pairwise"] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    for r in c["rows"].as_array().expect("rows") {
        let name = r["name"].as_str().expect("a name");
        let runs = r["runs"].as_array().expect("runs");
        assert_eq!(runs.len(), 3, "{name}");
        // Means and spreads are those of the runs; the runs' numbers are those of their folders.
        let losses: Vec<f64> = runs.iter().map(|one| number(&one["network"]["test"]["loss"])).collect();
        let mean = losses.iter().sum::<f64>() / 3.0;
        assert!((number(&r["loss"]["mean"]) - mean).abs() < 1e-12, "{name}");
        let deviation = (losses.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
        assert!((number(&r["loss"]["deviation"]) - deviation).abs() < 1e-12, "{name}");
        for one in runs {
            let folder = one["folder"].as_str().expect("a folder");
            let summary = place.json(&format!("cmp/{folder}/summary.json"));
            let network = match name.rsplit_once(", ") {
                Some((_, "one shot")) => "one_shot",
                Some((_, "fine tuned")) => "fine_tuned",
                _ => "",
            };
            let networks = summary["networks"].as_array().expect("networks");
            assert!(networks.iter().all(|n| n["name"] != "all_shared"), "{name}: no baselines of its own");
            let found = networks.iter().find(|n| network.is_empty() || n["name"] == network).expect("it is there");
            assert_eq!(found["test"], one["network"]["test"], "{name}");
        }
    }
    assert_eq!(row(&c, "independent")["delta"]["mean"], 0.0);
    // Delta-m by hand: (-1)^l (M - M_b) / M_b, a task's metrics averaged, then the tasks.
    let (shared, single) = (row(&c, "all_shared"), row(&c, "independent"));
    for (one, base) in shared["runs"].as_array().expect("runs").iter().zip(single["runs"].as_array().expect("runs")) {
        let tasks = |v: &Value| v["network"]["test"]["tasks"].as_array().expect("tasks").clone();
        let mut sum = 0.0;
        for (a, b) in tasks(one).iter().zip(tasks(base)) {
            let pairs = a["metrics"].as_array().expect("metrics").iter().zip(b["metrics"].as_array().expect("metrics"));
            let all: Vec<f64> = pairs
                .map(|(m, n)| {
                    let lower = ["mae", "mse", "rmse", "log_loss"].contains(&m["name"].as_str().expect("a name"));
                    let change = (number(&m["value"]) - number(&n["value"])) / number(&n["value"]).abs();
                    if lower { -change } else { change }
                })
                .collect();
            sum += all.iter().sum::<f64>() / all.len() as f64;
        }
        let want = 100.0 * sum / 3.0;
        assert!((number(&one["delta"]) - want).abs() < 1e-9, "{} is not {want}", one["delta"]);
    }
    // Random search has trained as many epochs as the dearest other search, rounded up to whole trainings.
    let epochs = |r: &Value| number(&r["search_epochs"]["mean"]);
    let others: Vec<f64> = ["learn_to_branch", "affinity", "group", "expected_cost", "pairwise"]
        .iter()
        .map(|n| epochs(row(&c, n)))
        .collect();
    let most = others.iter().copied().fold(0.0, f64::max);
    let draws = (most / 2.0).ceil();
    assert!(place.text("cmp/programs/random.mtl").contains(&format!("draws = {draws}")), "{others:?}");
    // Each is judged against it, seed by seed.
    for name in ["learn_to_branch", "affinity", "group", "expected_cost", "pairwise"] {
        let v = &row(&c, name)["verdict"];
        let deltas = |n: &str| -> Vec<f64> {
            row(&c, n)["runs"].as_array().expect("runs").iter().map(|o| number(&o["delta"])).collect()
        };
        let differences: Vec<f64> = deltas(name).iter().zip(deltas("random")).map(|(a, b)| a - b).collect();
        let mean = differences.iter().sum::<f64>() / 3.0;
        assert!((number(&v["difference"]["mean"]) - mean).abs() < 1e-9, "{name}: {v}");
        let spread = (differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 2.0).sqrt();
        let standing = if mean > spread {
            "better"
        } else if -mean > spread {
            "worse"
        } else {
            "within_spread"
        };
        assert_eq!(v["standing"], standing, "{name}: {differences:?}");
        assert_eq!(row(&c, name)["agreement"].as_array().map(Vec::len), Some(2), "{name}");
    }
    // The same in every form, and again.
    for file in ["compare.md", "compare.csv", "runs.csv", "compare.json"] {
        assert!(place.path("cmp").join(file).is_file(), "{file}");
    }
    let lines = place.text("cmp/runs.csv").lines().count();
    assert_eq!(lines, 1 + 3 * names.len());
    assert!(place.text("cmp/compare.md").contains("random search"));
    let again = place.run("compare --resume cmp --quiet --format json").ok().json();
    assert_eq!(again, c);
    let text = place.run("compare --resume cmp --quiet").ok().out;
    assert!(text.contains("delta-m %") && text.contains("adjusted Rand index"), "{text}");
    // Each is an ordinary run folder.
    place.run("verify cmp/runs/learn_to_branch-1").ok();
    place.run("evaluate cmp/runs/affinity-0").ok();
    place.run("evaluate cmp/runs/independent-0").ok();
}

#[test]
fn what_is_asked_for_and_how() {
    let place = Place::table();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mtlc"));
    let with = "affinity { budget = params <= 0.7 * independent, single { epochs = 1 } }, learn_to_branch";
    let ended = command
        .args(["compare", "net.mtl", "-o", "cmp", "--seeds", "1", "--quiet", "--format", "csv", "--with", with])
        .current_dir(place.path(""))
        .output()
        .expect("it runs");
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{err}");
    assert_eq!(out.lines().count(), 1 + 5, "{out}");
    assert!(out.lines().last().is_some_and(|l| l.starts_with("random,")), "{out}");
    assert!(out.contains("few_seeds"), "{out}");
    let program = place.text("cmp/programs/affinity.mtl");
    assert!(program.contains("params <= 0.7 * independent") && !program.contains("learn_to_branch"), "{program}");
    // The file's own attributes.
    assert!(place.text("cmp/programs/learn_to_branch.mtl").contains("idle"), "its own search");
    for (wrong, message) in [
        ("--with nothing", "`nothing` is no strategy"),
        ("--with random,random", "named twice"),
        ("--seeds 0", "invalid value"),
    ] {
        let ended = place.run(&format!("compare net.mtl -o other {wrong}"));
        assert_eq!(ended.code, 2, "{wrong}: {}", ended.err);
        assert!(ended.err.contains(message), "{wrong}: {}", ended.err);
    }
    let taken = place.run("compare net.mtl -o cmp");
    assert_eq!(taken.code, 1, "{}", taken.err);
    let none = place.run("compare --resume nowhere");
    assert_eq!(none.code, 1);
    assert!(none.err.contains("`nowhere` is no comparison"), "{}", none.err);
}

/// A path in `--with` is relative to the folder of the program, as a path in the program is. The location of the output folder does not
/// matter. A missing table is an error before any training starts.
#[test]
fn paths_in_with_are_relative_to_the_program() {
    let place = Place::table();
    let affinities = "yes,kind,value\n1,0.9,0.1\n0.9,1,0.2\n0.1,0.2,1\n";
    for folder in ["", "deep/"] {
        place.write(&format!("{folder}affinity.csv"), affinities.as_bytes());
        place.write(&format!("{folder}train.csv"), table(60).as_bytes());
        place.write(&format!("{folder}net.mtl"), SPEC.as_bytes());
        let run = |table: &str, out: &str| {
            let with = format!("affinity{{affinities=\"{table}\"}}");
            place.run(&format!(
                "compare {folder}net.mtl -o {out} --seeds 1 --device cpu --quiet --set epochs=1 --with {with}"
            ))
        };
        let missing = run("none.csv", "none");
        assert_eq!(missing.code, 4, "{}", missing.err);
        assert!(missing.err.contains(&format!("no file `{folder}none.csv`")), "{}", missing.err);
        assert!(!place.path("none").exists());
        let out = format!("out/{}cmp", folder);
        run("affinity.csv", &out).ok();
        let program = place.text(&format!("{out}/programs/affinity.mtl"));
        assert!(program.contains(&format!("/{folder}affinity.csv\"")), "{program}");
        place.run(&format!("verify {out}/runs/affinity-0")).ok();
    }
}

/// A misfit that was asked for by name is the program's error, and nothing is left behind.
#[test]
fn a_strategy_that_does_not_fit_is_refused() {
    let place = Place::table();
    let text = place.text("net.mtl").replace("copies = 3, reads = one", "copies = 1, reads = one");
    place.write("narrow.mtl", text.as_bytes());
    let ended = place.run("compare narrow.mtl -o cmp --with group");
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("group"), "{}", ended.err);
    assert!(!place.path("cmp").exists());
    place.write("none.mtl", SPEC.split("space branching").next().expect("the first part").as_bytes());
    let ended = place.run("compare none.mtl -o cmp");
    assert_eq!(ended.code, 3, "{}", ended.err);
}

#[test]
fn a_comparison_goes_on_to_the_same_numbers() {
    let arguments = "compare net.mtl -o cmp --device cpu --quiet --seeds 2 --with learn_to_branch --save-every 10ms \
                     --set epochs=300 --format json";
    let place = Place::table();
    let mut child = spawn(&place, arguments);
    let half = place.path("cmp/runs/learn_to_branch-0/resume");
    wait_for(&mut child, || half.is_dir() && std::fs::read_dir(&half).is_ok_and(|mut e| e.next().is_some()));
    signal(&child, "-TERM");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(75), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("mtlc compare --resume cmp"));
    place.run("compare --resume cmp --quiet").ok();
    let whole = Place::table();
    whole.run(arguments).ok();
    let scores = |place: &Place| -> Vec<Value> {
        let c = place.json("cmp/compare.json");
        c["rows"]
            .as_array()
            .expect("rows")
            .iter()
            .map(|r| serde_json::json!([r["name"], r["loss"], r["delta"], r["tasks"]]))
            .collect()
    };
    assert_eq!(scores(&place), scores(&whole));
    let derived = |place: &Place| place.text("cmp/runs/learn_to_branch-0/derived/net.mtl");
    assert_eq!(derived(&place), derived(&whole));
}
