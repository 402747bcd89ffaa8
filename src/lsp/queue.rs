//! What the worker has still to do: requests in their order, then documents whose problems are to be published.

use std::collections::{HashSet, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use lsp_server::{Request, RequestId};

use super::documents::Documents;
use super::positions::Encoding;
use super::settings::Settings;

#[derive(Debug)]
pub(super) struct Job {
    pub(super) request: Request,
    /// The document that it is about and its revision when the request came.
    pub(super) about: Option<(String, u64)>,
}

/// The state of the world as the worker sees it when it takes something up.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    pub(super) documents: Documents,
    pub(super) settings: Settings,
    pub(super) encoding: Encoding,
    /// Counts changes on disk that the client told of.
    pub(super) disk: u64,
    /// Folders of the workspace.
    pub(super) folders: Vec<std::path::PathBuf>,
}

#[derive(Debug)]
pub(super) enum Work {
    Answer(Job),
    /// The client took it back before it was begun.
    Cancelled(RequestId),
    Publish(String),
}

#[derive(Debug, Default)]
struct State {
    requests: VecDeque<Job>,
    dirty: VecDeque<String>,
    cancelled: HashSet<RequestId>,
    now: Snapshot,
    stopped: bool,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    more: Condvar,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of the worker never happens while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state of the world.
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Snapshot) -> T) -> T {
        change(&mut self.lock().now)
    }

    pub(super) fn ask(&self, request: Request) {
        let mut state = self.lock();
        let uri = request.params.pointer("/textDocument/uri").and_then(|u| u.as_str()).map(str::to_string);
        let about = uri.and_then(|u| state.now.documents.get(&u).map(|d| (u.clone(), d.revision)));
        state.requests.push_back(Job { request, about });
        self.more.notify_one();
    }

    pub(super) fn cancel(&self, id: RequestId) {
        self.lock().cancelled.insert(id);
        self.more.notify_one();
    }

    /// Asks for the problems of a document to be published, once however often it is asked.
    pub(super) fn publish(&self, uri: String) {
        let mut state = self.lock();
        if !state.dirty.contains(&uri) {
            state.dirty.push_back(uri);
        }
        self.more.notify_one();
    }

    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.more.notify_one();
    }

    /// Whether the client took a request back while it was answered.
    pub(super) fn was_cancelled(&self, id: &RequestId) -> bool {
        self.lock().cancelled.remove(id)
    }

    /// Waits for something to do; `None` when the session is over.
    pub(super) fn next(&self) -> Option<(Work, Snapshot)> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.requests.pop_front() {
                let work = match state.cancelled.remove(&job.request.id) {
                    true => Work::Cancelled(job.request.id),
                    false => Work::Answer(job),
                };
                return Some((work, state.now.clone()));
            }
            if let Some(uri) = state.dirty.pop_front() {
                return Some((Work::Publish(uri), state.now.clone()));
            }
            if state.stopped {
                return None;
            }
            // What is cancelled and not waiting was answered already.
            state.cancelled.clear();
            state = self.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
