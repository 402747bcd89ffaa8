//! `mtlc run`: the whole way from a spec to a table.

use super::folds;
use super::session::{self, Stop};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::terminal::Terminal;
use crate::experiment::run::Command;

pub fn run(args: &RunArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    if let Some(outcome) = folds::asked(Command::Run, args, terminal) {
        return outcome;
    }
    let finished = session::execute(Command::Run, args, terminal)?;
    if let Some(summary) = &finished.outcome.summary {
        session::product(summary, true, terminal);
    }
    if let Some(exit) = finished.stopped(Command::Run, terminal) {
        return Ok(Ok(exit));
    }
    let (folder, summary) = (&finished.folder, &finished.outcome.summary);
    terminal.note(&format!("derived topology: {}", folder.derived().display()));
    let seconds = summary.as_ref().map_or(0.0, |s| s.seconds);
    terminal.note(&format!("run folder: {} ({seconds:.0} s)", folder.path.display()));
    Ok(Ok(Exit::Ok))
}
