//! `mtlc run`: the whole way from a spec to a table.

use std::time::Instant;

use super::session::{self, Stop};
use crate::cli::args::RunArgs;
use crate::cli::exit::{Exit, Outcome};
use crate::cli::progress::Progress;
use crate::cli::results;
use crate::cli::terminal::Terminal;
use crate::experiment::recorder::Recorder;
use crate::experiment::{self, Candidate, SavedSearch, Summary, sums};
use crate::runtime::device;

pub fn run(args: &RunArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &RunArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let start = Instant::now();
    let prepared = session::prepare_run(args, terminal)?;
    experiment::can_search(&prepared).map_err(|f| session::stop(f, terminal))?;
    let begun = session::begin("run", args, &prepared, terminal)?;
    let folder = &begun.folder;
    let mut progress = Progress::new(terminal);
    let mut recorder = Recorder::new(folder, &mut progress).map_err(session::failed)?;
    let checked = prepared.checked();
    let result = (|| {
        let found = experiment::search(&prepared, folder, args.seed, &begun.device, &mut recorder)?;
        let at = folder.derived();
        let text = experiment::derived_text(&prepared, &found.derived.topology, &SavedSearch::from(&found.result), &at);
        folder.write("derived/net.mtl", &text)?;
        // The derived file is what is retrained: read back, like any other file.
        let derived = experiment::prepare(&at, &[])?;
        let topology = derived.checked().spec.topology.clone().expect("a derived file has one");
        let first = Candidate { name: "derived".into(), topology };
        let mut networks = vec![experiment::train(&derived, &first, folder, args.seed, &begun.device, &mut recorder)?];
        let mut rest = experiment::baselines(checked);
        for n in 0..args.random {
            match experiment::random_candidate(checked, n, args.seed, networks[0].params, &first.topology) {
                Some(candidate) => rest.push(candidate),
                None => terminal.note("note: no random topology of the derived one's size within 5 % was found"),
            }
        }
        for c in &rest {
            networks.push(experiment::train(&prepared, c, folder, args.seed, &begun.device, &mut recorder)?);
        }
        if let Some(e) = recorder.failed.take() {
            return Err(e.into());
        }
        let topology = crate::artifact::topology_text(&derived.checked().spec, &first.topology);
        Ok(Summary {
            version: 1,
            tool: concat!("mtlc ", env!("CARGO_PKG_VERSION")).into(),
            spec: args.file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            seed: args.seed,
            device: device::describe(&begun.device),
            search: Some(found.result),
            topology,
            networks,
            seconds: start.elapsed().as_secs_f64(),
        })
    })();
    drop(recorder);
    progress.finish();
    let summary = result.map_err(|f| begun.ended(f, terminal))?;
    folder.write_json("summary.json", &summary).map_err(session::failed)?;
    sums::write(folder).map_err(session::failed)?;
    begun.status("done").map_err(session::failed)?;
    if terminal.json {
        terminal.object(&serde_json::to_value(&summary).expect("numbers and text"));
    } else {
        terminal.product(&format!("{}\n{}", summary.topology, results::table(&summary.networks).terminal(false)));
    }
    terminal.note(&format!("derived topology: {}", folder.derived().display()));
    terminal.note(&format!("run folder: {} ({:.0} s)", folder.path.display(), summary.seconds));
    Ok(Ok(Exit::Ok))
}
