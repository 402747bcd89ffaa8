//! `static`: the declared weights, which stay as they are.

use candle_core::Result;

use super::{Factors, Needs, Rule, Seen, WeightingDef};
use crate::schema::CallDef;

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "static",
        doc: "The tasks' own `weight`, throughout: L = sum of weight times loss.",
        args: &[],
    },
    paper: "Guo et al. 2020, Learning to Branch for Multi-Task Learning, equation 1",
    needs: Needs::Nothing,
    make: |_, _| Ok(Box::new(Declared)),
};

struct Declared;

impl Rule for Declared {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        Ok(Factors::alike(vec![1.0; seen.losses.len()]))
    }
}
