//! Arguments without a name: where the order cannot be mistaken, and what is said where it can. One rule for tables and for templates.
//!
//! A value may stand without its name where no other argument could be meant by it: as the first one if that is required, or
//! where no other argument that is left takes a value of its type. A length with a unit is a type of its own. `from` and `to` are
//! read in this order.

use crate::diag::{Applicability, Diagnostic, Diagnostics, Edit, Fix, codes, orders, suggest};
use crate::schema::{self, AttrDef, Need, Ty};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Param};

/// A set of kinds of values, as bits.
type Kinds = u16;

const BOOL: Kinds = 1;
const NUMBER: Kinds = 2;
/// A number with a unit.
const LENGTH: Kinds = 4;
const TEXT: Kinds = 8;
const WORD: Kinds = 16;
const NAME: Kinds = 32;
const CALL: Kinds = 64;
const ANY: Kinds = !0;

/// An argument that a call may have.
pub(super) struct Slot<'a> {
    pub name: &'a str,
    takes: Kinds,
    required: bool,
    /// It always needs its name: a small constant that nobody means by a lone number.
    named: bool,
}

impl<'a> Slot<'a> {
    pub fn of_attr(def: &AttrDef) -> Slot<'static> {
        let named =
            matches!((def.ty, schema::EPSILON), (Ty::Float { min, .. }, Ty::Float { min: least, .. }) if min == least);
        Slot { name: def.name, takes: kinds(&def.ty), required: matches!(def.need, Need::Required), named }
    }

    pub fn of_param(param: &'a Param) -> Slot<'a> {
        let ty = param.ty.as_ref().and_then(Expr::as_name);
        let takes = match ty.as_ref().map(|t| t.text.as_str()) {
            Some("int" | "float") => NUMBER,
            Some("bool") => BOOL,
            Some("string") => TEXT,
            _ => ANY,
        };
        Slot { name: &param.name.text, takes, required: param.default.is_none(), named: false }
    }
}

fn kinds(ty: &Ty) -> Kinds {
    match ty {
        Ty::Bool => BOOL,
        Ty::Int { .. } | Ty::Float { .. } => NUMBER,
        Ty::Duration => NUMBER | LENGTH,
        Ty::Str | Ty::Path => TEXT,
        Ty::OneOf(_) => WORD,
        Ty::Name => NAME | TEXT,
        Ty::Call(_) => CALL,
        Ty::Schedule(_) => CALL,
        Ty::List(inner) => kinds(inner),
        Ty::AnyOf(tys) => tys.iter().fold(0, |all, t| all | kinds(t)),
        Ty::Budget | Ty::Expr | Ty::Condition => ANY,
    }
}

/// The slot that an argument fills: by its name, where an alias is as good, or the next one in order.
pub(super) fn slot(slots: &[Slot], arg: &Arg, position: &mut usize) -> Option<usize> {
    match &arg.name {
        Some(n) => {
            let name = schema::main_name(&n.text, |name| slots.iter().any(|s| s.name == name));
            slots.iter().position(|s| s.name == name)
        }
        None => {
            *position += 1;
            (*position <= slots.len()).then(|| *position - 1)
        }
    }
}

/// What a literal is; anything else may be of any kind.
fn kind_of(value: &Expr) -> Kinds {
    match &value.kind {
        ExprKind::Int(_) | ExprKind::Float(_) => NUMBER,
        ExprKind::Quantity { .. } => LENGTH,
        ExprKind::Str(_) => TEXT,
        ExprKind::Path(p) if p.len() == 1 && ["true", "false"].contains(&p[0].text.as_str()) => BOOL,
        _ => ANY,
    }
}

/// Whether a value of this kind without a name can only be meant for slot `i`. `given`: the slots that names fill.
fn certain(slots: &[Slot], i: usize, kind: Kinds, given: &[bool]) -> bool {
    let slot = &slots[i];
    if slot.named {
        return false;
    }
    if i == 0 && slot.required {
        return true;
    }
    let slot_kind = match slot.takes & LENGTH > 0 {
        true if kind == LENGTH => LENGTH,
        true => NUMBER,
        false => slot.takes,
    };
    let pair = i == 1 && slots[0].name == "from" && slot.name == "to";
    // A word that is none of those allowed is an error anyway: only another list of words is as good.
    let other = |takes: Kinds| if slot.takes == WORD { takes == WORD } else { takes & slot_kind > 0 };
    let alone = (0..slots.len()).all(|j| j == i || given[j] || !other(slots[j].takes));
    (pair || alone) && slot.takes & kind > 0
}

/// Whether the argument at a position of a call may be written without its name, where no other is named.
pub fn may_be_unnamed(args: &[AttrDef], i: usize) -> bool {
    let slots: Vec<Slot> = args.iter().map(Slot::of_attr).collect();
    i < slots.len() && (0..=i).all(|i| certain(&slots, i, best(&slots[i]), &vec![false; slots.len()]))
}

/// The kind of value by which a slot is known best: a length with its unit.
fn best(slot: &Slot) -> Kinds {
    if slot.takes & LENGTH > 0 { LENGTH } else { slot.takes }
}

/// An argument without a name, and the slot that it would fill; `None` where there are no more.
type Bare = (usize, Option<usize>);

/// The report of arguments that need their names, or of which there are too many. `whole` begins with the name of what is called.
pub(super) fn report(callee: &str, slots: &[Slot], args: &[Arg], whole: Span) -> Option<Diagnostic> {
    let mut given = vec![false; slots.len()];
    let mut bare: Vec<Bare> = Vec::new();
    let mut position = 0;
    for (a, arg) in args.iter().enumerate() {
        match (slot(slots, arg, &mut position), &arg.name) {
            (Some(i), Some(_)) => given[i] = true,
            (None, Some(_)) => {}
            (i, None) => bare.push((a, i)),
        }
    }
    let wrong: Vec<(usize, usize)> = bare
        .iter()
        .filter_map(|(a, i)| Some((*a, (*i)?)))
        .filter(|(a, i)| !certain(slots, *i, kind_of(&args[*a].value), &given))
        .collect();
    let order =
        orders::of(callee).filter(|o| o.names.iter().all(|n| n.is_empty() || slots.iter().any(|s| s.name == *n)));
    let elsewhere = || order.and_then(|o| as_elsewhere(o, slots, args, &bare, callee, whole));
    let order_help = order.map(|o| format!("{} has another order: `{}`", o.tool, o.form)).unwrap_or_default();
    let Some((first, at)) = wrong.first().copied() else {
        let (extra, _) = bare.iter().find(|(_, i)| i.is_none())?;
        let count = match slots.len() {
            0 => "no arguments".to_string(),
            1 => "one argument".to_string(),
            n => format!("at most {n} arguments"),
        };
        let mut d =
            Diagnostic::new(codes::TYPE_ARGUMENTS, args[*extra].value.span, format!("`{callee}` takes {count}"))
                .label("one too many")
                .help(order_help);
        d.fixes.extend(elsewhere());
        return Some(d);
    };
    let free: Vec<&str> = (0..slots.len())
        .take_while(|i| certain(slots, *i, best(&slots[*i]), &given))
        .filter(|i| !given[*i])
        .map(|i| slots[i].name)
        .collect();
    let unit = slots[at].takes & LENGTH > 0 && kind_of(&args[first].value) != LENGTH;
    let message = match free.as_slice() {
        names if unit && names.contains(&slots[at].name) => {
            format!("`{}` of `{callee}` needs a unit, or its name", slots[at].name)
        }
        [] => format!("the arguments of `{callee}` need their names"),
        names => format!("without a name, `{callee}` takes only {}", suggest::listing(names.iter().copied())),
    };
    let all = all(slots);
    let help = [all, order_help].into_iter().filter(|h| !h.is_empty()).collect::<Vec<_>>().join("; ");
    let read_as = |i: usize| format!("`{}`?", slots[i].name);
    let mut d = Diagnostic::new(codes::TYPE_ARGUMENTS, args[first].value.span, message)
        .label(read_as(at))
        .also_all(wrong[1..].iter().map(|(a, i)| (args[*a].value.span, read_as(*i))))
        .help(help);
    d.fixes.extend(elsewhere());
    if bare.iter().all(|(_, i)| i.is_some())
        && wrong.iter().all(|(a, i)| !given[*i] && slots[*i].takes & kind_of(&args[*a].value) > 0)
    {
        let ours = Fix {
            title: "name the arguments in the order of the reference".into(),
            edits: wrong.iter().map(|(a, i)| insert(args[*a].value.span, slots[*i].name)).collect(),
            applicability: Applicability::Maybe,
        };
        // Where none may stand without a name, another tool's order was meant more likely than ours.
        let place = if free.is_empty() { d.fixes.len() } else { 0 };
        d.fixes.insert(place, ours);
    }
    Some(d)
}

/// What reading a value reports, apart from its type and range.
pub(super) fn beyond_types<T>(read: impl FnOnce(&mut Diagnostics) -> T) -> impl Iterator<Item = Diagnostic> {
    let mut diags = Diagnostics::default();
    read(&mut diags);
    let types = [codes::TYPE_MISMATCH, codes::TYPE_RANGE, codes::TYPE_NOT_WHOLE];
    diags.into_sorted().into_iter().filter(move |d| !types.contains(&d.code))
}

/// Names of all arguments of a call, for a help.
pub(super) fn all(slots: &[Slot]) -> String {
    let names = suggest::listing(slots.iter().map(|s| s.name));
    if slots.len() == 1 { format!("its argument is {names}") } else { format!("its arguments are {names}") }
}

fn insert(before: Span, name: &str) -> Edit {
    Edit { span: Span { end: before.start, ..before }, text: format!("{name} = ") }
}

/// The arguments named as the other tool would read them; what is not written here is taken away.
fn as_elsewhere(
    order: &orders::Order,
    slots: &[Slot],
    args: &[Arg],
    bare: &[Bare],
    callee: &str,
    whole: Span,
) -> Option<Fix> {
    // Their slots; `None` for what is not written here.
    let theirs: Vec<Option<usize>> = (0..bare.len())
        .map(|n| order.names.get(n).map(|name| slots.iter().position(|s| s.name == *name)))
        .collect::<Option<_>>()?;
    let same = bare.iter().zip(&theirs).all(|((_, i), t)| i == t);
    let leading = bare.iter().enumerate().all(|(n, (a, _))| n == *a);
    if same || !leading {
        return None;
    }
    let cut = |start: u32, end: u32| Edit { span: Span { start, end, ..whole }, text: String::new() };
    let mut edits = Vec::new();
    match theirs.iter().position(Option::is_some) {
        None if bare.len() == args.len() => edits.push(cut(whole.start + callee.len() as u32, whole.end)),
        kept => {
            let kept = kept.unwrap_or(bare.len());
            let start = |a: usize| args[a].name.as_ref().map_or(args[a].value.span, |n| n.span).start;
            if kept > 0 {
                edits.push(cut(start(0), start(kept)));
            }
            for (n, slot) in theirs.iter().enumerate().skip(kept) {
                match slot {
                    None => edits.push(cut(args[n - 1].value.span.end, args[n].value.span.end)),
                    Some(0) if n == kept && slots[0].required => {}
                    Some(i) => edits.push(insert(args[n].value.span, slots[*i].name)),
                }
            }
        }
    }
    let title = format!("name them in the order of {}", order.tool);
    Some(Fix { title, edits, applicability: Applicability::Maybe })
}
