//! What goes wrong while running: every message with its exit code in `tests/run/messages.txt`, and nothing overwritten.
//!
//! A message names the place and the way out; `UPDATE=1` rewrites the file: read it as the person who made the mistake.

use std::io::Write;
use std::path::Path;

use super::expectations::Expectations;
use super::support::*;

/// Runs commands in places that were made wrong, and writes down what they say.
struct Record {
    text: String,
}

impl Record {
    /// `wrong` spoils a good place; the command must end with `code`, and leave every file as it was.
    #[track_caller]
    fn case(&mut self, name: &str, code: i32, command: &str, wrong: impl FnOnce(&Place)) {
        let place = Place::table();
        wrong(&place);
        let before = place.contents();
        let ended = place.run(command);
        assert_eq!(ended.code, code, "{name}: {}{}", ended.out, ended.err);
        assert_eq!(ended.out, "", "{name}: nothing is produced");
        assert!(!ended.err.contains("bug in mtlc") && !ended.err.contains("panicked"), "{name}: {}", ended.err);
        let after = place.contents();
        let run = |p: &Path| p.starts_with("run") && code == 5;
        for (path, bytes) in &before {
            assert_eq!(after.get(path), Some(bytes), "{name}: {} changed", path.display());
        }
        let new: Vec<_> = after.keys().filter(|p| !before.contains_key(*p) && !run(p)).collect();
        assert!(new.is_empty(), "{name}: {new:?}");
        let said = ended.err.replace(&format!("{}/", place.path("").display()), "");
        self.text += &format!("## {name}\n$ mtlc {command}\n{}[exit {code}]\n\n", said);
    }

    fn finish(self, part: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/run/messages/{part}.txt"));
        let mut expectations = Expectations::default();
        expectations.check(&path, &self.text);
        expectations.finish();
    }
}

const TRAIN: &str = "train net.mtl -o run --device cpu --quiet";
const RUN: &str = "run net.mtl -o run --device cpu --quiet";

#[track_caller]
fn spec(place: &Place, from: &str, to: &str) {
    let text = place.text("net.mtl");
    assert!(text.contains(from), "{from}");
    place.write("net.mtl", text.replacen(from, to, 1).as_bytes());
}

/// Rewrites one line of `train.csv`, counted from 1.
fn line(place: &Place, at: usize, change: impl Fn(&str) -> String) {
    let text = place.text("train.csv");
    let lines: Vec<String> =
        text.lines().enumerate().map(|(i, l)| if i + 1 == at { change(l) } else { l.to_string() }).collect();
    place.write("train.csv", (lines.join("\n") + "\n").as_bytes());
}

fn remove(place: &Place, name: &str) {
    std::fs::remove_file(place.path(name)).expect("it is there");
}

/// The search of the spec in other words.
fn strategy(place: &Place, search: &str) {
    let text = place.text("net.mtl");
    let (start, end) = (text.find("search learn").expect("a search"), text.find("train {").expect("a train"));
    let text = format!("{}{search}\n\n{}", &text[..start], &text[end..]);
    let text = text.replace("param warmup: float = 1\n", "").replace("param strategy_idle: string = \"advance\"\n", "");
    place.write("net.mtl", text.as_bytes());
}

const ARRAYS: &str = r#"mtl 1
data d { format = npy, train = ["x.npy", "y.npy"], test = share(0.2, of = train) }
input x: f32[3] { from = d.x }
task y: regression(1) { from = d.y }
backbone net(x) { stage one = linear(4) }
head for * = linear(outputs)
"#;

fn arrays(place: &Place, x: &[u8], y: &[u8]) {
    place.write("x.npy", x);
    place.write("y.npy", y);
    place.write("net.mtl", ARRAYS.as_bytes());
}

#[test]
fn data() {
    let mut r = Record { text: String::new() };
    r.case("a missing file", 4, TRAIN, |p| remove(p, "train.csv"));
    r.case("a column that is not there", 3, TRAIN, |p| spec(p, "d.kind", "d.kimd"));
    r.case("a column to leave out that is not there", 3, TRAIN, |p| spec(p, "except = [yes", "except = [yess"));
    r.case("a label value that never occurs", 3, TRAIN, |p| spec(p, "d.yes == 1", "d.colour == \"purple\""));
    r.case("labels beyond the classes", 4, TRAIN, |p| spec(p, "classes(3)", "classes(2)"));
    r.case("no number in a table", 4, TRAIN, |p| line(p, 5, |l| format!("Inf{}", &l[l.find(',').expect("cells")..])));
    r.case("text in a numeric column", 4, TRAIN, |p| {
        spec(p, "train = \"train.csv\"", "train = \"train.csv\", numeric = [a, b, value]");
        line(p, 7, |l| format!("much{}", &l[l.find(',').expect("cells")..]));
    });
    r.case("a row too long", 4, TRAIN, |p| line(p, 9, |l| format!("{l},7")));
    r.case("a row too short", 4, TRAIN, |p| line(p, 9, |_| "1,2".into()));
    r.case("a table of no rows", 4, TRAIN, |p| drop(p.write("train.csv", b"a,b,colour,yes,kind,value\n")));
    r.case("a test split of no rows", 4, TRAIN, |p| spec(p, "test = share(0.2", "test = share(0.001"));
    r.case("shares of everything", 3, TRAIN, |p| spec(p, "test = share(0.2", "test = share(0.8"));
    r.case("a compressed table that is cut off", 4, TRAIN, |p| {
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(table(60).as_bytes()).expect("memory");
        let bytes = gz.finish().expect("memory");
        p.write("train.csv.gz", &bytes[..bytes.len() - 30]);
        spec(p, "train.csv", "train.csv.gz");
    });
    let (x, y) = (npy(&[20, 3], &numbers(60, 1)), npy(&[20], &numbers(20, 2)));
    r.case("no number in an array", 4, TRAIN, |p| {
        let mut values = numbers(60, 1);
        values[31] = f32::NAN;
        arrays(p, &npy(&[20, 3], &values), &y);
    });
    r.case("an array that is cut off", 4, TRAIN, |p| arrays(p, &x[..x.len() - 5], &y));
    r.case("a file that is no array", 4, TRAIN, |p| arrays(p, b"hello", &y));
    r.case("arrays of different length", 4, TRAIN, |p| arrays(p, &x, &npy(&[19], &numbers(19, 2))));
    r.case("an input of another size", 4, TRAIN, |p| {
        arrays(p, &x, &y);
        spec(p, "f32[3]", "f32[4]");
    });
    r.case("images that are cut off", 4, TRAIN, |p| {
        let idx = |sizes: &[u32], n: usize| -> Vec<u8> {
            let mut out = vec![0, 0, 8, sizes.len() as u8];
            out.extend(sizes.iter().flat_map(|s| s.to_be_bytes()));
            out.extend((0..n).map(|i| (i % 7) as u8));
            out
        };
        p.write("images.idx", &idx(&[20, 4, 4], 20 * 16 - 9));
        p.write("labels.idx", &idx(&[20], 20));
        let text = "mtl 1\ndata d { format = idx, images = \"images.idx\", labels = \"labels.idx\" }\n\
                    input x: f32[1, 4, 4] { from = d.image }\ntask y: classes(7) { from = d.label }\n\
                    backbone net(x) { stage one = flatten -> linear(4) }\nhead for * = linear(outputs)\n";
        p.write("net.mtl", text.as_bytes());
    });
    r.finish("data");
}

#[test]
fn programs_and_folders() {
    let mut r = Record { text: String::new() };
    r.case("a folder that is in use", 1, RUN, |p| drop(p.write("run/notes.txt", b"mine")));
    r.case("the folder is a file", 1, "run net.mtl -o train.csv --quiet", |_| ());
    r.case("the folder is below a file", 1, "run net.mtl -o train.csv/run --quiet", |_| ());
    if !cfg!(feature = "cuda") {
        r.case("no GPU", 1, "run net.mtl -o run --device cuda:0 --quiet", |_| ());
    }
    r.case("no such device", 1, "run net.mtl -o run --device tpu --quiet", |_| ());
    r.case("no such program", 1, "run nett.mtl -o run --quiet", |_| ());
    r.case("nothing to search", 3, RUN, |p| strategy(p, ""));
    let table = "search affinity { affinities = \"affinity.csv\" }";
    r.case("an affinity table that is not there", 4, RUN, |p| strategy(p, table));
    r.case("too few samples to measure affinities", 3, "search net.mtl -o run --device cpu --quiet", |p| {
        strategy(p, "search affinity");
        spec(p, "share(0.2", "share(0.03");
    });
    let options = " -o run --device cpu --quiet --random 2";
    r.case("random networks for a training run", 2, &format!("train net.mtl{options}"), |_| ());
    r.case("random networks for a search", 2, &format!("search net.mtl{options}"), |_| ());
    r.case("parameters without a program", 2, "verify net.mtl --set epochs=9", |_| ());
    r.case("no data to train on", 3, TRAIN, |p| {
        let text = "mtl 1\ninput x: f32[4]\ntask y: binary\nbackbone net(x) { stage one = linear(4) }\n\
                    head for * = linear(outputs)\n";
        p.write("net.mtl", text.as_bytes());
    });
    r.case("several data sets", 3, TRAIN, |p| {
        spec(p, "input x", "data e { format = csv, train = \"train.csv\" }\n\ninput x");
        spec(p, "d.kind", "e.kind");
    });
    r.case("a parameter that is not there", 3, "run net.mtl -o run --quiet --set epoch=3", |_| ());
    r.case("divergence", 5, "train net.mtl -o run --device cpu --quiet --set lr=1e30", |_| ());

    r.case("deriving nothing", 1, "derive nowhere", |_| ());
    r.case("deriving a file", 1, "derive net.mtl", |_| ());
    r.case("deriving another folder", 1, "derive notes", |p| drop(p.write("notes/a.txt", b"mine")));
    r.case("deriving a training", 1, "derive trained", |p| {
        p.run("train net.mtl -o trained --device cpu --quiet").ok();
    });
    r.case("deriving a search that was meddled with", 1, "derive run", |p| {
        p.run("search net.mtl -o run --device cpu --quiet").ok();
        let mut saved = p.json("run/search.json");
        saved["decisions"][0] = 7.into();
        p.write("run/search.json", saved.to_string().as_bytes());
    });
    r.case("evaluating nothing", 1, "evaluate nowhere", |_| ());
    r.case("evaluating a program without weights", 2, "evaluate net.mtl", |_| ());
    r.case("evaluating a search", 1, "evaluate run --device cpu --quiet", |p| {
        p.run("search net.mtl -o run --device cpu --quiet").ok();
    });
    let evaluate = "evaluate net.mtl --weights w.safetensors --device cpu --quiet";
    r.case("weights that are missing", 1, evaluate, |_| ());
    r.case("weights that are cut off", 1, evaluate, |p| {
        p.run("train net.mtl -o trained --device cpu --quiet").ok();
        let bytes = std::fs::read(p.path("trained/checkpoints/all_shared.safetensors")).expect("weights");
        p.write("w.safetensors", &bytes[..bytes.len() / 2]);
    });
    r.case("weights of another network", 1, evaluate, |p| {
        p.run("train net.mtl -o trained --device cpu --quiet").ok();
        std::fs::copy(p.path("trained/checkpoints/all_shared.safetensors"), p.path("w.safetensors")).expect("a copy");
        spec(p, "stage branch", "stage branches");
        spec(p, "level branch", "level branches");
    });
    r.case("weights of another size", 1, evaluate, |p| {
        p.run("train net.mtl -o trained --device cpu --quiet").ok();
        std::fs::copy(p.path("trained/checkpoints/all_shared.safetensors"), p.path("w.safetensors")).expect("a copy");
        spec(p, "linear(6)", "linear(7)");
    });

    r.case("freezing a program with an error", 3, "data freeze net.mtl --quiet", |p| spec(p, "-> relu", "-> rellu"));
    r.case("freezing without the data", 4, "data freeze net.mtl --quiet", |p| remove(p, "train.csv"));
    r.case("freezing broken data", 4, "data freeze net.mtl --quiet", |p| line(p, 9, |l| format!("{l},7")));
    r.finish("programs");
}

#[test]
fn divergence_keeps_what_was_done() {
    let place = Place::table();
    spec(
        &place,
        "train { epochs = epochs, batch = 12, optimizer = adam(lr = lr) }",
        "train { epochs = 2, batch = 12, optimizer = sgd(lr = 1e30) }",
    );
    let ended = place.run("run net.mtl -o run --device cpu");
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert_eq!(ended.out, "", "no product");
    for part in ["task `", "epoch 1, step ", "last finite losses: yes "] {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
    assert_eq!(place.json("run/run.json")["status"], "diverged");
    assert!(place.path("run/checkpoints/supernet.safetensors").exists());
    assert!(!place.path("run/checkpoints/derived.safetensors").exists());
    assert!(!place.path("run/summary.json").exists());
    // The search was finished: what it found can still be had.
    assert_eq!(place.run("derive run").ok().out, place.text("run/derived/net.mtl"));
}

#[test]
fn one_class_leaves_the_auc_undefined() {
    let place = Place::table();
    spec(&place, "d.yes == 1", "d.yes >= 0");
    let ended = place.run("train net.mtl -o run --json --device cpu").ok();
    assert!(ended.err.contains("AUC is undefined"), "{}", ended.err);
    let summary = ended.json();
    let metrics = summary["networks"][0]["test"]["tasks"][0]["metrics"].as_array().expect("a list").clone();
    let auc = metrics.iter().find(|m| m["name"] == "auc").expect("binary tasks have one");
    assert!(auc["value"].is_null());
    assert!(auc["undefined"].as_str().is_some_and(|r| !r.is_empty()), "{auc}");
}

#[test]
fn a_constant_column_is_said_and_does_no_harm() {
    let place = Place::table();
    for at in 2..=61 {
        line(&place, at, |l| format!("3.5{}", &l[l.find(',').expect("cells")..]));
    }
    let ended = place.run("train net.mtl -o run --device cpu").ok();
    assert!(ended.err.contains("column `a` holds the same number, 3.5"), "{}", ended.err);
}

#[test]
fn without_a_test_split_nothing_is_made_up() {
    let place = Place::table();
    spec(&place, ", test = share(0.2, of = train)", "");
    let ended = place.run("train net.mtl -o run --device cpu").ok();
    let summary = place.json("run/summary.json");
    assert!(summary["networks"][0]["test"].is_null(), "{summary}");
    assert!(summary["networks"][0]["validation"]["loss"].as_f64().is_some_and(|l| l > 0.0));
    assert!(ended.out.lines().next().is_some_and(|l| l.trim_end().ends_with("validation loss")), "{}", ended.out);
    assert!(ended.err.contains("no test split"), "{}", ended.err);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::table();
    place.write("closed/a.txt", b"mine");
    let closed = place.path("closed");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).expect("ours");
    // A superuser may write all the same: then there is nothing to see.
    let writable = std::fs::write(closed.join("probe"), b"").is_ok();
    if !writable {
        let ended = place.run("train net.mtl -o closed/run --device cpu");
        assert_eq!(ended.code, 1, "{}", ended.err);
        assert!(ended.err.contains("closed/run") && ended.err.contains("permission denied"), "{}", ended.err);
    }
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o755)).expect("ours");
}
