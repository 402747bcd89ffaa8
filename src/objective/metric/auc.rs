//! `auc`: area under the ROC curve.

use super::{Accumulate, Better, Item, MetricDef, mean_defined};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "auc",
        doc: "Area under the ROC curve: the chance that a positive scores above a negative, equal scores counting half. \
              Exact. Several labels: the mean over those that have both classes. Undefined when none has.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)),
    default_for: |kind| matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)),
    better: Better::Higher,
    make: |_, _, n| Box::new(Auc { scores: vec![Vec::new(); n] }),
};

#[derive(Debug)]
struct Auc {
    /// Per label: (score, is positive).
    scores: Vec<Vec<(f64, bool)>>,
}

impl Accumulate for Auc {
    fn add(&mut self, item: Item) {
        let Item::Values(values) = item else { unreachable!("auc fits binary labels only") };
        for (which, score, label) in values {
            self.scores[*which].push((*score, *label > 0.5));
        }
    }

    fn value(&self) -> Result<f64, String> {
        mean_defined(self.scores.iter().map(|s| auc(s))).ok_or_else(|| "only one class among the labels".into())
    }
}

/// Mann-Whitney: U = R - p (p + 1) / 2 over p q pairs, R the sum of the positives' ranks, equal scores sharing the mean of
/// their ranks. Whole numbers (ranks doubled) until the last division. `None` with one class only.
fn auc(scores: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.partial_cmp(&b.0).expect("scores are finite"));
    let positives = sorted.iter().filter(|s| s.1).count() as u128;
    let negatives = sorted.len() as u128 - positives;
    let (mut doubled_ranks, mut below) = (0u128, 0u128);
    for tied in sorted.chunk_by(|a, b| a.0 == b.0) {
        let (size, hits) = (tied.len() as u128, tied.iter().filter(|s| s.1).count() as u128);
        doubled_ranks += hits * (2 * below + size + 1);
        below += size;
    }
    let doubled_u = doubled_ranks - positives * (positives + 1);
    (positives > 0 && negatives > 0).then(|| doubled_u as f64 / (2 * positives * negatives) as f64)
}
