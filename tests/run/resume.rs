//! Runs that are stopped and go on, seen from the command line: what is said, with which code, and what is left.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::support::*;

/// Long enough to be stopped, short enough to be waited for.
const LONG: &str = "run net.mtl -o run --device cpu --quiet --save-every 10ms --set epochs=600";

pub(super) fn spawn(place: &Place, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mtlc"))
        .args(arguments.split_whitespace())
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs")
}

pub(super) fn wait_for(child: &mut Child, what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(60), "it never comes");
        if let Some(status) = child.try_wait().expect("it is ours") {
            panic!("it ended first: {status}");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

pub(super) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill runs");
    assert!(status.success());
}

pub(super) fn has_state(place: &Place, phase: &str) -> bool {
    let entries = std::fs::read_dir(place.path("run/resume")).into_iter().flatten().flatten();
    entries.into_iter().any(|e| e.file_name().to_string_lossy().starts_with(phase))
}

/// A run that a signal has stopped in its search; what it said.
fn stopped(place: &Place) -> String {
    let mut child = spawn(place, LONG);
    wait_for(&mut child, || has_state(place, "search-"));
    signal(&child, "-TERM");
    let output = child.wait_with_output().expect("it ends");
    let err = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(75), "{err}");
    assert_eq!(output.stdout, b"", "nothing is produced");
    err
}

/// What must be the same at the end.
const ENDS: [&str; 6] = [
    "derived/net.mtl",
    "program.mtl",
    "checkpoints/supernet.safetensors",
    "checkpoints/derived.safetensors",
    "checkpoints/independent.safetensors",
    "search.jsonl",
];

#[track_caller]
fn ends_like(place: &Place, other: &Place) {
    for name in ENDS {
        let read = |p: &Place| std::fs::read(p.path("run").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(place) == read(other), "{name} differs");
    }
}

fn undisturbed() -> Place {
    let place = Place::table();
    place.run(LONG).ok();
    place
}

/// A run that computes again what it does not keep goes on to the weights of one that keeps all.
#[test]
fn a_budget_of_memory_changes_no_weight_of_a_resumed_run() {
    let (plain, place) = (undisturbed(), Place::table());
    place.write("net.mtl", SPEC.replace("lr = lr) }\n", "lr = lr), memory = 1 }\n").as_bytes());
    stopped(&place);
    place.run("run --resume run --quiet").ok();
    for name in ENDS.iter().filter(|n| !n.ends_with(".mtl")) {
        let read = |p: &Place| std::fs::read(p.path("run").join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(read(&place) == read(&plain), "{name} differs");
    }
}

#[test]
fn a_signal_saves_and_the_run_goes_on() {
    let place = Place::table();
    let said = stopped(&place);
    assert!(said.contains("stopped by a signal in `search`, epoch "), "{said}");
    assert!(said.contains("everything is saved\n  help: go on with `mtlc run --resume run`"), "{said}");
    assert_eq!(place.json("run/run.json")["status"], "stopped");

    // The same command again says what to do, and touches nothing.
    let before = place.contents();
    let again = place.run(LONG);
    assert_eq!(again.code, 1);
    assert!(again.err.contains("a run that is not done: go on with it with `mtlc run --resume run`"), "{}", again.err);
    let wrong = place.run("train --resume run");
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("`run` was begun by `mtlc run`"), "{}", wrong.err);
    for both in ["run net.mtl --resume run", "run --resume run --seed 3", "run --resume run --set epochs=3"] {
        assert_eq!(place.run(both).code, 2, "{both}");
    }
    assert!(before == place.contents());

    let end = place.run("run --resume run").ok();
    assert!(end.err.contains("search: goes on in epoch "), "{}", end.err);
    ends_like(&place, &undisturbed());
    assert!(!place.path("run/resume").exists() && !place.path("run/partial").exists());

    let before = place.contents();
    let done = place.run("run --resume run").ok();
    assert!(done.err.contains("the run `run` is done: there is nothing left to do"), "{}", done.err);
    assert_eq!(done.out, end.out);
    assert!(before == place.contents());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let place = Place::table();
    // It saves at every step, so it is saving most of the time.
    let mut child = spawn(&place, &LONG.replace("epochs=600", "epochs=100000"));
    wait_for(&mut child, || place.path("run/search.jsonl").exists());
    signal(&child, "-STOP");
    signal(&child, "-INT");
    signal(&child, "-CONT");
    let code = child.wait_with_output().expect("it ends").status.code();
    assert_eq!(code, Some(75));
}

#[test]
fn time_is_a_hard_limit_that_leaves_results() {
    let place = Place::table();
    let start = Instant::now();
    let ended = place.run("run net.mtl -o run --device cpu --set epochs=100000 --time 2500ms");
    let took = start.elapsed();
    assert_eq!(ended.code, 75, "{}", ended.err);
    assert!(ended.err.contains("stopped by the clock (`--time`) in `search`"), "{}", ended.err);
    assert!(ended.out.contains("topology over net"), "{}", ended.out);
    assert!(took < Duration::from_millis(3500), "{took:?}");
    place.run("check run/partial/net.mtl").ok();
    let summary = place.json("run/partial/summary.json");
    assert_eq!(summary["stopped"]["phase"], "search");
    assert!(!place.path("run/summary.json").exists() && !place.path("run/derived").exists());

    let train = place.run("train run/partial/net.mtl -o trained --device cpu --set epochs=100000 --time 2500ms --json");
    assert_eq!(train.code, 75, "{}", train.err);
    let summary = train.json();
    assert_eq!(summary["stopped"]["phase"], "trained");
    assert!(summary["networks"][0]["test"]["loss"].as_f64().is_some_and(f64::is_finite), "{summary}");
    // What it had learned by then can be used.
    place.run("evaluate trained").ok();
}

#[test]
fn damaged_states_are_passed_over() {
    let expected = undisturbed();
    let cut = |path: &Path| {
        let bytes = std::fs::read(path).expect("a state");
        std::fs::write(path, &bytes[..bytes.len() / 2]).expect("it is written");
    };
    let flip = |path: &Path| {
        let mut bytes = std::fs::read(path).expect("a state");
        let last = bytes.len() - 3;
        bytes[last] ^= 64;
        std::fs::write(path, bytes).expect("it is written");
    };
    for (name, harm) in [("cut", &cut as &dyn Fn(&Path)), ("flip", &flip)] {
        for all in [false, true] {
            let place = Place::table();
            stopped(&place);
            let mut states: Vec<_> =
                std::fs::read_dir(place.path("run/resume")).expect("states").flatten().map(|e| e.path()).collect();
            states.sort();
            let harmed = if all { &states[..] } else { &states[states.len() - 1..] };
            harmed.iter().for_each(|p| harm(p));
            let end = place.run("run --resume run").ok();
            assert!(end.err.contains("it is passed over"), "{name}: {}", end.err);
            ends_like(&place, &expected);
        }
    }
}

/// States of another run, under the right names.
#[test]
fn swapped_states_are_passed_over() {
    let (place, other) = (Place::table(), Place::table());
    stopped(&place);
    let mut child = spawn(&other, &LONG.replace("-o run", "-o run --seed 9"));
    wait_for(&mut child, || has_state(&other, "search-"));
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    let from = std::fs::read_dir(other.path("run/resume")).expect("states").flatten().next().expect("one").path();
    for entry in std::fs::read_dir(place.path("run/resume")).expect("states").flatten() {
        std::fs::copy(&from, entry.path()).expect("it is copied");
    }
    let end = place.run("run --resume run").ok();
    assert!(end.err.contains("belongs to another program or seed: it is passed over"), "{}", end.err);
    ends_like(&place, &undisturbed());
}

/// `search` and `train` go on like `run`.
#[test]
fn every_command_goes_on() {
    for (command, log) in [("search", "search.jsonl"), ("train", "metrics.jsonl")] {
        let place = Place::table();
        let arguments = LONG.replacen("run", command, 1);
        let mut child = spawn(&place, &arguments);
        wait_for(&mut child, || place.path("run/resume").exists() && place.path("run").join(log).exists());
        signal(&child, "-USR1");
        assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(75), "{command}");
        place.run(&format!("{command} --resume run")).ok();
        let other = Place::table();
        other.run(&arguments).ok();
        for name in ["derived/net.mtl", "checkpoints/supernet.safetensors", "checkpoints/all_shared.safetensors"] {
            let read = |p: &Place| std::fs::read(p.path("run").join(name)).ok();
            assert!(read(&place) == read(&other), "{command}: {name} differs");
        }
    }
}

/// Refusals: the folder stays as it is.
#[test]
fn runs_that_cannot_go_on() {
    let refused = |what: &str, code: i32, message: &str, change: &dyn Fn(&Place)| {
        let place = Place::table();
        stopped(&place);
        change(&place);
        let before = place.contents();
        let ended = place.run("run --resume run");
        assert_eq!(ended.code, code, "{what}: {}", ended.err);
        assert!(ended.err.contains(message), "{what}: {}", ended.err);
        let after = place.contents();
        for (path, bytes) in &before {
            assert!(after.get(path) == Some(bytes), "{what}: {} changed", path.display());
        }
    };
    refused("edited", 1, "was changed since the run began", &|p| {
        let text = p.text("run/program.mtl");
        p.write("run/program.mtl", text.replace("linear(8)", "linear(9)").as_bytes());
    });
    refused("no program", 1, "program.mtl`: there is no such file", &|p| {
        std::fs::remove_file(p.path("run/program.mtl")).expect("it is there");
    });
    refused("other data", 4, "is not what its frozen schema describes", &|p| {
        let text = p.text("train.csv");
        p.write("train.csv", text.replace("red", "pink").as_bytes());
    });
    refused("no data", 4, "train.csv", &|p| std::fs::remove_file(p.path("train.csv")).expect("it is there"));
    refused("no log", 1, "metrics.jsonl` is missing", &|p| {
        std::fs::remove_file(p.path("run/metrics.jsonl")).expect("it is there");
    });
    refused("record", 1, "run.json` cannot be read", &|p| {
        p.write("run/run.json", b"{\"version\": 1");
    });
    let place = Place::table();
    let none = place.run("run --resume run");
    assert_eq!(none.code, 1);
    assert!(none.err.contains("`run` is no run: it does not exist"), "{}", none.err);
}

#[test]
fn one_process_at_a_time() {
    let place = Place::table();
    let mut child = spawn(&place, &LONG.replace("epochs=600", "epochs=100000"));
    wait_for(&mut child, || has_state(&place, "search-"));
    let id = child.id();
    let second = place.run("run --resume run");
    assert_eq!(second.code, 1, "{}", second.err);
    let message = format!("another mtlc (process {id}) is working in `run`: let it end, or stop it, and resume then");
    assert!(second.err.contains(&message), "{}", second.err);
    let third = place.run(LONG);
    assert_eq!(third.code, 1, "{}", third.err);
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}

/// What the user changed in the run folder is not overwritten.
#[test]
fn an_edited_derived_file_stays() {
    let place = Place::table();
    let mut child = spawn(&place, LONG);
    wait_for(&mut child, || has_state(&place, "derived-") || has_state(&place, "all_shared-"));
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(75));
    let text = place.text("run/derived/net.mtl");
    place.write("run/derived/net.mtl", format!("{text}# mine\n").as_bytes());
    let before = place.text("run/derived/net.mtl");
    let ended = place.run("run --resume run");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("was changed since the run wrote it: move it elsewhere, then resume"), "{}", ended.err);
    assert_eq!(place.text("run/derived/net.mtl"), before);
    std::fs::rename(place.path("run/derived/net.mtl"), place.path("mine.mtl")).expect("it moves");
    place.run("run --resume run").ok();
    ends_like(&place, &undisturbed());
}

#[test]
fn more_than_the_machine_has_is_refused_before_it_starts() {
    let place = Place::table();
    let text =
        place.text("net.mtl").replace("linear(8) -> relu", "linear(400000) -> relu -> linear(400000) -> linear(8)");
    place.write("net.mtl", text.as_bytes());
    let ended = place.run("run net.mtl -o run --device cpu");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("the run needs about ") && ended.err.contains("--ignore-memory"), "{}", ended.err);
    assert!(!place.path("run").exists());
}
