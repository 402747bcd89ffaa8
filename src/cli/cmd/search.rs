//! `mtlc search`: finds a topology and writes it down; nothing is retrained.

use super::session::{self, Stop};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::progress::Progress;
use crate::cli::terminal::Terminal;
use crate::experiment::recorder::Recorder;
use crate::experiment::{self, SavedSearch, sums};

pub fn run(args: &RunArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let prepared = session::prepare_run(args, terminal)?;
    experiment::can_search(&prepared).map_err(|f| session::stop(f, terminal))?;
    let begun = session::begin("search", args, &prepared, terminal)?;
    let mut progress = Progress::new(terminal);
    let mut recorder = Recorder::new(&begun.folder, &mut progress).map_err(session::failed)?;
    let found = experiment::search(&prepared, &begun.folder, args.seed, &begun.device, &mut recorder);
    let lost = recorder.failed.take();
    drop(recorder);
    progress.finish();
    let found = found.map_err(|f| begun.ended(f, terminal))?;
    if let Some(e) = lost {
        return Err(begun.ended(e.into(), terminal));
    }
    let at = begun.folder.derived();
    let text = experiment::derived_text(&prepared, &found.derived.topology, &SavedSearch::from(&found.result), &at);
    begun.folder.write("derived/net.mtl", &text).map_err(session::failed)?;
    sums::write(&begun.folder).map_err(session::failed)?;
    begun.status("done").map_err(session::failed)?;
    if terminal.json {
        terminal.object(&serde_json::to_value(&found.result).expect("numbers and text"));
    } else {
        terminal.product(&crate::artifact::topology_text(&prepared.checked().spec, &found.derived.topology));
    }
    terminal.note(&format!("derived topology: {}", at.display()));
    Ok(Ok(Exit::Ok))
}
