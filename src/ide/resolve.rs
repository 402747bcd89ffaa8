//! From the items of all files to [`Names`]: first every definition, then every place that refers to one. Follows the rules by which
//! `hir` resolves names, and goes on where those give up.

use std::collections::HashMap;

use super::names::{Builtin, Def, DefId, Names, Ref, Target, What};
use crate::hir::schema::{self, ItemDef};
use crate::hir::{self, Spec};
use crate::schema::{AttrDef, CallDef, Ty};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::ast::{Arg, Attr, Body, Edge, Entry, Expr, ExprKind, File, Item, Name, Nested};
use crate::syntax::{Parse, parse};
use crate::{data, ops, search};

pub(super) fn names(sources: &SourceMap, root: FileId, parsed: &Parse, spec: &Spec) -> Names {
    let files: Vec<(FileId, File)> = sources
        .files()
        .map(|(id, f)| (id, if id == root { parsed.file() } else { parse(id, &f.text).into_file() }))
        .collect();
    let mut resolver = Resolver::empty(sources, spec);
    for (_, file) in &files {
        file.items.iter().for_each(|i| resolver.define(i));
    }
    resolver.choose_backbone(&files);
    for (_, file) in &files {
        file.items.iter().for_each(|i| resolver.item(i));
    }
    Names::new(resolver.defs, resolver.refs)
}

/// Names of the inside of an item, the innermost last.
type Locals = Vec<(String, DefId)>;

/// What names mean at a place.
#[derive(Clone, Copy)]
struct Place<'l> {
    locals: &'l Locals,
    /// Looked for in this order.
    kinds: &'static [What],
    /// The backbone whose stages are meant.
    backbone: Option<DefId>,
    /// Calls are ops and blocks.
    flow: bool,
}

/// Where attributes of a body are declared.
type Tables<'t> = &'t [&'static [AttrDef]];

const VALUES: &[What] = &[What::Param];
const FLOWS: &[What] = &[What::Stage, What::Input, What::Param];
const COLUMNS: &[What] = &[What::Data, What::Param];
const NODES: &[What] = &[What::Mix, What::Input, What::Task];

struct Resolver<'a> {
    sources: &'a SourceMap,
    spec: &'a Spec,
    defs: Vec<Def>,
    refs: Vec<Ref>,
    by_name: HashMap<(What, String), DefId>,
    /// Stages, by backbone and name.
    stages: HashMap<(DefId, String), DefId>,
    /// Parameters, by block or backbone and name.
    parameters: HashMap<(DefId, String), DefId>,
    by_span: HashMap<Span, DefId>,
    /// Backbones that are another one with arguments.
    instances: HashMap<String, String>,
    /// The backbone of the network.
    chosen: Option<DefId>,
}

fn last(span: Span) -> Span {
    Span { start: span.end, ..span }
}

impl<'a> Resolver<'a> {
    fn empty(sources: &'a SourceMap, spec: &'a Spec) -> Resolver<'a> {
        Resolver {
            sources,
            spec,
            defs: Vec::new(),
            refs: Vec::new(),
            by_name: HashMap::new(),
            stages: HashMap::new(),
            parameters: HashMap::new(),
            by_span: HashMap::new(),
            instances: HashMap::new(),
            chosen: None,
        }
    }

    fn def(&mut self, what: What, name: &Name, whole: Span, owner: Option<DefId>, many: bool) -> DefId {
        let id = DefId(self.defs.len());
        self.defs.push(Def { what, name: name.text.clone(), span: name.span, whole, owner, many });
        self.by_span.insert(name.span, id);
        if what != What::Copy {
            self.refs.push(Ref { span: name.span, to: Target::Def(id), quoted: name.quoted });
        }
        id
    }

    fn top(&mut self, what: What, name: &Name, whole: Span, many: bool) -> DefId {
        let id = self.def(what, name, whole, None, many);
        // The user's own goes before the library's, which is read last.
        self.by_name.entry((what, name.text.clone())).or_insert(id);
        id
    }

    fn define(&mut self, item: &Item) {
        if item.keyword.text == "topology" {
            self.topology_defs(item);
        }
        let Some(name) = item.names.first() else { return };
        match item.keyword.text.as_str() {
            "param" => drop(self.top(What::Param, name, item.span, false)),
            "data" => drop(self.top(What::Data, name, item.span, false)),
            "input" => drop(self.top(What::Input, name, item.span, false)),
            "space" => drop(self.top(What::Space, name, item.span, false)),
            "topology" => drop(self.top(What::Topology, name, item.span, false)),
            "task" => match &item.index {
                None => drop(self.top(What::Task, name, item.span, false)),
                Some(_) => drop(self.top(What::Family, name, item.span, true)),
            },
            "block" => {
                let id = self.top(What::Block, name, item.span, false);
                self.parameters_of(item, id);
            }
            "backbone" => {
                let id = self.top(What::Backbone, name, item.span, false);
                self.parameters_of(item, id);
                if let Some(callee) = item.value.as_ref().and_then(callee) {
                    self.instances.insert(name.text.clone(), callee.text.clone());
                }
                for entry in item.body.iter().flat_map(|b| &b.entries) {
                    if let Entry::Nested(n) = entry
                        && n.keyword.text == "stage"
                        && let Some(name) = n.names.first()
                    {
                        let stage = self.def(What::Stage, name, n.span, Some(id), n.index.is_some());
                        self.stages.entry((id, name.text.clone())).or_insert(stage);
                    }
                }
            }
            _ => {}
        }
    }

    fn parameters_of(&mut self, item: &Item, owner: DefId) {
        for p in item.params.iter().flat_map(|p| &p.value) {
            // Without a type it names an input of the network.
            if item.keyword.text == "backbone" && p.ty.is_none() {
                continue;
            }
            let id = self.def(What::Parameter, &p.name, p.span, Some(owner), false);
            self.parameters.insert((owner, p.name.text.clone()), id);
        }
    }

    fn topology_defs(&mut self, item: &Item) {
        for entry in item.body.iter().flat_map(|b| &b.entries) {
            let Entry::Edge(edge) = entry else { continue };
            for target in &edge.targets {
                match &target.kind {
                    ExprKind::Path(parts) if parts.len() == 2 => {
                        let name = Name { text: copy_name(parts), quoted: false, span: target.span };
                        let id = self.def(What::Copy, &name, edge.span, None, false);
                        self.by_name.entry((What::Copy, name.text)).or_insert(id);
                    }
                    ExprKind::Path(parts) if is_mix(&edge.source) && edge.targets.len() == 1 => {
                        if !self.by_name.contains_key(&(What::Task, parts[0].text.clone())) {
                            self.top(What::Mix, &parts[0], edge.span, false);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// The backbone that a space or a topology stands over, or the only one.
    fn choose_backbone(&mut self, files: &[(FileId, File)]) {
        let items = || files.iter().flat_map(|(_, f)| &f.items);
        let over = items().find_map(|i| i.over.as_ref()).map(|n| n.text.clone());
        let library = |id: FileId| self.sources.file(id).path.is_none() && id.0 != 0;
        let own = files.iter().filter(|(id, _)| !library(*id)).flat_map(|(_, f)| &f.items);
        let written = own.filter(|i| i.keyword.text == "backbone").filter_map(|i| i.names.first()).last();
        let name = over.or(written.map(|n| n.text.clone()));
        self.chosen = name.and_then(|n| self.backbone(&n));
    }

    /// The backbone whose stages a name stands for: of an instance, its template's.
    fn backbone(&self, name: &str) -> Option<DefId> {
        let mut name = name;
        for _ in 0..8 {
            match self.instances.get(name) {
                Some(of) if of != name => name = of,
                _ => break,
            }
        }
        self.by_name.get(&(What::Backbone, name.to_string())).copied()
    }

    fn refer(&mut self, name: &Name, to: Target) {
        self.refs.push(Ref { span: name.span, to, quoted: name.quoted });
    }

    fn keyword(&mut self, name: &Name, def: &'static ItemDef) {
        self.refer(name, Target::Keyword(def));
    }

    /// A stage of a backbone, or one of a repetition.
    fn stage(&self, backbone: Option<DefId>, name: &str) -> Option<Target> {
        let backbone = backbone.or(self.chosen)?;
        if let Some(id) = self.stages.get(&(backbone, name.to_string())).filter(|id| !self.defs[id.0].many) {
            return Some(Target::Def(*id));
        }
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let id = self.stages.get(&(backbone, stem.to_string()))?;
        (self.defs[id.0].many && stem != name).then_some(Target::Member(*id))
    }

    fn task(&self, name: &str) -> Option<Target> {
        for what in [What::Task, What::Family] {
            if let Some(id) = self.by_name.get(&(what, name.to_string())) {
                return Some(Target::Def(*id));
            }
        }
        let task = self.spec.tasks.iter().find(|t| t.name == name)?;
        let family = self.spec.families.get(task.family?)?;
        Some(Target::Member(*self.by_name.get(&(What::Family, family.name.clone()))?))
    }

    fn lookup(&self, name: &str, place: Place) -> Option<Target> {
        if let Some((_, id)) = place.locals.iter().rev().find(|(n, _)| n == name) {
            return Some(Target::Def(*id));
        }
        place.kinds.iter().find_map(|what| match what {
            What::Stage => self.stage(place.backbone, name),
            What::Task | What::Family => self.task(name),
            what => self.by_name.get(&(*what, name.to_string())).map(|id| Target::Def(*id)),
        })
    }

    fn op_or_block(&self, name: &str) -> Option<Target> {
        if let Some(id) = self.by_name.get(&(What::Block, name.to_string())) {
            return Some(Target::Def(*id));
        }
        ops::find(name).map(|o| Target::Builtin(Builtin { topic: "ops", def: &o.call }))
    }

    // ---- places ------------------------------------------------------------------------------------------------------

    fn item(&mut self, item: &Item) {
        let Some(def) = schema::item(&item.keyword.text) else { return };
        self.keyword(&item.keyword, def);
        let none = Locals::new();
        let plain = Place { locals: &none, kinds: VALUES, backbone: None, flow: false };
        match def.keyword {
            "use" => self.import(item),
            "param" => {
                self.exprs(item.ty.iter().chain(&item.value), plain);
            }
            "data" => {
                let format = item.body.iter().flat_map(|b| &b.entries).find_map(|e| match e {
                    Entry::Attr(a) if a.key.text == "format" => data::find(&a.value.as_name()?.text),
                    _ => None,
                });
                let own = format.map(|f| f.call.args).unwrap_or_default();
                self.body(item.body.as_ref(), &[def.attrs, own], def, plain);
            }
            "schema" => {
                if let Some(n) = item.names.first()
                    && let Some(to) = self.lookup(&n.text, Place { kinds: &[What::Data], ..plain })
                {
                    self.refer(n, to);
                }
            }
            "input" => {
                self.exprs(item.ty.iter(), plain);
                self.body(item.body.as_ref(), &[def.attrs], def, Place { kinds: COLUMNS, ..plain });
            }
            "task" => {
                if let Some(ty) = &item.ty {
                    self.call_of(ty, "kinds", &hir::KINDS.iter().collect::<Vec<_>>(), plain);
                }
                let family = item.names.first().and_then(|n| self.by_span.get(&n.span).copied());
                for e in item.index.iter().flat_map(|i| &i.value) {
                    if let (Some(n), Some(f)) = (e.as_name(), family) {
                        self.refer(&n, Target::Member(f));
                    }
                }
                self.body(item.body.as_ref(), &[def.attrs], def, Place { kinds: COLUMNS, ..plain });
            }
            "block" => {
                let owner = item.names.first().and_then(|n| self.by_span.get(&n.span).copied());
                let locals = self.parameter_locals(item, owner, plain);
                let place = Place { locals: &locals, kinds: VALUES, backbone: None, flow: true };
                self.flows(item.value.as_ref(), item.body.as_ref(), &[], owner, place);
            }
            "backbone" => self.backbone_item(item, def, plain),
            "head" => {
                for target in &item.targets {
                    let Some(name) = target.as_name() else { continue };
                    let to = self.task(&name.text).or_else(|| kind(&name.text)).unwrap_or(Target::Unknown);
                    self.refer(&name, to);
                }
                let place = Place { locals: &none, kinds: FLOWS, backbone: self.chosen, flow: true };
                self.flows(item.value.as_ref(), item.body.as_ref(), &[def.attrs], None, place);
            }
            "space" => {
                let backbone = self.over(item);
                let place = Place { backbone, kinds: FLOWS, ..plain };
                self.body(item.body.as_ref(), &[], def, place);
            }
            "search" => {
                let strategy = item.names.first().and_then(|n| search::strategy(&n.text));
                if let (Some(n), Some(s)) = (item.names.first(), strategy) {
                    self.refer(n, Target::Builtin(Builtin { topic: "strategies", def: &s.call }));
                }
                for n in &item.on {
                    let to = match n.text.as_str() {
                        "heads" => Target::Word,
                        name => self.stage(None, name).unwrap_or(Target::Unknown),
                    };
                    self.refer(n, to);
                }
                let attrs = strategy.map(|s| s.call.args).unwrap_or_default();
                self.body(item.body.as_ref(), &[attrs], def, plain);
            }
            "topology" => {
                let backbone = self.over(item);
                let place = Place { backbone, kinds: NODES, ..plain };
                for entry in item.body.iter().flat_map(|b| &b.entries) {
                    if let Entry::Edge(e) = entry {
                        self.edge(e, place);
                    }
                }
            }
            _ => self.body(item.body.as_ref(), &[def.attrs], def, plain),
        }
    }

    fn import(&mut self, item: &Item) {
        let Some(name) = item.names.last() else { return };
        let wanted = name.text.strip_prefix("std.").unwrap_or(&name.text).to_string();
        let base = self.sources.file(item.span.file).path.clone().unwrap_or_default();
        let path = base.parent().map(|p| p.join(&wanted));
        let found = self.sources.files().find(|(id, f)| match &f.path {
            Some(p) => *id != item.span.file && path.as_ref().is_some_and(|q| same_file(p, q)),
            None => f.name == format!("std/{wanted}.mtl"),
        });
        if let Some((id, _)) = found {
            self.refer(name, Target::File(id));
        }
    }

    fn parameter_locals(&mut self, item: &Item, owner: Option<DefId>, plain: Place) -> Locals {
        let mut locals = Locals::new();
        for p in item.params.iter().flat_map(|p| &p.value) {
            self.exprs(p.ty.iter().chain(&p.default), Place { locals: &locals.clone(), ..plain });
            let id = owner.and_then(|o| self.parameters.get(&(o, p.name.text.clone())).copied());
            locals.extend(id.map(|id| (p.name.text.clone(), id)));
        }
        locals
    }

    fn backbone_item(&mut self, item: &Item, def: &'static ItemDef, plain: Place) {
        let owner = item.names.first().and_then(|n| self.by_span.get(&n.span).copied());
        let locals = self.parameter_locals(item, owner, plain);
        for p in item.params.iter().flat_map(|p| &p.value).filter(|p| p.ty.is_none()) {
            let to = self.lookup(&p.name.text, Place { kinds: &[What::Input], ..plain });
            self.refer(&p.name, to.unwrap_or(Target::Unknown));
        }
        if let Some(value) = &item.value
            && let Some(name) = callee(value)
        {
            let to = self.by_name.get(&(What::Backbone, name.text.clone())).copied();
            self.refer(&name, to.map_or(Target::Unknown, Target::Def));
            if let ExprKind::Call { args, .. } = &value.kind {
                self.arguments(args, to, &[], Place { locals: &locals, kinds: FLOWS, ..plain });
            }
        }
        let stage_def = &def.nested[0];
        for entry in item.body.iter().flat_map(|b| &b.entries) {
            let Entry::Nested(n) = entry else { continue };
            if n.keyword.text != "stage" {
                continue;
            }
            self.keyword(&n.keyword, stage_def);
            let mut inner = locals.clone();
            let place = Place { locals: &locals, kinds: VALUES, backbone: owner, flow: false };
            inner.extend(self.counter(n, place));
            let stage = n.names.first().and_then(|n| self.by_span.get(&n.span).copied());
            let place = Place { locals: &inner, kinds: FLOWS, backbone: owner, flow: true };
            self.flows(n.value.as_ref(), n.body.as_ref(), &[stage_def.attrs], stage, place);
        }
    }

    /// The variable of `[i in 1..4]`.
    fn counter(&mut self, nested: &Nested, place: Place) -> Option<(String, DefId)> {
        let index = nested.index.as_ref()?;
        let [only] = index.value.as_slice() else { return None };
        if let ExprKind::Binary { left, right, .. } = &only.kind
            && let Some(name) = left.as_name()
        {
            self.expr(right, place);
            let id = self.def(What::Counter, &name, only.span, None, false);
            return Some((name.text, id));
        }
        self.expr(only, place);
        None
    }

    /// A chain, or a body of named values with an `out`.
    fn flows(&mut self, value: Option<&Expr>, body: Option<&Body>, attrs: Tables, owner: Option<DefId>, place: Place) {
        self.exprs(value.into_iter(), place);
        let mut locals = place.locals.clone();
        for entry in body.iter().flat_map(|b| &b.entries) {
            match entry {
                Entry::Attr(a) => match known_attr(attrs, &a.key.text) {
                    Some(d) => self.attr(a, d, Place { locals: &locals, flow: false, ..place }),
                    None => {
                        self.expr(&a.value, Place { locals: &locals, ..place });
                        if a.key.text == "out" {
                            self.refer(&a.key, Target::Word);
                        } else {
                            let id = self.def(What::Value, &a.key, a.span, owner, false);
                            locals.push((a.key.text.clone(), id));
                        }
                    }
                },
                Entry::Nested(n) => self.exprs(n.value.iter(), Place { locals: &locals, ..place }),
                Entry::Edge(_) => {}
            }
        }
    }

    fn over(&mut self, item: &Item) -> Option<DefId> {
        let over = item.over.as_ref()?;
        let to = self.by_name.get(&(What::Backbone, over.text.clone())).copied();
        self.refer(over, to.map_or(Target::Unknown, Target::Def));
        self.backbone(&over.text)
    }

    /// Attributes against a table, and nested entries.
    fn body(&mut self, body: Option<&Body>, attrs: Tables, def: &'static ItemDef, place: Place) {
        for entry in body.iter().flat_map(|b| &b.entries) {
            match entry {
                Entry::Attr(a) => match known_attr(attrs, &a.key.text) {
                    Some(d) => self.attr(a, d, place),
                    None if def.keyword == "tree" => {
                        let to = self.stage(place.backbone, &a.key.text).unwrap_or(Target::Unknown);
                        self.refer(&a.key, to);
                        self.expr(&a.value, Place { kinds: VALUES, ..place });
                    }
                    None => self.expr(&a.value, place),
                },
                Entry::Nested(n) => {
                    let Some(inner) = def.nested.iter().find(|d| d.keyword == n.keyword.text) else { continue };
                    self.keyword(&n.keyword, inner);
                    if inner.keyword == "level" {
                        let many = n.index.is_some();
                        for name in &n.names {
                            let to = match many {
                                true => self.many_stages(place.backbone, &name.text),
                                false => self.stage(place.backbone, &name.text),
                            };
                            self.refer(name, to.unwrap_or(Target::Unknown));
                        }
                        self.counter(n, Place { kinds: VALUES, ..place });
                    }
                    self.body(n.body.as_ref(), &[inner.attrs], inner, place);
                }
                Entry::Edge(_) => {}
            }
        }
    }

    /// The stages of a repetition, named by what they have in common.
    fn many_stages(&self, backbone: Option<DefId>, stem: &str) -> Option<Target> {
        let id = self.stages.get(&(backbone.or(self.chosen)?, stem.to_string()))?;
        Some(Target::Def(*id))
    }

    fn attr(&mut self, attr: &Attr, def: &'static AttrDef, place: Place) {
        self.refer(&attr.key, Target::Attr(def));
        match (def.name, &def.ty) {
            ("format", Ty::Name) => {
                if let Some(name) = attr.value.as_name() {
                    let to = data::find(&name.text).map(|f| Builtin { topic: "formats", def: &f.call });
                    self.refer(&name, to.map_or(Target::Unknown, Target::Builtin));
                }
            }
            ("strategy", Ty::Name) => {
                if let Some(name) = attr.value.as_name() {
                    let to = search::strategy(&name.text).map(|s| Builtin { topic: "strategies", def: &s.call });
                    self.refer(&name, to.map_or(Target::Unknown, Target::Builtin));
                }
            }
            _ => self.typed(&attr.value, &def.ty, place),
        }
    }

    /// A value of a table's type.
    fn typed(&mut self, expr: &Expr, ty: &Ty, place: Place) {
        match ty {
            Ty::Bool | Ty::OneOf(_) => {
                if let Some(name) = expr.as_name() {
                    self.refer(&name, Target::Word);
                }
            }
            Ty::Call(calls) => self.call_of(expr, "values", &calls(), place),
            Ty::List(inner) => match &expr.kind {
                ExprKind::List(items) => items.iter().for_each(|e| self.typed(e, inner, place)),
                _ => self.typed(expr, inner, place),
            },
            Ty::AnyOf(tys) => {
                let word = expr
                    .as_name()
                    .filter(|n| tys.iter().any(|t| matches!(t, Ty::OneOf(words) if words.contains(&n.text.as_str()))));
                match (word, tys.iter().find(|t| matches!(t, Ty::Call(_)))) {
                    (Some(name), _) => self.refer(&name, Target::Word),
                    (None, Some(call)) => self.typed(expr, call, place),
                    (None, None) => self.expr(expr, Place { kinds: VALUES, ..place }),
                }
            }
            Ty::Str | Ty::Path | Ty::Budget => {}
            Ty::Name | Ty::Expr => self.expr(expr, place),
            Ty::Int { .. } | Ty::Float { .. } | Ty::Duration => self.expr(expr, Place { kinds: VALUES, ..place }),
        }
    }

    /// One of some calls, with or without brackets.
    fn call_of(&mut self, expr: &Expr, topic: &'static str, calls: &[&'static CallDef], place: Place) {
        let Some(name) = callee(expr) else { return self.expr(expr, place) };
        let found = calls.iter().find(|c| c.name == name.text);
        self.refer(&name, found.map_or(Target::Unknown, |def| Target::Builtin(Builtin { topic, def })));
        if let (ExprKind::Call { args, .. }, Some(def)) = (&expr.kind, found) {
            self.arguments(args, None, def.args, place);
        }
    }

    /// Arguments of a block or a backbone (`of`), or of an entry of a table.
    fn arguments(&mut self, args: &[Arg], of: Option<DefId>, attrs: &'static [AttrDef], place: Place) {
        for (i, arg) in args.iter().enumerate() {
            let attr = match &arg.name {
                Some(n) => attrs.iter().find(|a| a.name == n.text),
                None => attrs.get(i),
            };
            if let Some(n) = &arg.name {
                let parameter = of.and_then(|o| self.parameters.get(&(o, n.text.clone())).copied());
                let to = parameter.map(Target::Def).or(attr.map(Target::Attr)).unwrap_or(Target::Unknown);
                self.refer(n, to);
            }
            match attr {
                Some(a) => self.typed(&arg.value, &a.ty, Place { flow: false, ..place }),
                None => self.expr(&arg.value, place),
            }
        }
    }

    fn exprs<'e>(&mut self, all: impl Iterator<Item = &'e Expr>, place: Place) {
        all.for_each(|e| self.expr(e, place));
    }

    fn expr(&mut self, expr: &Expr, place: Place) {
        match &expr.kind {
            ExprKind::Path(parts) => self.path(parts, place),
            ExprKind::Str(_) => {
                if let Some(name) = expr.as_name()
                    && let Some(to) = self.lookup(&name.text, place)
                    && place.kinds != COLUMNS
                {
                    self.refer(&name, to);
                }
            }
            ExprKind::List(items) => self.exprs(items.iter(), place),
            ExprKind::Chain(links) => self.exprs(links.iter(), place),
            ExprKind::Call { callee: c, args } => {
                let Some(name) = c.as_name() else { return self.exprs(args.iter().map(|a| &a.value), place) };
                let to = if place.flow { self.op_or_block(&name.text) } else { None };
                match to {
                    Some(Target::Def(block)) => {
                        self.refer(&name, Target::Def(block));
                        self.arguments(args, Some(block), &[], place);
                    }
                    Some(Target::Builtin(b)) => {
                        self.refer(&name, Target::Builtin(b));
                        let merge = ops::find(b.def.name).is_some_and(|o| o.arity == ops::Arity::Many);
                        self.arguments(args, None, if merge { &[] } else { b.def.args }, place);
                    }
                    _ => {
                        // `mix(softmax, query = embed.a)` of a topology.
                        self.refer(&name, if name.text == "mix" { Target::Word } else { Target::Unknown });
                        for a in args {
                            match a.value.as_name().filter(|n| hir_gate(&n.text)) {
                                Some(word) => self.refer(&word, Target::Word),
                                None => self.expr(&a.value, place),
                            }
                        }
                    }
                }
            }
            ExprKind::Index { base, items } => {
                let column = match (&base.kind, place.kinds == COLUMNS) {
                    (ExprKind::Path(p), true) if p.len() == 1 => self.by_name.get(&(What::Data, p[0].text.clone())),
                    _ => None,
                };
                let column = column.copied();
                self.expr(base, place);
                for e in items {
                    match (column, e.as_name()) {
                        (Some(data), Some(name)) => self.refer(&name, Target::Column(data)),
                        _ => self.expr(e, place),
                    }
                }
            }
            ExprKind::Unary { operand, .. } => self.expr(operand, place),
            ExprKind::Binary { left, right, .. } => self.exprs([&**left, &**right].into_iter(), place),
            ExprKind::Range { from, to } => self.exprs([&**from, &**to].into_iter(), place),
            ExprKind::Quantity { value, .. } => self.expr(value, place),
            ExprKind::Int(_) | ExprKind::Float(_) | ExprKind::Star | ExprKind::Missing => {}
        }
    }

    fn path(&mut self, parts: &[Name], place: Place) {
        let [first, rest @ ..] = parts else { return };
        if place.kinds == NODES && rest.len() == 1 {
            return self.copy(parts, place);
        }
        let found = self.lookup(&first.text, place);
        match found {
            Some(to) => self.refer(first, to),
            None if place.flow => match (first.text.as_str(), self.op_or_block(&first.text)) {
                ("in" | "out" | "outputs" | "true" | "false", _) => self.refer(first, Target::Word),
                (_, Some(to)) => self.refer(first, to),
                _ => self.refer(first, Target::Unknown),
            },
            None => {
                let words = ["true", "false", "previous", "f32", "fields", "int", "float", "bool", "independent"];
                let word = words.contains(&first.text.as_str());
                self.refer(first, if word { Target::Word } else { Target::Unknown });
            }
        }
        if let Some(Target::Def(data)) = found
            && self.defs[data.0].what == What::Data
        {
            rest.iter().for_each(|column| self.refer(column, Target::Column(data)));
        }
    }

    /// `c2.a`: the copy as a whole, and the stage that its name begins with.
    fn copy(&mut self, parts: &[Name], place: Place) {
        let span = parts[0].span.to(parts[1].span);
        let to = self.by_name.get(&(What::Copy, copy_name(parts))).copied();
        let end = Name { span: Span { start: last(parts[0].span).start, ..span }, ..parts[1].clone() };
        self.refer(&end, to.map_or(Target::Unknown, Target::Def));
        let stage = self.stage(place.backbone, &parts[0].text).unwrap_or(Target::Unknown);
        self.refer(&parts[0], stage);
    }

    fn edge(&mut self, edge: &Edge, place: Place) {
        for target in &edge.targets {
            match &target.kind {
                ExprKind::Path(parts) if parts.len() == 2 => self.copy(parts, place),
                _ => {
                    let Some(name) = target.as_name() else { continue };
                    if !self.by_span.contains_key(&name.span) {
                        let to = self.task(&name.text).unwrap_or(Target::Unknown);
                        self.refer(&name, to);
                    }
                }
            }
        }
        self.expr(&edge.source, place);
    }
}

fn known_attr(tables: Tables, name: &str) -> Option<&'static AttrDef> {
    tables.iter().copied().flatten().find(|a| a.name == name)
}

fn copy_name(parts: &[Name]) -> String {
    format!("{}.{}", parts[0].text, parts[1].text)
}

fn is_mix(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Index { base, .. } => is_mix(base),
        _ => callee(expr).is_some_and(|n| n.text == "mix"),
    }
}

fn hir_gate(word: &str) -> bool {
    ["softmax", "sigmoid", "sum", "mean"].contains(&word)
}

fn kind(name: &str) -> Option<Target> {
    let def = hir::KINDS.iter().find(|k| k.name == name)?;
    Some(Target::Builtin(Builtin { topic: "kinds", def }))
}

/// The name that a call, or a bare name, begins with.
fn callee(expr: &Expr) -> Option<Name> {
    match &expr.kind {
        ExprKind::Call { callee, .. } => callee.as_name(),
        _ => expr.as_name(),
    }
}

fn same_file(a: &std::path::Path, b: &std::path::Path) -> bool {
    let parts = |p: &std::path::Path| {
        let mut out: Vec<std::ffi::OsString> = Vec::new();
        for c in p.components() {
            match c {
                std::path::Component::CurDir => {}
                std::path::Component::ParentDir if out.last().is_some_and(|l| l != "..") => drop(out.pop()),
                other => out.push(other.as_os_str().to_os_string()),
            }
        }
        out
    };
    parts(a) == parts(b)
}
