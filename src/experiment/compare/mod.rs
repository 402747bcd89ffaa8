//! `mtlc compare`: strategies and baselines on one space, at one budget, over several seeds. Every strategy and seed is a run folder of
//! its own, so that what is stopped goes on, and what is done is not done again.
//!
//! ```text
//! request.json    what was asked for             runs/NAME-N/    the run of seed N, an ordinary run folder
//! programs/       the file on its own, schemas embedded (program.mtl), and one program per strategy
//! run.lock        held by the process that works here
//! compare.json    every number                   compare.md, compare.csv (a row per strategy), runs.csv (a row per run)
//! ```
//!
//! **Budget.** Every topology that is found is retrained as `train` says, from the weights of its seed. Random search trains as many
//! topologies that way as it takes to reach the epochs of the dearest other search, rounded up. An epoch of a supernet costs more than
//! one of a topology, so epochs and seconds stand in every row.

mod numbers;
mod programs;

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::one_shot::{FINE_TUNED, ONE_SHOT};
use super::run::{Assigned, Command, Info, Status, assigned};
pub use super::several::Means;
use super::several::{self, misused, new_folder};
use super::{Failure, Finding, NetworkResult, Prepared, RunFolder, SearchResult, Summary, train_args};
use crate::artifact;
use crate::data::quoted_text;
use crate::driver;
use crate::ir::partition;
use crate::runtime::RunError;
use crate::runtime::epochs::Stopped;
use crate::runtime::format::Record;
use crate::runtime::record::Listener;
use crate::search::{strategies, strategy};

pub use numbers::{Chain, Spread, Standing, Verdict, agreement, delta, verdict};
use programs::Base;
pub(super) use programs::compiled;
pub use programs::{Asked, BASELINES, RANDOM, asked};

/// `request.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    pub version: u32,
    pub tool: String,
    /// Name of the user's file.
    pub spec: String,
    /// The parameters that were set with `--set`.
    pub set: Assigned,
    pub seeds: Vec<u64>,
    pub entries: Vec<Entry>,
    /// Strategies that were left out, and why.
    pub left_out: Vec<(String, String)>,
    /// Draws of random search that were asked for; absent: by the budget of the others.
    pub fixed_draws: bool,
    pub device: String,
}

impl Record for Request {
    const VERSION: u32 = 1;
}

/// A strategy of a comparison.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    pub note: Option<String>,
}

/// `compare.json`
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    pub version: u32,
    pub tool: String,
    pub spec: String,
    /// The parameters that were set with `--set`.
    pub set: Assigned,
    pub seeds: Vec<u64>,
    /// What the metrics are of: `test`, or `validation`.
    pub split: String,
    /// The rule by which budgets are equal.
    pub budget: String,
    pub stages: Vec<String>,
    pub rows: Vec<Row>,
    /// Findings that the numbers alone do not show, by run.
    #[serde(default)]
    pub findings: Vec<InRun>,
    pub left_out: Vec<(String, String)>,
}

impl Record for Comparison {
    const VERSION: u32 = 1;
}

/// A finding and its run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InRun {
    /// The run folder, relative to the folder of the comparison.
    pub folder: String,
    #[serde(flatten)]
    pub finding: Finding,
}

/// A task's metrics by name.
pub type Metrics = Vec<(String, Option<Spread>)>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Row {
    pub name: String,
    pub note: Option<String>,
    /// In percent, over the independent network of the same seed.
    pub delta: Option<Spread>,
    /// By task, its metrics by name.
    pub tasks: Vec<(String, Metrics)>,
    pub loss: Option<Spread>,
    pub params: Option<Spread>,
    /// Per sample.
    pub macs: Option<Spread>,
    /// The fraction of work that the tasks have in common; absent if it is not defined.
    pub params_shared: Option<Spread>,
    pub macs_shared: Option<Spread>,
    /// In microseconds, one sample at a time.
    pub latency: Option<Spread>,
    pub search_epochs: Option<Spread>,
    pub search_seconds: Option<Spread>,
    pub train_epochs: Option<Spread>,
    pub train_seconds: Option<Spread>,
    /// By stage, the adjusted Rand index between the seeds' groupings; absent for what does not search.
    pub agreement: Option<Vec<f64>>,
    pub verdict: Option<Verdict>,
    pub runs: Vec<One>,
}

/// One seed of a row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct One {
    pub seed: u64,
    /// The run folder, relative to the folder of the comparison.
    pub folder: String,
    /// Training became infinite or no number.
    pub diverged: bool,
    pub delta: Option<f64>,
    pub search: Option<SearchCost>,
    pub network: Option<NetworkResult>,
    pub chain: Option<Chain>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SearchCost {
    pub epochs: usize,
    pub seconds: f64,
}

/// How a comparison ended.
pub enum Ended {
    Done(Box<Comparison>),
    Stopped(Stopped),
}

/// Writes the folder of a new comparison, whole or not at all. Without `with`, every strategy that runs and fits the space; the
/// baselines and random search are always there.
pub fn begin(
    prepared: &Prepared,
    path: &Path,
    with: Option<Vec<Asked>>,
    seeds: Vec<u64>,
    device: &str,
) -> Result<Request, Failure> {
    super::runnable(prepared).map_err(|d| super::refused(prepared, *d))?;
    let text = super::program_text(prepared, &path.join("programs").join("program.mtl"));
    let base = Base { text: &text, checked: prepared.checked() };
    let explicit = with.is_some();
    let runs = strategies().iter().map(|s| Asked { name: s.call.name.to_string(), body: None });
    let with = with.unwrap_or_else(|| runs.collect());
    let named = |n: &str| with.iter().find(|a| a.name == n).cloned().unwrap_or(Asked { name: n.into(), body: None });
    let is_baseline = |n: &str| BASELINES.contains(&n);
    let mut all: Vec<Asked> = with.iter().filter(|a| !is_baseline(&a.name) && a.name != RANDOM).cloned().collect();
    all.push(named(RANDOM));
    let (mut entries, mut left_out, mut written) = (Vec::new(), Vec::new(), Vec::new());
    // Those of every run, whether the space holds them or not.
    let (sources, spec) = (&prepared.compiled.sources, &prepared.checked().spec);
    let vocabularies = artifact::vocabularies(spec);
    let from = prepared.path.parent().unwrap_or(Path::new(""));
    for candidate in super::baselines(prepared.checked()).into_iter().rev() {
        let text = artifact::network_file(sources, spec, &candidate.topology, &path.join("programs"));
        written.push((format!("programs/{}.mtl", candidate.name), text));
        entries.push(Entry { name: candidate.name, note: None });
    }
    for asked in &all {
        let mut program = base.program(asked, None);
        let at = path.join("programs").join(format!("{}.mtl", asked.name));
        let found = programs::placed(asked, &mut program, &vocabularies, from, &at);
        if found.has_errors() {
            if explicit || asked.name == RANDOM {
                return Err(Failure::Spec(Box::new(found)));
            }
            let why = found.diagnostics.iter().find(|d| d.is_error()).map(|d| d.message.clone()).unwrap_or_default();
            left_out.push((asked.name.clone(), why));
            continue;
        }
        // A missing table is reported now, not after the baselines have been trained.
        for search in found.checked.iter().flat_map(|c| &c.spec.searches) {
            if let Some(table) = super::table_of(search) {
                super::is_there(&from.join(artifact::rebased(table, &search.base, from)))?;
            }
        }
        entries.push(Entry { name: asked.name.clone(), note: program.note });
        // The draws of random search follow from what the others take.
        if asked.name != RANDOM || asked.body.is_some() {
            written.push((format!("programs/{}.mtl", asked.name), program.text));
        }
    }
    let request = Request {
        version: Request::VERSION,
        tool: artifact::TOOL.into(),
        spec: prepared.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
        set: assigned(&prepared.checked().spec),
        seeds,
        entries,
        left_out,
        fixed_draws: named(RANDOM).body.is_some(),
        device: device.to_string(),
    };
    written.push(("programs/program.mtl".into(), text));
    new_folder(path, &written, Some(prepared.checked()), &request)?;
    Ok(request)
}

/// The comparison in a folder.
pub fn open(path: &Path) -> Result<Request, RunError> {
    if !path.join("request.json").is_file() {
        let shown = path.display();
        return Err(RunError::Checkpoint(format!(
            "`{shown}` is no comparison: it holds no `request.json`; name a folder that `mtlc compare` has left"
        )));
    }
    let request: Request = RunFolder::at(path).read_json("request.json")?;
    match request.entries.iter().find(|e| !is_entry(&e.name)) {
        None => Ok(request),
        Some(entry) => Err(RunError::Checkpoint(format!(
            "`{}` names {}, which is no strategy and no baseline: it was edited",
            path.join("request.json").display(),
            quoted_text(&entry.name)
        ))),
    }
}

/// Whether a comparison has rows of this name. Names become names of files.
fn is_entry(name: &str) -> bool {
    BASELINES.contains(&name) || strategy(name).is_some()
}

/// Does what is left of a comparison.
pub fn execute(
    folder: &RunFolder,
    request: &Request,
    means: &Means,
    listener: &mut dyn Listener,
) -> Result<Ended, Failure> {
    let _lock = several::take(folder)?;
    let path = &folder.path;
    for entry in &request.entries {
        let program = path.join("programs").join(format!("{}.mtl", entry.name));
        if entry.name == RANDOM && !program.is_file() {
            let at = path.join("programs").join("program.mtl");
            let text = driver::read(&at).map_err(|e| RunError::io(&at, e))?;
            let base = compiled(&text, &[], &at);
            let checked =
                base.checked.as_ref().ok_or_else(|| misused("the program of the comparison has errors".into()))?;
            let draws = draws(path, request, checked)?;
            let asked = Asked { name: RANDOM.into(), body: None };
            let program_text = Base { text: &text, checked }.program(&asked, draws).text;
            folder.write(&format!("programs/{RANDOM}.mtl"), &program_text)?;
        }
        for seed in &request.seeds {
            if let Some(at) = one(folder, &program, &entry.name, (*seed, &request.set), means, listener)? {
                return Ok(Ended::Stopped(at));
            }
        }
    }
    let comparison = collect(path, request)?;
    folder.write_json("compare.json", &comparison)?;
    Ok(Ended::Done(Box::new(comparison)))
}

fn run_folder(path: &Path, name: &str, seed: u64) -> RunFolder {
    RunFolder::at(&path.join(run_name(name, seed)))
}

fn run_name(name: &str, seed: u64) -> String {
    format!("runs/{name}-{seed}")
}

/// Runs a program with a seed, or continues that run. The run records what `--set` changed. A run that diverges is a result, too.
fn one(
    within: &RunFolder,
    program: &Path,
    name: &str,
    (seed, set): (u64, &Assigned),
    means: &Means,
    listener: &mut dyn Listener,
) -> Result<Option<Stopped>, Failure> {
    let command = if BASELINES.contains(&name) { Command::Train } else { Command::Run };
    let title = format!("{name}, seed {seed}");
    let of = several::One { command, program, within, name: run_name(name, seed), seed, set, baselines: false, title };
    several::one(&of, means, listener)
}

/// Topologies that random search trains: as many as reach the epochs of the dearest other search.
fn draws(path: &Path, request: &Request, checked: &crate::check::Checked) -> Result<Option<usize>, Failure> {
    let mut most = 0;
    for entry in request.entries.iter().filter(|e| e.name != RANDOM) {
        for seed in &request.seeds {
            let folder = run_folder(path, &entry.name, *seed);
            if let Ok(search) = folder.read_json::<SearchResult>("search.json") {
                most = most.max(search.epochs);
            }
        }
    }
    let each = train_args(checked).size("epochs");
    // Where nothing else trains, its own default.
    Ok((most > 0).then(|| most.div_ceil(each.max(1)).max(1)))
}

/// Reads what the runs have left.
fn collect(path: &Path, request: &Request) -> Result<Comparison, Failure> {
    let mut rows: Vec<Row> = Vec::new();
    let mut findings = Vec::new();
    let mut stages = Vec::new();
    for entry in &request.entries {
        let (mut derived, mut shot, mut tuned) = (Vec::new(), Vec::new(), Vec::new());
        for seed in &request.seeds {
            let folder = run_folder(path, &entry.name, *seed);
            let info: Info = folder.read_json("run.json")?;
            let none = One {
                seed: *seed,
                folder: run_name(&entry.name, *seed),
                diverged: info.status == Status::Diverged,
                delta: None,
                search: None,
                network: None,
                chain: None,
            };
            if none.diverged {
                derived.push(none);
                continue;
            }
            let summary: Summary = folder.read_json("summary.json")?;
            let of_run = |finding| InRun { folder: none.folder.clone(), finding };
            findings.extend(summary.findings.iter().cloned().map(of_run));
            let program = if folder.derived().is_file() { folder.derived() } else { folder.path.join("program.mtl") };
            let found = super::compile(&program)?;
            let spec = &found.checked.as_ref().expect("it was checked").spec;
            stages = spec.backbone.iter().flat_map(|b| &b.stages).map(|s| s.name.clone()).collect();
            let chain = spec.topology.as_ref().and_then(|t| partition::chain(spec, t));
            let search = summary.search.as_ref().map(|s| SearchCost { epochs: s.epochs, seconds: s.seconds });
            for network in summary.networks {
                let to = match network.name.as_str() {
                    ONE_SHOT => &mut shot,
                    FINE_TUNED => &mut tuned,
                    _ => &mut derived,
                };
                to.push(One { search, network: Some(network), chain: chain.clone(), ..none.clone() });
            }
        }
        let searches = !BASELINES.contains(&entry.name.as_str());
        rows.push(row(entry.name.clone(), entry.note.clone(), derived, searches));
        for (what, runs) in [("one shot", shot), ("fine tuned", tuned)].into_iter().filter(|(_, runs)| !runs.is_empty())
        {
            rows.push(row(format!("{}, {what}", entry.name), entry.note.clone(), runs, searches));
        }
    }
    if rows.iter().flat_map(|r| &r.runs).all(|r| r.network.is_none()) {
        return Err(RunError::AllDiverged("run").into());
    }
    compare(&mut rows);
    let split = rows.iter().flat_map(|r| &r.runs).find_map(|r| r.network.as_ref()).map_or("test", |n| n.shown().1);
    Ok(Comparison {
        version: Comparison::VERSION,
        tool: request.tool.clone(),
        spec: request.spec.clone(),
        set: request.set.clone(),
        seeds: request.seeds.clone(),
        split: split.to_string(),
        budget: match request.fixed_draws {
            true => "every topology is retrained as `train` says; random search draws as it was told to".into(),
            false => "every topology is retrained as `train` says; random search trains topologies that way until it has used \
                      the epochs of the dearest other search"
                .to_string(),
        },
        stages,
        rows,
        findings,
        left_out: request.left_out.clone(),
    })
}

/// Means and spreads of a row's runs.
fn row(name: String, note: Option<String>, runs: Vec<One>, searches: bool) -> Row {
    let networks: Vec<&NetworkResult> = runs.iter().filter_map(|r| r.network.as_ref()).collect();
    let over = |of: &dyn Fn(&NetworkResult) -> f64| Spread::of(networks.iter().map(|n| of(n)));
    let cost =
        |of: &dyn Fn(SearchCost) -> f64| Spread::of(runs.iter().filter_map(|r| r.search).map(of)).filter(|_| searches);
    let mut tasks = Vec::new();
    for (t, task) in networks.first().map_or(&[][..], |n| &n.shown().0.tasks).iter().enumerate() {
        let metric = |m: usize| {
            let value = |n: &&NetworkResult| n.shown().0.tasks[t].metrics[m].value;
            (task.metrics[m].name.clone(), Spread::of(networks.iter().filter_map(value)))
        };
        tasks.push((task.task.clone(), (0..task.metrics.len()).map(metric).collect()));
    }
    let chains: Vec<Chain> = runs.iter().filter_map(|r| r.chain.clone()).collect();
    Row {
        delta: None,
        tasks,
        loss: over(&|n| n.shown().0.loss),
        params: over(&|n| n.params as f64),
        macs: over(&|n| n.macs as f64),
        params_shared: Spread::of(networks.iter().filter_map(|n| n.shared.params)),
        macs_shared: Spread::of(networks.iter().filter_map(|n| n.shared.macs)),
        latency: over(&|n| n.latency.as_ref().map_or(f64::NAN, |l| l.median * 1e6)),
        search_epochs: cost(&|s| s.epochs as f64),
        search_seconds: cost(&|s| s.seconds),
        train_epochs: over(&|n| n.epochs as f64),
        train_seconds: over(&|n| n.seconds),
        agreement: if searches { agreement(&chains) } else { None },
        verdict: None,
        name,
        note,
        runs,
    }
}

/// Fills in what needs two rows: improvements over single-task networks, and verdicts against random search.
fn compare(rows: &mut [Row]) {
    let of = |rows: &[Row], name: &str| -> Vec<(u64, NetworkResult)> {
        let found = rows.iter().find(|r| r.name == name).map_or(&[][..], |r| &r.runs);
        found.iter().filter_map(|r| Some((r.seed, r.network.clone()?))).collect()
    };
    let base = of(rows, BASELINES[0]);
    for row in rows.iter_mut() {
        for run in &mut row.runs {
            let single = base.iter().find(|(seed, _)| *seed == run.seed).map(|(_, n)| n);
            run.delta = run.network.as_ref().zip(single).and_then(|(n, b)| delta(n, b));
        }
        row.delta = Spread::of(row.runs.iter().filter_map(|r| r.delta));
    }
    let Some(random) = rows.iter().find(|r| r.name == RANDOM).map(|r| r.runs.clone()) else { return };
    for row in rows.iter_mut().filter(|r| r.name != RANDOM && !BASELINES.contains(&r.name.as_str())) {
        let pairs = |value: &dyn Fn(&One) -> Option<f64>| -> Vec<(f64, f64)> {
            let other = |r: &One| random.iter().find(|o| o.seed == r.seed).and_then(value);
            row.runs.iter().filter_map(|r| Some((value(r)?, other(r)?))).collect()
        };
        let loss = |r: &One| r.network.as_ref().map(|n| n.shown().0.loss);
        let (by_delta, by_loss) = (pairs(&|r| r.delta), pairs(&loss));
        row.verdict = match by_delta.len() == by_loss.len() {
            true => verdict("delta_m", &by_delta, 1.0),
            false => verdict("loss", &by_loss, -1.0),
        };
    }
}
