//! `mtlc evaluate`: metrics of trained weights on the validation and test splits; deterministic.

use std::path::Path;

use super::network::{self, Chosen};
use super::predict;
use super::session::{self, Stop};
use crate::cli::args::EvaluateArgs;
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::results;
use crate::cli::terminal::Terminal;
use crate::cli::write::Pending;
use crate::experiment::{self, Prepared, networks};
use crate::report::predictions::{Contents, Layout, Rows, writer};
use crate::runtime::device;

pub fn run(args: &EvaluateArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &EvaluateArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let device = device::open(&args.device).map_err(session::failed)?;
    let pending = match &args.outputs {
        Some(path) => {
            let layout = layout(path)?;
            Some((Pending::new(path, args.force).map_err(Stop::Failed)?, layout, path))
        }
        None => None,
    };
    let chosen = network::chosen("evaluate", &args.what, args.weights.as_deref(), args.network.as_deref())?;
    let prepared = session::prepare(&chosen.program, &args.set.set, terminal)?;
    let Chosen { program, weights, name, bound } = chosen;
    if bound && args.set.set.is_empty() {
        networks::belong(prepared.checked(), &program, &weights).map_err(session::failed)?;
    }
    let mut result =
        experiment::evaluate_weights(&prepared, &weights, &device).map_err(|f| session::stop(f, terminal))?;
    if args.network.is_some() {
        result.name = name;
    }
    if let Some((pending, layout, path)) = pending {
        let rows = outputs(&prepared, &weights, &device, &pending, layout, terminal)?;
        pending.commit().map_err(Stop::Failed)?;
        terminal.note(&format!("wrote {}: {rows} rows of validation and test", path.display()));
    }
    if terminal.json {
        terminal.object(&serde_json::to_value(&result).expect("numbers and text"));
    } else {
        let findings = std::mem::take(&mut result.findings);
        terminal.product(&results::table(&[result]).terminal(false));
        session::warn(&findings, terminal);
    }
    Ok(Ok(Exit::Ok))
}

fn layout(path: &Path) -> Result<Layout, Stop> {
    match predict::by_name(path) {
        Some(layout) if layout != Layout::Npy => Ok(layout),
        _ => {
            let what = format!("`{}` does not say how the outputs are to be laid out", path.display());
            Err(Stop::Failed(Failure::new(Exit::Usage, what).help("end its name in .csv, .jsonl or .npz")))
        }
    }
}

/// Every row's outputs, by the writer of `predict`, after its split and where it stands in its file.
fn outputs(
    prepared: &Prepared,
    weights: &Path,
    device: &candle_core::Device,
    pending: &Pending,
    layout: Layout,
    terminal: &Terminal,
) -> Result<usize, Stop> {
    let (answers, splits) =
        experiment::predict::split_outputs(prepared, weights, device).map_err(|f| session::stop(f, terminal))?;
    let lost = |e: std::io::Error| Stop::Failed(pending.failed(&e));
    let keep: Vec<usize> = (0..answers.len()).filter(|i| layout.takes_dense() || !answers[*i].is_dense()).collect();
    let contents = Contents::new(&["split", "row"], keep.iter().map(|i| answers[*i].clone()).collect(), true);
    let stream = std::io::BufWriter::new(pending.stream().map_err(Stop::Failed)?);
    let mut out = writer(layout, contents, Box::new(stream), pending.folder()).map_err(lost)?;
    let mut total = 0;
    for s in splits {
        let rows = s.places.len();
        let leads = [vec![s.split.to_string(); rows], s.places];
        let kept: Vec<Vec<f32>> = keep.iter().map(|i| s.outputs[*i].clone()).collect();
        out.rows(Rows { rows, leads: &leads, outputs: &kept }).map_err(lost)?;
        total += rows;
    }
    out.finish().map_err(lost)?;
    Ok(total)
}
