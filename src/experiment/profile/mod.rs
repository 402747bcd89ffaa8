//! Where the time of a training step goes, by stage and op, on random samples: no data are read unless they tell sizes.

mod search;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::{Failure, network_of, train_args};
use crate::check::Checked;
use crate::driver::{self, Compiled};
use crate::hir::Options;
use crate::ir::partition;
use crate::plan::{Kind, lower};
use crate::random::Randomness;
use crate::runtime::epochs::Procedure;
use crate::runtime::feed::{Fed, Feed};
use crate::runtime::fit::{Fitting, Job, losses};
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::state::Position;
use crate::runtime::tape::Observer;
use crate::runtime::{RunError, device, feed, synthetic};

/// Which network's training is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Supernet,
    Topology,
    AllShared,
    Independent,
}

/// One op of a stage, its copies together; times in milliseconds of one step.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub stage: String,
    /// Place in the stage's chain.
    pub index: usize,
    pub op: String,
    /// Copies that ran.
    pub copies: usize,
    pub forward_ms: f64,
    pub backward_ms: f64,
    /// Of the outputs, in one step.
    pub output_bytes: u64,
    /// Multiply-accumulates of one forward pass over the batch.
    pub macs: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Profile {
    pub network: String,
    pub device: String,
    pub batch: usize,
    pub steps: usize,
    /// The whole step: median, and its range.
    pub step_ms: f64,
    pub least_ms: f64,
    pub most_ms: f64,
    pub parameters: u64,
    /// Why this network was timed, if it is not the first choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// In the order of the plan.
    pub rows: Vec<Row>,
}

impl Profile {
    /// Milliseconds of the ops, forward and backward.
    pub fn ops_ms(&self) -> [f64; 2] {
        [self.rows.iter().map(|r| r.forward_ms).sum(), self.rows.iter().map(|r| r.backward_ms).sum()]
    }
}

/// Compiles a spec to known sizes: its data are read for those that only they tell.
pub fn compile(path: &Path, set: &[(String, String)]) -> Result<Compiled, Failure> {
    let mut options = Options { set: set.to_vec(), ..Options::default() };
    let compiled = driver::compile(path, &options).map_err(|e| RunError::io(path, e))?;
    let Some(checked) = &compiled.checked else { return Err(Failure::Spec(Box::new(compiled))) };
    if synthetic::feed(checked, 1, Randomness::new(0)).is_ok() {
        return Ok(compiled);
    }
    options.schemas = feed::freeze(&checked.spec)?.0;
    let compiled = driver::compile(path, &options).map_err(|e| RunError::io(path, e))?;
    if compiled.checked.is_none() {
        return Err(Failure::Spec(Box::new(compiled)));
    }
    Ok(compiled)
}

/// What to time.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// The network; `None`: the one that a run of the spec spends its time on.
    pub which: Option<Which>,
    /// Samples per step; `None`: the batch size of the spec.
    pub batch: Option<usize>,
    pub steps: usize,
    /// Steps before timing begins.
    pub warmup: usize,
}

/// Times the steps of a training. If the request names no network, times the supernet if the search trains one, else the topology, else
/// the all-shared network.
pub fn profile(checked: &Checked, request: &Request, device: &Device) -> Result<Profile, Failure> {
    crate::runtime::device::precision(&checked.spec).begin();
    let mut note = None;
    if request.which.unwrap_or(Which::Supernet) == Which::Supernet {
        if let Some(found) = supernet(checked, request, device)? {
            return Ok(found);
        }
        let strategies: Vec<&str> = checked.spec.searches.iter().map(|s| s.strategy.call.name).collect();
        let why = match strategies.as_slice() {
            [] => "this program has no search, and so no supernet is trained".to_string(),
            some => format!("the search `{}` trains no supernet", some.join(" + ")),
        };
        if request.which.is_some() {
            return Err(RunError::NotYet(why).into());
        }
        note = Some(why).filter(|_| !strategies.is_empty());
    }
    let usual = if checked.spec.topology.is_some() { Which::Topology } else { Which::AllShared };
    let mut found = fixed(checked, request.which.unwrap_or(usual), request, device)?;
    found.note = note.map(|n| format!("{n}: this is its network `{}`", found.network));
    Ok(found)
}

/// The profile of the search's own steps; `None` if it trains no supernet.
fn supernet(checked: &Checked, request: &Request, device: &Device) -> Result<Option<Profile>, Failure> {
    let Some(first) = checked.spec.searches.first() else { return Ok(None) };
    let size = first.args.get("batch").map(|_| first.args.size("batch"));
    let batch = request.batch.or(size).unwrap_or_else(|| train_args(checked).size("batch"));
    let Some(seen) = search::steps(checked, batch, (request.warmup, request.steps), device)? else { return Ok(None) };
    let search::Seen { times, watched, feed } = seen;
    let model = Model::new(watched.plan, watched.symbols, Randomness::new(0), device).map_err(RunError::from)?;
    let rows: Vec<u32> = (0..batch as u32).collect();
    let fed = feed.take(&feed.dataset.train, &rows, device)?;
    // The last passes belong to the steps that were timed.
    let last = watched.passes.len().saturating_sub(request.steps);
    let passes = &watched.passes[last..];
    Ok(Some(measured(checked, Which::Supernet, times, &model, (&feed, &fed), passes, batch)?))
}

fn fixed(checked: &Checked, which: Which, request: &Request, device: &Device) -> Result<Profile, Failure> {
    let topology = match which {
        Which::Topology => {
            let none = || RunError::NotYet("this program has no topology to profile".into());
            checked.spec.topology.clone().ok_or_else(none)?
        }
        Which::Independent => partition::independent(&checked.spec),
        Which::AllShared | Which::Supernet => partition::all_shared(&checked.spec),
    };
    let network = network_of(checked, &topology)?;
    let (plan, symbols) = lower(checked, &network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let random = Randomness::new(0);
    let model = Model::new(plan, symbols, random, device).map_err(RunError::from)?;
    let args = train_args(checked);
    let batch = request.batch.unwrap_or_else(|| args.size("batch"));
    let feed = synthetic::feed(checked, batch, random)?;
    let rows: Vec<u32> = (0..batch as u32).collect();
    let fed = feed.take(&feed.dataset.train, &rows, device)?;

    let job = Job { spec: &checked.spec, feed: &feed, args: &args, random };
    let mut procedure = Fitting::new(&model, &job, "profile")?;
    let mut at = Position { epoch: 1, ..Position::default() };
    let mut times = Vec::with_capacity(request.steps);
    for i in 0..request.warmup + request.steps {
        at.step += 1;
        let start = Instant::now();
        procedure.step(&fed, &mut at)?;
        device.synchronize().map_err(RunError::from)?;
        if i >= request.warmup {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    drop(procedure);
    let mode = |step| Mode { train: true, idle: false, random, step };
    let passes: Vec<(Vec<Decided>, Mode)> = (0..request.steps as u64).map(|s| (Vec::new(), mode(s))).collect();
    measured(checked, which, times, &model, (&feed, &fed), &passes, batch)
}

/// The profile of steps with these times. Their passes are run once more, op by op.
fn measured(
    checked: &Checked,
    which: Which,
    mut times: Vec<f64>,
    model: &Model,
    (feed, fed): (&Feed, &Fed),
    passes: &[(Vec<Decided>, Mode)],
    batch: usize,
) -> Result<Profile, Failure> {
    times.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (times.first(), times.last()) else {
        return Err(RunError::NotYet("the training ended before a step could be timed".into()).into());
    };
    let mut seen = Seen { at: vec![Times::default(); model.plan.steps.len()] };
    for (decided, mode) in passes {
        seen.pass(checked, feed, fed, model, decided, *mode).map_err(RunError::from)?;
    }
    let mut profile = Profile {
        network: name(which).into(),
        device: device::describe(&model.device),
        batch,
        steps: times.len(),
        step_ms: times[times.len() / 2],
        least_ms: *least,
        most_ms: *most,
        parameters: model.plan.units.iter().map(|u| u.params).sum(),
        note: None,
        rows: Vec::new(),
    };
    rows_of(&mut profile, model, &seen, batch, passes.len());
    Ok(profile)
}

/// As it is written on the command line.
pub fn name(which: Which) -> &'static str {
    match which {
        Which::Supernet => "supernet",
        Which::Topology => "topology",
        Which::AllShared => "all_shared",
        Which::Independent => "independent",
    }
}

#[derive(Debug, Clone, Default)]
struct Times {
    forward: f64,
    backward: f64,
    bytes: u64,
    ran: bool,
}

/// Times of every step of the plan, summed over passes.
struct Seen {
    at: Vec<Times>,
}

impl Seen {
    fn pass(
        &mut self,
        checked: &Checked,
        feed: &Feed,
        fed: &Fed,
        model: &Model,
        decided: &[Decided],
        mode: Mode,
    ) -> candle_core::Result<()> {
        let tape = model.record_observed(&fed.inputs, decided, mode, Some(&mut *self))?;
        // A task with a head on every copy has a loss per head, which the search weighs.
        let heads = tape.outputs.heads.iter().map(|h| h.len()).max().unwrap_or(1);
        let mut total: Option<Tensor> = None;
        for k in 0..heads {
            let pick = |i: usize| {
                let all = &tape.outputs.heads[i];
                let wanted = all.get(k).filter(|h| h.is_some()).map(|_| k);
                wanted.or_else(|| all.iter().position(Option::is_some)).unwrap_or(0)
            };
            let (loss, _) = losses(&checked.spec, feed, model, fed, &tape.outputs, pick)?;
            total = Some(match total {
                Some(t) => (t + loss)?,
                None => loss,
            });
        }
        tape.backward_observed(&total.expect("a task has a head"), Some(&mut *self))?;
        Ok(())
    }
}

impl Observer for Seen {
    fn forward(&mut self, step: usize, seconds: f64, output: &Tensor) {
        let at = &mut self.at[step];
        at.forward += seconds;
        at.bytes += (output.elem_count() * output.dtype().size_in_bytes()) as u64;
        at.ran = true;
    }

    fn backward(&mut self, step: usize, seconds: f64) {
        self.at[step].backward += seconds;
    }
}

/// The steps of all copies of a stage together.
fn rows_of(profile: &mut Profile, model: &Model, seen: &Seen, batch: usize, passes: usize) {
    let mut place: BTreeMap<(String, usize), usize> = BTreeMap::new();
    let mut index_in_unit: BTreeMap<usize, usize> = BTreeMap::new();
    for (step, times) in model.plan.steps.iter().zip(&seen.at) {
        let (unit, op, macs) = match (&step.kind, step.unit) {
            (Kind::Op(op), Some(unit)) => (unit, op.name(), op.macs().unwrap_or(0)),
            (Kind::Route(r), Some(unit)) => (unit, r.whole.name(), r.whole.macs().unwrap_or(0)),
            _ => continue,
        };
        let index = index_in_unit.entry(unit).and_modify(|i| *i += 1).or_insert(0);
        if !times.ran {
            continue;
        }
        let label = &model.symbols.units[unit];
        let stage = match label.strip_prefix("heads.") {
            Some(_) => "heads",
            None => label.split('.').next().unwrap_or(label),
        };
        let at = *place.entry((format!("{stage} {op}"), *index)).or_insert_with(|| {
            profile.rows.push(Row {
                stage: stage.to_string(),
                index: *index,
                op: op.to_string(),
                copies: 0,
                forward_ms: 0.0,
                backward_ms: 0.0,
                output_bytes: 0,
                macs: 0,
            });
            profile.rows.len() - 1
        });
        let (row, per_step) = (&mut profile.rows[at], 1e3 / passes as f64);
        row.copies += 1;
        row.forward_ms += times.forward * per_step;
        row.backward_ms += times.backward * per_step;
        row.output_bytes += times.bytes / passes as u64;
        row.macs += macs * batch as u64;
    }
}
