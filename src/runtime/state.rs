//! The state of a training loop on disk: everything that a loop needs to go on to the same bytes.
//!
//! One safetensors file per state, `PHASE-STEP.safetensors`: weights, choice logits, optimiser moments and the best weights so
//! far as tensors of their own dtype, the position and the rest as JSON in the file's metadata, with a SHA-256 over all of it.
//! A file is written beside and renamed into place, the newest few are kept, and one that is damaged is passed over for the one
//! before it. Random draws are functions of seed and counters, so there is no generator to save.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::RunError;
use super::checkpoint::{pieces, read_tensors, write_tensors};
use super::format::{self, Record};
use super::losses::Tally;
use super::record::{SplitLosses, SplitScores};
use super::seal::{Sum, of_pieces};
use crate::source::{Folder, json};

/// Where a loop stands: after `cursor` steps of `epoch`; an epoch whose steps are all done still has to be evaluated.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// From 1.
    pub epoch: usize,
    /// Steps of the epoch that are done.
    pub cursor: usize,
    /// Steps of the phase that are done.
    pub step: u64,
    /// The losses of the current epoch so far.
    pub tally: Tally,
    /// Of the last step.
    pub learning_rate: f64,
    pub temperature: f64,
    /// Spent on the epoch so far.
    pub seconds: f64,
}

/// The best epoch so far; its weights are the state's `best/...` tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Best {
    pub epoch: usize,
    pub train: SplitLosses,
    pub validation: SplitScores,
}

/// Lengths of the logs in bytes when the state was saved: what stands behind is cut off before going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    pub metrics: u64,
    pub search: u64,
}

/// What a state says beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Digest of the run (program and seed) that it belongs to.
    pub run: String,
    pub phase: String,
    pub position: Position,
    pub best: Option<Best>,
    /// The training losses of the last complete epoch, if the loop needs them at its end.
    pub train: Option<SplitLosses>,
    pub validation: Option<SplitScores>,
    /// The last finite losses by task, for the message of a divergence.
    pub last_losses: Vec<(String, f64)>,
    pub marks: Marks,
}

impl Header {
    /// What the checksum is over, before the tensors.
    fn said(&self) -> Result<Vec<u8>, RunError> {
        Ok(json::line(self).map_err(RunError::refused(&self.phase))?.into_bytes())
    }
}

impl Record for Sealed {
    const VERSION: u32 = 1;
}

/// A state: header and tensors by name.
#[derive(Debug, Clone)]
pub struct State {
    pub header: Header,
    pub tensors: Vec<(String, Tensor)>,
}

/// Metadata of a file: one key, since several would be written in random order.
const KEY: &str = "mtlc.state";

#[derive(Serialize, Deserialize)]
struct Sealed {
    version: u32,
    sha256: String,
    header: Header,
}

impl State {
    /// Tensors whose names begin with `prefix/`, without it.
    pub fn part(&self, prefix: &str) -> Vec<(String, Tensor)> {
        let names = self.tensors.iter();
        names.filter_map(|(n, t)| Some((n.strip_prefix(prefix)?.strip_prefix('/')?.to_string(), t.clone()))).collect()
    }

    pub fn write(&self, folder: &Folder, name: &str) -> Result<(), RunError> {
        let pieces = pieces(&self.tensors)?;
        let sum = of_pieces(&self.header.said()?, &pieces);
        let sealed = Sealed { version: Sealed::VERSION, sha256: sum.finish(), header: self.header.clone() };
        let text = json::line(&sealed).map_err(RunError::refused(&self.header.phase))?;
        write_tensors(folder, name, pieces, Some(HashMap::from([(KEY.to_string(), text)])))
    }

    /// Reads a state; the message says what is wrong with the file.
    pub fn read(path: &Path) -> Result<State, RunError> {
        let bytes = read_tensors(path).map_err(|e| RunError::io(path, e))?;
        State::from_bytes(&bytes)
            .map_err(|why| RunError::Checkpoint(format!("the saved state `{}` {why}", path.display())))
    }

    /// What is wrong with the bytes is said as the end of a sentence about the file.
    pub fn from_bytes(bytes: &[u8]) -> Result<State, String> {
        let cut = |e: safetensors::SafeTensorError| format!("is cut off or damaged: {e}");
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(cut)?;
        let text = metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or("is no state of a run")?;
        let value: serde_json::Value = serde_json::from_str(text).map_err(|e| format!("cannot be read: {e}"))?;
        format::known(&value, Sealed::VERSION)?;
        let sealed: Sealed = serde_json::from_value(value).map_err(|e| format!("cannot be read: {e}"))?;
        let file = SafeTensors::deserialize(bytes).map_err(cut)?;
        let mut all = file.tensors();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut sum = Sum::new(&sealed.header.said().map_err(|e| e.to_string())?);
        let mut tensors = Vec::with_capacity(all.len());
        for (name, view) in all {
            sum.tensor(&name, view.dtype(), view.shape(), view.data());
            let tensor = match view.dtype() {
                Dtype::F32 => Tensor::from_vec(numbers(view.data(), f32::from_le_bytes), view.shape(), &Device::Cpu),
                Dtype::F64 => Tensor::from_vec(numbers(view.data(), f64::from_le_bytes), view.shape(), &Device::Cpu),
                Dtype::I64 => Tensor::from_vec(numbers(view.data(), i64::from_le_bytes), view.shape(), &Device::Cpu),
                other => return Err(format!("holds a tensor `{name}` of type {other:?}")),
            };
            tensors.push((name, tensor.map_err(|e| e.to_string())?));
        }
        if sum.finish() != sealed.sha256 {
            return Err("is damaged: its checksum does not agree".into());
        }
        Ok(State { header: sealed.header, tensors })
    }
}

fn numbers<T, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|b| number(*b)).collect()
}

/// The folder of the states in a run folder.
const BELOW: &str = "resume";

/// The states of a run: files named by phase and step.
#[derive(Debug, Clone)]
pub struct States {
    /// The run folder.
    folder: Folder,
    /// How many of a phase are kept.
    keep: usize,
}

impl States {
    pub fn new(folder: Folder, keep: usize) -> States {
        States { folder, keep: keep.max(1) }
    }

    /// Phase, step and name of every state.
    fn all(&self) -> Vec<(String, u64, String)> {
        let read = |name: String| {
            let (phase, step) = name.strip_suffix(".safetensors")?.rsplit_once('-')?;
            Some((phase.to_string(), step.parse().ok()?, format!("{BELOW}/{name}")))
        };
        let mut all: Vec<_> = self.folder.files(BELOW).into_iter().filter_map(read).collect();
        all.sort();
        all
    }

    /// Files of a phase, oldest first.
    fn files(&self, phase: &str) -> Vec<String> {
        self.all().into_iter().filter(|(of, ..)| of == phase).map(|(.., name)| name).collect()
    }

    /// Phases that have states.
    pub fn phases(&self) -> Vec<String> {
        let mut names: Vec<String> = self.all().into_iter().map(|(phase, ..)| phase).collect();
        names.dedup();
        names
    }

    /// Writes a state, then removes those of its phase that are too old.
    pub fn save(&self, state: &State) -> Result<(), RunError> {
        let Header { phase, position, .. } = &state.header;
        state.write(&self.folder, &format!("{BELOW}/{phase}-{:010}.safetensors", position.step))?;
        let files = self.files(phase);
        for name in files.iter().take(files.len().saturating_sub(self.keep)) {
            self.folder.remove(name).map_err(|e| RunError::io(&self.folder.path().join(name), e))?;
        }
        Ok(())
    }

    /// The newest state of a phase that is whole and belongs to `run`, and what is to be said of those passed over.
    pub fn latest(&self, phase: &str, run: &str) -> (Option<State>, Vec<String>) {
        let mut passed = Vec::new();
        for name in self.files(phase).iter().rev() {
            let path = self.folder.path().join(name);
            match State::read(&path) {
                Ok(state) if state.header.run == run && state.header.phase == phase => return (Some(state), passed),
                Ok(_) => passed.push(format!(
                    "the saved state `{}` belongs to another program or seed: it is passed over",
                    path.display()
                )),
                Err(e) => passed.push(format!("{e}: it is passed over")),
            }
        }
        (None, passed)
    }

    /// Removes the states of a phase that is done.
    pub fn clear(&self, phase: &str) {
        for name in self.files(phase) {
            // One that stays costs space and no more: the phase is recorded as done.
            let _ = self.folder.remove(&name);
        }
        // Succeeds when the last phase has gone.
        let _ = self.folder.remove_empty(BELOW);
    }
}
