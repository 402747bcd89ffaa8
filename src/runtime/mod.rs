//! A plan to candle: the model, its training and evaluation, checkpoints, and the run folder. candle is known here, in `ops`,
//! `objective`, `optim` and `search`; a spec error can no longer happen, so an error here is data, device, disk or a bug.

pub mod answers;
pub mod back;
pub mod best;
pub mod blocks;
pub mod checkpoint;
pub mod constant;
pub mod control;
pub mod device;
pub mod epochs;
pub mod evaluate;
pub mod feed;
pub mod fit;
pub mod format;
mod forward;
pub mod keeper;
pub mod latency;
pub mod losses;
pub mod memory;
pub mod model;
pub mod reader;
pub mod record;
pub mod seal;
pub mod selftest;
pub mod state;
pub mod synthetic;
pub mod tape;
pub mod threads;
pub mod watch;
mod waves;
pub mod weigher;

use crate::data::DataError;
use crate::source::json::Refused;
use crate::source::{Loss, Lost};

/// The reason of a failure of the file system, in words.
pub fn plain(e: &std::io::Error) -> String {
    use std::io::ErrorKind::*;
    match e.kind() {
        NotFound => "there is no such file".into(),
        AlreadyExists => "it exists already, and is no folder".into(),
        PermissionDenied => "permission denied".into(),
        NotADirectory => "a part of the path is no folder".into(),
        IsADirectory => "it is a folder".into(),
        StorageFull => "the disk is full".into(),
        ReadOnlyFilesystem => "the file system is read-only".into(),
        _ => e.to_string(),
    }
}

/// What can go wrong while running.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("{0}")]
    NotYet(String),
    #[error("the {what} became {value} in `{phase}` {}{last}", place(*epoch, *step))]
    Diverged { phase: String, what: String, value: f64, epoch: usize, step: u64, last: String },
    /// A trained network gives an infinite or NaN output for a row.
    #[error("the output of task `{task}` for {place} is {value}")]
    Output { task: String, place: String, value: f32 },
    /// None of several runs has a result.
    #[error("training diverged in every {0}: there is nothing to report")]
    AllDiverged(&'static str),
    /// The last check before a file is written. The code that computed the value should have reported it.
    #[error("`{file}` is not written: {why}")]
    NotFinite { file: String, why: Refused },
    /// An evaluation was left because a signal asked for it; the loop around it saves and stops.
    #[error("interrupted")]
    Interrupted,
    #[error("cannot read or write `{path}`: {}", plain(source))]
    Io { path: String, source: std::io::Error },
    /// A folder that cannot be written any more.
    #[error(transparent)]
    Lost(Lost),
    #[error("{0}")]
    Checkpoint(String),
    /// A required part of a run that is missing or belongs to something else.
    #[error("{message}")]
    Part { message: String, help: String },
    /// More than the machine has.
    #[error("{message}")]
    Memory { message: String, activations: bool },
    #[error("{0}")]
    Device(String),
    #[error("computation failed: {}", without_backtrace(.0))]
    Compute(#[from] candle_core::Error),
}

/// When a training diverged. Step 0: this was noticed only after the training.
fn place(epoch: usize, step: u64) -> String {
    if step == 0 { "after training".into() } else { format!("at epoch {epoch}, step {step}") }
}

/// candle appends a backtrace to its messages when asked for one; people want the message.
fn without_backtrace(e: &candle_core::Error) -> String {
    e.to_string().lines().next().unwrap_or_default().to_string()
}

impl RunError {
    pub fn io(path: &std::path::Path, source: std::io::Error) -> RunError {
        match Lost::of(&source) {
            // The folder is the cause, not the file.
            Some(lost) => RunError::Lost(lost.clone()),
            None => RunError::Io { path: path.display().to_string(), source },
        }
    }

    /// Makes the error for a value that a file cannot contain.
    pub fn refused(file: &str) -> impl Fn(Refused) -> RunError {
        move |why| RunError::NotFinite { file: file.to_string(), why }
    }

    /// Whether numbers became infinite or undefined: exit code 5.
    pub fn is_divergence(&self) -> bool {
        matches!(
            self,
            RunError::Diverged { .. } | RunError::AllDiverged(_) | RunError::NotFinite { .. } | RunError::Output { .. }
        )
    }

    /// The way out, where there is one to name.
    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Data(e) => e.help(),
            RunError::Output { .. } => Some(
                "check the inputs of this row: f32 holds numbers up to 3.4e38, and their products with the weights must stay below that"
                    .into(),
            ),
            RunError::Diverged { .. } | RunError::AllDiverged(_) => {
                Some("lower the learning rate, or limit the gradient with `clip = 1.0`; the checkpoints written so far are kept".into())
            }
            RunError::Part { help, .. } => Some(help.clone()),
            RunError::Lost(lost) => Some(match lost.how {
                Loss::Renamed => "nothing was written to what is there now; where the folder is now, the run is as it was last saved: go on with `--resume` and the new name".into(),
                Loss::Removed => "what the run had saved went with it: begin again".into(),
                Loss::Taken => "nothing more was written; end the other process, then go on with `--resume`".into(),
            }),
            RunError::Memory { activations, .. } => Some(match activations {
                true => "make `batch` smaller, or stages narrower, or let steps compute again what does not fit: `train { memory = 2G }`; `--ignore-memory` runs it all the same".into(),
                false => "make stages narrower or copies fewer; `--ignore-memory` runs it all the same".into(),
            }),
            _ => None,
        }
    }
}
