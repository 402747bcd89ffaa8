//! `warmup(steps, then)`: a linear start, then another schedule.

use std::sync::Arc;

use super::{Clock, Curve, Schedule, ScheduleDef, schedule_calls};
use crate::schema::{AttrDef, CallDef, Duration, Need, Ty};

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "warmup",
        doc: "A linear start: s / n of the next schedule's first value at steps s = 1 to n, n the warm-up rounded up to whole \
              steps; then the next schedule, which counts its steps, its epochs and the length of training from there.",
        args: &[
            AttrDef { name: "steps", ty: Ty::Duration, need: Need::Required, doc: "Length: `500 steps`, `2 epochs`." },
            AttrDef {
                name: "then",
                ty: Ty::Call(schedule_calls),
                need: Need::Optional,
                doc: "What follows; 1 throughout when absent.",
            },
        ],
    },
    check: |_| Ok(()),
    make: |args| {
        Arc::new(Warmup {
            length: args.duration("steps"),
            then: args.opt_call("then").map_or_else(|| Schedule::constant(1.0), Schedule::new),
        })
    },
};

#[derive(Debug)]
struct Warmup {
    length: Duration,
    then: Schedule,
}

impl Curve for Warmup {
    fn turns(&self, per_epoch: usize) -> Vec<u64> {
        let steps = (self.length.steps(per_epoch) - 1e-9).ceil().max(0.0) as u64;
        let then = self.then.0.turns(per_epoch).into_iter().map(|t| t.saturating_add(steps));
        [steps, steps.saturating_add(1)].into_iter().chain(then).collect()
    }

    fn at(&self, clock: Clock) -> f64 {
        let steps = (self.length.steps(clock.steps_per_epoch) - 1e-9).ceil().max(0.0);
        let warm = clock.step <= steps as u64;
        let step = if warm { 1 } else { clock.step - steps as u64 };
        let next = self.then.0.at(Clock { step, total_steps: (clock.total_steps - steps).max(0.0), ..clock });
        if warm { next * clock.step as f64 / steps } else { next }
    }
}
