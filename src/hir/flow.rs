//! Chains, merges, block templates and repetitions to a [`Body`] of ops.

use std::collections::HashMap;

use super::build::{Builder, duplicate};
use super::eval::{self, Const, Scope};
use super::positional::{self, Slot};
use super::*;
use crate::diag::{Applicability, Diagnostic, Diagnostics, codes, suggest};
use crate::ops::{self, Arity};
use crate::schema::Ty;
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Body as AstBody, Entry, Expr, ExprKind, Item, Name};

/// Largest number of ops that one stage may expand to: bounds repetitions of repetitions.
const MAX_NODES: usize = 20_000;

/// Links that are read in one spec, blocks and repetitions expanded. Bounds what expands to few ops, or to none, many times.
pub(super) const MAX_LINKS: usize = 200_000;

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
        let i = self.reads.iter().position(|r| *r == read).unwrap_or_else(|| {
            self.reads.push(read);
            self.reads.len() - 1
        });
        Flow::Source(i)
    }
}

impl Builder<'_> {
    /// The value of a dataflow expression. `None`: reported.
    pub(super) fn flow(
        &mut self,
        expr: &Expr,
        names: &Names,
        body: &mut Growing,
        depth: &mut Vec<String>,
    ) -> Option<Flow> {
        match &expr.kind {
            ExprKind::Missing => None,
            ExprKind::Chain(links) => {
                let first = self.first(&links[0], names, body, depth);
                self.links(&links[1..], first, names, body, depth)
            }
            _ => self.first(expr, names, body, depth),
        }
    }

    /// Applies links one after the other. After a wrong one the rest is read all the same, so that every mistake is found.
    fn links(
        &mut self,
        links: &[Expr],
        first: Option<Flow>,
        names: &Names,
        body: &mut Growing,
        depth: &mut Vec<String>,
    ) -> Option<Flow> {
        let mut at = first.unwrap_or_default();
        let mut ok = first.is_some();
        for link in links {
            match self.apply(link, at, names, body, depth) {
                Some(next) => at = next,
                None => ok = false,
            }
        }
        ok.then_some(at)
    }

    /// Reads a block that nothing uses, its parameters open, so that its mistakes are found.
    pub(super) fn try_block(&mut self, block: &Item) {
        let mut scope = self.scope.clone();
        for p in block.params.iter().flat_map(|p| &p.value) {
            scope.set(&p.name.text, Const::Open);
        }
        self.block_body(block, scope, Flow::Source(0), &mut Growing::default(), &mut vec![block.names[0].text.clone()]);
    }

    /// The first link: a named value, a merge, or an op on the implicit input.
    fn first(&mut self, expr: &Expr, names: &Names, body: &mut Growing, depth: &mut Vec<String>) -> Option<Flow> {
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
            if ops::find(&name.text).is_none() && !self.blocks.contains_key(&name.text) {
                let known: Vec<&str> = names
                    .values
                    .keys()
                    .map(String::as_str)
                    .chain(names.readable.keys().filter(|_| names.outer).map(String::as_str))
                    .chain(ops::table().iter().map(|o| o.call.name))
                    .chain(self.blocks.keys().map(String::as_str))
                    .collect();
                let input = self.spec.inputs.iter().any(|i| i.name == name.text) && names.outer;
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
                    false => unknown_call(name, &known, "value, op or block"),
                };
                body.lost = true;
                // Without stages, any name may be one.
                if self.stages_lost && names.outer {
                    return Some(LOST);
                }
                if !self.is_reported(&["block"], &name.text) && (input || !self.is_reported(&["input"], &name.text)) {
                    self.diags.push(d);
                }
                return None;
            }
        }
        match names.implicit {
            Some(input) => {
                body.implicit = true;
                self.apply(expr, input, names, body, depth)
            }
            None if is_merge(expr) => self.apply(expr, Flow::Source(0), names, body, depth),
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
    fn apply(
        &mut self,
        link: &Expr,
        input: Flow,
        names: &Names,
        body: &mut Growing,
        depth: &mut Vec<String>,
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
            ExprKind::Chain(links) => self.links(links, Some(input), names, body, depth),
            ExprKind::Binary { op: BinaryOp::Mul, left, right } => {
                let times =
                    eval::value(left, &Ty::Int { min: 1, max: 1000 }, &names.scope, self.diags).map(|v| v.value);
                let Some(crate::schema::Value::Int(times)) = times else {
                    self.apply(right, input, names, body, depth);
                    return None;
                };
                let mut at = input;
                for _ in 0..times {
                    at = self.apply(right, at, names, body, depth)?;
                }
                Some(at)
            }
            ExprKind::Path(p) if p.len() == 1 => self.call(&p[0], &[], link, input, names, body, depth),
            ExprKind::Call { callee, args } => match eval::as_name(callee) {
                Some(name) => self.call(&name, args, link, input, names, body, depth),
                None => self.not_an_op(link),
            },
            _ => self.not_an_op(link),
        }
    }

    fn not_an_op<T>(&mut self, expr: &Expr) -> Option<T> {
        if eval::has_gap(expr) {
            return None;
        }
        if let ExprKind::Binary { op: BinaryOp::Gt | BinaryOp::Or, left, right } = &expr.kind {
            let sign = Span { start: left.span.end, end: right.span.start, ..expr.span };
            self.diags.push(
                Diagnostic::new(codes::SYNTAX_UNEXPECTED, expr.span, "ops follow one another with `->`")
                    .label("this is a comparison")
                    .fix("replace `>` with `->`", sign, " -> ", Applicability::Safe),
            );
            return None;
        }
        self.diags.push(
            Diagnostic::new(
                codes::TYPE_MISMATCH,
                expr.span,
                format!("expected an op or a block, found {}", eval::describe(expr)),
            )
            .label("not an op")
            .help("a chain is written `conv(64) -> relu -> max_pool(2)`"),
        );
        None
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
        depth: &mut Vec<String>,
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
        if depth.is_empty() {
            body.site = Some(whole.span);
        }
        let site = body.site.unwrap_or(whole.span);
        if let Some(block) = self.blocks.get(&name.text).cloned() {
            return self.expand(&block, name, args, whole, input, names, body, depth);
        }
        let Some(op) = ops::find(&name.text) else {
            let known: Vec<&str> =
                ops::table().iter().map(|o| o.call.name).chain(self.blocks.keys().map(String::as_str)).collect();
            let d = unknown_call(name, &known, "op or block");
            if !self.is_reported(&["block"], &name.text) {
                self.diags.push(d);
            }
            let near = suggest::nearest(&name.text, known.iter().copied()).map(str::to_string);
            self.arguments_of_misspelt(near.as_deref(), args, whole, names, body, depth);
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
                    match self.flow(&v.value, names, body, depth) {
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

    #[allow(clippy::too_many_arguments)]
    fn expand(
        &mut self,
        block: &Item,
        name: &Name,
        args: &[ast::Arg],
        whole: &Expr,
        input: Flow,
        names: &Names,
        body: &mut Growing,
        depth: &mut Vec<String>,
    ) -> Option<Flow> {
        if let Some(at) = depth.iter().position(|n| *n == name.text) {
            let circle: Vec<&str> = depth[at..].iter().map(String::as_str).chain([name.text.as_str()]).collect();
            let d = Diagnostic::new(
                codes::NAME_CYCLE,
                name.span,
                format!("blocks use each other in a circle: {}", circle.join(" -> ")),
            )
            .also(block.names[0].span, "defined here")
            .help("templates cannot be recursive; repeat with `n * block(...)`");
            if !self.diags.iter().any(|e| e.code == d.code && e.primary == d.primary) {
                self.diags.push(d);
            }
            return None;
        }
        let mut scope = self.scope.clone();
        let params = block.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        self.bind(&name.text, params, args, whole.span, &names.scope, &mut scope)?;
        depth.push(name.text.clone());
        self.used_blocks.insert(name.text.clone());
        let out = self.block_body(block, scope, input, body, depth);
        depth.pop();
        out
    }

    fn block_body(
        &mut self,
        block: &Item,
        scope: Scope,
        input: Flow,
        body: &mut Growing,
        depth: &mut Vec<String>,
    ) -> Option<Flow> {
        let empty = HashMap::new();
        let values = HashMap::from([("in".to_string(), input)]);
        let inner = Names { scope, values, readable: &empty, outer: false, implicit: Some(input) };
        match (&block.value, &block.body) {
            (Some(value), _) => self.flow(value, &inner, body, depth),
            (None, Some(b)) => self.values(b, inner, body, depth, &[], block.names[0].span),
            (None, None) => {
                self.diags.push(
                    Diagnostic::new(codes::SYNTAX_HEADER, block.names[0].span, "this block has no content")
                        .help("write `block NAME(...) = CHAIN` or `block NAME(...) { out = CHAIN }`"),
                );
                None
            }
        }
    }

    /// `name = value` lines up to `out`; attributes in `skip` are the caller's.
    pub(super) fn values(
        &mut self,
        b: &AstBody,
        mut names: Names,
        body: &mut Growing,
        depth: &mut Vec<String>,
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
                self.flow(&a.value, &names, body, depth);
                continue;
            }
            seen.insert(&a.key.text, a.key.span);
            match self.flow(&a.value, &names, body, depth) {
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

    /// Binds arguments to a template's typed parameters.
    pub(super) fn bind(
        &mut self,
        callee: &str,
        params: &[ast::Param],
        args: &[ast::Arg],
        span: Span,
        outer: &Scope,
        inner: &mut Scope,
    ) -> Option<()> {
        let mut position = 0;
        let mut set: Vec<&str> = Vec::new();
        let slots: Vec<Slot> = params.iter().map(Slot::of_param).collect();
        let report = positional::report(callee, &slots, args, span);
        // Which parameter is meant is not known, and so is its type.
        let unclear = report.is_some();
        self.diags.extend(report);
        let mut ok = !unclear;
        for arg in args {
            let param = match (positional::slot(&slots, arg, &mut position), &arg.name) {
                (Some(i), _) => &params[i],
                (None, Some(n)) => {
                    self.unknown_parameter(callee, n, params);
                    ok = false;
                    continue;
                }
                (None, None) => continue,
            };
            if unclear && arg.name.is_none() {
                let mut quiet = Diagnostics::default();
                std::mem::swap(self.diags, &mut quiet);
                self.typed(param, &arg.value, outer);
                std::mem::swap(self.diags, &mut quiet);
                self.diags.extend(positional::beyond_types(|diags| *diags = quiet));
                continue;
            }
            if set.contains(&param.name.text.as_str()) {
                let what = format!("`{}` is given twice", param.name.text);
                let d = Diagnostic::new(codes::TYPE_ARGUMENTS, arg.value.span, what).label("again here");
                self.diags.push(d.help(positional::all(&slots)));
                ok = false;
                continue;
            }
            set.push(&param.name.text);
            match self.typed(param, &arg.value, outer) {
                Some(v) => inner.set(&param.name.text, v),
                None => ok = false,
            }
        }
        for param in params.iter().filter(|p| !set.contains(&p.name.text.as_str())) {
            match &param.default {
                // One without a name may be it.
                None if unclear => {}
                Some(d) => {
                    let scope = inner.clone();
                    match self.typed(param, d, &scope) {
                        Some(v) => inner.set(&param.name.text, v),
                        None => ok = false,
                    }
                }
                None => {
                    self.diags.push(
                        Diagnostic::new(
                            codes::TYPE_MISSING_ATTRIBUTE,
                            span,
                            format!("`{callee}` needs `{}`", param.name.text),
                        )
                        .label(format!("`{}` is missing", param.name.text))
                        .also(param.span, "declared here, without a default"),
                    );
                    ok = false;
                }
            }
        }
        ok.then_some(())
    }

    fn typed(&mut self, param: &ast::Param, value: &Expr, scope: &Scope) -> Option<Const> {
        let Some(ty) = &param.ty else {
            return eval::constant(value, scope, self.diags);
        };
        let ty = self.param_type(ty)?;
        // An open size passes through any type.
        if let ExprKind::Path(p) = &value.kind
            && p.len() == 1
            && scope.get(&p[0].text) == Some(&Const::Open)
        {
            return Some(Const::Open);
        }
        Some(match eval::value(value, &ty, scope, self.diags)?.value {
            crate::schema::Value::Int(v) => Const::Int(v),
            crate::schema::Value::Float(v) => Const::Float(v),
            crate::schema::Value::Bool(v) => Const::Bool(v),
            crate::schema::Value::Str(v) => Const::Str(v),
            _ => return None,
        })
    }
}

fn is_merge(expr: &Expr) -> bool {
    let ExprKind::Call { callee, .. } = &expr.kind else { return false };
    eval::as_name(callee).and_then(|n| ops::find(&n.text)).is_some_and(|o| o.arity == Arity::Many)
}

fn unknown_call(name: &Name, known: &[&str], what: &str) -> Diagnostic {
    let mut known = known.to_vec();
    known.sort_unstable();
    known.dedup();
    let d = Diagnostic::new(codes::NAME_UNKNOWN_CALL, name.span, format!("there is no {what} called `{}`", name.text));
    match suggest::nearest(&name.text, known.iter().copied()) {
        Some(near) => d.label(format!("did you mean `{near}`?")).fix(
            format!("replace `{}` with `{near}`", name.text),
            name.span,
            near,
            suggest::certainty(&name.text, near, known.iter().copied()),
        ),
        None => d
            .label("unknown")
            .help(format!("`mtlc explain ops` lists the ops; a block is declared: `block {}(...) = ...`", name.text)),
    }
}
