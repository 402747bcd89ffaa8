//! `mtlc diff`: two topologies by meaning, in words and as JSON.

#[allow(dead_code)]
#[path = "run/support.rs"]
mod support;

use serde_json::{Value, json};
use support::Place;

const HEAD: &str = r#"mtl 1

input x: f32[4]

task left: binary
task right: binary
task top: regression(2) { loss = mse }

backbone net(x) {
  stage low  = linear(8) -> relu
  stage mid  = linear(6) -> relu
  stage high = linear(5)
}

head for * = linear(outputs)
"#;

/// The first two tasks part from the third at `mid`, and from one another at `high`.
const A: &str = r#"
topology over net {
  low.a  <- x
  mid.a  <- low.a
  mid.b  <- low.a
  high.a <- mid.a
  high.b <- mid.a
  high.c <- mid.b
  left   <- high.a
  right  <- high.b
  top    <- high.c
}
"#;

/// `right` goes with `top` instead, all the way.
const B: &str = r#"
topology over net {
  low.a  <- x
  mid.a  <- low.a
  mid.b  <- low.a
  high.a <- mid.a
  high.b <- mid.b
  left   <- high.a
  right, top <- high.b
}
"#;

fn place(a: &str, b: &str) -> Place {
    let place = Place::new();
    place.write("a.mtl", a.as_bytes());
    place.write("b.mtl", b.as_bytes());
    place
}

fn json_of(place: &Place) -> Value {
    place.run("diff a.mtl b.mtl --json").ok().json()
}

#[test]
fn where_tasks_part() {
    let place = place(&format!("{HEAD}{A}"), &format!("{HEAD}{B}"));
    let text = place.run("diff a.mtl b.mtl").ok().out;
    for want in [
        "topology: 2 of 3 stages group the tasks otherwise",
        "From `mid` on, `left` and `right` part in B; in A they part from `high` on.",
        "From `mid` on, `right` and `top` part in A; in B they share every stage.",
        "A  left, right | top",
        "B  left | right, top",
        "each its own",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
    let d = json_of(&place);
    assert_eq!((&d["same"], &d["same_topology"]), (&json!(false), &json!(false)));
    assert_eq!(d["partings"].as_array().map(Vec::len), Some(2), "{d:#}");
    assert_eq!(d["stages"][0]["adjusted_rand"], 1.0);
    assert_eq!(d["stages"][1]["adjusted_rand"], -0.5);
    assert_eq!(d["stages"][2]["copies"], json!({ "a": 3, "b": 2 }));
    assert_eq!(d["differences"], json!([]));
    let params = |side: &str| d["size"][side]["params"].as_f64().expect("a number");
    assert_eq!(d["size"]["b_over_a"]["params"].as_f64(), Some(params("b") / params("a")));
    assert_eq!(place.run("diff a.mtl b.mtl --exit-code").code, 1);
    // The other way round the same is said of the other side.
    let back = place.run("diff b.mtl a.mtl").ok().out;
    assert!(back.contains("`left` and `right` part in A; in B they part from `high` on."), "{back}");
}

#[test]
fn names_of_copies_and_order_are_no_difference() {
    let renamed = A.replace("mid.a", "mid.q").replace("mid.b", "mid.a").replace("mid.q", "mid.b");
    let other = place(&format!("{HEAD}{A}"), &format!("{HEAD}\n# the same\n{renamed}"));
    assert_eq!(json_of(&other)["same"], true);
    other.run("diff a.mtl b.mtl --exit-code").ok();
    assert!(other.run("diff a.mtl b.mtl").ok().out.contains("A and B mean the same"));
    // Tasks in another order: the same topology, and weights are drawn in another order.
    let head = HEAD.replace("task left: binary\ntask right: binary\n", "task right: binary\ntask left: binary\n");
    let d = json_of(&place(&format!("{HEAD}{A}"), &format!("{head}{A}")));
    assert_eq!((&d["same"], &d["same_topology"]), (&json!(false), &json!(true)), "{d:#}");
    assert_eq!(d["differences"][0]["section"], "tasks");
}

#[test]
fn attributes_with_defaults() {
    let train = "train { epochs = 9, optimizer = adam(lr = 1e-2), clip = 1 }\n";
    let b = format!("{HEAD}{A}{train}")
        .replace("linear(6) -> relu", "linear(7) -> gelu -> dropout(0.1)")
        .replace("f32[4]", "f32[5]")
        .replace("task left: binary", "task left: binary { weight = 2 }")
        .replace(
            "head for * = linear(outputs)",
            "head for binary = linear(outputs)\nhead for top = relu -> linear(outputs)",
        );
    let place = place(&format!("{HEAD}{A}"), &b);
    let text = place.run("diff a.mtl b.mtl").ok().out;
    for want in [
        "topology: the same, up to names of copies",
        "`x`: type f32[4] -> f32[5]",
        "`left`: weight 1 -> 2",
        "linear: units 6 -> 7",
        "relu relu -> absent",
        "gelu absent -> gelu",
        "dropout absent -> dropout(p = 0.1)",
        "`top`: relu absent -> relu",
        "clip absent -> 1",
        "epochs 30 (default) -> 9",
        "optimizer.lr 0.001 -> 0.01",
    ] {
        assert!(text.contains(want), "{want}\n{text}");
    }
}

#[test]
fn other_tasks_and_stages() {
    let head = HEAD.replace("task top: regression(2) { loss = mse }", "task bottom: binary");
    let b = format!("{head}{}", B.replace("right, top", "right, bottom")).replace("mid", "middle");
    let place = place(&format!("{HEAD}{A}"), &b);
    let text = place.run("diff a.mtl b.mtl").ok().out;
    for want in
        ["only in A: task `top`", "only in B: task `bottom`", "only in A: stage `mid`", "only in B: stage `middle`"]
    {
        assert!(text.contains(want), "{want}\n{text}");
    }
    let d = json_of(&place);
    assert_eq!(d["same_topology"], Value::Null);
    assert_eq!(d["tasks"]["common"], 2);
}

#[test]
fn gates_are_compared_by_their_lines() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/programs/mmoe.mtl");
    let a = std::fs::read_to_string(folder).expect("a golden program");
    assert!(a.contains("mix(softmax"));
    let place = place(&a, &a.replacen("mix(softmax", "mix(sigmoid", 1));
    let d = json_of(&place);
    assert_eq!(d["same_topology"], false, "{d:#}");
    assert!(d["lines"]["only_b"][0].as_str().is_some_and(|l| l.contains("sigmoid")), "{d:#}");
}

#[test]
fn runs_and_what_has_no_topology() {
    let place = Place::table();
    place.run("search net.mtl -o run --device cpu --quiet").ok();
    place.run("diff run run/derived/net.mtl --exit-code").ok();
    let ended = place.run("diff run net.mtl");
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("`net.mtl` has no topology"), "{}", ended.err);
    assert_eq!(place.run("diff run nothing.mtl").code, 1);
}
