//! `cosine_similarity`: agreement of directions, pixel by pixel.

use super::{Accumulate, Better, Item, MetricDef};
use crate::objective::TaskKind;
use crate::schema::CallDef;

pub static DEF: MetricDef = MetricDef {
    call: CallDef {
        name: "cosine_similarity",
        doc: "Cosine between predicted and true vector, averaged over pixels, from -1 to 1; 0 for a vector of length 0.",
        args: &[],
    },
    fits: |kind| matches!(kind, TaskKind::Normals),
    default_for: |kind| matches!(kind, TaskKind::Normals),
    better: Better::Higher,
    make: |_, _, n| Box::new(Cosine { components: n, sum: 0.0, count: 0 }),
};

#[derive(Debug)]
struct Cosine {
    components: usize,
    sum: f64,
    count: u64,
}

impl Accumulate for Cosine {
    fn add(&mut self, item: Item) {
        let Item::Values(v) = item else { unreachable!("cosine similarity fits vectors only") };
        if v.len() < self.components {
            return; // A pixel counts where all of its components are labelled.
        }
        let dot: f64 = v.iter().map(|(_, x, y)| x * y).sum();
        let lengths = v.iter().map(|(_, x, _)| x * x).sum::<f64>() * v.iter().map(|(_, _, y)| y * y).sum::<f64>();
        self.sum += if lengths > 0.0 { dot / lengths.sqrt() } else { 0.0 };
        self.count += 1;
    }

    fn value(&self) -> Result<f64, String> {
        if self.count == 0 { Err("no pixel has a label".into()) } else { Ok(self.sum / self.count as f64) }
    }
}
