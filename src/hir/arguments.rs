//! Calls and their arguments against the tables, defaults filled in; budgets.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use super::eval::{Scope, as_name, mismatch, unknown_word, value};
use super::positional::{self, Slot};
use crate::diag::{Applicability, Diagnostic, Diagnostics, codes, suggest, synonyms};
use crate::schema::{Args, AttrDef, Budget, Call, CallDef, Cost, Need, Reference, Ty, Value};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Arg, BinaryOp, Expr, ExprKind, Name};

/// Reads a call of one of `defs`; a bare name is a call without arguments.
pub fn call(expr: &Expr, defs: &[&'static CallDef], scope: &Scope, diags: &mut Diagnostics) -> Option<Call> {
    let wanted = || format!("one of {}", suggest::listing(defs.iter().map(|d| d.name)));
    let (name, args): (Name, &[Arg]) = match &expr.kind {
        ExprKind::Call { callee, args } => match as_name(callee) {
            Some(n) => (n, args),
            None => {
                mismatch(expr, &wanted(), diags);
                return None;
            }
        },
        _ => match as_name(expr) {
            Some(n) => (n, &[]),
            None => {
                mismatch(expr, &wanted(), diags);
                return None;
            }
        },
    };
    let Some(def) = defs.iter().find(|d| d.name == name.text) else {
        let names = || defs.iter().map(|d| d.name);
        let d = unknown_word(&name, names(), &wanted(), codes::NAME_UNKNOWN_CALL);
        let near = suggest::nearest(&name.text, names()).and_then(|n| defs.iter().find(|d| d.name == n));
        let same = near.is_some_and(|n| same_arguments(&name.text, n.name, n.args, args));
        diags.push(if same { d } else { d.unsure() });
        // Its arguments are those of the one that was meant, where that is plain.
        if let Some(def) = near.filter(|n| suggest::likely(&name.text, n.name, names())) {
            arguments(def.name, def.args, args, expr.span, scope, diags);
        }
        return None;
    };
    let args = arguments(def.name, def.args, args, expr.span, scope, diags)?;
    if let Some(refusal) = refusal(def, &args) {
        let at = args.span(refusal.argument).unwrap_or(expr.span);
        let message = format!("`{}` of `{}` {}", refusal.argument, def.name, refusal.message);
        diags.push(Diagnostic::new(codes::TYPE_ARGUMENTS, at, message));
        return None;
    }
    Some(Call { name: def.name, args })
}

/// What the types of single arguments cannot say.
fn refusal(def: &'static CallDef, args: &Args) -> Option<crate::optim::Refusal> {
    if let Some(o) = crate::optim::optimizers().iter().find(|o| std::ptr::eq(&o.call, def)) {
        return (o.check)(args).err();
    }
    let schedule = crate::optim::schedules().iter().find(|s| std::ptr::eq(&s.call, def))?;
    (schedule.check)(args).err()
}

/// Reads arguments by position and by name, fills in defaults.
pub fn arguments(
    callee: &str,
    defs: &'static [AttrDef],
    args: &[Arg],
    span: Span,
    scope: &Scope,
    diags: &mut Diagnostics,
) -> Option<Args> {
    let mut out = Args::default();
    let mut position = 0;
    let mut seen: Vec<(&str, Span)> = Vec::new();
    let slots: Vec<Slot> = defs.iter().map(Slot::of_attr).collect();
    let report = positional::report(callee, &slots, args, span);
    // Which argument is meant is not known, and so is its type.
    let unclear = report.is_some();
    diags.extend(report);
    let mut ok = !unclear;
    for arg in args {
        let def = match (positional::slot(&slots, arg, &mut position), &arg.name) {
            (Some(i), _) => &defs[i],
            (None, Some(n)) => {
                let d = unknown_argument(callee, n, defs, args);
                diags.push(d);
                ok = false;
                // Misspelt, it is not missing.
                let near = suggest::nearest(&n.text, defs.iter().map(|d| d.name));
                if let Some(meant) = near.and_then(|near| defs.iter().find(|d| d.name == near)) {
                    seen.push((meant.name, n.span));
                    value(&arg.value, &meant.ty, scope, diags);
                }
                continue;
            }
            (None, None) => continue,
        };
        if unclear && arg.name.is_none() {
            diags.extend(positional::beyond_types(|diags| value(&arg.value, &def.ty, scope, diags)));
            continue;
        }
        if let Some((_, first)) = seen.iter().find(|(n, _)| *n == def.name) {
            diags.push(
                Diagnostic::new(codes::TYPE_ARGUMENTS, arg.value.span, format!("`{}` is given twice", def.name))
                    .label("again here")
                    .also(*first, "first given here")
                    .help(positional::all(&slots)),
            );
            ok = false;
            continue;
        }
        seen.push((def.name, arg.value.span));
        match value(&arg.value, &def.ty, scope, diags) {
            Some(v) => out.set(def.name, v, true),
            None => ok = false,
        }
    }
    for def in defs {
        if out.get(def.name).is_some() || seen.iter().any(|(n, _)| *n == def.name) {
            continue;
        }
        match def.need {
            Need::Optional => {}
            Need::Default(text) => out.set(def.name, default_value(text, &def.ty, span), false),
            // One without a name may be it.
            Need::Required if unclear => {}
            Need::Required => {
                diags.push(
                    Diagnostic::new(codes::TYPE_MISSING_ATTRIBUTE, span, format!("`{callee}` needs `{}`", def.name))
                        .label(format!("`{}` is missing", def.name))
                        .help(format!("{}: {}. {}", def.name, def.ty.describe(), def.doc)),
                );
                ok = false;
            }
        }
    }
    ok.then_some(out)
}

/// Whether the arguments of a call by the name `word` mean the same in a call by the name `near`: they do after a slip of the keyboard.
/// Another tool's name comes with another tool's arguments, which mean the same only by the names that are ours.
pub(super) fn same_arguments(word: &str, near: &str, defs: &[AttrDef], args: &[Arg]) -> bool {
    let known = |a: &Arg| a.name.as_ref().is_some_and(|n| defs.iter().any(|d| d.name == n.text));
    !synonyms::same(word, near) || args.iter().all(known)
}

fn unknown_argument(callee: &str, name: &Name, defs: &'static [AttrDef], args: &[Arg]) -> Diagnostic {
    let d =
        Diagnostic::new(codes::TYPE_ARGUMENTS, name.span, format!("`{callee}` has no argument called `{}`", name.text));
    let known: Vec<&str> = defs.iter().map(|d| d.name).collect();
    let written = |near: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| n.text == near));
    super::unknown::explain(d, name, &known, written, |d| match defs.is_empty() {
        true => d.help(format!("`{callee}` takes no arguments")),
        false => d.help(format!("`{callee}` takes {}", suggest::listing(known.iter().copied()))),
    })
}

/// A default of the table, which is text of the language; a default that cannot be read is a bug here.
pub fn default_value(text: &'static str, ty: &Ty, span: Span) -> Spanned<Value> {
    // The table is small and its texts are read again and again.
    thread_local! {
        static READ: RefCell<HashMap<&'static str, Rc<Expr>>> = RefCell::default();
    }
    let read = || crate::syntax::expression(text).unwrap_or_else(|| panic!("the default `{text}` cannot be read"));
    let expr = READ.with_borrow_mut(|all| all.entry(text).or_insert_with(|| Rc::new(read())).clone());
    let mut diags = Diagnostics::default();
    let v = value(&expr, ty, &Scope::default(), &mut diags);
    let v = v.unwrap_or_else(|| panic!("the default `{text}` is wrong: {:?}", diags.into_sorted()));
    Spanned { value: respan(v.value, span), span }
}

fn respan(value: Value, span: Span) -> Value {
    match value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|i| Spanned { value: respan(i.value, span), span }).collect())
        }
        other => other,
    }
}

pub(super) fn budget(expr: &Expr, scope: &Scope, diags: &mut Diagnostics) -> Option<Budget> {
    let shape = |diags: &mut Diagnostics| {
        mismatch(expr, "a budget such as `params <= 2.2M` or `macs <= 0.6 * independent`", diags);
        None
    };
    if let ExprKind::Binary { op: BinaryOp::Ge | BinaryOp::Gt, left, right } = &expr.kind {
        let sign = Span { start: left.span.end, end: right.span.start, ..expr.span };
        diags.push(
            Diagnostic::new(
                codes::TYPE_MISMATCH,
                expr.span,
                "a budget is the most that a topology may cost, not the least",
            )
            .label("expected `<=`")
            .fix("replace the sign with `<=`", sign, " <= ", Applicability::Maybe),
        );
        return None;
    }
    let ExprKind::Binary { op: BinaryOp::Le | BinaryOp::Lt, left, right } = &expr.kind else { return shape(diags) };
    let reference = |e: &Expr| match as_name(e).as_ref().map(|n| n.text.as_str()) {
        Some("independent") => Some(Reference::Independent),
        Some("shared") => Some(Reference::Shared),
        _ => None,
    };
    let (number, relative_to) = match &right.kind {
        ExprKind::Binary { op: BinaryOp::Mul, left, right } => match (reference(left), reference(right)) {
            (None, Some(r)) => (Some(&**left), Some(r)),
            (Some(r), None) => (Some(&**right), Some(r)),
            _ => (None, None),
        },
        _ => (None, None),
    };
    let of = match as_name(left) {
        Some(n) if n.text == "params" => Some(Cost::Params),
        Some(n) if n.text == "macs" => Some(Cost::Macs),
        Some(n) => {
            diags.push(unknown_word(&n, ["params", "macs"].into_iter(), "`params` or `macs`", codes::TYPE_MISMATCH));
            None
        }
        None => return shape(diags),
    };
    if let Some(r) = reference(right) {
        return Some(Budget { of: of?, at_most: 1.0, relative_to: Some(r) });
    }
    match value(number.unwrap_or(right), &crate::schema::POSITIVE, scope, diags)?.value {
        Value::Float(at_most) => Some(Budget { of: of?, at_most, relative_to }),
        _ => None,
    }
}
