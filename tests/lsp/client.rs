//! A client in the same process: requests are waited for, what the server says meanwhile is kept.

use std::collections::HashMap;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};

pub struct Client {
    connection: Option<Connection>,
    server: Option<JoinHandle<bool>>,
    next: i32,
    pub capabilities: Value,
    /// The last problems of each document, with their version.
    pub problems: HashMap<String, (Option<i64>, Value)>,
    pub said: Vec<Notification>,
    versions: HashMap<String, i32>,
}

const PATIENCE: Duration = Duration::from_secs(60);

pub fn start() -> Client {
    start_with(json!({}), Value::Null)
}

pub fn start_with(extra: Value, options: Value) -> Client {
    let (server, client) = Connection::memory();
    let server = std::thread::spawn(move || mtlc::lsp::serve(server));
    let mut it = Client {
        connection: Some(client),
        server: Some(server),
        next: 0,
        capabilities: Value::Null,
        problems: HashMap::new(),
        said: Vec::new(),
        versions: HashMap::new(),
    };
    let mut capabilities = json!({
        "textDocument": { "completion": { "completionItem": { "snippetSupport": true } } },
        "workspace": { "workspaceEdit": { "documentChanges": true, "resourceOperations": ["create"] } },
    });
    let mut params = json!({ "processId": null, "rootUri": null });
    for (key, value) in extra.as_object().into_iter().flatten() {
        match key.as_str() {
            "rootUri" | "workspaceFolders" => params[key] = value.clone(),
            _ => capabilities[key] = value.clone(),
        }
    }
    params["capabilities"] = capabilities;
    params["initializationOptions"] = options;
    it.capabilities = it.ask("initialize", params).expect("the server begins")["capabilities"].clone();
    it.tell("initialized", json!({}));
    it
}

impl Client {
    fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("the session is open")
    }

    pub fn tell(&mut self, method: &str, params: Value) {
        let n = Notification { method: method.into(), params };
        self.connection().sender.send(n.into()).expect("the server listens");
    }

    pub fn begin(&mut self, method: &str, params: Value) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next);
        let r = Request { id: id.clone(), method: method.into(), params };
        self.connection().sender.send(r.into()).expect("the server listens");
        id
    }

    fn take(&mut self, message: Message) -> Option<Response> {
        match message {
            Message::Response(r) => return Some(r),
            Message::Notification(n) if n.method == "textDocument/publishDiagnostics" => {
                let uri = n.params["uri"].as_str().expect("a uri").to_string();
                self.problems.insert(uri, (n.params["version"].as_i64(), n.params["diagnostics"].clone()));
            }
            Message::Notification(n) => self.said.push(n),
            Message::Request(_) => {}
        }
        None
    }

    pub fn wait(&mut self, id: &RequestId) -> Result<Value, (i32, String)> {
        loop {
            let message = self.connection().receiver.recv_timeout(PATIENCE).expect("the server answers");
            if let Some(r) = self.take(message) {
                assert_eq!(r.id, *id, "answers come in order");
                return r.response_result.map_err(|e| (e.code, e.message));
            }
        }
    }

    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, (i32, String)> {
        let id = self.begin(method, params);
        self.wait(&id)
    }

    /// The answer, which there must be.
    pub fn get(&mut self, method: &str, params: Value) -> Value {
        self.ask(method, params).unwrap_or_else(|e| panic!("{method}: {e:?}"))
    }

    pub fn open(&mut self, uri: &str, text: &str) {
        self.versions.insert(uri.into(), 1);
        let document = json!({ "uri": uri, "languageId": "mtl", "version": 1, "text": text });
        self.tell("textDocument/didOpen", json!({ "textDocument": document }));
    }

    pub fn change(&mut self, uri: &str, text: &str) {
        self.edit(uri, json!([{ "text": text }]));
    }

    pub fn edit(&mut self, uri: &str, changes: Value) {
        let version = self.versions.get_mut(uri).expect("it is open");
        *version += 1;
        let document = json!({ "uri": uri, "version": *version });
        self.tell("textDocument/didChange", json!({ "textDocument": document, "contentChanges": changes }));
    }

    /// The problems of a document's present version.
    pub fn problems(&mut self, uri: &str) -> Value {
        let version = self.versions.get(uri).map(|v| i64::from(*v));
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some((v, found)) = self.problems.get(uri)
                && *v == version
            {
                return found.clone();
            }
            assert!(Instant::now() < until, "no problems of {uri} at {version:?}");
            let message = self.connection().receiver.recv_timeout(PATIENCE).expect("the server publishes");
            assert!(self.take(message).is_none(), "nothing was asked");
        }
    }

    /// Reads all that has been said so far.
    pub fn settle(&mut self) {
        let _ = self.ask("workspace/symbol", json!({ "query": "no such name" }));
        while let Ok(message) = self.connection().receiver.recv_timeout(Duration::from_millis(50)) {
            self.take(message);
        }
    }

    pub fn end(mut self) {
        self.finish();
    }

    fn finish(&mut self) {
        let id = self.begin("shutdown", Value::Null);
        self.wait(&id).expect("it shuts down");
        self.tell("exit", Value::Null);
        let clean = self.server.take().expect("once").join().expect("the server does not panic");
        assert!(clean);
        self.connection = None;
    }
}

pub fn document(uri: &str) -> Value {
    json!({ "textDocument": { "uri": uri } })
}

/// A place, as what a request is about.
pub fn at(uri: &str, line: u32, character: u32) -> Value {
    json!({ "textDocument": { "uri": uri }, "position": { "line": line, "character": character } })
}

/// The place of `|` in a text, and the text without it.
pub fn cursor(text: &str) -> (String, u32, u32) {
    let offset = text.find('|').expect("a cursor");
    let before = &text[..offset];
    let line = before.matches('\n').count() as u32;
    let column = before[before.rfind('\n').map_or(0, |n| n + 1)..].encode_utf16().count() as u32;
    (text.replacen('|', "", 1), line, column)
}

/// Makes the edits of an answer in a text.
pub fn apply(text: &str, edits: &Value) -> String {
    let lines = mtlc::lsp::Lines::new(text);
    let offset = |p: &Value| {
        let at = gen_lsp_types::Position {
            line: p["line"].as_u64().expect("a line") as u32,
            character: p["character"].as_u64().expect("a character") as u32,
        };
        lines.offset(text, at, mtlc::lsp::Encoding::Utf16)
    };
    let mut all: Vec<(usize, usize, String)> = edits
        .as_array()
        .expect("a list of edits")
        .iter()
        .map(|e| {
            let text = e["newText"].as_str().expect("a text").to_string();
            (offset(&e["range"]["start"]), offset(&e["range"]["end"]), text)
        })
        .collect();
    all.sort();
    let mut out = text.to_string();
    for (start, end, new) in all.into_iter().rev() {
        out.replace_range(start..end, &new);
    }
    out
}
