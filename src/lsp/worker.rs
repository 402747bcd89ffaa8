//! The working side: takes up what is queued, one thing after the other, each with the state of the world at that moment.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use lsp_server::{Connection, ErrorCode, Notification, Request, RequestId, Response};
use serde_json::{Value, json};

use super::answers::{self, Refusal};
use super::documents::Document;
use super::publish::Published;
use super::queue::{Job, Queue, Snapshot, Work};
use super::uri;
use crate::driver;
use crate::ide::Analysis;
use crate::screen::bug;

/// The client as the worker sees it: someone to talk to, who can do some things.
pub(super) struct Client {
    connection: Arc<Connection>,
    pub(super) snippets: bool,
    /// Workspace edits may create files.
    pub(super) creates_files: bool,
    pub(super) shows_documents: bool,
}

impl Client {
    pub(super) fn new(connection: Arc<Connection>, params: &Value) -> Client {
        let can = |path: &str| params.pointer(&format!("/capabilities{path}")) == Some(&Value::Bool(true));
        let operations = params.pointer("/capabilities/workspace/workspaceEdit/resourceOperations");
        let creates = operations.and_then(Value::as_array).is_some_and(|o| o.iter().any(|o| o == "create"));
        Client {
            connection,
            snippets: can("/textDocument/completion/completionItem/snippetSupport"),
            creates_files: creates && can("/workspace/workspaceEdit/documentChanges"),
            shows_documents: can("/window/showDocument/support"),
        }
    }

    pub(super) fn notify(&self, method: &str, params: Value) {
        let _ = self.connection.sender.send(Notification::new(method.into(), params).into());
    }

    pub(super) fn ask(&self, method: &str, params: Value) {
        let id = RequestId::from(format!("mtlc/{method}"));
        let _ = self.connection.sender.send(Request::new(id, method.into(), params).into());
    }

    fn respond(&self, response: Response) {
        let _ = self.connection.sender.send(response.into());
    }
}

/// What the worker knows: the state of the world, and what it found out about documents.
pub(super) struct World {
    pub(super) client: Client,
    pub(super) now: Snapshot,
    found: HashMap<String, Found>,
    published: Published,
    pub(super) scratch: Scratch,
}

/// Files that the server writes for the editor to open: drawings, and files of the library. They are in a folder of their own, which only
/// this user can read, whose name nobody can predict, and which goes with the server.
#[derive(Default)]
pub(super) struct Scratch(RefCell<Option<tempfile::TempDir>>);

impl Scratch {
    /// Writes a file, replacing one of that name.
    pub(super) fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let mut folder = self.0.borrow_mut();
        // Some systems clean up their folder for temporary files.
        if folder.as_ref().is_none_or(|f| !f.path().is_dir()) {
            *folder = Some(tempfile::Builder::new().prefix("mtlc-").tempdir()?);
        }
        let path = folder.as_ref().expect("made above").path().join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder"))?;
        std::fs::write(&path, text)?;
        Ok(path)
    }
}

struct Found {
    analysis: Rc<Analysis>,
    /// Of the document, and where it imports files also of all others and of the disk.
    revision: u64,
    world: Option<(u64, u64)>,
}

/// Whether a text may import files: asked of every text at every edit.
pub(super) fn imports(text: &str) -> bool {
    text.lines().any(|l| l.trim_start().starts_with("use "))
}

pub(super) fn run(queue: &Queue, client: Client) {
    let mut world = World {
        client,
        now: Snapshot::default(),
        found: HashMap::new(),
        published: Published::default(),
        scratch: Scratch::default(),
    };
    while let Some((work, now)) = queue.next() {
        world.now = now;
        match work {
            Work::Cancelled(id) => world.client.respond(cancelled(id)),
            Work::Answer(job) => {
                let id = job.request.id.clone();
                let response = world.answer(job);
                let taken_back = queue.was_cancelled(&id);
                world.client.respond(if taken_back { cancelled(id) } else { response });
            }
            Work::Publish(uri) => {
                let made = catch_unwind(AssertUnwindSafe(|| {
                    let analysis = world.analysis(&uri);
                    let World { client, now, published, .. } = &mut world;
                    published.update(client, now, &uri, analysis.as_deref());
                }));
                if made.is_err() {
                    world.forget(&uri, "the problems of a file");
                }
            }
        }
    }
}

fn cancelled(id: RequestId) -> Response {
    Response::new_err(id, ErrorCode::RequestCanceled as i32, "the client took it back".into())
}

impl World {
    fn answer(&mut self, job: Job) -> Response {
        let Job { request, about } = job;
        if let Some((uri, revision)) = &about
            && self.now.documents.get(uri).is_none_or(|d| d.revision != *revision)
        {
            let why = "the document was edited since".to_string();
            return Response::new_err(request.id, ErrorCode::ContentModified as i32, why);
        }
        let Request { id, method, params } = request;
        match catch_unwind(AssertUnwindSafe(|| answers::answer(self, &method, params))) {
            Ok(Ok(value)) => Response::new_ok(id, value),
            Ok(Err(Refusal { code, why })) => Response::new_err(id, code as i32, why),
            Err(_) => {
                if let Some((uri, _)) = about {
                    self.forget(&uri, &method);
                }
                Response::new_err(id, ErrorCode::InternalError as i32, format!("a bug in mtlc: {method} failed"))
            }
        }
    }

    /// After a panic nothing that was found out is trusted.
    fn forget(&mut self, uri: &str, what: &str) {
        self.found.remove(uri);
        let (message, help) = bug(&format!("{what} failed"));
        let text = format!("{message}; the log of the server says where; {help}");
        self.client.notify("window/logMessage", json!({ "type": 1, "message": text }));
    }

    /// All that is known of an open document; `None` for one that is not open.
    pub(super) fn analysis(&mut self, uri: &str) -> Option<Rc<Analysis>> {
        let Some(document) = self.now.documents.get(uri) else {
            self.found.remove(uri);
            return None;
        };
        let all = imports(&document.text).then(|| (self.now.documents.revision(), self.now.disk));
        if let Some(found) = self.found.get(uri)
            && found.revision == document.revision
            && found.world == all
        {
            return Some(found.analysis.clone());
        }
        let analysis = Rc::new(analyse(&self.now, document));
        let found = Found { analysis: analysis.clone(), revision: document.revision, world: all };
        self.found.insert(uri.to_string(), found);
        Some(analysis)
    }
}

impl Snapshot {
    /// Reads a file, or what the client has of it.
    pub(super) fn load(&self, path: &Path) -> std::io::Result<String> {
        match self.documents.at_path(path) {
            Some((_, d)) => Ok(d.text.to_string()),
            None => driver::read(path),
        }
    }

    /// The URI of a path, as the client writes it where it has the file open.
    pub(super) fn uri_of(&self, path: &Path) -> String {
        self.documents.at_path(path).map_or_else(|| uri::of(path), |(u, _)| u.clone())
    }
}

pub(super) fn analyse(now: &Snapshot, document: &Document) -> Analysis {
    Analysis::new(&document.text, &document.path, &|p| now.load(p))
}
