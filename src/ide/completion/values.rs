//! Values of attributes and arguments, by their type in the tables.

use super::super::context::{self, Head};
use super::super::docs;
use super::super::names::What;
use super::{CompletionKind, Lister, escape};
use crate::data;
use crate::hir::build::quoted_if_needed;
use crate::hir::schema::schedules;
use crate::schema::{CallDef, Need, Ty};
use crate::syntax::ast::UNITS;

impl Lister<'_> {
    pub(super) fn value(&mut self, inside: &[Head], key: &str) {
        let format = self.format(inside);
        let Some(table) = context::table(inside, format.as_deref()) else {
            if key == "param" {
                self.names(What::Param);
            }
            return;
        };
        let item = inside.first().map_or("", |h| h.keyword.as_str()).to_string();
        if table.item.keyword == "tree" {
            self.word("any", "as many copies as tasks");
            return;
        }
        let Some(a) = table.attrs.iter().find(|a| a.name == key) else { return };
        match (item.as_str(), key) {
            ("data", "format") => {
                for f in data::table() {
                    self.add(
                        CompletionKind::Value,
                        f.call.name,
                        "format",
                        docs::call(&f.call, "###"),
                        f.call.name.to_string(),
                    );
                }
            }
            ("provenance", "strategy") => self.strategies(),
            ("backbone" | "head", "from") => {
                self.stages("", &[]);
                self.names(What::Input);
            }
            ("input" | "task", "from" | "label" | "mask") => {
                self.names(What::Data);
                for d in &self.analysis.spec().data {
                    let columns = d.known.outline.columns.iter().flatten();
                    let dotted: Vec<String> =
                        columns.map(|c| format!("{}.{}", d.name, quoted_if_needed(&c.name))).collect();
                    dotted.iter().for_each(|c| {
                        self.add(CompletionKind::Column, c, "column", String::new(), escape(c));
                    });
                }
            }
            ("input", "except") => self.columns(None),
            _ => self.of_type(&a.ty, key, inside),
        }
    }

    pub(super) fn of_type(&mut self, ty: &Ty, key: &str, inside: &[Head]) {
        match ty {
            Ty::Bool => ["true", "false"].iter().for_each(|w| self.word(w, "")),
            Ty::OneOf(words) => words.iter().for_each(|w| self.word(w, "")),
            Ty::Call(calls) => calls().iter().for_each(|c| self.call(c, "")),
            Ty::Schedule(_) => schedules().iter().for_each(|c| self.call(c, "")),
            Ty::List(inner) => self.of_type(inner, key, inside),
            Ty::AnyOf(tys) => tys.iter().for_each(|t| self.of_type(t, key, inside)),
            Ty::Int { .. } | Ty::Float { .. } => self.names(What::Param),
            Ty::Duration => {
                self.names(What::Param);
                UNITS.iter().filter(|u| u.ends_with('s')).for_each(|u| {
                    self.add(CompletionKind::Snippet, &format!("n {u}"), "", String::new(), format!("${{1:10}} {u}"));
                });
            }
            Ty::Budget => {
                for (label, snippet) in
                    [("params <= n", "params <= ${1:2M}"), ("macs <= share", "macs <= ${1:0.6} * independent")]
                {
                    self.add(CompletionKind::Snippet, label, "budget", String::new(), snippet.to_string());
                }
            }
            Ty::Name if key == "query" => {
                let over = inside.first().map_or("", |h| h.over.as_str()).to_string();
                self.stages(&over, &[]);
                self.names(What::Input);
                self.word("previous", "the mean of what may be read");
            }
            Ty::Path => self.files(|_| true),
            Ty::Name | Ty::Str | Ty::Expr | Ty::Condition => {}
        }
    }

    /// Something written like a call, with places for what it requires.
    pub(super) fn call(&mut self, c: &CallDef, detail: &str) {
        let required: Vec<(usize, &str)> = c
            .args
            .iter()
            .enumerate()
            .filter(|(_, a)| matches!(a.need, Need::Required))
            .map(|(i, a)| (i, a.name))
            .collect();
        let snippet = snippet(c.name, &required);
        let detail = if detail.is_empty() { docs::form(c) } else { detail.to_string() };
        self.add(CompletionKind::Function, c.name, &detail, docs::call(c, "###"), snippet);
    }
}

/// A call with a place for each of these arguments, which are given with their positions. Only the first may stand without its name.
pub(super) fn snippet(name: &str, required: &[(usize, &str)]) -> String {
    let place = |(n, (i, argument)): (usize, &(usize, &str))| {
        let value = format!("${{{}:{argument}}}", n + 1);
        if *i == 0 { value } else { format!("{argument} = {value}") }
    };
    match required {
        [] => name.to_string(),
        all => format!("{name}({})", all.iter().enumerate().map(place).collect::<Vec<_>>().join(", ")),
    }
}
