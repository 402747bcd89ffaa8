//! Schedules, one file each: pure functions of the step, with nothing to save and nothing that depends on what came before.
//!
//! Two uses. A learning-rate schedule is a factor on the optimiser's `lr`, so its own `value` stays at 1; a temperature (or
//! any other) schedule gives the value itself.
//!
//! **Clock.** Steps count optimiser steps from 1, s = 1, 2, ...; epochs count from 1, e = floor((s - 1) / steps per epoch) + 1.
//! What has *passed* at step s is s - 1 steps: a rule "every 15 epochs" acts for the first time on the first step of epoch 16.
//!
//! Adding a schedule: a file here with a `pub static DEF: ScheduleDef`, and a line in [`schedules`].

mod constant;
mod cosine;
mod exponential;
mod inverse;
mod inverse_sqrt;
mod linear;
mod step;
mod warmup;

use std::fmt::Debug;
use std::sync::Arc;

use crate::optim::Refusal;
use crate::schema::{Args, AttrDef, Call, CallDef, Duration, NUMBER, Need, POSITIVE, Ty};

/// An entry of the table of schedules.
pub struct ScheduleDef {
    pub call: CallDef,
    /// What types alone cannot say.
    pub check: fn(&Args) -> Result<(), Refusal>,
    make: fn(&Args) -> Arc<dyn Curve>,
}

static TABLE: &[&ScheduleDef] = &[
    &constant::DEF,
    &inverse::DEF,
    &inverse_sqrt::DEF,
    &linear::DEF,
    &exponential::DEF,
    &step::DEF,
    &cosine::DEF,
    &warmup::DEF,
];

/// All schedules, in the order of the reference.
pub fn schedules() -> &'static [&'static ScheduleDef] {
    TABLE
}

pub fn find_schedule(name: &str) -> Option<&'static ScheduleDef> {
    schedules().iter().copied().find(|d| d.call.name == name)
}

/// For `Ty::Call`.
pub fn schedule_calls() -> Vec<&'static CallDef> {
    schedules().iter().map(|d| &d.call).collect()
}

/// A schedule ready to be asked.
#[derive(Debug, Clone)]
pub struct Schedule(Arc<dyn Curve>);

impl Schedule {
    /// Panics on a call that is no schedule: checking has seen to that.
    pub fn new(call: &Call) -> Schedule {
        let def = find_schedule(call.name).unwrap_or_else(|| panic!("`{}` is no schedule", call.name));
        Schedule((def.make)(&call.args))
    }

    /// The same value for ever.
    pub fn constant(value: f64) -> Schedule {
        Schedule(Arc::new(constant::Constant(value)))
    }

    /// The value at a step counted from 1, in a training of `total_epochs` epochs.
    pub fn value(&self, step: u64, steps_per_epoch: usize, total_epochs: usize) -> f64 {
        self.0.at(Clock {
            step: step.max(1),
            steps_per_epoch: steps_per_epoch.max(1),
            total_steps: total_epochs as f64 * steps_per_epoch.max(1) as f64,
        })
    }

    /// The first step whose value is not `within` a range, and that value. Between two turns a schedule is monotonic, so if its values
    /// are within the range at both ends, they are within it everywhere between them.
    pub fn leaves(&self, span: &Span, within: impl Fn(f64) -> bool) -> Option<(u64, f64)> {
        let value = |step: u64| self.value(step, span.per_epoch, span.epochs);
        let mut turns = self.0.turns(span.per_epoch.max(1));
        turns.retain(|t| (2..span.steps).contains(t));
        let mut from = 1;
        for to in turns.into_iter().chain([span.steps.max(1)]) {
            if !within(value(from)) {
                return Some((from, value(from)));
            }
            if !within(value(to)) {
                let (mut good, mut bad) = (from, to);
                while bad - good > 1 {
                    let middle = good + (bad - good) / 2;
                    if within(value(middle)) { good = middle } else { bad = middle }
                }
                return Some((bad, value(bad)));
            }
            from = to;
        }
        None
    }

    /// The values before and after the first rise, at whatever step it comes.
    pub fn rises(&self, per_epoch: usize, epochs: usize) -> Option<(f64, f64)> {
        const LAST: u64 = 1 << 40;
        let value = |step: u64| self.value(step, per_epoch, epochs);
        let mut turns = self.0.turns(per_epoch.max(1));
        turns.retain(|t| (2..LAST).contains(t));
        let mut from = value(1);
        for to in turns.into_iter().chain([LAST]).map(value) {
            if to > from * (1.0 + 1e-9) {
                return Some((from, to));
            }
            from = to;
        }
        None
    }
}

/// The steps in which a schedule is evaluated: `steps` steps, counted from 1, that follow `before` other steps.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Training steps before the first step of the schedule.
    pub before: u64,
    pub steps: u64,
    pub per_epoch: usize,
    /// The number of epochs that the schedule is evaluated with.
    pub epochs: usize,
}

/// Where training stands.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// From 1.
    step: u64,
    steps_per_epoch: usize,
    total_steps: f64,
}

impl Clock {
    /// From 1.
    fn epoch(self) -> u64 {
        (self.step - 1) / self.steps_per_epoch as u64 + 1
    }

    /// Steps that have passed.
    fn passed(self) -> f64 {
        (self.step - 1) as f64
    }

    /// Share of a length (of the whole training if `None`) that has passed, 1 from its end on.
    fn share(self, over: Option<Duration>) -> f64 {
        let steps = over.map_or(self.total_steps, |d| d.steps(self.steps_per_epoch));
        if steps > 0.0 { (self.passed() / steps).min(1.0) } else { 1.0 }
    }

    /// How many times a length has passed. The whole part is exact where steps divide evenly: 2.4 epochs of 2,500 steps are
    /// 6,000 steps, though 2.4 is no binary fraction.
    fn times(self, every: Duration) -> f64 {
        let times = self.passed() / every.steps(self.steps_per_epoch);
        if (times - times.round()).abs() < 1e-9 * times.max(1.0) { times.round() } else { times }
    }

    /// What `per` counts: epochs or steps, from 1.
    fn count(self, per: Per) -> f64 {
        match per {
            Per::Epoch => self.epoch() as f64,
            Per::Step => self.step as f64,
        }
    }
}

trait Curve: Debug + Send + Sync {
    fn at(&self, clock: Clock) -> f64;
    /// The steps at which it may jump or change its direction, in order.
    fn turns(&self, _per_epoch: usize) -> Vec<u64> {
        Vec::new()
    }
}

#[derive(Debug, Clone, Copy)]
enum Per {
    Epoch,
    Step,
}

impl Per {
    fn of(args: &Args) -> Per {
        match args.str("per") {
            "step" => Per::Step,
            _ => Per::Epoch,
        }
    }
}

/// `value`, an argument of most schedules.
const VALUE: AttrDef = AttrDef {
    name: "value",
    ty: NUMBER,
    need: Need::Default("1"),
    doc: "Value at the start; 1, for a factor on the learning rate, when absent.",
};

/// `per = epoch`
const PER_EPOCH: AttrDef = AttrDef {
    name: "per",
    ty: Ty::OneOf(&["epoch", "step"]),
    need: Need::Default("epoch"),
    doc: "What is counted, from 1.",
};

/// `every`
const EVERY: AttrDef = AttrDef {
    name: "every",
    ty: Ty::Duration,
    need: Need::Required,
    doc: "Length of training after which the rate applies once: `2.4 epochs`, `500 steps`.",
};

/// `over`
const OVER: AttrDef = AttrDef {
    name: "over",
    ty: Ty::Duration,
    need: Need::Optional,
    doc: "Length of the change, after which the value stays; the whole training when absent.",
};

fn over(args: &Args) -> Option<Duration> {
    args.get("over").map(|_| args.duration("over"))
}

/// `rate`
const RATE: AttrDef = AttrDef {
    name: "rate",
    ty: POSITIVE,
    need: Need::Required,
    doc: "Factor on the value at each application; below 1 it falls.",
};

/// Every length must be longer than nothing.
fn check_length(args: &Args, name: &'static str) -> Result<(), Refusal> {
    match args.get(name) {
        Some(_) => {
            let (Duration::Epochs(length) | Duration::Steps(length)) = args.duration(name);
            if length > 0.0 { Ok(()) } else { Err(Refusal::new(name, "takes a length above 0")) }
        }
        None => Ok(()),
    }
}
