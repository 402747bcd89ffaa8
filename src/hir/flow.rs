//! Chains, merges and repetitions to a [`Body`] of ops; the blocks in them are expanded by `blocks.rs`.

use std::collections::HashMap;

use super::build::{BlockId, Builder, duplicate};
use super::eval::{self, Scope};
use super::*;
use crate::diag::{Diagnostic, codes, suggest};
use crate::ops::{self, Arity};
use crate::schema::Ty;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Body as AstBody, Entry, Expr, ExprKind, Name};

/// Largest number of ops that one stage may expand to: bounds repetitions of repetitions.
const MAX_NODES: usize = 20_000;

/// Links that are read in one spec, blocks and repetitions expanded. Bounds what expands to few ops, or to none, many times.
pub(super) const MAX_LINKS: usize = 200_000;

/// Blocks that use one another may be nested this deep, and links, blocks and brackets together this deep: reading them descends as far.
pub(super) const MAX_BLOCKS: usize = 64;
pub(super) const MAX_NESTED: usize = 200;

/// How deep what is being read is nested.
#[derive(Default)]
pub(super) struct Way {
    /// The blocks that are being expanded, the outermost first.
    pub blocks: Vec<BlockId>,
    /// Links that are nested in one another.
    pub links: usize,
    /// The most blocks that were nested here.
    pub deepest: usize,
    /// Only to find mistakes: a block that was read before is not read again.
    pub trial: bool,
}

/// What names mean inside a body.
pub(super) struct Names<'a> {
    pub scope: Scope,
    /// Values that may be read by name: `in`, earlier values of the block.
    pub values: HashMap<String, Flow>,
    /// Stages and inputs that may be read by name; reading one adds it to `reads`.
    pub readable: &'a HashMap<String, Read>,
    /// Whether `readable` counts here (not inside a block template).
    pub outer: bool,
    /// What an op at the start of a chain is applied to.
    pub implicit: Option<Flow>,
}

/// A body under construction.
#[derive(Default)]
pub(super) struct Growing {
    pub nodes: Vec<FlowNode>,
    pub reads: Vec<Read>,
    places: HashMap<Read, usize>,
    /// The value before the first link was read.
    pub implicit: bool,
    /// A name at the start of a chain is not known: it may be a stage.
    pub lost: bool,
    /// The outermost link that is being read.
    site: Option<Span>,
    full: bool,
}

/// A stand-in for a value that could not be read, which is reported. It reaches no network.
pub(super) const LOST: Flow = Flow::Source(usize::MAX - 1);

impl Growing {
    pub fn read(&mut self, read: Read) -> Flow {
        let i = *self.places.entry(read).or_insert_with(|| {
            self.reads.push(read);
            self.reads.len() - 1
        });
        Flow::Source(i)
    }

    pub fn has_read(&self, read: Read) -> bool {
        self.places.contains_key(&read)
    }
}

impl Builder<'_> {
    /// The value of a dataflow expression. `None`: reported.
    pub(super) fn flow(&mut self, expr: &Expr, names: &Names, body: &mut Growing, way: &mut Way) -> Option<Flow> {
        match &expr.kind {
            ExprKind::Missing => None,
            ExprKind::Chain(links) => {
                let first = self.first(&links[0], names, body, way);
                self.links(&links[1..], first, names, body, way)
            }
            _ => self.first(expr, names, body, way),
        }
    }

    /// Applies links one after the other. After a wrong one the rest is read all the same, so that every mistake is found.
    fn links(
        &mut self,
        links: &[Expr],
        first: Option<Flow>,
        names: &Names,
        body: &mut Growing,
        way: &mut Way,
    ) -> Option<Flow> {
        let mut at = first.unwrap_or_default();
        let mut ok = first.is_some();
        for link in links {
            match self.apply(link, at, names, body, way) {
                Some(next) => at = next,
                None => ok = false,
            }
        }
        ok.then_some(at)
    }

    /// The first link: a named value, a merge, or an op on the implicit input.
    fn first(&mut self, expr: &Expr, names: &Names, body: &mut Growing, way: &mut Way) -> Option<Flow> {
        if let Some(name) = &eval::as_name(expr) {
            if let Some(v) = names.values.get(&name.text) {
                body.implicit |= name.text == "in";
                return Some(*v);
            }
            if names.outer
                && let Some(read) = names.readable.get(&name.text)
            {
                return Some(body.read(*read));
            }
            if ops::find(&name.text).is_none() && self.block(name).is_none() {
                body.lost = true;
                // Without stages, any name may be one.
                if self.stages_lost && names.outer {
                    return Some(LOST);
                }
                let input = names.outer && self.inputs.contains_key(&name.text);
                if self.is_reported(&["block"], &name.text) || !input && self.is_reported(&["input"], &name.text) {
                    return None;
                }
                let values = names.values.keys().chain(names.readable.keys().filter(|_| names.outer));
                let known = || values.map(String::as_str).chain(self.callable()).collect();
                let d = match input {
                    true => Diagnostic::new(
                        codes::NAME_UNKNOWN_CALL,
                        name.span,
                        format!("the input `{}` is not read here", name.text),
                    )
                    .label("an input")
                    .help(format!(
                        "name it in the header, `backbone NAME({}, ...)`, and in the `from` of a stage that has one",
                        name.text
                    )),
                    false => self.unknown_call(name, &[], known, "value, op or block"),
                };
                self.diags.push(d);
                return None;
            }
        }
        match names.implicit {
            Some(input) => {
                body.implicit = true;
                self.apply(expr, input, names, body, way)
            }
            None if self.is_merge(expr) => self.apply(expr, Flow::Source(0), names, body, way),
            None if self.calls_unknown(expr) => None,
            None => {
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_ARGUMENTS,
                        expr.span,
                        "several values come in here, and this op takes one",
                    )
                    .label("which one?")
                    .help("start the chain with a name, or merge them: `concat(a, b) -> ...`, `add(a, b) -> ...`"),
                );
                None
            }
        }
    }

    /// Applies a link to a value.
    fn apply(&mut self, link: &Expr, input: Flow, names: &Names, body: &mut Growing, way: &mut Way) -> Option<Flow> {
        if way.links >= MAX_NESTED {
            return self
                .too_deep(link.span, format!("blocks and brackets are nested more than {MAX_NESTED} deep here"));
        }
        way.links += 1;
        let out = self.apply_here(link, input, names, body, way);
        way.links -= 1;
        out
    }

    /// Reports the first place that is nested too deeply to be read.
    pub(super) fn too_deep<T>(&mut self, span: Span, message: String) -> Option<T> {
        if self.diags.count(codes::NAME_TOO_DEEP) == 0 {
            self.diags.push(Diagnostic::new(codes::NAME_TOO_DEEP, span, message).label("not read").help(
                "name the blocks one after the other in one chain, `a -> b -> c`, instead of one inside another",
            ));
        }
        None
    }

    fn apply_here(
        &mut self,
        link: &Expr,
        input: Flow,
        names: &Names,
        body: &mut Growing,
        way: &mut Way,
    ) -> Option<Flow> {
        self.links_read += 1;
        if self.links_read > MAX_LINKS {
            if self.links_read == MAX_LINKS + 1 {
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_RANGE,
                        link.span,
                        format!("the stages of this spec expand to more than {MAX_LINKS} links"),
                    )
                    .help("repeat fewer times"),
                );
            }
            return None;
        }
        match &link.kind {
            ExprKind::Missing => None,
            ExprKind::Chain(links) => self.links(links, Some(input), names, body, way),
            ExprKind::Binary { op: BinaryOp::Mul, left, right }
                if matches!(
                    (&left.kind, &right.kind),
                    (ExprKind::Path(_) | ExprKind::Call { .. }, ExprKind::Int(_))
                ) =>
            {
                self.not_an_op(link)
            }
            ExprKind::Binary { op: BinaryOp::Mul, left, right } => {
                let times =
                    eval::value(left, &Ty::Int { min: 1, max: 1000 }, &names.scope, self.diags).map(|v| v.value);
                let Some(crate::schema::Value::Int(times)) = times else {
                    self.apply(right, input, names, body, way);
                    return None;
                };
                let mut at = input;
                for _ in 0..times {
                    at = self.apply(right, at, names, body, way)?;
                }
                Some(at)
            }
            ExprKind::Path(p) if p.len() == 1 => self.call(&p[0], &[], link, input, names, body, way),
            ExprKind::Call { callee, args } => match eval::as_name(callee) {
                Some(name) => self.call(&name, args, link, input, names, body, way),
                None => self.not_an_op(link),
            },
            _ => self.not_an_op(link),
        }
    }

    /// The names of all ops and blocks.
    pub(super) fn callable(&self) -> impl Iterator<Item = &str> {
        let blocks = self.blocks.keys().chain(self.library.keys());
        ops::table().iter().map(|o| o.call.name).chain(blocks.map(String::as_str))
    }

    /// Whether an expression is a call of an op that takes several values.
    fn is_merge(&self, expr: &Expr) -> bool {
        let ExprKind::Call { callee, .. } = &expr.kind else { return false };
        let Some(name) = eval::as_name(callee) else { return false };
        self.block(&name).is_none() && ops::find(&name.text).is_some_and(|o| o.arity == Arity::Many)
    }

    #[allow(clippy::too_many_arguments)]
    fn call(
        &mut self,
        name: &Name,
        args: &[ast::Arg],
        whole: &Expr,
        input: Flow,
        names: &Names,
        body: &mut Growing,
        way: &mut Way,
    ) -> Option<Flow> {
        if body.nodes.len() >= MAX_NODES {
            if !body.full {
                body.full = true;
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_RANGE,
                        whole.span,
                        format!("this stage expands to more than {MAX_NODES} ops"),
                    )
                    .help("repeat fewer times, or split it into stages"),
                );
            }
            return None;
        }
        if way.blocks.is_empty() {
            body.site = Some(whole.span);
        }
        let site = body.site.unwrap_or(whole.span);
        if let Some(block) = self.block(name) {
            return self.expand(&block, name, args, whole, input, names, body, way);
        }
        let Some(op) = ops::find(&name.text) else {
            if !self.is_reported(&["block"], &name.text) {
                let d = self.unknown_call(name, args, || self.callable().collect(), "op or block");
                self.diags.push(d);
            }
            let near = suggest::nearest(&name.text, self.callable()).map(str::to_string);
            self.arguments_of_misspelt(near.as_deref(), args, whole, names, body, way);
            return None;
        };
        match op.arity {
            Arity::One => {
                let args = super::arguments::arguments(
                    op.call.name,
                    op.call.args,
                    args,
                    whole.span,
                    &names.scope,
                    self.diags,
                )?;
                body.nodes.push(FlowNode { op, args, inputs: vec![input], span: whole.span, site });
            }
            Arity::Many => {
                let (values, named): (Vec<_>, Vec<_>) = args.iter().cloned().partition(|a| a.name.is_none());
                let mut inputs = Vec::new();
                let mut ok = true;
                for v in &values {
                    match self.flow(&v.value, names, body, way) {
                        Some(f) => inputs.push(f),
                        None => ok = false,
                    }
                }
                let args = super::arguments::arguments(
                    op.call.name,
                    op.call.args,
                    &named,
                    whole.span,
                    &names.scope,
                    self.diags,
                )?;
                if !ok {
                    return None;
                }
                if inputs.len() < 2 {
                    self.diags.push(
                        Diagnostic::new(
                            codes::TYPE_ARGUMENTS,
                            whole.span,
                            format!("`{}` merges two values or more", name.text),
                        )
                        .label(format!("{} given", inputs.len()))
                        .help(format!("write `{}(a, b)`", name.text)),
                    );
                    return None;
                }
                body.nodes.push(FlowNode { op, args, inputs, span: whole.span, site });
            }
        }
        Some(Flow::Node(body.nodes.len() - 1))
    }

    /// `name = value` lines up to `out`; attributes in `skip` are the caller's.
    pub(super) fn values(
        &mut self,
        b: &AstBody,
        mut names: Names,
        body: &mut Growing,
        way: &mut Way,
        skip: &[&str],
        span: Span,
    ) -> Option<Flow> {
        let mut out = None;
        let mut failed = false;
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for entry in &b.entries {
            let Entry::Attr(a) = entry else {
                let span = match entry {
                    Entry::Nested(n) => n.span,
                    Entry::Edge(e) => e.span,
                    Entry::Attr(a) => a.span,
                };
                self.diags.push(
                    Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "expected `name = chain`")
                        .help("values are named as in `y = in -> conv(64)`; the result is `out = ...`"),
                );
                failed = true;
                continue;
            };
            if skip.contains(&a.key.text.as_str()) {
                continue;
            }
            if let Some(first) = seen.get(a.key.text.as_str()) {
                self.diags.push(duplicate("value", &a.key, *first));
                self.flow(&a.value, &names, body, way);
                continue;
            }
            seen.insert(&a.key.text, a.key.span);
            match self.flow(&a.value, &names, body, way) {
                Some(v) if a.key.text == "out" => out = Some(v),
                Some(v) => {
                    names.values.insert(a.key.text.clone(), v);
                }
                None => {
                    failed = true;
                    // Later uses of the name must not be reported again.
                    names.values.insert(a.key.text.clone(), LOST);
                }
            }
        }
        if out.is_none() && !failed {
            self.diags.push(
                Diagnostic::new(codes::TYPE_MISSING_ATTRIBUTE, span, "nothing comes out: `out` is missing")
                    .help("name the result: `out = ...`"),
            );
        }
        if failed { None } else { out }
    }
}
