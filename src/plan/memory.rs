//! What a training step of a plan holds, in bytes: an account of what the runtime's ways forward and back hold and drop, step by
//! step, without running them. Every path counts as taken, so that it is the most that any decisions lead to.

use std::collections::HashSet;
use std::ops::Range;

use super::{Kind, Plan, ValueId};
use crate::ops::held::{Held, Reading};

/// Sizes of a plan's values, and who holds them.
pub struct Ledger<'p> {
    plan: &'p Plan,
    /// By step: the first and the last but one of those that run at once.
    waves: Vec<Range<usize>>,
    /// Bytes a sample, by value. Inputs have none: who feeds them holds them all the while.
    bytes: Vec<u64>,
    /// By value: the one whose memory it has.
    root: Vec<ValueId>,
    /// By value: whether its gradient is of use.
    wanted: Vec<bool>,
    /// By step.
    held: Vec<Held>,
}

/// The way a training step takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Samples a step.
    pub batch: u64,
    /// Weights step as soon as they have their gradient, which is then gone.
    pub early: bool,
    /// Losses that have a way back each; 1 where their sum has one.
    pub losses: u64,
}

/// Steps whose gradients are found together, at the most; with more threads than that there are more.
const TOGETHER: usize = 4;

/// Neighbours in a plan none of which reads another: by step, the first and the last but one of its wave.
pub fn waves(plan: &Plan) -> Vec<Range<usize>> {
    let mut starts = Vec::new();
    let mut from = vec![usize::MAX; plan.values];
    // By weight: the last step that keeps statistics in it.
    let mut kept = vec![usize::MAX; plan.weights.len()];
    for (i, step) in plan.steps.iter().enumerate() {
        let start = starts.last().copied().unwrap_or(0);
        let op = |i: usize| matches!(plan.steps[i].kind, Kind::Op(_));
        let before = |at: usize| at == usize::MAX || at < start;
        let buffers = || step.weights.iter().filter(|w| !plan.weights[**w].trained);
        // Of steps with the same statistics, as copies have them that several tasks run, each goes on from what the last one left.
        let alone = buffers().all(|w| before(kept[*w]));
        let joins = i > 0 && op(i) && op(i - 1) && alone && step.inputs.iter().all(|v| before(from[*v]));
        buffers().for_each(|w| kept[*w] = i);
        starts.push(if joins { start } else { i });
        from[step.output] = i;
    }
    let mut of: Vec<Range<usize>> = Vec::with_capacity(starts.len());
    for (i, start) in starts.iter().enumerate() {
        let end = i + starts[i..].iter().take_while(|s| *s == start).count();
        of.push(*start..end);
    }
    of
}

/// About how many multiplications a step takes for a sample.
pub fn work(kind: &Kind) -> u64 {
    /// What a number that an op gives costs beside its multiplications.
    const EACH: u64 = 16;
    match kind {
        Kind::Op(op) => {
            let numbers = op.output().elements().unwrap_or(0) as u64;
            op.macs().unwrap_or(0).saturating_add(numbers.saturating_mul(EACH))
        }
        _ => 0,
    }
}

/// Bytes that are held now, and the most that were.
struct Count {
    /// By value: how many hold its memory.
    holders: Vec<u32>,
    batch: u64,
    /// Whether steps keep records for a backward pass.
    recorded: bool,
    now: u64,
    most: u64,
}

impl Count {
    fn new(plan: &Plan, batch: u64, recorded: bool) -> Count {
        Count { holders: vec![0; plan.values], batch, recorded, now: 0, most: 0 }
    }

    fn add(&mut self, bytes: u64) {
        self.now = self.now.saturating_add(bytes);
        self.most = self.most.max(self.now);
    }

    fn drop(&mut self, bytes: u64) {
        self.now = self.now.saturating_sub(bytes);
    }
}

impl<'p> Ledger<'p> {
    pub fn new(plan: &'p Plan) -> Ledger<'p> {
        let mut bytes = vec![0u64; plan.values];
        let mut root: Vec<ValueId> = (0..plan.values).collect();
        let mut wanted = vec![false; plan.values];
        let mut held = Vec::with_capacity(plan.steps.len());
        for s in &plan.steps {
            let size = |elements: Option<usize>| (elements.unwrap_or(0) as u64).saturating_mul(4);
            let (own, holds) = match &s.kind {
                Kind::Op(op) => (size(op.output().elements()), op.held()),
                // All candidates, for the gradient of their probabilities.
                Kind::Select(_) => (bytes[s.inputs[0]], Held { view: true, in_place: true, ..Held::INPUT }),
                Kind::Blend(_) => (bytes[s.inputs[0]], Held::INPUT),
                Kind::Route(r) => {
                    let own = size(r.whole.output().elements());
                    let members = (s.inputs.len() - r.queries) as u64;
                    (own, Held { beside: own.saturating_mul(members), ..Held::GRAPH })
                }
            };
            bytes[s.output] = own;
            if holds.view {
                root[s.output] = root[s.inputs[0]];
            }
            wanted[s.output] =
                s.inputs.iter().any(|v| wanted[*v]) || s.weights.iter().any(|w| plan.weights[*w].trained);
            held.push(holds);
        }
        Ledger { plan, waves: waves(plan), bytes, root, wanted, held }
    }

    /// Starts of waves: where a stretch may begin and end.
    pub fn starts(&self) -> Vec<usize> {
        (0..self.waves.len()).filter(|i| self.waves[*i].start == *i).collect()
    }

    /// Bytes a sample that the record of a step holds, those that another's holds too counted here as well.
    pub fn record(&self, step: usize) -> u64 {
        let (s, held) = (&self.plan.steps[step], &self.held[step]);
        let inputs: u64 = match held.inputs {
            Reading::Nothing => 0,
            _ => s.inputs.iter().map(|v| self.bytes[*v]).sum(),
        };
        inputs + held.beside + if held.output { self.bytes[s.output] } else { 0 }
    }

    /// Bytes a sample of what a stretch that begins here and goes on to the end would read from before.
    pub fn crossing(&self) -> Vec<u64> {
        let steps = &self.plan.steps;
        let mut last = vec![0usize; self.plan.values];
        for (i, s) in steps.iter().enumerate() {
            s.inputs.iter().for_each(|v| last[self.root[*v]] = i);
        }
        let mut out = vec![0u64; steps.len() + 1];
        let mut now = 0u64;
        let mut ends = vec![0u64; steps.len()];
        for (i, s) in steps.iter().enumerate() {
            out[i] = now;
            let root = self.root[s.output];
            if root == s.output && last[root] > i {
                now += self.bytes[root];
                ends[last[root]] += self.bytes[root];
            }
            now -= ends[i];
        }
        out
    }

    fn hold(&self, count: &mut Count, value: ValueId) {
        let root = self.root[value];
        count.holders[root] += 1;
        if count.holders[root] == 1 {
            count.add(self.bytes[root] * count.batch);
        }
    }

    fn let_go(&self, count: &mut Count, value: ValueId) {
        let root = self.root[value];
        debug_assert!(count.holders[root] > 0, "value {value} is held by nobody");
        count.holders[root] = count.holders[root].saturating_sub(1);
        if count.holders[root] == 0 {
            count.drop(self.bytes[root] * count.batch);
        }
    }

    /// Whether a step is recorded.
    fn recorded(&self, step: usize) -> bool {
        self.wanted[self.plan.steps[step].output]
    }

    /// The record of a step comes, or goes.
    fn note(&self, count: &mut Count, step: usize, comes: bool) {
        if !count.recorded || !self.recorded(step) {
            return;
        }
        let (s, held) = (&self.plan.steps[step], &self.held[step]);
        let mut beside = held.beside;
        for v in &s.inputs {
            match held.inputs {
                Reading::Nothing => {}
                Reading::Copy if self.wanted[*v] => beside += self.bytes[*v],
                Reading::Same | Reading::Copy if comes => self.hold(count, *v),
                Reading::Same | Reading::Copy => self.let_go(count, *v),
            }
        }
        match (held.output, comes) {
            (true, true) => self.hold(count, s.output),
            (true, false) => self.let_go(count, s.output),
            _ => {}
        }
        if comes { count.add(beside * count.batch) } else { count.drop(beside * count.batch) }
    }

    /// Runs some steps forward. Values that nobody reads after the `last` of them are dropped.
    fn forward(&self, count: &mut Count, steps: Range<usize>, last: &[usize]) {
        let mut next = steps.start;
        while next < steps.end {
            let wave = next..self.waves[next].end.min(steps.end);
            next = wave.end;
            for i in wave.clone() {
                let room = self.held[i].room * count.batch;
                count.add(room);
                self.hold(count, self.plan.steps[i].output);
                count.drop(room);
                self.note(count, i, true);
            }
            for i in wave {
                for v in self.plan.steps[i].inputs.iter().collect::<HashSet<_>>() {
                    if last[*v] == i {
                        self.let_go(count, *v);
                    }
                }
            }
        }
    }

    /// By value, the last of these steps that reads it.
    fn last(&self, steps: Range<usize>) -> Vec<usize> {
        let mut last = vec![usize::MAX; self.plan.values];
        for i in steps {
            self.plan.steps[i].inputs.iter().for_each(|v| last[*v] = i);
        }
        last
    }

    /// What a stretch reads from before it.
    fn reads(&self, stretch: &Range<usize>) -> Vec<ValueId> {
        let mut inside = HashSet::new();
        let mut out = Vec::new();
        for i in stretch.clone() {
            let s = &self.plan.steps[i];
            out.extend(s.inputs.iter().copied().filter(|v| !inside.contains(v)));
            inside.insert(s.output);
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// The most bytes that a step holds at once, where these stretches are forgotten: values, records and gradients, those of
    /// weights too.
    pub fn most(&self, pace: Pace, forgotten: &[Range<usize>]) -> u64 {
        let plan = self.plan;
        let mut count = Count::new(plan, pace.batch, true);
        let inputs = || plan.inputs.iter().map(|(_, v)| *v);
        inputs().for_each(|v| self.hold(&mut count, v));
        let mut last = self.last(0..plan.steps.len());
        let heads = || plan.outputs.iter().flat_map(|o| &o.heads).copied();
        heads().for_each(|v| last[v] = usize::MAX);
        let mut next = 0;
        let mut parts: Vec<(Range<usize>, bool)> = Vec::new();
        for stretch in forgotten {
            parts.push((next..stretch.start, false));
            self.forward(&mut count, next..stretch.start, &last);
            self.reads(stretch).into_iter().for_each(|v| self.hold(&mut count, v));
            self.forward(&mut count, stretch.clone(), &last);
            stretch.clone().for_each(|i| self.note(&mut count, i, false));
            parts.push((stretch.clone(), true));
            next = stretch.end;
        }
        parts.push((next..plan.steps.len(), false));
        self.forward(&mut count, next..plan.steps.len(), &last);
        // What the loss reads is a copy, and so is its gradient.
        let mut grads = vec![false; plan.values];
        let copies: u64 = heads().collect::<HashSet<_>>().into_iter().map(|v| self.bytes[v] * pace.batch).sum();
        count.add(2 * copies);
        heads().for_each(|v| grads[v] = self.wanted[v]);
        self.back(&mut count, pace, parts, grads);
        count.most
    }

    /// The peak memory in bytes of a forward pass of `rows` rows without a backward pass, as in an evaluation.
    pub fn passing(&self, rows: u64) -> u64 {
        let plan = self.plan;
        let mut count = Count::new(plan, rows, false);
        plan.inputs.iter().for_each(|(_, v)| self.hold(&mut count, *v));
        let mut last = self.last(0..plan.steps.len());
        plan.outputs.iter().flat_map(|o| &o.heads).for_each(|v| last[*v] = usize::MAX);
        self.forward(&mut count, 0..plan.steps.len(), &last);
        count.most
    }

    fn back(&self, count: &mut Count, pace: Pace, parts: Vec<(Range<usize>, bool)>, mut grads: Vec<bool>) {
        let plan = self.plan;
        let mut readers = vec![0usize; plan.weights.len()];
        plan.steps.iter().flat_map(|s| &s.weights).for_each(|w| readers[*w] += 1);
        let weight = |w: usize| 4 * plan.weights[w].shape.iter().fold(1u64, |n, d| n.saturating_mul(*d as u64));
        let mut found = vec![false; plan.weights.len()];
        // Of the losses whose ways back come first, those of all weights.
        let all: u64 = (0..plan.weights.len()).filter(|w| plan.weights[*w].trained).map(weight).sum();
        count.add(all.saturating_mul(pace.losses.saturating_sub(1)));
        for (steps, gone) in parts.into_iter().rev() {
            if gone {
                let last = self.last(steps.clone());
                let read = self.reads(&steps);
                // Those that are read are dropped as they would be on the way forward.
                read.iter().for_each(|v| self.hold(count, *v));
                self.forward(count, steps.clone(), &last);
                // What the stretch gives is there once more, until it has run.
                for i in steps.clone().filter(|i| last[plan.steps[*i].output] == usize::MAX) {
                    self.let_go(count, plan.steps[i].output);
                }
                if pace.losses <= 1 {
                    read.iter().for_each(|v| self.let_go(count, *v));
                }
            }
            let mut end = steps.end;
            while end > steps.start {
                let wave = &self.waves[end - 1];
                let start = wave.start.max(steps.start).max(end.saturating_sub(TOGETHER));
                let (mut given, mut twice) = (Vec::new(), 0u64);
                for i in (start..end).rev() {
                    let s = &plan.steps[i];
                    if !self.recorded(i) || !grads[s.output] {
                        continue;
                    }
                    let in_place = self.held[i].in_place;
                    let mut to: Vec<ValueId> = s.inputs.iter().copied().filter(|v| self.wanted[*v]).collect();
                    if let Kind::Select(_) = s.kind {
                        // To one of the candidates: one that has none yet, which needs most.
                        let first = to.iter().copied().find(|v| !grads[*v]).or(to.first().copied());
                        to = first.into_iter().collect();
                    }
                    let room = self.held[i].room * count.batch;
                    count.add(room);
                    for v in &to {
                        let bytes = self.bytes[*v] * count.batch;
                        if !in_place {
                            count.add(bytes);
                        }
                        if std::mem::replace(&mut grads[*v], true) {
                            twice += bytes;
                        }
                    }
                    for w in s.weights.iter().filter(|w| plan.weights[**w].trained) {
                        count.add(weight(*w));
                        match std::mem::replace(&mut found[*w], true) {
                            true => twice += weight(*w),
                            false if pace.early && readers[*w] == 1 => twice += weight(*w),
                            false => {}
                        }
                    }
                    count.drop(room);
                    given.push((s.output, in_place));
                }
                // Sums of two gradients are one, and what was passed is gone.
                count.drop(twice);
                for (v, in_place) in given {
                    grads[v] = false;
                    if !in_place {
                        count.drop(self.bytes[v] * count.batch);
                    }
                }
                if pace.losses <= 1 || gone {
                    (start..end).for_each(|i| self.note(count, i, false));
                }
                end = start;
            }
        }
    }
}
