//! The strategy of `examples/own_strategy.rs`: one file and one line, and all else is there for it.

use std::path::{Path, PathBuf};

use super::support::*;

/// `cargo test` builds it beside the tests.
fn program() -> PathBuf {
    let name = format!("examples/own_strategy{}", std::env::consts::EXE_SUFFIX);
    let path = Path::new(env!("CARGO_BIN_EXE_mtlc")).with_file_name(name);
    assert!(path.exists(), "build it: cargo build --example own_strategy (no {})", path.display());
    path
}

fn place(body: &str) -> Place {
    let place = Place::table();
    let (start, end) = (SPEC.find("search learn").expect("it has one"), SPEC.find("train {").expect("it has one"));
    place.write("net.mtl", format!("{}search keep_better {body}\n\n{}", &SPEC[..start], &SPEC[end..]).as_bytes());
    place
}

#[test]
fn it_runs_and_all_follows() {
    let place = place("{ epochs = 2 }");
    let own = |arguments: &str| place.run_program(&program(), arguments, &[]);
    own("check net.mtl").ok();
    own("run net.mtl -o run --device cpu --quiet").ok();
    own("verify run").ok();
    own("check run/derived/net.mtl").ok();
    let derived = place.text("run/derived/net.mtl");
    assert!(derived.contains("strategy = keep_better"), "{derived}");
    assert_eq!(own("derive run").ok().out, derived);
    let all = std::iter::once("derived").chain(["all_shared", "independent"]);
    let summary = place.json("run/summary.json");
    for name in all {
        assert!(summary["networks"].as_array().expect("a list").iter().any(|n| n["name"] == name), "{summary}");
    }
    // One of the two that it trains.
    let branches = ["branch.a", "branch.b", "branch.c"].map(|n| derived.contains(n));
    assert!(branches == [true, false, false] || branches == [true, true, true], "{derived}");
    assert!(own("explain keep_better").ok().out.contains("most separate tree"));
}

#[test]
fn its_attributes_are_checked() {
    let place = place("{ epoch = 2 }");
    let wrong = place.run_program(&program(), "check net.mtl", &[]);
    assert_eq!(wrong.code, 3, "{}", wrong.err);
    assert!(wrong.err.contains("did you mean `epochs`?"), "{}", wrong.err);
    // Where it was not added there is no such strategy.
    let unknown = place.run("check net.mtl");
    assert!(unknown.err.contains("`keep_better`"), "{}", unknown.err);
}
