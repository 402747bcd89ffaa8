//! Several runs in one folder, for comparisons and cross-validations. Each run has its own run folder under `runs/`, so that a stopped
//! command can be resumed without repeating finished runs.

use std::path::Path;

use super::recorder::Recorder;
use super::run::{Assigned, Command, Info, Order, Run, Saving, Settings, Status};
use super::{Failure, RunFolder, memory, phases};
use crate::check::Checked;
use crate::runtime::control::Control;
use crate::runtime::epochs::Stopped;
use crate::runtime::format::Record;
use crate::runtime::record::Listener;
use crate::runtime::{RunError, device};
use crate::source::{Folder, Lock, TEMPORARY, temporary_file};

/// What the runs need in addition to a request.
pub struct Means {
    pub control: Control,
    pub saving: Saving,
    pub device: Option<String>,
    pub ignore_memory: bool,
}

pub(super) fn misused(message: String) -> Failure {
    Failure::Run(RunError::Checkpoint(message))
}

/// Writes a new folder with its request and some files under `programs/`, completely or not at all. `frozen`: the spec whose schemas the
/// programs contain.
pub(super) fn new_folder(
    path: &Path,
    programs: &[(String, String)],
    frozen: Option<&Checked>,
    request: &impl Record,
) -> Result<(), Failure> {
    RunFolder::vacant(path)?;
    let cannot = |e: std::io::Error| {
        misused(format!("cannot make the folder `{}`: {}", path.display(), crate::runtime::plain(&e)))
    };
    let new = New::beside(path).map_err(cannot)?;
    let files = &new.folder;
    files.held()?.make("programs").map_err(cannot)?;
    if let Some(checked) = frozen {
        files.write_vocabularies(checked, "programs/")?;
    }
    for (name, text) in programs {
        files.write(name, text)?;
    }
    files.write_json("request.json", request)?;
    new.place(path, cannot)?;
    Ok(())
}

/// A folder that is filled next to its place and comes there when it is whole. Until then it is locked, so that it can be told from the
/// folder of a killed process.
pub(super) struct New {
    made: tempfile::TempDir,
    pub folder: RunFolder,
    lock: Option<Lock>,
}

impl New {
    /// Makes the folder, and removes those that killed processes have left there.
    pub fn beside(path: &Path) -> std::io::Result<New> {
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)?;
        Folder::open(parent)?.remove_abandoned();
        let made = temporary_file(TEMPORARY, 0o777, |b| b.tempdir_in(parent))?;
        let folder = Folder::open(made.path())?;
        // Elsewhere a folder with an open file cannot be renamed.
        let lock = if cfg!(unix) { Some(folder.lock()?) } else { None };
        Ok(New { made, folder: RunFolder::of(folder), lock })
    }

    /// Puts the folder in its place. An empty folder may be there already; one that is not empty stays, and this fails.
    pub fn place<E: Into<Failure>>(
        self,
        path: &Path,
        cannot: impl Fn(std::io::Error) -> E,
    ) -> Result<(RunFolder, Lock), Failure> {
        let put = || {
            if path.is_dir() {
                std::fs::remove_dir(path)?;
            }
            std::fs::rename(self.made.path(), path)
        };
        put().map_err(|e| cannot(e).into())?;
        let New { made, folder, lock } = self;
        let _ = made.keep();
        match lock {
            Some(lock) => Ok((RunFolder::of(folder.held()?.clone().renamed(path)), lock)),
            None => {
                let folder = RunFolder::at(path);
                let lock = folder.lock()?;
                Ok((folder, lock))
            }
        }
    }
}

/// One of the runs.
pub(super) struct One<'a> {
    pub command: Command,
    pub program: &'a Path,
    /// The folder of all runs.
    pub within: &'a RunFolder,
    /// The name of the run folder in it.
    pub name: String,
    pub seed: u64,
    /// The parameters of the program that were set with `--set`.
    pub set: &'a Assigned,
    /// Whether the all-shared and the independent network are trained as well.
    pub baselines: bool,
    /// A title for people.
    pub title: String,
}

/// Takes the folder of several runs for this process, and removes what killed ones have left half made in it.
pub(super) fn take(folder: &RunFolder) -> Result<Lock, Failure> {
    let lock = folder.lock()?;
    folder.held()?.make("runs").map_err(|e| RunError::io(&folder.path.join("runs"), e))?;
    Ok(lock)
}

/// Runs a program, or continues its run. A run that diverges is a result, too.
pub(super) fn one(of: &One, means: &Means, listener: &mut dyn Listener) -> Result<Option<Stopped>, Failure> {
    let within = of.within.held()?.check();
    within.map_err(|e| RunError::io(&of.within.path, e))?;
    let folder = &of.within.inside(&of.name)?;
    let settings = Settings { control: means.control.clone(), saving: means.saving, device: means.device.clone() };
    let mut run = match folder.path.join("run.json").is_file() {
        true => {
            let info: Info = folder.read_json("run.json")?;
            if matches!(info.status, Status::Done | Status::Diverged) {
                return Ok(None);
            }
            Run::resume(info, folder.clone(), settings)?
        }
        false => {
            let prepared = super::prepare(of.program, &[])?;
            let on_cpu = device::open(means.device.as_deref().unwrap_or("auto"))?.is_cpu();
            let need = memory::need(&prepared, of.command, of.baselines)?;
            if let Some(refused) = need.filter(|_| on_cpu && !means.ignore_memory).and_then(|n| n.refuse()) {
                return Err(refused.into());
            }
            let One { command, seed, baselines, .. } = *of;
            let order = Order { command, seed, random: 0, baselines, set: of.set.clone() };
            Run::begin(order, prepared, &folder.path, settings)?
        }
    };
    listener.note(&format!("{}: {}", of.title, folder.path.display()));
    let mut recorder = Recorder::open(&run.folder, run.marks(), listener)?;
    let outcome = phases::execute(&mut run, &mut recorder);
    drop(recorder);
    match outcome {
        Ok(outcome) => Ok(outcome.stopped),
        Err(Failure::Run(e)) if e.is_divergence() => {
            listener.note(&format!("note: {}: {e}", of.title));
            Ok(None)
        }
        Err(e) => Err(e),
    }
}
