//! Parameters: values in order of need, bounds, and what `--set` changes.

use std::collections::HashMap;

use super::build::{Builder, Options};
use super::eval::{self, Const, Scope};
use super::import::Loaded;
use super::*;
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::schema::Ty;
use crate::screen::shell;
use crate::syntax::ast::Name;

impl Builder<'_> {
    pub(super) fn params(&mut self, items: &[&Loaded], options: &Options) {
        self.duplicates(items, "param");
        let items = &self.in_order(items);
        let mut unknown: Vec<&str> = options.set.iter().map(|(k, _)| k.as_str()).collect();
        for l in items {
            let item = &l.item;
            let name = &item.names[0];
            let (Some(ty_expr), Some(value)) = (&item.ty, &item.value) else { continue };
            unknown.retain(|k| *k != name.text);
            let Some(ty) = self.param_type(ty_expr) else {
                self.scope.declare(&name.text, Const::Open);
                continue;
            };
            let (default, bounds) = match &value.kind {
                ast::ExprKind::Binary { op: ast::BinaryOp::In, left, right } => (&**left, Some(&**right)),
                _ => (value, None),
            };
            let bounds = bounds.and_then(|b| match ty {
                Ty::Int { .. } | Ty::Float { .. } => self.bounds(b),
                _ => {
                    self.unbounded(b, ty_expr);
                    None
                }
            });
            let mut found = self.param_value(default, &ty, bounds, None);
            let mut set = false;
            for (_, text) in options.set.iter().filter(|(k, _)| *k == name.text) {
                set = true;
                found = self.set_value(name, text, &ty, bounds);
            }
            if let Some(v) = found {
                self.scope.declare(&name.text, v.clone());
                self.spec.params.push(Param { name: name.text.clone(), value: v, set, span: name.span });
            } else {
                // A wrong value is reported; whatever uses the parameter stays silent.
                self.scope.declare(&name.text, Const::Open);
            }
        }
        for name in unknown {
            let at = Span::new(self.root, 0, 0);
            let names: Vec<&str> = items.iter().map(|l| l.item.names[0].text.as_str()).collect();
            let mut d = Diagnostic::new(
                codes::TYPE_PARAM,
                at,
                format!("{}: there is no such parameter", shell::option("--set").word(name)),
            );
            d = match suggest::nearest(name, names.iter().copied()) {
                Some(near) => d.help(format!("did you mean `{near}`?")),
                None if names.is_empty() => d.help("the spec declares no parameters"),
                None => d.help(format!("parameters: {}", suggest::listing(names))),
            };
            self.diags.push(d);
        }
    }

    /// The value that the command line gives to a parameter. A bare word is a text where a text is wanted.
    fn set_value(&mut self, name: &Name, text: &str, ty: &Ty, bounds: Option<(f64, f64, Span)>) -> Option<Const> {
        let expr = crate::syntax::expression(text).map(|mut e| {
            e.span = name.span;
            e
        });
        if let (Ty::Str, None | Some(ast::Expr { kind: ast::ExprKind::Path(_), .. })) = (ty, &expr) {
            return Some(Const::Str(text.to_string()));
        }
        // What is wrong with the value stands on the command line, not in the file: one message says it.
        let mut quiet = Diagnostics::default();
        let value = expr.and_then(|e| eval::value(&e, ty, &Scope::default(), &mut quiet).map(|_| e));
        match value {
            Some(e) => self.param_value(&e, ty, bounds, Some(text)),
            None => {
                self.diags.push(
                    Diagnostic::new(
                        codes::TYPE_PARAM,
                        name.span,
                        format!(
                            "{} is not {}",
                            shell::option("--set").word(&format!("{}={text}", name.text)),
                            ty.describe()
                        ),
                    )
                    .label("declared here"),
                );
                None
            }
        }
    }

    /// Parameters after those that they use, else as written. A circle is reported and its parameters are left out.
    fn in_order<'l>(&mut self, items: &[&'l Loaded]) -> Vec<&'l Loaded> {
        let index: HashMap<&str, usize> =
            items.iter().enumerate().rev().map(|(i, l)| (l.item.names[0].text.as_str(), i)).collect();
        let uses = |i: usize| {
            let mut found = Vec::new();
            if let Some(v) = &items[i].item.value {
                eval::walk_paths(v, &mut |p| {
                    if let [name] = p
                        && !name.quoted
                    {
                        found.extend(index.get(name.text.as_str()).map(|j| (*j, name.span)));
                    }
                });
            }
            found
        };
        // 0: not seen, 1: on the way, 2: placed, or in a circle.
        let mut state = vec![0u8; items.len()];
        let mut out = Vec::new();
        for start in 0..items.len() {
            let mut way = vec![(start, uses(start), 0usize)];
            if state[start] != 0 {
                continue;
            }
            state[start] = 1;
            while let Some((at, needs, next)) = way.last_mut() {
                let Some((need, span)) = needs.get(*next).copied() else {
                    if state[*at] == 1 {
                        out.push(items[*at]);
                        state[*at] = 2;
                    }
                    way.pop();
                    continue;
                };
                *next += 1;
                match state[need] {
                    0 => {
                        state[need] = 1;
                        way.push((need, uses(need), 0));
                    }
                    1 => {
                        let from = way.iter().position(|(w, ..)| *w == need).unwrap_or(0);
                        let names: Vec<&str> = way[from..]
                            .iter()
                            .map(|(w, ..)| *w)
                            .chain([need])
                            .map(|w| items[w].item.names[0].text.as_str())
                            .collect();
                        self.diags.push(
                            Diagnostic::new(
                                codes::NAME_CYCLE,
                                span,
                                format!("parameters need each other in a circle: {}", names.join(" -> ")),
                            )
                            .also(items[need].item.names[0].span, "declared here")
                            .help("give one of them a value of its own"),
                        );
                        for (w, ..) in &way[from..] {
                            state[*w] = 2;
                            self.scope.declare(&items[*w].item.names[0].text, Const::Open);
                        }
                    }
                    _ => {}
                }
            }
        }
        out
    }

    pub(super) fn param_type(&mut self, expr: &ast::Expr) -> Option<Ty> {
        let name = eval::as_name(expr)?;
        match name.text.as_str() {
            "int" => Some(Ty::Int { min: i64::MIN, max: i64::MAX }),
            "float" => Some(crate::schema::NUMBER),
            "bool" => Some(Ty::Bool),
            "string" => Some(Ty::Str),
            _ => {
                let words = ["int", "float", "bool", "string"];
                let wanted = "`int`, `float`, `bool` or `string`";
                self.diags.push(eval::unknown_word(&name, words.into_iter(), wanted, codes::TYPE_MISMATCH));
                None
            }
        }
    }

    /// Reports bounds of what has no order.
    fn unbounded(&mut self, bounds: &ast::Expr, ty: &ast::Expr) {
        let word = eval::as_name(ty).map(|n| n.text).unwrap_or_default();
        let message = format!("bounds are for numbers, and this parameter is a `{word}`");
        let d = Diagnostic::new(codes::TYPE_PARAM, bounds.span, message).label("these bounds would hold for nothing");
        self.diags.push(d.also(ty.span, "the type").help("remove `in` and the bounds"));
    }

    fn bounds(&mut self, expr: &ast::Expr) -> Option<(f64, f64, Span)> {
        let ast::ExprKind::Range { from, to } = &expr.kind else {
            self.diags.push(
                Diagnostic::new(codes::TYPE_MISMATCH, expr.span, "expected bounds such as `8..512`")
                    .label("expected a range"),
            );
            return None;
        };
        let number = crate::schema::NUMBER;
        let low = eval::value(from, &number, &self.scope, self.diags);
        let high = eval::value(to, &number, &self.scope, self.diags);
        match (low?.value, high?.value) {
            (crate::schema::Value::Float(a), crate::schema::Value::Float(b)) if a > b => {
                self.diags.push(
                    Diagnostic::new(codes::TYPE_RANGE, expr.span, format!("no value lies within {a}..{b}"))
                        .help("the smaller bound stands first; both ends belong to the range"),
                );
                None
            }
            (crate::schema::Value::Float(a), crate::schema::Value::Float(b)) => Some((a, b, expr.span)),
            _ => None,
        }
    }

    fn param_value(
        &mut self,
        expr: &ast::Expr,
        ty: &Ty,
        bounds: Option<(f64, f64, Span)>,
        set: Option<&str>,
    ) -> Option<Const> {
        let v = eval::value(expr, ty, &self.scope, self.diags)?;
        let c = match v.value {
            crate::schema::Value::Int(v) => Const::Int(v),
            crate::schema::Value::Float(v) => Const::Float(v),
            crate::schema::Value::Bool(v) => Const::Bool(v),
            crate::schema::Value::Str(v) => Const::Str(v),
            _ => return None,
        };
        let number = match &c {
            Const::Int(v) => *v as f64,
            Const::Float(v) => *v,
            _ => return Some(c),
        };
        if let Some((low, high, span)) = bounds
            && !(low..=high).contains(&number)
        {
            let who = match set {
                Some(text) => format!("`--set` gives {text}, which"),
                None => format!("the default {number}"),
            };
            self.diags.push(
                Diagnostic::new(codes::TYPE_PARAM, expr.span, format!("{who} is outside {low}..{high}"))
                    .also(span, "bounds declared here"),
            );
            return None;
        }
        Some(c)
    }
}
