//! How a table says what may be written: types of attributes and arguments, their defaults and docs, and the checked values
//! that come out. Ops, losses, metrics, optimisers, schedules, strategies and data formats each declare a [`CallDef`] or a
//! list of [`AttrDef`]s beside their code; `hir::schema` collects them into the one table that checking, the reference and
//! the editor read. Nothing here evaluates: that is `hir::eval`.

use std::collections::BTreeMap;

use crate::diag::numbers::human_number;
use crate::source::{Span, Spanned};
use crate::syntax::ast;

/// What kind of value may stand somewhere.
#[derive(Debug, Clone, Copy)]
pub enum Ty {
    Bool,
    /// A whole number within inclusive bounds.
    Int {
        min: i64,
        max: i64,
    },
    /// A number within inclusive bounds (a whole one is taken too).
    Float {
        min: f64,
        max: f64,
    },
    /// Quoted text.
    Str,
    /// Quoted text that names a file or folder, relative to the `.mtl` it stands in. Left out of digests.
    Path,
    /// A bare or quoted name, or a dotted path of names, that its reader resolves.
    Name,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// One of these calls; a call whose arguments all have defaults may be written without brackets.
    Call(fn() -> Vec<&'static CallDef>),
    /// A schedule whose values must all be of this type.
    Schedule(&'static Ty),
    /// A list of such values; a single value is taken as a list of one.
    List(&'static Ty),
    /// Any of these, tried in order.
    AnyOf(&'static [Ty]),
    /// A number of epochs or steps: `2.4 epochs`, `500 steps`; a bare number counts epochs.
    Duration,
    /// `params <= 2.2M`, `macs <= 0.6 * independent`.
    Budget,
    /// An expression kept as written, for a reader that knows its names (labels, masks, column selections).
    Expr,
    /// An expression that is true or false for a row: a comparison, `in`, `and`, `or`, `not`. Stored as written.
    Condition,
}

/// Whole number of at least one.
pub const COUNT: Ty = Ty::Int { min: 1, max: i64::MAX };
/// Whole number of at least zero.
pub const NATURAL: Ty = Ty::Int { min: 0, max: i64::MAX };
/// Any finite number.
pub const NUMBER: Ty = Ty::Float { min: f64::MIN, max: f64::MAX };
/// A number of at least zero.
pub const NON_NEGATIVE: Ty = Ty::Float { min: 0.0, max: f64::MAX };
/// A number above zero.
pub const POSITIVE: Ty = Ty::Float { min: f64::MIN_POSITIVE, max: f64::MAX };
/// A schedule of numbers above 0, for temperatures.
pub const POSITIVE_SCHEDULE: Ty = Ty::Schedule(&POSITIVE);
/// A schedule of numbers that are 0 or above, for factors on learning rates.
pub const FACTOR_SCHEDULE: Ty = Ty::Schedule(&NON_NEGATIVE);
/// A number from 0 to 1.
pub const FRACTION: Ty = Ty::Float { min: 0.0, max: 1.0 };

/// A number that is added to a denominator. Smaller numbers are 0 in f32 or lose digits.
pub const EPSILON: Ty = Ty::Float { min: 1e-37, max: f64::MAX };

impl Ty {
    /// For messages and the reference: "a whole number from 1", "one of `a`, `b`".
    pub fn describe(&self) -> String {
        match self {
            Ty::Bool => "`true` or `false`".into(),
            Ty::Int { min, max: i64::MAX } if *min == i64::MIN => "a whole number".into(),
            // Bounds that only keep arithmetic from overflowing are no news.
            Ty::Int { min, max } if *max >= 1 << 30 => format!("a whole number from {min}"),
            Ty::Int { min, max } => format!("a whole number from {min} to {max}"),
            Ty::Float { min, max } => match (*min, *max) {
                (f64::MIN, f64::MAX) => "a number".into(),
                (f64::MIN_POSITIVE, f64::MAX) => "a number above 0".into(),
                (a, f64::MAX) => format!("a number from {}", human_number(a)),
                (a, b) => format!("a number from {} to {}", human_number(a), human_number(b)),
            },
            Ty::Str => "quoted text".into(),
            Ty::Path => "a quoted path".into(),
            Ty::Name => "a name".into(),
            Ty::OneOf([word]) => format!("`{word}`"),
            Ty::OneOf(words) => format!("one of {}", crate::diag::suggest::listing(words.iter().copied())),
            Ty::Call(calls) => format!("one of {}", crate::diag::suggest::listing(calls().iter().map(|c| c.name))),
            Ty::Schedule(range) => format!("a schedule, each value of which is {}", range.describe()),
            Ty::List(inner) => format!("a list of: {}", inner.describe()),
            Ty::AnyOf(tys) => tys.iter().map(Ty::describe).collect::<Vec<_>>().join(", or "),
            Ty::Duration => "a number of epochs or steps".into(),
            Ty::Budget => "a budget such as `params <= 2.2M` or `macs <= 0.6 * independent`".into(),
            Ty::Expr => "an expression".into(),
            Ty::Condition => "a condition such as `d.age > 60`".into(),
        }
    }
}

/// What happens when it is not written.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    Required,
    /// Absent means absent; the reader knows what that means and `doc` says it.
    Optional,
    /// This text, read as if it stood in the spec.
    Default(&'static str),
}

/// One attribute or argument.
#[derive(Debug, Clone, Copy)]
pub struct AttrDef {
    pub name: &'static str,
    pub ty: Ty,
    pub need: Need,
    /// One or two sentences; units, shapes, and the source where a paper sets the default.
    pub doc: &'static str,
}

/// Other names of arguments, and the names that they are read as.
const ALIASES: &[(&str, &str)] = &[("k", "kernel"), ("s", "stride"), ("c", "channels")];

/// The name that an argument is read as, where the call has (`has`) this argument and none of the written name.
pub fn main_name(written: &str, has: impl Fn(&str) -> bool) -> &str {
    match ALIASES.iter().find(|(alias, name)| *alias == written && !has(alias) && has(name)) {
        Some((_, name)) => name,
        None => written,
    }
}

/// The aliases and the names that they are read as.
pub fn aliases() -> &'static [(&'static str, &'static str)] {
    ALIASES
}

/// Something written like a call: an op, a loss, a schedule, an optimiser. Which arguments may stand without a name, and then in this
/// order, follows from their types (`hir::positional`).
#[derive(Debug, Clone, Copy)]
pub struct CallDef {
    pub name: &'static str,
    pub doc: &'static str,
    pub args: &'static [AttrDef],
}

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    /// As written.
    Path(String),
    /// Parts of a dotted path; most have one.
    Name(Vec<String>),
    List(Vec<Spanned<Value>>),
    Call(Call),
    Duration(Duration),
    Budget(Budget),
    Expr(ast::Expr),
}

/// A length of training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Duration {
    Epochs(f64),
    Steps(f64),
}

impl Duration {
    /// In optimiser steps.
    pub fn steps(self, steps_per_epoch: usize) -> f64 {
        match self {
            Duration::Epochs(e) => e * steps_per_epoch as f64,
            Duration::Steps(s) => s,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    pub of: Cost,
    pub at_most: f64,
    /// `None`: `at_most` is absolute; else it is a share of that topology's cost.
    pub relative_to: Option<Reference>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    Params,
    Macs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// Every task its own network.
    Independent,
    /// One network for all.
    Shared,
}

/// A checked call: `adam(lr = 1e-3)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    pub name: &'static str,
    pub args: Args,
}

/// Checked attributes or arguments by name, defaults filled in. Getters panic on a name that the table does not have or a
/// type that it does not give: that is a bug here, never a mistake of the user's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Args {
    values: BTreeMap<&'static str, Spanned<Value>>,
    /// Names that were written, not defaulted.
    given: Vec<&'static str>,
}

impl Args {
    pub fn set(&mut self, name: &'static str, value: Spanned<Value>, given: bool) {
        if given {
            self.given.push(name);
        }
        self.values.insert(name, value);
    }

    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains(&name)
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(|v| &v.value)
    }

    pub fn span(&self, name: &str) -> Option<Span> {
        self.values.get(name).map(|v| v.span)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Spanned<Value>)> {
        self.values.iter().map(|(k, v)| (*k, v))
    }

    fn need(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("no value for `{name}`: the table and its reader disagree"))
    }

    pub fn int(&self, name: &str) -> i64 {
        match self.need(name) {
            Value::Int(v) => *v,
            other => panic!("`{name}` is {other:?}, not a whole number"),
        }
    }

    /// A whole number as a size.
    pub fn size(&self, name: &str) -> usize {
        self.int(name) as usize
    }

    pub fn opt_size(&self, name: &str) -> Option<usize> {
        self.get(name).map(|_| self.size(name))
    }

    pub fn float(&self, name: &str) -> f64 {
        match self.need(name) {
            Value::Float(v) => *v,
            Value::Int(v) => *v as f64,
            other => panic!("`{name}` is {other:?}, not a number"),
        }
    }

    pub fn opt_float(&self, name: &str) -> Option<f64> {
        self.get(name).map(|_| self.float(name))
    }

    pub fn bool(&self, name: &str) -> bool {
        match self.need(name) {
            Value::Bool(v) => *v,
            other => panic!("`{name}` is {other:?}, not true or false"),
        }
    }

    /// Text, a path, or a word.
    pub fn str(&self, name: &str) -> &str {
        self.opt_str(name).unwrap_or_else(|| panic!("no text for `{name}`"))
    }

    pub fn opt_str(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Str(v) | Value::Path(v) => Some(v),
            Value::Name(v) => v.first().map(String::as_str),
            other => panic!("`{name}` is {other:?}, not text"),
        }
    }

    pub fn call(&self, name: &str) -> &Call {
        self.opt_call(name).unwrap_or_else(|| panic!("no call for `{name}`"))
    }

    pub fn opt_call(&self, name: &str) -> Option<&Call> {
        match self.get(name)? {
            Value::Call(c) => Some(c),
            other => panic!("`{name}` is {other:?}, not a call"),
        }
    }

    pub fn list(&self, name: &str) -> &[Spanned<Value>] {
        match self.get(name) {
            None => &[],
            Some(Value::List(v)) => v,
            Some(other) => panic!("`{name}` is {other:?}, not a list"),
        }
    }

    pub fn duration(&self, name: &str) -> Duration {
        match self.need(name) {
            Value::Duration(d) => *d,
            other => panic!("`{name}` is {other:?}, not a duration"),
        }
    }

    pub fn budget(&self, name: &str) -> Option<Budget> {
        match self.get(name)? {
            Value::Budget(b) => Some(*b),
            other => panic!("`{name}` is {other:?}, not a budget"),
        }
    }

    pub fn expr(&self, name: &str) -> Option<&ast::Expr> {
        match self.get(name)? {
            Value::Expr(e) => Some(e),
            other => panic!("`{name}` is {other:?}, not an expression"),
        }
    }
}
