//! Resolving the terms of a label: names to columns, types, and the vocabulary that text must come from.

use super::axes;
use super::label::{Label, Term};
use super::outline::{Known, KnownColumn, KnownKind};
use super::schema_text::float;
use crate::diag::{Applicability, Diagnostic, codes, suggest};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Name, UnaryOp};

/// What a term gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    Open,
    Bool,
    Number,
    Text,
    /// An array of numbers of these sizes per sample. `None` while they are unknown; it may then be a single number.
    Array(Option<Vec<usize>>),
    /// An array of truth values of these sizes per sample.
    Flags(Option<Vec<usize>>),
    Picture,
}

impl Type {
    pub fn describe(&self) -> String {
        match self {
            Type::Open => "not known yet".into(),
            Type::Bool => "true or false".into(),
            Type::Number => "a number".into(),
            Type::Text => "text".into(),
            Type::Array(None) => "a number".into(),
            Type::Flags(None) => "true or false".into(),
            Type::Array(Some(sizes)) => format!("an array {sizes:?} of numbers"),
            Type::Flags(Some(sizes)) => format!("an array {sizes:?} of true and false"),
            Type::Picture => "a picture".into(),
        }
    }

    /// Sizes per sample, empty for one value; `None` if they are unknown or the type has none.
    pub fn sizes(&self) -> Option<&[usize]> {
        match self {
            Type::Bool | Type::Number => Some(&[]),
            Type::Array(sizes) | Type::Flags(sizes) => sizes.as_deref(),
            Type::Open | Type::Text | Type::Picture => None,
        }
    }

    fn numbers(sizes: Option<Vec<usize>>) -> Type {
        if sizes.as_ref().is_some_and(Vec::is_empty) { Type::Number } else { Type::Array(sizes) }
    }

    fn flags(sizes: Option<Vec<usize>>) -> Type {
        if sizes.as_ref().is_some_and(Vec::is_empty) { Type::Bool } else { Type::Flags(sizes) }
    }

    /// Whether this is `wanted` ([`Type::Bool`] or [`Type::Number`]) or an array of it.
    fn is(&self, wanted: &Type) -> bool {
        match self {
            Type::Open => true,
            Type::Array(_) => *wanted == Type::Number,
            Type::Flags(_) => *wanted == Type::Bool,
            other => other == wanted,
        }
    }

    /// The type with the same sizes whose values are true or false.
    fn judged(&self) -> Type {
        match self {
            Type::Array(sizes) | Type::Flags(sizes) => Type::Flags(sizes.clone()),
            Type::Open => Type::Flags(None),
            _ => Type::Bool,
        }
    }
}

/// Resolves expressions against data sets and collects what is wrong.
pub struct Check<'a> {
    data: Vec<&'a Known>,
    /// The data set that was named first.
    home: Option<usize>,
    pub errors: Vec<Diagnostic>,
    /// Inside a comparison, where text may stand.
    comparing: bool,
    /// Whether conditions may compare columns with texts that training does not contain. Expressions that divide the rows may, since they
    /// decide which rows training contains.
    pub any_text: bool,
}

impl<'a> Check<'a> {
    pub fn new(data: impl IntoIterator<Item = &'a Known>) -> Check<'a> {
        Check { data: data.into_iter().collect(), home: None, errors: Vec::new(), comparing: false, any_text: false }
    }

    pub fn home(&self) -> Option<&Known> {
        Some(self.data[self.home?])
    }

    /// Training extremes of a plain column.
    pub fn ends(&self, term: &Term) -> Option<[f64; 2]> {
        let Term::Column(name, _) = term else { return None };
        match &self.home()?.column(name)?.kind {
            KnownKind::Numeric(ends) => *ends,
            _ => None,
        }
    }

    pub fn example(&self, term: &Term) -> Option<&str> {
        let Term::Column(name, _) = term else { return None };
        match &self.home()?.column(name)?.kind {
            KnownKind::Category(Some(values)) => values.last().map(String::as_str),
            _ => None,
        }
    }

    pub fn finish(mut self, span: Span, terms: Vec<Term>, sizes: Option<Vec<usize>>) -> Result<Label, Vec<Diagnostic>> {
        if self.errors.is_empty() && self.home.is_none() {
            self.errors.push(
                Diagnostic::new(codes::TASK_LABEL, span, "this reads no column of any data set")
                    .help("a label names columns as `DATA.COLUMN`, for example `census.income == \"50000+.\"`"),
            );
        }
        match self.home {
            Some(h) if self.errors.is_empty() => Ok(Label { data: self.data[h].data.clone(), terms, sizes }),
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

    pub fn term(&mut self, e: &Expr) -> (Term, Type) {
        match &e.kind {
            ExprKind::Missing => (Term::Bool(false), Type::Open),
            ExprKind::Int(v) => match beyond(e) {
                Some(d) => self.wrong(d),
                None => (Term::Number(*v as f64), Type::Number),
            },
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
                    true => (Term::Neg(Box::new(t)), if ty == Type::Open { Type::Array(None) } else { ty }),
                    false => (t, Type::Open),
                }
            }
            ExprKind::Unary { op: UnaryOp::Not, operand } => {
                let (t, ty) = self.term(operand);
                let (t, ty) = self.truth(t, ty);
                match self.expect(&ty, Type::Bool, operand.span, "`not`") {
                    true => (Term::Not(Box::new(t)), ty.judged()),
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

    /// Converts a column of the texts `true` and `false` to truth values.
    pub fn truth(&self, term: Term, ty: Type) -> (Term, Type) {
        let Term::Column(name, _) = &term else { return (term, ty) };
        let kind = self.home().and_then(|h| h.column(name)).map(|c| &c.kind);
        match kind {
            Some(kind) if ty == Type::Text && is_truths(kind) => (Term::Truth(Box::new(term)), Type::Bool),
            _ => (term, ty),
        }
    }

    fn expect(&mut self, ty: &Type, wanted: Type, span: Span, of: &str) -> bool {
        if ty.is(&wanted) {
            return true;
        }
        let message = format!("{of} takes {}, and this is {}", wanted.describe(), ty.describe());
        let help = match (ty, wanted) {
            (Type::Text, Type::Number) => "where `numeric` is given, a column is a number only if it is named there",
            (_, Type::Bool) => "compare it with something first",
            _ => "compute with columns of numbers",
        };
        self.mismatch(span, message, help);
        false
    }

    /// An element-wise operation on two sides of checked kinds; a single value combines with every value of an array. `of` makes the type
    /// of the result from its sizes.
    fn made(
        &mut self,
        op: BinaryOp,
        (l, lt): (Term, Type),
        (r, rt): (Term, Type),
        span: Span,
        of: fn(Option<Vec<usize>>) -> Type,
    ) -> (Term, Type) {
        let sizes = match (lt.sizes(), rt.sizes()) {
            _ if lt == Type::Text => Some(Vec::new()),
            (Some(a), Some([])) | (Some([]), Some(a)) => Some(a.to_vec()),
            (Some(a), Some(b)) if axes::same(a, b) => Some(a.to_vec()),
            (Some(a), Some(b)) => {
                let message = format!("an array {a:?} and an array {b:?} cannot be combined element by element");
                return self.mismatch(span, message, "both sides need the same sizes, or one of them a single value");
            }
            // A side of unknown sizes may be an array or a single value.
            (Some([]) | None, None) | (None, Some([])) => None,
            (a, b) => a.or(b).map(<[usize]>::to_vec),
        };
        (Term::Binary(op, Box::new(l), Box::new(r)), of(sizes))
    }

    fn column(&mut self, span: Span, data: &Name, column: &Name) -> (Term, Type) {
        let Some(at) = self.data.iter().position(|k| k.data == data.text) else {
            let names = || self.data.iter().map(|k| k.data.as_str());
            let d = Diagnostic::new(codes::NAME_UNKNOWN, data.span, format!("no data set is called `{}`", data.text))
                .label("unknown")
                .nearest(&data.text, data.span, names(), super::schema_text::name)
                .help(match self.data.as_slice() {
                    [] => format!("none is declared; declare it: `data {} {{ format = FORMAT, ... }}`", data.text),
                    _ => format!("the data sets are {}", suggest::listing(names())),
                });
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
        let known = self.data[at];
        match known.require(column) {
            Err(d) => self.wrong(*d),
            Ok(Some(KnownColumn { kind: KnownKind::Category(Some(values)), .. })) if values.is_empty() => self.wrong(
                Diagnostic::new(
                    codes::TASK_LABEL,
                    span,
                    format!("column `{}` is empty: no training row holds a value in it", column.text),
                )
                .label("an empty column")
                .help("choose the column that holds the labels, or look at the file with `mtlc data preview`"),
            ),
            Ok(found) => (Term::Column(column.text.clone(), usize::MAX), found.map_or(Type::Open, type_of)),
        }
    }

    fn bare(&mut self, name: &Name) -> (Term, Type) {
        let mut homes = self.data.iter().filter(|k| k.column(&name.text).is_some());
        let (home, other) = (homes.next(), homes.next());
        let d = match home {
            Some(k) => {
                let full = format!("{}.{}", k.data, super::schema_text::name(&name.text));
                Diagnostic::new(codes::DATA_COLUMN, name.span, format!("`{}` alone is no column", name.text))
                    .help(format!("a column is named with its data set: `{full}`"))
                    .fix(
                        format!("write `{full}`"),
                        name.span,
                        full,
                        if other.is_none() { Applicability::Safe } else { Applicability::Maybe },
                    )
            }
            None => {
                let message = format!("nothing is called `{}` here", name.text);
                let help = match self.data.as_slice() {
                    [only] if only.outline.columns.is_none() => {
                        let full = format!("{}.{}", only.data, super::schema_text::name(&name.text));
                        format!("a column is named with its data set, `{full}`; text stands in double quotes")
                    }
                    _ => "a column is named `DATA.COLUMN`; text stands in double quotes".into(),
                };
                let d = Diagnostic::new(codes::NAME_UNKNOWN, name.span, message).help(help);
                if self.comparing { d.quote(name.span, Applicability::Maybe) } else { d }
            }
        };
        self.wrong(d)
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr) -> (Term, Type) {
        let outer = std::mem::replace(&mut self.comparing, matches!(op, BinaryOp::Eq | BinaryOp::Ne));
        let (l, lt) = self.term(left);
        let (r, rt) = self.term(right);
        self.comparing = outer;
        let symbol = format!("`{}`", op.symbol());
        let span = left.span.to(right.span);
        match op {
            BinaryOp::And | BinaryOp::Or => {
                let ((l, lt), (r, rt)) = (self.truth(l, lt), self.truth(r, rt));
                let ok = self.expect(&lt, Type::Bool, left.span, &symbol)
                    & self.expect(&rt, Type::Bool, right.span, &symbol);
                if ok { self.made(op, (l, lt), (r, rt), span, Type::flags) } else { (l, Type::Open) }
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                // `d.valid == true`
                let ((l, lt), (r, rt)) = match (&lt, &rt) {
                    (Type::Bool, _) => ((l, lt), self.truth(r, rt)),
                    (_, Type::Bool) => (self.truth(l, lt), (r, rt)),
                    _ => ((l, lt), (r, rt)),
                };
                for (a, at, b, span) in [(&l, &lt, &r, right.span), (&r, &rt, &l, left.span)] {
                    if let Some(result) = self.equal(a, at, b, span, op) {
                        return result;
                    }
                }
                let alike = lt == rt || [Type::Number, Type::Bool].iter().any(|t| lt.is(t) && rt.is(t));
                if !alike && lt != Type::Open && rt != Type::Open {
                    return self.unlike(span, if lt == Type::Text { left.span } else { right.span }, &l, &lt, &r, &rt);
                }
                if lt == Type::Picture {
                    return self.mismatch(
                        left.span,
                        "a picture cannot be compared",
                        "compare a column of numbers or text",
                    );
                }
                self.made(op, (l, lt), (r, rt), span, Type::flags)
            }
            BinaryOp::Lt | BinaryOp::Le | BinaryOp::Gt | BinaryOp::Ge => {
                let ok = self.expect(&lt, Type::Number, left.span, &symbol)
                    & self.expect(&rt, Type::Number, right.span, &symbol);
                if ok { self.made(op, (l, lt), (r, rt), span, Type::flags) } else { (l, Type::Open) }
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
                if ok { self.made(op, (l, lt), (r, rt), span, Type::numbers) } else { (l, Type::Open) }
            }
        }
    }

    /// A column compared with text: the text must occur, or mean "missing". `Some`: the comparison is settled.
    fn equal(&mut self, column: &Term, ty: &Type, text: &Term, span: Span, op: BinaryOp) -> Option<(Term, Type)> {
        let (Term::Column(name, _), Term::Text(text)) = (column, text) else { return None };
        let home = self.home()?;
        let kind = home.column(name).map(|c| &c.kind);
        let usual = || kind.is_some_and(|k| matches!(k, KnownKind::Numeric(_)) || is_truths(k));
        if home.outline.missing.contains(text) || (home.missing_numbers.contains(text) && usual()) {
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
        if self.any_text || values.contains(&text) {
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

    fn unlike(&mut self, span: Span, text: Span, l: &Term, lt: &Type, r: &Term, rt: &Type) -> (Term, Type) {
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
        let message = format!("{} is compared with {}", lt.describe(), rt.describe());
        let d = Diagnostic::new(codes::TYPE_MISMATCH, span, message).help(help);
        let d = match (l, r) {
            (Term::Text(s), Term::Column(..) | Term::Number(_))
            | (Term::Column(..) | Term::Number(_), Term::Text(s))
                if s.parse::<f64>().is_ok() =>
            {
                d.fix("remove the quotes", text, s.clone(), Applicability::Safe)
            }
            _ => d,
        };
        self.wrong(d)
    }

    fn member(&mut self, span: Span, left: &Expr, right: &Expr) -> (Term, Type) {
        let (l, lt) = self.term(left);
        match &right.kind {
            ExprKind::Range { from, to } => {
                if let Some(d) = beyond(from).or_else(|| beyond(to)) {
                    return self.wrong(d);
                }
                let (Some(a), Some(b)) = (float(from), float(to)) else {
                    return self.mismatch(
                        right.span,
                        "a range goes from one number to another",
                        "for example `in 18..25`",
                    );
                };
                if a > b {
                    return self.mismatch(
                        right.span,
                        "this range contains no number",
                        format!("start with the smaller number: `in {b}..{a}`"),
                    );
                }
                match self.expect(&lt, Type::Number, left.span, "`in` with a range") {
                    true => (Term::Within(Box::new(l), a, b), lt.judged()),
                    false => (l, Type::Open),
                }
            }
            ExprKind::List(items) if !items.is_empty() => {
                let mut values = Vec::new();
                let mut missing = None;
                for item in items {
                    if let Some(d) = beyond(item) {
                        return self.wrong(d);
                    }
                    let outer = std::mem::replace(&mut self.comparing, true);
                    let (value, ty) = match float(item) {
                        Some(v) => (Term::Number(v), Type::Number),
                        None => self.term(item),
                    };
                    self.comparing = outer;
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
                    if ty != lt && lt != Type::Open && !(lt.is(&ty) && ty == Type::Number) {
                        return self.unlike(item.span, item.span, &l, &lt, &value, &ty);
                    }
                    values.push(value);
                }
                let one_of = Term::OneOf(Box::new(l), values);
                let term = match missing {
                    Some(m) => Term::Binary(BinaryOp::Or, Box::new(m), Box::new(one_of)),
                    None => one_of,
                };
                (term, lt.judged())
            }
            _ => self.mismatch(span, "`in` needs a list or a range", "for example `in [1, 2]` or `in 18..25`"),
        }
    }
}

/// Refuses a whole number that an f64 does not hold exactly: a rounded number would be compared.
fn beyond(e: &Expr) -> Option<Diagnostic> {
    match &e.kind {
        ExprKind::Unary { op: UnaryOp::Neg, operand } => beyond(operand),
        ExprKind::Int(v) if *v as f64 as i128 != i128::from(*v) => {
            let message = format!("numbers have 53 bits: {v} would be read as {}", *v as f64 as i128);
            let help = format!(
                "in a table, read the column as text with `categories = [...]` and compare it with \"{v}\"; an array can only be \
                 compared with numbers of 53 bits, so give its ids another column"
            );
            Some(Diagnostic::new(codes::TYPE_RANGE, e.span, message).help(help))
        }
        _ => None,
    }
}

/// Whether a text is true or false, in upper or lower case.
fn is_truth(word: &str) -> bool {
    word.eq_ignore_ascii_case("true") || word.eq_ignore_ascii_case("false")
}

/// Whether there are texts and all of them are true or false.
pub fn are_truths(words: impl IntoIterator<Item = impl AsRef<str>>) -> bool {
    let mut words = words.into_iter().peekable();
    words.peek().is_some() && words.all(|w| is_truth(w.as_ref()))
}

/// Whether a column holds only such texts.
fn is_truths(kind: &KnownKind) -> bool {
    matches!(kind, KnownKind::Category(Some(values)) if are_truths(values))
}

fn type_of(c: &KnownColumn) -> Type {
    match (&c.kind, &c.shape) {
        (KnownKind::Open, _) => Type::Open,
        (KnownKind::Category(_) | KnownKind::Counted(_) | KnownKind::Hashed(_), _) => Type::Text,
        (KnownKind::Picture, _) => Type::Picture,
        (KnownKind::Numeric(_), Some(shape)) if shape.iter().all(|n| *n == 1) => Type::Number,
        (KnownKind::Numeric(_), Some(shape)) => Type::Array(Some(shape.clone())),
        // An idx or npy column before freezing: one number or an array.
        (KnownKind::Numeric(_), None) => Type::Array(None),
    }
}
