//! `iou`: mean intersection over union.

use super::{Accumulate, Better, Confusion, Item, MetricDef, count_confusion, mean_defined};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "iou",
        doc: "Pixels of a class both predicted and true over pixels predicted or true, counted over the whole split; the mean \
              over classes that occur.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Segmentation(_)),
    default_for: |kind| matches!(kind, TaskKind::Segmentation(_)),
    better: Better::Higher,
    make: |_, _, n| Box::new(Iou { counts: vec![Confusion::default(); n] }),
};

#[derive(Debug)]
struct Iou {
    counts: Vec<Confusion>,
}

impl Accumulate for Iou {
    fn add(&mut self, item: Item) {
        count_confusion(&mut self.counts, item, 0.0);
    }

    fn value(&self) -> Result<f64, String> {
        let iou = |c: &Confusion| (c.union() > 0).then(|| c.true_positive as f64 / c.union() as f64);
        mean_defined(self.counts.iter().map(iou)).ok_or_else(|| "no pixel has a label".into())
    }
}
