//! The layering that `src/lib.rs` states: a room uses only rooms above it in the table of rooms. Read from the sources: every
//! `crate::ROOM` outside comments and test modules counts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Uses against the order of the table: room, what it uses, the paths that it may name there, and why.
const DOORS: [(&str, &str, &[&str], &str); 2] = [
    ("hir", "search", &["StrategyDef", "strategy", "strategies"], "reads the definitions of strategies"),
    ("check", "search", &["Offer", "StrategyDef", "strategies"], "reads the definitions of strategies"),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Rooms in the order of the table in `lib.rs`.
fn rooms() -> Vec<String> {
    let text = std::fs::read_to_string(source().join("lib.rs")).expect("src/lib.rs");
    text.lines()
        .filter_map(|l| l.strip_prefix("//! | [`")?.split_once("`] |"))
        .map(|(name, _)| name.to_string())
        .collect()
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src can be listed") {
        let path = entry.expect("src can be listed").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// What a text uses of the crate: `(room, first name in it)`, and the line. A name is empty where the room itself is used.
fn uses(text: &str) -> Vec<(String, String, usize)> {
    let code: String = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .unwrap_or_default()
        .lines()
        .map(|l| if l.trim_start().starts_with("//") { "\n".to_string() } else { format!("{l}\n") })
        .collect();
    let mut out = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let line = code[..at].matches('\n').count() + 1;
        for path in expand(&code[at + "crate::".len()..]) {
            let mut parts = path.split("::").map(str::trim);
            let room = parts.next().unwrap_or_default().to_string();
            out.push((room, parts.next().unwrap_or_default().to_string(), line));
        }
    }
    out
}

/// The paths that stand here: `a::b`, or each of `{a, b::{c, d}}`, two levels deep.
fn expand(text: &str) -> Vec<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let rest = &text[word.len()..];
    if word.is_empty() {
        return match rest.strip_prefix('{') {
            Some(inside) => members(inside).iter().flat_map(|m| expand(m)).collect(),
            None => Vec::new(),
        };
    }
    match rest.strip_prefix("::") {
        Some(more) => {
            let inner = expand(more);
            if inner.is_empty() { vec![word] } else { inner.into_iter().map(|i| format!("{word}::{i}")).collect() }
        }
        None => vec![word],
    }
}

/// The members of a braced list whose opening brace has been read.
fn members(text: &str) -> Vec<String> {
    let (mut out, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                out.push(String::new());
                continue;
            }
            _ => {}
        }
        let last = out.last_mut().expect("one is there");
        if !(last.is_empty() && c.is_whitespace()) {
            last.push(c);
        }
    }
    out
}

#[test]
fn rooms_use_rooms_above_them() {
    let rooms = rooms();
    let place: BTreeMap<&str, usize> = rooms.iter().enumerate().map(|(i, r)| (r.as_str(), i)).collect();
    assert!(rooms.len() >= 20, "the table of rooms in lib.rs: {rooms:?}");
    let mut all = Vec::new();
    files(&source(), &mut all);
    let mut wrong = BTreeSet::new();
    let mut opened = BTreeSet::new();
    for path in all {
        let inside = path.strip_prefix(source()).expect("a file of src");
        let room = inside.iter().next().and_then(|p| p.to_str()).expect("a name").trim_end_matches(".rs");
        if room == "lib" || room == "main" {
            continue;
        }
        let Some(&here) = place.get(room) else {
            wrong.insert(format!("`{room}` has no row in the table of src/lib.rs"));
            continue;
        };
        let text = std::fs::read_to_string(&path).expect("it was listed");
        for (used, name, line) in uses(&text) {
            // Macros and names at the root of the crate are no rooms.
            let Some(&there) = place.get(used.as_str()) else { continue };
            if there <= here {
                continue;
            }
            match DOORS.iter().find(|d| d.0 == room && d.1 == used && d.2.contains(&name.as_str())) {
                Some(door) => {
                    opened.insert((door.0, door.1));
                }
                None => {
                    wrong.insert(format!("src/{}:{line}: `{room}` uses `{used}::{name}`", inside.display()));
                }
            }
        }
    }
    for (room, used, _, why) in DOORS {
        if !opened.contains(&(room, used)) {
            wrong.insert(format!("nothing in `{room}` uses `{used}` any more ({why}): remove the door"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn uses_are_read() {
    let text = "use crate::{a::b, c::{d, e}};\n// crate::no\nfn f() { crate::g::h::i() }\n";
    let found: Vec<(String, String)> = uses(text).into_iter().map(|u| (u.0, u.1)).collect();
    let want = [("a", "b"), ("c", "d"), ("c", "e"), ("g", "h")].map(|(a, b)| (a.to_string(), b.to_string()));
    assert_eq!(found, want);
}

/// Calls that open a file by its path, so that a pipe could block for ever, a device be read without end, or a link be followed.
const OPENS: [&str; 6] =
    ["fs::read(", "fs::read_to_string(", "File::open(", "OpenOptions::new(", "File::options(", "fs::write("];

/// Where they may be, and why; everything else goes through `source::{open_regular, read_bytes, read_text}` and `source::Folder`.
const MAY_OPEN: [(&str, &str); 10] = [
    ("source/disk.rs", "the door itself"),
    ("source/held_other.rs", "looks for links first"),
    ("source/machine.rs", "files of the system"),
    ("source/limits.rs", "files of the system"),
    ("cli/cmd/doctor.rs", "files of the system"),
    ("cli/write.rs", "writes to a device that the user names with `-o`"),
    ("data/fresh/mod.rs", "reads a stream that the user names on the command line"),
    ("data/fresh/table.rs", "a function of its own of that name"),
    ("lsp/answers/commands.rs", "makes a new log"),
    ("lsp/worker.rs", "writes in a private folder"),
];

#[test]
fn files_are_opened_in_one_place() {
    let (mut all, mut wrong, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    files(&source(), &mut all);
    for path in all {
        let inside = path.strip_prefix(source()).expect("a file of src").to_string_lossy().replace('\\', "/");
        let text = std::fs::read_to_string(&path).expect("it was listed");
        // Tests make files as they like.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let code = code.split("#[cfg(all(test").next().unwrap_or_default();
        for (n, line) in code.lines().enumerate().filter(|(_, l)| !l.trim_start().starts_with("//")) {
            let Some(call) = OPENS.iter().find(|c| line.contains(*c)) else { continue };
            match MAY_OPEN.iter().find(|(file, _)| *file == inside) {
                Some((file, _)) => drop(used.insert(*file)),
                None => wrong
                    .push(format!("src/{inside}:{}: `{call}` (use `source::open_regular` or `source::Folder`)", n + 1)),
            }
        }
    }
    let unused = MAY_OPEN.iter().filter(|(file, _)| !used.contains(file));
    wrong.extend(unused.map(|(file, why)| format!("src/{file} opens nothing any more ({why}): remove its line")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
