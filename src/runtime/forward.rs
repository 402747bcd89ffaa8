//! The forward pass: which steps a batch needs, and those that do not wait for one another at once.

use std::collections::HashMap;
use std::ops::Range;
use std::time::Instant;

use candle_core::{DType, Result, Tensor};

use super::model::{Decided, Mode, Model, Outputs};
use super::tape::{Back, Gone, Observer, Tape};
use crate::ops::mix::{self, Taken};
use crate::ops::select::straight_through;
use crate::ops::{Op, Pass};
use crate::plan::{Kind, Route};

/// What is kept of a forward pass.
pub(super) enum Way<'a> {
    /// Nothing.
    Plain,
    /// candle's graph.
    Graph,
    /// What our own way back needs.
    Tape(Tape<'a>),
}

/// The sum of `candidates[i]` times `probs[i]`; `probs` is `[candidates]`.
fn blend(candidates: &[Tensor], probs: &Tensor) -> Result<Tensor> {
    let part = |(i, c): (usize, &Tensor)| c.broadcast_mul(&probs.get(i)?.to_dtype(c.dtype())?);
    let mut parts = candidates.iter().enumerate().map(part);
    let first = parts.next().ok_or_else(|| candle_core::Error::Msg("a blend of nothing".into()))??;
    parts.try_fold(first, |sum, p| sum + p?)
}

/// A value that was computed.
fn get(values: &[Option<Tensor>], v: usize) -> Result<Tensor> {
    values[v].clone().ok_or_else(|| candle_core::Error::Msg(format!("value {v} was not computed")))
}

/// An op that is about to run.
struct Job<'p> {
    step: usize,
    op: &'p dyn Op,
    args: Vec<Tensor>,
    pass: Pass,
}

/// Samples that it reads.
fn batch(job: &Job) -> usize {
    job.args.first().and_then(|a| a.dims().first().copied()).unwrap_or(1)
}

/// Ops that ran: one, or siblings as one.
struct Ran {
    steps: Vec<usize>,
    outputs: Vec<Tensor>,
    back: Option<Back>,
    /// Running statistics, by place among the op's weights.
    buffers: Vec<(usize, Tensor)>,
}

/// A pass over the plan on its way.
struct Going<'r> {
    decided: &'r [Decided],
    mode: Mode,
    /// Steps that run.
    needed: &'r [bool],
    /// Those on a decided path.
    reached: &'r [bool],
    last_use: Vec<usize>,
    values: Vec<Option<Tensor>>,
    /// What runs has run before: running statistics have advanced already.
    again: bool,
}

impl Model {
    /// Steps needed for the outputs under the decisions: a decided path only, or with the other candidates of every decided
    /// choice that asks for a gradient, or all.
    fn needed(&self, decided: &[Decided], idle: bool) -> (Vec<bool>, Vec<bool>) {
        let steps = &self.plan.steps;
        let mut reached = vec![false; steps.len()];
        let mut stack: Vec<usize> = Vec::new();
        let mut extra: Vec<usize> = Vec::new();
        for o in &self.plan.outputs {
            match o.choice {
                Some(c) if decided[c].probs.is_none() => stack.push(o.heads[decided[c].index]),
                _ => stack.extend(&o.heads),
            }
        }
        while let Some(v) = stack.pop() {
            let Some(s) = self.producer[v] else { continue };
            if std::mem::replace(&mut reached[s], true) {
                continue;
            }
            match steps[s].kind {
                Kind::Select(c) => {
                    stack.push(steps[s].inputs[decided[c].index]);
                    if decided[c].probs.is_some() {
                        extra.extend(&steps[s].inputs);
                    }
                }
                Kind::Route(ref r) => {
                    stack.extend(decided[r.choice].reads(r).into_iter().map(|i| steps[s].inputs[i]));
                }
                Kind::Blend(c) if decided[c].probs.is_none() => stack.push(steps[s].inputs[decided[c].index]),
                Kind::Blend(_) => stack.extend(&steps[s].inputs),
                Kind::Op(_) => stack.extend(&steps[s].inputs),
            }
        }
        if idle {
            return (vec![true; steps.len()], reached);
        }
        let mut needed = reached.clone();
        while let Some(v) = extra.pop() {
            let Some(s) = self.producer[v] else { continue };
            if std::mem::replace(&mut needed[s], true) {
                continue;
            }
            match steps[s].kind {
                Kind::Select(c) => extra.push(steps[s].inputs[decided[c].index]),
                Kind::Route(ref r) => {
                    extra.extend(decided[r.choice].reads(r).into_iter().map(|i| steps[s].inputs[i]));
                }
                Kind::Blend(_) | Kind::Op(_) => extra.extend(&steps[s].inputs),
            }
        }
        (needed, reached)
    }

    pub(super) fn run<'a>(
        &'a self,
        inputs: &HashMap<usize, Tensor>,
        decided: &[Decided],
        mode: Mode,
        way: &mut Way<'a>,
        mut observer: Option<&mut dyn Observer>,
    ) -> Result<Outputs> {
        let (needed, reached) = self.needed(decided, mode.idle && mode.train);
        let mut values: Vec<Option<Tensor>> = vec![None; self.plan.values];
        for (input, value) in &self.plan.inputs {
            values[*value] = inputs.get(input).cloned();
        }
        let mut last_use = self.last_uses(|i| needed[i]);
        for o in &self.plan.outputs {
            o.heads.iter().for_each(|v| last_use[*v] = usize::MAX);
        }
        let mut going = Going { decided, mode, needed: &needed, reached: &reached, last_use, values, again: false };
        let mut next = 0;
        if matches!(way, Way::Tape(_)) && !self.plan.forgotten.is_empty() {
            // Copies that run for their statistics alone are not computed again.
            let wanted = self.needed(decided, false).0;
            for stretch in &self.plan.forgotten {
                self.go(next..stretch.start, &mut going, way, &mut observer)?;
                let read = self.read_from_before(stretch.clone(), &wanted, &going.values);
                let Way::Tape(tape) = way as &mut Way else { unreachable!("seen above") };
                tape.begin(decided, mode, &reached);
                self.go(stretch.clone(), &mut going, way, &mut observer)?;
                let Way::Tape(tape) = way as &mut Way else { unreachable!("seen above") };
                tape.forget(stretch.clone(), &wanted, read);
                next = stretch.end;
            }
        }
        self.go(next..self.plan.steps.len(), &mut going, way, &mut observer)?;
        let Going { values, .. } = going;
        let mut heads = Vec::with_capacity(self.plan.outputs.len());
        for o in &self.plan.outputs {
            let read = |v: &usize| match (&values[*v], way as &mut Way) {
                (Some(value), Way::Tape(tape)) => tape.leaf(*v, value).map(Some),
                (value, _) => Ok(value.clone()),
            };
            heads.push(o.heads.iter().map(read).collect::<Result<Vec<_>>>()?);
        }
        let mut units = vec![false; self.plan.units.len()];
        let mut chosen = vec![false; self.plan.choices.len()];
        for (i, s) in self.plan.steps.iter().enumerate() {
            if let Some(u) = s.unit {
                units[u] |= reached[i];
            }
            if let Kind::Select(c) | Kind::Route(Route { choice: c, .. }) = s.kind {
                chosen[c] |= reached[i];
            }
        }
        self.plan.outputs.iter().filter_map(|o| o.choice).for_each(|c| chosen[c] = true);
        Ok(Outputs { heads, reached: units, chosen })
    }

    /// Runs some of the plan's steps.
    fn go<'a>(
        &'a self,
        steps: Range<usize>,
        going: &mut Going,
        way: &mut Way<'a>,
        observer: &mut Option<&mut dyn Observer>,
    ) -> Result<()> {
        let mut next = steps.start;
        while next < steps.end {
            // One by one where somebody looks on, and where candle's graph is built.
            let alone = observer.is_some() || matches!(way, Way::Graph);
            let wave = if alone { next..next + 1 } else { next..self.waves.from(next).end.min(steps.end) };
            next = wave.end;
            let steps: Vec<usize> = wave.filter(|i| going.needed[*i]).collect();
            let Some(first) = steps.first().copied() else { continue };
            let start = observer.is_some().then(Instant::now);
            if !matches!(self.plan.steps[first].kind, Kind::Op(_)) {
                let out = self.choose(first, &going.values, going.decided, going.reached[first], way)?;
                going.values[self.plan.steps[first].output] = Some(out);
            } else {
                let mut jobs: Vec<Vec<Job>> = Vec::with_capacity(steps.len());
                for i in &steps {
                    let job = self.job(*i, &going.values, going.mode)?;
                    let kin = |other: &&mut Vec<Job>| {
                        let other = other[0].step;
                        let number = self.plan.steps[*i].siblings;
                        number.is_some()
                            && number == self.plan.steps[other].siblings
                            && going.reached[*i] == going.reached[other]
                    };
                    match jobs.iter_mut().find(kin) {
                        Some(siblings) => siblings.push(job),
                        None => jobs.push(vec![job]),
                    }
                }
                let batch = batch(&jobs[0][0]);
                let look = &*way;
                let ran = self.at_once(&steps, batch, jobs, |jobs| self.ops(jobs, going.reached, look));
                for ran in ran {
                    for Ran { steps, outputs, back, buffers } in ran? {
                        if !going.again && (going.reached[steps[0]] || going.mode.idle) {
                            for (at, value) in buffers {
                                self.vars[self.plan.steps[steps[0]].weights[at]].set(&value.detach())?;
                            }
                        }
                        for (step, output) in steps.iter().zip(outputs) {
                            going.values[self.plan.steps[*step].output] = Some(output);
                        }
                        if let Way::Tape(tape) = way as &mut Way {
                            tape.note(steps, back);
                        }
                    }
                }
            }
            if let (Some(observer), Some(start)) = (observer.as_deref_mut(), start) {
                self.device.synchronize()?;
                let out = going.values[self.plan.steps[first].output].as_ref().expect("computed above");
                observer.forward(first, start.elapsed().as_secs_f64(), out);
            }
            for i in &steps {
                for v in &self.plan.steps[*i].inputs {
                    if going.last_use[*v] == *i {
                        going.values[*v] = None;
                    }
                }
            }
        }
        Ok(())
    }

    /// By value, the last of these steps that reads it: values are dropped after it, unless the backward pass holds them.
    fn last_uses(&self, runs: impl Fn(usize) -> bool) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.plan.values];
        for (i, s) in self.plan.steps.iter().enumerate().filter(|(i, _)| runs(*i)) {
            s.inputs.iter().for_each(|v| last[*v] = i);
        }
        last
    }

    /// What a stretch reads of what was computed before it.
    fn read_from_before(
        &self,
        stretch: Range<usize>,
        wanted: &[bool],
        values: &[Option<Tensor>],
    ) -> Vec<(usize, Tensor)> {
        let mut read: Vec<usize> =
            stretch.filter(|i| wanted[*i]).flat_map(|i| self.plan.steps[i].inputs.iter().copied()).collect();
        read.sort_unstable();
        read.dedup();
        read.into_iter().filter_map(|v| Some((v, values[v].clone()?))).collect()
    }

    /// Runs a stretch that was forgotten once more, and records it. Running statistics stay as they are.
    pub(super) fn again<'a>(
        &'a self,
        tape: Tape<'a>,
        gone: &Gone,
        decided: &[Decided],
        (mode, reached): (Mode, &[bool]),
        observer: &mut Option<&mut dyn Observer>,
    ) -> Result<Tape<'a>> {
        let mut needed = vec![false; self.plan.steps.len()];
        gone.steps.iter().for_each(|i| needed[*i] = true);
        let mut values: Vec<Option<Tensor>> = vec![None; self.plan.values];
        for (value, tensor) in &gone.read {
            values[*value] = Some(tensor.clone());
        }
        let last_use = self.last_uses(|i| needed[i]);
        let mut way = Way::Tape(tape);
        let mut going = Going { decided, mode, needed: &needed, reached, last_use, values, again: true };
        self.go(gone.stretch.clone(), &mut going, &mut way, observer)?;
        let Way::Tape(tape) = way else { unreachable!("given above") };
        Ok(tape)
    }

    fn job(&self, i: usize, values: &[Option<Tensor>], mode: Mode) -> Result<Job<'_>> {
        let step = &self.plan.steps[i];
        let Kind::Op(op) = &step.kind else { candle_core::bail!("step {i} is no op") };
        let args = step.inputs.iter().map(|v| get(values, *v)).collect::<Result<_>>()?;
        let Mode { random, step: at, .. } = mode;
        let train = mode.train && !self.still[i];
        let pass = Pass { train, random, step: at, site: step.site, buffers: Vec::new() };
        Ok(Job { step: i, op: &**op, args, pass })
    }

    /// Siblings as one where they can be, or each by itself, at once; all of them are reached, or none.
    fn ops(&self, jobs: Vec<Job>, reached: &[bool], way: &Way) -> Result<Vec<Ran>> {
        if let [first, _, ..] = jobs.as_slice() {
            let steps: Vec<usize> = jobs.iter().map(|j| j.step).collect();
            let x = &first.args[0];
            let found = match way {
                Way::Tape(tape) if reached[first.step] => tape.siblings(&steps, first.op, x)?,
                Way::Graph => None,
                _ => first.op.siblings(x, &self.weights_of(&steps))?.map(|j| (j.outputs, None)),
            };
            if let Some((outputs, back)) = found {
                return Ok(vec![Ran { steps, outputs, back, buffers: Vec::new() }]);
            }
        }
        let steps: Vec<usize> = jobs.iter().map(|j| j.step).collect();
        let batch = batch(&jobs[0]);
        self.at_once(&steps, batch, jobs, |job| self.op(job, reached, way)).into_iter().collect()
    }

    fn op(&self, mut job: Job, reached: &[bool], way: &Way) -> Result<Ran> {
        let Job { step, op, ref args, ref mut pass } = job;
        let weights = || self.plan.steps[step].weights.iter().map(|w| self.vars[*w].as_tensor());
        let (output, back) = match way {
            Way::Tape(tape) if reached[step] => tape.op(step, op, args, pass)?,
            Way::Graph => (op.forward(args, &weights().cloned().collect::<Vec<_>>(), pass)?, None),
            _ => (op.forward(args, &weights().map(Tensor::detach).collect::<Vec<_>>(), pass)?, None),
        };
        Ok(Ran { steps: vec![step], outputs: vec![output], back, buffers: job.pass.buffers })
    }

    /// The value of a step that is no op: what its choice makes of what it reads.
    fn choose<'a>(
        &'a self,
        i: usize,
        values: &[Option<Tensor>],
        decided: &[Decided],
        reached: bool,
        way: &mut Way<'a>,
    ) -> Result<Tensor> {
        let step = &self.plan.steps[i];
        Ok(match &step.kind {
            Kind::Op(_) => candle_core::bail!("step {i} is no choice"),
            Kind::Select(c) => {
                let chosen = get(values, step.inputs[decided[*c].index])?;
                let candidates: Vec<Tensor> = match decided[*c].probs {
                    Some(_) if reached => step.inputs.iter().map(|v| get(values, *v)).collect::<Result<_>>()?,
                    _ => Vec::new(),
                };
                match (way as &mut Way, &decided[*c].probs) {
                    (Way::Tape(tape), _) if reached => {
                        tape.select(i, *c, decided[*c].index, candidates);
                        chosen
                    }
                    (Way::Graph, Some(probs)) if reached => {
                        straight_through(&chosen, &candidates, probs, decided[*c].index)?
                    }
                    _ => chosen,
                }
            }
            Kind::Route(route) => {
                let read = decided[route.choice].reads(route);
                let mut args: Vec<Option<Tensor>> = vec![None; step.inputs.len()];
                for place in read {
                    args[place] = Some(get(values, step.inputs[place])?);
                }
                let mask = decided[route.choice].mask.as_ref();
                let mask = mask.map(|m| Tensor::from_slice(m, m.len(), &self.device)).transpose()?;
                let (members, query) = decided[route.choice].route(route);
                let combine = |args: &[Option<Tensor>], weights: &[Tensor], mask: Option<&Tensor>| {
                    let value = |place: usize| args[place].as_ref().expect("read above");
                    let values: Vec<Tensor> = members.iter().map(|m| value(route.queries + m).clone()).collect();
                    let gate = query.map(|q| (value(q), &weights[q]));
                    mix::combine(route.gate, Taken { members: &members, values: &values, gate, mask })
                };
                let weights = || step.weights.iter().map(|w| self.vars[*w].as_tensor());
                match way {
                    Way::Tape(tape) if reached => tape.route(i, route.choice, &args, mask.as_ref(), &combine)?,
                    Way::Graph => combine(&args, &weights().cloned().collect::<Vec<_>>(), mask.as_ref())?,
                    _ => combine(&args, &weights().map(Tensor::detach).collect::<Vec<_>>(), mask.as_ref())?,
                }
            }
            Kind::Blend(c) => match &decided[*c].probs {
                None => {
                    if let Way::Tape(tape) = way as &mut Way
                        && reached
                    {
                        tape.select(i, *c, decided[*c].index, Vec::new());
                    }
                    get(values, step.inputs[decided[*c].index])?
                }
                Some(probs) => {
                    let candidates: Vec<Tensor> = step.inputs.iter().map(|v| get(values, *v)).collect::<Result<_>>()?;
                    let out = blend(&candidates, probs)?;
                    match way as &mut Way {
                        Way::Tape(tape) if reached => {
                            let shares = probs.to_dtype(DType::F64)?.to_vec1::<f64>()?;
                            tape.blend(i, *c, candidates, shares);
                            out.detach()
                        }
                        _ => out,
                    }
                }
            },
        })
    }
}
