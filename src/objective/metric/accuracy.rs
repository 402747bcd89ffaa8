//! `accuracy(threshold = 0.5)`: share of labels predicted right.

use super::{Accumulate, Better, Item, MetricDef, THRESHOLD, argmax, logit};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "accuracy",
        doc: "Share of labels, or of pixels, predicted right, from 0 to 1. Binary labels are averaged over labels too.",
        args: &[THRESHOLD],
    },
    fits: with_classes,
    default_for: with_classes,
    better: Better::Higher,
    make: |args, _, _| Box::new(Accuracy { cut: logit(args.float("threshold")), right: 0, all: 0 }),
};

fn with_classes(kind: TaskKind) -> bool {
    matches!(kind, TaskKind::Binary | TaskKind::Classes(_) | TaskKind::Multilabel(_) | TaskKind::Segmentation(_))
}

#[derive(Debug)]
struct Accuracy {
    /// A logit above it predicts 1.
    cut: f64,
    right: u64,
    all: u64,
}

impl Accumulate for Accuracy {
    fn add(&mut self, item: Item) {
        match item {
            Item::Values(values) => {
                self.all += values.len() as u64;
                self.right += values.iter().filter(|(_, x, y)| (*x > self.cut) == (*y > 0.5)).count() as u64;
            }
            Item::Class(scores, label) => {
                self.all += 1;
                self.right += u64::from(argmax(scores) == label);
            }
        }
    }

    fn value(&self) -> Result<f64, String> {
        Ok(self.right as f64 / self.all as f64)
    }
}
