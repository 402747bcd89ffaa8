//! `--json`: every command writes JSON and nothing else to standard output, or refuses the flag.

use std::collections::{BTreeMap, BTreeSet};

use clap::CommandFactory;
use mtlc::cli::args::Cli;

use super::support::*;

/// Names of all commands, those of groups with a blank.
fn commands() -> BTreeSet<String> {
    fn below(command: &clap::Command, prefix: &str, out: &mut BTreeSet<String>) {
        for c in command.get_subcommands() {
            let name = format!("{prefix}{}", c.get_name());
            match c.get_subcommands().next() {
                Some(_) => below(c, &format!("{name} "), out),
                None => drop(out.insert(name)),
            }
        }
    }
    let mut out = BTreeSet::new();
    below(&Cli::command(), "", &mut out);
    out
}

/// Every line is JSON, or the whole is.
fn is_json(text: &str) -> bool {
    let parses = |t: &str| serde_json::from_str::<serde_json::Value>(t).is_ok();
    !text.trim().is_empty() && (parses(text) || text.lines().all(parses))
}

const FIRST: &str = "run net.mtl -o run --device cpu --quiet";
const COMPARED: &str = "compare net.mtl --with learn_to_branch --seeds 1 -o compared --quiet";

/// How each command is asked for JSON: in every way that changes what it writes. A command that is added gets a line here.
fn asked() -> BTreeMap<&'static str, Vec<&'static str>> {
    BTreeMap::from([
        (
            "check",
            vec![
                "check net.mtl",
                "check net.mtl --summary",
                "check broken.mtl",
                "check a.mtl net.mtl --message-format json",
            ],
        ),
        (
            "fmt",
            vec![
                "fmt crooked.mtl",
                "fmt --check net.mtl",
                "fmt --diff crooked.mtl",
                "fmt --stdout crooked.mtl",
                "fmt broken.mtl --stdout",
            ],
        ),
        ("explain", vec!["explain", "explain conv", "explain shared"]),
        ("new", vec!["new fresh"]),
        (
            "graph",
            vec![
                "graph net.mtl",
                "graph net.mtl --view backbone",
                "graph net.mtl --format json",
                "graph net.mtl -o net.svg",
                "graph net.mtl -o net.json",
            ],
        ),
        ("run", vec!["run net.mtl -o again --device cpu", "run --resume run"]),
        ("search", vec!["search net.mtl -o found --device cpu", "search --resume found"]),
        (
            "train",
            vec![
                "train net.mtl -o trained --device cpu",
                "train --resume trained",
                "train net.mtl -o folds --folds 2 --device cpu",
            ],
        ),
        ("compare", vec!["compare net.mtl --with learn_to_branch --seeds 1 -o more", "compare --resume compared"]),
        ("derive", vec!["derive run", "derive run -o derived.mtl"]),
        ("evaluate", vec!["evaluate run", "evaluate run --outputs out.csv"]),
        ("verify", vec!["verify run", "verify run/derived/net.mtl"]),
        ("diff", vec!["diff run run/derived/net.mtl", "diff run net2.mtl --exit-code"]),
        ("profile", vec!["profile net.mtl --steps 1", "profile net.mtl --steps 1 --network independent"]),
        ("lsp", vec![]),
        ("doctor", vec!["doctor"]),
        (
            "predict",
            vec!["predict run train.csv", "predict run train.csv --format jsonl", "predict run train.csv -o p.csv"],
        ),
        ("data check", vec!["data check net.mtl"]),
        ("data preview", vec!["data preview net.mtl"]),
        ("data freeze", vec!["data freeze net3.mtl --stdout", "data freeze net3.mtl"]),
    ])
}

#[test]
fn every_command_writes_json_or_refuses_it() {
    let asked = asked();
    let known: BTreeSet<String> = asked.keys().map(|k| k.to_string()).collect();
    assert_eq!(commands(), known, "each command says here how it is asked for JSON");
    let place = Place::table();
    for (name, text) in [
        ("net2.mtl", place.text("net.mtl")),
        ("net3.mtl", place.text("net.mtl")),
        ("crooked.mtl", "mtl 1\ninput   x:f32[4]\n".into()),
        ("broken.mtl", "mtl 1\ninput x: f32[4\ntask\n".into()),
        ("a.mtl", "mtl 1\n".into()),
    ] {
        place.write(name, text.as_bytes());
    }
    place.run(FIRST).ok();
    place.run("derive run -o net4.mtl").ok();
    place.write("net2.mtl", place.text("net4.mtl").replace("relu", "tanh").as_bytes());
    place.run(COMPARED).ok();
    for arguments in asked.values().flatten() {
        let ended = place.run(&format!("{arguments} --json"));
        assert!(is_json(&ended.out), "`{arguments} --json`: {}{}", ended.out, ended.err);
        assert!(ended.code <= 3 && ended.code != 2, "`{arguments} --json`: {}{}", ended.out, ended.err);
    }
}

#[test]
fn two_formats_are_refused() {
    let place = Place::table();
    place.write("a.mtl", b"mtl 1\n");
    let before = place.contents();
    for arguments in [
        "lsp",
        "check a.mtl --message-format human",
        "check a.mtl --message-format short",
        "check a.mtl --message-format sarif",
        "graph net.mtl --format svg",
        "graph net.mtl --format text",
        "compare net.mtl --format csv -o c",
        "compare net.mtl --format text -o c",
        "predict run train.csv --format csv",
    ] {
        let refused = place.run(&format!("{arguments} --json"));
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{arguments}: {}", refused.err);
        assert!(refused.err.contains("--json"), "{arguments}: {}", refused.err);
        assert_eq!(place.contents(), before, "{arguments}: nothing is done");
    }
}

#[test]
fn a_drawing_is_what_its_name_says() {
    let place = Place::table();
    for (arguments, starts) in [
        ("graph net.mtl -o a.svg", "<svg"),
        ("graph net.mtl -o a.SVG", "<svg"),
        ("graph net.mtl -o a.dot", "digraph"),
        ("graph net.mtl -o a.json", "{"),
        ("graph net.mtl -o a.txt", "space"),
        ("graph net.mtl -o plain", "space"),
        ("graph net.mtl -o a.log --format dot", "digraph"),
    ] {
        place.run(arguments).ok();
        let name = arguments.split(' ').nth(3).expect("a name");
        assert!(place.text(name).starts_with(starts), "{arguments}: {}", &place.text(name)[..40]);
    }
    let before = place.contents();
    for (arguments, said) in [
        ("graph net.mtl -o x.png", "convert it"),
        ("graph net.mtl -o x.PDF", "convert it"),
        ("graph net.mtl -o x.jpeg --format svg", "does not write .jpeg"),
        ("graph net.mtl -o x.foo", "`.foo` is not the ending"),
        ("graph net.mtl -o x.svg --format dot", "`--format` asks for dot"),
        ("graph net.mtl -o x.csv", "`.csv` is not the ending"),
    ] {
        let refused = place.run(arguments);
        assert_eq!(refused.code, 2, "{arguments}: {}", refused.err);
        assert!(refused.err.contains(said) && refused.err.contains("help:"), "{arguments}: {}", refused.err);
        assert_eq!(place.contents(), before, "{arguments}");
    }
}
