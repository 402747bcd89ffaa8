//! What is not known where it is written: the nearest thing that is, or where the word belongs.

use std::collections::HashSet;

use super::build::{Builder, named};
use super::eval;
use super::schema::{self, ItemDef};
use crate::diag::{Applicability, Diagnostic, Edit, Fix, codes, suggest};
use crate::ops;
use crate::schema::{AttrDef, CallDef};
use crate::source::Span;
use crate::syntax::ast::{Arg, BinaryOp, Body, Entry, Expr, ExprKind, Name, Nested};

/// What no program contains, because it may differ from run to run: the option of the command line that does.
pub const COMMAND_LINE: &[(&str, &str)] = &[
    ("seed", "--seed"),
    ("device", "--device"),
    ("gpu", "--device"),
    ("output", "--output"),
    ("output_dir", "--output"),
    ("save_every", "--save-every"),
    ("checkpoint_every", "--save-every"),
    ("time", "--time"),
    ("time_limit", "--time"),
    ("keep", "--keep"),
    ("folds", "--folds"),
    ("resume", "--resume"),
    ("quiet", "--quiet"),
    ("verbose", "--quiet"),
];

/// Calls of other tools that are no ops, in small letters, and what is written in their place.
const CONTAINERS: &[(&str, &str)] = &[
    ("sequential", "ops that follow one another are a chain: `conv(64) -> relu -> max_pool(2)`"),
    (
        "modulelist",
        "ops that follow one another are a chain: `conv(64) -> relu -> max_pool(2)`; several copies are a `level` of a `space`",
    ),
    ("residual", "a residual is a block: `block residual(c: int) { y = in -> conv_bn(c), out = add(y, in) }`"),
    ("lambda", "a function of one's own is a block: `block NAME(...) = ...`"),
    ("input", "an input is an item: `input image: f32[3, 64, 64]`"),
];

/// The most places that one help names.
const PLACES: usize = 3;

/// Where a word is an attribute, an argument or a part, as sentences without an end: "`loss` is an attribute of `task`". Empty for words
/// that have no meaning anywhere.
pub fn homes(word: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut attributes = Vec::new();
    let mut variants: Vec<String> = Vec::new();
    for item in schema::items() {
        for def in [item].into_iter().chain(item.nested) {
            if def.attrs.iter().any(|a| a.name == word) {
                attributes.push(format!("`{}`", def.keyword));
            }
        }
        if item.nested.iter().any(|n| n.keyword == word) {
            found.push(format!("`{word}` is a part of {}", named(item.keyword)));
        }
        let takes = |c: &&CallDef| c.args.iter().any(|a| a.name == word);
        let own: Vec<&str> =
            item.variants.map(|v| v()).unwrap_or_default().iter().copied().filter(takes).map(|c| c.name).collect();
        match own.as_slice() {
            [] => {}
            [one] => variants.push(format!("`{} {one}`", item.keyword)),
            several => {
                variants.push(format!("{} ({})", named(item.keyword), suggest::listing(several.iter().copied())))
            }
        }
    }
    attributes.extend(variants);
    if !attributes.is_empty() {
        let more = if attributes.len() > PLACES { " and others" } else { "" };
        attributes.truncate(PLACES);
        found.insert(0, format!("`{word}` is an attribute of {}{more}", attributes.join(" and ")));
    }
    for (attribute, calls) in
        [("optimizer", schema::optimizers()), ("schedule", schema::schedules()), ("loss", schema::losses())]
    {
        if let Some(call) = calls.iter().find(|c| c.args.iter().any(|a| a.name == word)) {
            let article = if attribute.starts_with('o') { "an" } else { "a" };
            found.push(format!(
                "`{word}` is an argument of {article} {attribute}: `{attribute} = {}({word} = ...)`",
                call.name
            ));
        }
    }
    if schema::item(word).is_some() {
        found.push(format!("`{word}` is an item of its own, outside of every `{{ }}`"));
    }
    if let Some(op) = ops::find(word) {
        let args = if op.call.args.is_empty() { "" } else { "(...)" };
        found.push(format!("`{word}` is an op, written in a chain: `... -> {word}{args}`"));
    } else if found.is_empty() {
        let with: Vec<&str> =
            ops::table().iter().filter(|o| o.call.args.iter().any(|a| a.name == word)).map(|o| o.call.name).collect();
        if let Some(op) = with.first() {
            found.push(format!("`{word}` is an argument of an op: `{op}({word} = ...)`"));
        }
    }
    if let Some((_, option)) = COMMAND_LINE.iter().find(|(w, _)| *w == word.to_lowercase()) {
        found.push(format!("a program does not set it: give `{option}` on the command line"));
    }
    found.truncate(PLACES);
    found
}

/// The label, the help and the fix for an unknown name of an attribute or an argument: the certain reading of it, else where it
/// belongs, else the nearest name, else `otherwise`. `written` tells whether a name is in use here already.
pub(super) fn explain(
    d: Diagnostic,
    name: &Name,
    known: &[&str],
    written: impl Fn(&str) -> bool,
    otherwise: impl FnOnce(Diagnostic) -> Diagnostic,
) -> Diagnostic {
    let near = suggest::nearest(&name.text, known.iter().copied());
    let how = near.map(|near| match written(near) {
        // Where that is written already, this is something else.
        true => Applicability::Maybe,
        false => suggest::certainty(&name.text, near, known.iter().copied()),
    });
    let homes = homes(&name.text);
    match near {
        Some(near) if how == Some(Applicability::Safe) || homes.is_empty() => {
            let label =
                if written(near) { format!("`{near}` is set already") } else { format!("did you mean `{near}`?") };
            let d = d.label(label);
            d.fix(
                format!("replace `{}` with `{near}`", name.text),
                name.span,
                near,
                how.unwrap_or(Applicability::Maybe),
            )
        }
        _ if !homes.is_empty() => d.label("it does not belong here").help(homes.join("; ")),
        _ => otherwise(d.label("unknown")),
    }
}

impl Builder<'_> {
    pub(super) fn unknown_attribute(
        &mut self,
        who: &Name,
        key: &Name,
        attrs: &[AttrDef],
        def: &ItemDef,
        written: impl Fn(&str) -> bool,
    ) {
        let known = known_in(attrs, def);
        let message = format!("{} has no attribute `{}`", named(def.keyword), key.text);
        let d = Diagnostic::new(codes::NAME_UNKNOWN_ATTRIBUTE, key.span, message);
        self.diags.push(explain(d, key, &known, written, |d| match known.is_empty() {
            true => d.help(format!("`{}` takes no attributes", who.text)),
            false => d.help(format!("known: {}", suggest::listing(known.iter().copied()))),
        }));
    }

    /// `optimizer for heads = sgd(...)`: an attribute that is written as if it were a part with a name.
    pub(super) fn attribute_with_names(&mut self, n: &Nested, def: &ItemDef) {
        let name = &n.keyword.text;
        let after = n.names.first().map(|n| n.span).or(n.index.as_ref().map(|i| i.span)).unwrap_or(n.keyword.span);
        let last = n.names.last().map_or(after, |n| n.span);
        let message = match (&n.body, n.names.is_empty() && n.index.is_none()) {
            (Some(_), true) => format!("`{name}` is an attribute, and takes a value in place of a `{{ }}`"),
            _ => format!("`{name}` is an attribute: nothing stands between it and its `=`"),
        };
        let d = Diagnostic::new(codes::SYNTAX_HEADER, after.to(last), message).label("not expected here");
        self.diags.push(d.help(format!("{} has one: `{name} = VALUE`", named(def.keyword))));
    }

    /// An op, a block or a value that does not exist.
    pub(super) fn unknown_call<'n>(
        &self,
        name: &Name,
        args: &[Arg],
        known: impl FnOnce() -> Vec<&'n str>,
        what: &str,
    ) -> Diagnostic {
        let mut known = if suggest::is_spent() { Vec::new() } else { known() };
        known.sort_unstable();
        known.dedup();
        let d =
            Diagnostic::new(codes::NAME_UNKNOWN_CALL, name.span, format!("there is no {what} called `{}`", name.text));
        if let Some((_, help)) = CONTAINERS.iter().find(|(w, _)| *w == name.text.to_lowercase()) {
            return d.label("not needed").help(*help);
        }
        let (near, d) = match merge_meant(&name.text, args) {
            Some((merge, why)) => {
                let title = format!("replace `{}` with `{merge}`", name.text);
                (None, d.label(why).fix(title, name.span, merge, Applicability::Maybe))
            }
            None => (
                suggest::nearest(&name.text, known.iter().copied()),
                d.label("unknown").help(format!(
                    "`mtlc explain ops` lists the ops; a block is declared: `block {}(...) = ...`",
                    name.text
                )),
            ),
        };
        let Some(near) = near else { return d };
        let d = Diagnostic { help: None, ..d }.nearest(&name.text, name.span, known.iter().copied(), str::to_string);
        let defs = ops::find(near).map(|o| o.call.args).unwrap_or_default();
        match super::arguments::same_arguments(&name.text, near, defs, args) {
            true => d,
            false => {
                let help = format!("its arguments may mean something else: `{}`", signature(near, defs));
                d.unsure().help(help)
            }
        }
    }

    /// Something else than an op, a block or a chain in a chain.
    pub(super) fn not_an_op<T>(&mut self, expr: &Expr) -> Option<T> {
        if eval::has_gap(expr) {
            return None;
        }
        let d = match &expr.kind {
            ExprKind::Binary { op: BinaryOp::Gt, left, right } => {
                let sign = Span { start: left.span.end, end: right.span.start, ..expr.span };
                Diagnostic::new(codes::SYNTAX_UNEXPECTED, expr.span, "ops follow one another with `->`")
                    .label("this is a comparison")
                    .fix("replace `>` with `->`", sign, " -> ", Applicability::Safe)
            }
            _ => {
                let d = Diagnostic::new(
                    codes::TYPE_MISMATCH,
                    expr.span,
                    format!("expected an op or a block, found {}", eval::describe(expr)),
                )
                .label("not an op");
                self.chain_meant(d, expr)
            }
        };
        self.diags.push(d);
        None
    }

    /// What an expression in place of a chain is likely to mean.
    fn chain_meant(&self, d: Diagnostic, expr: &Expr) -> Diagnostic {
        const CHAIN: &str = "a chain is written `conv(64) -> relu -> max_pool(2)`";
        let ExprKind::Binary { op, left, right } = &expr.kind else {
            return match &expr.kind {
                ExprKind::List(items) if items.len() > 1 => {
                    let ends = |a: usize, b: usize| Span { start: a as u32, end: b as u32, ..expr.span };
                    let mut edits = vec![Edit {
                        span: ends(expr.span.start as usize, items[0].span.start as usize),
                        text: "".into(),
                    }];
                    for pair in items.windows(2) {
                        let between = ends(pair[0].span.end as usize, pair[1].span.start as usize);
                        edits.push(Edit { span: between, text: " -> ".into() });
                    }
                    let last = items.last().map_or(expr.span.end, |i| i.span.end);
                    edits.push(Edit { span: ends(last as usize, expr.span.end as usize), text: "".into() });
                    let title = "join the ops with `->`".to_string();
                    let mut d = d.help("ops that follow one another are joined with `->`; a list is no chain");
                    d.fixes.push(Fix { title, edits, applicability: Applicability::Maybe });
                    d
                }
                ExprKind::Call { callee, .. } if matches!(&callee.kind, ExprKind::Path(p) if p.len() > 1) => {
                    let ExprKind::Path(p) = &callee.kind else { return d.help(CHAIN) };
                    match suggest::nearest(&p[p.len() - 1].text, self.callable()) {
                        Some(near) => d.help(format!("ops have no prefix: this one is called `{near}`")),
                        None => d.help(CHAIN),
                    }
                }
                ExprKind::Path(p) if p.len() > 1 => {
                    let last = &p[p.len() - 1].text;
                    let dotted = "ops have no prefix and no methods: they follow one another with `->`";
                    match self.is_callable(&p[p.len() - 1]) {
                        true => d.help(format!("{dotted}; the op is called `{last}`")),
                        false => d.help(format!("{dotted}, as in `conv(64) -> relu`")),
                    }
                }
                _ => d.help(CHAIN),
            };
        };
        let name = |e: &Expr| match &e.kind {
            ExprKind::Call { callee, .. } => eval::as_name(callee).map(|n| n.text),
            _ => eval::as_name(e).map(|n| n.text),
        };
        let whole = |e: &Expr| matches!(e.kind, ExprKind::Int(_));
        match op {
            // `conv-bn(16)`: a name with `-`, in any layout.
            BinaryOp::Sub => {
                let joined = name(left).zip(name(right)).map(|(l, r)| format!("{l}_{r}"));
                let known = |j: &String| self.is_callable(&Name { text: j.clone(), quoted: false, span: expr.span });
                let Some(joined) = joined.filter(known) else {
                    return d.help(format!("{CHAIN}; a name has no `-` in it"));
                };
                let end = match &right.kind {
                    ExprKind::Call { callee, .. } => callee.span.end,
                    _ => right.span.end,
                };
                let mut d = d.label(format!("`{joined}` is written with `_`")).help("words are joined with `_`");
                d.message = "a name has no `-` in it".into();
                d.fix(format!("write `{joined}`"), Span { end, ..expr.span }, joined, Applicability::Safe)
            }
            BinaryOp::Mul if whole(right) && !whole(left) => {
                let ExprKind::Int(times) = right.kind else { return d.help(CHAIN) };
                let sign = Span { start: left.span.end, end: right.span.end, ..expr.span };
                let before = Span { end: expr.span.start, ..expr.span };
                let edits = vec![
                    Edit { span: before, text: format!("{times} * ") },
                    Edit { span: sign, text: String::new() },
                ];
                let mut d = d.label("expected the number first").help("a repetition is written `3 * block(64)`");
                d.message = "a repetition begins with its number".into();
                let title = format!("write `{times} * ...`");
                d.fixes.push(Fix { title, edits, applicability: Applicability::Safe });
                d
            }
            BinaryOp::Add => d.help("values are added with `add(a, b)`; ops follow one another with `->`"),
            BinaryOp::Mul => d.help("values are multiplied with `mul(a, b)`; `3 * block` repeats a block"),
            BinaryOp::Or | BinaryOp::And => d.help(
                "ops follow one another with `->`; to let the search choose between ops, write stages or copies for each",
            ),
            _ => d.help(CHAIN),
        }
    }

    /// Whether an op or a block has this name where it stands.
    fn is_callable(&self, name: &Name) -> bool {
        ops::find(&name.text).is_some() || self.block(name).is_some()
    }

    /// Whether an expression calls something that does not exist; reported, with the ops that merge values first.
    pub(super) fn calls_unknown(&mut self, expr: &Expr) -> bool {
        let ExprKind::Call { callee, args } = &expr.kind else { return false };
        let Some(name) = eval::as_name(callee) else { return false };
        if self.is_callable(&name) {
            return false;
        }
        if !self.is_reported(&["block"], &name.text) {
            let d = self.unknown_call(&name, args, || self.callable().collect(), "op or block");
            self.diags.push(d);
        }
        true
    }
}

/// `conv(channels, kernel, ...)`
fn signature(name: &str, defs: &[AttrDef]) -> String {
    format!("{name}({})", defs.iter().map(|d| d.name).collect::<Vec<_>>().join(", "))
}

/// The op that combines several values under the name that other tools give it, and what to say of it.
fn merge_meant(word: &str, args: &[Arg]) -> Option<(&'static str, &'static str)> {
    const MERGES: &[(&[&str], &str, &str)] = &[
        (&["sum", "plus", "added"], "add", "values are added with `add`"),
        (&["cat", "concatenate", "stack", "hstack", "join"], "concat", "values are joined with `concat`"),
        (&["multiply", "prod", "hadamard", "times"], "mul", "values are multiplied with `mul`"),
        (
            &["dot", "inner", "dot_product"],
            "mul",
            "a product element by element is `mul(a, b)`; `-> linear(1)` after it sums with learned weights",
        ),
        (&["avg", "average"], "mean", "values are averaged with `mean`"),
    ];
    let several = args.len() > 1 || args.iter().any(|a| matches!(a.value.kind, ExprKind::List(_)));
    let lower = word.to_lowercase();
    MERGES.iter().find(|(words, ..)| several && words.contains(&lower.as_str())).map(|(_, op, why)| (*op, *why))
}

/// Whether a body sets an attribute of this name.
pub(super) fn is_written(name: &str, body: Option<&Body>) -> bool {
    body.is_some_and(|b| b.entries.iter().any(|e| matches!(e, Entry::Attr(a) if a.key.text == name)))
}

/// The attributes and parts that a body may have, each once.
pub(super) fn known_in(attrs: &[AttrDef], def: &ItemDef) -> Vec<&'static str> {
    let mut known: Vec<&'static str> =
        attrs.iter().map(|d| d.name).chain(def.nested.iter().map(|n| n.keyword)).collect();
    let mut seen = HashSet::new();
    known.retain(|k| seen.insert(*k));
    known
}
