//! The trainings of a spec, and how each divides the training split into batches if the number of rows is known.

use std::borrow::Cow;

use super::runs;
use crate::data::Batches;
use crate::hir::build::defaults;
use crate::hir::schema::train_attrs;
use crate::hir::{Spec, dealt};
use crate::random::Randomness;
use crate::schema::{Args, AttrDef};
use crate::source::{FileId, Span};

/// The kind of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A search with this strategy.
    Search(&'static str),
    /// The single-task networks (`single { ... }`) of a search with this strategy.
    Single(&'static str),
    Train,
}

/// A training: a search, the training of its single-task networks, or `train`.
pub struct Trains<'a> {
    pub args: Cow<'a, Args>,
    pub attrs: &'static [AttrDef],
    pub of: Of,
    /// Whether the program has no such item, so that the defaults apply.
    pub default: bool,
    pub span: Span,
}

impl Trains<'_> {
    /// The strategy, if it is a search.
    pub fn strategy(&self) -> Option<&'static str> {
        match self.of {
            Of::Search(name) => Some(name),
            Of::Single(_) | Of::Train => None,
        }
    }

    /// How an attribute of this training is written: by itself, or with the surrounding item if the program does not have it.
    pub fn written(&self, attribute: &str) -> String {
        match self.of {
            _ if !self.default => format!("`{attribute}`"),
            Of::Single(_) => format!("`single {{ {attribute} }}`"),
            Of::Search(_) | Of::Train => format!("`train {{ {attribute} }}`"),
        }
    }
}

/// All trainings of a spec, including those with defaults only.
pub fn trainings(spec: &Spec) -> Vec<Trains<'_>> {
    let written = |args, attrs, of, span| Trains { args: Cow::Borrowed(args), attrs, of, default: false, span };
    let default =
        |of, span| Trains { args: Cow::Owned(defaults(train_attrs())), attrs: train_attrs(), of, default: true, span };
    let mut all = Vec::new();
    for s in &spec.searches {
        let call = &s.strategy.call;
        if s.args.get("epochs").is_some() {
            all.push(written(&s.args, call.args, Of::Search(call.name), s.span));
        }
        // If results are read from a table, these networks are not trained.
        if s.strategy.single && s.strategy.table(&s.args).is_none() {
            all.push(match &s.single {
                Some(args) => written(args, train_attrs(), Of::Single(call.name), s.span),
                None => default(Of::Single(call.name), s.span),
            });
        }
    }
    let data = || runs::data_sets(spec).first().map(|d| spec.data[*d].span);
    let nowhere = Span::new(FileId(0), 0, 0);
    match &spec.train {
        // The span of a default is that of its item.
        Some(t) => {
            all.push(written(&t.args, train_attrs(), Of::Train, t.args.span("epochs").unwrap_or(nowhere)));
        }
        None => all.extend(data().map(|span| default(Of::Train, span))),
    }
    all
}

/// The numbers of training, validation and test rows, if the program reads one data set: from its schema, or from the attributes if the
/// format generates its samples.
pub fn rows(spec: &Spec) -> Option<[usize; 3]> {
    let [read] = runs::data_sets(spec)[..] else { return None };
    let data = &spec.data[read];
    data.schema.as_ref().map(|s| s.rows).or_else(|| data.format.rows(&data.args))
}

/// The batches of a training, if the number of rows is known and it trains in batches.
pub fn batches(spec: &Spec, trains: &Trains) -> Option<Batches> {
    trains.args.get("batch")?;
    let [rows, ..] = rows(spec)?;
    // The seed decides which rows are drawn, not how many.
    Some(dealt::batches(trains.strategy(), &trains.args, rows, Randomness::new(0)))
}
