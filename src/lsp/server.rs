//! The reading side of a session: the handshake, the documents, and what goes to the worker.

use std::path::PathBuf;
use std::sync::Arc;

use gen_lsp_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, DidSaveTextDocumentParams,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::positions::Encoding;
use super::queue::Queue;
use super::{answers, uri, worker};
use crate::ide::tokens::LEGEND;

/// Stack of the worker: what is nested deep is read by recursion.
const STACK: usize = 32 << 20;

/// Serves one client; true if it ended the session as the protocol asks.
pub fn serve(connection: Connection) -> bool {
    let Ok((id, params)) = connection.initialize_start() else { return false };
    let encoding = encoding(&params);
    if connection.initialize_finish(id, capabilities(encoding)).is_err() {
        return false;
    }
    let queue = Arc::new(Queue::default());
    queue.with(|now| {
        now.encoding = encoding;
        now.folders = folders(&params);
        now.settings.update(params.get("initializationOptions").unwrap_or(&Value::Null));
    });
    let connection = Arc::new(connection);
    let client = worker::Client::new(connection.clone(), &params);
    let worker = std::thread::Builder::new().name("worker".into()).stack_size(STACK).spawn({
        let queue = queue.clone();
        move || worker::run(&queue, client)
    });
    let Ok(worker) = worker else { return false };
    watch_files(&connection, &params);
    let clean = read(&connection, &queue);
    queue.stop();
    let _ = worker.join();
    clean
}

fn read(connection: &Connection, queue: &Queue) -> bool {
    for message in &connection.receiver {
        match message {
            Message::Request(request) => match connection.handle_shutdown(&request) {
                Ok(true) => return true,
                Ok(false) => ask(connection, queue, request),
                Err(_) => return false,
            },
            Message::Notification(n) if n.method == "exit" => return false,
            Message::Notification(n) => {
                if let Err(why) = notified(queue, &n) {
                    log(connection, &format!("{}: {why}", n.method));
                }
            }
            Message::Response(_) => {}
        }
    }
    false
}

fn ask(connection: &Connection, queue: &Queue, request: Request) {
    if answers::is_known(&request.method) {
        return queue.ask(request);
    }
    let why = format!("there is no method `{}`", request.method);
    let _ = connection.sender.send(Response::new_err(request.id, ErrorCode::MethodNotFound as i32, why).into());
}

fn params<P: DeserializeOwned>(n: &Notification) -> Result<P, String> {
    serde_json::from_value(n.params.clone()).map_err(|e| e.to_string())
}

fn notified(queue: &Queue, n: &Notification) -> Result<(), String> {
    match n.method.as_str() {
        "textDocument/didOpen" => {
            let p: DidOpenTextDocumentParams = params(n)?;
            let document = p.text_document;
            queue.with(|now| now.documents.open(&document.uri.0, document.version, &document.text));
            changed(queue, &document.uri.0);
        }
        "textDocument/didChange" => {
            let p: DidChangeTextDocumentParams = params(n)?;
            let (uri, version) = (&p.text_document.text_document_identifier.uri.0, p.text_document.version);
            let open = queue.with(|now| now.documents.change(uri, version, &p.content_changes, now.encoding));
            if !open {
                return Err(format!("{uri} is not open"));
            }
            changed(queue, uri);
        }
        "textDocument/didClose" => {
            let p: DidCloseTextDocumentParams = params(n)?;
            queue.with(|now| now.documents.close(&p.text_document.uri.0));
            queue.publish(p.text_document.uri.0.clone());
            changed(queue, &p.text_document.uri.0);
        }
        "textDocument/didSave" => {
            let p: DidSaveTextDocumentParams = params(n)?;
            queue.with(|now| now.disk += 1);
            changed(queue, &p.text_document.uri.0);
        }
        "workspace/didChangeWatchedFiles" => {
            queue.with(|now| now.disk += 1);
            changed(queue, "");
        }
        "workspace/didChangeConfiguration" => {
            let value = n.params.get("settings").ok_or("no settings")?;
            queue.with(|now| now.settings.update(value));
        }
        "workspace/didChangeWorkspaceFolders" => queue.with(|now| {
            let list = |key: &str| {
                let all = n.params.pointer(&format!("/event/{key}")).and_then(Value::as_array);
                all.into_iter().flatten().filter_map(folder).collect::<Vec<_>>()
            };
            let removed = list("removed");
            now.folders.retain(|f| !removed.contains(f));
            now.folders.extend(list("added"));
        }),
        "$/cancelRequest" => {
            let id = match n.params.get("id") {
                Some(Value::Number(id)) => id.as_i64().and_then(|i| i32::try_from(i).ok()).map(RequestId::from),
                Some(Value::String(id)) => Some(RequestId::from(id.clone())),
                _ => None,
            };
            queue.cancel(id.ok_or("no id")?);
        }
        _ => {}
    }
    Ok(())
}

/// A document changed: its problems are found anew, and those of the documents that import files.
fn changed(queue: &Queue, uri: &str) {
    let others: Vec<String> = queue.with(|now| {
        let imports = |u: &&String| now.documents.get(u).is_some_and(|d| worker::imports(&d.text));
        now.documents.uris().filter(|u| u.as_str() != uri).filter(imports).cloned().collect()
    });
    if queue.with(|now| now.documents.get(uri).is_some()) {
        queue.publish(uri.to_string());
    }
    others.into_iter().for_each(|u| queue.publish(u));
}

fn log(connection: &Connection, text: &str) {
    let n = Notification::new("window/logMessage".into(), json!({ "type": 2, "message": text }));
    let _ = connection.sender.send(n.into());
}

/// Bytes where the client can count them, else what every client can.
fn encoding(params: &Value) -> Encoding {
    let offered = params.pointer("/capabilities/general/positionEncodings").and_then(Value::as_array);
    match offered.is_some_and(|all| all.iter().any(|e| e == "utf-8")) {
        true => Encoding::Utf8,
        false => Encoding::Utf16,
    }
}

fn folder(value: &Value) -> Option<PathBuf> {
    Some(uri::path(value.get("uri")?.as_str()?))
}

fn folders(params: &Value) -> Vec<PathBuf> {
    let listed: Vec<PathBuf> =
        params.get("workspaceFolders").and_then(Value::as_array).into_iter().flatten().filter_map(folder).collect();
    if !listed.is_empty() {
        return listed;
    }
    params.get("rootUri").and_then(Value::as_str).map(uri::path).into_iter().collect()
}

/// Asks to be told when programs change on disk.
fn watch_files(connection: &Connection, params: &Value) {
    let able = params.pointer("/capabilities/workspace/didChangeWatchedFiles/dynamicRegistration");
    if able != Some(&Value::Bool(true)) {
        return;
    }
    let registration = json!({ "registrations": [{
        "id": "programs", "method": "workspace/didChangeWatchedFiles",
        "registerOptions": { "watchers": [{ "globPattern": "**/*.mtl" }] },
    }] });
    let id = RequestId::from("mtlc/watch".to_string());
    let _ = connection.sender.send(Request::new(id, "client/registerCapability".into(), registration).into());
}

fn capabilities(encoding: Encoding) -> Value {
    let encoding = match encoding {
        Encoding::Utf8 => "utf-8",
        Encoding::Utf16 => "utf-16",
    };
    json!({
        "capabilities": {
            "positionEncoding": encoding,
            "textDocumentSync": { "openClose": true, "change": 2, "save": { "includeText": false } },
            "hoverProvider": true,
            "completionProvider": { "triggerCharacters": [".", "\"", "=", ">", "(", "[", " ", ":"] },
            "definitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "renameProvider": { "prepareProvider": true },
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "foldingRangeProvider": true,
            "selectionRangeProvider": true,
            "semanticTokensProvider": {
                "legend": { "tokenTypes": LEGEND, "tokenModifiers": ["definition"] },
                "full": true,
                "range": true,
            },
            "inlayHintProvider": true,
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "codeActionProvider": {
                "codeActionKinds": ["quickfix", "source.fixAll", "refactor.extract", "refactor.inline", "refactor.rewrite"],
            },
            "codeLensProvider": { "resolveProvider": false },
            "executeCommandProvider": { "commands": ["mtlc.check", "mtlc.graph", "mtlc.search", "mtlc.run"] },
            "workspace": { "workspaceFolders": { "supported": true, "changeNotifications": true } },
            "experimental": { "preview": true },
        },
        "serverInfo": { "name": "mtlc", "version": env!("CARGO_PKG_VERSION") },
    })
}
