//! Positions in both encodings, on texts with everything that makes them hard.

use serde_json::{Value, json};

use crate::client::{at, start, start_with};

const URI: &str = "file:///project/p.mtl";

/// Emoji, right-to-left text and combining marks before what is asked for; all three line ends.
const TEXT: &str = "mtl 1\r\n# 🙂👨‍👩‍👧 שלום\rinput x: f32[4]\ntask \"é🙂\": binary  # ok\r\ntask b: binary\nbackbone net(x) {\n\tstage s = linear(nope)\n}\nhead for \"é🙂\", b = linear(outputs)\n";

#[test]
fn both_encodings_point_at_the_same_text() {
    for encoding in ["utf-8", "utf-16"] {
        let mut c = start_with(json!({ "general": { "positionEncodings": [encoding] } }), Value::Null);
        assert_eq!(c.capabilities["positionEncoding"], encoding);
        c.open(URI, TEXT);
        let problems = c.problems(URI);
        assert_eq!(problems[0]["range"]["start"], json!({ "line": 6, "character": 18 }), "{problems}");
        let column = if encoding == "utf-8" { 13 } else { 10 };
        let found = c.get("textDocument/definition", at(URI, 8, column));
        let end = if encoding == "utf-8" { 5 + 8 } else { 5 + 5 };
        assert_eq!(
            found["range"],
            json!({ "start": { "line": 3, "character": 5 }, "end": { "line": 3, "character": end } }),
            "{encoding}"
        );
        c.end();
    }
}

/// Edits by position give the text that the client has.
#[test]
fn edits_by_position_keep_the_text() {
    let mut c = start();
    c.open(URI, TEXT);
    let mut text = TEXT.to_string();
    let mut seed = 5u64;
    let mut roll = |n: usize| {
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (seed >> 33) as usize % n.max(1)
    };
    let pieces = ["x", "🙂", "\r\n", "\n", "\r", "é", "\t", "שלום", "", "{", "task q: binary\n"];
    for _ in 0..300 {
        let places: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
        // A position cannot stand between the two halves of a line end.
        let good = |i: &usize| !(*i > 0 && text.as_bytes()[*i - 1] == b'\r' && text.as_bytes().get(*i) == Some(&b'\n'));
        let places: Vec<usize> = places.into_iter().filter(good).collect();
        let from = roll(places.len());
        let to = (from + roll(6)).min(places.len() - 1);
        let (start, end) = (places[from], places[to]);
        let lines = mtlc::lsp::Lines::new(&text);
        let range = lines.range(&text, start..end, mtlc::lsp::Encoding::Utf16);
        let piece = pieces[roll(pieces.len())];
        text.replace_range(start..end, piece);
        c.edit(URI, json!([{ "range": range, "text": piece }]));
    }
    let state = c.get("mtlc/state", json!({ "textDocument": { "uri": URI } }));
    assert_eq!(state["text"], json!(text));
    c.end();
}
