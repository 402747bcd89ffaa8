//! Writes events to `metrics.jsonl` and `search.jsonl`, and passes them on.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::RunFolder;
use crate::runtime::RunError;
use crate::runtime::record::{ChoicesEvent, EpochEvent, Listener};
use crate::runtime::state::{Marks, Position};
use crate::source::{Folder, json};

pub struct Recorder<'a> {
    metrics: Log,
    /// Made with the first line.
    search: Log,
    next: &'a mut dyn Listener,
    /// The first failure to write; the run ends with it where it next saves.
    failed: Option<RunError>,
}

/// A file of lines, to which only its end is added.
struct Log {
    folder: Folder,
    name: &'static str,
    file: Option<File>,
    length: u64,
}

impl Log {
    /// Goes on at `length`: what a stopped run has written after its last state is cut off, and will be written again.
    fn open(folder: &Folder, name: &'static str, length: u64) -> Result<Log, RunError> {
        let mut log = Log { folder: folder.clone(), name, file: None, length };
        if log.path().symlink_metadata().is_ok() {
            log.file()?;
        } else if length > 0 {
            return Err(RunError::Checkpoint(format!(
                "the log `{}` is missing: the run cannot go on without it",
                log.path().display()
            )));
        }
        Ok(log)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    fn file(&mut self) -> Result<&mut File, RunError> {
        if self.file.is_none() {
            let open = || -> std::io::Result<File> {
                let mut file = self.folder.append(self.name)?;
                if file.metadata()?.len() < self.length {
                    return Err(std::io::Error::other("it is shorter than when the run's state was saved"));
                }
                file.set_len(self.length)?;
                file.seek(SeekFrom::End(0))?;
                Ok(file)
            };
            self.file = Some(open().map_err(|e| RunError::io(&self.path(), e))?);
        }
        Ok(self.file.as_mut().expect("opened above"))
    }

    fn line(&mut self, value: &impl serde::Serialize) -> Result<(), RunError> {
        let mut text = json::line(value).map_err(RunError::refused(self.name))?;
        text.push('\n');
        self.folder.check().map_err(|e| RunError::io(&self.path(), e))?;
        let written = self.file()?.write_all(text.as_bytes());
        written.map_err(|e| RunError::io(&self.path(), e))?;
        self.length += text.len() as u64;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), RunError> {
        self.file.as_ref().map_or(Ok(()), File::sync_data).map_err(|e| RunError::io(&self.path(), e))
    }
}

impl<'a> Recorder<'a> {
    /// Logs of a run from where they stood.
    pub fn open(folder: &RunFolder, marks: Marks, next: &'a mut dyn Listener) -> Result<Recorder<'a>, RunError> {
        let held = folder.held()?;
        let log = |name, length| Log::open(held, name, length);
        Ok(Recorder {
            metrics: log("metrics.jsonl", marks.metrics)?,
            search: log("search.jsonl", marks.search)?,
            next,
            failed: None,
        })
    }

    fn keep(&mut self, result: Result<(), RunError>) {
        if let Err(e) = result {
            self.failed.get_or_insert(e);
        }
    }
}

impl Listener for Recorder<'_> {
    fn phase(&mut self, phase: &str, epochs: usize, steps: usize) {
        self.next.phase(phase, epochs, steps);
    }
    fn resumed(&mut self, phase: &str, at: &Position) {
        self.next.resumed(phase, at);
    }
    fn note(&mut self, text: &str) {
        self.next.note(text);
    }
    fn step(&mut self, phase: &str, epoch: usize, step: u64, loss: &dyn Fn() -> Option<f64>) {
        self.next.step(phase, epoch, step, loss);
    }
    fn epoch(&mut self, event: &EpochEvent) {
        let written = self.metrics.line(event);
        self.keep(written);
        self.next.epoch(event);
    }
    fn choices(&mut self, event: &ChoicesEvent) {
        let written = self.search.line(event);
        self.keep(written);
        self.next.choices(event);
    }
    fn marks(&mut self) -> Result<Marks, RunError> {
        if let Some(e) = self.failed.take() {
            return Err(e);
        }
        self.metrics.sync()?;
        self.search.sync()?;
        Ok(Marks { metrics: self.metrics.length, search: self.search.length })
    }
}
