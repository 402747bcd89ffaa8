//! What is legal and suspicious: one file per lint, each a line in [`LINTS`]. A lint speaks only where the text (or a frozen schema)
//! proves its point, and says what happens if nothing is changed. None runs on a spec with errors.

mod activation;
mod batch;
mod collapse;
mod cooling;
mod forced;
mod idle;
mod leak;
mod numbers_as_text;
mod patience;
mod rate;
mod rising;
mod same_file;
mod same_label;
mod scale;
mod schedule;
mod spare_copies;
mod topology_and_space;
mod unread_stages;
mod unused_inputs;
mod warmup;
mod weight;
mod weighting;

use super::Typed;
use super::steps::{self, Trains};
use crate::diag::Diagnostics;
use crate::hir::Spec;
use crate::schema::Duration;

/// What a lint may look at.
pub(super) struct Facts<'a> {
    pub spec: &'a Spec,
    pub stages: &'a [Option<Typed>],
    pub heads: &'a [Option<Typed>],
}

type Lint = fn(&Facts<'_>, &mut Diagnostics);

static LINTS: &[Lint] = &[
    unread_stages::lint,
    spare_copies::lint,
    topology_and_space::lint,
    unused_inputs::lint,
    activation::lint,
    collapse::lint,
    leak::lint,
    numbers_as_text::lint,
    same_file::lint,
    same_label::lint,
    weight::lint,
    weighting::lint,
    scale::lint,
    warmup::lint,
    cooling::lint,
    forced::lint,
    idle::lint,
    schedule::lint,
    patience::lint,
    rate::lint,
    rising::lint,
    batch::lint,
];

pub(super) fn lints(facts: &Facts<'_>, diags: &mut Diagnostics) {
    LINTS.iter().for_each(|lint| lint(facts, diags));
}

impl Facts<'_> {
    /// A length in epochs. A length in steps is converted if the number of rows is known; otherwise, the result is `None`.
    fn epochs(&self, length: Duration, trains: &Trains) -> Option<f64> {
        match length {
            Duration::Epochs(n) => Some(n),
            Duration::Steps(n) => Some(n / steps::batches(self.spec, trains)?.per_epoch().max(1) as f64),
        }
    }
}
