//! The places of each kind of item.

use super::super::names::{Builtin, DefId, Target, What};
use super::{COLUMNS, FLOWS, Locals, NODES, Place, Resolver, Tables, VALUES, callee, kind, known_attr, same_file};
use crate::hir;
use crate::hir::schema::{self, ItemDef};
use crate::syntax::ast::{Body, Entry, Expr, ExprKind, Item, Nested};
use crate::{data, search};

impl Resolver<'_> {
    pub(super) fn item(&mut self, item: &Item) {
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

    pub(super) fn import(&mut self, item: &Item) {
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

    pub(super) fn parameter_locals(&mut self, item: &Item, owner: Option<DefId>, plain: Place) -> Locals {
        let mut locals = Locals::new();
        for p in item.params.iter().flat_map(|p| &p.value) {
            self.exprs(p.ty.iter().chain(&p.default), Place { locals: &locals.clone(), ..plain });
            let id = owner.and_then(|o| self.parameters.get(&(o, p.name.text.clone())).copied());
            locals.extend(id.map(|id| (p.name.text.clone(), id)));
        }
        locals
    }

    pub(super) fn backbone_item(&mut self, item: &Item, def: &'static ItemDef, plain: Place) {
        let owner = item.names.first().and_then(|n| self.by_span.get(&n.span).copied());
        let locals = self.parameter_locals(item, owner, plain);
        for p in item.params.iter().flat_map(|p| &p.value).filter(|p| p.ty.is_none()) {
            let to = self.lookup(&p.name.text, Place { kinds: &[What::Input], ..plain });
            self.refer(&p.name, to.unwrap_or(Target::Unknown));
        }
        if let Some(value) = &item.value
            && let Some(name) = callee(value)
        {
            let to = self.named(What::Backbone, &name.text);
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
    pub(super) fn counter(&mut self, nested: &Nested, place: Place) -> Option<(String, DefId)> {
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
    pub(super) fn flows(
        &mut self,
        value: Option<&Expr>,
        body: Option<&Body>,
        attrs: Tables,
        owner: Option<DefId>,
        place: Place,
    ) {
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

    pub(super) fn over(&mut self, item: &Item) -> Option<DefId> {
        let over = item.over.as_ref()?;
        let to = self.named(What::Backbone, &over.text);
        self.refer(over, to.map_or(Target::Unknown, Target::Def));
        self.backbone(&over.text)
    }

    /// Attributes against a table, and nested entries.
    pub(super) fn body(&mut self, body: Option<&Body>, attrs: Tables, def: &'static ItemDef, place: Place) {
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
    pub(super) fn many_stages(&self, backbone: Option<DefId>, stem: &str) -> Option<Target> {
        let id = self.stages.get(&(backbone.or(self.chosen)?, stem.to_string()))?;
        Some(Target::Def(*id))
    }
}
