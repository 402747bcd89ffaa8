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
mod same_file;
mod same_label;
mod scale;
mod schedule;
mod spare_copies;
mod unread_stages;
mod unused_inputs;
mod warmup;
mod weight;
mod weighting;

use super::Typed;
use crate::diag::Diagnostics;
use crate::hir::Spec;
use crate::schema::{Args, Duration};

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
    batch::lint,
];

pub(super) fn lints(facts: &Facts<'_>, diags: &mut Diagnostics) {
    LINTS.iter().for_each(|lint| lint(facts, diags));
}

impl Facts<'_> {
    /// The attributes of everything that trains: searches, their single-task networks, `train`.
    fn trainings(&self) -> impl Iterator<Item = &Args> {
        let searches = self.spec.searches.iter().flat_map(|s| [Some(&s.args), s.single.as_ref()]).flatten();
        searches.chain(self.spec.train.as_ref().map(|t| &t.args))
    }

    /// Rows of the training split, where the only data set has a schema.
    fn rows(&self) -> Option<usize> {
        super::steps::rows(self.spec)
    }

    /// A length in epochs; steps count where the number of rows is known.
    fn epochs(&self, length: Duration, args: &Args) -> Option<f64> {
        match length {
            Duration::Epochs(n) => Some(n),
            Duration::Steps(n) => {
                args.get("batch")?;
                let per_epoch = self.rows()?.div_ceil(args.size("batch").max(1)).max(1);
                Some(n / per_epoch as f64)
            }
        }
    }
}
