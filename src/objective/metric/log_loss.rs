//! `log_loss`: mean negative log-likelihood.

use super::{Accumulate, Better, Item, MetricDef};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "log_loss",
        doc: "Mean negative log-likelihood of the labels in nats, under the sigmoid or softmax of the logits; without class \
              weights or smoothing, whatever the loss has.",
        args: &[],
    },
    fits: |kind| {
        matches!(kind, TaskKind::Binary | TaskKind::Classes(_) | TaskKind::Multilabel(_) | TaskKind::Segmentation(_))
    },
    default_for: |_| false,
    better: Better::Lower,
    make: |_, _, _| Box::new(LogLoss { sum: 0.0, count: 0 }),
};

#[derive(Debug)]
struct LogLoss {
    sum: f64,
    count: u64,
}

impl Accumulate for LogLoss {
    fn add(&mut self, item: Item) {
        match item {
            Item::Values(values) => {
                for (_, x, y) in values {
                    self.sum += x.max(0.0) - x * y + (-x.abs()).exp().ln_1p();
                    self.count += 1;
                }
            }
            Item::Class(scores, label) => {
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                self.sum += max - scores[label] + scores.iter().map(|s| (s - max).exp()).sum::<f64>().ln();
                self.count += 1;
            }
        }
    }

    fn value(&self) -> Result<f64, String> {
        Ok(self.sum / self.count as f64)
    }
}
