//! What the commands do with a spec and its data: search, derive, train, evaluate, and all of it with baselines beside it. Each
//! phase leaves its results in the run folder; nothing is printed here.

pub mod account;
pub mod bench;
pub mod compare;
pub mod findings;
pub mod folder;
pub mod folds;
pub mod look;
pub mod memory;
pub mod networks;
pub mod one_shot;
pub mod phases;
pub mod predict;
pub mod profile;
pub mod recorder;
pub mod results;
pub mod run;
pub mod several;
pub mod sums;
pub mod verify;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use candle_core::Device;

use crate::artifact;
use crate::check::{Checked, cost};
use crate::data::Schema;
use crate::diag::{Diagnostic, codes};
use crate::driver::{self, Compiled};
use crate::hir::{Options, Search, Topology};
use crate::ir::derive::{Derived, decided, derive};
use crate::ir::{self, Network, partition};
use crate::plan::{choice_names, lower};
use crate::random::Randomness;
use crate::runtime::control::Control;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::{self, Feed};
use crate::runtime::format::Record;
use crate::runtime::model::{Decided, Model};
use crate::runtime::record::Listener;
use crate::runtime::{RunError, checkpoint, latency};
use crate::search::bench::{Bench, Ground};
use crate::search::{composed, outside};

pub use crate::search::bench::Ended;
pub use findings::Finding;
pub use folder::RunFolder;
pub use predict::Predictor;
pub use results::{NetworkResult, SearchResult, Summary};

/// Why a command on a spec did not end well.
#[derive(Debug)]
pub enum Failure {
    /// The spec has errors: they are in the compilation.
    Spec(Box<Compiled>),
    Run(RunError),
}

impl From<RunError> for Failure {
    fn from(e: RunError) -> Self {
        Failure::Run(e)
    }
}

impl From<candle_core::Error> for Failure {
    fn from(e: candle_core::Error) -> Self {
        Failure::Run(e.into())
    }
}

/// A spec that is clean and closed, with its data encoded.
pub struct Prepared {
    pub compiled: Compiled,
    /// Shared by programs that read the same data: the program of a run and the derived one.
    pub feed: Rc<Feed>,
    /// Schemas frozen just now, because the spec has none.
    pub schemas: HashMap<String, Schema>,
    /// Folder and name of the spec.
    pub path: PathBuf,
    pub options: Options,
}

impl Prepared {
    pub fn checked(&self) -> &Checked {
        self.compiled.checked.as_ref().expect("prepared specs are clean")
    }
}

/// Compiles a spec, freezes what it has no schema for, compiles again with all sizes known, and encodes the data.
pub fn prepare(path: &Path, set: &[(String, String)]) -> Result<Prepared, Failure> {
    let mut options = Options { set: set.to_vec(), ..Options::default() };
    let mut compiled = driver::compile(path, &options).map_err(|e| RunError::io(path, e))?;
    let Some(checked) = &compiled.checked else { return Err(Failure::Spec(Box::new(compiled))) };
    if checked.spec.backbone.is_none() {
        let place = crate::source::Span::new(compiled.root, 0, 0);
        let d = Diagnostic::new(codes::BACKBONE_EMPTY, place, "this file has no network of its own: nothing can run")
            .label("a file for `use`")
            .help(format!("run a program that brings it in with `use \"{}\"` and has a backbone", file_name(path)));
        compiled.diagnostics.push(d);
        return Err(Failure::Spec(Box::new(compiled)));
    }
    let (schemas, raws) = feed::freeze(&checked.spec)?;
    if !schemas.is_empty() {
        options.schemas = schemas.clone();
        compiled = driver::compile(path, &options).map_err(|e| RunError::io(path, e))?;
    }
    let Some(checked) = &compiled.checked else { return Err(Failure::Spec(Box::new(compiled))) };
    let feed = Rc::new(feed::feed(checked, raws)?);
    if let Some(checked) = &mut compiled.checked {
        checked.spec.data[feed.data].schema = Some(feed.schema.clone());
    }
    Ok(Prepared { compiled, feed, schemas, path: path.to_path_buf(), options })
}

/// Compiles a program that this run has written. It reads the same data as `prepared`, which are not loaded again.
pub fn prepare_like(prepared: &Prepared, path: &Path) -> Result<Prepared, Failure> {
    let compiled = compile(path)?;
    let (options, feed) = (Options::default(), prepared.feed.clone());
    Ok(Prepared { compiled, feed, schemas: HashMap::new(), path: path.to_path_buf(), options })
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

/// A search's outcome with the topology that it found.
pub struct Found {
    pub result: SearchResult,
    pub derived: Derived,
    /// The supernet with its weights, where the strategy trains one.
    pub supernet: Option<Model>,
}

impl Found {
    /// The supernet of a strategy that trains one.
    ///
    /// # Panics
    ///
    /// Of a strategy that trains none.
    pub fn supernet(&self) -> &Model {
        self.supernet.as_ref().expect("the strategy trains a supernet")
    }
}

/// The search that can run here, or the diagnostic that says why none can.
fn runnable(prepared: &Prepared) -> Result<(&Network, &[Search]), Box<Diagnostic>> {
    let checked = prepared.checked();
    let searches = checked.spec.searches.as_slice();
    let (Some(network), [_, ..]) = (&checked.supernet, searches) else {
        let span = checked.spec.space.as_ref().map(|s| s.span).or(checked.spec.backbone.as_ref().map(|b| b.span));
        let span = span.unwrap_or(crate::source::Span::new(prepared.compiled.root, 0, 0));
        return Err(Box::new(
            Diagnostic::new(
                codes::SEARCH_NO_SPACE,
                span,
                "there is nothing to search here: no `space`, or no `search`",
            )
            .help("declare both, or use `mtlc train` on a spec with a topology"),
        ));
    };
    Ok((network, searches))
}

/// Searches and derives. A search that is done leaves the supernet's weights, where it has trained one, and `search.json` in the
/// folder.
pub fn search(
    prepared: &Prepared,
    folder: &RunFolder,
    seed: u64,
    device: &Device,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
) -> Result<Ended<Found>, Failure> {
    let checked = prepared.checked();
    let (network, searches) = match runnable(prepared) {
        Ok(found) => found,
        Err(d) => return Err(refused(prepared, *d)),
    };
    let search = &searches[0];
    let ground = Ground { checked, network, search, feed: &prepared.feed, random: Randomness::new(seed), device };
    let start = Instant::now();
    let ended = match searches.len() {
        1 => (search.strategy.procedure)(&ground, bench, listener)?,
        _ => composed::search(&ground, searches, bench, listener)?,
    };
    let (outcome, stopped) = match ended {
        Ended::Stopped(at, None) => return Ok(Ended::Stopped(at, None)),
        Ended::Stopped(at, Some(outcome)) => (outcome, Some(at)),
        Ended::Done(outcome) => (outcome, None),
    };
    let mut result = SearchResult {
        version: SearchResult::VERSION,
        strategy: searches.iter().map(|s| s.strategy.call.name).collect::<Vec<_>>().join(" + "),
        seed,
        epochs: outcome.epochs,
        steps: outcome.steps,
        validation: outcome.validation,
        supernet_params: cost::network_cost(checked, network).total.params.unwrap_or(0),
        choices: choice_names(checked, network),
        decisions: outcome.decisions,
        logits: outcome.logits,
        findings: Vec::new(),
        seconds: start.elapsed().as_secs_f64(),
    };
    let derived = apply(checked, &result.decisions);
    result.findings = findings::of_search(checked, network, &derived, &outcome.certainties);
    let found = Found { result, derived, supernet: outcome.supernet };
    if let Some(at) = stopped {
        return Ok(Ended::Stopped(at, Some(found)));
    }
    if let Some(model) = &found.supernet {
        let binding = artifact::binding(&checked.spec, None);
        folder.save("supernet", model, &binding)?;
    }
    folder.write_json("search.json", &found.result)?;
    Ok(Ended::Done(found))
}

fn refused(prepared: &Prepared, d: Diagnostic) -> Failure {
    // What else was found has been shown when the spec was prepared.
    Failure::Spec(Box::new(Compiled {
        sources: prepared.compiled.sources.clone(),
        root: prepared.compiled.root,
        diagnostics: vec![d],
        checked: None,
    }))
}

/// The topology of decisions, one per choice of the supernet.
pub fn apply(checked: &Checked, decisions: &[usize]) -> Derived {
    let space = checked.spec.space.as_ref().expect("a search has a space");
    let network = checked.supernet.as_ref().expect("a search has a supernet");
    derive(&checked.spec, space, network, &decided(network, decisions))
}

/// The text of a derived file that will stand at `at`.
pub fn derived_text(prepared: &Prepared, topology: &Topology, result: &SearchResult, at: &Path) -> String {
    derived_of(&prepared.compiled, prepared.checked(), topology, result, at)
}

fn derived_of(compiled: &Compiled, checked: &Checked, topology: &Topology, result: &SearchResult, at: &Path) -> String {
    let loss = result.validation.as_ref().map(|v| ("validation_loss".to_string(), v.loss));
    let searched = loss.into_iter().chain([("epochs".to_string(), result.epochs as f64)]).collect();
    artifact::derived_file(artifact::Derivation {
        sources: &compiled.sources,
        spec: &checked.spec,
        topology,
        folder: at.parent().unwrap_or(Path::new("")),
        provenance: &artifact::Provenance::new(&checked.spec, &result.strategy, result.seed, searched),
    })
}

/// A network to be trained: its name in tables, and its topology.
pub struct Candidate {
    pub name: String,
    pub topology: Topology,
}

/// The network in which all tasks share every stage.
pub const ALL_SHARED: &str = "all_shared";

/// The baselines that stand beside every result.
pub fn baselines(checked: &Checked) -> Vec<Candidate> {
    vec![
        Candidate { name: ALL_SHARED.into(), topology: partition::all_shared(&checked.spec) },
        Candidate { name: "independent".into(), topology: partition::independent(&checked.spec) },
    ]
}

/// A topology drawn from the search's own space whose parameters are within `tolerance` (a share) of `params`, and which is not
/// `other`: what luck finds at the same size. Draws choices uniformly; `None` if no draw of `TRIES` comes that near.
pub fn random_like(
    checked: &Checked,
    params: u64,
    tolerance: f64,
    other: &Topology,
    random: Randomness,
) -> Option<Topology> {
    const TRIES: u64 = 20_000;
    let network = checked.supernet.as_ref()?;
    let same = partition::chain(&checked.spec, other);
    for n in 0..TRIES {
        let mut rng = random.stream("random topology", [n, 0, 0]);
        let decisions: Vec<usize> = network.choices.iter().map(|c| c.draw(&mut rng)).collect();
        let topology = apply(checked, &decisions).topology;
        let size = cost::topology_cost(checked, &topology).params.unwrap_or(0);
        let near = (size as f64 - params as f64).abs() <= tolerance * params as f64;
        let differs = || match &same {
            Some(_) => partition::chain(&checked.spec, &topology) != same,
            None => !artifact::same_meaning(&checked.spec, &topology, other),
        };
        if near && differs() {
            return Some(topology);
        }
    }
    None
}

/// The `n`-th random topology of a run, counted from 0, as large as a network of `params` parameters within 5 %: a function of the
/// run's seed, so that it can be drawn again.
pub fn random_candidate(checked: &Checked, n: usize, seed: u64, params: u64, other: &Topology) -> Option<Candidate> {
    let random = Randomness::new(seed.wrapping_add(n as u64 * 7919));
    let topology = random_like(checked, params, 0.05, other, random)?;
    Some(Candidate { name: format!("random_{}", n + 1), topology })
}

/// A topology's network with the weights that a training begins with.
pub fn network_model(
    prepared: &Prepared,
    topology: &Topology,
    random: Randomness,
    device: &Device,
) -> Result<(Network, Model), Failure> {
    let checked = prepared.checked();
    let network = network_of(checked, topology)?;
    let (plan, symbols) = lower(checked, &network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let model = Model::new(plan, symbols, random, device)?;
    Ok((network, model))
}

/// The `train` item's attributes, or its defaults.
pub fn train_args(checked: &Checked) -> crate::schema::Args {
    match &checked.spec.train {
        Some(t) => t.args.clone(),
        None => crate::hir::build::defaults(crate::hir::schema::train_attrs()),
    }
}

/// The network of a topology of this spec, which must be legal.
pub fn network_of(checked: &Checked, topology: &Topology) -> Result<Network, RunError> {
    let mut diags = crate::diag::Diagnostics::default();
    ir::fixed(&checked.spec, topology, &mut diags).ok_or_else(|| {
        let first = diags.into_sorted().into_iter().next().map(|d| d.message).unwrap_or_default();
        RunError::NotYet(format!("this topology cannot be built: {first}"))
    })
}

/// Validation and test scores, costs and latency of a trained model.
pub fn measure(
    prepared: &Prepared,
    network: &Network,
    model: &Model,
    name: &str,
    control: &Control,
) -> Result<NetworkResult, Failure> {
    let checked = prepared.checked();
    let feed = &prepared.feed;
    let decided: Vec<Decided> = Vec::new();
    let costs = cost::network_cost(checked, network);
    let mut result = NetworkResult {
        name: name.to_string(),
        params: costs.total.params.unwrap_or(0),
        macs: costs.total.macs.unwrap_or(0),
        shared: costs.shared,
        epochs: 0,
        best_epoch: 0,
        train: None,
        validation: evaluate(model, &checked.spec, feed, &feed.dataset.validation, &decided, control)?,
        test: match feed.dataset.test.rows {
            0 => None,
            _ => Some(evaluate(model, &checked.spec, feed, &feed.dataset.test, &decided, control)?),
        },
        latency: Some(latency::measure(model, feed, &decided, 1)?),
        latency_batch: Some(latency::measure(model, feed, &decided, 256)?),
        findings: Vec::new(),
        seconds: 0.0,
    };
    for (scores, split) in [(Some(&result.validation), "validation"), (result.test.as_ref(), "test")] {
        if let Some((what, value)) = scores.and_then(|s| s.not_finite(split)) {
            let (phase, last) = (name.to_string(), String::new());
            return Err(RunError::Diverged { phase, what, value, epoch: 0, step: 0, last }.into());
        }
    }
    result.findings = findings::of_network(checked, feed, &model.plan, &result)?;
    Ok(result)
}

/// The network and model of a spec's own topology (without one, as in training, all tasks share everything) with these weights.
pub fn loaded(checked: &Checked, weights: &Path, device: &Device) -> Result<(Network, Model), Failure> {
    crate::runtime::device::precision(&checked.spec).begin();
    let network = match &checked.fixed {
        Some(network) => network.clone(),
        None => network_of(checked, &partition::all_shared(&checked.spec))?,
    };
    let (plan, symbols) = lower(checked, &network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let model = Model::new(plan, symbols, Randomness::new(0), device)?;
    checkpoint::load_model(weights, &model)?;
    Ok((network, model))
}

/// Evaluates saved weights.
pub fn evaluate_weights(prepared: &Prepared, weights: &Path, device: &Device) -> Result<NetworkResult, Failure> {
    let (network, model) = loaded(prepared.checked(), weights, device)?;
    measure(prepared, &network, &model, "evaluated", &Control::free())
}

/// Copies the supernet's weights into the model of a derived topology: each copy's from the one it was.
pub fn inherit(checked: &Checked, derived: &Derived, supernet: &Model, target: &Model) -> Result<(), RunError> {
    let stages = checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let mut rename: HashMap<String, String> = HashMap::new();
    for (node, from) in derived.topology.nodes.iter().zip(&derived.from) {
        let stage = &stages[node.stage.0].name;
        rename.insert(format!("{stage}.{}.", node.copy), format!("{stage}.{}.", ir::copy_letters(*from)));
    }
    // Of a head on every copy, the one that the task keeps.
    for (task, copy) in checked.spec.tasks.iter().zip(&derived.head_copy) {
        if let Some(copy) = copy {
            rename.insert(format!("heads.{}.", task.name), format!("heads.{}.{}.", task.name, ir::copy_letters(*copy)));
        }
    }
    let source: HashMap<&str, &candle_core::Var> = supernet.named().into_iter().collect();
    for (name, var) in target.named() {
        let mut wanted = name.to_string();
        for (new, old) in &rename {
            if let Some(rest) = name.strip_prefix(new.as_str()) {
                wanted = format!("{old}{rest}");
            }
        }
        let Some(from) = source.get(wanted.as_str()) else {
            return Err(RunError::Checkpoint(format!("the supernet has no weight `{wanted}` for `{name}`")));
        };
        var.set(from.as_tensor())?;
    }
    Ok(())
}

/// The supernet of a program with the weights that its search has left.
pub fn searched_supernet(prepared: &Prepared, folder: &RunFolder, device: &Device) -> Result<Model, Failure> {
    let checked = prepared.checked();
    let network = checked.supernet.as_ref().expect("a search has a supernet");
    let (plan, symbols) = lower(checked, network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let model = Model::new(plan, symbols, Randomness::new(0), device)?;
    checkpoint::load_model(&folder.checkpoint("supernet"), &model)?;
    Ok(model)
}

/// Refuses, before anything is written, a spec whose search cannot run here.
pub fn can_search(prepared: &Prepared) -> Result<(), Failure> {
    let (_, searches) = runnable(prepared).map_err(|d| refused(prepared, *d))?;
    for search in searches {
        if let Some(table) = table_of(search) {
            is_there(&search.base.join(table))?;
        }
    }
    Ok(())
}

/// The path of the table that a search reads instead of training, as written in the program.
fn table_of(search: &Search) -> Option<&str> {
    search.args.opt_str(search.strategy.table(&search.args)?)
}

fn is_there(table: &Path) -> Result<(), RunError> {
    match table.try_exists() {
        Ok(false) => Err(outside::missing(table).into()),
        // If its existence is unknown, reading it reports the error.
        _ => Ok(()),
    }
}

/// The spec as it ran, on its own: imports in place, schemas and set parameters written, paths relative to where it will stand.
pub fn program_text(prepared: &Prepared, at: &Path) -> String {
    let folder = at.parent().unwrap_or(Path::new(""));
    artifact::program_file(&prepared.compiled.sources, &prepared.checked().spec, folder)
}

/// Compiles a spec that must be clean.
pub fn compile(path: &Path) -> Result<Compiled, Failure> {
    let compiled = driver::compile(path, &Options::default()).map_err(|e| RunError::io(path, e))?;
    match compiled.has_errors() {
        true => Err(Failure::Spec(Box::new(compiled))),
        false => Ok(compiled),
    }
}

/// The derived file of a run, from its program and its saved choices; no data are read.
pub fn rederive(compiled: &Compiled, saved: &SearchResult, at: &Path) -> Result<String, RunError> {
    let checked =
        compiled.checked.as_ref().ok_or_else(|| RunError::Checkpoint("the run's program has errors".into()))?;
    fits(checked, saved)?;
    let derived = apply(checked, &saved.decisions);
    Ok(derived_of(compiled, checked, &derived.topology, saved, at))
}

/// Whether a search's decisions are decisions of this program.
pub fn fits(checked: &Checked, saved: &SearchResult) -> Result<(), RunError> {
    let choices = checked.supernet.as_ref().map_or(0, |n| n.choices.len());
    if choices != saved.decisions.len() || choices == 0 {
        return Err(RunError::Checkpoint(format!(
            "`search.json` decides {} choices, and the run's program has {choices}",
            saved.decisions.len()
        )));
    }
    let wrong =
        checked.supernet.iter().flat_map(|n| &n.choices).zip(&saved.decisions).position(|(c, d)| *d >= c.numbers());
    if let Some(i) = wrong {
        let reader = saved.choices.get(i).map_or("a choice", String::as_str);
        return Err(RunError::Checkpoint(format!(
            "`search.json` decides candidate {} for `{reader}`, and the run's program has no such candidate: they do not \
             belong together",
            saved.decisions[i]
        )));
    }
    if saved.validation.as_ref().is_some_and(|v| !v.loss.is_finite()) {
        return Err(RunError::Checkpoint("the validation loss of `search.json` is not a finite number".into()));
    }
    if i64::try_from(saved.seed).is_err() || i64::try_from(saved.epochs).is_err() {
        return Err(RunError::Checkpoint("the seed or the epochs of `search.json` are larger than any run's".into()));
    }
    Ok(())
}
