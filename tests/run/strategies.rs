//! Every strategy on every kind of space: it runs, or it is refused with the reason before anything is read or trained.

use mtlc::search::{Offer, Standing};

use super::support::*;

/// The table's spec with this space and search; two copies of everything but where `any` says one per task.
fn program(levels: &str, search: &str) -> String {
    let (start, end) = (SPEC.find("space branching").expect("it has one"), SPEC.find("train {").expect("it has one"));
    format!("{}space branching over net {{\n{levels}\n}}\n\n{search}\n\n{}", &SPEC[..start], &SPEC[end..])
}

const TREE: &str = "  tree { trunk = any, branch = any }";
const ROUTES: &str = "  level trunk { copies = 1 }\n  level branch { copies = 3, reads = one }\n  \
                      heads { per = task, reads = some(gate = mean) }";
const PER_COPY: &str =
    "  level trunk { copies = 1 }\n  level branch { copies = 2, reads = one }\n  heads { per = copy, reads = one }";

/// A body that makes a search short.
fn body(strategy: &str) -> &'static str {
    match strategy {
        "affinity" => "{ samples = 8, single { epochs = 1, batch = 12 } }",
        "pairwise" => "{ single { epochs = 1, batch = 12 } }",
        "random" => "{ draws = 2 }",
        "all_shared" | "independent" | "full" => "",
        "learn_to_branch" => "{ epochs = 1, warmup = 0, batch = 12 }",
        _ => "{ epochs = 1, batch = 12 }",
    }
}

#[test]
fn every_pair_runs_or_is_refused() {
    let spaces = [
        ("tree", TREE, Offer::Tree),
        ("routes", ROUTES, Offer::Routes),
        ("heads per copy", PER_COPY, Offer::HeadPerCopy),
    ];
    for strategy in mtlc::search::strategies() {
        let name = strategy.call.name;
        for (space, levels, offer) in spaces {
            let place = Place::table();
            place.write("net.mtl", program(levels, &format!("search {name} {}", body(name))).as_bytes());
            let out = place.run("search net.mtl -o run --device cpu --quiet --set epochs=1");
            // Single-task networks need a copy of everything for each task.
            let wanted = if (name, offer) == ("independent", Offer::HeadPerCopy) {
                Standing::Refused("copies")
            } else {
                strategy.on(offer)
            };
            match out.code {
                0 => {
                    assert_eq!(wanted, Standing::Runs, "{name} on {space}");
                    place.run("check run/derived/net.mtl").ok();
                    place.run("verify run").ok();
                    assert_eq!(
                        place.run("derive run").ok().out,
                        place.text("run/derived/net.mtl"),
                        "{name} on {space}"
                    );
                }
                3 => {
                    let code = match wanted {
                        Standing::Runs => panic!("{name} on {space}: {}", out.err),
                        Standing::Refused(_) => "mtl::search::misfit",
                    };
                    assert!(out.err.contains(code), "{name} on {space}: {}", out.err);
                    assert!(out.err.contains("help: "), "{name} on {space}: {}", out.err);
                    assert!(!place.path("run").exists());
                }
                code => panic!("{name} on {space}: {code} {}", out.err),
            }
        }
    }
}

/// The same where another search decides the heads: a part of a space runs for what decides parts.
#[test]
fn every_strategy_on_a_part_runs_or_is_refused() {
    let levels = "  level trunk { copies = 2 }\n  level branch { copies = 3, reads = one }\n  \
                  heads { per = task, reads = some(gate = mean) }";
    for strategy in mtlc::search::strategies().iter().filter(|s| s.decides.contains(&Offer::Tree)) {
        let name = strategy.call.name;
        let place = Place::table();
        let search = format!("search {name} on branch {}\nsearch full on heads", body(name));
        place.write("net.mtl", program(levels, &search).as_bytes());
        let out = place.run("search net.mtl -o run --device cpu --quiet --set epochs=1");
        match strategy.on_a_part() {
            Standing::Runs => {
                assert_eq!(out.code, 0, "{name}: {}", out.err);
                place.run("check run/derived/net.mtl").ok();
                assert_eq!(place.run("derive run").ok().out, place.text("run/derived/net.mtl"), "{name}");
            }
            Standing::Refused(_) => {
                assert!(out.code == 3 && out.err.contains("only a part is its own"), "{name}: {}", out.err);
            }
        }
    }
}

#[test]
fn rules_give_their_trees() {
    for (name, copies) in [("all_shared", 2), ("independent", 6)] {
        let place = Place::table();
        place.write("net.mtl", program(TREE, &format!("search {name}")).as_bytes());
        let out = place.run("search net.mtl -o run --device cpu --quiet --set epochs=1").ok().out;
        let nodes =
            out.lines().filter(|l| l.trim_start().starts_with("trunk.") || l.trim_start().starts_with("branch."));
        assert_eq!(nodes.count(), copies, "{out}");
        assert!(place.json("run/search.json")["validation"].is_null());
        assert!(!place.text("run/derived/net.mtl").contains("validation_loss"));
    }
}

/// As many different trees as are asked for, all within the budget, the best on validation kept; two runs are the same.
#[test]
fn random_search() {
    let place = Place::table();
    let text = program(TREE, "search random { draws = 5, budget = params <= 0.7 * independent }");
    place.write("net.mtl", text.as_bytes());
    place.run("search net.mtl -o run --device cpu --quiet --set epochs=2").ok();
    place.run("search net.mtl -o twin --device cpu --quiet --set epochs=2").ok();
    assert_eq!(place.text("run/derived/net.mtl"), place.text("twin/derived/net.mtl"));
    let lines = place.lines("run/metrics.jsonl");
    let best = |phase: &str| {
        let of = lines.iter().filter(|l| l["phase"] == phase);
        of.map(|l| l["validation"]["loss"].as_f64().expect("a loss")).fold(f64::INFINITY, f64::min)
    };
    let all: Vec<f64> = (1..=5).map(|n| best(&format!("draw_{n}"))).collect();
    let least = all.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least.is_finite(), "five were trained: {all:?}");
    assert_eq!(place.json("run/search.json")["validation"]["loss"].as_f64(), Some(least));
    let out = place.run("check run/derived/net.mtl --json").ok();
    assert!(out.out.contains("params") || !out.out.is_empty());
    // A budget that one tree keeps: it is what is drawn.
    let text =
        program(TREE, "search random { draws = 3, budget = params <= shared }").replace("<= shared", "<= 1.0 * shared");
    place.write("one.mtl", text.as_bytes());
    let one = place.run("search one.mtl -o one --device cpu --set epochs=1").ok();
    assert!(one.err.contains("1 topologies were found"), "{}", one.err);
    assert_eq!(one.out.matches("branch.").count(), 2, "{}", one.out);
}

/// Three pairs, and none, one or both stages shared: nine networks, and the tree that they rank first.
#[test]
fn pairs_are_ranked() {
    let place = Place::table();
    let text =
        program(TREE, "search pairwise { budget = params <= 0.8 * independent, single { epochs = 2, batch = 12 } }");
    place.write("net.mtl", text.as_bytes());
    place.run("search net.mtl -o run --device cpu --quiet").ok();
    let ranking = place.json("run/ranking.json");
    let ranking = ranking["ranking"].as_array().expect("a list");
    let within = ranking.iter().filter(|t| t["within_budget"] == true).count();
    assert!(ranking.len() == 12 && within > 0 && within < 12, "the budget leaves {within} of the twelve trees");
    assert!(ranking.windows(2).all(|w| w[0]["estimate"].as_f64() <= w[1]["estimate"].as_f64()));
    let weights = std::fs::read_dir(place.path("run/checkpoints")).expect("a folder").count();
    assert_eq!(weights, 9);
}
