//! `cosine(to = 0, value = 1, over)`: half a cosine wave.

use std::f64::consts::PI;
use std::sync::Arc;

use super::{Clock, Curve, OVER, ScheduleDef, VALUE, check_length, over};
use crate::schema::{AttrDef, CallDef, Duration, NUMBER, Need};

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "cosine",
        doc: "Half a cosine wave from `value` to `to`: to + (value - to) (1 + cos(pi min(1, (s - 1) / over))) / 2 at step s \
              (Loshchilov and Hutter 2017, without restarts).",
        args: &[
            AttrDef { name: "to", ty: NUMBER, need: Need::Default("0"), doc: "Value once `over` has passed." },
            VALUE,
            OVER,
        ],
    },
    check: |args| check_length(args, "over"),
    make: |args| Arc::new(Cosine { from: args.float("value"), to: args.float("to"), over: over(args) }),
};

#[derive(Debug)]
struct Cosine {
    from: f64,
    to: f64,
    over: Option<Duration>,
}

impl Curve for Cosine {
    fn at(&self, clock: Clock) -> f64 {
        self.to + (self.from - self.to) * 0.5 * (1.0 + (PI * clock.share(self.over)).cos())
    }
}
