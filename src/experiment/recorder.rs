//! Writes events to `metrics.jsonl` and `search.jsonl`, and passes them on.

use std::fs::File;
use std::io::Write;

use super::RunFolder;
use crate::runtime::RunError;
use crate::runtime::record::{ChoicesEvent, EpochEvent, Listener};

pub struct Recorder<'a> {
    metrics: File,
    search: Option<File>,
    folder: RunFolder,
    next: &'a mut dyn Listener,
    /// The first failure to write; the run ends with it.
    pub failed: Option<RunError>,
}

impl<'a> Recorder<'a> {
    pub fn new(folder: &RunFolder, next: &'a mut dyn Listener) -> Result<Recorder<'a>, RunError> {
        let path = folder.path.join("metrics.jsonl");
        let metrics = File::create(&path).map_err(|e| RunError::io(&path, e))?;
        Ok(Recorder { metrics, search: None, folder: folder.clone(), next, failed: None })
    }

    fn line(&mut self, search: bool, value: &impl serde::Serialize) {
        let write = || -> Result<(), RunError> {
            let name = if search { "search.jsonl" } else { "metrics.jsonl" };
            let path = self.folder.path.join(name);
            if search && self.search.is_none() {
                self.search = Some(File::create(&path).map_err(|e| RunError::io(&path, e))?);
            }
            let mut text = serde_json::to_string(value).map_err(|e| RunError::Checkpoint(e.to_string()))?;
            text.push('\n');
            let file = if search { self.search.as_mut().expect("made above") } else { &mut self.metrics };
            file.write_all(text.as_bytes()).and_then(|_| file.flush()).map_err(|e| RunError::io(&path, e))
        };
        let mut write = write;
        if let Err(e) = write() {
            self.failed.get_or_insert(e);
        }
    }
}

impl Listener for Recorder<'_> {
    fn phase(&mut self, phase: &str, epochs: usize, steps: usize) {
        self.next.phase(phase, epochs, steps);
    }
    fn step(&mut self, phase: &str, epoch: usize, step: u64, loss: &dyn Fn() -> Option<f64>) {
        self.next.step(phase, epoch, step, loss);
    }
    fn epoch(&mut self, event: &EpochEvent) {
        self.line(false, event);
        self.next.epoch(event);
    }
    fn choices(&mut self, event: &ChoicesEvent) {
        self.line(true, event);
        self.next.choices(event);
    }
}
