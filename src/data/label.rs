//! Label and mask expressions over columns: `census.income == "50000+."`, `digits.label % 2 == 1`.
//!
//! [`check_label`] and [`check_mask`] resolve an expression against what is known of the data (more once the schema is
//! frozen) and give a [`Label`], which `evaluate.rs` computes row by row.

use super::axes;
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
    /// Sizes per sample as stored in the columns: empty for one value, `[n]` for a list of n, else the sizes of the array. `None` while
    /// unknown.
    pub sizes: Option<Vec<usize>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// A column by name; the number is its place once bound to data.
    Column(String, usize),
    Number(f64),
    Text(String),
    Bool(bool),
    Not(Box<Term>),
    /// A column of the texts `true` and `false`, in upper or lower case, as a truth value.
    Truth(Box<Term>),
    Neg(Box<Term>),
    Binary(BinaryOp, Box<Term>, Box<Term>),
    /// In a list of literals.
    OneOf(Box<Term>, Vec<Term>),
    /// Between two numbers, both included.
    Within(Box<Term>, f64, f64),
    /// Whether a column's cell is missing: `x == "?"` where `"?"` means missing.
    IsMissing(String, usize),
}

/// Checks a task's label against its kind. What is unknown passes; check again with a frozen schema. With `excused`, a mask or `ignore`
/// excludes some values later, so the extremes of the column may not be those of the labels.
pub fn check_label<'a>(
    expr: &Expr,
    kind: TaskKind,
    excused: bool,
    data: impl IntoIterator<Item = &'a Known>,
) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check::new(data);
    let terms = listed(&mut check, expr, matches!(kind, TaskKind::Binary | TaskKind::Multilabel(_)));
    if check.errors.is_empty()
        && let Err(d) = fits(&check, expr, kind, excused, &terms)
    {
        check.errors.push(*d);
    }
    finish(check, expr, terms)
}

/// Checks a mask, which is true where a label counts for the task. It has one value per sample, or an array or a list with one value per
/// label or pixel. Numbers that are 0 or 1 are allowed.
pub fn check_mask<'a>(
    expr: &Expr,
    kind: TaskKind,
    data: impl IntoIterator<Item = &'a Known>,
) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check::new(data);
    let terms = listed(&mut check, expr, true);
    for (term, ty, span) in &terms {
        let marks = match (ty, term) {
            (Type::Bool | Type::Flags(_) | Type::Open, _) => true,
            (Type::Number | Type::Array(_), Term::Column(..)) => {
                check.ends(term).is_none_or(|[min, max]| min >= 0.0 && max <= 1.0)
            }
            _ => false,
        };
        if check.errors.is_empty() && !marks {
            check.errors.push(
                Diagnostic::new(
                    codes::TASK_LABEL,
                    *span,
                    format!("a mask is true or false, or 1 or 0, and this is {}", ty.describe()),
                )
                .help("compare it with something, for example `!= \"?\"` or `> 0`"),
            );
        }
    }
    let several = matches!(kind, TaskKind::Multilabel(_) | TaskKind::Regression(_));
    let wrong = match (&expr.kind, terms.as_slice()) {
        (ExprKind::List(_), _) if !several => Some("one label and this is a list".to_string()),
        (_, [(_, Type::Array(Some(sizes)) | Type::Flags(Some(sizes)), _)]) if !several && !kind.is_dense() => {
            Some(format!("one label per sample, and this is an array {sizes:?}"))
        }
        _ => None,
    };
    if let Some(wrong) = wrong.filter(|_| check.errors.is_empty()) {
        check.errors.push(
            Diagnostic::new(codes::TASK_LABEL, expr.span, format!("a `{}` task has {wrong}", kind.name()))
                .help("its mask is one value per sample"),
        );
    }
    finish(check, expr, terms)
}

type Checked = (Term, Type, Span);

/// The terms of an expression, or of each entry of a list. With `truth`, columns of the texts `true` and `false` are truth values.
fn listed(check: &mut Check, expr: &Expr, truth: bool) -> Vec<Checked> {
    let items = match &expr.kind {
        ExprKind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(expr),
    };
    let each = |e: &Expr| {
        let (term, ty) = check.term(e);
        let (term, ty) = if truth { check.truth(term, ty) } else { (term, ty) };
        (term, ty, e.span)
    };
    items.iter().map(each).collect()
}

fn finish(check: Check, expr: &Expr, terms: Vec<Checked>) -> Result<Label, Vec<Diagnostic>> {
    let sizes = match (&expr.kind, terms.as_slice()) {
        (ExprKind::List(items), _) => Some(vec![items.len()]),
        (_, [(_, Type::Text, _)]) => Some(Vec::new()),
        (_, [(_, ty, _)]) => ty.sizes().map(<[usize]>::to_vec),
        _ => None,
    };
    check.finish(expr.span, terms.into_iter().map(|(t, ..)| t).collect(), sizes)
}

/// Checks an expression that divides rows. It must have one value per row; a condition must be true or false.
pub fn check_row<'a>(
    expr: &Expr,
    condition: bool,
    data: impl IntoIterator<Item = &'a Known>,
) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check::new(data);
    check.any_text = true;
    let (term, ty) = check.term(expr);
    let needed = match &ty {
        Type::Array(Some(_)) | Type::Flags(Some(_)) | Type::Picture => Some("one value per row"),
        // An array of unknown sizes may turn out to have one value per row.
        Type::Bool | Type::Flags(None) | Type::Open => None,
        Type::Number | Type::Array(None) | Type::Text => condition.then_some("true or false"),
    };
    if let Some(needed) = needed.filter(|_| check.errors.is_empty()) {
        let message = format!("an expression that divides rows must be {needed}, and this is {}", ty.describe());
        let d = Diagnostic::new(codes::DATA_SPLIT, expr.span, message);
        check.errors.push(d.help("compare a column of one value per row with something, for example `d.age > 60`"));
    }
    check.finish(expr.span, vec![term], None)
}

/// What `classes(n)` takes at most.
const MAX_CLASSES: f64 = (1u64 << 30) as f64;

/// The number of classes of a label, if the data determine it: the size of the vocabulary of a text column, or the largest number plus
/// one. `None` if `ignore` excludes some numbers.
pub fn classes(label: &Label, ignore: &[f64], data: &Known) -> Option<usize> {
    let [Term::Column(name, _)] = label.terms.as_slice() else { return None };
    match &data.column(name)?.kind {
        KnownKind::Category(values) => values.as_ref().map(Vec::len),
        KnownKind::Counted(n) => Some(*n),
        // A number that is larger than any number of classes is no class number.
        KnownKind::Numeric(ends) => ends
            .filter(|[a, b]| {
                (*a >= 0.0 || ignore.contains(a))
                    && !ignore.contains(b)
                    && *b >= 0.0
                    && b.fract() == 0.0
                    && *b < MAX_CLASSES
            })
            .map(|[_, b]| b as usize + 1),
        KnownKind::Open | KnownKind::Picture | KnownKind::Hashed(_) => None,
    }
}

/// The words of the classes in the order of their numbers, if the label is a column of text.
pub fn words(label: &Label, schema: &Schema) -> Option<Vec<String>> {
    let [Term::Column(name, _)] = label.terms.as_slice() else { return None };
    match &schema.column(name)?.facts {
        Facts::Category { values } => Some(values.iter().map(|(v, _)| v.clone()).collect()),
        _ => None,
    }
}

/// Whether the types are those that the task kind needs.
fn fits(check: &Check, expr: &Expr, kind: TaskKind, excused: bool, terms: &[Checked]) -> Result<(), Box<Diagnostic>> {
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
    let beyond = |span: Span, what: String, help: String| {
        Err(Box::new(Diagnostic::new(codes::TASK_RANGE, span, what).help(help)))
    };
    let ends = |term: &Term| check.ends(term).filter(|_| !excused);
    for (term, ty, span) in terms {
        let given = ty.describe();
        match (kind, ty) {
            (_, Type::Open) => {}
            (TaskKind::Binary, Type::Bool | Type::Flags(None) | Type::Array(None)) => {}
            (TaskKind::Binary, Type::Number) | (TaskKind::Multilabel(_), Type::Number) => {
                if let Some([min, max]) = ends(term)
                    && (min < 0.0 || max > 1.0)
                {
                    return beyond(
                        *span,
                        format!("a `{word}` label is 0 or 1, and this goes from {min} to {max}"),
                        unlabelled(term, check, kind, [min, max], 2),
                    );
                }
            }
            (TaskKind::Multilabel(_), Type::Bool | Type::Flags(None) | Type::Array(None)) => {}
            (TaskKind::Binary, Type::Text) => {
                let help = match check.example(term) {
                    Some(v) => format!("compare it with one of its values, for example `== {v:?}`"),
                    None => "compare it with one of its values, for example `== \"yes\"`".into(),
                };
                return wrong(*span, "a `binary` label is true or false, and this is text".into(), help);
            }
            (TaskKind::Classes(Some(n)), Type::Number) | (TaskKind::Segmentation(n), Type::Array(Some(_)))
                if ends(term).is_some_and(|[min, max]| min < 0.0 || max >= n as f64) =>
            {
                let [min, max] = ends(term).unwrap_or_default();
                return beyond(
                    *span,
                    format!("a label of `{word}({n})` is 0 to {}, and this goes from {min} to {max}", n - 1),
                    unlabelled(term, check, kind, [min, max], n),
                );
            }
            (TaskKind::Classes(_), Type::Number | Type::Array(None)) => {}
            (TaskKind::Classes(n), Type::Text) => {
                let Term::Column(name, _) = term else {
                    return wrong(*span, "a class is a column or a number".into(), "name a column of text".into());
                };
                let known = check.home().and_then(|h| h.column(name)).map(|c| &c.kind);
                if let Some(KnownKind::Hashed(_)) = known {
                    return wrong(
                        *span,
                        format!(
                            "the texts of column `{name}` are hashed into buckets, and each class needs its own text"
                        ),
                        format!("leave `{name}` out of `buckets`"),
                    );
                }
                if let (Some(n), Some(KnownKind::Counted(m))) = (n, known)
                    && n != *m
                {
                    return wrong(
                        *span,
                        format!("column `{name}` has {m} texts with their own number, and the task has {n} classes"),
                        match m {
                            0 => format!(
                                "no text of `{name}` occurs in as many training rows as `min_count` requires: lower it"
                            ),
                            m => format!("write `classes({m})`"),
                        },
                    );
                }
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
            (TaskKind::Regression(_), Type::Number | Type::Array(None)) => {}
            (TaskKind::Multilabel(_), Type::Array(_) | Type::Flags(_)) if !many => {}
            (TaskKind::Regression(_), Type::Array(_)) if !many => {}
            (TaskKind::Segmentation(_), Type::Array(_) | Type::Flags(_)) => {}
            (TaskKind::Depth | TaskKind::Normals, Type::Array(_)) => {}
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
                    (_, Type::Bool | Type::Flags(None), _) => {
                        "a label that is true or false belongs to a `binary` task".into()
                    }
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
    // Compare the sizes of an array axis by axis.
    let held = match terms {
        [(_, Type::Array(sizes) | Type::Flags(sizes), _)] if !many => sizes.clone(),
        [(_, Type::Open, _)] if !many => None,
        [(_, Type::Number | Type::Bool, _)] if !many => Some(vec![1]),
        _ => Some(vec![terms.len()]),
    };
    let (Some(n), Some(held)) = (n, held) else { return Ok(()) };
    if axes::same(&[n], &held) {
        return Ok(());
    }
    match held.as_slice() {
        [has] => wrong(
            expr.span,
            format!("a `{word}({n})` task has {n} labels per sample, and this gives {has}"),
            format!("write `{word}({has})`, or choose a label of that size"),
        ),
        held => wrong(
            expr.span,
            format!("a `{word}({n})` task has labels [{n}] per sample, and this is an array {held:?}"),
            "save the array with a single axis after that of the samples, or choose a kind with a label per pixel"
                .into(),
        ),
    }
}

/// The help for a label with values outside its `n` classes. Such a value may mean "no label"; a comparison would turn it into a
/// negative label.
fn unlabelled(term: &Term, check: &Check, kind: TaskKind, [min, max]: [f64; 2], n: usize) -> String {
    let number = super::schema_text::number;
    let mask = match (term, check.home()) {
        (Term::Column(name, _), Some(home)) if min < 0.0 && max < n as f64 => {
            format!(" (or `mask = {}.{} >= 0`)", home.data, super::schema_text::name(name))
        }
        _ => String::new(),
    };
    let beyond = max >= n as f64;
    let odd = match (min < 0.0, beyond) {
        (true, true) => format!("[{}, {}]", number(min), number(max)),
        (true, false) => number(min),
        _ => number(max),
    };
    let otherwise = match kind {
        TaskKind::Binary | TaskKind::Multilabel(_) => "compare it: `== 1`, `> 0`, `in [1, 2]`".into(),
        _ if min < 0.0 => "shift the label".into(),
        _ => format!("write `{}({})`", kind.name(), max + 1.0),
    };
    match min < 0.0 {
        true => {
            let means = match beyond {
                true => format!("{} and {} mean", number(min), number(max)),
                false => format!("{} means", number(min)),
            };
            format!("if {means} that there is no label, write `ignore = {odd}`{mask}; else {otherwise}")
        }
        false => format!("{otherwise}; or, if {odd} means that there is no label, `ignore = {odd}`"),
    }
}
