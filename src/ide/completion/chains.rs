//! Links of chains, arguments of calls, and names after a dot.

use super::super::context::{self, Head};
use super::super::docs;
use super::super::names::{Def, What};
use super::{CompletionKind, Lister, escape};
use crate::hir::build::quoted_if_needed;
use crate::schema::{CallDef, Ty, main_name};
use crate::{hir, ops, std as library};

impl Lister<'_> {
    pub(super) fn links(&mut self, inside: &[Head], first: bool, offset: usize) {
        if first {
            self.flow_names(inside, offset);
        }
        self.blocks();
        for op in ops::table() {
            match op.arity {
                ops::Arity::One => self.call(&op.call, ""),
                ops::Arity::Many if first => {
                    let snippet = format!("{}(${{1:a}}, ${{2:b}})", op.call.name);
                    self.add(
                        CompletionKind::Function,
                        op.call.name,
                        "merges values",
                        docs::call(&op.call, "###"),
                        snippet,
                    );
                }
                ops::Arity::Many => {}
            }
        }
        if inside.iter().any(|h| h.keyword == "head") {
            self.word("linear(outputs)", "one output for each that the task needs");
        }
    }

    pub(super) fn blocks(&mut self) {
        let names = self.analysis.names();
        let mut blocks: Vec<(bool, String, String, String)> = Vec::new();
        for (id, d) in names.of(What::Block) {
            let library = self.analysis.sources.file(d.span.file).path.is_none();
            let parameters = names.defs.iter().filter(|p| p.owner == Some(id) && p.what == What::Parameter);
            // Those with a default may be left out.
            let required: Vec<(usize, &str)> = parameters
                .enumerate()
                .filter(|(_, p)| !self.analysis.sources.text(p.whole).contains('='))
                .map(|(i, p)| (i, p.name.as_str()))
                .collect();
            let snippet = super::values::snippet(&quoted_if_needed(&d.name), &required);
            let first = self.analysis.sources.text(d.whole).lines().next().unwrap_or_default().to_string();
            blocks.push((library, d.name.clone(), first, snippet));
        }
        blocks.sort_by_key(|b| b.0);
        for (_, name, first, snippet) in blocks {
            self.add(CompletionKind::Block, &name, &first, format!("```mtl\n{first}\n```"), snippet);
        }
    }

    /// Values that a chain may begin with: inputs and stages before this one, `in`, values of the body.
    pub(super) fn flow_names(&mut self, inside: &[Head], offset: usize) {
        let kind = inside.last().map_or("", |h| h.keyword.as_str());
        if kind == "block" || inside.iter().any(|h| h.keyword == "block") {
            self.word("in", "what the block is applied to");
            return;
        }
        let names = self.analysis.names();
        let before = |d: &Def| d.span.file != self.analysis.root || (d.span.end as usize) < offset;
        let stages: Vec<String> = names
            .of(What::Stage)
            .filter(|(_, d)| before(d) && self.analysis.sources.file(d.span.file).path.is_some())
            .map(|(_, d)| d.name.clone())
            .collect();
        stages.iter().for_each(|s| self.name(s, "stage"));
        self.names(What::Input);
    }

    #[allow(clippy::too_many_arguments)]
    pub(super) fn arguments(
        &mut self,
        inside: &[Head],
        callee: &str,
        name: Option<&str>,
        position: usize,
        written: &[String],
        flow: bool,
        offset: usize,
    ) {
        let names = self.analysis.names();
        let has = |name: &str| {
            let of_block = names.of(What::Block).find(|(_, d)| d.name == callee);
            of_block.is_some_and(|(id, _)| names.defs.iter().any(|d| d.owner == Some(id) && d.name == name))
                || self.call_here(inside, callee, flow).is_some_and(|c| c.args.iter().any(|a| a.name == name))
        };
        let written: Vec<&str> = written.iter().map(|w| main_name(w, has)).collect();
        if let Some((id, _)) = names.of(What::Block).chain(names.of(What::Backbone)).find(|(_, d)| d.name == callee) {
            if name.is_none() {
                let parameters: Vec<(String, String)> = names
                    .defs
                    .iter()
                    .filter(|d| d.owner == Some(id) && d.what == What::Parameter)
                    .filter(|d| !written.contains(&d.name.as_str()))
                    .map(|d| (d.name.clone(), self.analysis.sources.text(d.whole).to_string()))
                    .collect();
                for (p, form) in parameters {
                    self.add(CompletionKind::Attribute, &p, &form, String::new(), format!("{p} = $0"));
                }
            }
            return self.values_in_calls(inside);
        }
        let Some(call) = self.call_here(inside, callee, flow) else {
            if callee == "mix" {
                ["softmax", "sigmoid", "sum", "mean"].iter().for_each(|w| self.word(w, "gate"));
                self.add(CompletionKind::Attribute, "query", "what the gate reads", String::new(), "query = $0".into());
            }
            return;
        };
        if ops::find(callee).is_some_and(|o| flow && o.arity == ops::Arity::Many) {
            return self.links(inside, true, offset);
        }
        let at = match name {
            Some(n) => call.args.iter().find(|a| a.name == n),
            None => call.args.get(position).filter(|_| hir::positional::may_be_unnamed(call.args, position)),
        };
        if let Some(a) = at {
            self.of_type(&a.ty, a.name, inside);
        }
        if name.is_none() {
            for a in call.args.iter().filter(|a| !written.contains(&a.name)) {
                self.attribute(a, true);
            }
        }
        self.values_in_calls(inside);
        if callee == "linear" && inside.iter().all(|h| h.keyword != "backbone") {
            self.word("outputs", "as many as the task needs");
        }
    }

    /// The entry of a table that is called: an op in a chain, else one that the attribute may have.
    pub(super) fn call_here(&self, inside: &[Head], callee: &str, flow: bool) -> Option<&'static CallDef> {
        if flow {
            return ops::find(callee).map(|o| &o.call);
        }
        let reads = ["some", "all"].contains(&callee).then(|| {
            let table = context::table(inside, None)?;
            let reads = table.attrs.iter().find(|a| a.name == "reads")?;
            match reads.ty {
                Ty::Call(calls) => calls().into_iter().find(|c| c.name == callee),
                _ => None,
            }
        });
        reads.flatten().or_else(|| context::call_named(callee))
    }

    /// Numbers by name: parameters of the file and of what is open.
    pub(super) fn values_in_calls(&mut self, inside: &[Head]) {
        self.names(What::Param);
        let names = self.analysis.names();
        let owner = inside.first().map(|h| h.name.clone()).unwrap_or_default();
        let own: Vec<String> = names
            .of(What::Parameter)
            .filter(|(_, d)| d.owner.is_some_and(|o| names.def(o).name == owner))
            .map(|(_, d)| d.name.clone())
            .collect();
        own.iter().for_each(|p| self.name(p, "parameter"));
    }

    pub(super) fn members(&mut self, of: &str, inside: &[Head]) {
        if inside.iter().any(|h| h.keyword == "topology") {
            let names = self.analysis.names();
            let prefix = format!("{of}.");
            let copies: Vec<String> =
                names.of(What::Copy).filter_map(|(_, d)| Some(d.name.strip_prefix(&prefix)?.to_string())).collect();
            return copies.iter().for_each(|c| self.name(c, "copy"));
        }
        if of == "std" {
            return library::modules()
                .iter()
                .filter(|(n, _)| *n != "prelude")
                .for_each(|(n, _)| self.word(n, "module"));
        }
        self.columns(Some(of));
    }

    pub(super) fn columns(&mut self, data: Option<&str>) {
        let sets: Vec<&hir::Data> =
            self.analysis.spec().data.iter().filter(|d| data.is_none_or(|n| n == d.name)).collect();
        let mut groups: Vec<String> = Vec::new();
        for c in sets.iter().flat_map(|d| d.known.outline.columns.iter().flatten()) {
            groups.extend(c.groups.iter().cloned());
            let snippet = escape(&quoted_if_needed(&c.name));
            self.add(CompletionKind::Column, &c.name, "column", String::new(), snippet);
        }
        groups.dedup();
        for g in groups {
            self.add(CompletionKind::Column, &g, "group of columns", String::new(), escape(&quoted_if_needed(&g)));
        }
    }

    pub(super) fn nodes(&mut self, source: bool, over: &str) {
        if source {
            let names = self.analysis.names();
            let copies: Vec<String> = names.of(What::Copy).map(|(_, d)| d.name.clone()).collect();
            copies.iter().for_each(|c| self.word(c, "copy of a stage"));
            self.names(What::Mix);
            self.names(What::Input);
            self.add(
                CompletionKind::Snippet,
                "mix",
                "several values as one",
                String::new(),
                "mix(${1:mean})[$0]".into(),
            );
        } else {
            self.names(What::Task);
            let tasks: Vec<String> = self.analysis.spec().tasks.iter().map(|t| t.name.clone()).collect();
            tasks.iter().for_each(|t| self.name(t, "task"));
            self.stages(over, &[]);
        }
    }
}
