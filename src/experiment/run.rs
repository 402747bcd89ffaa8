//! A run folder that is being worked on: how a run begins, how one that was stopped goes on, and what is known to be done.
//!
//! What makes a run survive: the folder appears whole (program, seed, command) or not at all; a finished phase is one line of
//! `progress.json`, written after everything that the phase leaves; an unfinished one has its states under `resume/`. All files
//! are renamed into place, logs are cut back to the last state, and one process at a time holds the folder. All of it is written through
//! a handle ([`crate::source::Folder`]), which notices when the folder is moved.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use candle_core::Device;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::several::New;
use super::{Failure, NetworkResult, Prepared, RunFolder, sums};
use crate::artifact;
use crate::data::DataError;
use crate::diag::codes;
use crate::driver;
use crate::hir::Spec;
use crate::hir::eval::Const;
use crate::runtime::control::Control;
use crate::runtime::format::Record;
use crate::runtime::keeper::Keeper;
use crate::runtime::record::Listener;
use crate::runtime::state::{Marks, States};
use crate::runtime::{RunError, device};
use crate::screen::{bug, shell};
pub use crate::search::bench::Trained;
use crate::source::Lock;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Command {
    Run,
    Search,
    Train,
}

impl Command {
    pub fn name(self) -> &'static str {
        match self {
            Command::Run => "run",
            Command::Search => "search",
            Command::Train => "train",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Also what a run that was killed leaves.
    Running,
    /// By a signal or the clock.
    Stopped,
    Failed,
    Diverged,
    Done,
}

impl Status {
    /// The name in `run.json`.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Stopped => "stopped",
            Status::Failed => "failed",
            Status::Diverged => "diverged",
            Status::Done => "done",
        }
    }
}

/// `run.json`: what was asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Info {
    pub version: u32,
    pub tool: String,
    pub command: Command,
    /// Name of the user's file.
    pub spec: String,
    /// The parameters that were set with `--set`.
    pub set: Assigned,
    pub seed: u64,
    /// The number of random topologies that are trained in addition to the derived one.
    pub random: usize,
    /// Whether the all-shared and the independent network are trained in addition to the derived one.
    pub baselines: bool,
    /// The network that the run is about: `derived`, `trained` or `all_shared`.
    pub network: String,
    pub device: String,
    /// Digest of the above and the program: what states belong to.
    pub id: String,
    pub status: Status,
    /// The sha256 of `SHA256SUMS`. Absent until the run is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<String>,
}

/// The parameters that were set with `--set`, by name.
pub type Assigned = BTreeMap<String, serde_json::Value>;

/// The parameters of a program that were set with `--set`.
pub fn assigned(spec: &Spec) -> Assigned {
    let set = spec.params.iter().filter(|p| p.set);
    set.map(|p| {
        let value = match &p.value {
            Const::Int(v) => json!(v),
            Const::Float(v) => json!(v),
            Const::Bool(v) => json!(v),
            Const::Str(v) => json!(v),
            Const::Open => serde_json::Value::Null,
        };
        (p.name.clone(), value)
    })
    .collect()
}

impl Record for Info {
    const VERSION: u32 = 1;
}

impl Info {
    /// The `id` of this record and a program. A field that a later version adds must not change the id of records without it.
    pub fn identify(&self, program: &str) -> String {
        let Info { version, tool, command, spec, set, seed, random, baselines, network, device, .. } = self;
        // Use only the name of the device: the number of threads changes no result.
        let device = device.split(' ').next();
        let said = json!([version, tool, command, spec, set, seed, random, baselines, network, device]);
        let hash = Sha256::digest(format!("{said}\n{program}"));
        hash.iter().take(16).map(|b| format!("{b:02x}")).collect()
    }
}

/// What a new run does with a program.
#[derive(Debug, Clone)]
pub struct Order {
    pub command: Command,
    pub seed: u64,
    /// The number of random topologies that are trained in addition to the derived one.
    pub random: usize,
    /// Whether the all-shared and the independent network are trained in addition to the derived one.
    pub baselines: bool,
    /// The parameters of the user's program that were set with `--set`.
    pub set: Assigned,
}

/// `progress.json`: the phases that are done, in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Progress {
    pub version: u32,
    pub phases: Vec<Phase>,
    /// Spent so far.
    pub seconds: f64,
    /// The device on which the run began. `run.json` has it too, but only this file has a checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
}

impl Progress {
    fn new() -> Progress {
        Progress { version: Progress::VERSION, phases: Vec::new(), seconds: 0.0, device: None }
    }
}

impl Record for Progress {
    const VERSION: u32 = 1;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Phase {
    pub name: String,
    /// Of a network: trained, its weights saved.
    pub trained: Option<Trained>,
    /// Of a network: evaluated too.
    pub result: Option<NetworkResult>,
    /// The logs when the phase was done.
    pub marks: Marks,
}

/// How often states are saved and how many of a phase are kept.
#[derive(Debug, Clone, Copy)]
pub struct Saving {
    pub every: Duration,
    pub keep: usize,
}

/// What a run needs beside a program.
pub struct Settings {
    pub control: Control,
    pub saving: Saving,
    /// Name of the device; of a run that goes on, `None` is the one it began on.
    pub device: Option<String>,
}

/// A run, begun or going on.
pub struct Run {
    pub folder: RunFolder,
    pub info: Info,
    pub prepared: Rc<Prepared>,
    pub device: Device,
    pub control: Control,
    pub progress: Progress,
    saving: Saving,
    states: States,
    started: Instant,
    /// Held until the run ends.
    _lock: Lock,
}

impl Run {
    /// Begins a run in a new folder, which appears with all that is needed to go on.
    pub fn begin(order: Order, prepared: Prepared, path: &Path, settings: Settings) -> Result<Run, Failure> {
        let Order { command, seed, random, baselines, set } = order;
        let device = device::open(settings.device.as_deref().unwrap_or("auto"))?;
        RunFolder::vacant(path)?;
        let cannot = |e: std::io::Error| {
            let why = match e.kind() {
                _ if path.symlink_metadata().is_ok() && !path.is_dir() => {
                    "it exists already, and is no folder".to_string()
                }
                std::io::ErrorKind::AlreadyExists => "a part of the path is no folder".to_string(),
                _ => crate::runtime::plain(&e),
            };
            RunError::Checkpoint(format!(
                "cannot make the run folder `{}`: {why}: name another with `-o`",
                path.display()
            ))
        };
        let new = New::beside(path).map_err(cannot)?;
        let program = super::program_text(&prepared, &path.join("program.mtl"));
        let mut info = Info {
            version: Info::VERSION,
            tool: artifact::TOOL.into(),
            command,
            spec: prepared.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            set,
            seed,
            random,
            baselines,
            network: match (command, &prepared.checked().spec.topology) {
                (Command::Run | Command::Search, _) => "derived",
                (Command::Train, Some(_)) => "trained",
                (Command::Train, None) => "all_shared",
            }
            .into(),
            device: device::describe(&device),
            id: String::new(),
            status: Status::Running,
            sums: None,
        };
        info.id = info.identify(&program);
        let files = &new.folder;
        files.held()?.make("checkpoints").map_err(cannot)?;
        files.write("source.mtl", &prepared.compiled.sources.file(prepared.compiled.root).text)?;
        files.write_vocabularies(prepared.checked(), "")?;
        files.write("program.mtl", &program)?;
        files.write_json("progress.json", &Progress::new())?;
        files.write_json("run.json", &info)?;
        let (folder, lock) = new.place(path, cannot)?;
        let prepared = stored(prepared, &folder)?;
        Run::new(folder, info, prepared, device, Progress::new(), settings, lock)
    }

    /// Goes on with a run that was stopped, from its folder alone.
    pub fn resume(info: Info, folder: RunFolder, settings: Settings) -> Result<Run, Failure> {
        let began_on = info.device.split(' ').next().unwrap_or("auto").to_string();
        let device = device::open(settings.device.as_deref().unwrap_or(&began_on))?;
        let lock = folder.lock()?;
        let path = folder.path.join("program.mtl");
        let program = driver::read(&path).map_err(|e| RunError::io(&path, e))?;
        if info.identify(&program) != info.id {
            return Err(Failure::Run(RunError::Checkpoint(format!(
                "the program `{}`, or `run.json`, was changed since the run began, so the run cannot go on: begin \
                 another with {}",
                path.display(),
                shell::mtlc(info.command.name()).path(&path)
            ))));
        }
        let progress: Progress = folder.read_json("progress.json")?;
        let prepared = super::prepare(&path, &[])?;
        let run = Run::new(folder, info, prepared, device, progress, settings, lock)?;
        // Killed after a phase was recorded and before its states were gone.
        let done = run.states.phases().into_iter().filter(|p| run.done(p).is_some());
        done.for_each(|p| run.states.clear(&p));
        Ok(run)
    }

    fn new(
        folder: RunFolder,
        info: Info,
        prepared: Prepared,
        device: Device,
        progress: Progress,
        settings: Settings,
        lock: Lock,
    ) -> Result<Run, Failure> {
        let Settings { control, saving, .. } = settings;
        let states = States::new(folder.held()?.clone(), saving.keep);
        let prepared = Rc::new(prepared);
        device::precision(&prepared.checked().spec).begin();
        let (started, _lock) = (Instant::now(), lock);
        Ok(Run { folder, info, prepared, device, control, progress, saving, states, started, _lock })
    }

    /// Where the logs go on: where the unfinished phase's state left them, or where the last phase that is done did.
    pub fn marks(&self) -> Marks {
        let unfinished = self.states.phases().into_iter().find(|p| self.done(p).is_none());
        let state = unfinished.and_then(|p| self.states.latest(&p, &self.info.id).0);
        let done = self.progress.phases.last().map(|p| p.marks);
        state.map(|s| s.header.marks).or(done).unwrap_or_default()
    }

    pub fn done(&self, phase: &str) -> Option<&Phase> {
        self.progress.phases.iter().find(|p| p.name == phase)
    }

    /// Records what is done of a phase, then lets go of its states.
    pub fn record(&mut self, phase: Phase) -> Result<(), RunError> {
        let name = phase.name.clone();
        match self.progress.phases.iter_mut().find(|p| p.name == name) {
            Some(old) => *old = phase,
            None => self.progress.phases.push(phase),
        }
        self.write_progress()?;
        self.states.clear(&name);
        Ok(())
    }

    fn write_progress(&mut self) -> Result<(), RunError> {
        let device = Some(self.info.device.clone());
        let progress = Progress { seconds: self.seconds(), device, ..self.progress.clone() };
        self.folder.write_json("progress.json", &progress)
    }

    /// Spent on the run, in all sittings.
    pub fn seconds(&self) -> f64 {
        self.progress.seconds + self.started.elapsed().as_secs_f64()
    }

    /// What looks after a phase, with the state that it goes on from.
    pub fn keeper(&self, phase: &str, listener: &mut dyn Listener) -> Keeper<'_> {
        let mut keeper = Keeper::new(&self.control, self.info.id.clone(), phase, Some(&self.states), self.saving.every);
        let (found, passed) = self.states.latest(phase, &self.info.id);
        for note in passed {
            listener.note(&format!("note: {note}"));
        }
        keeper.found = found;
        keeper
    }

    /// Sets the status of a run that is not done.
    pub fn set_status(&mut self, status: Status) -> Result<(), RunError> {
        self.info.status = status;
        if status != Status::Running {
            self.write_progress()?;
        }
        self.folder.write_json("run.json", &self.info)
    }

    /// Fails if the folder of the run is no longer at its place, or is no longer this process's.
    pub fn check(&self) -> Result<(), RunError> {
        self.folder.held()?.check().map_err(|e| RunError::io(&self.folder.path, e))
    }

    /// Closes a run whose folder was renamed while it worked there: that folder can be resumed.
    pub fn leave(&mut self) {
        if let Ok(folder) = self.folder.held() {
            folder.follow();
            let _ = self.set_status(Status::Stopped);
        }
    }

    /// Closes a finished run. The list of checksums is written after all files that it covers, and `run.json` after the list.
    pub fn finish(&mut self) -> Result<(), RunError> {
        self.write_progress()?;
        self.info.sums = Some(sums::write(&self.folder)?);
        self.info.status = Status::Done;
        self.folder.write_json("run.json", &self.info)
    }
}

/// The program as it lies in the folder is what runs, now and whenever the run goes on.
fn stored(prepared: Prepared, folder: &RunFolder) -> Result<Prepared, Failure> {
    let path = folder.path.join("program.mtl");
    let options = crate::hir::Options::default();
    let compiled = driver::compile(&path, &options).map_err(|e| RunError::io(&path, e))?;
    let names = |p: &crate::check::Checked| -> Vec<String> {
        let inputs = p.spec.inputs.iter().map(|i| i.name.clone());
        inputs.chain(p.spec.tasks.iter().map(|t| t.name.clone())).collect()
    };
    match &compiled.checked {
        Some(c) if names(c) == names(prepared.checked()) => Ok(Prepared { compiled, path, ..prepared }),
        // The user's program is small enough, so its schemas make it too large: the data have too many columns.
        None if compiled.diagnostics.iter().any(|d| d.code == codes::SYNTAX_TOO_LARGE) => {
            Err(Failure::Run(RunError::Data(DataError::Option {
                message: "with the facts of all columns the program is too large to be read".into(),
                help: "leave columns out of the data (`drop`)".into(),
            })))
        }
        _ => {
            let (message, help) = bug(&format!("`{}` is not the program that it was written from", path.display()));
            Err(Failure::Run(RunError::Part { message, help }))
        }
    }
}
