//! What a client may do: nonsense, cancellation, stale requests, requests that make the server panic.

use serde_json::{Value, json};

use crate::client::{at, document, start};

const URI: &str = "file:///project/a.mtl";

#[test]
fn nonsense_is_refused_and_the_session_goes_on() {
    let mut c = start();
    c.open(URI, "mtl 1\nparam n: int = 1\n");
    for (method, params) in [
        ("textDocument/hover", Value::Null),
        ("textDocument/hover", json!({ "textDocument": 3, "position": "x" })),
        ("textDocument/hover", json!({ "textDocument": { "uri": URI }, "position": { "line": -1, "character": 0 } })),
        ("textDocument/hover", at("file:///not/open.mtl", 0, 0)),
        ("textDocument/rename", at(URI, 1, 6)),
        ("textDocument/noSuchThing", json!({})),
        ("workspace/executeCommand", json!({ "command": "rm", "arguments": [URI] })),
        ("mtlc/preview", json!([1, 2])),
        ("initialize", json!({})),
    ] {
        assert!(c.ask(method, params.clone()).is_err(), "{method} {params}");
    }
    for (method, params) in [
        ("textDocument/didOpen", json!({})),
        (
            "textDocument/didChange",
            json!({ "textDocument": { "uri": "file:///x", "version": 1 }, "contentChanges": [] }),
        ),
        (
            "textDocument/didChange",
            json!({ "textDocument": { "uri": URI, "version": 2 }, "contentChanges": [{ "range": 4 }] }),
        ),
        ("textDocument/didClose", json!({ "textDocument": { "uri": "file:///x" } })),
        ("workspace/didChangeConfiguration", json!({ "settings": [1, { "mtlc": "x" }] })),
        ("workspace/didChangeWatchedFiles", json!("x")),
        ("$/cancelRequest", json!({ "id": { "x": 1 } })),
        ("no/such/notification", json!({})),
    ] {
        c.tell(method, params);
    }
    // Positions beyond everything are the nearest there is.
    for (line, character) in [(0, 4_000_000_000), (4_000_000_000, 4_000_000_000), (4_000_000_000, 0)] {
        c.get("textDocument/completion", at(URI, line, character));
        let start = json!({ "line": line, "character": character });
        c.edit(URI, json!([{ "range": { "start": start, "end": { "line": 0, "character": 0 } }, "text": "" }]));
        c.edit(URI, json!([{ "text": "mtl 1\nparam n: int = 1\n" }]));
    }
    assert_eq!(c.problems(URI), json!([]));
    // Opened twice is opened anew.
    c.open(URI, "mtl 1\nparam n: int = x\n");
    assert_eq!(c.problems(URI)[0]["code"], "mtl::name::unknown");
    c.end();
}

#[test]
fn a_panic_is_the_error_of_one_request() {
    let mut c = start();
    c.open(URI, "mtl 1\nparam n: int = 1\n");
    assert_eq!(c.ask("mtlc/panic", document(URI)).unwrap_err().0, -32603);
    assert_ne!(c.get("textDocument/hover", at(URI, 1, 6)), Value::Null);
    assert!(c.said.iter().any(|n| n.params["message"].as_str().is_some_and(|m| m.contains("a bug in mtlc"))));
    c.end();
}

#[test]
fn stale_and_cancelled_requests_are_answered_as_such() {
    let mut c = start();
    let long: String = (0..3000).map(|i| format!("param p{i}: int = {i}\n")).collect();
    c.open(URI, &format!("mtl 1\n{long}"));
    c.settle();
    // The worker is busy with the first while the others come.
    c.edit(URI, json!([{ "text": format!("mtl 1\n{long}# more\n") }]));
    let first = c.begin("textDocument/semanticTokens/full", document(URI));
    let cancelled = c.begin("textDocument/hover", at(URI, 5, 7));
    c.tell("$/cancelRequest", json!({ "id": 4 }));
    let stale = c.begin("textDocument/documentSymbol", document(URI));
    c.edit(URI, json!([{ "text": "mtl 1\n" }]));
    let fresh = c.begin("textDocument/documentSymbol", document(URI));
    let answers = [first, cancelled, stale, fresh].map(|id| c.wait(&id));
    // Which of the first three was caught before the server took it up is chance; each has an answer of the right kind.
    for (i, code) in [(0, -32801), (1, -32800), (2, -32801)] {
        if let Err((got, _)) = &answers[i] {
            assert!(*got == code || *got == -32801, "{i}: {got}");
        }
    }
    assert_eq!(answers[3], Ok(json!([])));
    assert_eq!(c.problems(URI), json!([]));
    c.end();
}

#[test]
fn a_client_that_goes_away_ends_the_server() {
    let (server, client) = lsp_server::Connection::memory();
    let server = std::thread::spawn(move || mtlc::lsp::serve(server));
    drop(client);
    assert!(!server.join().expect("no panic"));
}

/// Blocks that are nested thousands deep are one problem, and the session goes on.
#[test]
fn deep_blocks_are_a_problem_of_the_program() {
    let chain = |n: usize| (1..n).map(|i| format!("block b{i} = b{}\n", i - 1)).collect::<String>();
    let body =
        |n: usize| (1..n).map(|i| format!("block b{i} {{ y = in -> b{}\n out = y }}\n", i - 1)).collect::<String>();
    let mut c = start();
    c.open(URI, "mtl 1\n");
    for blocks in [chain(3_000), body(3_000)] {
        let network = "input x: f32[8]\ntask a: binary\nbackbone net(x) { stage s = linear(4) -> b2999 }\nhead for a = linear(outputs)\n";
        c.change(URI, &format!("mtl 1\nblock b0 = relu\n{blocks}{network}"));
        assert_eq!(c.problems(URI)[0]["code"], "mtl::name::too_deep");
        c.change(URI, "mtl 1\nparam n: int = x\n");
        assert_eq!(c.problems(URI)[0]["code"], "mtl::name::unknown");
    }
    c.end();
}
