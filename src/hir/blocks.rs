//! Blocks used in chains: arguments bound to their parameters, their bodies expanded in place.

use std::collections::{HashMap, HashSet};

use super::build::{BlockId, Builder};
use super::eval::{self, Const, Scope};
use super::flow::{Growing, MAX_BLOCKS, Names, Way};
use super::positional::{self, Slot};
use super::*;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Item, Name};

impl Builder<'_> {
    /// Reads a block that nothing uses, its parameters open, so that its mistakes are found.
    pub(super) fn try_block(&mut self, block: &Item) {
        let mut scope = self.scope.clone();
        for p in block.params.iter().flat_map(|p| &p.value) {
            scope.set(&p.name.text, Const::Open);
        }
        let id = (false, block.names[0].text.clone());
        let mut way = Way { blocks: vec![id.clone()], deepest: 1, trial: true, ..Way::default() };
        // What is only tried does not count as part of the stages.
        let links = self.links_read;
        self.block_body(block, scope, Flow::Source(0), &mut Growing::default(), &mut way);
        self.links_read = links;
        self.heights.insert(id, way.deepest);
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn expand(
        &mut self,
        block: &Item,
        name: &Name,
        args: &[ast::Arg],
        whole: &Expr,
        input: Flow,
        names: &Names,
        body: &mut Growing,
        way: &mut Way,
    ) -> Option<Flow> {
        let id: BlockId = (self.is_library(&block.keyword), name.text.clone());
        if let Some(at) = way.blocks.iter().position(|b| *b == id) {
            let circle: Vec<&str> = way.blocks[at..].iter().chain([&id]).map(|(_, name)| name.as_str()).collect();
            let d = Diagnostic::new(
                codes::NAME_CYCLE,
                name.span,
                format!("blocks use each other in a circle: {}", circle.join(" -> ")),
            )
            .also(block.names[0].span, "defined here")
            .help("templates cannot be recursive; repeat with `n * block(...)`");
            if !self.diags.has(d.code, name.span) {
                self.diags.push(d);
            }
            return None;
        }
        let known = self.heights.get(&id).copied().filter(|_| way.trial);
        if way.blocks.len() + known.unwrap_or(1) > MAX_BLOCKS {
            let message = format!("`{}` is a block that is nested more than {MAX_BLOCKS} deep in others", name.text);
            return self.too_deep(name.span, message);
        }
        let mut scope = self.outer_scope(block);
        let params = block.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
        self.bind(&name.text, params, args, whole.span, &names.scope, &mut scope)?;
        if !id.0 {
            self.used_blocks.insert(name.text.clone());
        }
        if let Some(height) = known {
            way.deepest = way.deepest.max(way.blocks.len() + height);
            return Some(input);
        }
        way.blocks.push(id.clone());
        let outer = std::mem::replace(&mut way.deepest, way.blocks.len());
        let out = self.block_body(block, scope, input, body, way);
        way.blocks.pop();
        self.heights.insert(id, way.deepest - way.blocks.len());
        way.deepest = way.deepest.max(outer);
        out
    }

    fn block_body(
        &mut self,
        block: &Item,
        scope: Scope,
        input: Flow,
        body: &mut Growing,
        way: &mut Way,
    ) -> Option<Flow> {
        let empty = HashMap::new();
        let values = HashMap::from([("in".to_string(), input)]);
        let inner = Names { scope, values, readable: &empty, outer: false, implicit: Some(input) };
        match (&block.value, &block.body) {
            (Some(value), _) => self.flow(value, &inner, body, way),
            (None, Some(b)) => self.values(b, inner, body, way, &[], block.names[0].span),
            (None, None) => {
                self.diags.push(
                    Diagnostic::new(codes::SYNTAX_HEADER, block.names[0].span, "this block has no content")
                        .help("write `block NAME(...) = CHAIN` or `block NAME(...) { out = CHAIN }`"),
                );
                None
            }
        }
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
        let mut set: HashSet<&str> = HashSet::new();
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
            if !set.insert(&param.name.text) {
                let what = format!("`{}` is given twice", param.name.text);
                let d = Diagnostic::new(codes::TYPE_ARGUMENTS, arg.value.span, what).label("again here");
                self.diags.push(d.help(positional::all(&slots)));
                ok = false;
                continue;
            }
            match self.typed(param, &arg.value, outer) {
                Some(v) => inner.set(&param.name.text, v),
                None => ok = false,
            }
        }
        for param in params.iter().filter(|p| !set.contains(p.name.text.as_str())) {
            match &param.default {
                // One without a name may be it.
                None if unclear => {}
                Some(d) => match self.typed(param, d, inner) {
                    Some(v) => inner.set(&param.name.text, v),
                    None => ok = false,
                },
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
