//! Branched Multi-Task Networks end to end: single-task networks, affinities, the tree, retraining; stopped, resumed, reused.

use mtlc::hir::TopoSource;

use super::resume::{has_state, signal, spawn, wait_for};
use super::support::*;

/// The table's spec with this search, and three copies of everything.
fn place(search: &str) -> Place {
    let place = Place::table();
    let text = SPEC.replace("level trunk  { copies = 2 }", "level trunk  { copies = 3 }");
    let (start, end) =
        (text.find("search learn_to_branch").expect("it has one"), text.find("train {").expect("it has one"));
    place.write("net.mtl", format!("{}{search}\n\n{}", &text[..start], &text[end..]).as_bytes());
    place
}

fn under(share: f64) -> String {
    format!(
        "search affinity {{\n  samples = 10\n  budget = params <= {share} * independent\n  \
         single {{ epochs = epochs, batch = 12, optimizer = adam(lr = lr) }}\n}}"
    )
}

#[test]
fn a_tree_under_the_budget() {
    let place = place(&under(0.7));
    let out = place.run("run net.mtl -o run --device cpu --json").ok();
    let summary = out.json();
    let networks = summary["networks"].as_array().expect("a list");
    let params = |name: &str| {
        let n = networks.iter().find(|n| n["name"] == name).unwrap_or_else(|| panic!("{name}: {networks:?}"));
        n["params"].as_f64().expect("a number")
    };
    assert!(params("derived") <= 0.7 * params("independent"), "{summary}");
    assert!(params("derived") > params("all_shared"), "something is left to split");
    let found = place.json("run/affinity.json");
    assert_eq!((found["samples"].as_u64(), found["tasks"].as_array().map(Vec::len)), (Some(10), Some(3)));
    for matrix in found["affinities"].as_array().expect("a list") {
        for i in 0..3 {
            assert_eq!(matrix[i][i], 1.0);
            for j in 0..3 {
                assert!(matrix[i][j].as_f64().is_some_and(|v| v.abs() <= 1.0) && matrix[i][j] == matrix[j][i]);
            }
        }
    }
    assert!(place.text("run/affinity.svg").starts_with("<svg "));
    // What the search says of its result is the single-task networks' validation, one per task.
    let record = place.json("run/search.json");
    let scores = record["validation"]["tasks"].as_array().expect("a list");
    let tasks: Vec<&str> = scores.iter().map(|t| t["task"].as_str().expect("text")).collect();
    assert_eq!(tasks, ["yes", "kind", "value"]);
    place.run("verify run").ok();
    let derived = place.run("derive run").ok().out;
    assert_eq!(derived, place.text("run/derived/net.mtl"));
    assert!(derived.contains("strategy = affinity"), "{derived}");
}

/// Saved affinities serve another budget: nothing is trained, and a looser budget splits more.
#[test]
fn another_budget_without_training() {
    let first = place(&under(0.7));
    let whole = first.run("search net.mtl -o run --device cpu --quiet").ok().out;
    let again = |share: f64| {
        let search = format!(
            "search affinity {{ affinities = \"run/affinity.json\", budget = params <= {share} * independent }}"
        );
        first.write("again.mtl", place(&search).text("net.mtl").as_bytes());
        let out = format!("again-{share}");
        let said = first.run(&format!("search again.mtl -o {out} --device cpu")).ok();
        assert!(said.err.contains("nothing is trained"), "{}", said.err);
        assert!(!first.path(&out).join("checkpoints/single_yes.safetensors").exists());
        assert_eq!(first.text(&format!("{out}/affinity.json")), first.text("run/affinity.json"));
        first.run(&format!("verify {out}")).ok();
        said.out
    };
    assert_eq!(again(0.7), whole);
    let (tight, loose) = (again(0.45), again(1.0));
    assert!(tight.matches("<-").count() < loose.matches("<-").count(), "{tight}{loose}");
    assert_eq!(loose.matches("<-").count(), 9, "every task its own network: {loose}");
    // Of other tasks, or no matrices: said, and nothing is searched.
    let good = first.text("run/affinity.json");
    let wrongs = [
        ("\"kind\"", "\"sort\"", "the program has no task `sort`"),
        ("[1.0,", "[1.0,2.0,", "row 1: this is 4 numbers"),
    ];
    for (from, to, said) in wrongs {
        first.write("run/affinity.json", good.replacen(from, to, 1).as_bytes());
        let wrong = first.run(&format!("search again.mtl -o wrong{} --device cpu --quiet", said.len()));
        assert_eq!(wrong.code, 4, "{}", wrong.err);
        assert!(wrong.err.contains(said), "{}", wrong.err);
    }
}

/// A run that was stopped among its single-task networks ends like one that was not.
#[test]
fn it_goes_on_where_it_stood() {
    let long = "run net.mtl -o run --device cpu --quiet --save-every 10ms --set epochs=800";
    let stopped = place(&under(0.6));
    let mut child = spawn(&stopped, long);
    wait_for(&mut child, || has_state(&stopped, "single_kind-"));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(75), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(stopped.path("run/checkpoints/single_yes.safetensors").exists());
    assert!(!stopped.path("run/checkpoints/single_value.safetensors").exists());
    let end = stopped.run("run --resume run").ok();
    for part in ["single_yes: trained before", "single_kind: goes on in epoch "] {
        assert!(end.err.contains(part), "{part}: {}", end.err);
    }
    let whole = place(&under(0.6));
    whole.run(long).ok();
    for name in ["affinity.json", "affinity.svg", "derived/net.mtl", "checkpoints/derived.safetensors"] {
        let read = |p: &Place| std::fs::read(p.path("run").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(&stopped) == read(&whole), "{name} differs");
    }
}

/// Samples that are all alike rank nothing: a defined tree all the same, and the run says what it saw.
#[test]
fn samples_that_are_all_alike() {
    let place = place(&under(0.7));
    let rows = table(60);
    let same: Vec<String> = rows
        .lines()
        .enumerate()
        .map(|(i, l)| match i {
            0 => l.to_string(),
            _ => format!("0.5,0.25,red,{}", l.splitn(4, ',').nth(3).expect("the labels")),
        })
        .collect();
    place.write("train.csv", (same.join("\n") + "\n").as_bytes());
    let said = place.run("search net.mtl -o run --device cpu").ok();
    assert!(said.err.contains("sees all samples alike at `trunk`"), "{}", said.err);
    let found = place.json("run/affinity.json");
    assert_eq!(found["affinities"][0][0][1], 0.0);
    assert!(said.out.contains("topology over net"), "{}", said.out);
}

/// The library gives what the command writes: a decision per choice, a tree of the space.
#[test]
fn decisions_are_the_tree() {
    let place = place(&under(0.7));
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let found = search(&prepared, 0, &mut Heard::default());
    assert!(found.supernet.is_none() && found.result.logits.is_empty());
    assert_eq!(found.result.decisions.len(), prepared.checked().supernet.as_ref().expect("a space").choices.len());
    for (task, sources, _) in &found.derived.topology.tasks {
        assert!(matches!(sources.as_slice(), [TopoSource::Node(_)]), "task {}", task.0);
    }
    let again = search(&prepared, 0, &mut Heard::default());
    assert_eq!(again.result.decisions, found.result.decisions);
}
