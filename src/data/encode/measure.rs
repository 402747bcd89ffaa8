//! The statistics for the standardisation of labels. They include the labels of the training split that count.

use super::labels::{LabelData, LabelSpec, label};
use crate::data::DataError;
use crate::data::freeze::Schema;
use crate::data::label_facts::{LabelFacts, Moments};
use crate::data::raw::Raw;
use crate::objective::Units;

/// The statistics of each label that is standardised, in the order of the tasks.
pub fn measure(raw: &Raw, schema: &Schema, labels: &[LabelSpec]) -> Result<Vec<LabelFacts>, DataError> {
    labels.iter().filter(|l| l.standardize).map(|l| facts(raw, schema, l)).collect()
}

/// Labels are stored as 32-bit numbers, which leaves few digits for the spread of labels far from 0 (a time in seconds). So they are read
/// twice: first to find their approximate mean, then as distances from it.
fn facts(raw: &Raw, schema: &Schema, spec: &LabelSpec) -> Result<LabelFacts, DataError> {
    let read = |units: Option<&Units>| label(raw, schema, 0, spec, units, &mut Vec::new());
    let n = spec.kind.outputs().unwrap_or(1);
    let about: Vec<f64> = moments(&read(None)?, n).iter().map(Moments::mean).collect();
    Ok(LabelFacts::measure(&spec.task, &moments(&read(Some(&Units::about(&about)))?, n)))
}

/// The moments of each of the `n` components.
fn moments(l: &LabelData, n: usize) -> Vec<Moments> {
    let mut all = vec![Moments::default(); n];
    for row in 0..l.values.len() / l.size.max(1) {
        let counted = l.own(row).enumerate().filter(|(at, _)| l.counts(row, *at));
        counted.for_each(|(at, v)| all[at % n].add(v));
    }
    all
}
