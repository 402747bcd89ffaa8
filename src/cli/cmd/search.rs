//! `mtlc search`: finds a topology and writes it down; nothing is retrained.

use super::session::{self, Stop};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::experiment::run::Command;

pub fn run(args: &RunArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    if args.folds.is_some() {
        let f = Failure::new(Exit::Usage, "a search alone has no test scores that folds could be compared by")
            .help("`mtlc run --folds N` searches on every fold and tests what it finds; `mtlc train --folds N` trains a topology");
        return Err(Stop::Failed(f));
    }
    let finished = session::execute(Command::Search, args, terminal)?;
    if let Some(result) = &finished.outcome.search {
        if terminal.json {
            terminal.object(&serde_json::to_value(result).expect("numbers and text"));
        } else {
            terminal.product(&finished.outcome.topology);
            session::warn(&result.findings, terminal);
        }
    }
    if let Some(exit) = finished.stopped(Command::Search, terminal) {
        return Ok(Ok(exit));
    }
    terminal.note(&format!("derived topology: {}", finished.folder.derived().display()));
    Ok(Ok(Exit::Ok))
}
