//! Label and mask expressions over columns: `census.income == "50000+."`, `digits.label % 2 == 1`.
//!
//! [`check_label`] and [`check_mask`] resolve an expression against what is known of the data (more once the schema is
//! frozen) and give a [`Label`], which `evaluate.rs` computes row by row.

use super::freeze::{Facts, Schema};
use super::outline::{Known, KnownKind};
use super::terms::{Check, Type};
use crate::diag::{Diagnostic, codes, suggest};
use crate::objective::TaskKind;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind};

/// A resolved expression, or a list of them (one per output).
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    /// The data set whose columns it reads.
    pub data: String,
    pub terms: Vec<Term>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A column by name; the number is its place once bound to data.
    Column(String, usize),
    Number(f64),
    Text(String),
    Bool(bool),
    Not(Box<Term>),
    Neg(Box<Term>),
    Binary(BinaryOp, Box<Term>, Box<Term>),
    /// In a list of literals.
    OneOf(Box<Term>, Vec<Term>),
    /// Between two numbers, both included.
    Within(Box<Term>, f64, f64),
    /// Whether a column's cell is missing: `x == "?"` where `"?"` means missing.
    IsMissing(String, usize),
}

/// Checks a task's label against its kind. What is open passes; check again with a frozen schema.
pub fn check_label<'a>(
    expr: &Expr,
    kind: TaskKind,
    data: impl IntoIterator<Item = &'a Known>,
) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check::new(data);
    let terms: Vec<(Term, Type, Span)> = match &expr.kind {
        ExprKind::List(items) => items.iter().map(|e| with_span(check.term(e), e.span)).collect(),
        _ => vec![with_span(check.term(expr), expr.span)],
    };
    if check.errors.is_empty()
        && let Err(d) = fits(&check, expr, kind, &terms)
    {
        check.errors.push(*d);
    }
    check.finish(expr.span, terms.into_iter().map(|(t, ..)| t).collect())
}

/// Checks a mask: true where a sample counts for the task.
pub fn check_mask<'a>(expr: &Expr, data: impl IntoIterator<Item = &'a Known>) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check::new(data);
    let (term, ty) = check.term(expr);
    if check.errors.is_empty() && !matches!(ty, Type::Bool | Type::Open) {
        check.errors.push(
            Diagnostic::new(
                codes::TASK_LABEL,
                expr.span,
                format!("a mask is true or false, and this is {}", ty.describe()),
            )
            .help("compare it with something, for example `!= \"?\"` or `> 0`"),
        );
    }
    check.finish(expr.span, vec![term])
}

/// What `classes(n)` takes at most.
const MAX_CLASSES: f64 = (1u64 << 30) as f64;

/// How many classes a label has, where the data tells: the vocabulary of a column of text, or the largest number plus one.
pub fn classes(label: &Label, data: &Known) -> Option<usize> {
    let [Term::Column(name, _)] = label.terms.as_slice() else { return None };
    match &data.column(name)?.kind {
        KnownKind::Category(values) => values.as_ref().map(Vec::len),
        // A number that is larger than any number of classes is no class number.
        KnownKind::Numeric(ends) => {
            ends.filter(|[a, b]| *a >= 0.0 && b.fract() == 0.0 && *b < MAX_CLASSES).map(|[_, b]| b as usize + 1)
        }
        KnownKind::Open | KnownKind::Picture => None,
    }
}

/// The words of the classes in the order of their numbers, if the label is a column of text.
pub fn words(label: &Label, schema: &Schema) -> Option<Vec<String>> {
    let [Term::Column(name, _)] = label.terms.as_slice() else { return None };
    match &schema.column(name)?.facts {
        Facts::Category { values } => Some(values.iter().map(|(v, _)| v.clone()).collect()),
        Facts::Numeric { .. } | Facts::Picture => None,
    }
}

fn with_span((term, ty): (Term, Type), span: Span) -> (Term, Type, Span) {
    (term, ty, span)
}

/// Whether the types are those that the task kind needs.
fn fits(check: &Check, expr: &Expr, kind: TaskKind, terms: &[(Term, Type, Span)]) -> Result<(), Box<Diagnostic>> {
    let wrong = |span: Span, what: String, help: String| {
        Err(Box::new(Diagnostic::new(codes::TASK_LABEL, span, what).help(help)))
    };
    let many = matches!(expr.kind, ExprKind::List(_));
    let word = kind.name();
    if many && !matches!(kind, TaskKind::Multilabel(_) | TaskKind::Regression(_)) {
        return wrong(
            expr.span,
            format!("a `{word}` task has one label, and this is a list"),
            "a list is for `multilabel(n)` and `regression(n)`, one entry per output".into(),
        );
    }
    let width = |n: Option<usize>| match terms {
        [(_, Type::Array(k), _)] if !many => k.zip(n).is_none_or(|(k, n)| k == n),
        [(_, Type::Open, _)] if !many => true,
        _ => n.is_none_or(|n| n == terms.len()),
    };
    for (term, ty, span) in terms {
        let given = ty.describe();
        match (kind, ty) {
            (_, Type::Open) => {}
            (TaskKind::Binary, Type::Bool) | (TaskKind::Multilabel(_), Type::Bool) => {}
            (TaskKind::Binary, Type::Number) => {
                if let Some([min, max]) = check.ends(term)
                    && (min < 0.0 || max > 1.0)
                {
                    return wrong(
                        *span,
                        format!("a `binary` label is 0 or 1, and this goes from {min} to {max}"),
                        "compare it: `== 1`, `> 0`, `in [1, 2]`".into(),
                    );
                }
            }
            (TaskKind::Binary, Type::Text) => {
                let help = match check.example(term) {
                    Some(v) => format!("compare it with one of its values, for example `== {v:?}`"),
                    None => "compare it with one of its values, for example `== \"yes\"`".into(),
                };
                return wrong(*span, "a `binary` label is true or false, and this is text".into(), help);
            }
            (TaskKind::Classes(n), Type::Number) => {
                if let (Some(n), Some([min, max])) = (n, check.ends(term))
                    && (min < 0.0 || max >= n as f64)
                {
                    return wrong(
                        *span,
                        format!("a label of `classes({n})` is 0 to {}, and this goes from {min} to {max}", n - 1),
                        format!("write `classes({})`, or shift the label", max as i64 + 1),
                    );
                }
            }
            (TaskKind::Classes(n), Type::Text) => {
                let Term::Column(name, _) = term else {
                    return wrong(*span, "a class is a column or a number".into(), "name a column of text".into());
                };
                let known = check.home().and_then(|h| h.column(name)).map(|c| &c.kind);
                if let (Some(n), Some(KnownKind::Category(Some(values)))) = (n, known)
                    && values.len() != n
                {
                    return wrong(
                        *span,
                        format!("column `{name}` has {} different values, and the task {n} classes", values.len()),
                        format!(
                            "write `classes({})`; they are {}",
                            values.len(),
                            suggest::listing(values.iter().map(String::as_str))
                        ),
                    );
                }
            }
            (TaskKind::Regression(_), Type::Number) => {}
            (TaskKind::Multilabel(_) | TaskKind::Regression(_), Type::Array(_)) if !many => {}
            (TaskKind::Segmentation(_) | TaskKind::Depth | TaskKind::Normals, Type::Array(_)) => {}
            _ => {
                let needs = match kind {
                    TaskKind::Binary => "true or false",
                    TaskKind::Classes(_) => "a column of text or a class number",
                    TaskKind::Multilabel(_) => "an array of 0 and 1, or a list of comparisons",
                    TaskKind::Regression(_) => "a number, an array, or a list of numbers",
                    _ => "an array with one value per pixel",
                };
                let help = match (kind, ty, term) {
                    (TaskKind::Regression(_), Type::Text, Term::Column(name, _)) => {
                        format!(
                            "make column `{name}` a number with `numeric = [{name}, ...]`, or choose another kind of task"
                        )
                    }
                    (_, Type::Bool, _) => "what is true or false is the label of a `binary` task".into(),
                    _ => "choose another column, another kind of task, or a comparison".into(),
                };
                return wrong(*span, format!("the label of a `{word}` task is {needs}, and this is {given}"), help);
            }
        }
    }
    let n = match kind {
        TaskKind::Multilabel(n) => n,
        TaskKind::Regression(n) => Some(n),
        _ => return Ok(()),
    };
    if !width(n) {
        let has = match terms {
            [(_, Type::Array(Some(k)), _)] => *k,
            _ => terms.len(),
        };
        return wrong(
            expr.span,
            format!(
                "a `{word}({})` task has {} labels per sample, and this gives {has}",
                n.unwrap_or(0),
                n.unwrap_or(0)
            ),
            format!("write `{word}({has})`, or choose a label of that size"),
        );
    }
    Ok(())
}
