//! The run folder: made once, never reused silently.
//!
//! ```text
//! run.json         command, version, seed, device, status         progress.json  the phases that are done
//! source.mtl       the spec as the user wrote it                  program.mtl    what runs: on its own, schemas embedded
//! metrics.jsonl    one line per epoch and phase                   search.jsonl   every choice's probabilities per epoch
//! search.json      the choices as they ended                      summary.json   every network's results
//! checkpoints/     supernet, derived, all_shared, independent (.safetensors), and networks that a search trains by itself; while
//!                  a network trains, its best so far
//! derived/net.mtl  the learned topology                           networks/      the programs of the other networks
//! resume/          states of the unfinished phase                 partial/       what a run that the clock stopped had by then
//! *.vocab          next to each program: its large vocabularies, if it has any
//! part_N_choices.json   what the N-th of several searches decided; all that it leaves has `part_N_` before its name
//! affinity.json    affinities of tasks, and affinity.svg: heat maps (Branched Multi-Task Networks); pairwise.json: results by pair, and
//!                  ranking.json: the trees (TreeMTL); expected_cost.json: logits and tree (BMTAS)
//! run.lock         held by the process that works here            SHA256SUMS     of all that a finished run leaves
//! ```

use std::path::{Path, PathBuf};

use super::run::{Info, Status};
use crate::runtime::checkpoint::write_atomically;
use crate::runtime::format::{self, Record};
use crate::runtime::{RunError, plain};
use crate::screen::shell;
use crate::source::{json, read_bytes};

/// No record of a run is larger.
const MAX_RECORD: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub struct RunFolder {
    pub path: PathBuf,
}

impl RunFolder {
    /// Refuses a path where no run can begin; writes nothing. What is there stays as it is.
    pub fn vacant(path: &Path) -> Result<(), RunError> {
        let shown = path.display();
        if path.is_file() {
            return Err(RunError::Checkpoint(format!("`{shown}` is a file: name a folder with `-o`")));
        }
        if std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none()) {
            return Ok(());
        }
        let info = RunFolder { path: path.to_path_buf() }.read_json::<Info>("run.json");
        Err(RunError::Checkpoint(match info {
            Ok(info) if matches!(info.status, Status::Running | Status::Stopped | Status::Failed) => format!(
                "the folder `{shown}` holds a run that is not done: go on with it with {}, or name another folder with `-o`",
                shell::mtlc(info.command.name()).words("--resume").path(path)
            ),
            _ => format!("the folder `{shown}` exists and is not empty: name another with `-o`, or remove it"),
        }))
    }

    /// A new folder. One that exists and is not empty is refused, and stays as it is.
    pub fn create(path: &Path) -> Result<RunFolder, RunError> {
        RunFolder::vacant(path)?;
        std::fs::create_dir_all(path.join("checkpoints")).map_err(|e| {
            let why = plain(&e);
            RunError::Checkpoint(format!(
                "cannot make the run folder `{}`: {why}: name another with `-o`",
                path.display()
            ))
        })?;
        Ok(RunFolder { path: path.to_path_buf() })
    }

    /// A folder that a run has left.
    pub fn open(path: &Path) -> Result<RunFolder, RunError> {
        if path.join("run.json").is_file() {
            return Ok(RunFolder { path: path.to_path_buf() });
        }
        let what = match (path.is_dir(), path.exists()) {
            (true, _) => "holds no `run.json`",
            (false, true) => "is no folder",
            (false, false) => "does not exist",
        };
        Err(RunError::Checkpoint(format!(
            "`{}` is no run: it {what}; name a folder that `mtlc run`, `search` or `train` has left",
            path.display()
        )))
    }

    /// `runs/DATE-NAME-XXXX`, the last part from what is run.
    pub fn default_path(spec: &Path, seed: u64) -> PathBuf {
        let now = humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string();
        let stem = spec.file_stem().map_or_else(|| "run".to_string(), |s| s.to_string_lossy().into_owned());
        let day = now[..10].to_string();
        for n in 0u32.. {
            use sha2::{Digest, Sha256};
            let hash = Sha256::digest(format!("{stem} {seed} {now} {n}"));
            let path = PathBuf::from(format!("runs/{day}-{stem}-{:02x}{:02x}", hash[0], hash[1]));
            if !path.exists() {
                return path;
            }
        }
        unreachable!("some name is free")
    }

    pub fn checkpoint(&self, name: &str) -> PathBuf {
        self.path.join("checkpoints").join(format!("{name}.safetensors"))
    }

    pub fn derived(&self) -> PathBuf {
        self.path.join("derived").join("net.mtl")
    }

    pub fn write_json(&self, name: &str, value: &impl Record) -> Result<(), RunError> {
        let text = json::text(value).map_err(RunError::refused(name))?;
        write_atomically(&self.path.join(name), text.as_bytes())
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), RunError> {
        write_atomically(&self.path.join(name), text.as_bytes())
    }

    pub fn read(&self, name: &str) -> Result<String, RunError> {
        let path = self.path.join(name);
        let bytes = read_bytes(&path, MAX_RECORD).map_err(|e| RunError::io(&path, e))?;
        String::from_utf8(bytes).map_err(|_| RunError::Checkpoint(format!("`{}` is no text", path.display())))
    }

    /// Reads a record. A record of a later format is refused.
    pub fn read_json<T: Record>(&self, name: &str) -> Result<T, RunError> {
        let path = self.path.join(name);
        let bytes = read_bytes(&path, MAX_RECORD).map_err(|e| RunError::io(&path, e))?;
        format::parse(&bytes, &path.display().to_string())
    }
}
