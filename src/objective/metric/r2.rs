//! `r2`: coefficient of determination.

use super::{Accumulate, Better, Item, MetricDef, mean_defined};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "r2",
        doc: "Share of the label's variance that is explained, 1 - sum (x - y)^2 / sum (y - mean y)^2; below 0 when the mean \
              does better. Several outputs: the mean over those whose label varies. Undefined when none does.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Regression(_)),
    default_for: |_| false,
    better: Better::Higher,
    make: |_, _, n| Box::new(R2 { per_output: vec![Moments::default(); n] }),
};

/// Welford's running mean and sum of squared deviations of the label, and the sum of squared errors.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: u64,
    mean: f64,
    deviations: f64,
    errors: f64,
}

#[derive(Debug)]
struct R2 {
    per_output: Vec<Moments>,
}

impl Accumulate for R2 {
    fn add(&mut self, item: Item) {
        let Item::Values(values) = item else { unreachable!("r2 fits regression only") };
        for (which, x, y) in values {
            let m = &mut self.per_output[*which];
            m.count += 1;
            let from_mean = y - m.mean;
            m.mean += from_mean / m.count as f64;
            m.deviations += from_mean * (y - m.mean);
            m.errors += (x - y) * (x - y);
        }
    }

    fn value(&self) -> Result<f64, String> {
        mean_defined(self.per_output.iter().map(|m| (m.deviations > 0.0).then(|| 1.0 - m.errors / m.deviations)))
            .ok_or_else(|| "the label does not vary".into())
    }
}
