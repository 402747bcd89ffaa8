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

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::Tensor;

use super::run::{Info, Status};
use crate::artifact;
use crate::check::Checked;
use crate::runtime::format::{self, Record};
use crate::runtime::keeper::Place;
use crate::runtime::model::Model;
use crate::runtime::{RunError, checkpoint, plain};
use crate::screen::shell;
use crate::source::{Folder, LOCK, Lock, json, read_bytes, read_text};

/// No record of a run is larger.
const MAX_RECORD: u64 = 1 << 30;

#[derive(Debug, Clone)]
pub struct RunFolder {
    pub path: PathBuf,
    /// Opened for the first write, or when the folder is locked.
    held: OnceLock<Folder>,
}

fn checkpoint_name(name: &str) -> String {
    format!("checkpoints/{name}.safetensors")
}

impl RunFolder {
    /// The folder at that path, which need not exist yet.
    pub fn at(path: &Path) -> RunFolder {
        RunFolder { path: path.to_path_buf(), held: OnceLock::new() }
    }

    /// A folder that is open already.
    pub fn of(folder: Folder) -> RunFolder {
        RunFolder { path: folder.path().to_path_buf(), held: OnceLock::from(folder) }
    }

    /// The run folder of that name in this one, which need not exist yet. A link in its place is refused.
    pub fn inside(&self, name: &str) -> Result<RunFolder, RunError> {
        let path = self.path.join(name);
        match self.held()?.inside(name) {
            Ok(folder) => Ok(RunFolder::of(folder)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(RunFolder::at(&path)),
            Err(e) => Err(RunError::io(&path, e)),
        }
    }

    /// The open folder, through which everything in it is written.
    pub fn held(&self) -> Result<&Folder, RunError> {
        if let Some(folder) = self.held.get() {
            return Ok(folder);
        }
        let folder = Folder::open(&self.path).map_err(|e| RunError::io(&self.path, e))?;
        Ok(self.held.get_or_init(|| folder))
    }

    /// Takes the folder for this process, and removes what a killed process has left half written.
    pub fn lock(&self) -> Result<Lock, RunError> {
        let folder = self.held()?;
        let lock = folder.lock().map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => {
                let holder = e.to_string();
                let who = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
                RunError::Checkpoint(format!(
                    "another mtlc{who} is working in `{}`: let it end, or stop it, and resume then",
                    self.path.display()
                ))
            }
            _ => RunError::io(&self.path.join(LOCK), e),
        })?;
        folder.tidy();
        Ok(lock)
    }

    /// Refuses a path where no run can begin; writes nothing. What is there stays as it is.
    pub fn vacant(path: &Path) -> Result<(), RunError> {
        let shown = path.display();
        if path.is_file() {
            return Err(RunError::Checkpoint(format!("`{shown}` is a file: name a folder with `-o`")));
        }
        if std::fs::read_dir(path).map_or(true, |mut entries| entries.next().is_none()) {
            return Ok(());
        }
        let info = RunFolder::at(path).read_json::<Info>("run.json");
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
        Ok(RunFolder::at(path))
    }

    /// A folder that a run has left.
    pub fn open(path: &Path) -> Result<RunFolder, RunError> {
        if path.join("run.json").is_file() {
            return Ok(RunFolder::at(path));
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
        self.path.join(checkpoint_name(name))
    }

    /// Saves the weights of a network.
    pub fn save(&self, name: &str, model: &Model, binding: &str) -> Result<(), RunError> {
        checkpoint::save_model(self.held()?, &checkpoint_name(name), model, binding)
    }

    /// Saves weights without a seal.
    pub fn save_tensors(&self, name: &str, tensors: &[(String, Tensor)]) -> Result<(), RunError> {
        checkpoint::save(self.held()?, &checkpoint_name(name), tensors)
    }

    /// Where the weights of a network are left while it trains.
    pub fn place(&self, name: &str, binding: &str) -> Result<Place, RunError> {
        Ok(Place { folder: self.held()?.clone(), name: checkpoint_name(name), binding: binding.to_string() })
    }

    pub fn derived(&self) -> PathBuf {
        self.path.join("derived").join("net.mtl")
    }

    pub fn write_json(&self, name: &str, value: &impl Record) -> Result<(), RunError> {
        let text = json::text(value).map_err(RunError::refused(name))?;
        self.write(name, &text)
    }

    /// Writes a file, completely or not at all.
    pub fn write(&self, name: &str, text: &str) -> Result<(), RunError> {
        let written = self.held()?.write(name, |file| file.write_all(text.as_bytes()));
        written.map_err(|e| RunError::io(&self.path.join(name), e))
    }

    /// Writes a file of the run's own making; one that is there and has other contents is the user's, and stays.
    pub fn write_own(&self, name: &str, text: &str) -> Result<(), RunError> {
        let path = self.path.join(name);
        match read_text(&path, MAX_RECORD) {
            Ok(old) if old == text => Ok(()),
            Ok(_) => Err(RunError::Checkpoint(format!(
                "`{}` was changed since the run wrote it: move it elsewhere, then resume",
                path.display()
            ))),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => self.write(name, text),
            Err(e) => Err(RunError::io(&path, e)),
        }
    }

    /// Writes the large vocabularies of a spec into the folder of a program, here or in a folder below.
    pub fn write_vocabularies(&self, checked: &Checked, below: &str) -> Result<(), RunError> {
        let all = artifact::vocabularies(&checked.spec);
        all.iter().try_for_each(|v| self.write_own(&format!("{below}{}", v.name), &v.text))
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
