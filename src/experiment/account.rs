//! Checks that the records of a run folder are consistent: `run.json` has an id that is a digest of its own contents and of the program,
//! some values are in several records, and files that are not in the list of checksums are reported.

use std::collections::BTreeSet;

use serde_json::Value;

use super::run::{Command, Info, Status};
use super::verify::{Answer, Verdict};
use super::{RunFolder, sums};
use crate::artifact::TOOL;
use crate::runtime::RunError;
use crate::runtime::format;

use Verdict::{Differs, Holds, Unknown};

/// Checks whether `run.json` is unchanged since the run began.
pub fn record(folder: &RunFolder) -> (Option<Info>, Vec<Answer>) {
    let answer = |question, verdict, why: String| Answer::new("run.json", question, verdict, why);
    let info: Info = match folder.read_json("run.json") {
        Ok(info) => info,
        Err(e) => return (None, vec![answer("id", Differs, e.to_string())]),
    };
    let mut out = vec![match info.status {
        Status::Done => answer("finished", Holds, "the run is done".into()),
        other => answer("finished", Unknown, format!("the run is `{}`, not `done`", other.name()))
            .help("its files may still change, and there are no sums to compare them with"),
    }];
    let formats = format!("format {}, written by {}", info.version, info.tool);
    out.push(answer(
        "version",
        Holds,
        match info.tool == TOOL {
            true => formats,
            false => format!("{formats}; this is {TOOL}, which reads it, and may give other numbers"),
        },
    ));
    out.push(match folder.read("program.mtl") {
        Ok(program) if info.identify(&program) == info.id => {
            answer("id", Holds, format!("its id ({}) is that of its contents and of `program.mtl`", info.id))
        }
        Ok(_) => answer(
            "id",
            Differs,
            "its id does not match its contents and `program.mtl`: the program, the seed, the tool or another entry was edited".into(),
        )
        .help("the lines below show what else disagrees; `mtlc run` with the program makes a new run"),
        Err(e) => answer("id", Unknown, format!("it depends on `program.mtl`: {e}")),
    });
    (Some(info), out)
}

/// Checks whether the other records agree with `run.json` and with one another.
pub fn records(folder: &RunFolder, info: &Info) -> Vec<Answer> {
    let mut out = Vec::new();
    let mut read = |name: &str| -> Option<Value> {
        if !folder.path.join(name).is_file() {
            return None;
        }
        let parsed = folder.read(name).and_then(|t| {
            let value: Value =
                serde_json::from_str(&t).map_err(|e| RunError::Checkpoint(format!("it cannot be read: {e}")))?;
            format::known(&value, 1).map_err(|why| RunError::Checkpoint(format!("it {why}")))?;
            Ok(value)
        });
        parsed.map_err(|e| out.push(Answer::new(name, "records", Differs, e.to_string()))).ok()
    };
    let (summary, search, progress) = (read("summary.json"), read("search.json"), read("progress.json"));
    let own = serde_json::to_value(info).expect("text and numbers");
    // `@` is replaced by the path of the part that differs.
    let mut compare = |name: &str, other: &str, pairs: &[(&str, &Value, &Value)]| {
        for (what, here, there) in pairs {
            let mut parts = Vec::new();
            differing(String::new(), here, there, &mut parts);
            for (part, here, there) in parts.iter().take(MOST_PARTS) {
                let what = what.replace('@', part);
                let why = format!("its {what} is {}, and `{other}` has {}", shown(here), shown(there));
                out.push(Answer::new(name, "records", Differs, why));
            }
        }
    };
    if let Some(s) = &summary {
        let pairs = ["tool", "spec", "set@", "seed"].map(|k| {
            let key = k.trim_end_matches('@');
            (k, &s[key], &own[key])
        });
        compare("summary.json", "run.json", &pairs);
        if let Some(found) = &search {
            compare("summary.json", "search.json", &[("search@", &s["search"], found)]);
        }
        let none = Vec::new();
        let phases = progress.as_ref().and_then(|p| p["phases"].as_array()).unwrap_or(&none);
        for network in s["networks"].as_array().unwrap_or(&none) {
            let name = network["name"].as_str().unwrap_or_default();
            let phase = phases.iter().find(|p| p["name"] == network["name"]);
            // The summary contains everything that the phase recorded, and possibly more.
            let Some(result) = phase.and_then(|p| p["result"].as_object()) else {
                if progress.is_some() {
                    compare("summary.json", "progress.json", &[(&format!("network `{name}`@"), network, &Value::Null)]);
                }
                continue;
            };
            for (key, there) in result {
                compare("summary.json", "progress.json", &[(&format!("{key}@ of `{name}`"), &network[key], there)]);
            }
        }
    }
    if let Some(device) = progress.as_ref().map(|p| &p["device"]).filter(|d| !d.is_null()) {
        compare("run.json", "progress.json", &[("device", &own["device"], device)]);
    }
    if let Some(s) = &search {
        compare("search.json", "run.json", &[("seed", &s["seed"], &own["seed"])]);
    }
    if out.is_empty() && summary.is_some() {
        let why = "its contents are also in `run.json`, `search.json` and `progress.json`";
        out.push(Answer::new("summary.json", "records", Holds, why));
    }
    out
}

/// The largest number of differing parts that are shown for two values.
const MOST_PARTS: usize = 3;

/// Finds the parts in which two values differ, with their paths: `.loss`, `.tasks[2].loss`.
fn differing<'v>(at: String, a: &'v Value, b: &'v Value, out: &mut Vec<(String, &'v Value, &'v Value)>) {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            for key in x.keys().chain(y.keys().filter(|k| !x.contains_key(*k))) {
                differing(format!("{at}.{key}"), &a[key.as_str()], &b[key.as_str()], out);
            }
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).enumerate().for_each(|(i, (x, y))| differing(format!("{at}[{i}]"), x, y, out));
        }
        _ if a == b => {}
        _ => out.push((at, a, b)),
    }
}

/// A value for a message: numbers and short text in full, larger values as a word.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::Object(_) | Value::Array(_) => {
            let text = value.to_string();
            if text.len() <= 80 { format!("`{text}`") } else { "something longer".into() }
        }
        value => format!("`{value}`"),
    }
}

/// Checks whether every file is unchanged since the run ended. There is one answer for the list, and one for each file that was changed,
/// is missing, or is in no list.
pub fn files(folder: &RunFolder, info: Option<&Info>) -> Result<Vec<Answer>, RunError> {
    let of_list = |verdict, why: String| Answer::new(sums::FILE, "files", verdict, why);
    let of_file = |name: &str, verdict, why: &str| Answer::new(name, "files", verdict, why);
    let done = info.is_none_or(|i| i.status == Status::Done);
    let mut out = Vec::new();
    let mut told: BTreeSet<String> = BTreeSet::new();
    match sums::compare(folder) {
        Err(e) => out.push(of_list(Differs, e.to_string())),
        Ok(None) if done => {
            out.push(of_list(Differs, "it is missing: a run that is done has this list of all its files".into()))
        }
        Ok(None) => {}
        Ok(Some(c)) => {
            let wrong = c.changed.len() + c.missing.len();
            let sum = info.and_then(|i| i.sums.as_ref());
            out.push(match (sum, wrong) {
                (None, _) if info.is_some() && done => of_list(
                    Differs,
                    "`run.json` has no `sums`, the checksum of this list, so the list may not be the one that the run wrote".into(),
                ),
                (Some(sum), _) if *sum != c.own => of_list(
                    Differs,
                    "it is not the list that the run wrote: lines were changed, added or removed".into(),
                ),
                (_, 0) => of_list(Holds, format!("all {} files in it are as the run left them", c.same)),
                (_, _) => {
                    of_list(Differs, format!("{wrong} of {} files in it are not as the run left them", c.same + wrong))
                }
            });
            out.extend(c.changed.iter().map(|f| of_file(f, Differs, "it was changed since the run ended")));
            out.extend(c.missing.iter().map(|f| of_file(f, Differs, "it is missing")));
            told.extend(c.missing);
            for name in c.unlisted {
                let why = match is_of_a_run(&name) {
                    true => "it is not in `SHA256SUMS`, so that nothing shows whether it is as the run left it",
                    false => "it is not a file of the run: it is in no list, and was added later",
                };
                out.push(of_file(&name, Unknown, why));
                told.insert(name);
            }
        }
    }
    for name in sums::all(&folder.path)?.iter().filter(|n| !is_of_a_run(n) && !told.contains(*n)) {
        // For a run that is done, the list defines which files belong to it.
        if !done {
            out.push(of_file(name, Unknown, "it is not a file of the run"));
        }
    }
    for name in sums::neither_file_nor_folder(&folder.path)? {
        out.push(of_file(&name, Unknown, "it is a link or a device, and a run leaves only files"));
    }
    if let Some(info) = info.filter(|_| done) {
        for name in expected(info) {
            if !folder.path.join(&name).is_file() && !told.contains(&name) {
                out.push(of_file(&name, Differs, "it is missing"));
            }
        }
    }
    Ok(out)
}

/// The files that every finished run of a command has.
fn expected(info: &Info) -> Vec<String> {
    let mut out: Vec<String> =
        ["source.mtl", "program.mtl", "progress.json", "summary.json"].map(String::from).to_vec();
    if info.command != Command::Train {
        out.extend(["search.json", "derived/net.mtl"].map(String::from));
    }
    if info.command != Command::Search {
        out.push(format!("checkpoints/{}.safetensors", info.network));
    }
    out
}

/// Whether a run may write a file of that name. `experiment/folder.rs` lists these files.
fn is_of_a_run(name: &str) -> bool {
    let ends = |endings: &[&str]| endings.iter().any(|e| name.ends_with(e));
    match name.split_once('/') {
        None => {
            let named = ["run.lock", "source.mtl", "program.mtl", sums::FILE].contains(&name);
            named || ends(&[".json", ".jsonl", ".svg", ".vocab"])
        }
        Some(("checkpoints" | "resume", rest)) => !rest.contains('/') && ends(&[".safetensors"]),
        Some(("derived", rest)) => rest == "net.mtl" || !rest.contains('/') && ends(&[".vocab"]),
        Some(("networks", rest)) => !rest.contains('/') && ends(&[".mtl", ".vocab"]),
        Some(("partial", _)) => ends(&[".json", ".mtl", ".vocab"]),
        Some(_) => false,
    }
}
