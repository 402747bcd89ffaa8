//! K-fold cross-validation: a program is trained once per fold of its training rows, and tested on that fold. Every fold has its own run
//! folder, so that a stopped cross-validation can be resumed without repeating finished folds.
//!
//! ```text
//! request.json         what was asked for           runs/fold_N/    the run of fold N, an ordinary run folder
//! programs/fold_N.mtl  the program of fold N: that of the user with `test = fold(N, of = K)`, without a frozen schema
//! run.lock             held by the process that works here
//! folds.json           every number                 folds.md, folds.csv (a row per network and fold, then mean and deviation)
//! ```
//!
//! A fold's schema is frozen from its own training rows. Folds honour `group`, `stratify` and `time` of the data set, and `by`,
//! `stratify` and `time` of the share that the program names as its test split, or else as its validation split.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::compare::{Metrics, Spread};
use super::run::{Assigned, Command, Info, Status, assigned};
use super::several::{self, Means, misused, new_folder};
use super::{Failure, NetworkResult, Prepared, RunFolder, Summary};
use crate::artifact;
use crate::check::runs;
use crate::data::{DataError, split};
use crate::hir::Data;
use crate::runtime::RunError;
use crate::runtime::epochs::Stopped;
use crate::runtime::format::Record;
use crate::runtime::record::Listener;
use crate::screen::shell;
use crate::source::FileId;
use crate::syntax::ast::{Arg, Entry, Expr, ExprKind, Item};
use crate::syntax::parse;

/// `request.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    pub tool: String,
    /// The name of the user's file.
    pub spec: String,
    /// The parameters that were set with `--set`.
    pub set: Assigned,
    pub command: Command,
    pub folds: usize,
    pub seed: u64,
    pub device: String,
}

impl Record for Request {
    const VERSION: u32 = 1;
}

/// `folds.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Folds {
    pub version: u32,
    pub tool: String,
    pub spec: String,
    /// The parameters that were set with `--set`.
    pub set: Assigned,
    pub command: Command,
    pub folds: usize,
    pub seed: u64,
    pub networks: Vec<Row>,
}

impl Record for Folds {
    const VERSION: u32 = 1;
}

/// The results of one network on all folds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    /// For each task, the mean and the sample standard deviation of its metrics over the folds.
    pub tasks: Vec<(String, Metrics)>,
    pub loss: Option<Spread>,
    pub params: Option<Spread>,
    pub folds: Vec<Fold>,
}

/// The results of a network on one fold.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fold {
    pub fold: usize,
    /// The run folder, relative to the folder of the cross-validation.
    pub folder: String,
    /// The numbers of rows of train, validation, and the fold.
    pub rows: [usize; 3],
    /// Absent if the training diverged.
    pub network: Option<NetworkResult>,
}

pub enum Ended {
    Done(Box<Folds>),
    Stopped(Stopped),
}

/// The data set of a program. Its rows must be divisible into folds.
fn data(prepared: &Prepared) -> Result<&Data, Failure> {
    let spec = &prepared.checked().spec;
    let only = runs::data_sets(spec).first().map(|d| &spec.data[*d]);
    let data = only.ok_or_else(|| misused("the program reads no data".into()))?;
    let format = &data.format.call;
    if !format.args.iter().any(|a| a.name == "split_seed") {
        return Err(misused(format!(
            "the format `{}` of the data `{}` has predefined splits, which cannot be divided into folds",
            format.name, data.name
        )));
    }
    if split::named(&data.args).is_some() {
        return Err(misused(format!(
            "`--folds` makes the test splits of the data `{}`, and `split` names them, too: remove `split`",
            data.name
        )));
    }
    if data.args.get("test_images").is_some() {
        return Err(misused(format!(
            "`--folds` makes the test splits of the data `{}`: remove `test_images` and `test_labels`",
            data.name
        )));
    }
    Ok(data)
}

/// Writes the folder of a cross-validation, completely or not at all.
pub fn begin(
    prepared: &Prepared,
    path: &Path,
    command: Command,
    folds: usize,
    seed: u64,
    device: &str,
) -> Result<Request, Failure> {
    let data = data(prepared)?;
    let rows = prepared.feed.dataset.train.rows;
    let asked = |folds: usize| shell::option("--folds").word(&folds.to_string());
    if folds > rows {
        let message = format!("{} needs {folds} training rows, and the data have {rows}", asked(folds));
        let help = match rows {
            0 | 1 => "cross-validation needs at least two training rows".to_string(),
            _ => format!("every fold needs a row: use at most {}", asked(rows)),
        };
        return Err(Failure::Run(RunError::Data(DataError::option(message, help))));
    }
    let (sources, spec) = (&prepared.compiled.sources, &prepared.checked().spec);
    let text = artifact::unfrozen_file(sources, spec, &path.join("programs"));
    let programs: Vec<(String, String)> =
        (1..=folds).map(|n| (format!("programs/fold_{n}.mtl"), program(&text, &data.name, n, folds))).collect();
    for (name, text) in &programs {
        let found = super::compare::compiled(text, &[], &path.join(name));
        if found.has_errors() {
            return Err(Failure::Spec(Box::new(found)));
        }
    }
    let request = Request {
        version: Request::VERSION,
        tool: artifact::TOOL.into(),
        set: assigned(&prepared.checked().spec),
        spec: prepared.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        command,
        folds,
        seed,
        device: device.to_string(),
    };
    new_folder(path, &programs, None, &request)?;
    Ok(request)
}

/// The note for a program whose test split is a file, which the folds replace.
pub fn unread(prepared: &Prepared) -> Option<String> {
    let data = data(prepared).ok()?;
    let files = &(data.format.files)(&data.args)[2];
    let file = files.first()?;
    Some(format!("the test split of every run is a fold of the training rows; `{file}` is not read"))
}

/// The text of the program with a fold as its test split.
fn program(text: &str, data: &str, fold: usize, of: usize) -> String {
    let parsed = parse(FileId(0), text);
    let is = |i: &&Item| i.keyword.text == "data" && i.names.first().is_some_and(|n| n.text == data);
    let body = parsed.items().iter().find(is).and_then(|i| i.body.as_ref()).expect("the data set is there");
    let attr = |name: &str| {
        body.entries.iter().find_map(|e| match e {
            Entry::Attr(a) if a.key.text == name => Some(a),
            _ => None,
        })
    };
    let slice = |e: &Expr| &text[e.span.start as usize..e.span.end as usize];
    // The options with which the program itself draws rows.
    let drawn = |e: &Expr| match &e.kind {
        ExprKind::Call { args, .. } => {
            let kept =
                |a: &&Arg| a.name.as_ref().is_some_and(|n| ["by", "stratify", "time"].contains(&n.text.as_str()));
            let write = |a: &Arg| format!(", {} = {}", a.name.as_ref().map_or("", |n| &n.text), slice(&a.value));
            Some(args.iter().filter(kept).map(write).collect::<String>())
        }
        _ => None,
    };
    let calls = ["test", "validation"].into_iter().filter_map(|n| drawn(&attr(n)?.value));
    let how = calls.into_iter().find(|how| !how.is_empty()).unwrap_or_default();
    let new = format!("fold({fold}, of = {of}{how})");
    let mut out = text.to_string();
    match attr("test") {
        Some(a) => out.replace_range(a.value.span.start as usize..a.value.span.end as usize, &new),
        None => {
            let end = body.span.expect("it was read from a text").end as usize;
            let at = out[..end].rfind('}').unwrap_or(end);
            out.insert_str(at, &format!("\n  test = {new}\n"));
        }
    }
    crate::fmt::format(&out).unwrap_or(out)
}

/// The request in a folder, if it is the folder of a cross-validation.
pub fn open(path: &Path) -> Option<Request> {
    RunFolder::at(path).read_json("request.json").ok()
}

fn run_name(fold: usize) -> String {
    format!("runs/fold_{fold}")
}

/// Runs the unfinished part of a cross-validation.
pub fn execute(
    within: &RunFolder,
    request: &Request,
    means: &Means,
    listener: &mut dyn Listener,
) -> Result<Ended, Failure> {
    let _lock = several::take(within)?;
    for fold in 1..=request.folds {
        let program = within.path.join("programs").join(format!("fold_{fold}.mtl"));
        let of = several::One {
            command: request.command,
            program: &program,
            within,
            name: run_name(fold),
            seed: request.seed,
            set: &request.set,
            baselines: true,
            title: format!("fold {fold} of {}", request.folds),
        };
        if let Some(at) = several::one(&of, means, listener)? {
            return Ok(Ended::Stopped(at));
        }
    }
    let folds = collect(&within.path, request)?;
    within.write_json("folds.json", &folds)?;
    Ok(Ended::Done(Box::new(folds)))
}

/// Collects the results of the runs.
fn collect(path: &Path, request: &Request) -> Result<Folds, Failure> {
    let mut networks: Vec<(String, Vec<Fold>)> = Vec::new();
    for fold in 1..=request.folds {
        let folder = RunFolder::at(&path.join(run_name(fold)));
        let info: Info = folder.read_json("run.json")?;
        let compiled = super::compile(&folder.path.join("program.mtl"))?;
        let spec = &compiled.checked.as_ref().expect("it was checked").spec;
        let schema = runs::data_sets(spec).first().and_then(|d| spec.data[*d].schema.as_ref());
        let one = Fold { fold, folder: run_name(fold), rows: schema.map_or([0; 3], |s| s.rows), network: None };
        let found: Vec<NetworkResult> = match info.status {
            Status::Diverged => Vec::new(),
            _ => folder.read_json::<Summary>("summary.json")?.networks,
        };
        for network in found {
            let name = network.name.clone();
            let fold = Fold { network: Some(network), ..one.clone() };
            match networks.iter_mut().find(|(n, _)| *n == name) {
                Some((_, folds)) => folds.push(fold),
                None => networks.push((name, vec![fold])),
            }
        }
    }
    if networks.is_empty() {
        return Err(RunError::AllDiverged("fold").into());
    }
    Ok(Folds {
        version: Folds::VERSION,
        tool: request.tool.clone(),
        spec: request.spec.clone(),
        set: request.set.clone(),
        command: request.command,
        folds: request.folds,
        seed: request.seed,
        networks: networks.into_iter().map(|(name, folds)| row(name, folds)).collect(),
    })
}

/// Means and standard deviations over the folds.
fn row(name: String, folds: Vec<Fold>) -> Row {
    let networks: Vec<&NetworkResult> = folds.iter().filter_map(|f| f.network.as_ref()).collect();
    let mut tasks = Vec::new();
    for (t, task) in networks.first().map_or(&[][..], |n| &n.shown().0.tasks).iter().enumerate() {
        let metric = |m: usize| {
            let value = |n: &&NetworkResult| n.shown().0.tasks[t].metrics[m].value;
            (task.metrics[m].name.clone(), Spread::of(networks.iter().filter_map(value)))
        };
        tasks.push((task.task.clone(), (0..task.metrics.len()).map(metric).collect()));
    }
    let over = |of: &dyn Fn(&NetworkResult) -> f64| Spread::of(networks.iter().map(|n| of(n)));
    let (loss, params) = (over(&|n| n.shown().0.loss), over(&|n| n.params as f64));
    Row { name, tasks, loss, params, folds }
}
