//! `mtlc train`: trains the topology of a program from scratch and evaluates it; without a topology, all tasks share everything.

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
    if let Some(outcome) = folds::asked(Command::Train, args, terminal) {
        return outcome;
    }
    let finished = session::execute(Command::Train, args, terminal)?;
    let summary = &finished.outcome.summary;
    if let Some(summary) = summary {
        session::product(summary, false, terminal);
    }
    if let Some(exit) = finished.stopped(Command::Train, terminal) {
        return Ok(Ok(exit));
    }
    for network in summary.iter().flat_map(|s| &s.networks) {
        terminal.note(&format!("weights: {}", finished.folder.checkpoint(&network.name).display()));
    }
    Ok(Ok(Exit::Ok))
}
