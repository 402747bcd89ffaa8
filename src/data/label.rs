//! Label and mask expressions over columns: `census.income == "50000+."`, `digits.label % 2 == 1`.
//!
//! [`check_label`] and [`check_mask`] resolve an expression against what is known of the data (more once the schema is
//! frozen) and give a [`Label`], which `evaluate.rs` computes row by row.

use super::outline::{Known, KnownColumn, KnownKind};
use super::schema_text::float;
use crate::diag::{Applicability, Diagnostic, codes, suggest};
use crate::objective::TaskKind;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, UnaryOp};

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

/// What a term gives.
#[derive(Debug, Clone, PartialEq)]
enum Type {
    Open,
    Bool,
    Number,
    Text,
    /// This many numbers (`None` while open).
    Array(Option<usize>),
}

impl Type {
    fn describe(&self) -> String {
        match self {
            Type::Open => "not known yet".into(),
            Type::Bool => "true or false".into(),
            Type::Number => "a number".into(),
            Type::Text => "text".into(),
            Type::Array(Some(n)) => format!("{n} numbers"),
            Type::Array(None) => "an array".into(),
        }
    }
}

/// Checks a task's label against its kind. What is open passes; check again with a frozen schema.
pub fn check_label(expr: &Expr, kind: TaskKind, data: &[Known]) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check { data, home: None, errors: Vec::new() };
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
pub fn check_mask(expr: &Expr, data: &[Known]) -> Result<Label, Vec<Diagnostic>> {
    let mut check = Check { data, home: None, errors: Vec::new() };
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

/// How many classes a label has, where the data tells: the vocabulary of a column of text, or the largest number plus one.
pub fn classes(label: &Label, data: &Known) -> Option<usize> {
    let [Term::Column(name, _)] = label.terms.as_slice() else { return None };
    match &data.column(name)?.kind {
        KnownKind::Category(values) => values.as_ref().map(Vec::len),
        KnownKind::Numeric(ends) => ends.filter(|[a, b]| *a >= 0.0 && b.fract() == 0.0).map(|[_, b]| b as usize + 1),
        KnownKind::Open => None,
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
                return wrong(
                    *span,
                    format!("the label of a `{word}` task is {needs}, and this is {given}"),
                    "choose another column, another kind of task, or a comparison".into(),
                );
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

struct Check<'a> {
    data: &'a [Known],
    /// The data set that was named first.
    home: Option<usize>,
    errors: Vec<Diagnostic>,
}

impl Check<'_> {
    fn home(&self) -> Option<&Known> {
        Some(&self.data[self.home?])
    }

    /// Training extremes of a plain column.
    fn ends(&self, term: &Term) -> Option<[f64; 2]> {
        let Term::Column(name, _) = term else { return None };
        match &self.home()?.column(name)?.kind {
            KnownKind::Numeric(ends) => *ends,
            _ => None,
        }
    }

    fn example(&self, term: &Term) -> Option<&str> {
        let Term::Column(name, _) = term else { return None };
        match &self.home()?.column(name)?.kind {
            KnownKind::Category(Some(values)) => values.last().map(String::as_str),
            _ => None,
        }
    }

    fn finish(mut self, span: Span, terms: Vec<Term>) -> Result<Label, Vec<Diagnostic>> {
        if self.errors.is_empty() && self.home.is_none() {
            self.errors.push(
                Diagnostic::new(codes::TASK_LABEL, span, "this reads no column of any data set")
                    .help("a label names columns as `DATA.COLUMN`, for example `census.income == \"50000+.\"`"),
            );
        }
        match self.home {
            Some(h) if self.errors.is_empty() => Ok(Label { data: self.data[h].data.clone(), terms }),
            _ => Err(self.errors),
        }
    }

    fn wrong(&mut self, d: Diagnostic) -> (Term, Type) {
        self.errors.push(d);
        (Term::Bool(false), Type::Open)
    }

    fn mismatch(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) -> (Term, Type) {
        self.wrong(Diagnostic::new(codes::TYPE_MISMATCH, span, message).help(help))
    }

    fn term(&mut self, e: &Expr) -> (Term, Type) {
        match &e.kind {
            ExprKind::Missing => (Term::Bool(false), Type::Open),
            ExprKind::Int(v) => (Term::Number(*v as f64), Type::Number),
            ExprKind::Float(v) => (Term::Number(*v), Type::Number),
            ExprKind::Str(s) => (Term::Text(s.clone()), Type::Text),
            ExprKind::Path(parts) => match parts.as_slice() {
                [one] if !one.quoted && (one.text == "true" || one.text == "false") => {
                    (Term::Bool(one.text == "true"), Type::Bool)
                }
                [data, column] => self.column(e.span, data, column),
                [one] => self.bare(one),
                _ => self.mismatch(e.span, "a column is named `DATA.COLUMN`", "quote names that contain dots"),
            },
            ExprKind::Unary { op: UnaryOp::Neg, operand } => {
                let (t, ty) = self.term(operand);
                match self.expect(&ty, Type::Number, operand.span, "`-`") {
                    true => (Term::Neg(Box::new(t)), Type::Number),
                    false => (t, Type::Open),
                }
            }
            ExprKind::Unary { op: UnaryOp::Not, operand } => {
                let (t, ty) = self.term(operand);
                match self.expect(&ty, Type::Bool, operand.span, "`not`") {
                    true => (Term::Not(Box::new(t)), Type::Bool),
                    false => (t, Type::Open),
                }
            }
            ExprKind::Binary { op: BinaryOp::In, left, right } => self.member(e.span, left, right),
            ExprKind::Binary { op, left, right } => self.binary(*op, left, right),
            ExprKind::List(_) | ExprKind::Range { .. } => {
                self.mismatch(e.span, "a list or range stands here where one value belongs", "write `COLUMN in [...]`")
            }
            _ => self.mismatch(
                e.span,
                "labels are made of columns, numbers, text, comparisons, `in`, `and`, `or`, `not` and arithmetic",
                "compute anything else before the data is read",
            ),
        }
    }

    fn expect(&mut self, ty: &Type, wanted: Type, span: Span, of: &str) -> bool {
        if *ty == wanted || *ty == Type::Open {
            return true;
        }
        let message = format!("{of} takes {}, and this is {}", wanted.describe(), ty.describe());
        let help = match (ty, wanted) {
            (Type::Text, Type::Number) => "a column is a number where `numeric` names it",
            (_, Type::Bool) => "compare it with something first",
            _ => "a label is computed from one number per sample",
        };
        self.mismatch(span, message, help);
        false
    }

    fn column(
        &mut self,
        span: Span,
        data: &crate::syntax::ast::Name,
        column: &crate::syntax::ast::Name,
    ) -> (Term, Type) {
        let Some(at) = self.data.iter().position(|k| k.data == data.text) else {
            let names = || self.data.iter().map(|k| k.data.as_str());
            let near = suggest::nearest(&data.text, names()).map(|n| format!("did you mean `{n}`?"));
            let d = Diagnostic::new(codes::NAME_UNKNOWN, data.span, format!("no data set is called `{}`", data.text))
                .label(near.unwrap_or_default())
                .help(format!("the data sets are {}", suggest::listing(names())));
            return self.wrong(d);
        };
        if self.home.is_some_and(|h| h != at) {
            let other = &self.data[self.home.expect("just tested")].data;
            let message = format!("one label reads two data sets, `{other}` and `{}`", data.text);
            return self.wrong(
                Diagnostic::new(codes::TASK_LABEL, span, message)
                    .help("rows of different data sets do not belong together"),
            );
        }
        self.home = Some(at);
        let known = &self.data[at];
        match known.require(column) {
            Err(d) => self.wrong(*d),
            Ok(found) => (Term::Column(column.text.clone(), usize::MAX), found.map_or(Type::Open, type_of)),
        }
    }

    fn bare(&mut self, name: &crate::syntax::ast::Name) -> (Term, Type) {
        let home = self.data.iter().find(|k| k.column(&name.text).is_some());
        let d = match home {
            Some(k) => {
                let full = format!("{}.{}", k.data, super::schema_text::name(&name.text));
                Diagnostic::new(codes::DATA_COLUMN, name.span, format!("`{}` alone is no column", name.text))
                    .help(format!("a column is named with its data set: `{full}`"))
                    .fix(format!("write `{full}`"), name.span, full, Applicability::Safe)
            }
            None => Diagnostic::new(codes::NAME_UNKNOWN, name.span, format!("nothing is called `{}` here", name.text))
                .help("a column is named `DATA.COLUMN`; text stands in double quotes"),
        };
        self.wrong(d)
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> (Term, Type) {
        let (l, lt) = self.term(left);
        let (r, rt) = self.term(right);
        let symbol = format!("`{}`", op.symbol());
        let made = |l: Term, r: Term, ty| (Term::Binary(op, Box::new(l), Box::new(r)), ty);
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let ok = self.expect(&lt, Type::Bool, left.span, &symbol)
                    & self.expect(&rt, Type::Bool, right.span, &symbol);
                if ok { made(l, r, Type::Bool) } else { (l, Type::Open) }
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                for (a, at, b, span) in [(&l, &lt, &r, right.span), (&r, &rt, &l, left.span)] {
                    if let Some(result) = self.equal(a, at, b, span, op) {
                        return result;
                    }
                }
                if lt != rt && lt != Type::Open && rt != Type::Open {
                    return self.unlike(left.span.to(right.span), &l, &lt, &r, &rt);
                }
                if let Type::Array(_) = lt {
                    return self.mismatch(
                        left.span,
                        format!("{} cannot be compared", lt.describe()),
                        "a label is computed from one value per sample",
                    );
                }
                made(l, r, Type::Bool)
            }
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let ok = self.expect(&lt, Type::Number, left.span, &symbol)
                    & self.expect(&rt, Type::Number, right.span, &symbol);
                if ok { made(l, r, Type::Bool) } else { (l, Type::Open) }
            }
            _ => {
                if matches!(op, BinaryOp::Rem | BinaryOp::Div) && r == Term::Number(0.0) {
                    return self.wrong(
                        Diagnostic::new(codes::TYPE_RANGE, right.span, "division by zero")
                            .help("divide by another number"),
                    );
                }
                let ok = self.expect(&lt, Type::Number, left.span, &symbol)
                    & self.expect(&rt, Type::Number, right.span, &symbol);
                if ok { made(l, r, Type::Number) } else { (l, Type::Open) }
            }
        }
    }

    /// A column compared with text: the text must occur, or mean "missing". `Some`: the comparison is settled.
    fn equal(&mut self, column: &Term, ty: &Type, text: &Term, span: Span, op: BinaryOp) -> Option<(Term, Type)> {
        let (Term::Column(name, _), Term::Text(text)) = (column, text) else { return None };
        if self.home()?.outline.missing.contains(text) {
            let missing = Term::IsMissing(name.clone(), usize::MAX);
            let term = if op == BinaryOp::Eq { missing } else { Term::Not(Box::new(missing)) };
            return Some((term, Type::Bool));
        }
        match ty {
            Type::Text => self.occurs(name.clone(), text.clone(), span),
            _ => None,
        }
    }

    /// Refuses text that the column never holds in training.
    fn occurs(&mut self, column: String, text: String, span: Span) -> Option<(Term, Type)> {
        let KnownKind::Category(Some(values)) = &self.home()?.column(&column)?.kind else { return None };
        if values.contains(&text) {
            return None;
        }
        let all = || values.iter().map(String::as_str);
        let near = suggest::nearest(&text, all());
        let d = Diagnostic::new(codes::TASK_LABEL, span, format!("column `{column}` never holds {text:?} in training"))
            .label(near.map(|n| format!("did you mean {n:?}?")).unwrap_or_default())
            .help(format!("its values are {}", suggest::listing(all())));
        let d = match near {
            Some(n) => d.fix(format!("replace {text:?} with {n:?}"), span, format!("{n:?}"), Applicability::Maybe),
            None => d,
        };
        Some(self.wrong(d))
    }

    fn unlike(&mut self, span: Span, l: &Term, lt: &Type, r: &Term, rt: &Type) -> (Term, Type) {
        let help = match (l, lt, r, rt) {
            (Term::Column(name, _), Type::Text, Term::Number(v), _)
            | (Term::Number(v), _, Term::Column(name, _), Type::Text) => {
                format!("column `{name}` is text: write \"{v}\", or make it a number with `numeric = [{name}, ...]`")
            }
            (Term::Column(name, _), Type::Number, Term::Text(_), _)
            | (Term::Text(_), _, Term::Column(name, _), Type::Number) => {
                format!("column `{name}` is numeric: compare it with a number")
            }
            _ => "compare like with like".into(),
        };
        self.mismatch(span, format!("{} is compared with {}", lt.describe(), rt.describe()), help)
    }

    fn member(&mut self, span: Span, left: &Expr, right: &Expr) -> (Term, Type) {
        let (l, lt) = self.term(left);
        match &right.kind {
            ExprKind::Range { from, to } => {
                let (Some(a), Some(b)) = (float(from), float(to)) else {
                    return self.mismatch(
                        right.span,
                        "a range goes from one number to another",
                        "for example `in 18..25`",
                    );
                };
                match self.expect(&lt, Type::Number, left.span, "`in` with a range") {
                    true => (Term::Within(Box::new(l), a, b), Type::Bool),
                    false => (l, Type::Open),
                }
            }
            ExprKind::List(items) if !items.is_empty() => {
                let mut values = Vec::new();
                let mut missing = None;
                for item in items {
                    let (value, ty) = match float(item) {
                        Some(v) => (Term::Number(v), Type::Number),
                        None => self.term(item),
                    };
                    if !matches!(value, Term::Number(_) | Term::Text(_)) {
                        return self.mismatch(item.span, "a list to be `in` holds numbers or text", "quote the text");
                    }
                    match self.equal(&l, &lt, &value, item.span, BinaryOp::Eq) {
                        Some((is @ Term::IsMissing(..), _)) => {
                            missing = Some(is);
                            continue;
                        }
                        Some(wrong) => return wrong,
                        None => {}
                    }
                    if ty != lt && lt != Type::Open {
                        return self.unlike(item.span, &l, &lt, &value, &ty);
                    }
                    values.push(value);
                }
                let one_of = Term::OneOf(Box::new(l), values);
                let term = match missing {
                    Some(m) => Term::Binary(BinaryOp::Or, Box::new(m), Box::new(one_of)),
                    None => one_of,
                };
                (term, Type::Bool)
            }
            _ => self.mismatch(span, "`in` needs a list or a range", "for example `in [1, 2]` or `in 18..25`"),
        }
    }
}

fn type_of(c: &KnownColumn) -> Type {
    match (&c.kind, &c.shape) {
        (KnownKind::Open, _) => Type::Open,
        (KnownKind::Category(_), _) => Type::Text,
        (KnownKind::Numeric(_), Some(shape)) if shape.is_empty() => Type::Number,
        (KnownKind::Numeric(_), Some(shape)) => Type::Array(Some(shape.iter().product())),
        // An idx or npy column before freezing: one number or an array.
        (KnownKind::Numeric(_), None) => Type::Open,
    }
}
