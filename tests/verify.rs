//! `mtlc verify`, and what stands behind it: a change of any value in a derived file that could change what is trained changes its
//! digest; weights know their network; a run folder knows its files.

#[allow(dead_code)]
#[path = "run/support.rs"]
mod support;

use std::path::Path;

use mtlc::artifact::{self, Derivation, Provenance, Standing};
use mtlc::check::Checked;
use mtlc::driver::{compile_text, read};
use mtlc::hir::{Options, Topology};
use mtlc::ir::partition;
use proptest::prelude::*;
use support::Place;

/// Something of everything that a derived file can say.
const RICH: &str = r#"mtl 1

param width: int = 8 in 4..64

data d {
  format     = csv
  train      = "train.csv"
  validation = share(0.2, of = train)
  test       = share(0.25, of = train)
  missing    = ["?", "none"]
  drop       = [b]
  split_seed = 3
  delimiter  = ","
  header     = true
}

input x: fields { from = d, except = [yes, kind, value] }
input a: f32[1] { from = d.a, normalize = true }

task yes: binary { label = d.yes == 1, mask = d.a > -2.5, loss = bce, metrics = [accuracy], weight = 0.5 }
task kind: classes(3) { from = d.kind, metrics = [accuracy, f1] }
task value: regression(1) { from = d.value, loss = huber(delta = 2), weight = 2 }

block twin(units: int) {
  left  = in -> linear(units, bias = false) -> relu
  right = in -> linear(units) -> leaky_relu(0.2)
  out   = add(left, right)
}

backbone net(x, a) {
  stage trunk { from = [x], out = one_hot -> linear(width) -> batch_norm(momentum = 0.2) -> relu }
  stage branch { from = [trunk, a], out = concat(trunk, a) -> twin(6) -> dropout(0.1) }
}

head for yes, kind = linear(outputs)
head for value = linear(4) -> tanh -> linear(outputs)

space branching over net {
  level trunk  { copies = 2 }
  level branch { copies = 3, reads = one }
  heads        { per = task, reads = one }
}

search learn_to_branch { epochs = 2, batch = 12 }

train {
  epochs    = 3
  batch     = 12
  optimizer = sgd(lr = 0.05, momentum = 0.9, weight_decay = 1e-3)
  schedule  = warmup(2 epochs, then = step(rate = 0.5, every = 3 epochs))
  clip      = 1.5
  select    = last
  patience  = 4
}
"#;

fn compiled(text: &str) -> Option<Checked> {
    let compiled = compile_text(text, Path::new("net.mtl"), &Options::default(), &read);
    compiled.checked
}

fn digest(text: &str) -> Option<String> {
    compiled(text).map(|c| artifact::digest(&c.spec))
}

/// Where the three tasks part: at the branch, all of them.
fn branches(checked: &Checked) -> Topology {
    partition::tree(&checked.spec, &[vec![0, 0, 0], vec![0, 1, 1]])
}

/// A derived file with its schema in it.
fn derived() -> String {
    let place = Place::table();
    let path = place.write("rich.mtl", RICH.as_bytes());
    let prepared = support::prepare(&path, &[]);
    let checked = prepared.checked();
    artifact::derived_file(Derivation {
        sources: &prepared.compiled.sources,
        spec: &checked.spec,
        topology: &branches(checked),
        folder: path.parent().expect("it has one"),
        provenance: &Provenance::new(&checked.spec, "learn_to_branch", 1, vec![("epochs".into(), 2.0)]),
    })
}

/// A word or number of the file, where it stands.
#[derive(Debug, Clone)]
struct Token {
    start: usize,
    text: String,
    /// The item that it stands in: `train`, `schema`, ...
    item: String,
}

/// Every word, number and quoted text behind the provenance; comments are none.
fn tokens(text: &str) -> Vec<Token> {
    let file = mtlc::source::FileId(0);
    let parsed = mtlc::syntax::parse(file, text);
    let mut out: Vec<Token> = Vec::new();
    let mut item = String::new();
    let mut at_start = true;
    for t in parsed.syntax().descendants_with_tokens().filter_map(|e| e.into_token()) {
        let word = t.text().to_string();
        if word.starts_with('#') || word.trim().is_empty() {
            at_start = word.ends_with('\n') || at_start;
            continue;
        }
        let start = usize::from(t.text_range().start());
        // An item begins at the start of a line.
        if start == 0 || text.as_bytes()[start - 1] == b'\n' {
            item = word.clone();
        }
        let plain = word.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
        if plain && !["mtl", "provenance"].contains(&item.as_str()) {
            out.push(Token { start, text: word, item: item.clone() });
        }
    }
    assert!(out.len() > 200, "only {} words found", out.len());
    out
}

fn put(text: &str, token: &Token, new: &str) -> String {
    format!("{}{new}{}", &text[..token.start], &text[token.start + token.text.len()..])
}

/// Other values that may stand where a token stands; most of them do not fit, and then the file does not check.
fn others(token: &Token) -> Vec<String> {
    let mut out = candidates(&token.text);
    out.retain(|o| *o != token.text);
    out
}

fn candidates(text: &str) -> Vec<String> {
    if let Ok(n) = text.parse::<i64>() {
        return vec![(n + 1).to_string(), (n + 2).to_string(), (n * 2).to_string(), (n - 1).max(0).to_string()];
    }
    if let Ok(v) = text.parse::<f64>() {
        return vec![format!("{:?}", v * 1.5), format!("{:?}", v * 0.5)];
    }
    if let Some(inside) = text.strip_prefix('"') {
        return vec![format!("\"x{inside}")];
    }
    let words = [
        "true",
        "false",
        "relu",
        "gelu",
        "tanh",
        "elu",
        "sigmoid",
        "last",
        "best",
        "epochs",
        "steps",
        "mse",
        "l1",
        "huber",
        "bce",
        "accuracy",
        "f1",
        "auc",
        "mae",
        "mul",
        "add",
        "concat",
        "test",
        "train",
        "trunk",
        "branch",
        "x",
        "a",
        "b",
        "yes",
        "kind",
        "value",
        "left",
        "right",
        "adam",
        "sgd",
        "layer_norm",
        "batch_norm",
        "numeric",
        "category",
        "binary",
        "cosine",
        "and",
        "or",
        "bias",
        "lr",
        "momentum",
        "normalize",
        "width",
        "units",
        "in",
    ];
    words.map(str::to_string).to_vec()
}

/// What may change without changing the meaning, and why.
fn has_no_meaning(token: &Token, line: &str) -> Option<&'static str> {
    let line = line.trim();
    match token.item.as_str() {
        "param" => Some("a name, or a bound that the value keeps: the value counts where it is used"),
        "data" if line.starts_with("train ") => Some("where a file lies: its sha256 is in the schema"),
        "schema" if line.starts_with("file") && token.text.starts_with('"') && token.text.len() < 64 => {
            Some("where a file lies: its sha256 is beside it")
        }
        "block" => Some("names of values"),
        "head" if token.text == "yes" => Some("another way to name the same tasks: all that are `binary`"),
        "backbone" if line.contains("from = [trunk, a]") && token.text == "a" => {
            Some("a stage reads what `out` names, whether `from` lists it too or not")
        }
        "topology" if token.text.len() == 1 => Some("the name of a copy"),
        _ => None,
    }
}

#[test]
fn every_value_counts() {
    let text = derived();
    let want = digest(&text).expect("it checks");
    let mut tried = 0;
    let mut unseen = Vec::new();
    for token in tokens(&text) {
        let mut counted = false;
        for new in others(&token) {
            let Some(found) = digest(&put(&text, &token, &new)) else { continue };
            counted = true;
            tried += 1;
            let from = text[..token.start].rfind('\n').map_or(0, |i| i + 1);
            let line = text[from..].lines().next().unwrap_or_default();
            if found == want && has_no_meaning(&token, line).is_none() {
                unseen.push(format!("{} -> {new} in `{}`: {}", token.text, token.item, line.trim()));
            }
        }
        let number = token.text.starts_with(|c: char| c.is_ascii_digit());
        // What is taken must be seen; a number of `train` that nothing else could be would make this test blind.
        assert!(counted || !number || token.item != "train", "no other value fits {token:?}");
    }
    assert!(tried > 150, "only {tried} changes were good programs");
    assert!(unseen.is_empty(), "the digest does not see:\n{}", unseen.join("\n"));
}

#[test]
fn every_line_counts() {
    let text = derived();
    let want = digest(&text).expect("it checks");
    // Written, and the default; `delimiter`, `header` and the lines of closing brackets and comments too.
    let defaults = ["delimiter", "header", "loss    = bce"];
    let lines: Vec<&str> = text.lines().collect();
    let mut tried = 0;
    let provenance = lines.iter().position(|l| *l == "}").expect("the provenance ends");
    for (i, line) in lines.iter().enumerate().skip(provenance + 1) {
        if line.trim().is_empty() {
            continue;
        }
        let without: String =
            lines.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, l)| format!("{l}\n")).collect();
        let Some(found) = digest(&without) else { continue };
        tried += 1;
        let default = defaults.iter().any(|d| line.trim().starts_with(d));
        assert_eq!(found == want, default, "without the line `{line}`");
    }
    assert!(tried > 10, "only {tried} lines can be left out");
}

#[test]
fn other_words_for_the_same() {
    let text = derived();
    let want = digest(&text).expect("it checks");
    for (from, to) in [
        ("1e-3", "0.001"),
        ("lr = 0.05", "lr = 5e-2"),
        ("2 epochs", "2"),
        ("linear(units)", "linear(units, bias = true)"),
        ("dropout(0.1)", "dropout(p = 0.10)"),
        ("select    = last", "select = last"),
        ("huber(delta = 2)", "huber(delta = 2.0)"),
        ("weight  = 0.5", "weight = 1 / 2"),
    ] {
        assert!(text.contains(from), "{from}\n{text}");
        assert_eq!(digest(&text.replace(from, to)).as_ref(), Some(&want), "{from} -> {to}");
    }
    // A spec without `train` is trained by the defaults.
    let bare =
        "mtl 1\ninput x: f32[4]\ntask t: binary\nbackbone b(x) { stage s = linear(2) }\nhead for t = linear(1)\n";
    let written = format!("{bare}train {{ epochs = 30 }}\n");
    assert_eq!(digest(bare), digest(&written));
    assert_ne!(digest(bare), digest(&written.replace("30", "31")));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several values changed at once are never taken for the file that was derived, nor is blank space taken for a change.
    #[test]
    fn a_changed_file_never_passes(picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..5), blanks in 0usize..4) {
        static TEXT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
        let text = TEXT.get_or_init(derived);
        let all = tokens(text);
        let mut chosen: Vec<(Token, String)> = picks.iter().map(|(t, o)| {
            let token = t.get(&all).clone();
            let others = others(&token);
            let new = o.get(&others).clone();
            (token, new)
        }).collect();
        // From the end, so that places stay.
        chosen.sort_by_key(|(t, _)| std::cmp::Reverse(t.start));
        chosen.dedup_by_key(|(t, _)| t.start);
        let mut edited = text.clone();
        for (token, new) in &chosen {
            edited = put(&edited, token, new);
        }
        edited = edited.replace("\ntrain {", &format!("\n{}# a remark\ntrain {{", "\n".repeat(blanks)));
        if let Some(checked) = compiled(&edited) {
            let silent = |t: &Token| {
                let from = text[..t.start].rfind('\n').map_or(0, |i| i + 1);
                has_no_meaning(t, text[from..].lines().next().unwrap_or_default()).is_some()
            };
            let standing = artifact::verify_self(&checked.spec);
            if !chosen.iter().any(|(t, _)| silent(t)) {
                prop_assert_eq!(standing, Standing::Edited, "{:?}", chosen);
                let parts = artifact::changed_parts(&checked.spec).expect("they are listed");
                prop_assert!(!parts.is_empty(), "{:?}", chosen);
            }
        }
    }
}

#[test]
fn a_binding_knows_names_that_have_no_meaning() {
    let text = derived();
    let bind = |text: &str| {
        let c = compiled(text).expect("it checks");
        artifact::binding(&c.spec, c.spec.topology.as_ref())
    };
    let want = bind(&text);
    let digest_of = |b: &str| b.split(' ').next().expect("a digest").to_string();
    assert!(
        text.contains(&format!("self     = \"{}\"", digest_of(&want))),
        "the network's digest is the file's own\n{text}"
    );
    for (what, edited) in [
        (
            "copies swapped",
            text.replace("branch.a", "branch.q").replace("branch.b", "branch.a").replace("branch.q", "branch.b"),
        ),
        ("values swapped", {
            let (left, right) = (
                "  left  = in -> linear(units, bias = false) -> relu\n",
                "  right = in -> linear(units) -> leaky_relu(0.2)\n",
            );
            assert!(text.contains(&format!("{left}{right}")), "{text}");
            text.replace(&format!("{left}{right}"), &format!("{right}{left}"))
        }),
    ] {
        assert_eq!(digest(&edited), digest(&text), "{what} has no meaning");
        assert_eq!(digest_of(&bind(&edited)), digest_of(&want), "{what}");
        assert_ne!(bind(&edited), want, "{what}: weights are found by name");
    }
    let c = compiled(RICH).expect("it checks");
    assert_ne!(artifact::binding(&c.spec, None), artifact::binding(&c.spec, Some(&branches(&c))));
}

/// The verdicts of a command, as `about question verdict`.
fn verdicts(place: &Place, arguments: &str, code: i32) -> Vec<String> {
    let ended = place.run(&format!("{arguments} --json"));
    assert_eq!(ended.code, code, "{arguments}: {}{}", ended.out, ended.err);
    let json = ended.json();
    assert_eq!(json["ok"], code == 0);
    let text = |v: &serde_json::Value| v.as_str().expect("a text").to_string();
    json["answers"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|a| format!("{} {} {}", text(&a["about"]), text(&a["question"]), text(&a["verdict"])))
        .collect()
}

#[test]
fn a_run_and_what_is_done_to_it() {
    let place = Place::table();
    place.run("run net.mtl -o run --device cpu --quiet --random 1 --seed 2").ok();
    let all = verdicts(&place, "verify run", 0);
    assert!(all.len() >= 8 && all.iter().all(|v| v.ends_with(" ok")), "{all:?}");
    let text = place.run("verify run").ok();
    assert!(text.out.lines().all(|l| l.starts_with("ok  ")), "{}", text.out);
    assert_eq!(
        verdicts(&place, "verify run/derived/net.mtl --spec net.mtl --weights run/checkpoints/derived.safetensors", 0),
        [
            "run/derived/net.mtl untouched ok",
            "run/derived/net.mtl spec ok",
            "run/checkpoints/derived.safetensors weights ok"
        ]
    );

    // Layout and comments are free; the sums still tell that the bytes are others.
    let file = place.text("run/derived/net.mtl");
    place.write("run/derived/net.mtl", file.replace("\ntrain", "\n\n# mine\ntrain").as_bytes());
    assert_eq!(verdicts(&place, "verify run/derived/net.mtl", 0), ["run/derived/net.mtl untouched ok"]);
    assert!(verdicts(&place, "verify run", 1).contains(&"SHA256SUMS files differs".to_string()));

    // A change of meaning, and the same with `self` made to fit.
    let edited = file.replace("lr = lr", "lr = 0.5");
    place.write("edited.mtl", edited.as_bytes());
    let ended = place.run("verify edited.mtl");
    assert!(ended.code == 1 && ended.out.contains("edited: train"), "{}", ended.out);
    let own =
        |text: &str| text.split("self     = \"").nth(1).and_then(|t| t.split('"').next()).expect("self").to_string();
    let forged = edited.replace(&own(&file), &digest(&edited).expect("it checks"));
    place.write("forged.mtl", forged.as_bytes());
    assert_eq!(verdicts(&place, "verify forged.mtl", 0), ["forged.mtl untouched ok"], "a digest is no signature");
    assert_eq!(
        verdicts(&place, "verify forged.mtl --spec net.mtl --weights run/checkpoints/derived.safetensors", 1),
        ["forged.mtl untouched ok", "forged.mtl spec differs", "run/checkpoints/derived.safetensors weights differs"]
    );
    place.write("run/derived/net.mtl", forged.as_bytes());
    let told = verdicts(&place, "verify run", 1);
    for want in [
        "derived/net.mtl spec differs",
        "search.json search differs",
        "checkpoints/derived.safetensors weights differs",
    ] {
        assert!(told.contains(&want.to_string()), "{want}: {told:?}");
    }
    // What the provenance tells of the search is no part of `self`: the run remembers it.
    place.write("run/derived/net.mtl", file.replace("seed     = 2", "seed     = 3").as_bytes());
    assert!(verdicts(&place, "verify run", 1).contains(&"search.json search differs".to_string()));
    place.write("run/derived/net.mtl", file.as_bytes());
    verdicts(&place, "verify run", 0);

    // Another spec, other weights, damaged weights, weights of others.
    place.write("other.mtl", place.text("net.mtl").replace("linear(6)", "linear(7)").as_bytes());
    assert_eq!(
        verdicts(&place, "verify run/derived/net.mtl --spec other.mtl", 1)[1],
        "run/derived/net.mtl spec differs"
    );
    assert_eq!(
        verdicts(&place, "verify run/derived/net.mtl --spec net.mtl --set epochs=9", 1)[1],
        "run/derived/net.mtl spec differs"
    );
    for other in ["all_shared", "supernet", "random_1"] {
        let path = format!("run/checkpoints/{other}.safetensors");
        if place.path(&path).exists() {
            let told = verdicts(&place, &format!("verify run/derived/net.mtl --weights {path}"), 1);
            assert_eq!(told[1], format!("{path} weights differs"));
        }
    }
    let weights = std::fs::read(place.path("run/checkpoints/derived.safetensors")).expect("weights");
    let mut damaged = weights.clone();
    *damaged.last_mut().expect("a byte") ^= 1;
    place.write("damaged.safetensors", &damaged);
    place.write("cut.safetensors", &weights[..weights.len() - 5]);
    for (name, verdict) in [("damaged", "differs"), ("cut", "unknown"), ("absent", "unknown")] {
        let told = verdicts(&place, &format!("verify run/derived/net.mtl --weights {name}.safetensors"), 1);
        assert_eq!(told[1], format!("{name}.safetensors weights {verdict}"));
    }

    // The supernet and the baselines of a program without a topology, and of a run that was trained by hand.
    verdicts(&place, "verify run/program.mtl --weights run/checkpoints/supernet.safetensors", 0);
    verdicts(&place, "verify run/program.mtl --weights run/checkpoints/independent.safetensors", 0);
    place.run("train run/derived/net.mtl -o trained --device cpu --quiet").ok();
    verdicts(&place, "verify trained", 0);

    // Files that are gone, that are new, sums that are gone, a program that is broken.
    place.write("run/notes.txt", b"mine");
    assert!(verdicts(&place, "verify run", 1).contains(&"notes.txt files unknown".to_string()));
    std::fs::remove_file(place.path("run/notes.txt")).expect("removed");
    std::fs::remove_file(place.path("run/metrics.jsonl")).expect("removed");
    assert!(verdicts(&place, "verify run", 1).contains(&"SHA256SUMS files differs".to_string()));
    std::fs::remove_file(place.path("run/SHA256SUMS")).expect("removed");
    assert!(verdicts(&place, "verify run", 1).contains(&"SHA256SUMS files differs".to_string()));
    place.write("run/program.mtl", b"mtl 1\ninput\n");
    assert!(verdicts(&place, "verify run", 1).contains(&"program.mtl program differs".to_string()));

    // `verify` cannot judge a file that is not derived. Errors of the command line and of a program have their own exit codes.
    assert_eq!(verdicts(&place, "verify net.mtl", 1), ["net.mtl untouched unknown"]);
    for other in ["--spec net.mtl", "--set epochs=1", "--weights damaged.safetensors"] {
        assert_eq!(place.run(&format!("verify run {other}")).code, 2, "{other}");
    }
    place.write("broken.mtl", b"mtl 1\ninput\n");
    assert_eq!(place.run("verify broken.mtl").code, 3);
    assert_eq!(place.run("verify nothing.mtl").code, 1);
}

/// `verify` detects an edit of any record of a run, by the checksum of the record or by comparison with a record that has one.
#[test]
fn edited_records_of_a_run_are_detected() {
    let place = Place::table();
    place.run("train net.mtl -o run --device cpu --quiet").ok();
    let told = |want: &str| {
        let all = verdicts(&place, "verify run", 1);
        assert!(all.contains(&want.to_string()), "{want}: {all:?}");
    };
    for key in ["seconds", "device", "trained", "marks"] {
        let (before, mut progress) = (place.text("run/progress.json"), place.json("run/progress.json"));
        let phase = if ["seconds", "device"].contains(&key) { &mut progress } else { &mut progress["phases"][0] };
        assert_ne!(phase[key], serde_json::Value::Null, "{key}");
        phase[key] = 1.into();
        place.write("run/progress.json", progress.to_string().as_bytes());
        told("progress.json files differs");
        place.write("run/progress.json", before.as_bytes());
    }
    let (before, mut info) = (place.text("run/run.json"), place.json("run/run.json"));
    info["device"] = format!("{} and more", info["device"].as_str().expect("a name")).into();
    place.write("run/run.json", info.to_string().as_bytes());
    told("run.json records differs");
    // Without the checksum of the list itself, entries could be removed from the list together with their files.
    let mut info: serde_json::Value = serde_json::from_str(&before).expect("it reads");
    info["sums"] = serde_json::Value::Null;
    place.write("run/run.json", info.to_string().as_bytes());
    let list = place.text("run/SHA256SUMS");
    let kept: String = list.split_inclusive('\n').filter(|l| !l.ends_with("  metrics.jsonl\n")).collect();
    assert_ne!(kept, list);
    place.write("run/SHA256SUMS", kept.as_bytes());
    std::fs::remove_file(place.path("run/metrics.jsonl")).expect("removed");
    told("SHA256SUMS files differs");
}

#[test]
fn the_doctor_answers() {
    let place = Place::new();
    let text = place.run("doctor").ok();
    assert!(text.out.contains("mtlc ") && text.out.contains("gradients are right"), "{}", text.out);
    let json = place.run_with("doctor --json", &[("RAYON_NUM_THREADS", "many")]).ok().json();
    assert_eq!((&json["ok"], &json["facts"]["cpu"]["ok"]), (&serde_json::json!(true), &serde_json::json!(true)));
    let problems = json["problems"].as_array().expect("a list");
    assert!(problems.iter().any(|p| p["what"].as_str().is_some_and(|w| w.contains("RAYON_NUM_THREADS"))), "{json}");
    assert!(problems.iter().all(|p| p["help"].as_str().is_some_and(|h| !h.is_empty())));
}
