//! The trainings of a spec, and the batches that each makes of the training split where its rows are known.

use crate::data::Batches;
use crate::hir::schema::train_attrs;
use crate::hir::{Spec, dealt};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef};
use crate::source::{FileId, Span};

/// Something that trains: a search, its single-task networks, `train`.
pub struct Trains<'a> {
    pub args: &'a Args,
    pub attrs: &'static [AttrDef],
    /// The strategy, if it is a search.
    pub strategy: Option<&'static str>,
    pub span: Span,
}

/// Everything in a spec that trains in epochs.
pub fn trainings(spec: &Spec) -> Vec<Trains<'_>> {
    let mut all = Vec::new();
    for s in &spec.searches {
        let call = &s.strategy.call;
        if s.args.get("epochs").is_some() {
            all.push(Trains { args: &s.args, attrs: call.args, strategy: Some(call.name), span: s.span });
        }
        if let Some(args) = &s.single {
            all.push(Trains { args, attrs: train_attrs(), strategy: None, span: s.span });
        }
    }
    if let Some(t) = &spec.train {
        // A default stands where its item does.
        let span = t.args.span("epochs").unwrap_or(Span::new(FileId(0), 0, 0));
        all.push(Trains { args: &t.args, attrs: train_attrs(), strategy: None, span });
    }
    all
}

/// Rows of the training split, where the only data set has a schema.
pub fn rows(spec: &Spec) -> Option<usize> {
    match spec.data.as_slice() {
        [one] => one.schema.as_ref().map(|s| s.rows[0]),
        _ => None,
    }
}

/// How its training split is dealt out, where the rows are known and it has batches.
pub fn batches(spec: &Spec, trains: &Trains) -> Option<Batches> {
    trains.args.get("batch")?;
    let rows = rows(spec)?;
    // Which rows are dealt depends on the seed, how many does not.
    Some(dealt::batches(trains.strategy, trains.args, rows, Randomness::new(0)))
}
