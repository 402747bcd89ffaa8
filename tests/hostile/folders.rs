//! Run folders from strangers. Whatever lies in one, nothing outside is written, and no other run's files are.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::place::{Place, SPEC, no_bug};

/// A search, so that a run leaves files of every kind.
fn search() -> String {
    let (start, end) = (SPEC.find("topology").expect("it has one"), SPEC.find("train {").expect("it has one"));
    format!(
        "{}space trees over net {{\n  level trunk {{ copies = 1 }}\n  level branch {{ copies = 2 }}\n}}\n\
         search learn_to_branch {{ epochs = 40, warmup = 1, batch = 4 }}\n{}",
        &SPEC[..start],
        &SPEC[end..]
    )
}

/// Begins a run and kills it in its first phase with a saved state.
fn killed(place: &Place) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mtlc"))
        .args("run net.mtl -o killed --device cpu --quiet --save-every 0s".split(' '))
        .current_dir(place.root())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let states = || std::fs::read_dir(place.path("killed/resume")).map_or(0, |d| d.flatten().count());
    while states() == 0 {
        assert_eq!(child.try_wait().expect("a child"), None, "it ended before it saved");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        match entry.file_type().expect("a kind").is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => drop(std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy")),
        }
    }
}

/// All files and folders below, by their names in the folder.
fn names(folder: &Path, below: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder.join(below)).expect("a folder").flatten() {
        let name = below.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            names(folder, &name, out);
        }
        out.push(name);
    }
}

fn remove(path: &Path) {
    let _ =
        if path.is_dir() && !path.is_symlink() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
}

/// What a stranger puts in the place of a file or a folder of a run.
const KINDS: [&str; 5] = ["a link to a file", "a dead link", "a hard link", "a link to a folder", "a pipe"];

fn plant(place: &Place, at: &Path, kind: &str) {
    remove(at);
    std::fs::create_dir_all(at.parent().expect("it is in a folder")).expect("a folder");
    match kind {
        "a link to a file" => symlink(place.path("outside/precious"), at).expect("a link"),
        "a dead link" => symlink(place.path("outside/new"), at).expect("a link"),
        "a hard link" => std::fs::hard_link(place.path("outside/precious"), at).expect("a link"),
        "a link to a folder" => symlink(place.path("outside"), at).expect("a link"),
        _ => assert!(Command::new("mkfifo").arg(at).status().is_ok_and(|s| s.success())),
    }
}

/// Every name that a run writes, taken from a run that is done and one that was killed, in the place of which something else lies when
/// the killed run goes on. `MTLC_LINKS=all` tries every kind for every name; else the kinds take turns.
#[test]
fn a_run_that_goes_on_writes_nothing_outside_its_folder() {
    let place = Place::table();
    place.write("net.mtl", search().as_bytes());
    place.write("outside/precious", "precious\n".repeat(40).as_bytes());
    killed(&place);
    copy(&place.path("killed"), &place.path("done"));
    let ended = place.run("run --resume done --quiet --device cpu");
    assert_eq!(ended.code, 0, "{}", ended.err);
    let (mut all, mut found) = (Vec::new(), Vec::new());
    names(&place.path("killed"), Path::new(""), &mut found);
    names(&place.path("done"), Path::new(""), &mut found);
    found.push("partial".into());
    found.sort();
    found.dedup();
    for needed in
        ["run.lock", "metrics.jsonl", "search.jsonl", "resume", "derived", "checkpoints", "networks", "SHA256SUMS"]
    {
        assert!(found.contains(&PathBuf::from(needed)), "{needed} of {found:?}");
    }
    let every = std::env::var("MTLC_LINKS").is_ok_and(|v| v == "all");
    for (i, name) in found.iter().enumerate() {
        for (k, kind) in KINDS.iter().enumerate() {
            if every
                || i % KINDS.len() == k
                || ["run.lock", "metrics.jsonl", "resume"].iter().any(|n| name == Path::new(n))
            {
                all.push((name, *kind));
            }
        }
    }
    let outside = || {
        let mut all = place.contents();
        all.retain(|p, _| !p.starts_with("tried"));
        all
    };
    let before = outside();
    for (name, kind) in all {
        let what = format!("`{}` is {kind}", name.display());
        remove(&place.path("tried"));
        copy(&place.path("killed"), &place.path("tried"));
        plant(&place, &place.path("tried").join(name), kind);
        for command in ["run --resume tried --quiet --device cpu", "derive tried"] {
            let ended = place.run(command);
            no_bug(&what, &ended);
            assert!([0, 1, 3].contains(&ended.code), "{what}: {command}: {}{}", ended.code, ended.err);
            assert_eq!(outside(), before, "{what}: {command}: {}", ended.err);
        }
    }
    // The message names what lies there.
    remove(&place.path("tried"));
    copy(&place.path("killed"), &place.path("tried"));
    plant(&place, &place.path("tried/run.lock"), "a link to a file");
    let ended = place.run("run --resume tried --quiet --device cpu");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("`run.lock` is a link"), "{}", ended.err);
}

/// Names in `request.json` become names of files: only those of strategies and baselines are taken.
#[test]
fn a_request_names_nothing_outside() {
    let place = Place::table();
    place.write("net.mtl", search().replace("epochs = 40", "epochs = 1").as_bytes());
    let made = place.run("compare net.mtl -o cmp --seeds 1 --with learn_to_branch,random --device cpu --quiet");
    assert_eq!(made.code, 0, "{}", made.err);
    let request = String::from_utf8(place.bytes("cmp/request.json")).expect("text");
    assert!(request.contains("\"name\": \"random\""), "{request}");
    copy(&place.path("cmp/programs"), &place.path("victim"));
    let before = place.contents();
    for name in ["../../victim/random", "/etc/x", "..", "", "a/b", "program", "random\\u0000", "no_such_strategy"] {
        place.write("cmp/request.json", request.replace("\"random\"", &format!("\"{name}\"")).as_bytes());
        let ended = place.run("compare --resume cmp --quiet");
        assert_eq!(ended.code, 1, "{name}: {}", ended.err);
        assert!(ended.err.contains("no strategy and no baseline"), "{name}: {}", ended.err);
        place.write("cmp/request.json", request.as_bytes());
        assert_eq!(place.contents(), before, "{name}");
    }
    // The folder of a run that is a link leads to another run.
    std::fs::rename(place.path("cmp/runs/random-0"), place.path("elsewhere")).expect("it is there");
    place.link("cmp/runs/random-0", place.path("elsewhere"));
    let before = place.contents();
    let ended = place.run("compare --resume cmp --quiet");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("`random-0` is a link"), "{}", ended.err);
    let elsewhere = |all: std::collections::BTreeMap<PathBuf, String>| -> Vec<_> {
        all.into_iter().filter(|(p, _)| p.starts_with("elsewhere")).collect()
    };
    assert_eq!(elsewhere(place.contents()), elsewhere(before));
}

/// What a killed process has left half made is removed by the next that works there, and what a live one makes is not.
#[test]
fn temporary_folders_of_killed_runs_are_removed() {
    let place = Place::table();
    place.write("net.mtl", search().replace("epochs = 40", "epochs = 1").as_bytes());
    let made = place.run("compare net.mtl -o cmp --seeds 1 --with random --device cpu --quiet");
    assert_eq!(made.code, 0, "{}", made.err);
    let made = place.run("run net.mtl -o folds --folds 2 --device cpu --quiet");
    assert_eq!(made.code, 0, "{}", made.err);
    let gone = |names: &[&str], command: &str| {
        for name in names {
            place.write(&format!("{name}/.mtlc-abcdef/checkpoints/w.safetensors"), b"half");
            place.write(&format!("{name}/.mtlc-abcdef/run.lock"), b"");
            place.write(&format!("{name}/.mtlc-123456/run.json"), b"{");
            place.write(&format!("{name}/.mtlc-xyzxyz"), b"half");
            place.link(&format!("{name}/.mtlc-abcdef/out"), place.path("train.csv"));
            // A live process holds this one.
            place.write(&format!("{name}/.mtlc-fedcba/run.lock"), b"1");
        }
        let held: Vec<std::fs::File> = names
            .iter()
            .map(|name| std::fs::File::open(place.path(&format!("{name}/.mtlc-fedcba/run.lock"))).expect("a file"))
            .collect();
        held.iter().for_each(|file| file.try_lock().expect("nobody has it"));
        let ended = place.run(command);
        assert_eq!(ended.code, 0, "{command}: {}", ended.err);
        for name in names {
            for left in [".mtlc-abcdef", ".mtlc-123456", ".mtlc-xyzxyz"] {
                assert!(!place.path(&format!("{name}/{left}")).exists(), "{command}: {name}/{left}");
            }
            let live = place.path(&format!("{name}/.mtlc-fedcba"));
            assert!(live.exists(), "{command}: {name}");
            std::fs::remove_dir_all(live).expect("a folder");
        }
    };
    gone(&["cmp", "cmp/runs"], "compare --resume cmp --quiet --device cpu");
    gone(&["folds", "folds/runs"], "run --resume folds --quiet --device cpu");
    // In a folder of the user's, only what has a lock that nobody holds.
    place.write("mine/.mtlc-abcdef/run.lock", b"");
    place.write("mine/.mtlc-123456/notes.txt", b"the user's own");
    place.write("mine/.mtlc-file", b"the user's own");
    let ended = place.run("run net.mtl -o mine/run --device cpu --quiet");
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(!place.path("mine/.mtlc-abcdef").exists());
    assert!(place.path("mine/.mtlc-123456/notes.txt").exists() && place.path("mine/.mtlc-file").exists());
}

/// A comparison is one process at a time.
#[test]
fn two_processes_do_not_share_a_comparison() {
    let place = Place::table();
    place.write("net.mtl", search().replace("epochs = 40", "epochs = 1").as_bytes());
    let made = place.run("compare net.mtl -o cmp --seeds 1 --with random --device cpu --quiet");
    assert_eq!(made.code, 0, "{}", made.err);
    let lock = std::fs::File::open(place.path("cmp/run.lock")).expect("a comparison has a lock");
    lock.try_lock().expect("nobody has it");
    let before = place.contents();
    let ended = place.run("compare --resume cmp --quiet");
    assert_eq!(ended.code, 1, "{}", ended.err);
    assert!(ended.err.contains("another mtlc"), "{}", ended.err);
    assert_eq!(place.contents(), before);
}
