//! Backbones: stages with what they read, repetitions, instances of templates.

use std::collections::{HashMap, HashSet};

use super::build::Builder;
use super::eval::{self, Const, Scope};
use super::flow::{Growing, LOST, Names, Way};
use super::import::Loaded;
use super::*;
use crate::diag::{Diagnostic, codes};
use crate::schema::Value;
use crate::syntax::ast::{Entry, Expr, ExprKind, Item, Name, Nested};

/// The most stages of a backbone: what asks which stage reads which looks at all pairs.
const MAX_STAGES: usize = 2_000;

/// What a stage or a head reads and computes.
pub(super) struct Built {
    pub reads: Vec<Read>,
    /// `None` after a mistake, which is reported.
    pub body: Option<Body>,
    /// Something that it reads is not known.
    pub lost: bool,
}

impl Builder<'_> {
    /// The backbone of the network: the one named by `over`, else the only one of the file.
    pub(super) fn backbones(&mut self, items: &[&Loaded], over: &[Name]) {
        let own: Vec<&Loaded> = items.iter().copied().filter(|l| !l.library).collect();
        self.duplicates(&own, "backbone");
        let known: Vec<&str> = items.iter().map(|l| l.item.names[0].text.as_str()).collect();
        for name in over {
            if !known.contains(&name.text.as_str()) {
                self.unknown_name("backbone", name, known.iter().copied());
            }
        }
        if let (Some(a), Some(b)) = (over.first(), over.iter().find(|n| n.text != over[0].text)) {
            self.diags.push(
                Diagnostic::new(
                    codes::NAME_DUPLICATE,
                    b.span,
                    "the space and the topology stand over different backbones",
                )
                .also(a.span, "the other one"),
            );
        }
        let pick = |n: &str| own.iter().chain(items.iter().filter(|l| l.library)).find(|l| l.item.names[0].text == n);
        let chosen = match over.first() {
            Some(n) => pick(&n.text).copied(),
            None => own.last().copied().or(items.first().copied()),
        };
        // A file for `use`: what its backbones read is declared by others, and it has no network of its own.
        let module = over.is_empty() && self.spec.tasks.is_empty() && self.spec.inputs.is_empty();
        self.templates_only = module && !self.spec.incomplete;
        // Backbones that are not the network's are read all the same, so that every mistake is found.
        for l in &own {
            if !chosen.is_some_and(|c| std::ptr::eq(c, *l)) {
                self.backbone(&l.item, items);
            }
        }
        if let Some(l) = chosen {
            self.spec.backbone = self.backbone(&l.item, items).filter(|_| !self.templates_only);
        }
    }

    pub(super) fn backbone(&mut self, item: &Item, items: &[&Loaded]) -> Option<Backbone> {
        let name = &item.names[0];
        let mut scope = self.outer_scope(item);
        let mut inputs: Vec<(String, Read)> = Vec::new();
        let mut broken = false;
        let params = item.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        if let Some(value) = &item.value {
            return self.instance(item, value, items);
        }
        for p in params {
            match &p.ty {
                None => {
                    // A stand-in for what is reported, so that the stages are read all the same.
                    let read = self.input_named(&p.name);
                    broken |= read.is_none();
                    inputs.push((p.name.text.clone(), read.unwrap_or(Read::Input(InputId(0)))));
                }
                Some(_) => {
                    if self
                        .bind(&name.text, std::slice::from_ref(p), &[], p.span, &Scope::default(), &mut scope)
                        .is_none()
                    {
                        scope.set(&p.name.text, Const::Open);
                        broken = true;
                    }
                }
            }
        }
        self.stages(item, item, scope, inputs, broken)
    }

    pub(super) fn input_named(&mut self, name: &Name) -> Option<Read> {
        if let Some(i) = self.inputs.get(&name.text) {
            return Some(Read::Input(*i));
        }
        if self.templates_only {
            return Some(Read::Input(InputId(0)));
        }
        // An input that was declared and could not be read is reported already.
        if self.declared.contains(&("input".into(), name.text.clone())) {
            return None;
        }
        let known: Vec<String> = self.spec.inputs.iter().map(|i| i.name.clone()).collect();
        self.unknown_name("input", name, known.iter().map(String::as_str));
        None
    }

    /// `backbone net(photo) = resnet18(width = 32)`
    pub(super) fn instance(&mut self, item: &Item, value: &Expr, items: &[&Loaded]) -> Option<Backbone> {
        let (callee, args): (Name, &[ast::Arg]) = match &value.kind {
            ExprKind::Call { callee, args } => (eval::as_name(callee)?, args),
            _ => (eval::as_name(value)?, &[]),
        };
        // The user's own goes before the library's of the same name.
        let others = || items.iter().filter(|l| l.item.names[0].text == callee.text && !std::ptr::eq(&l.item, item));
        let template = others().find(|l| !l.library).or_else(|| others().next());
        let Some(template) = template else {
            let known: Vec<&str> = items.iter().map(|l| l.item.names[0].text.as_str()).collect();
            self.unknown_name("backbone", &callee, known.into_iter());
            return None;
        };
        let template = template.item.clone();
        if template.value.is_some() {
            self.diags.push(
                Diagnostic::new(
                    codes::NAME_CYCLE,
                    callee.span,
                    "a backbone is made from one that has stages of its own",
                )
                .also(template.names[0].span, "this one is made from another"),
            );
            return None;
        }
        let formal = template.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        let (sockets, typed): (Vec<_>, Vec<_>) = formal.iter().cloned().partition(|p| p.ty.is_none());
        let given = item.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        if given.len() != sockets.len() {
            self.diags.push(
                Diagnostic::new(
                    codes::TYPE_ARGUMENTS,
                    item.names[0].span,
                    format!(
                        "`{}` reads {}, and {} given",
                        callee.text,
                        match sockets.len() {
                            1 => "one input".to_string(),
                            n => format!("{n} inputs"),
                        },
                        match given.len() {
                            0 => "none is".to_string(),
                            1 => "one is".to_string(),
                            n => format!("{n} are"),
                        }
                    ),
                )
                .also(template.names[0].span, "declared here"),
            );
            return None;
        }
        let mut inputs = Vec::new();
        let mut broken = false;
        for (socket, plug) in sockets.iter().zip(given) {
            let read = self.input_named(&plug.name);
            broken |= read.is_none();
            inputs.push((socket.name.text.clone(), read.unwrap_or(Read::Input(InputId(0)))));
        }
        let mut scope = self.outer_scope(&template);
        let outer = self.scope.clone();
        if self.bind(&callee.text, &typed, args, value.span, &outer, &mut scope).is_none() {
            typed.iter().for_each(|p| scope.set(&p.name.text, Const::Open));
            broken = true;
        }
        self.stages(item, &template, scope, inputs, broken)
    }

    pub(super) fn stages(
        &mut self,
        named: &Item,
        item: &Item,
        scope: Scope,
        inputs: Vec<(String, Read)>,
        // What the stages read is not known, which is reported.
        broken: bool,
    ) -> Option<Backbone> {
        let def = schema::item("backbone").expect("in the table");
        let stage_def = &def.nested[0];
        let empty = item.body.as_ref().is_none_or(|b| b.entries.is_empty());
        if empty {
            self.diags.push(
                Diagnostic::new(codes::BACKBONE_EMPTY, item.names[0].span, "this backbone has no stages")
                    .help("declare at least one: `stage s1 = conv_bn(64) -> max_pool(2)`"),
            );
            return None;
        }
        let fields = self.fields(&item.keyword, item.body.as_ref(), &[], def, item.span);
        let mut readable: HashMap<String, Read> = inputs.iter().cloned().collect();
        let later: HashSet<String> =
            fields.nested.iter().flat_map(|n| n.names.iter().map(|n| n.text.clone())).collect();
        let mut stages: Vec<Stage> = Vec::new();
        let mut spans: HashMap<String, Span> = HashMap::new();
        // The names of some stages are not known: others may be meant by any name.
        let mut nameless = false;
        let mut wired = !broken;
        for nested in fields.nested {
            let Some(name) = nested.names.first() else {
                nameless = true;
                continue;
            };
            let repeated = self.repeated(nested, name, &scope);
            nameless |= repeated.is_empty();
            for (label, scope) in repeated {
                if stages.len() == MAX_STAGES {
                    self.diags.push(
                        Diagnostic::new(codes::TYPE_RANGE, name.span, format!("more than {MAX_STAGES} stages"))
                            .help("a stage is the unit that tasks share: put several ops into one"),
                    );
                    return None;
                }
                let name = Name { text: label, ..name.clone() };
                let twice = spans.get(&name.text).copied();
                if let Some(first) = twice {
                    self.diags.push(super::build::duplicate("stage", &name, first));
                }
                spans.entry(name.text.clone()).or_insert(name.span);
                let previous = match stages.len() {
                    0 => inputs.first().map(|(_, r)| *r),
                    n => Some(Read::Stage(StageId(n - 1))),
                };
                let built = self.body_of(
                    nested.value.as_ref(),
                    nested.body.as_ref(),
                    stage_def,
                    &name,
                    scope,
                    &readable,
                    &later,
                    previous,
                );
                if twice.is_some() {
                    continue;
                }
                let of_unknown = |r: &Read| matches!(r, Read::Stage(s) if stages[s.0].unknown);
                let unknown = broken || built.body.is_none() || built.reads.iter().any(of_unknown);
                wired &= !built.lost;
                let (reads, body) = (built.reads, built.body.unwrap_or_default());
                readable.insert(name.text.clone(), Read::Stage(StageId(stages.len())));
                stages.push(Stage { name: name.text.clone(), span: name.span, reads, body, unknown });
            }
        }
        (!nameless).then(|| Backbone { name: named.names[0].text.clone(), span: named.names[0].span, stages, wired })
    }

    /// Names and scopes of `stage s`, `stage s[4]`, `stage s[i in 1..4]`.
    pub(super) fn repeated(&mut self, nested: &Nested, name: &Name, scope: &Scope) -> Vec<(String, Scope)> {
        let Some(index) = &nested.index else { return vec![(name.text.clone(), scope.clone())] };
        let Some((variable, from, to)) = self.repetition(&index.value, index.span, scope) else { return Vec::new() };
        (from..=to)
            .map(|i| {
                let mut inner = scope.clone();
                if let Some(v) = &variable {
                    inner.set(v, Const::Int(i));
                }
                (format!("{}{i}", name.text), inner)
            })
            .collect()
    }

    pub(super) fn repetition(
        &mut self,
        index: &[Expr],
        span: Span,
        scope: &Scope,
    ) -> Option<(Option<String>, i64, i64)> {
        let wrong = |this: &mut Self| {
            this.diags.push(Diagnostic::new(
                codes::TYPE_MISMATCH,
                span,
                "expected a repetition: `[4]`, `[1..4]` or `[i in 1..4]`",
            ));
            None
        };
        let [expr] = index else { return wrong(self) };
        let (variable, range) = match &expr.kind {
            ExprKind::Binary { op: ast::BinaryOp::In, left, right } => match eval::as_name(left) {
                Some(n) => (Some(n.text), &**right),
                None => return wrong(self),
            },
            _ => (None, expr),
        };
        let number = crate::schema::Ty::Int { min: 0, max: 100_000 };
        let int = |this: &mut Self, e: &Expr| match eval::value(e, &number, scope, this.diags)?.value {
            Value::Int(n) => Some(n),
            _ => None,
        };
        let (from, to) = match &range.kind {
            ExprKind::Range { from, to } => {
                let (from, to) = (int(self, from), int(self, to));
                (from?, to?)
            }
            _ => (1, int(self, range)?),
        };
        if to < from || to - from >= MAX_STAGES as i64 {
            self.diags.push(
                Diagnostic::new(codes::TYPE_RANGE, range.span, format!("a repetition from {from} to {to}"))
                    .help("the end is included and must not lie before the start; at most 2,000 times"),
            );
            return None;
        }
        Some((variable, from, to))
    }

    /// What a stage or head reads and computes.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn body_of(
        &mut self,
        value: Option<&Expr>,
        body: Option<&ast::Body>,
        def: &schema::ItemDef,
        name: &Name,
        scope: Scope,
        readable: &HashMap<String, Read>,
        later: &HashSet<String>,
        previous: Option<Read>,
    ) -> Built {
        let mut growing = Growing::default();
        let mut values = HashMap::new();
        let mut implicit = None;
        let mut from_given = false;
        let mut from: Vec<(String, Span)> = Vec::new();
        if let Some(b) = body {
            let fields = self.fields(name, Some(b), def.attrs, def, name.span);
            from_given = fields.args.is_given("from");
            let written = fields.args.list("from");
            for v in written {
                let Value::Name(path) = &v.value else { continue };
                let text = path.join(".");
                match readable.get(&text) {
                    Some(r) if growing.has_read(*r) => {
                        let message = format!("`{text}` is listed twice");
                        let d = Diagnostic::new(codes::NAME_DUPLICATE, v.span, message).label("again here");
                        if !self.diags.has(codes::NAME_DUPLICATE, v.span) {
                            self.diags.push(d.help("remove one of them"));
                        }
                    }
                    Some(r) => {
                        growing.read(*r);
                        from.push((text, v.span));
                    }
                    None => {
                        growing.lost = true;
                        values.insert(text.clone(), LOST);
                        let n = Name { text, quoted: false, span: v.span };
                        self.unreadable(&n, readable, later);
                    }
                }
            }
            if from_given && (growing.lost && written.len() == 1 || !growing.lost && growing.reads.len() == 1) {
                let only = if growing.lost { LOST } else { Flow::Source(0) };
                implicit = Some(only);
                values.insert("in".to_string(), only);
            }
        }
        // The stage before is read only if the chain starts from it.
        let probe = !from_given && previous.is_some();
        if probe {
            implicit = Some(Flow::Source(usize::MAX));
            values.insert("in".to_string(), Flow::Source(usize::MAX));
        }
        // A name of a later stage gets its own message.
        let mut lost = growing.lost;
        let mut check = |this: &mut Self, e: &Expr| {
            eval::walk_paths(e, &mut |p| {
                if p.len() == 1
                    && later.contains(&p[0].text)
                    && !readable.contains_key(&p[0].text)
                    && values.insert(p[0].text.clone(), LOST).is_none()
                {
                    this.unreadable(&p[0], readable, later);
                    lost = true;
                }
            });
        };
        if let Some(v) = value {
            check(self, v);
        }
        for e in body.map(|b| b.entries.as_slice()).unwrap_or_default() {
            if let Entry::Attr(a) = e
                && a.key.text != "from"
            {
                check(self, &a.value);
            }
        }
        let names = Names { scope, values, readable, outer: true, implicit };
        let mut way = Way::default();
        let out = match (value, body) {
            (Some(v), _) => self.flow(v, &names, &mut growing, &mut way),
            (None, Some(b)) => self.values(b, names, &mut growing, &mut way, &["from"], name.span),
            (None, None) => {
                self.diags.push(
                    Diagnostic::new(codes::SYNTAX_HEADER, name.span, format!("`{}` has no content", name.text))
                        .help(format!("write `{}`", def.form)),
                );
                None
            }
        };
        lost |= growing.lost;
        let mut out = out.filter(|_| !lost);
        if let Some(out) = out {
            self.unread_sources(&from, &growing, out);
        }
        if probe {
            // Resolve the placeholder for the implicit input to a real source.
            let used = out == Some(Flow::Source(usize::MAX))
                || growing.nodes.iter().any(|n| n.inputs.contains(&Flow::Source(usize::MAX)))
                || out.is_none() && growing.implicit;
            if used {
                let real = growing.read(previous.expect("probed"));
                let fix = |f: &mut Flow| {
                    if *f == Flow::Source(usize::MAX) {
                        *f = real;
                    }
                };
                growing.nodes.iter_mut().for_each(|n| n.inputs.iter_mut().for_each(fix));
                out.iter_mut().for_each(fix);
            }
        }
        Built { reads: growing.reads, body: out.map(|out| Body { nodes: growing.nodes, out }), lost }
    }

    /// Warns of names in `from`, the first things that a body reads, that none of its values reads.
    fn unread_sources(&mut self, from: &[(String, Span)], growing: &Growing, out: Flow) {
        let all = growing.nodes.iter().flat_map(|n| &n.inputs).chain([&out]);
        let read: HashSet<usize> = all
            .filter_map(|f| match f {
                Flow::Source(i) => Some(*i),
                Flow::Node(_) => None,
            })
            .collect();
        for (i, (name, span)) in from.iter().enumerate().filter(|(i, _)| !read.contains(i)) {
            if span.file == self.root && !self.diags.has(codes::NAME_UNUSED, *span) {
                let message = format!("nothing here reads `{name}`");
                let d = Diagnostic::new(codes::NAME_UNUSED, *span, message).label("listed, and never used");
                let one = if from.len() == 1 { "in" } else { &from[i].0 };
                self.diags.push(d.help(format!("remove it from `from`, or read it: `out = {one} -> ...`")));
            }
        }
    }

    pub(super) fn unreadable(&mut self, name: &Name, readable: &HashMap<String, Read>, later: &HashSet<String>) {
        if self.stages_lost {
            return;
        }
        if later.contains(&name.text) {
            let mut earlier: Vec<&str> = readable.keys().map(String::as_str).collect();
            earlier.sort_unstable();
            self.diags.push(
                Diagnostic::new(codes::BACKBONE_ORDER, name.span, format!("`{}` is declared further down", name.text))
                    .label("a later stage, or this one itself")
                    .help(format!(
                        "a stage reads inputs and earlier stages, here {}; else move it below what it reads",
                        crate::diag::suggest::listing(earlier)
                    )),
            );
            return;
        }
        let mut known: Vec<&str> = readable.keys().map(String::as_str).collect();
        known.sort_unstable();
        self.unknown_name("stage or input", name, known.into_iter());
    }
}
