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
