//! Weights and the forward pass of a plan.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use rand::RngExt;
use rand_distr::{Distribution, Normal};

use super::blocks;
use super::forward::Way;
use super::tape::{Observer, Tape};
use super::watch;
use super::waves::Waves;
use crate::ir::routes;
use crate::ops::Init;
use crate::plan::passes::{self, Switches};
use crate::plan::{Plan, Route, Symbols};
use crate::random::Randomness;
use crate::source::machine;

/// A plan with its weights on a device.
pub struct Model {
    pub plan: Plan,
    pub symbols: Symbols,
    pub device: Device,
    /// In step with the plan's weights; buffers (running statistics) among them.
    pub vars: Vec<Var>,
    /// Steps that compute each value.
    pub(super) producer: Vec<Option<usize>>,
    pub(super) waves: Waves,
    /// By weight: its place among the trained ones, if one step alone reads it.
    pub(super) alone: Vec<Option<usize>>,
    /// Some op keeps running statistics.
    pub has_buffers: bool,
    /// Steps that are not trained: they run as in an evaluation.
    pub(super) still: Vec<bool>,
}

/// What one choice does in a forward pass.
#[derive(Debug, Clone)]
pub struct Decided {
    pub index: usize,
    /// Probabilities of the relaxed sample, `[candidates]`: with them the choice gets a straight-through gradient.
    pub probs: Option<Tensor>,
    /// Of a route, instead of the subset that `index` says: a relaxed one, a number from 0 to 1 per candidate and one of them
    /// above 0, with a gradient of its own. Candidates at 0 do not run. The query is still `index`'s.
    pub mask: Option<Vec<f32>>,
}

impl Decided {
    pub fn hard(index: usize) -> Decided {
        Decided { index, probs: None, mask: None }
    }

    /// A relaxed subset, with the first query.
    pub fn relaxed(mask: Vec<f32>) -> Decided {
        Decided { index: 0, probs: None, mask: Some(mask) }
    }

    /// What a route takes: its members by place among the candidates, and the query's place where one is read.
    pub(super) fn route(&self, route: &Route) -> (Vec<usize>, Option<usize>) {
        let (subset, query) = routes::route(self.index, route.queries.max(1));
        let members = match &self.mask {
            Some(mask) => (0..mask.len()).filter(|i| mask[*i] > 0.0).collect(),
            None => subset,
        };
        let gated = route.queries > 0 && (members.len() > 1 || self.mask.is_some());
        (members, gated.then_some(query))
    }

    /// Places among a route's step's inputs that are read.
    pub(super) fn reads(&self, route: &Route) -> Vec<usize> {
        let (members, query) = self.route(route);
        query.into_iter().chain(members.into_iter().map(|m| route.queries + m)).collect()
    }
}

/// How to run a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode {
    /// Batch statistics and dropout.
    pub train: bool,
    /// Run copies that no decided path reaches too, and let their running statistics advance.
    pub idle: bool,
    pub random: Randomness,
    /// Counter of every draw.
    pub step: u64,
}

impl Mode {
    pub fn evaluation() -> Mode {
        Mode { train: false, idle: false, random: Randomness::new(0), step: 0 }
    }
}

/// What a forward pass gives.
pub struct Outputs {
    /// Per output of the plan: the values of its heads, or only the decided one's.
    pub heads: Vec<Vec<Option<Tensor>>>,
    /// Units on a decided path.
    pub reached: Vec<bool>,
    /// Choices whose reader is on a decided path.
    pub chosen: Vec<bool>,
}

/// By weight: its place among the trained ones, if one step alone reads it.
fn alone(plan: &Plan) -> Vec<Option<usize>> {
    let mut readers = vec![0usize; plan.weights.len()];
    plan.steps.iter().flat_map(|s| &s.weights).for_each(|w| readers[*w] += 1);
    let mut alone = vec![None; plan.weights.len()];
    for (place, w) in (0..plan.weights.len()).filter(|w| plan.weights[*w].trained).enumerate() {
        alone[w] = (readers[w] == 1).then_some(place);
    }
    alone
}

impl Model {
    /// Draws initial weights; each is a function of the seed and its name alone.
    pub fn new(plan: Plan, symbols: Symbols, random: Randomness, device: &Device) -> Result<Model> {
        Model::with(plan, symbols, random, device, &Switches::chosen())
    }

    /// With some of the passes over the plan left out.
    pub fn with(
        mut plan: Plan,
        symbols: Symbols,
        random: Randomness,
        device: &Device,
        switches: &Switches,
    ) -> Result<Model> {
        passes::rewrite(&mut plan, switches);
        let numbers = plan.weights.iter().flat_map(|w| w.shape.iter().copied().reduce(usize::saturating_mul));
        let bytes = numbers.fold(0usize, usize::saturating_add).saturating_mul(4);
        // What the model before this one left is of no use to it.
        blocks::give_back();
        // Said in words before the system ends the program.
        if let Some(free) = machine::available_memory()
            && bytes as u64 > free
            && device.is_cpu()
        {
            candle_core::bail!(
                "the weights of this network take {} MiB, and {} MiB of memory are free: make it smaller",
                bytes >> 20,
                free >> 20
            );
        }
        let mut vars = Vec::with_capacity(plan.weights.len());
        for (w, name) in plan.weights.iter().zip(&symbols.weights) {
            let n: usize = w.shape.iter().product();
            let mut rng = random.stream(&format!("init {name}"), [0; 3]);
            let values: Vec<f32> = match w.init {
                Init::Const(v) => vec![v as f32; n],
                Init::Uniform { bound } => (0..n).map(|_| rng.random_range(-bound..=bound) as f32).collect(),
                Init::Normal { std } => {
                    let normal = Normal::new(0.0, std).expect("a finite deviation");
                    (0..n).map(|_| normal.sample(&mut rng) as f32).collect()
                }
                Init::FanIn => {
                    let fan: usize = w.shape[1..].iter().product();
                    let bound = 1.0 / (fan.max(1) as f64).sqrt();
                    (0..n).map(|_| rng.random_range(-bound..=bound) as f32).collect()
                }
            };
            vars.push(Var::from_vec(values, w.shape.as_slice(), device)?);
        }
        let mut producer = vec![None; plan.values];
        for (i, s) in plan.steps.iter().enumerate() {
            producer[s.output] = Some(i);
        }
        let has_buffers = plan.weights.iter().any(|w| !w.trained);
        let waves = Waves::new(&plan);
        let alone = alone(&plan);
        let still = vec![false; plan.steps.len()];
        Ok(Model { plan, symbols, device: device.clone(), vars, producer, waves, alone, has_buffers, still })
    }

    /// A model with the same weights and a single output. Ops that only the other outputs need do not run.
    pub fn of_output(&self, output: usize) -> Model {
        let mut plan = self.plan.clone();
        plan.outputs = vec![plan.outputs.swap_remove(output)];
        let waves = Waves::new(&plan);
        Model {
            symbols: self.symbols.clone(),
            device: self.device.clone(),
            vars: self.vars.clone(),
            producer: self.producer.clone(),
            alone: self.alone.clone(),
            still: self.still.clone(),
            has_buffers: self.has_buffers,
            waves,
            plan,
        }
    }

    /// Trains these units, by their names, no more: their weights and running statistics stay, and they drop nothing out.
    pub fn freeze(&mut self, frozen: impl Fn(&str) -> bool) {
        let units: Vec<bool> = self.symbols.units.iter().map(|u| frozen(u)).collect();
        self.plan.weights.iter_mut().filter(|w| units[w.unit]).for_each(|w| w.trained = false);
        self.alone = alone(&self.plan);
        for (still, step) in self.still.iter_mut().zip(&self.plan.steps) {
            *still |= step.unit.is_some_and(|u| units[u]);
        }
    }

    /// Trained weights by name, in plan order.
    pub fn trained(&self) -> Vec<(&str, &Var)> {
        let all = self.plan.weights.iter().zip(&self.symbols.weights).zip(&self.vars);
        all.filter(|((w, _), _)| w.trained).map(|((_, n), v)| (n.as_str(), v)).collect()
    }

    /// Which of the plan's weights are trained.
    pub fn trained_indices(&self) -> impl Iterator<Item = usize> {
        self.plan.weights.iter().enumerate().filter(|(_, w)| w.trained).map(|(i, _)| i)
    }

    /// All weights and buffers by name, in plan order.
    pub fn named(&self) -> Vec<(&str, &Var)> {
        self.symbols.weights.iter().map(String::as_str).zip(&self.vars).collect()
    }

    /// The weights of some steps, outside of candle's graph.
    pub(super) fn weights_of(&self, steps: &[usize]) -> Vec<Vec<Tensor>> {
        let of = |i: &usize| self.plan.steps[*i].weights.iter().map(|w| self.vars[*w].as_tensor().detach()).collect();
        steps.iter().map(of).collect()
    }

    /// Copies of all values, to come back to.
    pub fn snapshot(&self) -> Result<Vec<Tensor>> {
        self.vars.iter().map(|v| v.as_tensor().copy()).collect()
    }

    pub fn restore(&self, values: &[Tensor]) -> Result<()> {
        self.vars.iter().zip(values).try_for_each(|(v, t)| v.set(t))
    }

    /// Runs the plan in candle's graph. `inputs[i]` is `[batch, ...]` for the spec's input `i`; `decided` has one entry per choice.
    pub fn forward(&self, inputs: &HashMap<usize, Tensor>, decided: &[Decided], mode: Mode) -> Result<Outputs> {
        watch::pass(self, decided, mode);
        self.run(inputs, decided, mode, &mut Way::Graph, None)
    }

    /// The same, recorded for [`Tape::backward`] instead: faster, and with less memory.
    pub fn record(&self, inputs: &HashMap<usize, Tensor>, decided: &[Decided], mode: Mode) -> Result<Tape<'_>> {
        self.record_observed(inputs, decided, mode, None)
    }

    pub fn record_observed(
        &self,
        inputs: &HashMap<usize, Tensor>,
        decided: &[Decided],
        mode: Mode,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Tape<'_>> {
        watch::pass(self, decided, mode);
        let mut way = Way::Tape(Tape::new(self));
        let outputs = self.run(inputs, decided, mode, &mut way, observer)?;
        let Way::Tape(mut tape) = way else { unreachable!("given above") };
        tape.outputs = outputs;
        Ok(tape)
    }

    /// An evaluation's forward pass: running statistics, no noise, nothing kept for a way back.
    pub fn probe(&self, inputs: &HashMap<usize, Tensor>, decided: &[Decided]) -> Result<Outputs> {
        self.run(inputs, decided, Mode::evaluation(), &mut Way::Plain, None)
    }

    /// What a training step's forward pass would give, and nothing more: no gradient, and running statistics stay as they are.
    pub fn look(&self, inputs: &HashMap<usize, Tensor>, decided: &[Decided], mode: Mode) -> Result<Outputs> {
        self.keeping_statistics(|| self.run(inputs, decided, mode, &mut Way::Plain, None))
    }

    /// Does something, after which running statistics are as they were.
    pub fn keeping_statistics<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<T> {
        let buffers = || self.vars.iter().zip(&self.plan.weights).filter(|(_, w)| !w.trained).map(|(v, _)| v);
        let kept: Vec<Tensor> = buffers().map(|v| v.as_tensor().copy()).collect::<Result<_>>()?;
        let done = act();
        buffers().zip(&kept).try_for_each(|(v, t)| v.set(t))?;
        done
    }

    /// The one output of each task under hard decisions: `[batch, outputs...]`, by output of the plan.
    pub fn predict(&self, inputs: &HashMap<usize, Tensor>, decided: &[Decided]) -> Result<Vec<Tensor>> {
        let out = self.probe(inputs, decided)?;
        let mut list = Vec::new();
        for (o, heads) in self.plan.outputs.iter().zip(out.heads) {
            let at = o.choice.map_or(0, |c| decided[c].index);
            let value = heads.into_iter().nth(at).flatten();
            list.push(value.ok_or_else(|| candle_core::Error::Msg(format!("no output for task {}", o.task)))?);
        }
        Ok(list)
    }

    /// f32 everywhere for now.
    pub fn dtype(&self) -> DType {
        DType::F32
    }
}
