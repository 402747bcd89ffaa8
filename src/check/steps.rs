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

/// What trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// A search by this strategy.
    Search(&'static str),
    /// The networks of `single { ... }` of this strategy.
    Single(&'static str),
    Train,
}

/// A training: a search, its single-task networks, `train`.
pub struct Trains<'a> {
    pub args: Cow<'a, Args>,
    pub attrs: &'static [AttrDef],
    pub of: Of,
    /// The program has no such item, and the defaults hold.
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

    /// How an attribute is written where this training takes it: in its item, or with the item around it where there is none.
    pub fn written(&self, attribute: &str) -> String {
        match self.of {
            _ if !self.default => format!("`{attribute}`"),
            Of::Single(_) => format!("`single {{ {attribute} }}`"),
            Of::Search(_) | Of::Train => format!("`train {{ {attribute} }}`"),
        }
    }
}

/// Everything in a spec that trains in epochs, by the defaults too.
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
        // Where a table is read, none of these networks is trained.
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
        // A default stands where its item does.
        Some(t) => {
            all.push(written(&t.args, train_attrs(), Of::Train, t.args.span("epochs").unwrap_or(nowhere)));
        }
        None => all.extend(data().map(|span| default(Of::Train, span))),
    }
    all
}

/// Rows of the training, validation and test split of the data that are read: as a schema says, or as the attributes of a format do
/// that draws its samples.
pub fn rows(spec: &Spec) -> Option<[usize; 3]> {
    let [read] = runs::data_sets(spec)[..] else { return None };
    let data = &spec.data[read];
    data.schema.as_ref().map(|s| s.rows).or_else(|| data.format.rows(&data.args))
}

/// How the training split is dealt out, where its rows are known and the training has batches.
pub fn batches(spec: &Spec, trains: &Trains) -> Option<Batches> {
    trains.args.get("batch")?;
    let [rows, ..] = rows(spec)?;
    // Which rows are dealt depends on the seed, how many does not.
    Some(dealt::batches(trains.strategy(), &trains.args, rows, Randomness::new(0)))
}
