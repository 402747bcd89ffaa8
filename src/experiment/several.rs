//! Several runs in one folder, for comparisons and cross-validations. Each run has its own run folder under `runs/`, so that a stopped
//! command can be resumed without repeating finished runs.

use std::path::Path;

use super::recorder::Recorder;
use super::run::{Assigned, Command, Info, Order, Run, Saving, Settings, Status};
use super::{Failure, RunFolder, memory, phases};
use crate::check::Checked;
use crate::runtime::checkpoint::TEMPORARY;
use crate::runtime::control::Control;
use crate::runtime::epochs::Stopped;
use crate::runtime::format::Record;
use crate::runtime::record::Listener;
use crate::runtime::{RunError, device};
use crate::source::temporary_file;

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
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(cannot)?;
    let made = temporary_file(TEMPORARY, 0o777, |b| b.tempdir_in(parent)).map_err(cannot)?;
    std::fs::create_dir(made.path().join("programs")).map_err(cannot)?;
    let new = RunFolder { path: made.path().to_path_buf() };
    if let Some(checked) = frozen {
        super::write_vocabularies(checked, &new.path.join("programs"))?;
    }
    for (name, text) in programs {
        new.write(name, text)?;
    }
    new.write_json("request.json", request)?;
    // An empty folder may exist already. One that is not empty is kept, and this fails.
    if path.is_dir() {
        std::fs::remove_dir(path).map_err(cannot)?;
    }
    std::fs::rename(made.path(), path).map_err(cannot)?;
    let _ = made.keep();
    Ok(())
}

/// One of the runs.
pub(super) struct One<'a> {
    pub command: Command,
    pub program: &'a Path,
    pub folder: &'a RunFolder,
    pub seed: u64,
    /// The parameters of the program that were set with `--set`.
    pub set: &'a Assigned,
    /// Whether the all-shared and the independent network are trained as well.
    pub baselines: bool,
    /// A title for people.
    pub title: String,
}

/// Runs a program, or continues its run. A run that diverges is a result, too.
pub(super) fn one(of: &One, means: &Means, listener: &mut dyn Listener) -> Result<Option<Stopped>, Failure> {
    let settings = Settings { control: means.control.clone(), saving: means.saving, device: means.device.clone() };
    let mut run = match of.folder.path.join("run.json").is_file() {
        true => {
            let info: Info = of.folder.read_json("run.json")?;
            if matches!(info.status, Status::Done | Status::Diverged) {
                return Ok(None);
            }
            Run::resume(info, of.folder.clone(), settings)?
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
            Run::begin(order, prepared, &of.folder.path, settings)?
        }
    };
    listener.note(&format!("{}: {}", of.title, of.folder.path.display()));
    let mut recorder = Recorder::open(of.folder, run.marks(), listener)?;
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
