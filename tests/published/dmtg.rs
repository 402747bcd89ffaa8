//! DMTG: the released samplers, networks and choice of an epoch, and comparisons of groupings.

use super::stopped_and_resumed;
use super::support::*;
use super::{checkpoint, far, program};

const GROUPS: &str = "space grouping over net {
  level trunk  { copies = 1 }
  level branch { copies = 2, reads = one }
  heads        { per = copy, reads = one }
}";

fn place(search: &str) -> Place {
    let place = Place::table();
    place.write("net.mtl", program(GROUPS, &format!("search group {{ {search} }}")).as_bytes());
    place
}

/// `softmax` is softmax(logits) at every temperature: the same weights and logits, and a warning where one is given.
#[test]
fn softmax_has_no_temperature() {
    let run = |temperature: &str| {
        let body = format!("epochs = 4, batch = 12, alike = false, start = diagonal, sampler = softmax{temperature}");
        let place = place(&body);
        let said = place.run("search net.mtl -o run --device cpu").ok().err;
        let logits = place.json("run/search.json")["logits"].clone();
        (checkpoint(&place, "run/checkpoints/supernet.safetensors"), logits, said)
    };
    let (weights, logits, said) = run("");
    assert!(!said.contains("has no effect"), "{said}");
    for temperature in ["1", "2.5", "40"] {
        let (other, of_other, said) = run(&format!(", temperature = constant({temperature})"));
        assert!(other == weights && of_other == logits, "temperature {temperature}");
        assert!(said.contains("`temperature` has no effect"), "{said}");
    }
    let (_, drawn, _) = {
        let place = place("epochs = 4, batch = 12, alike = false, start = diagonal, sampler = gumbel");
        place.run("search net.mtl -o run --device cpu --quiet").ok();
        ((), place.json("run/search.json")["logits"].clone(), ())
    };
    assert_ne!(drawn, logits);
}

/// The two sizes of the released configuration for nine attributes and two groups, with the logits and after pruning.
#[test]
fn the_released_network_has_the_released_size() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/dmtg_celeba.mtl");
    let place = Place::new();
    let said = place.run(&format!("check {example}")).ok().err;
    assert!(
        said.contains("670,134 parameters in the supernet with 18 logits, at most 410,898 after pruning"),
        "{said}"
    );
    let json = place.run(&format!("check {example} --json")).ok().out;
    let last: serde_json::Value = serde_json::from_str(json.lines().last().expect("a line")).expect("JSON");
    assert_eq!((&last["logits"], &last["parameters"]), (&18.into(), &670_116.into()));
    assert_eq!(last["parameters_after_pruning"], 410_898);
    // Three groups: each one branch of 75,840 and nine heads of 28,802 more, and nine logits.
    let said = place.run(&format!("check {example} --set groups=3")).ok().err;
    let (branch, head) = (75_840, 28_802);
    assert_eq!((2 * branch + 18 * head + 18, 2 * branch + 9 * head), (670_134, 410_898));
    assert!(
        said.contains("1,005,201 parameters in the supernet with 27 logits, at most 486,738 after pruning"),
        "{said}"
    );
    assert_eq!((3 * branch + 27 * head + 27, 3 * branch + 9 * head), (1_005_201, 486_738));
}

/// More groups than tasks: those that no task can keep are not counted after pruning.
#[test]
fn spare_groups_are_pruned() {
    let of = |groups: usize| -> Vec<u64> {
        let place = Place::table();
        let space = GROUPS.replace("copies = 2", &format!("copies = {groups}"));
        place.write("net.mtl", program(&space, "search group { }").as_bytes());
        place.run("data freeze net.mtl").ok();
        let said = place.run("check net.mtl").ok().err;
        let line = said.lines().find(|l| l.contains("after pruning")).unwrap_or_else(|| panic!("{said}"));
        let from = line.find(" trees, ").expect("a space") + " trees, ".len();
        let numbers = line[from..].replace(',', "");
        numbers.split_whitespace().filter_map(|w| w.parse().ok()).collect()
    };
    let (branch, heads) = (8 * 6 + 6, (6 + 1) + (6 * 3 + 3) + (6 + 1));
    let three = |groups: usize| <[u64; 3]>::try_from(of(groups)).expect("three numbers");
    let ([all, logits, kept], [more, of_more, same]) = (three(3), three(5));
    assert_eq!((logits, of_more), (9, 15));
    assert_eq!(more - all, 2 * (branch + heads) + 6);
    assert_eq!(kept, same, "three tasks keep three groups at the most");
    assert_eq!(all - kept, 2 * heads + 9);
}

/// The epoch that is kept, by the rule applied to the log; its weights are those of the one-shot network, and its logits decide.
#[test]
fn epochs_are_selected() {
    for (rule, seed) in [("best", 0), ("both", 0), ("both", 3), ("last", 0)] {
        let body = format!("epochs = 14, batch = 12, weights = adam(lr = 0.2), select = {rule}");
        let place = place(&body);
        let said = place.run(&format!("run net.mtl -o run --device cpu --seed {seed}")).ok().err;
        let lines = place.lines("run/metrics.jsonl");
        let of: Vec<(f64, f64)> = lines
            .iter()
            .filter(|l| l["phase"] == "search")
            .map(|l| (l["validation"]["loss"].as_f64().expect("a loss"), l["train"]["loss"].as_f64().expect("a loss")))
            .collect();
        assert_eq!(of.len(), 14);
        let mut kept = 0;
        for (i, (validation, train)) in of.iter().enumerate() {
            let better = match rule {
                "best" => *validation < of[kept].0,
                "both" => *validation < of[kept].0 && *train < of[kept].1,
                _ => true,
            };
            if better {
                kept = i;
            }
        }
        let found = place.json("run/search.json");
        assert_eq!(found["validation"]["loss"].as_f64(), Some(of[kept].0), "{rule}, seed {seed}: epoch {}", kept + 1);
        assert_eq!(said.contains(&format!("epoch {} of 14 is kept", kept + 1)), rule != "last", "{said}");
        let summary = place.json("run/summary.json");
        let shot = summary["networks"].as_array().expect("a list").iter().find(|n| n["name"] == "one_shot");
        let loss = shot.expect("a one-shot network")["validation"]["loss"].as_f64().expect("a loss");
        assert!((loss - of[kept].0).abs() < 1e-6 * (1.0 + loss.abs()), "{rule}: {loss} {}", of[kept].0);
        place.run("verify run").ok();
    }
}

/// Stopped before and after the epoch that is kept: the same end.
#[test]
fn the_selected_epoch_survives_a_stop() {
    let make = || place("epochs = 6, batch = 12, weights = adam(lr = 0.2), select = both");
    stopped_and_resumed(make, &["checkpoints/supernet.safetensors", "derived/net.mtl"]);
}

/// A space of groups is compared as it is: both baselines, random groupings at the epochs of the search, and its one-shot network.
#[test]
fn groupings_are_compared() {
    for with in ["", "--with group"] {
        let place = place("epochs = 5, batch = 12");
        let command =
            format!("compare net.mtl --seeds 2 -o out --device cpu --quiet --format json --set epochs=2 {with}");
        let found = place.run(&command).ok().json();
        let rows = found["rows"].as_array().expect("rows");
        let names: Vec<&str> = rows.iter().map(|r| r["name"].as_str().expect("text")).collect();
        assert_eq!(names, ["independent", "all_shared", "group", "group, one shot", "random"], "{with}");
        // Five epochs of the search are three trainings of two epochs.
        assert!(
            place.text("out/programs/random.mtl").contains("draws = 3"),
            "{}",
            place.text("out/programs/random.mtl")
        );
        for row in rows {
            assert_eq!(row["runs"].as_array().expect("runs").len(), 2, "{row}");
            assert!(row["loss"]["mean"].as_f64().is_some_and(f64::is_finite), "{row}");
        }
        for seed in [0, 1] {
            let text = place.text(&format!("out/runs/random-{seed}/derived/net.mtl"));
            assert_eq!(text.matches("trunk.a").count() - 1, text.matches("branch.").count() / 2, "{text}");
        }
        place.run("check out/programs/random.mtl").ok();
    }
}

/// Every grouping is drawn as often: of three tasks in two groups there are four, each of two labelled choices.
#[test]
fn random_groupings_are_uniform() {
    let place = place("epochs = 1");
    let prepared = prepare(&place.path("net.mtl"), &[]);
    let network = prepared.checked().supernet.as_ref().expect("a space");
    let mut counts = std::collections::BTreeMap::new();
    for n in 0..4_000u64 {
        let mut rng = mtlc::random::Randomness::new(2).stream("test", [n, 0, 0]);
        let drawn: Vec<usize> = network.choices.iter().map(|c| c.draw(&mut rng)).collect();
        let first = drawn[0];
        *counts.entry(drawn.into_iter().map(|d| d != first).collect::<Vec<_>>()).or_insert(0.0) += 1.0;
    }
    assert_eq!(counts.len(), 4);
    let chi: f64 = counts.values().map(|c| (c - 1000.0f64).powi(2) / 1000.0).sum();
    // The 99.9th percentile with 3 degrees of freedom.
    assert!(chi < 16.27, "{counts:?}");
}

/// All of the search in its first epoch: the groups' weights are those of that epoch, not the last one's.
#[test]
fn the_last_epoch_is_the_default() {
    let weights = |body: &str| {
        let place = place(body);
        place.run("search net.mtl -o run --device cpu --quiet").ok();
        checkpoint(&place, "run/checkpoints/supernet.safetensors").into_values().flatten().collect::<Vec<f64>>()
    };
    let (last, stated) = (weights("epochs = 9, batch = 12"), weights("epochs = 9, batch = 12, select = last"));
    assert_eq!(far(&last, &stated), 0.0);
    // At a rate that breaks everything the first epochs are the best.
    let broken = "epochs = 9, batch = 12, weights = adam(lr = 5)";
    assert!(far(&weights(broken), &weights(&format!("{broken}, select = best"))) > 1e-3);
}
