//! `mtlc predict`: a trained network's answers for new rows, in the order of the rows. Rows pass through in pieces; a file is written
//! whole or not at all.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use super::network::{self, Chosen};
use super::session::{self, Stop};
use crate::cli::args::{PredictArgs, PredictionFormat};
use crate::cli::exit::{Exit, Failure, Outcome};
use crate::cli::terminal::Terminal;
use crate::cli::write::Pending;
use crate::data::fresh::{self, Source};
use crate::diag::suggest;
use crate::experiment::Predictor;
use crate::report::predictions::{Contents, Layout, Rows, Writer, writer};
use crate::runtime::answers::Answer;
use crate::runtime::device;

/// Time between two lines that say how far it is.
const INTERVAL: Duration = Duration::from_secs(10);

pub fn run(args: &PredictArgs, terminal: &Terminal) -> Outcome {
    go(args, terminal).unwrap_or_else(Stop::outcome)
}

fn go(args: &PredictArgs, terminal: &Terminal) -> Result<Outcome, Stop> {
    let device = device::open(&args.device).map_err(session::failed)?;
    let layout = layout(args, terminal.json)?;
    let pending = args.output.as_deref().map(|p| Pending::new(p, args.force)).transpose().map_err(Stop::Failed)?;
    let chosen = network::chosen("predict", &args.what, args.weights.as_deref(), args.network.as_deref())?;
    let Chosen { program, weights, name, bound } = &chosen;
    let bound = *bound && args.set.set.is_empty();
    let predictor = Predictor::open(program, &args.set.set, (weights, bound), &device);
    let mut predictor = predictor.map_err(|f| session::stop(f, terminal))?;
    predictor.wanted.id = args.id.clone();
    predictor.wanted.resize = args.resize;
    predictor.wanted.range = args.range.as_deref().map(|r| [r[0], r[1]]);
    pictures_only(args)?;
    let keep = kept(&predictor.answers, args, layout, terminal)?;
    let predictor = predictor;
    let mut source = fresh::open(&args.data, &predictor.wanted).map_err(|e| session::failed(e.into()))?;

    let leads: Vec<&str> = source.id().into_iter().collect();
    let answers = keep.iter().map(|i| predictor.answers[*i].clone()).collect();
    let contents = Contents::new(&leads, answers, args.raw);
    let stream: Box<dyn Write> = match &pending {
        Some(p) => Box::new(io::BufWriter::with_capacity(1 << 16, p.stream().map_err(Stop::Failed)?)),
        None => Box::new(io::BufWriter::with_capacity(1 << 16, terminal.exact_stream())),
    };
    let spool = pending.as_ref().map_or(Path::new("."), Pending::folder);
    let lost = |e: io::Error| match &pending {
        Some(p) => Stop::Failed(p.failed(&e)),
        // A reader that goes away has seen what it wanted.
        None if e.kind() == ErrorKind::BrokenPipe => Stop::Shown(Exit::Ok),
        None => Stop::Failed(Failure::new(Exit::Failure, format!("cannot write to standard output: {e}"))),
    };
    let mut out = writer(layout, contents, stream, spool).map_err(lost)?;
    let rows = pass(&predictor, &mut *source, &mut *out, &keep, terminal, &lost)?;
    out.finish().map_err(lost)?;
    for note in source.notes() {
        terminal.note(&format!("note: {note}"));
    }
    if let (Some(p), Some(path)) = (pending, &args.output) {
        p.commit().map_err(Stop::Failed)?;
        let tasks: Vec<&str> = keep.iter().map(|i| predictor.answers[*i].task.as_str()).collect();
        if terminal.json {
            terminal.object(&json!({ "rows": rows, "network": name, "tasks": tasks, "output": path }));
        }
        terminal.note(&format!("wrote {}: {rows} rows, network `{name}`", path.display()));
    }
    Ok(Ok(Exit::Ok))
}

/// Refuses options for pictures if an input is not a picture.
fn pictures_only(args: &PredictArgs) -> Result<(), Stop> {
    let said = [args.resize.then_some("--resize"), args.range.as_ref().map(|_| "--range")];
    let Some(option) = said.into_iter().flatten().next() else { return Ok(()) };
    let Some((path, what)) = fresh::without_pictures(&args.data).map_err(|e| session::failed(e.into()))? else {
        return Ok(());
    };
    let said = format!("`{option}` is for pictures, and `{}` is {what}", path.display());
    Err(Stop::Failed(Failure::new(Exit::Usage, said).help(format!("leave `{option}` out"))))
}

/// All rows; how many there were.
fn pass(
    predictor: &Predictor,
    source: &mut dyn Source,
    out: &mut dyn Writer,
    keep: &[usize],
    terminal: &Terminal,
    lost: &dyn Fn(io::Error) -> Stop,
) -> Result<usize, Stop> {
    let (mut rows, mut said) = (0, Instant::now());
    while let Some(piece) = source.next(predictor.rows_at_a_time()).map_err(|e| session::failed(e.into()))? {
        let outputs = predictor.outputs(&piece, keep).map_err(session::failed)?;
        let leads: Vec<Vec<String>> = piece.ids.into_iter().collect();
        out.rows(Rows { rows: piece.rows, leads: &leads, outputs: &outputs }).map_err(lost)?;
        rows += piece.rows;
        if said.elapsed() >= INTERVAL {
            terminal.note(&format!("{rows} rows"));
            said = Instant::now();
        }
    }
    Ok(rows)
}

/// By `--format`, by the name of the file, or csv (JSON lines with `--json`).
fn layout(args: &PredictArgs, json: bool) -> Result<Layout, Stop> {
    let by_name = args.output.as_deref().and_then(by_name);
    let usage = |what: &str, help: &str| Err(Stop::Failed(Failure::new(Exit::Usage, what).help(help)));
    Ok(match (args.format, by_name) {
        (Some(PredictionFormat::Csv), _) => Layout::Csv,
        (Some(PredictionFormat::Jsonl), _) => Layout::Jsonl,
        (Some(PredictionFormat::Npy), _) if args.output.is_none() => {
            return usage("arrays are not written to standard output", "name a file: `-o predictions.npz`");
        }
        (Some(PredictionFormat::Npy), Some(Layout::Npy)) => Layout::Npy,
        (Some(PredictionFormat::Npy), _) => Layout::Npz,
        (None, Some(layout)) => layout,
        (None, None) if json && args.output.is_none() => Layout::Jsonl,
        (None, None) if let Some((path, end)) = unknown_end(args.output.as_deref()) => {
            return usage(
                &format!("`{}` ends in `.{end}`, which is not a format for predictions", path.display()),
                "end its name in .csv, .jsonl, .npz or .npy, or name the format: `--format csv`",
            );
        }
        (None, None) => Layout::Csv,
    })
}

/// A path and its extension, if the extension is not that of a known layout.
fn unknown_end(path: Option<&Path>) -> Option<(&Path, String)> {
    let path = path?;
    let end = path.extension()?.to_string_lossy().into_owned();
    by_name(path).is_none().then_some((path, end))
}

/// The layout that the end of a file name stands for.
pub fn by_name(path: &Path) -> Option<Layout> {
    Some(match path.extension()?.to_string_lossy().to_lowercase().as_str() {
        "csv" => Layout::Csv,
        "jsonl" | "ndjson" => Layout::Jsonl,
        "npz" => Layout::Npz,
        "npy" => Layout::Npy,
        _ => return None,
    })
}

/// The outputs that are written.
fn kept(answers: &[Answer], args: &PredictArgs, layout: Layout, terminal: &Terminal) -> Result<Vec<usize>, Stop> {
    let usage = |what: String, help: String| Err(Stop::Failed(Failure::new(Exit::Usage, what).help(help)));
    let names = || answers.iter().map(|a| a.task.as_str());
    if let Some(wrong) = args.tasks.iter().find(|t| !names().any(|n| n == *t)) {
        let near = suggest::nearest(wrong, names()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
        let help = format!("{near}the tasks are {}", suggest::listing(names()));
        return usage(format!("the network has no task `{wrong}`"), help);
    }
    let mut keep: Vec<usize> = (0..answers.len()).collect();
    keep.retain(|i| args.tasks.is_empty() || args.tasks.contains(&answers[*i].task));
    if !layout.takes_dense() {
        let dense: Vec<&str> =
            keep.iter().map(|i| &answers[*i]).filter(|a| a.is_dense()).map(|a| a.task.as_str()).collect();
        let listed = suggest::listing(dense.iter().copied());
        if dense.len() == keep.len() {
            let what = format!("{listed} has outputs for every pixel, which only arrays hold");
            return usage(what, "write arrays: `-o predictions.npz`".into());
        }
        if !dense.is_empty() {
            terminal.note(&format!(
                "note: left out {listed}, with outputs for every pixel; `-o predictions.npz` holds all tasks"
            ));
        }
        keep.retain(|i| !answers[*i].is_dense());
    }
    if layout == Layout::Npy {
        if keep.len() > 1 || (args.raw && keep.iter().any(|i| answers[*i].is_logit())) {
            let what = format!("a `.npy` holds one array, and there are several ({})", suggest::listing(names()));
            return usage(what, "write an `.npz`, or pick one task with `--tasks`, without `--raw`".into());
        }
        if args.id.is_some() {
            return usage("a `.npy` has no place for `--id`".into(), "write an `.npz`".into());
        }
    }
    Ok(keep)
}
