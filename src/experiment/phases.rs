//! The phases of a run in their order: search, the derived network, its baselines. A phase that is recorded as done is not done
//! again; one that has a state goes on from it.

use std::time::Instant;

use super::results::StoppedAt;
use super::run::{Command, Phase, Run, Status, Trained};
use super::{
    Candidate, Ended, Failure, NetworkResult, Prepared, SearchResult, Summary, apply, baselines, derived_text, measure,
    network_model, networks, one_shot, random_candidate, train_args,
};
use crate::artifact;
use crate::ir::derive::Derived;
use crate::ir::partition;
use crate::random::Randomness;
use crate::runtime::control::Why;
use crate::runtime::epochs::Stopped;
use crate::runtime::fit::{Job, fit};
use crate::runtime::format::Record;
use crate::runtime::model::Model;
use crate::runtime::record::Listener;
use crate::runtime::{RunError, checkpoint, device, memory};
use crate::schema::Args;

/// What a run comes to.
pub struct Outcome {
    pub search: Option<SearchResult>,
    /// The topology as text.
    pub topology: String,
    /// Absent if the run was stopped before it had results.
    pub summary: Option<Summary>,
    /// Not done: where, and why.
    pub stopped: Option<Stopped>,
}

/// Does what is left of a run. A run that ends badly says so in its folder.
pub fn execute(run: &mut Run, listener: &mut dyn Listener) -> Result<Outcome, Failure> {
    let failure = match work(run, listener) {
        Ok(outcome) => return Ok(outcome),
        Err(failure) => failure,
    };
    if let Err(lost) = run.check() {
        run.leave();
        return Err(lost.into());
    }
    // The failure itself matters more than one on the way.
    let diverged = matches!(&failure, Failure::Run(e) if e.is_divergence());
    let _ = run.set_status(if diverged { Status::Diverged } else { Status::Failed });
    Err(failure)
}

fn work(run: &mut Run, listener: &mut dyn Listener) -> Result<Outcome, Failure> {
    run.set_status(Status::Running)?;
    let outcome = match run.info.command {
        Command::Search => search_only(run, listener),
        Command::Run => all(run, listener),
        Command::Train => train_only(run, listener),
    };
    // An evaluation that a signal ended: what was trained is saved.
    let outcome = match outcome {
        Err(Failure::Run(RunError::Interrupted)) => {
            let phase = run.progress.phases.last().map_or("search", |p| p.name.as_str()).to_string();
            let at = Stopped { why: Why::Signal, phase, epoch: 0, epochs: 0, step: 0 };
            Outcome { search: None, topology: String::new(), summary: None, stopped: Some(at) }
        }
        outcome => outcome?,
    };
    if outcome.stopped.is_none() {
        if let Some(summary) = &outcome.summary {
            run.folder.write_json("summary.json", summary)?;
        }
        // What an earlier sitting could show of a run that was not done.
        let _ = run.folder.held()?.remove_all("partial");
        run.finish()?;
    } else {
        if let Some(summary) = &outcome.summary {
            run.folder.write_json("partial/summary.json", summary)?;
        }
        run.set_status(Status::Stopped)?;
    }
    Ok(outcome)
}

/// The search's outcome, done now or before.
fn search(run: &mut Run, listener: &mut dyn Listener) -> Result<Ended<(SearchResult, Derived)>, Failure> {
    if run.done("search").is_some() {
        listener.note("search: done before");
        let result: SearchResult = run.folder.read_json("search.json")?;
        super::fits(run.prepared.checked(), &result)?;
        let derived = apply(run.prepared.checked(), &result.decisions);
        return Ok(Ended::Done((result, derived)));
    }
    let (prepared, folder, device) = (run.prepared.clone(), run.folder.clone(), run.device.clone());
    let ended = super::search(&prepared, &folder, run.info.seed, &device, run, listener)?;
    match ended {
        Ended::Done(found) => {
            let marks = listener.marks()?;
            run.record(Phase { name: "search".into(), trained: None, result: None, marks })?;
            Ok(Ended::Done((found.result, found.derived)))
        }
        Ended::Stopped(at, found) => Ok(Ended::Stopped(at, found.map(|f| (f.result, f.derived)))),
    }
}

/// The topology's text, and the derived file in its place.
fn write_derived(run: &Run, result: &SearchResult, derived: &Derived) -> Result<String, Failure> {
    let text = derived_text(&run.prepared, &derived.topology, result, &run.folder.derived());
    run.folder.write_vocabularies(run.prepared.checked(), "derived/")?;
    run.folder.write_own("derived/net.mtl", &text)?;
    Ok(artifact::topology_text(&run.prepared.checked().spec, &derived.topology))
}

/// What a search that the clock stopped has found so far.
fn stopped_search(run: &Run, at: Stopped, found: Option<(SearchResult, Derived)>) -> Result<Outcome, Failure> {
    let mut topology = String::new();
    if let Some((result, derived)) = &found {
        let text = derived_text(&run.prepared, &derived.topology, result, &run.folder.path.join("partial/net.mtl"));
        run.folder.write_vocabularies(run.prepared.checked(), "partial/")?;
        run.folder.write("partial/net.mtl", &text)?;
        topology = artifact::topology_text(&run.prepared.checked().spec, &derived.topology);
    }
    let search = found.map(|(result, _)| result);
    let summary = search.is_some().then(|| summary(run, search.clone(), topology.clone(), Vec::new(), Some(&at)));
    Ok(Outcome { search, topology, summary, stopped: Some(at) })
}

fn search_only(run: &mut Run, listener: &mut dyn Listener) -> Result<Outcome, Failure> {
    match search(run, listener)? {
        Ended::Stopped(at, found) => stopped_search(run, at, found),
        Ended::Done((result, derived)) => {
            let topology = write_derived(run, &result, &derived)?;
            let summary = summary(run, Some(result.clone()), topology.clone(), Vec::new(), None);
            Ok(Outcome { search: Some(result), topology, summary: Some(summary), stopped: None })
        }
    }
}

fn all(run: &mut Run, listener: &mut dyn Listener) -> Result<Outcome, Failure> {
    let (result, derived) = match search(run, listener)? {
        Ended::Stopped(at, found) => return stopped_search(run, at, found),
        Ended::Done(found) => found,
    };
    let text = write_derived(run, &result, &derived)?;
    // The derived file is what is retrained: read back, like any other file.
    let prepared = super::prepare_like(&run.prepared, &run.folder.derived())?;
    let topology = prepared.checked().spec.topology.clone().expect("a derived file has one");
    let first = Candidate { name: "derived".into(), topology };
    let mut networks = Vec::new();
    let mut stopped = network(run, &Training::of(Some(&prepared), &first), &mut networks, listener)?;
    drop(prepared);
    // Several searches leave no supernet that all have trained.
    if stopped.is_none() && matches!(run.prepared.checked().spec.searches.as_slice(), [s] if s.strategy.one_shot) {
        stopped = one_shot::all(run, &derived, &mut networks, listener)?;
    }
    if stopped.is_none() {
        let mut rest = if run.info.baselines { baselines(run.prepared.checked()) } else { Vec::new() };
        for n in 0..run.info.random {
            let (checked, params) = (run.prepared.checked(), networks[0].params);
            match random_candidate(checked, n, run.info.seed, params, &first.topology) {
                Some(candidate) => rest.push(candidate),
                None => listener.note("note: no random topology of the derived one's size within 5 % was found"),
            }
        }
        for c in &rest {
            stopped = network(run, &Training::of(None, c), &mut networks, listener)?;
            if stopped.is_some() {
                break;
            }
        }
    }
    let summary = summary(run, Some(result.clone()), text.clone(), networks, stopped.as_ref());
    Ok(Outcome { search: Some(result), topology: text, summary: Some(summary), stopped })
}

fn train_only(run: &mut Run, listener: &mut dyn Listener) -> Result<Outcome, Failure> {
    let checked = run.prepared.checked();
    let candidate = match &checked.spec.topology {
        Some(t) => Candidate { name: run.info.network.clone(), topology: t.clone() },
        None => {
            listener.note("note: the program has no topology: all tasks share every stage");
            Candidate { name: run.info.network.clone(), topology: partition::all_shared(&checked.spec) }
        }
    };
    let topology = artifact::topology_text(&checked.spec, &candidate.topology);
    let mut networks = Vec::new();
    let stopped = network(run, &Training::of(None, &candidate), &mut networks, listener)?;
    let summary = summary(run, None, topology.clone(), networks, stopped.as_ref());
    Ok(Outcome { search: None, topology, summary: Some(summary), stopped })
}

/// How a network is trained.
pub(super) struct Training<'a> {
    /// Its program, where that is not the run's.
    pub own: Option<&'a Prepared>,
    pub candidate: &'a Candidate,
    /// Those of `train`, if absent.
    pub args: Option<Args>,
    /// What is done to the drawn weights before.
    pub start: &'a dyn Fn(&mut Model) -> Result<(), RunError>,
}

impl<'a> Training<'a> {
    /// From scratch, as `train` says.
    fn of(own: Option<&'a Prepared>, candidate: &'a Candidate) -> Training<'a> {
        Training { own, candidate, args: None, start: &|_| Ok(()) }
    }
}

/// Trains and evaluates a network, or what is left of that; its result goes to the others'. Of one that is stopped by the clock
/// the result so far.
pub(super) fn network(
    run: &mut Run,
    training: &Training,
    results: &mut Vec<NetworkResult>,
    listener: &mut dyn Listener,
) -> Result<Option<Stopped>, Failure> {
    let &Training { own, candidate, ref args, start } = training;
    let name = candidate.name.as_str();
    if let Some(result) = run.done(name).and_then(|d| d.result.clone()) {
        listener.note(&format!("{name}: done before"));
        results.push(result);
        return Ok(None);
    }
    let random = Randomness::new(run.info.seed);
    let (network, mut model) = network_model(own.unwrap_or(&run.prepared), &candidate.topology, random, &run.device)?;
    let weights = run.folder.checkpoint(name);
    let binding = artifact::binding(&own.unwrap_or(&run.prepared).checked().spec, Some(&candidate.topology));
    let (trained, marks) = match run.done(name).and_then(|d| Some((d.trained.clone()?, d.marks))) {
        Some(done) => {
            listener.note(&format!("{name}: trained before"));
            checkpoint::load_model(&weights, &model)?;
            done
        }
        None => {
            let prepared = own.unwrap_or(&run.prepared);
            let checked = prepared.checked();
            let args = args.clone().unwrap_or_else(|| train_args(checked));
            let job = Job { spec: &checked.spec, feed: &prepared.feed, args: &args, random };
            start(&mut model)?;
            let memory = memory::Training::of(&args, &prepared.feed, run.device.is_cpu()).within(&checked.spec);
            model.keep_within(&memory, listener);
            let began = Instant::now();
            let mut keeper = run.keeper(name, listener);
            keeper.best = Some(run.folder.place(name, &binding)?);
            let fitted = fit(&model, &job, &mut keeper, listener)?;
            let seconds = began.elapsed().as_secs_f64();
            let trained = Trained { epochs: fitted.epochs, best_epoch: fitted.epoch, train: fitted.train, seconds };
            if let Some(at) = fitted.stopped {
                if at.why == Why::Time && fitted.epoch > 0 {
                    results.push(finished(measure(prepared, &network, &model, name, &run.control)?, trained));
                }
                return Ok(Some(at));
            }
            run.folder.save(name, &model, &binding)?;
            networks::write(prepared, candidate, &run.folder)?;
            let marks = listener.marks()?;
            run.record(Phase { name: name.into(), trained: Some(trained.clone()), result: None, marks })?;
            (trained, marks)
        }
    };
    let measured = measure(own.unwrap_or(&run.prepared), &network, &model, name, &run.control)?;
    let result = finished(measured, trained.clone());
    run.record(Phase { name: name.into(), trained: Some(trained), result: Some(result.clone()), marks })?;
    results.push(result);
    Ok(None)
}

fn finished(measured: NetworkResult, trained: Trained) -> NetworkResult {
    let Trained { epochs, best_epoch, train, seconds } = trained;
    NetworkResult { epochs, best_epoch, train, seconds, ..measured }
}

fn summary(
    run: &Run,
    search: Option<SearchResult>,
    topology: String,
    networks: Vec<NetworkResult>,
    stopped: Option<&Stopped>,
) -> Summary {
    let of_search = search.iter().flat_map(|s| &s.findings);
    let findings = of_search.chain(networks.iter().flat_map(|n| &n.findings)).cloned().collect();
    Summary {
        version: Summary::VERSION,
        tool: run.info.tool.clone(),
        spec: run.info.spec.clone(),
        set: run.info.set.clone(),
        seed: run.info.seed,
        device: device::describe(&run.device),
        search,
        topology,
        networks,
        findings,
        stopped: stopped.map(StoppedAt::from),
        seconds: run.seconds(),
    }
}
