//! What the running commands share: preparing a spec, the run folder, and how failures become exit codes.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::progress::Progress;
use crate::cli::terminal::Terminal;
use crate::cli::{results, signals};
use crate::diag::render::{MessageFormat, render, summary};
use crate::driver::Compiled;
use crate::experiment::phases::{self, Outcome};
use crate::experiment::recorder::Recorder;
use crate::experiment::results::StoppedAt;
use crate::experiment::run::{Command, Info, Order, Run, Saving, Settings, Status, assigned};
use crate::experiment::{self, Finding, Prepared, RunFolder, SearchResult, Summary};
use crate::runtime::control::{Control, Why};
use crate::runtime::{RunError, device};
use crate::screen::shell::{self, Suggestion};
use crate::screen::visible;

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
        RunError::Data(_) => Exit::Data,
        e if e.is_divergence() => Exit::Diverged,
        RunError::NotYet(_) => Exit::Program,
        _ => Exit::Failure,
    };
    let mut f = Failure::new(exit, e.to_string());
    if let Some(h) = e.help() {
        f = f.help(h);
    }
    Stop::Failed(f)
}

/// The exit code of a command that needs the data, for a compilation with errors.
pub fn exit_of(compiled: &Compiled) -> Exit {
    if compiled.is_about_data() { Exit::Data } else { Exit::Program }
}

pub fn stop(failure: experiment::Failure, terminal: &Terminal) -> Stop {
    match failure {
        experiment::Failure::Run(e) => failed(e),
        experiment::Failure::Spec(compiled) => {
            show(&compiled, terminal);
            Stop::Shown(exit_of(&compiled))
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

/// A run that came to its end, or to a stop.
pub struct Finished {
    pub folder: RunFolder,
    pub outcome: Outcome,
}

/// Begins a run, or goes on with one, and does what is left of it.
pub fn execute(command: Command, args: &RunArgs, terminal: &Terminal) -> Result<Finished, Stop> {
    if args.random > 0 && command != Command::Run {
        let said = format!("{} trains no random networks, so `--random` has no effect", shell::mtlc(command.name()));
        let help = "use `mtlc run --random N`, which also trains them, or leave `--random` out";
        return Err(Stop::Failed(Failure::new(Exit::Usage, said).help(help)));
    }
    let deadline = args.time.map(|t| Instant::now() + t);
    let settings = |asked| Settings {
        control: Control::new(asked, deadline),
        saving: Saving { every: args.save_every, keep: args.keep },
        device: args.device.clone(),
    };
    let mut run = match (&args.resume, &args.file) {
        (Some(path), _) => {
            let (info, folder) = resumable(command, path, terminal)?;
            let run = Run::resume(info, folder, settings(signals::listen()));
            run.map_err(|f| stop(f, terminal))?
        }
        (None, Some(file)) => {
            // Refused before data are read: a device that is not there, a folder that is taken.
            let on_cpu = device::open(args.device.as_deref().unwrap_or("auto")).map_err(failed)?.is_cpu();
            if let Some(path) = &args.output {
                RunFolder::vacant(path).map_err(failed)?;
            }
            let prepared = prepare(file, &args.set.set, terminal)?;
            if command != Command::Train {
                experiment::can_search(&prepared).map_err(|f| stop(f, terminal))?;
            }
            let need = experiment::memory::need(&prepared, command, true).map_err(|f| stop(f, terminal))?;
            if let Some(need) = need.filter(|_| on_cpu) {
                if let Some(e) = need.refuse().filter(|_| !args.ignore_memory) {
                    return Err(failed(e));
                }
                terminal.note(&format!("memory: {}", need.describe()));
            }
            let path = args.output.clone().unwrap_or_else(|| RunFolder::default_path(file, args.seed));
            let (seed, random, set) = (args.seed, args.random, assigned(&prepared.checked().spec));
            let order = Order { command, seed, random, baselines: true, set };
            let begun = Run::begin(order, prepared, &path, settings(signals::listen()));
            begun.map_err(|f| stop(f, terminal))?
        }
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    let folder = run.folder.clone();
    terminal.note(&format!("run folder: {} ({})", folder.path.display(), device::describe(&run.device)));
    let mut progress = Progress::new(terminal);
    let mut recorder = Recorder::open(&folder, run.marks(), &mut progress).map_err(failed)?;
    let outcome = phases::execute(&mut run, &mut recorder);
    drop(recorder);
    progress.finish();
    let outcome = outcome.map_err(|f| match stop(f, terminal) {
        // A disk that is full, a device that is gone: what was done is not lost.
        Stop::Failed(f) if f.exit == Exit::Failure && f.help.is_none() => {
            let again = resume(command, &folder.path);
            Stop::Failed(f.help(format!("what was done is saved: when this is mended, go on with {again}")))
        }
        stop => stop,
    })?;
    Ok(Finished { folder, outcome })
}

/// The error for a folder that was begun by another command.
pub fn begun_by(command: Command, path: &Path) -> Stop {
    let said = format!("`{}` was begun by {}", path.display(), shell::mtlc(command.name()));
    Stop::Failed(Failure::new(Exit::Usage, said).help(format!("go on with {}", resume(command, path))))
}

/// The command that goes on with what is in a folder.
pub fn resume(command: Command, folder: &Path) -> Suggestion {
    shell::mtlc(command.name()).words("--resume").path(folder)
}

/// The run in a folder, if it is one that can go on. One that is done is shown once more.
fn resumable(command: Command, path: &Path, terminal: &Terminal) -> Result<(Info, RunFolder), Stop> {
    let folder = RunFolder::open(path).map_err(failed)?;
    let info: Info = folder.read_json("run.json").map_err(failed)?;
    let shown = path.display();
    if info.command != command {
        return Err(begun_by(info.command, path));
    }
    match info.status {
        Status::Done => {
            terminal.note(&format!("the run `{shown}` is done: there is nothing left to do"));
            if command != Command::Search {
                let summary: Summary = folder.read_json("summary.json").map_err(failed)?;
                product(&summary, command == Command::Run, terminal);
            } else {
                let result: SearchResult = folder.read_json("search.json").map_err(failed)?;
                if terminal.json {
                    terminal.object(&serde_json::to_value(&result).expect("numbers and text"));
                } else {
                    warn(&result.findings, terminal);
                    terminal.note(&format!("derived topology: {}", folder.derived().display()));
                }
            }
            return Err(Stop::Shown(Exit::Ok));
        }
        Status::Diverged => {
            let f = Failure::new(
                Exit::Diverged,
                format!("the run `{shown}` diverged: going on would come to the same"),
            )
            .help(format!(
                "begin another with a lower learning rate, or with `clip = 1.0`: {}; the last states and weights before it \
                 stay in `{shown}`",
                shell::mtlc(command.name()).path(&folder.path.join("source.mtl"))
            ));
            return Err(Stop::Failed(f));
        }
        _ => {}
    }
    let tool = concat!("mtlc ", env!("CARGO_PKG_VERSION"));
    if info.tool != tool {
        terminal.note(&format!("note: the run was begun by {}, and this is {tool}: numbers may differ", info.tool));
    }
    Ok((info, folder))
}

/// A run's results on standard output: a table, after the topology that was found; or JSON.
pub fn product(summary: &Summary, topology: bool, terminal: &Terminal) {
    if terminal.json {
        terminal.object(&serde_json::to_value(summary).expect("numbers and text"));
        return;
    }
    let table = results::table(&summary.networks).terminal(false);
    match topology {
        true => terminal.product(&format!("{}\n{table}", summary.topology)),
        false => terminal.product(&table),
    }
    warn(&summary.findings, terminal);
}

/// Prints the findings after a result on standard error.
pub fn warn(findings: &[Finding], terminal: &Terminal) {
    findings.iter().for_each(|f| terminal.warn(&f.text, Some(&f.help)));
}

impl Finished {
    /// Of a run that was stopped: says where, how it goes on, and leaves with the code for that.
    pub fn stopped(&self, command: Command, terminal: &Terminal) -> Option<Exit> {
        let at = self.outcome.stopped.as_ref()?;
        let why = match at.why {
            Why::Signal => "stopped by a signal",
            Why::Time => "stopped by the clock (`--time`)",
        };
        let phase = visible(&at.phase, false);
        let place = match at.step {
            0 => format!("while `{phase}` was evaluated"),
            step => format!("in `{phase}`, epoch {} of {}, after step {step}", at.epoch, at.epochs),
        };
        let folder = self.folder.path.display();
        // A summary and the result of a search contain it already.
        if terminal.json && self.outcome.summary.is_none() && self.outcome.search.is_none() {
            terminal.object(&json!({ "stopped": StoppedAt::from(at), "folder": folder.to_string() }));
        }
        if self.outcome.summary.is_some() {
            terminal.note(&format!("results so far: {folder}/partial"));
        }
        terminal.say(&format!(
            "{why} {place}; everything is saved\n  help: go on with {}\n",
            resume(command, &self.folder.path)
        ));
        Some(Exit::Stopped)
    }
}
