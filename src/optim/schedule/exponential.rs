//! `exponential(value = 1, rate, every, smooth = false)`: geometric decay.

use std::sync::Arc;

use super::{Clock, Curve, EVERY, RATE, ScheduleDef, VALUE, check_length};
use crate::schema::{AttrDef, CallDef, Duration, Need, Ty};

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "exponential",
        doc: "Geometric decay: value * rate^k with k = (s - 1) / every at step s, rounded down to a whole number unless \
              `smooth`. Rounded down it is a staircase, as in Learning to Branch: x0.97 every 2.4 epochs.",
        args: &[
            VALUE,
            RATE,
            EVERY,
            AttrDef {
                name: "smooth",
                ty: Ty::Bool,
                need: Need::Default("false"),
                doc: "Whether the value falls at every step rather than in stairs.",
            },
        ],
    },
    check: |args| check_length(args, "every"),
    make: |args| {
        Arc::new(Exponential {
            value: args.float("value"),
            rate: args.float("rate"),
            every: args.duration("every"),
            smooth: args.bool("smooth"),
        })
    },
};

#[derive(Debug)]
pub(super) struct Exponential {
    pub value: f64,
    pub rate: f64,
    pub every: Duration,
    pub smooth: bool,
}

impl Curve for Exponential {
    fn at(&self, clock: Clock) -> f64 {
        let times = clock.times(self.every);
        self.value * self.rate.powf(if self.smooth { times } else { times.floor() })
    }
}
