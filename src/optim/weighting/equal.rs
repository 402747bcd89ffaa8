//! `equal`: every loss counts the same, whatever weight its task declares.

use candle_core::Result;

use super::{Factors, Needs, Rule, Seen, Setting, WeightingDef};
use crate::schema::CallDef;

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "equal",
        doc: "Every loss counts once: L = sum of losses. The tasks' `weight` does not enter the training, unless it is 0; it \
              still enters the validation loss by which weights are selected.",
        args: &[],
    },
    paper: "the usual baseline",
    needs: Needs::Nothing,
    make: |_, setting| Ok(Box::new(Equal::new(setting))),
};

struct Equal(Vec<f64>);

impl Equal {
    fn new(setting: &Setting) -> Equal {
        Equal(setting.tasks.iter().map(|t| if t.weight > 0.0 { 1.0 / t.weight } else { 0.0 }).collect())
    }
}

impl Rule for Equal {
    fn factors(&mut self, _: &Seen) -> Result<Factors> {
        Ok(Factors::alike(self.0.clone()))
    }
}
