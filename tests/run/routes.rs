//! Searching routes: a supernet under decisions is the network that is derived from them, strategies find what is planted, and
//! composed spaces run segment by segment.

use std::collections::HashMap;

use candle_core::Device;
use mtlc::experiment::{self, apply};
use mtlc::ir::Node;
use mtlc::ir::derive::Decision;
use mtlc::plan::{choice_names, lower};
use mtlc::random::Randomness;
use mtlc::runtime::control::Control;
use mtlc::runtime::evaluate::predictions;
use mtlc::runtime::model::{Decided, Model};

use super::resume::{has_state, signal, spawn, wait_for};
use super::support::*;

/// The table's program over a shared stage and two levels of sub-networks.
fn program(levels: &str, search: &str) -> String {
    let (start, end) = (SPEC.find("backbone").expect("it has one"), SPEC.find("train {").expect("it has one"));
    let train = SPEC[end..].replace("epochs = epochs", "epochs = 2");
    format!(
        "{}backbone net(x) {{
  stage embed  = one_hot -> linear(8)
  stage low    = linear(7) -> relu
  stage high   = linear(6) -> relu
}}
head for * = linear(outputs)
space routing over net {{
{levels}
}}
{search}
{train}",
        &SPEC[..start],
    )
}

/// Routes from `low` on, all by this gate.
fn routes(gate: &str, query: &str, search: &str) -> String {
    let query = if query.is_empty() { String::new() } else { format!(", query = {query}") };
    let levels = format!(
        "  level embed {{ copies = 1 }}
  level low   {{ copies = 3 }}
  level high  {{ copies = 3, reads = some(gate = {gate}{query}) }}
  heads       {{ per = task, reads = some(gate = {gate}{query}) }}"
    );
    program(&levels, search)
}

/// Every copy's weights, and of every gate the rows of its members.
#[test]
fn a_supernet_under_decisions_is_the_derived_network() {
    let cases = [("softmax", "[embed, previous]"), ("sigmoid", "[previous, embed]"), ("mean", ""), ("sum", "")];
    for (gate, query) in cases {
        let place = Place::table();
        let path = place.write("net.mtl", routes(gate, query, "search reinforce { epochs = 1 }").as_bytes());
        let prepared = prepare(&path, &[]);
        let checked = prepared.checked();
        let network = checked.supernet.as_ref().expect("a supernet");
        let (plan, symbols) = lower(checked, network).expect("it lowers");
        let supernet = Model::new(plan, symbols, Randomness::new(1), &Device::Cpu).expect("weights");
        let from: HashMap<String, _> =
            supernet.named().into_iter().map(|(n, v)| (n.to_string(), v.as_tensor().clone())).collect();
        for state in 0..12 {
            let numbers: Vec<usize> = network
                .choices
                .iter()
                .enumerate()
                .map(|(c, k)| k.number((state * 5 + c * 3 + state * c) % k.options()))
                .collect();
            let derived = apply(checked, &numbers);
            let random = Randomness::new(2);
            let (_, target) = experiment::network_model(&prepared, &derived.topology, random, &Device::Cpu)
                .unwrap_or_else(|e| panic!("{}", why(e)));
            let names = choice_names(checked, network);
            let stages = &checked.spec.backbone.as_ref().expect("a backbone").stages;
            for (name, var) in target.named() {
                let value = if let Some(rest) = name.strip_prefix("mix.m") {
                    let mix = rest.split('.').next().and_then(|n| n.parse::<usize>().ok()).expect("a number") - 1;
                    let Node::Mix { choice: Some(c), .. } = &network.graph[derived.mixes[mix]] else {
                        panic!("only what chooses has a gate here")
                    };
                    let choice = &network.choices[c.0];
                    let Decision::Some(members, query) = choice.decision(numbers[c.0]) else { panic!("a route") };
                    let gate = format!("mix.{}.{}.{query}.gate.weight", names[c.0], stages[choice.of.0].name);
                    let rows: Vec<_> = members.iter().map(|m| from[&gate].narrow(0, *m, 1).expect("a row")).collect();
                    candle_core::Tensor::cat(&rows, 0).expect("rows")
                } else {
                    let mut parts = name.splitn(3, '.');
                    let (stage, copy) = (parts.next().expect("a stage"), parts.next().expect("a copy"));
                    let node =
                        derived.topology.nodes.iter().position(|n| stages[n.stage.0].name == stage && n.copy == copy);
                    let old = match node {
                        Some(n) => format!(
                            "{stage}.{}.{}",
                            mtlc::ir::copy_letters(derived.from[n]),
                            parts.next().expect("a weight")
                        ),
                        None => name.to_string(),
                    };
                    from[&old].clone()
                };
                var.set(&value).expect("the same shape");
            }
            let decided: Vec<Decided> = numbers.iter().map(|n| Decided::hard(*n)).collect();
            let table = &prepared.feed.dataset.validation;
            let of = |m: &Model, d: &[Decided]| {
                predictions(m, &prepared.feed, table, d, &Control::free()).expect("predictions")
            };
            for (a, b) in of(&supernet, &decided).iter().flatten().zip(of(&target, &[]).iter().flatten()) {
                assert!((a - b).abs() <= 1e-5 * (1.0 + a.abs()), "{gate}, {numbers:?}: {a} and {b}");
            }
        }
    }
}

/// Members of every choice of a search of routes with one query.
fn subsets(place: &Place) -> Vec<usize> {
    let json = place.json("run/search.json");
    let numbers = json["decisions"].as_array().expect("a list").iter().map(|d| d.as_u64().expect("a number") as usize);
    numbers.map(|n| mtlc::ir::routes::route(n, 1).0.len()).collect()
}

/// A strategy, its attributes, and what holds of the numbers of members that it finds.
type Case = (&'static str, String, fn(&[usize]) -> bool);

/// What a strategy learns shows in its log, in the loss, and in what is derived.
#[test]
fn strategies_learn_routes() {
    let fast = "epochs = 40, batch = 12, choices = adam(lr = 0.1), weights = adam(lr = 0.02)";
    let cases: [Case; 6] = [
        ("reinforce", format!("{{ {fast} }}"), |m| m.iter().all(|n| (1..=3).contains(n))),
        // A penalty that no loss outweighs leaves one connection each; none leaves most.
        ("snr", format!("{{ {fast}, penalty = 10 }}"), |m| m.iter().all(|n| *n == 1)),
        ("snr", format!("{{ {fast}, penalty = 0 }}"), |m| m.iter().sum::<usize>() > m.len()),
        ("dselect_k", format!("{{ {fast}, k = 1 }}"), |m| m.iter().all(|n| *n == 1)),
        ("dselect_k", format!("{{ {fast}, k = 2 }}"), |m| m.iter().all(|n| *n <= 2)),
        ("full", String::new(), |m| m.iter().all(|n| *n == 3)),
    ];
    for (name, body, right) in cases {
        let place = Place::table();
        place.write("net.mtl", routes("softmax", "embed", &format!("search {name} {body}")).as_bytes());
        place.run("search net.mtl -o run --device cpu --quiet").ok();
        let members = subsets(&place);
        assert!(members.len() == 6 && right(&members), "{name} {body}: {members:?}");
        if name == "full" {
            continue;
        }
        let lines = place.lines("run/search.jsonl");
        assert!(lines[0]["choices"] != lines[39]["choices"], "{name} learned nothing");
        let loss = |n: usize| place.lines("run/metrics.jsonl")[n]["train"]["loss"].as_f64().expect("a loss");
        assert!(loss(39) < 0.8 * loss(0), "{name}: {} to {}", loss(0), loss(39));
    }
}

/// A signal in each strategy's search; the run that goes on ends as one that was never stopped.
#[test]
fn searches_of_routes_go_on_to_the_same_bytes() {
    let long = "{ epochs = epochs, batch = 12, weighting = uncertainty }";
    for (name, query) in [("reinforce", "[embed, previous]"), ("snr", "embed"), ("dselect_k", "embed")] {
        let text = routes("softmax", query, &format!("search {name} {long}"));
        let command = "run net.mtl -o run --device cpu --quiet --save-every 10ms --set epochs=150";
        let place = Place::table();
        place.write("net.mtl", text.as_bytes());
        let mut child = spawn(&place, command);
        wait_for(&mut child, || has_state(&place, "search-"));
        signal(&child, "-TERM");
        assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(75), "{name}");
        place.run("run --resume run").ok();
        let other = Place::table();
        other.write("net.mtl", text.as_bytes());
        other.run(command).ok();
        for file in
            ["derived/net.mtl", "checkpoints/supernet.safetensors", "checkpoints/derived.safetensors", "search.jsonl"]
        {
            let read = |p: &Place| std::fs::read(p.path("run").join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
            assert!(read(&place) == read(&other), "{name}: {file} differs");
        }
    }
}

/// Shared stages, then a tree, then routes, and a group level below a tree; a strategy for each segment.
const COMPOSED: [(&str, &str); 3] = [
    (
        "  level embed { copies = 2 }
  level low   { copies = 3, reads = one }
  level high  { copies = 3, reads = some(gate = softmax, query = low) }
  heads       { per = task, reads = some(gate = softmax, query = low) }",
        "search learn_to_branch on low { epochs = epochs, warmup = 1, batch = 12 }
search reinforce on high, heads { epochs = epochs, batch = 12, choices = adam(lr = 0.1) }",
    ),
    (
        "  level embed { copies = 2 }
  level low   { copies = 2, reads = one }
  level high  { copies = 2, reads = one }
  heads       { per = copy, reads = one }",
        "search random on low, high { draws = 2 }
search group on heads { epochs = epochs, batch = 12 }",
    ),
    (
        "  level embed { copies = 2 }
  level low   { copies = 3, reads = one }
  level high  { copies = 3, reads = some(gate = sum) }
  heads       { per = task, reads = some(gate = mean) }",
        "search snr on high { epochs = epochs, batch = 12 }
search dselect_k on heads { epochs = epochs, batch = 12 }
search reinforce on low { epochs = epochs, batch = 12 }",
    ),
];

fn composed(n: usize) -> String {
    program(COMPOSED[n].0, COMPOSED[n].1)
}

#[test]
fn composed_spaces_search_derive_and_retrain() {
    for n in 0..COMPOSED.len() {
        let place = Place::table();
        place.write("net.mtl", composed(n).as_bytes());
        place.run("run net.mtl -o run --device cpu --quiet --set epochs=2").ok();
        place.run("verify run").ok();
        place.run("check run/derived/net.mtl").ok();
        place.run("graph run/derived/net.mtl").ok();
        place.run("train run/derived/net.mtl -o again --device cpu --quiet").ok();
        place.run("diff run/derived/net.mtl again/program.mtl").ok();
        assert_eq!(place.run("derive run").ok().out, place.text("run/derived/net.mtl"));
        let json = place.json("run/search.json");
        assert!(json["strategy"].as_str().is_some_and(|s| s.contains(" + ")), "{json}");
        assert!(!place.path("run/checkpoints/supernet.safetensors").exists());
    }
}

/// Stopped in the second segment: the first is not searched again, and the end is the same.
#[test]
fn composed_searches_go_on_to_the_same_bytes() {
    let command = "run net.mtl -o run --device cpu --quiet --save-every 10ms --set epochs=150";
    let place = Place::table();
    place.write("net.mtl", composed(0).as_bytes());
    let mut child = spawn(&place, command);
    wait_for(&mut child, || has_state(&place, "part_2_search-"));
    signal(&child, "-TERM");
    assert_eq!(child.wait_with_output().expect("it ends").status.code(), Some(75));
    let end = place.run("run --resume run").ok();
    assert!(end.err.contains("learn_to_branch: searched before"), "{}", end.err);
    let other = Place::table();
    other.write("net.mtl", composed(0).as_bytes());
    other.run(command).ok();
    // Lines tell times; their number must be the same.
    assert_eq!(place.lines("run/metrics.jsonl").len(), other.lines("run/metrics.jsonl").len());
    for file in ["derived/net.mtl", "checkpoints/derived.safetensors", "search.jsonl", "part_1_choices.json"] {
        let read = |p: &Place| std::fs::read(p.path("run").join(file)).unwrap_or_else(|e| panic!("{file}: {e}"));
        assert!(read(&place) == read(&other), "{file} differs");
    }
}

/// MMoE is the end of a space of routes where everything is read: each task's own gate over all experts.
#[test]
fn full_is_mmoe() {
    let place = Place::table();
    let levels = "  level embed { copies = 1 }
  level low   { copies = 1 }
  level high  { copies = 3 }
  heads       { per = task, reads = some(gate = softmax, query = embed) }";
    place.write("net.mtl", program(levels, "search full").as_bytes());
    place.run("search net.mtl -o run --device cpu --quiet").ok();
    let text = place.text("run/derived/net.mtl");
    for task in ["yes", "kind", "value"] {
        let line = text.lines().find(|l| l.trim_start().starts_with(task) && l.contains("<-")).expect("a line");
        assert!(line.ends_with("<- mix(softmax, query = embed.a)[high.a, high.b, high.c]"), "{line}");
    }
}
