//! Checked values as text for digests: the same value always gives the same text, different values never do. This text is what
//! `mtl1:` digests are taken over, so a change here is a change of every digest; none of it comes from `Debug`.

use std::fmt::Write;

use crate::data::label::{Label, Term};
use crate::data::{number_text, quoted_text};
use crate::schema::{Args, Call, Cost, Duration, Reference, Value};
use crate::syntax::ast::{Arg, Expr, ExprKind, Name, UnaryOp};

/// Nested lists of words in brackets, each list opened with what it is.
#[derive(Debug, Default)]
pub struct Encoder {
    pub text: String,
}

impl Encoder {
    /// `(what ...)` on a line of its own.
    pub fn list(&mut self, what: &str, inside: impl FnOnce(&mut Encoder)) {
        write!(self.text, "\n({what}").expect("writing to a string");
        inside(self);
        self.text.push(')');
    }

    /// A word of this program's choosing or a number.
    pub fn word(&mut self, word: impl std::fmt::Display) {
        write!(self.text, " {word}").expect("writing to a string");
    }

    /// Text of the user's, in quotes.
    pub fn name(&mut self, name: &str) {
        self.word(quoted_text(name));
    }

    pub fn number(&mut self, v: f64) {
        // -0 and 0 are one number.
        self.word(number_text(if v == 0.0 { 0.0 } else { v }));
    }

    /// Attributes by name, defaults included, whether written or not; those in `skip` left out.
    pub fn args(&mut self, args: &Args, skip: &[&str]) {
        // The table of `Args` is sorted by name.
        for (name, value) in args.iter().filter(|(name, _)| !skip.contains(name)) {
            self.list(name, |e| e.value(&value.value));
        }
    }

    pub fn call(&mut self, call: &Call) {
        self.list(call.name, |e| e.args(&call.args, &[]));
    }

    pub fn value(&mut self, value: &Value) {
        match value {
            Value::Bool(v) => self.word(v),
            Value::Int(v) => self.word(v),
            Value::Float(v) => self.number(*v),
            Value::Str(v) => self.name(v),
            // Where files lie is no part of the meaning; what they hold is in the schema.
            Value::Path(_) => self.word("path"),
            Value::Name(parts) => self.list("name", |e| parts.iter().for_each(|p| e.name(p))),
            Value::List(items) => self.list("list", |e| items.iter().for_each(|v| e.value(&v.value))),
            Value::Call(call) => self.call(call),
            Value::Duration(Duration::Epochs(v)) => self.list("epochs", |e| e.number(*v)),
            Value::Duration(Duration::Steps(v)) => self.list("steps", |e| e.number(*v)),
            Value::Budget(b) => self.list("budget", |e| {
                e.word(match b.of {
                    Cost::Params => "params",
                    Cost::Macs => "macs",
                });
                e.number(b.at_most);
                e.word(match b.relative_to {
                    None => "absolute",
                    Some(Reference::Independent) => "independent",
                    Some(Reference::Shared) => "shared",
                });
            }),
            Value::Expr(expr) => self.expr(expr),
        }
    }

    pub fn label(&mut self, label: &Label) {
        self.list("of", |e| {
            e.name(&label.data);
            label.terms.iter().for_each(|t| e.term(t));
        });
    }

    fn term(&mut self, term: &Term) {
        match term {
            // The place of a column follows from its name.
            Term::Column(name, _) => self.list("column", |e| e.name(name)),
            Term::IsMissing(name, _) => self.list("missing", |e| e.name(name)),
            Term::Number(v) => self.number(*v),
            Term::Text(v) => self.name(v),
            Term::Bool(v) => self.word(v),
            // The spelling of true and false is a property of the data.
            Term::Truth(t) => self.term(t),
            Term::Not(t) => self.list("not", |e| e.term(t)),
            Term::Neg(t) => self.list("negative", |e| e.term(t)),
            Term::Binary(op, a, b) => self.list(op.symbol(), |e| {
                e.term(a);
                e.term(b);
            }),
            Term::OneOf(t, items) => self.list("one_of", |e| {
                e.term(t);
                items.iter().for_each(|i| e.term(i));
            }),
            Term::Within(t, a, b) => self.list("within", |e| {
                e.term(t);
                e.number(*a);
                e.number(*b);
            }),
        }
    }

    /// An expression that its reader keeps as written.
    pub fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Int(v) => self.word(v),
            ExprKind::Float(v) => self.number(*v),
            ExprKind::Str(v) => self.name(v),
            ExprKind::Path(parts) => self.path(parts),
            ExprKind::Star => self.word("*"),
            ExprKind::Missing => self.word("nothing"),
            ExprKind::List(items) => self.list("list", |e| items.iter().for_each(|i| e.expr(i))),
            ExprKind::Chain(items) => self.list("->", |e| items.iter().for_each(|i| e.expr(i))),
            ExprKind::Call { callee, args } => self.list("call", |e| {
                e.expr(callee);
                args.iter().for_each(|a| e.arg(a));
            }),
            ExprKind::Index { base, items } => self.list("index", |e| {
                e.expr(base);
                items.iter().for_each(|i| e.expr(i));
            }),
            ExprKind::Unary { op, operand } => {
                let op = match op {
                    UnaryOp::Neg => "negative",
                    UnaryOp::Not => "not",
                };
                self.list(op, |e| e.expr(operand));
            }
            ExprKind::Binary { op, left, right } => self.list(op.symbol(), |e| {
                e.expr(left);
                e.expr(right);
            }),
            ExprKind::Range { from, to } => self.list("..", |e| {
                e.expr(from);
                e.expr(to);
            }),
            ExprKind::Quantity { value, unit } => self.list("quantity", |e| {
                e.expr(value);
                e.name(&unit.text);
            }),
        }
    }

    fn path(&mut self, parts: &[Name]) {
        self.list("name", |e| parts.iter().for_each(|p| e.name(&p.text)));
    }

    fn arg(&mut self, arg: &Arg) {
        match &arg.name {
            Some(name) => self.list("named", |e| {
                e.name(&name.text);
                e.expr(&arg.value);
            }),
            None => self.expr(&arg.value),
        }
    }
}
