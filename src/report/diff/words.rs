//! Checked values, labels and expressions as the language writes them; what was not written is left out.

use crate::artifact::Encoder;
use crate::data::label::{Label, Term};
use crate::data::{name_text, number_text, quoted_text};
use crate::hir::{Columns, Spec};
use crate::schema::{Args, Call, Cost, Duration, Reference, Value};
use crate::syntax::ast::{Expr, ExprKind, Name, UnaryOp};

/// Two values with the same key mean the same: `1e-3` and `0.001`, one path and another.
pub fn key(value: &Value) -> String {
    let mut e = Encoder::default();
    e.value(value);
    e.text
}

pub fn value(v: &Value) -> String {
    match v {
        Value::Bool(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::Float(v) => number_text(*v),
        Value::Str(v) | Value::Path(v) => quoted_text(v),
        Value::Name(parts) => path(parts.iter().map(String::as_str)),
        Value::List(items) => list(items.iter().map(|i| value(&i.value))),
        Value::Call(c) => call(c),
        Value::Duration(Duration::Epochs(n)) => format!("{} epochs", number_text(*n)),
        Value::Duration(Duration::Steps(n)) => format!("{} steps", number_text(*n)),
        Value::Budget(b) => {
            let of = match b.of {
                Cost::Params => "params",
                Cost::Macs => "macs",
            };
            let most = number_text(b.at_most);
            match b.relative_to {
                None => format!("{of} <= {most}"),
                Some(Reference::Independent) => format!("{of} <= {most} * independent"),
                Some(Reference::Shared) => format!("{of} <= {most} * shared"),
            }
        }
        Value::Expr(e) => expr(e),
    }
}

/// `conv(channels = 64, kernel = 7)`: the arguments that were given.
pub fn call(c: &Call) -> String {
    with_args(c.name, &c.args)
}

pub fn with_args(name: &str, args: &Args) -> String {
    let given: Vec<String> =
        args.iter().filter(|(n, _)| args.is_given(n)).map(|(n, v)| format!("{n} = {}", value(&v.value))).collect();
    if given.is_empty() { name.to_string() } else { format!("{name}({})", given.join(", ")) }
}

/// `census[age, sex]`, `digits.image`.
pub fn columns(spec: &Spec, c: &Columns) -> String {
    let data = name_text(&spec.data[c.data.0].name);
    match c.names.as_deref() {
        None => data,
        Some([one]) => format!("{data}.{}", name_text(one)),
        Some(many) => format!("{data}{}", list(many.iter().map(|n| name_text(n)))),
    }
}

pub fn label(l: &Label) -> String {
    match l.terms.as_slice() {
        [one] => term(one, &l.data),
        many => list(many.iter().map(|t| term(t, &l.data))),
    }
}

fn term(t: &Term, data: &str) -> String {
    let column = |name: &str| format!("{}.{}", name_text(data), name_text(name));
    // Brackets only around what has an operator of its own.
    let part = |t: &Term| match t {
        Term::Binary(..) | Term::OneOf(..) | Term::Within(..) => format!("({})", term(t, data)),
        _ => term(t, data),
    };
    match t {
        Term::Column(name, _) => column(name),
        Term::IsMissing(name, _) => format!("{} is missing", column(name)),
        Term::Number(v) => number_text(*v),
        Term::Text(v) => quoted_text(v),
        Term::Bool(v) => v.to_string(),
        Term::Truth(t) => part(t),
        Term::Not(t) => format!("not {}", part(t)),
        Term::Neg(t) => format!("-{}", part(t)),
        Term::Binary(op, a, b) => format!("{} {} {}", part(a), op.symbol(), part(b)),
        Term::OneOf(t, items) => format!("{} in {}", part(t), list(items.iter().map(|i| term(i, data)))),
        Term::Within(t, a, b) => format!("{} in {}..{}", part(t), number_text(*a), number_text(*b)),
    }
}

fn expr(e: &Expr) -> String {
    let names = |parts: &[Name]| path(parts.iter().map(|p| p.text.as_str()));
    match &e.kind {
        ExprKind::Int(v) => v.to_string(),
        ExprKind::Float(v) => number_text(*v),
        ExprKind::Str(v) => quoted_text(v),
        ExprKind::Path(parts) => names(parts),
        ExprKind::Star => "*".into(),
        ExprKind::Missing => String::new(),
        ExprKind::List(items) => list(items.iter().map(expr)),
        ExprKind::Chain(items) => items.iter().map(expr).collect::<Vec<_>>().join(" -> "),
        ExprKind::Call { callee, args } => {
            let args = args.iter().map(|a| match &a.name {
                Some(n) => format!("{} = {}", n.text, expr(&a.value)),
                None => expr(&a.value),
            });
            format!("{}({})", expr(callee), args.collect::<Vec<_>>().join(", "))
        }
        ExprKind::Index { base, items } => format!("{}{}", expr(base), list(items.iter().map(expr))),
        ExprKind::Unary { op: UnaryOp::Neg, operand } => format!("-{}", expr(operand)),
        ExprKind::Unary { op: UnaryOp::Not, operand } => format!("not {}", expr(operand)),
        ExprKind::Binary { op, left, right } => format!("{} {} {}", expr(left), op.symbol(), expr(right)),
        ExprKind::Range { from, to } => format!("{}..{}", expr(from), expr(to)),
        ExprKind::Quantity { value, unit } => format!("{} {}", expr(value), unit.text),
    }
}

fn path<'a>(parts: impl Iterator<Item = &'a str>) -> String {
    parts.map(name_text).collect::<Vec<_>>().join(".")
}

pub fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}
