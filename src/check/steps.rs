//! The trainings of a spec, and how each divides the training split into batches if the number of rows is known.

use crate::data::Batches;
use crate::hir::schema::train_attrs;
use crate::hir::{Spec, dealt};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef};
use crate::source::{FileId, Span};

/// A training: a search, the training of its single-task networks, or `train`.
pub struct Trains<'a> {
    pub args: &'a Args,
    pub attrs: &'static [AttrDef],
    /// The strategy, for a search.
    pub strategy: Option<&'static str>,
    pub span: Span,
}

/// All trainings of a spec.
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
        // The span of a default is that of its item.
        let span = t.args.span("epochs").unwrap_or(Span::new(FileId(0), 0, 0));
        all.push(Trains { args: &t.args, attrs: train_attrs(), strategy: None, span });
    }
    all
}

/// The number of training rows, if the program has one data set and that has a schema.
pub fn rows(spec: &Spec) -> Option<usize> {
    match spec.data.as_slice() {
        [one] => one.schema.as_ref().map(|s| s.rows[0]),
        _ => None,
    }
}

/// The batches of a training, if the number of rows is known and it trains in batches.
pub fn batches(spec: &Spec, trains: &Trains) -> Option<Batches> {
    trains.args.get("batch")?;
    let rows = rows(spec)?;
    // The seed decides which rows are drawn, not how many.
    Some(dealt::batches(trains.strategy, trains.args, rows, Randomness::new(0)))
}
