//! Calls and arguments whose names are misspelt.

use super::build::Builder;
use super::eval::Scope;
use super::flow::{Growing, Names, Way};
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::ops::{self, Arity};
use crate::syntax::ast::{self, Expr, Name};

impl Builder<'_> {
    /// The arguments of a call whose name is misspelt: their names are checked, and not whether the call takes them.
    pub(super) fn arguments_of_misspelt(
        &mut self,
        meant: Option<&str>,
        args: &[ast::Arg],
        whole: &Expr,
        names: &Names,
        body: &mut Growing,
        way: &mut Way,
    ) {
        let Some(meant) = meant else { return };
        let block = self.block(&Name { text: meant.to_string(), quoted: false, span: whole.span });
        let op = ops::find(meant).filter(|_| block.is_none());
        if op.is_some_and(|o| o.arity == Arity::Many) {
            for arg in args.iter().filter(|a| a.name.is_none()) {
                self.flow(&arg.value, names, body, way);
            }
            return;
        }
        let mut said = Diagnostics::default();
        std::mem::swap(self.diags, &mut said);
        if let Some(block) = block {
            let params = block.params.as_ref().map(|p| p.value.as_slice()).unwrap_or_default();
            self.bind(meant, params, args, whole.span, &names.scope, &mut Scope::default());
        } else if let Some(op) = op {
            super::arguments::arguments(op.call.name, op.call.args, args, whole.span, &names.scope, self.diags);
        }
        std::mem::swap(self.diags, &mut said);
        self.diags.extend(said.into_sorted().into_iter().filter(|d| d.code == codes::NAME_UNKNOWN));
    }

    /// An argument of a template that has no such parameter.
    pub(super) fn unknown_parameter(&mut self, callee: &str, name: &Name, params: &[ast::Param]) {
        let names: Vec<&str> = params.iter().map(|p| p.name.text.as_str()).collect();
        let what = format!("`{callee}` has no parameter called `{}`", name.text);
        let mut d = Diagnostic::new(codes::TYPE_ARGUMENTS, name.span, what);
        if let Some(near) = suggest::nearest(&name.text, names.iter().copied()) {
            d = d.label(format!("did you mean `{near}`?")).fix(
                format!("replace `{}` with `{near}`", name.text),
                name.span,
                near,
                suggest::certainty(&name.text, near, names.iter().copied()),
            );
        } else if !names.is_empty() {
            d = d.label("unknown").help(format!("parameters: {}", suggest::listing(names)));
        }
        self.diags.push(d);
    }
}
