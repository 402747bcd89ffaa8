//! Texts as they are typed: after every key the server answers, and holds what a fresh start would find.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::client::{Client, document, start};

fn examples() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["examples", "tests/golden"].map(|f| root.join(f));
    let all = mtlc::source::programs(&folders).expect("they can be listed");
    all.into_iter().map(|p| (p.clone(), std::fs::read_to_string(p).expect("it can be read"))).collect()
}

/// Everything an editor asks after a key, at a place.
fn ask_all(c: &mut Client, uri: &str, text: &str, offset: usize) {
    let lines = mtlc::lsp::Lines::new(text);
    let p = lines.position(text, offset, mtlc::lsp::Encoding::Utf16);
    let here = json!({ "textDocument": { "uri": uri }, "position": p });
    let whole = json!({ "start": { "line": 0, "character": 0 }, "end": { "line": 100_000, "character": 0 } });
    for method in ["hover", "completion", "definition", "documentHighlight"] {
        c.get(&format!("textDocument/{method}"), here.clone());
    }
    let mut asked = document(uri);
    asked["range"] = whole;
    for method in ["inlayHint", "semanticTokens/range"] {
        c.get(&format!("textDocument/{method}"), asked.clone());
    }
    for method in ["documentSymbol", "foldingRange", "codeLens"] {
        c.get(&format!("textDocument/{method}"), document(uri));
    }
    let mut asked = document(uri);
    asked["range"] = json!({ "start": p, "end": p });
    asked["context"] = json!({ "diagnostics": [] });
    c.get("textDocument/codeAction", asked);
    let mut asked = document(uri);
    asked["options"] = json!({ "tabSize": 2, "insertSpaces": true });
    c.get("textDocument/formatting", asked);
}

/// What a fresh start finds in a text.
fn fresh(path: &Path, text: &str) -> Vec<(String, usize, usize)> {
    let compiled = mtlc::driver::compile_text(text, path, &Default::default(), &mtlc::driver::read);
    let in_root =
        compiled.diagnostics.iter().filter(|d| d.primary.as_ref().is_none_or(|p| p.span.file == compiled.root));
    in_root
        .map(|d| {
            let p = d.primary.as_ref().map_or((0, 0), |p| (p.span.start as usize, p.span.end as usize));
            (d.code.name().to_string(), p.0, p.1)
        })
        .collect()
}

fn held(problems: &Value, text: &str) -> Vec<(String, usize, usize)> {
    let lines = mtlc::lsp::Lines::new(text);
    let offset = |p: &Value| {
        let at = gen_lsp_types::Position {
            line: p["line"].as_u64().unwrap() as u32,
            character: p["character"].as_u64().unwrap() as u32,
        };
        lines.offset(text, at, mtlc::lsp::Encoding::Utf16)
    };
    let list = problems.as_array().expect("a list").iter();
    list.map(|d| (d["code"].as_str().unwrap().to_string(), offset(&d["range"]["start"]), offset(&d["range"]["end"])))
        .collect()
}

/// Every prefix of every example; at some of them everything is asked.
#[test]
fn every_prefix_of_every_example() {
    let mut c = start();
    let mut prefixes = 0;
    for (path, text) in examples() {
        let uri = format!("file://{}", path.display());
        c.open(&uri, "");
        // Derived files are long lists of the same; their first part is typed like any other.
        for (i, (at, _)) in text.char_indices().enumerate().take(2500) {
            if i % 7 != 0 && i > 400 {
                continue;
            }
            let typed = &text[..at];
            c.change(&uri, typed);
            prefixes += 1;
            if i % 41 == 0 {
                ask_all(&mut c, &uri, typed, at);
                let problems = c.problems(&uri);
                assert_eq!(held(&problems, typed), fresh(&path, typed), "{}\n{typed}", path.display());
            }
        }
        c.tell("textDocument/didClose", document(&uri));
    }
    println!("{prefixes} prefixes");
    c.end();
}

/// A writing session as people have them: lines are typed, slips taken back, words replaced, lines moved and removed.
pub fn session(many: usize) -> Vec<(usize, usize, String)> {
    let text: String = {
        let all = examples();
        let (_, text) = all.iter().find(|(p, _)| p.ends_with("examples/digits.mtl")).expect("it is there");
        text.clone()
    };
    let mut seed = 3u64;
    let mut roll = move |n: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n.max(1)
    };
    let mut now: Vec<char> = Vec::new();
    let mut out: Vec<(usize, usize, String)> = Vec::new();
    let target: Vec<char> = text.chars().collect();
    let mut next = 0;
    while out.len() < many {
        let mut edit = |now: &mut Vec<char>, from: usize, to: usize, new: &str| {
            now.splice(from..to, new.chars());
            out.push((from, to, new.to_string()));
        };
        if next < target.len() {
            let end = now.len();
            match roll(20) {
                // A slip, and the key that takes it back.
                0 => {
                    edit(&mut now, end, end, ["x", "}", "\"", " ", "("][roll(5)]);
                    let end = now.len();
                    edit(&mut now, end - 1, end, "");
                }
                // A word that the editor completes.
                1 => {
                    let stop = (next + 1 + roll(12)).min(target.len());
                    let word: String = target[next..stop].iter().collect();
                    edit(&mut now, end, end, &word);
                    next = stop;
                }
                _ => {
                    edit(&mut now, end, end, &target[next].to_string());
                    next += 1;
                }
            }
            continue;
        }
        // The text is whole: it is worked on.
        let at = roll(now.len());
        match roll(6) {
            0 => edit(&mut now, at, at, &target[roll(target.len())].to_string()),
            1 => {
                let end = (at + 1).min(now.len());
                edit(&mut now, at, end, "");
            }
            2 => {
                let end = now[at..].iter().position(|c| *c == '\n').map_or(now.len(), |n| at + n + 1);
                edit(&mut now, at, end, "");
            }
            3 => {
                let from = roll(target.len());
                let line: String = target[from..].iter().take(40).collect();
                edit(&mut now, at, at, &line);
            }
            // Everything as it was, by one paste.
            4 if roll(8) == 0 => {
                let (end, text) = (now.len(), text.clone());
                edit(&mut now, 0, end, &text);
            }
            _ => edit(&mut now, at, at, ["\n", "  ", "🙂", "relu", "-> ", "# note\n"][roll(6)]),
        }
    }
    out
}

/// After each of many edits the server holds what a fresh analysis finds. `REPLAY=5000` replays that many.
#[test]
fn a_session_is_replayed() {
    let many = std::env::var("REPLAY").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/replayed.mtl");
    let uri = format!("file://{}", path.display());
    let mut c = start();
    c.open(&uri, "");
    let mut now: Vec<char> = Vec::new();
    let mut times: Vec<f64> = Vec::new();
    for (from, to, new) in session(many) {
        let before: String = now.iter().collect();
        let byte = |chars: usize| before.char_indices().nth(chars).map_or(before.len(), |(i, _)| i);
        let lines = mtlc::lsp::Lines::new(&before);
        let range = lines.range(&before, byte(from)..byte(to), mtlc::lsp::Encoding::Utf16);
        now.splice(from..to, new.chars());
        let text: String = now.iter().collect();
        let start = std::time::Instant::now();
        c.edit(&uri, json!([{ "range": range, "text": new }]));
        let problems = c.problems(&uri);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(held(&problems, &text), fresh(&path, &text), "{text}");
    }
    times.sort_by(f64::total_cmp);
    let at = |p: f64| times[((times.len() - 1) as f64 * p) as usize];
    println!(
        "{many} edits: p50 {:.2} ms, p95 {:.2} ms, p99 {:.2} ms, most {:.2} ms",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
    c.end();
}
