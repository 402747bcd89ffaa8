//! `mtlc train`: trains the topology of a program from scratch and evaluates it; without a topology, all tasks share everything.

use std::time::Instant;

use super::session::{self, Stop};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::progress::Progress;
use crate::cli::results;
use crate::cli::terminal::Terminal;
use crate::experiment::recorder::Recorder;
use crate::experiment::{self, Candidate, Summary, sums};
use crate::ir::partition;
use crate::runtime::device;

pub fn run(args: &RunArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let start = Instant::now();
    let prepared = session::prepare_run(args, terminal)?;
    let checked = prepared.checked();
    let candidate = match &checked.spec.topology {
        Some(t) => Candidate { name: "trained".into(), topology: t.clone() },
        None => {
            terminal.note("note: the program has no topology: all tasks share every stage");
            Candidate { name: "all_shared".into(), topology: partition::all_shared(&checked.spec) }
        }
    };
    let begun = session::begin("train", args, &prepared, terminal)?;
    let mut progress = Progress::new(terminal);
    let mut recorder = Recorder::new(&begun.folder, &mut progress).map_err(session::failed)?;
    let result = experiment::train(&prepared, &candidate, &begun.folder, args.seed, &begun.device, &mut recorder);
    let lost = recorder.failed.take();
    drop(recorder);
    progress.finish();
    let network = result.map_err(|f| begun.ended(f, terminal))?;
    if let Some(e) = lost {
        return Err(begun.ended(e.into(), terminal));
    }
    let summary = Summary {
        version: 1,
        tool: concat!("mtlc ", env!("CARGO_PKG_VERSION")).into(),
        spec: args.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        seed: args.seed,
        device: device::describe(&begun.device),
        search: None,
        topology: crate::artifact::topology_text(&checked.spec, &candidate.topology),
        networks: vec![network],
        seconds: start.elapsed().as_secs_f64(),
    };
    begun.folder.write_json("summary.json", &summary).map_err(session::failed)?;
    sums::write(&begun.folder).map_err(session::failed)?;
    begun.status("done").map_err(session::failed)?;
    if terminal.json {
        terminal.object(&serde_json::to_value(&summary).expect("numbers and text"));
    } else {
        terminal.product(&results::table(&summary.networks).terminal(false));
    }
    terminal.note(&format!("weights: {}", begun.folder.checkpoint(&candidate.name).display()));
    Ok(Ok(Exit::Ok))
}
