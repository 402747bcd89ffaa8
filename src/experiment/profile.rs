//! Where the time of a training step goes, by stage and op, on random samples: no data are read unless they tell sizes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use serde::Serialize;

use super::{Failure, network_of, train_args};
use crate::check::Checked;
use crate::driver::{self, Compiled};
use crate::hir::{Options, Search};
use crate::ir::{Network, partition};
use crate::plan::{Kind, lower};
use crate::random::Randomness;
use crate::runtime::epochs::Procedure;
use crate::runtime::feed::{Fed, Feed};
use crate::runtime::fit::{Fitting, Job, losses};
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::state::Position;
use crate::runtime::tape::Observer;
use crate::runtime::{RunError, device, feed, synthetic};
use crate::search::learn_to_branch::Branching;

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

/// The network that is timed if none is named: what a run of the spec spends its time on.
pub fn default_network(checked: &Checked) -> Which {
    match (branching(checked), &checked.spec.topology) {
        (Some(_), _) => Which::Supernet,
        (_, Some(_)) => Which::Topology,
        _ => Which::AllShared,
    }
}

/// The search whose steps can be timed.
fn branching(checked: &Checked) -> Option<(&Network, &Search)> {
    let [search] = checked.spec.searches.as_slice() else { return None };
    if search.strategy.call.name != "learn_to_branch" {
        return None;
    }
    Some((checked.supernet.as_ref()?, search))
}

fn network(checked: &Checked, which: Which) -> Result<Network, RunError> {
    let topology = match which {
        Which::Supernet => {
            let none = || {
                RunError::NotYet("only the steps of `learn_to_branch` are profiled, and this program has none".into())
            };
            return branching(checked).map(|(n, _)| n.clone()).ok_or_else(none);
        }
        Which::Topology => {
            let none = || RunError::NotYet("this program has no topology to profile".into());
            checked.spec.topology.clone().ok_or_else(none)?
        }
        Which::AllShared => partition::all_shared(&checked.spec),
        Which::Independent => partition::independent(&checked.spec),
    };
    network_of(checked, &topology)
}

/// Times `steps` steps of training after `warmup` others.
pub fn profile(
    checked: &Checked,
    which: Which,
    batch: Option<usize>,
    steps: usize,
    warmup: usize,
    device: &Device,
) -> Result<Profile, Failure> {
    crate::runtime::device::precision(&checked.spec).begin();
    let network = network(checked, which)?;
    let (plan, symbols) = lower(checked, &network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let random = Randomness::new(0);
    let model = Model::new(plan, symbols, random, device).map_err(RunError::from)?;
    let args = match (which, checked.spec.searches.first()) {
        (Which::Supernet, Some(search)) => search.args.clone(),
        _ => train_args(checked),
    };
    let batch = batch.unwrap_or_else(|| args.size("batch"));
    let feed = synthetic::feed(checked, batch, random)?;
    let rows: Vec<u32> = (0..batch as u32).collect();
    let table = &feed.dataset.train;
    let fed = feed.take(table, &rows, device)?;

    let job = Job { spec: &checked.spec, feed: &feed, args: &args, random };
    let mut procedure: Box<dyn Procedure> = match (which, checked.spec.searches.first()) {
        (Which::Supernet, Some(search)) => {
            Box::new(Branching::new(checked, &network, search, &model, &feed, random, "profile")?)
        }
        _ => Box::new(Fitting::new(&model, &job, "profile")?),
    };
    let mut at = Position { epoch: 1, ..Position::default() };
    let mut times = Vec::with_capacity(steps);
    for i in 0..warmup + steps {
        at.step += 1;
        let start = Instant::now();
        procedure.step(&fed, &mut at)?;
        device.synchronize().map_err(RunError::from)?;
        if i >= warmup {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    drop(procedure);
    times.sort_by(f64::total_cmp);

    let mut seen = Seen { at: vec![Times::default(); model.plan.steps.len()] };
    for step in 0..steps {
        seen.pass(checked, &feed, &fed, &model, which, step as u64).map_err(RunError::from)?;
    }
    let mut profile = Profile {
        network: name(which).into(),
        device: device::describe(device),
        batch,
        steps,
        step_ms: times[times.len() / 2],
        least_ms: times[0],
        most_ms: times[times.len() - 1],
        parameters: model.plan.units.iter().map(|u| u.params).sum(),
        rows: Vec::new(),
    };
    rows_of(&mut profile, &model, &seen, batch);
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
        which: Which,
        step: u64,
    ) -> candle_core::Result<()> {
        let routes = checked.supernet.as_ref().map(|n| n.choices.as_slice()).unwrap_or_default();
        // Another choice each time, as a search draws it.
        let random = Randomness::new(0);
        let decide = |(c, n): (usize, &usize)| {
            if let Some(route) = routes.get(c).filter(|r| r.is_route()) {
                return Ok(Decided::hard(route.draw(&mut random.stream("profile", [step, c as u64, 0]))));
            }
            let noise = random.gumbel("profile", [step, c as u64, 0], *n);
            let probs = Tensor::from_vec(vec![1.0 / *n as f32; *n], *n, &model.device)?;
            Ok(Decided { index: crate::search::choices::argmax(&noise), probs: Some(probs), mask: None })
        };
        let decided: Vec<Decided> =
            model.plan.choices.iter().enumerate().map(decide).collect::<candle_core::Result<_>>()?;
        let idle = which == Which::Supernet && model.has_buffers;
        let mode = Mode { train: true, idle, random, step };
        let tape = model.record_observed(&fed.inputs, &decided, mode, Some(&mut *self))?;
        let (loss, _) = losses(&checked.spec, feed, model, fed, &tape.outputs, |_| 0)?;
        tape.backward_observed(&loss, Some(&mut *self))?;
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
fn rows_of(profile: &mut Profile, model: &Model, seen: &Seen, batch: usize) {
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
        let (row, per_step) = (&mut profile.rows[at], 1e3 / profile.steps as f64);
        row.copies += 1;
        row.forward_ms += times.forward * per_step;
        row.backward_ms += times.backward * per_step;
        row.output_bytes += times.bytes / profile.steps as u64;
        row.macs += macs * batch as u64;
    }
}
