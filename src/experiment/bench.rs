//! Where a strategy works: a run, or a folder outside any run.

use std::path::PathBuf;
use std::time::Duration;

use candle_core::Tensor;

use super::RunFolder;
use super::run::{Phase, Run};
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::keeper::Keeper;
use crate::runtime::record::Listener;
use crate::search::bench::{Bench, Trained};

impl Bench for Run {
    fn keeper(&self, phase: &str, listener: &mut dyn Listener) -> Keeper<'_> {
        Run::keeper(self, phase, listener)
    }

    fn control(&self) -> &Control {
        &self.control
    }

    fn done(&self, phase: &str) -> Option<Trained> {
        Run::done(self, phase)?.trained.clone()
    }

    fn record(&mut self, phase: &str, trained: Trained, listener: &mut dyn Listener) -> Result<(), RunError> {
        let marks = listener.marks()?;
        Run::record(self, Phase { name: phase.into(), trained: Some(trained), result: None, marks })
    }

    fn weights(&self, phase: &str) -> PathBuf {
        self.folder.checkpoint(phase)
    }

    fn save(&self, phase: &str, tensors: &[(String, Tensor)]) -> Result<(), RunError> {
        self.folder.save_tensors(phase, tensors)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), RunError> {
        self.folder.write(name, text)
    }

    fn read(&self, name: &str) -> Result<String, RunError> {
        self.folder.read(name)
    }
}

/// A folder in which a search leaves its files, and nothing to go on from.
pub struct Loose {
    pub folder: RunFolder,
    pub control: Control,
}

impl Bench for Loose {
    fn keeper(&self, phase: &str, _: &mut dyn Listener) -> Keeper<'_> {
        Keeper::new(&self.control, String::new(), phase, None, Duration::MAX)
    }

    fn control(&self) -> &Control {
        &self.control
    }

    fn done(&self, _: &str) -> Option<Trained> {
        None
    }

    fn record(&mut self, _: &str, _: Trained, _: &mut dyn Listener) -> Result<(), RunError> {
        Ok(())
    }

    fn weights(&self, phase: &str) -> PathBuf {
        self.folder.checkpoint(phase)
    }

    fn save(&self, phase: &str, tensors: &[(String, Tensor)]) -> Result<(), RunError> {
        self.folder.save_tensors(phase, tensors)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), RunError> {
        self.folder.write(name, text)
    }

    fn read(&self, name: &str) -> Result<String, RunError> {
        self.folder.read(name)
    }
}
