//! Files of the first released version keep their meaning. `tests/stored` holds one of each kind as that version wrote it: a program, a
//! frozen schema, a derived file, a run folder with weights, a comparison, and a run that was stopped. Every later version must read
//! them, give them the same digests, and get the same results from them.
//!
//! `STORE=1 cargo test --test stored` writes them again. That is right until the first release, after a change of a default, a format
//! or a digest, and never afterwards: a test that fails then has found a file that lost its meaning. `UPDATE=1` does not touch them.

#[allow(dead_code)]
#[path = "run/support.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mtlc::artifact;
use mtlc::driver;
use mtlc::experiment::recorder::Recorder;
use mtlc::experiment::run::{Command, Order, Run, Saving, Settings, assigned};
use mtlc::experiment::{phases, prepare};
use mtlc::hir::Options;
use mtlc::runtime::control::Control;
use mtlc::runtime::record::Listener;
use serde_json::{Value, json};
use support::Place;

/// Two tasks of a table; a few numbers of everything.
const PROGRAM: &str = r#"mtl 1

# What the first version wrote; see tests/stored.rs.

param width: int = 3 in 1..8

data d {
  format     = csv
  train      = "rows.csv"
  validation = share(0.2, of = train)
  test       = share(0.2, of = train)
  categories = [colour]
}

input x: fields { from = d, except = [yes, kind, value] }

task yes: binary { label = d.yes == 1 }
task kind: classes(3) { from = d.kind }
task value: regression(1) { from = d.value }

backbone net(x) {
  stage trunk  = one_hot -> linear(4) -> batch_norm -> relu
  stage branch = linear(width) -> relu
}

head for * = linear(outputs)

space branching over net {
  level trunk  { copies = 1 }
  level branch { copies = 2, reads = one }
  heads        { per = task, reads = one }
}

search learn_to_branch {
  epochs  = 3
  warmup  = 1
  batch   = 12
  weights = adam(lr = 1e-2)
  choices = adam(lr = 5e-2)
}

train {
  epochs    = 2
  batch     = 12
  optimizer = adam(lr = 1e-2)
}
"#;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stored")
}

/// The stored files in a folder of their own, for commands that write.
fn stored() -> Place {
    static WRITTEN: Once = Once::new();
    WRITTEN.call_once(|| {
        if std::env::var_os("STORE").is_some_and(|v| v == "1") {
            store();
        }
    });
    let place = Place::new();
    copy(&folder(), &place.path(""));
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("copied")),
        }
    }
}

/// Writes the stored files.
fn store() {
    let place = Place::new();
    place.write("rows.csv", support::table(60).as_bytes());
    place.write("open.mtl", PROGRAM.as_bytes());
    place.write("frozen.mtl", PROGRAM.as_bytes());
    place.run("data freeze frozen.mtl").ok();
    place.run("run frozen.mtl -o run --device cpu --quiet --set width=2 --seed 5").ok();
    place.run("derive run -o derived.mtl").ok();
    place.run("compare frozen.mtl --with learn_to_branch --seeds 1 -o compared --quiet").ok();
    stop(&place);
    place.run("predict run rows.csv -o predicted.csv").ok();
    let found = json!({
        "digests": digests(&place),
        "costs": costs(&place),
        "evaluated": evaluated(&place),
        "resumed": resumed(&place),
    });
    place.write("expected.json", format!("{found:#}\n").as_bytes());
    let target = folder();
    if target.exists() {
        std::fs::remove_dir_all(&target).expect("the old files go");
    }
    // What went on is not what is stored.
    std::fs::remove_dir_all(place.path("resumed")).expect("removed");
    copy(&place.path(""), &target);
}

/// Asks to stop after so many steps of a phase.
struct After {
    steps: u64,
    asked: Arc<AtomicBool>,
}

impl Listener for After {
    fn step(&mut self, phase: &str, _: usize, step: u64, _: &dyn Fn() -> Option<f64>) {
        if phase == "search" && step == self.steps {
            self.asked.store(true, Ordering::Relaxed);
        }
    }
}

/// Leaves the run `stopped`: in its search, in the middle of an epoch.
fn stop(place: &Place) {
    let prepared = prepare(&place.path("frozen.mtl"), &[]).unwrap_or_else(|_| panic!("it is clean"));
    let asked = Arc::new(AtomicBool::new(false));
    let set = assigned(&prepared.checked().spec);
    let order = Order { command: Command::Run, seed: 1, random: 0, baselines: false, set };
    let settings = Settings {
        control: Control::new(asked.clone(), None),
        saving: Saving { every: Duration::from_secs(60), keep: 1 },
        device: Some("cpu".into()),
    };
    let begun = Run::begin(order, prepared, &place.path("stopped"), settings);
    let mut run = begun.unwrap_or_else(|_| panic!("the folder is new"));
    let mut after = After { steps: 5, asked };
    let folder = run.folder.clone();
    let mut recorder = Recorder::open(&folder, run.marks(), &mut after).expect("a log");
    let outcome = phases::execute(&mut run, &mut recorder).unwrap_or_else(|_| panic!("it runs"));
    assert!(outcome.stopped.is_some(), "it was stopped");
}

/// Digests of meaning of all programs, by name.
fn digests(place: &Place) -> Value {
    let names = [
        "open.mtl",
        "frozen.mtl",
        "derived.mtl",
        "run/program.mtl",
        "run/derived/net.mtl",
        "run/networks/independent.mtl",
    ];
    let all = names.map(|name| {
        let compiled = driver::compile(&place.path(name), &Options::default()).expect("it can be read");
        let spec = &compiled.checked.as_ref().unwrap_or_else(|| panic!("{name}: {:?}", compiled.diagnostics)).spec;
        (name.to_string(), json!(artifact::digest(spec)))
    });
    Value::Object(all.into_iter().collect())
}

/// What `check` finds out: sizes, costs, shares.
fn costs(place: &Place) -> Value {
    let all = ["frozen.mtl", "derived.mtl"].map(|name| {
        let text = place.run(&format!("check {name} --summary --json")).ok().out;
        let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        let costs = |view: &str| last["summary"][view]["costs"].clone();
        (name.to_string(), json!({ "macs": last["macs"], "space": costs("space"), "topology": costs("topology") }))
    });
    Value::Object(all.into_iter().collect())
}

/// Results of the stored weights.
fn evaluated(place: &Place) -> Value {
    let all = ["derived", "all_shared", "independent"].map(|name| {
        let result = place.run(&format!("evaluate run --network {name} --json --device cpu")).ok().json();
        (
            name.to_string(),
            json!({ "validation": result["validation"], "test": result["test"], "shared": result["shared"] }),
        )
    });
    Value::Object(all.into_iter().collect())
}

/// Where the stopped run comes to.
fn resumed(place: &Place) -> Value {
    copy(&place.path("stopped"), &place.path("resumed"));
    let summary = place.run("run --resume resumed --json --device cpu --quiet").ok().json();
    json!({ "decisions": summary["search"]["decisions"], "test": summary["networks"][0]["test"] })
}

/// The same text and structure; numbers within `tolerance`, relative where they are large. Other kernels add in another order.
fn near(a: &Value, b: &Value, tolerance: f64, at: &str) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for (key, want) in y {
                near(x.get(key).unwrap_or(&Value::Null), want, tolerance, &format!("{at}.{key}"));
            }
        }
        (Value::Array(x), Value::Array(y)) => {
            assert_eq!(x.len(), y.len(), "{at}");
            x.iter().zip(y).enumerate().for_each(|(i, (x, y))| near(x, y, tolerance, &format!("{at}[{i}]")));
        }
        (Value::Number(x), Value::Number(y)) => {
            let (x, y) = (x.as_f64().expect("a number"), y.as_f64().expect("a number"));
            assert!((x - y).abs() <= tolerance * y.abs().max(1.0), "{at}: {x} is not {y}");
        }
        (x, y) => assert_eq!(x, y, "{at}"),
    }
}

#[test]
fn programs_keep_their_meaning() {
    let place = stored();
    let want = place.json("expected.json");
    assert_eq!(digests(&place), want["digests"], "a digest changed");
    assert_eq!(want["digests"]["derived.mtl"], want["digests"]["run/derived/net.mtl"]);
    near(&costs(&place), &want["costs"], 1e-12, "costs");
    // The schema is that of the data still.
    let frozen = place.text("frozen.mtl");
    place.run("data freeze frozen.mtl").ok();
    assert_eq!(place.text("frozen.mtl"), frozen, "freezing the same data again changes nothing");
    place.write("again.mtl", place.text("open.mtl").as_bytes());
    place.run("data freeze again.mtl").ok();
    assert_eq!(place.text("again.mtl"), frozen);
    place.run("fmt --check frozen.mtl derived.mtl open.mtl run/program.mtl").ok();
}

#[test]
fn runs_keep_their_results() {
    let place = stored();
    let want = place.json("expected.json");
    let verified = place.run("verify run");
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    place.run("verify derived.mtl --spec frozen.mtl --set width=2 --weights run/checkpoints/derived.safetensors").ok();
    assert_eq!(place.run("derive run").ok().out, place.text("run/derived/net.mtl"));
    assert!(place.run("diff run derived.mtl --json").ok().json()["same"] == true);
    near(&evaluated(&place), &want["evaluated"], 1e-5, "evaluated");
    let summary = place.json("run/summary.json");
    assert_eq!(summary["set"], json!({ "width": 2 }));
    for (i, name) in ["derived", "all_shared", "independent"].into_iter().enumerate() {
        near(&summary["networks"][i]["test"], &want["evaluated"][name]["test"], 1e-5, name);
    }
    place.run("predict run rows.csv -o now.csv").ok();
    let table = |name: &str| -> Vec<Vec<String>> {
        place.text(name).lines().map(|l| l.split(',').map(str::to_string).collect()).collect()
    };
    let (now, then) = (table("now.csv"), table("predicted.csv"));
    assert_eq!((now.len(), &now[0]), (61, &then[0]));
    for (row, (a, b)) in now.iter().zip(&then).enumerate() {
        for (a, b) in a.iter().zip(b) {
            match (a.parse::<f64>(), b.parse::<f64>()) {
                (Ok(x), Ok(y)) => assert!((x - y).abs() <= 1e-5 * y.abs().max(1.0), "row {row}: {x} is not {y}"),
                _ => assert_eq!(a, b, "row {row}"),
            }
        }
    }
    // Nothing that was read was changed.
    place.run("verify run").ok();
}

#[test]
fn comparisons_are_read() {
    let place = stored();
    let want = place.json("compared/compare.json");
    let shown = place.run("compare --resume compared --json --quiet").ok().json();
    near(&shown, &want, 1e-12, "compare.json");
    assert!(want["rows"].as_array().is_some_and(|r| r.len() >= 4), "{want}");
    for run in ["learn_to_branch-0", "all_shared-0", "independent-0", "random-0"] {
        place.run(&format!("verify compared/runs/{run}")).ok();
    }
}

#[test]
fn a_stopped_run_goes_on() {
    let place = stored();
    assert_eq!(place.json("stopped/run.json")["status"], "stopped");
    let states = std::fs::read_dir(place.path("stopped/resume")).expect("states").count();
    assert_eq!(states, 1, "a state to go on from");
    let want = place.json("expected.json");
    near(&resumed(&place), &want["resumed"], 1e-3, "resumed");
    place.run("verify resumed").ok();
}

/// Files stay in the repository for good, so they are small.
#[test]
fn stored_files_are_small() {
    drop(stored());
    let mut stack = vec![folder()];
    let (mut files, mut total) = (0, 0);
    while let Some(at) = stack.pop() {
        for entry in std::fs::read_dir(&at).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => stack.push(path),
                false => {
                    let size = path.metadata().expect("a file").len();
                    assert!(size < 48 << 10, "{} has {size} bytes", path.display());
                    files += 1;
                    total += size;
                }
            }
        }
    }
    assert!(files > 20 && total < 400 << 10, "{files} files, {total} bytes");
}
