//! What the way forward leaves for the way back (`back.rs`): a record of every step of which a gradient is of use, in their order.
//!
//! Of the stretches that a plan forgets (`plan::passes::recompute`) no records stay but what they read from before: they run again
//! when the way back comes to them (Chen et al. 2016, Training Deep Nets with Sublinear Memory Cost). They draw what they drew, by
//! seed, step and site; running statistics have advanced already and stay; and no weight of theirs has made its step, because those
//! that do so early have been passed. The numbers are the same, bit by bit.

use std::ops::Range;

use candle_core::{Result, Shape, Tensor, TensorId, Var, bail};

use super::model::{Decided, Mode, Model, Outputs};
use crate::ops::joint::Joint;
use crate::ops::kernel::record::{Call, recording};
use crate::ops::{Joined, Op, Pass, Way};
use crate::plan::ValueId;

/// Told how long each step of the plan took, forward and back.
pub trait Observer {
    fn forward(&mut self, step: usize, seconds: f64, output: &Tensor);
    fn backward(&mut self, step: usize, seconds: f64);
}

/// What a training step's forward pass leaves. The heads of `outputs` are leaves of candle's graph, in which the loss is computed.
pub struct Tape<'a> {
    pub(super) model: &'a Model,
    pub outputs: Outputs,
    /// In the order of the steps.
    pub(super) parts: Vec<Part>,
    /// With what the forward pass ran, if some of it is to run again.
    ran: Option<Box<Ran>>,
    /// By value: whether a gradient is of use.
    pub(super) wanted: Vec<bool>,
    /// The outputs as the loss reads them.
    pub(super) leaves: Vec<(ValueId, Var)>,
}

/// What a route makes of its inputs, its weights and its mask.
pub(super) type Combine<'c> = dyn Fn(&[Option<Tensor>], &[Tensor], Option<&Tensor>) -> Result<Tensor> + 'c;

pub(super) struct Entry {
    /// One, or siblings that ran as one.
    pub steps: Vec<usize>,
    pub back: Back,
}

/// Neighbours in the plan.
pub(super) enum Part {
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
    /// Through siblings, by what they have in common.
    Siblings(Box<dyn Joint>),
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
        entries.iter().flat_map(|e| &e.steps).for_each(|i| runs[i - stretch.start] = true);
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
    pub(super) fn again(&self, gone: &Gone, observer: &mut Option<&mut dyn Observer>) -> Result<Vec<Entry>> {
        let ran = self.ran.as_ref().expect("noted when it was forgotten");
        let tape = Tape { wanted: self.wanted.clone(), ..Tape::new(self.model) };
        let mut tape = self.model.again(tape, gone, &ran.decided, (ran.mode, &ran.reached), observer)?;
        match tape.parts.pop() {
            Some(Part::Kept(entries)) => Ok(entries),
            _ => Ok(Vec::new()),
        }
    }

    /// The last part's records, which are on the tape no more.
    pub(super) fn last(&mut self, observer: &mut Option<&mut dyn Observer>) -> Result<Option<Vec<Entry>>> {
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

    /// Runs siblings, if they can run as one; what [`Tape::note`] takes, if a gradient is of use beyond them.
    pub(super) fn siblings(
        &self,
        steps: &[usize],
        op: &dyn Op,
        x: &Tensor,
    ) -> Result<Option<(Vec<Tensor>, Option<Back>)>> {
        let plan = &self.model.plan;
        let Some(Joined { outputs, back }) = op.siblings(x, &self.model.weights_of(steps))? else { return Ok(None) };
        let trained = || steps.iter().flat_map(|i| &plan.steps[*i].weights).any(|w| plan.weights[*w].trained);
        let wanted = self.wanted[plan.steps[steps[0]].inputs[0]] || trained();
        Ok(Some((outputs, wanted.then_some(Back::Siblings(back)))))
    }

    /// Records an op that ran, or siblings that ran as one.
    pub(super) fn note(&mut self, steps: Vec<usize>, back: Option<Back>) {
        if let Some(back) = back {
            steps.iter().for_each(|i| self.wanted[self.model.plan.steps[*i].output] = true);
            self.push(Entry { steps, back });
        }
    }

    /// Records a selection. `candidates` are there if its probabilities want a gradient.
    pub(super) fn select(&mut self, step: usize, choice: usize, index: usize, candidates: Vec<Tensor>) {
        let s = &self.model.plan.steps[step];
        if !candidates.is_empty() || self.wanted[s.inputs[index]] {
            self.wanted[s.output] = true;
            self.push(Entry { steps: vec![step], back: Back::Choice { choice, index, candidates } });
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
        self.push(Entry { steps: vec![step], back: Back::Route { choice, leaves, mask, output } });
        Ok(value)
    }

    /// Records a sum of candidates by their shares.
    pub(super) fn blend(&mut self, step: usize, choice: usize, candidates: Vec<Tensor>, shares: Vec<f64>) {
        self.wanted[self.model.plan.steps[step].output] = true;
        self.push(Entry { steps: vec![step], back: Back::Blend { choice, candidates, shares } });
    }

    /// A head as the loss reads it.
    pub(super) fn leaf(&mut self, value: ValueId, tensor: &Tensor) -> Result<Tensor> {
        let leaf = Var::from_tensor(&tensor.detach())?;
        let tensor = leaf.as_tensor().clone();
        self.leaves.push((value, leaf));
        Ok(tensor)
    }
}
