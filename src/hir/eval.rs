//! From expressions to checked values: arithmetic on parameters, and the types of the schema table. Every problem is reported
//! where it stands; `None` means "already reported" and silences what would follow.

pub use super::scope::Scope;
use crate::diag::numbers::human_number;
use crate::diag::{Applicability, Diagnostic, Diagnostics, codes, suggest};
use crate::schema::{Duration, Ty, Value};
use crate::source::Spanned;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Name, UnaryOp};

/// A value known while compiling.
#[derive(Debug, Clone, PartialEq)]
pub enum Const {
    Int(i64),
    Float(f64),
    Bool(bool),
    Str(String),
    /// A size that stays open until a data schema is frozen.
    Open,
}

impl Const {
    pub fn describe(&self) -> String {
        match self {
            Const::Int(v) => format!("the number {v}"),
            Const::Float(v) => format!("the number {}", human_number(*v)),
            Const::Bool(v) => format!("`{v}`"),
            Const::Str(v) => format!("the text {v:?}"),
            Const::Open => "a size that is open until the data schema is frozen".into(),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Const::Int(v) => Some(*v as f64),
            Const::Float(v) => Some(*v),
            _ => None,
        }
    }
}

/// What an expression is, for messages.
pub fn describe(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Int(v) => format!("the number {v}"),
        ExprKind::Float(v) => format!("the number {}", human_number(*v)),
        ExprKind::Str(v) => format!("the text {v:?}"),
        ExprKind::Path(p) => format!("the name `{}`", dotted(p)),
        ExprKind::Star => "`*`".into(),
        ExprKind::List(_) => "a list".into(),
        ExprKind::Call { callee, .. } => match &callee.kind {
            ExprKind::Path(p) => format!("a call of `{}`", dotted(p)),
            _ => "a call".into(),
        },
        ExprKind::Index { .. } => "a selection in brackets".into(),
        ExprKind::Unary { .. } | ExprKind::Binary { .. } => "a computed value".into(),
        ExprKind::Range { .. } => "a range".into(),
        ExprKind::Chain(_) => "a chain of ops".into(),
        ExprKind::Quantity { unit, .. } => format!("a number of {}", unit.text),
        ExprKind::Missing => "nothing".into(),
    }
}

pub fn dotted(path: &[Name]) -> String {
    path.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".")
}

/// The single name an expression is, bare or quoted.
pub fn as_name(expr: &Expr) -> Option<Name> {
    expr.as_name()
}

/// Whether a part is missing, which is reported: what the rest means is not known.
pub fn has_gap(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Missing => true,
        ExprKind::Unary { operand, .. } => has_gap(operand),
        ExprKind::Binary { left, right, .. } => has_gap(left) || has_gap(right),
        ExprKind::Chain(links) => links.iter().any(has_gap),
        _ => false,
    }
}

pub(super) fn mismatch(expr: &Expr, wanted: &str, diags: &mut Diagnostics) {
    if has_gap(expr) {
        return;
    }
    let found = describe(expr);
    let mut d = Diagnostic::new(codes::TYPE_MISMATCH, expr.span, format!("expected {wanted}, found {found}"))
        .label(format!("expected {wanted}"));
    if wanted.contains("quoted") && is_bare_text(expr) {
        let certain = bare_text(expr).is_some_and(|t| crate::syntax::unquoted::is_path(&t));
        d = d.quote(expr.span, if certain { Applicability::Safe } else { Applicability::Maybe });
    } else if wanted.contains("quoted path") && is_condition(expr) {
        d = d.help(
            "a condition divides the rows of the training file: write `validation = CONDITION` or `test = CONDITION`",
        );
    }
    diags.push(d);
}

/// Whether the outermost operator of an expression yields true or false.
fn is_condition(expr: &Expr) -> bool {
    use BinaryOp::*;
    match &expr.kind {
        ExprKind::Binary { op, .. } => matches!(op, Eq | Ne | Lt | Le | Gt | Ge | In | And | Or),
        ExprKind::Unary { op, .. } => *op == UnaryOp::Not,
        _ => false,
    }
}

/// Whether an expression is probably a path or a word without its quotes: `data/a.csv`, `no-b.csv`.
fn is_bare_text(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Path(_) => true,
        ExprKind::Binary { op: BinaryOp::Div | BinaryOp::Sub, left, right } => {
            let number = |e: &Expr| matches!(e.kind, ExprKind::Int(_) | ExprKind::Float(_));
            (is_bare_text(left) || number(left)) && (is_bare_text(right) || number(right))
        }
        _ => false,
    }
}

/// The text of such an expression, as far as it can be told without the source.
fn bare_text(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Path(p) => Some(dotted(p)),
        ExprKind::Int(v) => Some(v.to_string()),
        ExprKind::Binary { op, left, right } => {
            let sign = if *op == BinaryOp::Div { "/" } else { "-" };
            Some(format!("{}{sign}{}", bare_text(left)?, bare_text(right)?))
        }
        _ => None,
    }
}

/// How other languages write `true` and `false`.
fn foreign_boolean(expr: &Expr) -> Option<&'static str> {
    match as_name(expr)?.text.to_lowercase().as_str() {
        "true" | "yes" | "on" => Some("true"),
        "false" | "no" | "off" => Some("false"),
        _ => None,
    }
}

/// Evaluates arithmetic over parameters.
pub fn constant(expr: &Expr, scope: &Scope, diags: &mut Diagnostics) -> Option<Const> {
    match &expr.kind {
        ExprKind::Int(v) => Some(Const::Int(*v)),
        ExprKind::Float(v) => Some(Const::Float(*v)),
        ExprKind::Str(s) => Some(Const::Str(s.clone())),
        ExprKind::Path(p) if p.len() == 1 && !p[0].quoted => match p[0].text.as_str() {
            "true" => Some(Const::Bool(true)),
            "false" => Some(Const::Bool(false)),
            name => match scope.get(name) {
                Some(v) => Some(v.clone()),
                None if scope.any_name => Some(Const::Open),
                None => {
                    unknown_value(&p[0], scope, diags);
                    None
                }
            },
        },
        ExprKind::Unary { op: UnaryOp::Neg, operand } => match constant(operand, scope, diags)? {
            Const::Int(v) => match v.checked_neg() {
                Some(v) => Some(Const::Int(v)),
                None => too_large(expr, diags),
            },
            Const::Float(v) => Some(Const::Float(-v)),
            Const::Open => Some(Const::Open),
            _ => {
                mismatch(operand, "a number", diags);
                None
            }
        },
        ExprKind::Binary { op, left, right } => {
            let a = constant(left, scope, diags);
            let b = constant(right, scope, diags);
            arithmetic(expr, *op, (left, a?), (right, b?), diags)
        }
        _ => {
            mismatch(expr, "a value", diags);
            None
        }
    }
}

/// How other languages write that there is no value.
fn is_null(word: &str) -> bool {
    ["none", "null", "nil", "undefined"].contains(&word.to_lowercase().as_str())
}

fn unknown_value(name: &Name, scope: &Scope, diags: &mut Diagnostics) {
    let mut d = Diagnostic::new(codes::NAME_UNKNOWN, name.span, format!("`{}` has no value here", name.text))
        .label("not a parameter");
    if is_null(&name.text) {
        let message = format!("there is no value `{}`", name.text);
        diags.push(Diagnostic { message, ..d }.label("no value").help("leave the attribute out, or give it a value"));
        return;
    }
    if let Some(near) = suggest::nearest(&name.text, scope.names()) {
        d = d.help(format!("did you mean `{near}`?")).fix(
            format!("replace `{}` with `{near}`", name.text),
            name.span,
            near,
            suggest::certainty(&name.text, near, scope.names()),
        );
    } else {
        let known = if suggest::is_spent() { String::new() } else { suggest::listing(scope.names()) };
        d = d.help(match known.is_empty() {
            true => format!("declare it: `param {}: int = ...`", name.text),
            false => format!("known here: {known}; or declare it: `param {}: int = ...`", name.text),
        });
    }
    diags.push(d);
}

fn arithmetic(
    whole: &Expr,
    op: BinaryOp,
    l: (&Expr, Const),
    r: (&Expr, Const),
    diags: &mut Diagnostics,
) -> Option<Const> {
    use BinaryOp::*;
    if l.1 == Const::Open || r.1 == Const::Open {
        return Some(Const::Open);
    }
    let (Some(x), Some(y)) = (l.1.number(), r.1.number()) else {
        let wrong = if l.1.number().is_none() { l.0 } else { r.0 };
        mismatch(wrong, "a number", diags);
        return None;
    };
    if matches!(op, Div | Rem) && y == 0.0 {
        diags.push(Diagnostic::new(codes::TYPE_RANGE, whole.span, "division by zero"));
        return None;
    }
    if let (Const::Int(a), Const::Int(b)) = (&l.1, &r.1) {
        let (a, b) = (*a, *b);
        let exact = match op {
            Add => a.checked_add(b),
            Sub => a.checked_sub(b),
            Mul => a.checked_mul(b),
            // The quotient of the smallest integer and -1 is too large; their remainder is 0.
            Div => match a.wrapping_rem(b) {
                0 => a.checked_div(b),
                _ => return Some(Const::Float(x / y)),
            },
            Rem => Some(a.wrapping_rem(b)),
            _ => {
                mismatch(whole, "a value; comparisons belong in labels and budgets", diags);
                return None;
            }
        };
        return match exact {
            Some(v) => Some(Const::Int(v)),
            None => too_large(whole, diags),
        };
    }
    let v = match op {
        Add => x + y,
        Sub => x - y,
        Mul => x * y,
        Div => x / y,
        Rem => x % y,
        _ => {
            mismatch(whole, "a value; comparisons belong in labels and budgets", diags);
            return None;
        }
    };
    if v.is_finite() { Some(Const::Float(v)) } else { too_large(whole, diags) }
}

/// Reports a result that no number of its type holds.
fn too_large(whole: &Expr, diags: &mut Diagnostics) -> Option<Const> {
    diags.push(Diagnostic::new(codes::TYPE_RANGE, whole.span, "this number is too large to compute"));
    None
}

/// Reads `expr` as a value of type `ty`.
pub fn value(expr: &Expr, ty: &Ty, scope: &Scope, diags: &mut Diagnostics) -> Option<Spanned<Value>> {
    if expr.kind == ExprKind::Missing {
        return None;
    }
    let at = |value: Value| Some(Spanned { value, span: expr.span });
    match ty {
        Ty::Bool
            if foreign_boolean(expr)
                .is_some_and(|b| as_name(expr).is_none_or(|n| n.text != b && scope.get(&n.text).is_none())) =>
        {
            let (word, meant) = (describe(expr), foreign_boolean(expr).unwrap_or("true"));
            let d =
                Diagnostic::new(codes::TYPE_MISMATCH, expr.span, format!("expected `true` or `false`, found {word}"));
            diags.push(d.label(format!("write `{meant}`")).fix(
                format!("write `{meant}`"),
                expr.span,
                meant,
                Applicability::Safe,
            ));
            None
        }
        Ty::Bool => match constant_of(expr, ty, scope, diags)? {
            Const::Bool(b) => at(Value::Bool(b)),
            c => wrong(expr, ty, &c, diags),
        },
        Ty::Int { min, max } => match constant_of(expr, ty, scope, diags)? {
            Const::Int(v) if v < *min || v > *max => out_of_range(expr, ty, &v.to_string(), diags),
            Const::Int(v) => at(Value::Int(v)),
            // A share of a size may well be whole: `width * 0.5`.
            Const::Float(v) if v.fract() == 0.0 && v.abs() < 9e15 => match v as i64 {
                v if v < *min || v > *max => out_of_range(expr, ty, &v.to_string(), diags),
                v => at(Value::Int(v)),
            },
            // Whole, and beyond what a whole number holds exactly.
            Const::Float(v) if v.fract() == 0.0 => out_of_range(expr, ty, &human_number(v), diags),
            Const::Float(v) => {
                let v = (v * 1e6).round() / 1e6;
                let message = match expr.kind {
                    ExprKind::Float(_) => format!("{v} is not whole, and {} is needed", ty.describe()),
                    _ => format!("this gives {v}, and {} is needed", ty.describe()),
                };
                let mut d = Diagnostic::new(codes::TYPE_NOT_WHOLE, expr.span, message);
                d = match expr.kind {
                    ExprKind::Float(_) => {
                        d.label(ty.describe()).help(format!("write `{}` or `{}`", v.floor() as i64, v.ceil() as i64))
                    }
                    _ => d.label(format!("= {v}")),
                };
                if let ExprKind::Binary { op: BinaryOp::Div, .. } = expr.kind {
                    d = d.help("choose parameters that divide evenly");
                }
                diags.push(d);
                None
            }
            c => wrong(expr, ty, &c, diags),
        },
        Ty::Float { min, max } => {
            let c = constant_of(expr, ty, scope, diags)?;
            match c.number() {
                Some(v) if v < *min || v > *max => out_of_range(expr, ty, &human_number(v), diags),
                Some(v) => at(Value::Float(v)),
                None => wrong(expr, ty, &c, diags),
            }
        }
        Ty::Str => match constant_of(expr, ty, scope, diags)? {
            Const::Str(s) => at(Value::Str(s)),
            c => wrong(expr, ty, &c, diags),
        },
        Ty::Path => match constant_of(expr, ty, scope, diags)? {
            Const::Str(s) => at(Value::Path(s)),
            c => wrong(expr, ty, &c, diags),
        },
        Ty::Name => match &expr.kind {
            ExprKind::Path(p) => at(Value::Name(p.iter().map(|n| n.text.clone()).collect())),
            ExprKind::Str(s) => at(Value::Name(vec![s.clone()])),
            _ => {
                mismatch(expr, "a name", diags);
                None
            }
        },
        Ty::OneOf(words) => {
            let Some(name) = as_name(expr) else {
                mismatch(expr, &ty.describe(), diags);
                return None;
            };
            if words.contains(&name.text.as_str()) {
                return at(Value::Name(vec![name.text]));
            }
            // A parameter that holds one of the words.
            if let (false, Some(Const::Str(word))) = (name.quoted, scope.get(&name.text))
                && words.contains(&word.as_str())
            {
                return at(Value::Name(vec![word.clone()]));
            }
            diags.push(unknown_word(&name, words.iter().copied(), &ty.describe(), codes::TYPE_MISMATCH));
            None
        }
        Ty::Call(calls) => super::arguments::call(expr, &calls(), scope, diags).and_then(|c| at(Value::Call(c))),
        Ty::Schedule(_) => {
            super::arguments::call(expr, &super::schema::schedules(), scope, diags).and_then(|c| at(Value::Call(c)))
        }
        Ty::List(inner) => {
            let items: Vec<Option<Spanned<Value>>> = match &expr.kind {
                ExprKind::List(items) => items.iter().map(|e| value(e, inner, scope, diags)).collect(),
                _ => vec![value(expr, inner, scope, diags)],
            };
            at(Value::List(items.into_iter().collect::<Option<Vec<_>>>()?))
        }
        Ty::AnyOf(tys) => {
            for t in *tys {
                let mut quiet = Diagnostics::default();
                if let Some(v) = value(expr, t, scope, &mut quiet) {
                    return Some(v);
                }
            }
            // A number in quotes, where a number would do.
            if let ExprKind::Str(s) = &expr.kind
                && let Some(inner) = crate::syntax::expression(s)
                && !matches!(inner.kind, ExprKind::Path(_))
                && tys.iter().any(|t| value(&inner, t, scope, &mut Diagnostics::default()).is_some())
            {
                let d = Diagnostic::new(
                    codes::TYPE_MISMATCH,
                    expr.span,
                    format!("expected {}, found the text {s:?}", ty.describe()),
                )
                .label(format!("expected {}", ty.describe()))
                .fix("remove the quotes", expr.span, s.clone(), Applicability::Safe);
                diags.push(d);
                return None;
            }
            // A call by a name that one alternative knows: what that says of its arguments is it.
            let callee = match &expr.kind {
                ExprKind::Call { callee, .. } => as_name(callee),
                _ => None,
            };
            for t in *tys {
                if let (Ty::Call(calls), Some(name)) = (t, &callee)
                    && calls().iter().any(|c| c.name == name.text)
                {
                    value(expr, t, scope, diags);
                    return None;
                }
            }
            // A word that is none of those allowed, rather than a parameter that is not declared.
            if as_name(expr).is_some_and(|n| scope.get(&n.text).is_none())
                && tys.iter().any(|t| matches!(t, Ty::OneOf(_)))
            {
                mismatch(expr, &ty.describe(), diags);
                return None;
            }
            // The message of the alternative that reads the same kind of expression says most.
            let mut best: Option<Diagnostics> = None;
            for t in *tys {
                let mut d = Diagnostics::default();
                value(expr, t, scope, &mut d);
                let specific = d.iter().all(|d| d.code != codes::TYPE_MISMATCH);
                if specific && best.is_none() {
                    best = Some(d);
                }
            }
            let share = tys.iter().any(|t| matches!(t, Ty::Call(calls) if calls().iter().any(|c| c.name == "share")));
            match (best, &expr.kind) {
                (Some(b), _) => diags.extend(b.into_sorted()),
                // A part of the data, given as a number alone.
                (None, ExprKind::Float(part)) if share && *part > 0.0 && *part < 1.0 => {
                    let meant = format!("share({part}, of = train)");
                    let d = Diagnostic::new(codes::TYPE_MISMATCH, expr.span, format!("expected {}", ty.describe()))
                        .label(format!("expected {}", ty.describe()))
                        .help("a part of the rows is a share of a file's")
                        .fix(format!("write `{meant}`"), expr.span, meant, Applicability::Maybe);
                    diags.push(d);
                }
                (None, _) => mismatch(expr, &ty.describe(), diags),
            }
            None
        }
        Ty::Duration => match &expr.kind {
            ExprKind::Quantity { value: number, unit } => {
                let v = value(number, &crate::schema::NON_NEGATIVE, scope, diags)?;
                let Value::Float(v) = v.value else { return None };
                let steps = unit.text.starts_with("step");
                at(Value::Duration(if steps { Duration::Steps(v) } else { Duration::Epochs(v) }))
            }
            _ => match value(expr, &crate::schema::NON_NEGATIVE, scope, diags)?.value {
                Value::Float(v) => at(Value::Duration(Duration::Epochs(v))),
                _ => None,
            },
        },
        Ty::Budget => super::arguments::budget(expr, scope, diags).and_then(|b| at(Value::Budget(b))),
        Ty::Expr => at(Value::Expr(expr.clone())),
        Ty::Condition if is_condition(expr) => at(Value::Expr(expr.clone())),
        Ty::Condition => {
            mismatch(expr, &ty.describe(), diags);
            None
        }
    }
}

/// A constant, or the mismatch said in the words of the type wanted.
fn constant_of(expr: &Expr, ty: &Ty, scope: &Scope, diags: &mut Diagnostics) -> Option<Const> {
    match &expr.kind {
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Unary { op: UnaryOp::Neg, .. } => {
            constant(expr, scope, diags)
        }
        // No parameter, where text is wanted: text without its quotes.
        _ if matches!(ty, Ty::Str | Ty::Path) && is_bare_text(expr) && !reads_known(expr, scope) => {
            mismatch(expr, &ty.describe(), diags);
            None
        }
        ExprKind::Path(p) if p.len() == 1 && !p[0].quoted => constant(expr, scope, diags),
        ExprKind::Binary {
            op: BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Rem, ..
        } => constant(expr, scope, diags),
        _ => {
            mismatch(expr, &ty.describe(), diags);
            None
        }
    }
}

/// Whether an expression names something that has a value.
fn reads_known(expr: &Expr, scope: &Scope) -> bool {
    let mut known = scope.any_name;
    walk_paths(expr, &mut |p| {
        known |= p.len() == 1 && (scope.get(&p[0].text).is_some() || p[0].text == "true" || p[0].text == "false")
    });
    known
}

fn wrong<T>(expr: &Expr, ty: &Ty, found: &Const, diags: &mut Diagnostics) -> Option<T> {
    // An open size cannot be judged yet: the schema decides.
    if *found == Const::Open {
        return None;
    }
    let wanted = ty.describe();
    let mut d =
        Diagnostic::new(codes::TYPE_MISMATCH, expr.span, format!("expected {wanted}, found {}", found.describe()))
            .label(format!("expected {wanted}"));
    if let (Const::Str(s), Ty::Int { .. } | Ty::Float { .. } | Ty::Bool) = (found, ty)
        && (s.parse::<f64>().is_ok() || s == "true" || s == "false")
    {
        d = d.fix("remove the quotes", expr.span, s.clone(), Applicability::Safe);
    }
    diags.push(d);
    None
}

fn out_of_range<T>(expr: &Expr, ty: &Ty, found: &str, diags: &mut Diagnostics) -> Option<T> {
    diags.push(
        Diagnostic::new(codes::TYPE_RANGE, expr.span, format!("{found} is out of range: {} is needed", ty.describe()))
            .label(ty.describe()),
    );
    None
}

/// "`concatt` is not one of ...", with the nearest.
pub fn unknown_word<'a>(
    name: &Name,
    words: impl Iterator<Item = &'a str> + Clone,
    wanted: &str,
    code: crate::diag::Code,
) -> Diagnostic {
    if is_null(&name.text) {
        let message = format!("there is no value `{}`", name.text);
        return Diagnostic::new(code, name.span, message)
            .label("no value")
            .help("leave the attribute out, or give it a value");
    }
    // A list is help, and no part of what is wrong.
    let (message, help) = match wanted.contains('`') {
        true => (format!("`{}` is not known here", name.text), format!("expected {wanted}")),
        false => (format!("`{}` is not {wanted}", name.text), format!("known: {}", suggest::listing(words.clone()))),
    };
    Diagnostic::new(code, name.span, message).label("unknown").help(help).nearest(
        &name.text,
        name.span,
        words,
        str::to_string,
    )
}

/// Visits every dotted name of an expression.
pub fn walk_paths(expr: &Expr, visit: &mut dyn FnMut(&[Name])) {
    match &expr.kind {
        ExprKind::Path(p) => visit(p),
        ExprKind::List(items) | ExprKind::Chain(items) => items.iter().for_each(|e| walk_paths(e, visit)),
        ExprKind::Call { callee, args } => {
            if !matches!(callee.kind, ExprKind::Path(_)) {
                walk_paths(callee, visit);
            }
            args.iter().for_each(|a| walk_paths(&a.value, visit));
        }
        ExprKind::Index { base, items } => {
            walk_paths(base, visit);
            items.iter().for_each(|e| walk_paths(e, visit));
        }
        ExprKind::Unary { operand, .. } => walk_paths(operand, visit),
        ExprKind::Binary { left, right, .. } | ExprKind::Range { from: left, to: right } => {
            walk_paths(left, visit);
            walk_paths(right, visit);
        }
        ExprKind::Quantity { value, .. } => walk_paths(value, visit),
        ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Str(_) | ExprKind::Star | ExprKind::Missing => {}
    }
}
