//! `f1(average = macro, threshold = 0.5)`: harmonic mean of precision and recall.

use super::{Accumulate, Better, Confusion, Item, MetricDef, THRESHOLD, count_confusion, logit, mean_defined};
use crate::objective::TaskKind;
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "f1",
        doc: "Harmonic mean of precision and recall, 2 tp / (2 tp + fp + fn): of the label 1, or over several labels or \
              classes. Undefined where nothing is positive, neither predicted nor true.",
        args: &[
            AttrDef {
                name: "average",
                ty: Ty::OneOf(&["macro", "micro"]),
                need: Need::Default("macro"),
                doc: "`macro`: mean of the labels' F1, without labels that never occur; `micro`: F1 of all counts together.",
            },
            THRESHOLD,
        ],
    },
    fits: |kind| matches!(kind, TaskKind::Binary | TaskKind::Classes(_) | TaskKind::Multilabel(_)),
    default_for: |_| false,
    better: Better::Higher,
    make: |args, _, n| {
        Box::new(F1 {
            cut: logit(args.float("threshold")),
            micro: args.str("average") == "micro",
            counts: vec![Confusion::default(); n],
        })
    },
};

#[derive(Debug)]
struct F1 {
    cut: f64,
    micro: bool,
    counts: Vec<Confusion>,
}

impl Accumulate for F1 {
    fn add(&mut self, item: Item) {
        count_confusion(&mut self.counts, item, self.cut);
    }

    fn value(&self) -> Result<f64, String> {
        let value = if self.micro {
            f1(self.counts.iter().fold(Confusion::default(), |a, b| Confusion {
                true_positive: a.true_positive + b.true_positive,
                false_positive: a.false_positive + b.false_positive,
                false_negative: a.false_negative + b.false_negative,
            }))
        } else {
            mean_defined(self.counts.iter().map(|c| f1(*c)))
        };
        value.ok_or_else(|| "nothing is positive, neither predicted nor true".into())
    }
}

fn f1(c: Confusion) -> Option<f64> {
    let hits = 2 * c.true_positive;
    (c.union() > 0).then(|| hits as f64 / (hits + c.false_positive + c.false_negative) as f64)
}
