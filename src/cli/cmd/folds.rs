//! `--folds`: cross-validation, which trains a program once per fold of its training rows.

use std::path::PathBuf;
use std::time::Instant;

use super::session::{self, Stop, failed, stop};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::progress::Progress;
use crate::cli::signals;
use crate::cli::terminal::Terminal;
use crate::experiment::folds::{self, Ended, Request};
use crate::experiment::results::StoppedAt;
use crate::experiment::run::{Command, Saving};
use crate::experiment::several::Means;
use crate::experiment::{self, RunFolder};
use crate::report::folds as tables;
use crate::runtime::control::{Control, Why};
use crate::runtime::device;
use crate::screen::visible;

/// Runs a command that was given `--folds`, or that resumes a folder of folds; `None` for other commands.
pub fn asked(command: Command, args: &RunArgs, terminal: &Terminal) -> Option<Result<Outcome, Stop>> {
    let resumed = args.resume.as_ref().and_then(|path| Some((path.clone(), folds::open(path)?)));
    match (resumed, args.folds) {
        (Some((path, request)), _) => Some(go_on(command, path, request, args, terminal)),
        (None, Some(n)) => Some(begin(command, n, args, terminal)),
        (None, None) => None,
    }
}

fn begin(command: Command, n: usize, args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let file = args.file.as_ref().expect("the command line asks for one");
    let device = args.device.as_deref().unwrap_or("auto");
    device::open(device).map_err(failed)?;
    if let Some(path) = &args.output {
        RunFolder::vacant(path).map_err(failed)?;
    }
    let prepared = session::prepare(file, &args.set.set, terminal)?;
    if command == Command::Run {
        experiment::can_search(&prepared).map_err(|f| stop(f, terminal))?;
    }
    let path = args.output.clone().unwrap_or_else(|| RunFolder::default_path(file, args.seed));
    let begun = folds::begin(&prepared, &path, command, n, args.seed, device);
    let request = begun.map_err(|f| stop(f, terminal))?;
    if let Some(note) = folds::unread(&prepared) {
        terminal.note(&format!("note: {note}"));
    }
    drop(prepared);
    work(path, &request, args, terminal)
}

fn go_on(
    command: Command,
    path: PathBuf,
    request: Request,
    args: &RunArgs,
    terminal: &Terminal,
) -> Result<Outcome, Stop> {
    if request.command != command {
        return Err(session::begun_by(request.command, &path));
    }
    work(path, &request, args, terminal)
}

fn work(path: PathBuf, request: &Request, args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    terminal.note(&format!("folds: {}", path.display()));
    let means = Means {
        control: Control::new(signals::listen(), args.time.map(|t| Instant::now() + t)),
        saving: Saving { every: args.save_every, keep: args.keep },
        device: args.device.clone().or_else(|| Some(request.device.clone())),
        ignore_memory: args.ignore_memory,
    };
    let mut progress = Progress::new(terminal);
    let folder = RunFolder::at(&path);
    let ended = folds::execute(&folder, request, &means, &mut progress);
    progress.finish();
    match ended.map_err(|f| stop(f, terminal))? {
        Ended::Stopped(at) => {
            let why = match at.why {
                Why::Signal => "stopped by a signal",
                Why::Time => "stopped by the clock (`--time`)",
            };
            terminal.say(&format!(
                "{why} in `{}`; everything is saved\n  help: go on with {}\n",
                visible(&at.phase, false),
                session::resume(request.command, &path)
            ));
            if terminal.json {
                let at = StoppedAt::from(&at);
                terminal.object(&serde_json::json!({ "stopped": at, "folder": path.display().to_string() }));
            }
            Ok(Ok(Exit::Stopped))
        }
        Ended::Done(found) => {
            for (name, text) in [("folds.md", tables::markdown(&found)), ("folds.csv", tables::csv(&found))] {
                folder.write(name, &text).map_err(failed)?;
            }
            match terminal.json {
                true => terminal.object(&serde_json::to_value(&found).expect("numbers and text")),
                false => terminal.product(&tables::text(&found, terminal.stdout_color())),
            }
            Ok(Ok(Exit::Ok))
        }
    }
}
