//! The way back through a plan: gradients of weights and choices from those of the outputs, step by step in reverse. Each step's
//! record goes as soon as it is passed, and with it what only its gradient needed.
//!
//! Of the stretches that a plan forgets (`plan::passes::recompute`) no records stay but what they read from before: they run again
//! when the way back comes to them (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost). They draw what they drew, by
//! seed, step and site; running statistics have advanced already and stay; and no weight of theirs has made its step, because those
//! that do so early have been passed. The numbers are the same, bit by bit.

use std::ops::Range;
use std::time::Instant;

use candle_core::{Result, Shape, Tensor, TensorId, Var, bail};

use super::model::{Decided, Mode, Model, Outputs};
use crate::ops::grad::Grad;
use crate::ops::kernel::record::{Call, recording};
use crate::ops::select::{self, Numbers};
use crate::ops::{Op, Pass, Way};
use crate::optim::{Gradient, Gradients, Step};
use crate::plan::ValueId;

/// Told how long each step of the plan took, forward and back.
pub trait Observer {
    fn forward(&mut self, step: usize, seconds: f64, output: &Tensor);
    fn backward(&mut self, step: usize, seconds: f64);
}

/// What a training step's forward pass leaves. The heads of `outputs` are leaves of candle's graph, in which the loss is computed.
pub struct Tape<'a> {
    model: &'a Model,
    pub outputs: Outputs,
    /// In the order of the steps.
    parts: Vec<Part>,
    /// With what the forward pass ran, if some of it is to run again.
    ran: Option<Box<Ran>>,
    /// By value: whether a gradient is of use.
    wanted: Vec<bool>,
    /// The outputs as the loss reads them.
    leaves: Vec<(ValueId, Var)>,
}

/// What a loss's gradient came to.
pub struct Learned {
    /// In the order of [`Model::trained`].
    pub weights: Gradients,
    /// By choice, d loss / d probability of each candidate, of a relaxed subset d loss / d mask; `None` where no reader was reached.
    pub choices: Vec<Option<Vec<f64>>>,
}

/// What a route makes of its inputs, its weights and its mask.
pub(super) type Combine<'c> = dyn Fn(&[Option<Tensor>], &[Tensor], Option<&Tensor>) -> Result<Tensor> + 'c;

struct Entry {
    step: usize,
    back: Back,
}

/// Neighbours in the plan.
enum Part {
    Kept(Vec<Entry>),
    Gone(Gone),
}

/// A stretch of the plan whose records are to be made again.
pub(super) struct Gone {
    pub stretch: Range<usize>,
    /// Those of its steps that run again: the recorded ones, and what they read.
    pub steps: Vec<usize>,
    /// What they read from before the stretch.
    pub read: Vec<(ValueId, Tensor)>,
}

#[derive(Clone)]
struct Ran {
    decided: Vec<Decided>,
    mode: Mode,
    reached: Vec<bool>,
}

/// How a step is gone back through.
pub(super) enum Back {
    /// By a kernel's own gradient; for each of its arguments the place among the step's inputs and weights.
    Kernel { call: Box<dyn Call>, places: Vec<usize> },
    /// The same numbers in this shape.
    Reshape(Shape),
    /// To every input as it is.
    Sum,
    /// Through candle's graph of this op.
    Graph { leaves: Vec<Option<Var>>, output: Tensor },
    /// Through candle's graph of a route: what it read, the weights, and a relaxed subset.
    Route { choice: usize, leaves: Vec<Option<Var>>, mask: Option<Var>, output: Tensor },
    /// To every candidate by its share, and to the probabilities.
    Blend { choice: usize, candidates: Vec<Tensor>, shares: Vec<f64> },
    /// To the candidate that was taken, and to the probabilities of all that were computed.
    Choice { choice: usize, index: usize, candidates: Vec<Tensor> },
}

impl<'a> Tape<'a> {
    pub(super) fn new(model: &'a Model) -> Tape<'a> {
        let outputs = Outputs { heads: Vec::new(), reached: Vec::new(), chosen: Vec::new() };
        Tape {
            model,
            outputs,
            parts: Vec::new(),
            ran: None,
            wanted: vec![false; model.plan.values],
            leaves: Vec::new(),
        }
    }

    fn push(&mut self, entry: Entry) {
        match self.parts.last_mut() {
            Some(Part::Kept(entries)) => entries.push(entry),
            _ => self.parts.push(Part::Kept(vec![entry])),
        }
    }

    /// What follows is a stretch of its own, until [`Tape::forget`].
    pub(super) fn begin(&mut self, decided: &[Decided], mode: Mode, reached: &[bool]) {
        self.ran.get_or_insert_with(|| Box::new(Ran { decided: decided.to_vec(), mode, reached: reached.to_vec() }));
        self.parts.push(Part::Kept(Vec::new()));
    }

    /// Lets the records of a stretch go. `wanted` are steps whose values are of use, `read` what those of the stretch read from
    /// before it.
    pub(super) fn forget(&mut self, stretch: Range<usize>, wanted: &[bool], mut read: Vec<(ValueId, Tensor)>) {
        let Some(Part::Kept(entries)) = self.parts.pop() else { unreachable!("begun before") };
        let (plan, producer) = (&self.model.plan, &self.model.producer);
        let mut runs = vec![false; stretch.len()];
        entries.iter().for_each(|e| runs[e.step - stretch.start] = true);
        let mut reads = vec![false; plan.values];
        for i in stretch.clone().rev().filter(|i| wanted[*i]) {
            if !runs[i - stretch.start] {
                continue;
            }
            for v in &plan.steps[i].inputs {
                reads[*v] = true;
                if let Some(p) = producer[*v].filter(|p| stretch.contains(p) && wanted[*p]) {
                    runs[p - stretch.start] = true;
                }
            }
        }
        read.retain(|(v, _)| reads[*v]);
        let steps: Vec<usize> = stretch.clone().filter(|i| runs[i - stretch.start]).collect();
        if !entries.is_empty() {
            self.parts.push(Part::Gone(Gone { stretch, steps, read }));
        }
    }

    /// The records of a part, made again where they are gone.
    fn again(&self, gone: &Gone, observer: &mut Option<&mut dyn Observer>) -> Result<Vec<Entry>> {
        let ran = self.ran.as_ref().expect("noted when it was forgotten");
        let tape = Tape { wanted: self.wanted.clone(), ..Tape::new(self.model) };
        let mut tape = self.model.again(tape, gone, &ran.decided, (ran.mode, &ran.reached), observer)?;
        match tape.parts.pop() {
            Some(Part::Kept(entries)) => Ok(entries),
            _ => Ok(Vec::new()),
        }
    }

    /// The last part's records, which are on the tape no more.
    fn last(&mut self, observer: &mut Option<&mut dyn Observer>) -> Result<Option<Vec<Entry>>> {
        Ok(match self.parts.pop() {
            None => None,
            Some(Part::Kept(entries)) => Some(entries),
            Some(Part::Gone(gone)) => Some(self.again(&gone, observer)?),
        })
    }

    /// Runs an op; what [`Tape::note`] takes, if a gradient is of use beyond it.
    pub(super) fn op(
        &self,
        step: usize,
        op: &dyn Op,
        args: &[Tensor],
        pass: &mut Pass,
    ) -> Result<(Tensor, Option<Back>)> {
        let s = &self.model.plan.steps[step];
        let trained = |w: usize| self.model.plan.weights[w].trained;
        let wanted: Vec<bool> =
            s.inputs.iter().map(|v| self.wanted[*v]).chain(s.weights.iter().map(|w| trained(*w))).collect();
        let vars: Vec<&Tensor> = s.weights.iter().map(|w| self.model.vars[*w].as_tensor()).collect();
        if !wanted.contains(&true) {
            let weights: Vec<Tensor> = vars.iter().map(|v| v.detach()).collect();
            return Ok((op.forward(args, &weights, pass)?, None));
        }
        let (output, back) = match op.way(args) {
            Way::Graph => {
                let mut leaves = Vec::with_capacity(wanted.len());
                for (i, wanted) in wanted.iter().enumerate() {
                    let var = i.checked_sub(args.len()).map(|w| &self.model.vars[s.weights[w]]);
                    leaves.push(match (wanted, var) {
                        (false, _) => None,
                        (true, Some(var)) => Some(var.clone()),
                        (true, None) => Some(Var::from_tensor(&args[i])?),
                    });
                }
                let read =
                    |i: usize, plain: &Tensor| leaves[i].as_ref().map_or(plain.detach(), |l| l.as_tensor().clone());
                let inputs: Vec<Tensor> = args.iter().enumerate().map(|(i, t)| read(i, t)).collect();
                let weights: Vec<Tensor> = vars.iter().enumerate().map(|(i, t)| read(args.len() + i, t)).collect();
                let output = op.forward(&inputs, &weights, pass)?;
                (output.detach(), Back::Graph { leaves, output })
            }
            Way::Sum => (op.forward(args, &[], pass)?, Back::Sum),
            Way::Kernel => {
                let weights: Vec<Tensor> = vars.iter().map(|v| v.detach()).collect();
                let (output, mut calls) = recording(|| op.forward(args, &weights, pass));
                let output = output?;
                let back = match calls.pop() {
                    None => Back::Reshape(args[0].shape().clone()),
                    Some(call) if calls.is_empty() => {
                        let all = || args.iter().chain(&weights);
                        let place = |id: &TensorId| all().position(|t| t.id() == *id);
                        match call.arguments().iter().map(place).collect::<Option<Vec<usize>>>() {
                            Some(places) if call.output() == output.id() => Back::Kernel { call, places },
                            _ => bail!("`{}` does more than call a kernel, and says that it does not", op.name()),
                        }
                    }
                    Some(_) => bail!("`{}` calls several kernels, and says that it calls one", op.name()),
                };
                (output, back)
            }
        };
        Ok((output, Some(back)))
    }

    /// Records an op that ran.
    pub(super) fn note(&mut self, step: usize, back: Option<Back>) {
        if let Some(back) = back {
            self.wanted[self.model.plan.steps[step].output] = true;
            self.push(Entry { step, back });
        }
    }

    /// Records a selection. `candidates` are there if its probabilities want a gradient.
    pub(super) fn select(&mut self, step: usize, choice: usize, index: usize, candidates: Vec<Tensor>) {
        let s = &self.model.plan.steps[step];
        if !candidates.is_empty() || self.wanted[s.inputs[index]] {
            self.wanted[s.output] = true;
            self.push(Entry { step, back: Back::Choice { choice, index, candidates } });
        }
    }

    /// Runs a route and records it. `args` are the step's inputs, those that it reads; `combine` makes the value of them, of the
    /// step's weights and of the mask.
    pub(super) fn route(
        &mut self,
        step: usize,
        choice: usize,
        args: &[Option<Tensor>],
        mask: Option<&Tensor>,
        combine: &Combine,
    ) -> Result<Tensor> {
        let s = &self.model.plan.steps[step];
        let leaf = |(value, tensor): (&ValueId, &Option<Tensor>)| match tensor {
            Some(t) if self.wanted[*value] => Var::from_tensor(&t.detach()).map(Some),
            _ => Ok(None),
        };
        let mut leaves: Vec<Option<Var>> = s.inputs.iter().zip(args).map(leaf).collect::<Result<_>>()?;
        let read = |(leaf, arg): (&Option<Var>, &Option<Tensor>)| match leaf {
            Some(leaf) => Some(leaf.as_tensor().clone()),
            None => arg.as_ref().map(Tensor::detach),
        };
        let inputs: Vec<Option<Tensor>> = leaves.iter().zip(args).map(read).collect();
        // One value as it is, of which no gradient is of use.
        if mask.is_none() && args.iter().flatten().count() == 1 && leaves.iter().all(Option::is_none) {
            return combine(&inputs, &[], None);
        }
        let vars = s.weights.iter().map(|w| self.model.vars[*w].clone());
        let weights: Vec<Tensor> = vars.clone().map(|v| v.as_tensor().clone()).collect();
        let mask = mask.map(Var::from_tensor).transpose()?;
        let output = combine(&inputs, &weights, mask.as_ref().map(|m| m.as_tensor()))?;
        leaves.extend(vars.map(Some));
        self.wanted[s.output] = true;
        let value = output.detach();
        self.push(Entry { step, back: Back::Route { choice, leaves, mask, output } });
        Ok(value)
    }

    /// Records a sum of candidates by their shares.
    pub(super) fn blend(&mut self, step: usize, choice: usize, candidates: Vec<Tensor>, shares: Vec<f64>) {
        self.wanted[self.model.plan.steps[step].output] = true;
        self.push(Entry { step, back: Back::Blend { choice, candidates, shares } });
    }

    /// A head as the loss reads it.
    pub(super) fn leaf(&mut self, value: ValueId, tensor: &Tensor) -> Result<Tensor> {
        let leaf = Var::from_tensor(&tensor.detach())?;
        let tensor = leaf.as_tensor().clone();
        self.leaves.push((value, leaf));
        Ok(tensor)
    }

    /// Gradients of a number computed from the outputs.
    pub fn backward(self, loss: &Tensor) -> Result<Learned> {
        self.backward_observed(loss, None)
    }

    /// The same; weights make their step of the optimiser as soon as they have their gradient, which is then gone: it is still in the
    /// cache, and never are all there at once.
    pub fn backward_into(mut self, loss: &Tensor, step: &mut Step) -> Result<Learned> {
        let mut found = Found::of(&self, loss)?;
        while let Some(mut entries) = self.last(&mut None)? {
            while !entries.is_empty() {
                let last = entries.split_off(self.together(&entries));
                found.pass(&self, &last, true)?;
                for w in last.iter().flat_map(|e| &self.model.plan.steps[e.step].weights) {
                    // One that several steps read still waits for the others.
                    if let Some(place) = self.model.alone[*w]
                        && let Some(grad) = found.weights[*w].take()
                    {
                        step.take(place, &Gradient::of(grad, &self.model.device)?)?;
                    }
                }
            }
        }
        found.finish(self.model)
    }

    /// Gradients of several numbers computed from the outputs, each by itself: a way back for each, and the records stay until the
    /// last. What was forgotten runs again on each of them.
    pub fn backward_each(self, losses: &[Tensor]) -> Result<Vec<Learned>> {
        let one = |loss: &Tensor| {
            let mut found = Found::of(&self, loss)?;
            for part in self.parts.iter().rev() {
                let made;
                let mut left = match part {
                    Part::Kept(entries) => entries.as_slice(),
                    Part::Gone(gone) => {
                        made = self.again(gone, &mut None)?;
                        made.as_slice()
                    }
                };
                while !left.is_empty() {
                    let (before, last) = left.split_at(self.together(left));
                    found.pass(&self, last, false)?;
                    left = before;
                }
            }
            found.finish(self.model)
        };
        losses.iter().map(one).collect()
    }

    /// The same as [`Tape::backward`], watched: what runs again is told as forward.
    pub fn backward_observed(mut self, loss: &Tensor, mut observer: Option<&mut dyn Observer>) -> Result<Learned> {
        let mut found = Found::of(&self, loss)?;
        while let Some(mut entries) = self.last(&mut observer)? {
            while let Some(last) = entries.last() {
                let Some(observer) = &mut observer else {
                    let last = entries.split_off(self.together(&entries));
                    found.pass(&self, &last, true)?;
                    continue;
                };
                let (start, step) = (Instant::now(), last.step);
                let last = entries.split_off(entries.len() - 1);
                let passed = found.pass(&self, &last, true)?;
                drop(last);
                if passed {
                    self.model.device.synchronize()?;
                    observer.backward(step, start.elapsed().as_secs_f64());
                }
            }
        }
        found.finish(self.model)
    }

    /// Where those entries begin that the last one does not wait for, nor they for it. Not many at a time: what they give is all
    /// there at once.
    fn together(&self, entries: &[Entry]) -> usize {
        let last = entries.len() - 1;
        let wave = |e: &Entry| self.model.wave(e.step);
        let same = entries[..last].iter().rev().take_while(|e| wave(e) == wave(&entries[last]));
        last - same.take(rayon::current_num_threads().max(4) - 1).count()
    }

    /// Goes back through a step, given the gradient of its output; for the last time or not.
    fn back(&self, entry: &Entry, grad: Grad, last: bool) -> Result<Vec<Given>> {
        let plan = &self.model.plan;
        let s = &plan.steps[entry.step];
        let count = s.inputs.len();
        let wanted = |i: usize| match i.checked_sub(count) {
            None => self.wanted[s.inputs[i]],
            Some(w) => plan.weights[s.weights[w]].trained,
        };
        let mut given = Vec::new();
        let mut give = |i: usize, grad: Grad| {
            given.push(match i.checked_sub(count) {
                None => Given::Value(s.inputs[i], grad),
                Some(w) => Given::Weight(s.weights[w], grad),
            })
        };
        match &entry.back {
            Back::Reshape(shape) => give(0, grad.reshape(shape.clone())?),
            Back::Sum => {
                let readers: Vec<usize> = (0..count).filter(|i| wanted(*i)).collect();
                for i in &readers[1..] {
                    give(*i, grad.clone());
                }
                give(readers[0], grad);
            }
            Back::Kernel { call, places } => {
                let asked: Vec<bool> = places.iter().map(|p| wanted(*p)).collect();
                let found = call.backward(grad, &asked, last)?;
                for (place, grad) in places.iter().zip(found) {
                    if let Some(grad) = grad.filter(|_| wanted(*place)) {
                        give(*place, grad);
                    }
                }
            }
            Back::Graph { leaves, output } => {
                let store = (output * grad.tensor(output.device())?)?.sum_all()?.backward()?;
                for (i, leaf) in leaves.iter().enumerate() {
                    if let Some(g) = leaf.as_ref().and_then(|l| store.get(l)) {
                        give(i, Grad::of(g)?);
                    }
                }
            }
            Back::Route { choice, leaves, mask, output } => {
                let store = (output * grad.tensor(output.device())?)?.sum_all()?.backward()?;
                for (i, leaf) in leaves.iter().enumerate() {
                    if let Some(g) = leaf.as_ref().and_then(|l| store.get(l)) {
                        give(i, Grad::of(g)?);
                    }
                }
                if let Some(g) = mask.as_ref().and_then(|m| store.get(m)) {
                    given.push(Given::Choice(*choice, Numbers::Known(g.to_dtype(candle_core::DType::F64)?.to_vec1()?)));
                }
            }
            Back::Blend { choice, candidates, shares } => {
                for (i, share) in shares.iter().enumerate().filter(|(i, _)| wanted(*i)) {
                    give(i, grad.times(*share)?);
                }
                given.push(Given::Choice(*choice, select::probability_gradient(&grad, candidates)?));
            }
            Back::Choice { choice, index, candidates } => {
                let found = match candidates.is_empty() {
                    true => None,
                    false => Some(select::probability_gradient(&grad, candidates)?),
                };
                if wanted(*index) {
                    give(*index, grad);
                }
                given.extend(found.map(|found| Given::Choice(*choice, found)));
            }
        }
        Ok(given)
    }
}

/// What a step gives to what it read.
enum Given {
    Value(ValueId, Grad),
    Weight(usize, Grad),
    Choice(usize, Numbers),
}

/// Gradients on one way back.
struct Found {
    values: Vec<Option<Grad>>,
    weights: Vec<Option<Grad>>,
    choices: Vec<Option<Vec<f64>>>,
    /// Of choices too, still on a device.
    later: Vec<(usize, Tensor)>,
}

impl Found {
    /// Those of the outputs.
    fn of(tape: &Tape, loss: &Tensor) -> Result<Found> {
        let plan = &tape.model.plan;
        let mut found = Found {
            values: vec![None; plan.values],
            weights: vec![None; plan.weights.len()],
            choices: vec![None; plan.choices.len()],
            later: Vec::new(),
        };
        let store = loss.backward()?;
        for (value, leaf) in &tape.leaves {
            if let Some(g) = store.get(leaf) {
                add(&mut found.values[*value], Grad::of(g)?)?;
            }
        }
        Ok(found)
    }

    /// Goes back through steps that do not wait for one another, the last one first; tells whether an output had a gradient.
    /// `last` if no other way back follows.
    fn pass<'e>(&mut self, tape: &Tape, entries: &'e [Entry], last: bool) -> Result<bool> {
        let plan = &tape.model.plan;
        let mut of = |e: &'e Entry| Some((e, self.values[plan.steps[e.step].output].take()?));
        let jobs: Vec<(&Entry, Grad)> = entries.iter().rev().filter_map(&mut of).collect();
        let passed = !jobs.is_empty();
        let steps: Vec<usize> = jobs.iter().map(|(e, _)| e.step).collect();
        let batch = jobs.first().map_or(0, |(_, g)| g.batch());
        let given = tape.model.at_once(&steps, batch, jobs, |(entry, grad)| tape.back(entry, grad, last));
        for given in given {
            for given in given? {
                match given {
                    Given::Value(v, grad) => add(&mut self.values[v], grad)?,
                    Given::Weight(w, grad) => add(&mut self.weights[w], grad)?,
                    Given::Choice(c, Numbers::Known(found)) => learn(&mut self.choices[c], found),
                    Given::Choice(c, Numbers::Held(found)) => self.later.push((c, found)),
                }
            }
        }
        Ok(passed)
    }

    fn finish(mut self, model: &Model) -> Result<Learned> {
        // One wait for all of them.
        if !self.later.is_empty() {
            let tensors: Vec<&Tensor> = self.later.iter().map(|(_, t)| t).collect();
            let mut all = Tensor::cat(&tensors, 0)?.to_vec1::<f64>()?.into_iter();
            for (choice, t) in &self.later {
                learn(&mut self.choices[*choice], all.by_ref().take(t.elem_count()).collect());
            }
        }
        let trained = model.trained_indices();
        let list = trained.map(|w| self.weights[w].take().map(|g| Gradient::of(g, &model.device)).transpose());
        Ok(Learned { weights: Gradients::of(list.collect::<Result<_>>()?), choices: self.choices })
    }
}

fn learn(to: &mut Option<Vec<f64>>, found: Vec<f64>) {
    match to {
        Some(sum) => sum.iter_mut().zip(found).for_each(|(a, b)| *a += b),
        none => *none = Some(found),
    }
}

fn add(to: &mut Option<Grad>, grad: Grad) -> Result<()> {
    match to {
        Some(sum) => sum.add(grad),
        None => {
            *to = Some(grad);
            Ok(())
        }
    }
}
