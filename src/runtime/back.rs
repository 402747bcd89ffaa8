//! The way back through a plan: gradients of weights and choices from those of the outputs, step by step in reverse. Each step's
//! record goes as soon as it is passed, and with it what only its gradient needed.

use std::time::Instant;

use candle_core::{Result, Tensor};

use super::model::Model;
use super::tape::{Back, Entry, Observer, Part, Tape};
use crate::ops::grad::Grad;
use crate::ops::joint::Joint;
use crate::ops::select::{self, Numbers};
use crate::optim::{Gradient, Gradients, Step};
use crate::plan::ValueId;

/// What a loss's gradient came to.
pub struct Learned {
    /// In the order of [`Model::trained`].
    pub weights: Gradients,
    /// By choice, d loss / d probability of each candidate, of a relaxed subset d loss / d mask; `None` where no reader was reached.
    pub choices: Vec<Option<Vec<f64>>>,
}

impl Tape<'_> {
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
                let steps = last.iter().flat_map(|e| &e.steps);
                for w in steps.flat_map(|i| &self.model.plan.steps[*i].weights) {
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
                let (start, step) = (Instant::now(), last.steps[0]);
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
        let wave = |e: &Entry| self.model.wave(e.steps[0]);
        let same = entries[..last].iter().rev().take_while(|e| wave(e) == wave(&entries[last]));
        last - same.take(rayon::current_num_threads().max(4) - 1).count()
    }

    /// Goes back through siblings, given the gradients of some of their outputs by place.
    fn back_siblings(&self, steps: &[usize], joint: &dyn Joint, grads: Grads, last: bool) -> Result<Vec<Given>> {
        let plan = &self.model.plan;
        let x = plan.steps[steps[0]].inputs[0];
        let trained = |w: &usize| plan.weights[*w].trained;
        let of = |at: usize| &plan.steps[steps[at]].weights;
        let learns = grads.iter().any(|(at, _)| of(*at).iter().any(trained));
        let found = joint.backward(grads, [self.wanted[x], learns], last)?;
        let mut given: Vec<Given> = found.x.into_iter().map(|grad| Given::Value(x, grad)).collect();
        for (at, grads) in found.weights {
            let trained = of(at).iter().zip(grads).filter(|(w, _)| trained(w));
            given.extend(trained.filter_map(|(w, grad)| Some(Given::Weight(*w, grad?))));
        }
        Ok(given)
    }

    /// Goes back through an entry, given gradients of its outputs by place; for the last time or not.
    fn back(&self, entry: &Entry, mut grads: Grads, last: bool) -> Result<Vec<Given>> {
        if let Back::Siblings(joint) = &entry.back {
            return self.back_siblings(&entry.steps, &**joint, grads, last);
        }
        let Some((_, grad)) = grads.pop() else { return Ok(Vec::new()) };
        let plan = &self.model.plan;
        let s = &plan.steps[entry.steps[0]];
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
            Back::Siblings(_) => {}
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

/// Gradients of an entry's outputs, those that there are, by the place of their step in it.
type Grads = Vec<(usize, Grad)>;

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
        let mut of = |e: &'e Entry| {
            let grad = |(at, i): (usize, &usize)| Some((at, self.values[plan.steps[*i].output].take()?));
            let grads: Grads = e.steps.iter().enumerate().filter_map(grad).collect();
            (!grads.is_empty()).then_some((e, grads))
        };
        let jobs: Vec<(&Entry, Grads)> = entries.iter().rev().filter_map(&mut of).collect();
        let passed = !jobs.is_empty();
        let steps: Vec<usize> = jobs.iter().flat_map(|(e, _)| e.steps.iter().copied()).collect();
        let batch = jobs.first().map_or(0, |(_, g)| g[0].1.batch());
        let given = tape.model.at_once(&steps, batch, jobs, |(entry, grads)| tape.back(entry, grads, last));
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
