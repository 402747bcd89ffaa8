//! What the running commands share: preparing a spec, the run folder, and how failures become exit codes.

use std::path::Path;

use serde_json::json;

use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::Terminal;
use crate::data::DataError;
use crate::diag::render::{MessageFormat, render, summary};
use crate::driver::Compiled;
use crate::experiment::{self, Prepared, RunFolder};
use crate::runtime::{RunError, device};

/// How a command ends early: with diagnostics already shown, or with a failure to show.
pub enum Stop {
    Shown(Exit),
    Failed(Failure),
}

impl Stop {
    pub fn outcome(self) -> crate::cli::exit::Outcome {
        match self {
            Stop::Shown(exit) => Ok(exit),
            Stop::Failed(f) => Err(f),
        }
    }
}

pub fn failed(e: RunError) -> Stop {
    let exit = match &e {
        RunError::Data(DataError::Unavailable { .. }) => Exit::Program,
        RunError::Data(_) => Exit::Data,
        RunError::Diverged { .. } => Exit::Diverged,
        RunError::NotYet(_) => Exit::Program,
        _ => Exit::Failure,
    };
    let mut f = Failure::new(exit, e.to_string());
    if let Some(h) = e.help() {
        f = f.help(h);
    }
    Stop::Failed(f)
}

pub fn stop(failure: experiment::Failure, terminal: &Terminal) -> Stop {
    match failure {
        experiment::Failure::Run(e) => failed(e),
        experiment::Failure::Spec(compiled) => {
            show(&compiled, terminal);
            Stop::Shown(Exit::Program)
        }
    }
}

/// Shows a compilation's diagnostics on standard error.
pub fn show(compiled: &Compiled, terminal: &Terminal) {
    terminal.say(&render(MessageFormat::Human, &compiled.diagnostics, &compiled.sources, terminal.stderr()));
    let line = summary(&compiled.diagnostics);
    if !line.is_empty() {
        terminal.say(&format!("{line}\n"));
    }
}

/// Compiles and loads; warnings and notes on the data go to standard error.
pub fn prepare(path: &Path, set: &[(String, String)], terminal: &Terminal) -> Result<Prepared, Stop> {
    let prepared = experiment::prepare(path, set).map_err(|f| match f {
        experiment::Failure::Run(RunError::Io { path: p, source }) if Path::new(&p) == path => {
            Stop::Failed(Failure::io("read", path, &source))
        }
        other => stop(other, terminal),
    })?;
    if !terminal.quiet && !prepared.compiled.diagnostics.is_empty() {
        show(&prepared.compiled, terminal);
    }
    for note in &prepared.feed.dataset.notes {
        terminal.note(&format!("note: {note}"));
    }
    Ok(prepared)
}

/// Refuses what can be refused before data are read: a device that is not there, a folder that is taken.
pub fn prepare_run(args: &RunArgs, terminal: &Terminal) -> Result<Prepared, Stop> {
    device::open(&args.device).map_err(failed)?;
    if let Some(path) = &args.output {
        RunFolder::vacant(path).map_err(failed)?;
    }
    prepare(&args.file, &args.set.set, terminal)
}

/// A run that has begun: device and folder, with `run.json` and the source in it.
pub struct Begun {
    pub device: candle_core::Device,
    pub folder: RunFolder,
    command: &'static str,
    seed: u64,
    spec: String,
}

pub fn begin(command: &'static str, args: &RunArgs, prepared: &Prepared, terminal: &Terminal) -> Result<Begun, Stop> {
    let device = device::open(&args.device).map_err(failed)?;
    let path = args.output.clone().unwrap_or_else(|| RunFolder::default_path(&args.file, args.seed));
    let folder = RunFolder::create(&path).map_err(failed)?;
    terminal.note(&format!("run folder: {} ({})", path.display(), device::describe(&device)));
    let source = prepared.compiled.sources.file(prepared.compiled.root).text.clone();
    folder.write("source.mtl", &source).map_err(failed)?;
    let program = experiment::program_text(prepared, &folder.path.join("program.mtl"));
    folder.write("program.mtl", &program).map_err(failed)?;
    let spec = args.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let begun = Begun { device, folder, command, seed: args.seed, spec };
    begun.status("running").map_err(failed)?;
    Ok(begun)
}

impl Begun {
    pub fn status(&self, status: &str) -> Result<(), RunError> {
        self.folder.write_json(
            "run.json",
            &json!({
                "version": 1,
                "tool": concat!("mtlc ", env!("CARGO_PKG_VERSION")),
                "command": self.command,
                "spec": self.spec,
                "seed": self.seed,
                "device": device::describe(&self.device),
                "status": status,
            }),
        )
    }

    /// Notes the failure in `run.json` and passes it on.
    pub fn ended(&self, failure: experiment::Failure, terminal: &Terminal) -> Stop {
        let stop = stop(failure, terminal);
        let status = match &stop {
            Stop::Failed(f) if f.exit == Exit::Diverged => "diverged",
            _ => "failed",
        };
        // The failure itself matters more than one on the way.
        let _ = self.status(status);
        stop
    }
}
