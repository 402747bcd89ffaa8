//! The places inside of values: expressions, calls, nodes of a topology.

use super::super::names::{Builtin, DefId, Target, What};
use super::{COLUMNS, NODES, Place, Resolver, VALUES, callee, copy_name, hir_gate, last};
use crate::hir::schema::schedules;
use crate::schema::{AttrDef, CallDef, Ty, main_name};
use crate::source::Span;
use crate::syntax::ast::{Arg, Attr, Edge, Expr, ExprKind, Name};
use crate::{data, ops, search};

impl Resolver<'_> {
    pub(super) fn attr(&mut self, attr: &Attr, def: &'static AttrDef, place: Place) {
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
    pub(super) fn typed(&mut self, expr: &Expr, ty: &Ty, place: Place) {
        match ty {
            Ty::Bool | Ty::OneOf(_) => {
                if let Some(name) = expr.as_name() {
                    self.refer(&name, Target::Word);
                }
            }
            Ty::Call(calls) => self.call_of(expr, "values", &calls(), place),
            Ty::Schedule(_) => self.call_of(expr, "values", &schedules(), place),
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
            Ty::Name | Ty::Expr | Ty::Condition => self.expr(expr, place),
            Ty::Int { .. } | Ty::Float { .. } | Ty::Duration => self.expr(expr, Place { kinds: VALUES, ..place }),
        }
    }

    /// One of some calls, with or without brackets.
    pub(super) fn call_of(&mut self, expr: &Expr, topic: &'static str, calls: &[&'static CallDef], place: Place) {
        let Some(name) = callee(expr) else { return self.expr(expr, place) };
        let found = calls.iter().find(|c| c.name == name.text);
        self.refer(&name, found.map_or(Target::Unknown, |def| Target::Builtin(Builtin { topic, def })));
        if let (ExprKind::Call { args, .. }, Some(def)) = (&expr.kind, found) {
            self.arguments(args, None, def.args, place);
        }
    }

    /// Arguments of a block or a backbone (`of`), or of an entry of a table.
    pub(super) fn arguments(&mut self, args: &[Arg], of: Option<DefId>, attrs: &'static [AttrDef], place: Place) {
        for (i, arg) in args.iter().enumerate() {
            let parameter = |name: &str| of.and_then(|o| self.parameters.get(&(o, name.to_string())).copied());
            let has = |name: &str| attrs.iter().any(|a| a.name == name) || parameter(name).is_some();
            let name = arg.name.as_ref().map(|n| main_name(&n.text, has));
            let attr = match name {
                Some(name) => attrs.iter().find(|a| a.name == name),
                None => attrs.get(i),
            };
            if let Some(n) = &arg.name {
                let parameter = name.and_then(parameter);
                let to = parameter.map(Target::Def).or(attr.map(Target::Attr)).unwrap_or(Target::Unknown);
                self.refer(n, to);
            }
            match attr {
                Some(a) => self.typed(&arg.value, &a.ty, Place { flow: false, ..place }),
                None => self.expr(&arg.value, place),
            }
        }
    }

    pub(super) fn exprs<'e>(&mut self, all: impl Iterator<Item = &'e Expr>, place: Place) {
        all.for_each(|e| self.expr(e, place));
    }

    pub(super) fn expr(&mut self, expr: &Expr, place: Place) {
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
                    (ExprKind::Path(p), true) if p.len() == 1 => self.named(What::Data, &p[0].text),
                    _ => None,
                };
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

    pub(super) fn path(&mut self, parts: &[Name], place: Place) {
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
    pub(super) fn copy(&mut self, parts: &[Name], place: Place) {
        let span = parts[0].span.to(parts[1].span);
        let to = self.named(What::Copy, &copy_name(parts));
        let end = Name { span: Span { start: last(parts[0].span).start, ..span }, ..parts[1].clone() };
        self.refer(&end, to.map_or(Target::Unknown, Target::Def));
        let stage = self.stage(place.backbone, &parts[0].text).unwrap_or(Target::Unknown);
        self.refer(&parts[0], stage);
    }

    pub(super) fn edge(&mut self, edge: &Edge, place: Place) {
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
