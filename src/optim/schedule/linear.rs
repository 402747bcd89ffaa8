//! `linear(from, to, over)`: a straight line.

use std::sync::Arc;

use super::{Clock, Curve, OVER, ScheduleDef, check_length, over};
use crate::schema::{AttrDef, CallDef, Duration, NUMBER, Need};

pub static DEF: ScheduleDef = ScheduleDef {
    call: CallDef {
        name: "linear",
        doc: "A straight line: from + (to - from) min(1, (s - 1) / over) at step s, then `to`.",
        args: &[
            AttrDef { name: "from", ty: NUMBER, need: Need::Required, doc: "Value at the first step." },
            AttrDef { name: "to", ty: NUMBER, need: Need::Required, doc: "Value once `over` has passed." },
            OVER,
        ],
    },
    check: |args| check_length(args, "over"),
    make: |args| Arc::new(Linear { from: args.float("from"), to: args.float("to"), over: over(args) }),
};

#[derive(Debug)]
struct Linear {
    from: f64,
    to: f64,
    over: Option<Duration>,
}

impl Curve for Linear {
    fn at(&self, clock: Clock) -> f64 {
        let share = clock.share(self.over);
        self.from * (1.0 - share) + self.to * share
    }
}
