//! A plan to candle: the model, its training and evaluation, checkpoints, and the run folder. candle is known here, in `ops`,
//! `objective`, `optim` and `search`; a spec error can no longer happen, so an error here is data, device, disk or a bug.

pub mod checkpoint;
pub mod device;
pub mod evaluate;
pub mod feed;
pub mod fit;
pub mod latency;
pub mod model;
pub mod record;

use crate::data::DataError;

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
    #[error("the {what} became {value} at epoch {epoch}, step {step}{last}")]
    Diverged { what: String, value: f64, epoch: usize, step: u64, last: String },
    #[error("cannot read or write `{path}`: {}", plain(source))]
    Io { path: String, source: std::io::Error },
    #[error("{0}")]
    Checkpoint(String),
    #[error("{0}")]
    Device(String),
    #[error("computation failed: {}", without_backtrace(.0))]
    Compute(#[from] candle_core::Error),
}

/// candle appends a backtrace to its messages when asked for one; people want the message.
fn without_backtrace(e: &candle_core::Error) -> String {
    e.to_string().lines().next().unwrap_or_default().to_string()
}

impl RunError {
    pub fn io(path: &std::path::Path, source: std::io::Error) -> RunError {
        RunError::Io { path: path.display().to_string(), source }
    }

    /// The way out, where there is one to name.
    pub fn help(&self) -> Option<String> {
        match self {
            RunError::Data(e) => e.help(),
            RunError::Diverged { .. } => {
                Some("lower the learning rate, or limit the gradient with `clip = 1.0`; the checkpoints written so far are kept".into())
            }
            _ => None,
        }
    }
}
