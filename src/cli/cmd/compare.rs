//! `mtlc compare`: strategies and baselines side by side.

use std::time::Instant;

use serde_json::json;

use super::session::{self, Stop, failed, stop};
use crate::cli::args::{CompareArgs, CompareFormat};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::progress::Progress;
use crate::cli::signals;
use crate::cli::terminal::Terminal;
use crate::experiment::RunFolder;
use crate::experiment::compare::{self, Comparison, Ended, Means};
use crate::experiment::results::StoppedAt;
use crate::experiment::run::Saving;
use crate::report::compare as tables;
use crate::runtime::control::{Control, Why};
use crate::runtime::device;
use crate::screen::{shell, visible};

pub fn run(args: &CompareArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &CompareArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let deadline = args.time.map(|t| Instant::now() + t);
    let (path, request) = match (&args.resume, &args.file) {
        (Some(path), _) => (path.clone(), compare::open(path).map_err(failed)?),
        (None, Some(file)) => {
            device::open(args.device.as_deref().unwrap_or("auto")).map_err(failed)?;
            let with = args.with.as_deref().map(compare::asked).transpose();
            let with = with.map_err(|why| Stop::Failed(Failure::new(Exit::Usage, why)))?;
            if let Some(path) = &args.output {
                RunFolder::vacant(path).map_err(failed)?;
            }
            let prepared = session::prepare(file, &args.set.set, terminal)?;
            let path = args.output.clone().unwrap_or_else(|| RunFolder::default_path(file, args.seed));
            let seeds: Vec<u64> = (0..args.seeds as u64).map(|n| args.seed.saturating_add(n)).collect();
            let device = args.device.as_deref().unwrap_or("auto");
            let begun = compare::begin(&prepared, &path, with, seeds, device);
            (path.clone(), begun.map_err(|f| stop(f, terminal))?)
        }
        (None, None) => unreachable!("the command line asks for one of them"),
    };
    terminal.note(&format!("comparison: {}", path.display()));
    for (name, why) in &request.left_out {
        terminal.note(&format!("note: {name} is left out: {why}"));
    }
    let means = Means {
        control: Control::new(signals::listen(), deadline),
        saving: Saving { every: args.save_every, keep: 2 },
        device: args.device.clone().or_else(|| Some(request.device.clone())),
        ignore_memory: args.ignore_memory,
    };
    let mut progress = Progress::new(terminal);
    let folder = RunFolder::at(&path);
    let ended = compare::execute(&folder, &request, &means, &mut progress);
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
                shell::mtlc("compare --resume").path(&path)
            ));
            if terminal.json {
                terminal.object(&json!({ "stopped": StoppedAt::from(&at), "folder": path.display().to_string() }));
            }
            Ok(Ok(Exit::Stopped))
        }
        Ended::Done(comparison) => {
            for (name, text) in [
                ("compare.md", tables::markdown(&comparison)),
                ("compare.csv", tables::csv(&comparison)),
                ("runs.csv", tables::runs_csv(&comparison)),
            ] {
                folder.write(name, &text).map_err(failed)?;
            }
            show(&comparison, args.format, terminal);
            for f in &comparison.findings {
                terminal.warn(&format!("{}: {}", f.folder, f.finding.text), None);
            }
            Ok(Ok(Exit::Ok))
        }
    }
}

fn show(c: &Comparison, format: Option<CompareFormat>, terminal: &Terminal) {
    let usual = if terminal.json { CompareFormat::Json } else { CompareFormat::Text };
    match format.unwrap_or(usual) {
        CompareFormat::Json => terminal.object(&serde_json::to_value(c).expect("numbers and text")),
        CompareFormat::Text => terminal.product(&tables::text(c, terminal.stdout_color())),
        CompareFormat::Markdown => terminal.product(&tables::markdown(c)),
        CompareFormat::Csv => terminal.product(&tables::csv(c)),
    }
}
