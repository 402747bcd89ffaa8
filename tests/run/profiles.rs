//! `mtlc profile` times what the program's own search trains, whatever the strategy.

use super::support::*;

/// The table's program with another space and search.
fn program(space: &str, search: &str) -> String {
    let (start, end) = (SPEC.find("space branching").expect("it has one"), SPEC.find("train {").expect("it has one"));
    let text = format!("{}space s over net {{\n{space}\n}}\n{search}\n{}", &SPEC[..start], &SPEC[end..]);
    // Its parameters belong to the search that is replaced.
    text.lines()
        .filter(|l| !l.starts_with("param warmup") && !l.starts_with("param strategy_idle"))
        .map(|l| format!("{l}\n"))
        .collect()
}

const TREE: &str =
    "level trunk { copies = 2 }\n level branch { copies = 3, reads = one }\n heads { per = task, reads = one }";
const GROUPS: &str =
    "level trunk { copies = 1 }\n level branch { copies = 3, reads = one }\n heads { per = copy, reads = one }";
const ROUTES: &str = "level trunk { copies = 3 }\n level branch { copies = 2, reads = some(gate = sum) }\n heads { per = task, reads = some(gate = sum) }";

#[test]
fn every_supernet_is_timed() {
    for (space, search) in [
        (TREE, "search learn_to_branch { epochs = 3, batch = 12 }"),
        (TREE, "search reinforce { epochs = 3, batch = 12, reward = validation_loss }"),
        (TREE, "search expected_cost { epochs = 3, batch = 12 }"),
        (GROUPS, "search group { epochs = 3, batch = 12 }"),
        (ROUTES, "search reinforce { epochs = 3, batch = 12, reward = validation_loss, split = 0.2 }"),
        (ROUTES, "search snr { epochs = 3, batch = 12 }"),
        (ROUTES, "search dselect_k { epochs = 3, batch = 12, k = 1 }"),
    ] {
        let place = Place::table();
        place.write("net.mtl", program(space, search).as_bytes());
        let found = place.run("profile net.mtl --steps 2 --json --device cpu --quiet").ok().json();
        assert_eq!(
            (found["network"].as_str(), found["batch"].as_u64()),
            (Some("supernet"), Some(12)),
            "{search}: {found}"
        );
        assert_eq!(found["steps"], 2, "{search}");
        let stages: Vec<&str> =
            found["rows"].as_array().expect("rows").iter().filter_map(|r| r["stage"].as_str()).collect();
        for stage in ["trunk", "branch", "heads"] {
            assert!(stages.contains(&stage), "{search}: {stages:?}");
        }
        // Copies that a step runs, never more than there are.
        let branch = found["rows"].as_array().expect("rows").iter().find(|r| r["stage"] == "branch").expect("a row");
        assert!(branch["forward_ms"].as_f64().is_some_and(|t| t > 0.0), "{search}: {branch}");
        assert!(branch["copies"].as_u64().is_some_and(|n| (1..=3).contains(&n)), "{search}: {branch}");
        let named =
            place.run("profile net.mtl --steps 1 --batch 7 --network supernet --json --device cpu -q").ok().json();
        assert_eq!(named["batch"], 7, "{search}");
        let other = place.run("profile net.mtl --steps 1 --network independent --json --device cpu -q").ok().json();
        assert_eq!(other["network"], "independent");
    }
}

#[test]
fn a_search_without_a_supernet_says_so() {
    for search in [
        "search random { draws = 2 }",
        "search all_shared",
        "search affinity { samples = 10, single { epochs = 1, batch = 12 } }",
        "search pairwise { single { epochs = 1, batch = 12 } }",
    ] {
        let place = Place::table();
        let space =
            "level trunk { copies = 3 }\n level branch { copies = 3, reads = one }\n heads { per = task, reads = one }";
        place.write("net.mtl", program(space, search).as_bytes());
        let usual = place.run("profile net.mtl --steps 1 --device cpu").ok();
        assert!(
            usual.err.contains("trains no supernet") && usual.err.contains("`all_shared`"),
            "{search}: {}",
            usual.err
        );
        assert!(usual.out.starts_with("all-shared of "), "{search}: {}", usual.out);
        let asked = place.run("profile net.mtl --steps 1 --network supernet --device cpu");
        assert!(asked.code == 3 && asked.err.contains("trains no supernet"), "{search}: {}", asked.err);
    }
}
