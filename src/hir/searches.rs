//! Searches: the strategy, its hyper-parameters, and the levels that it decides.

use super::build::{Builder, duplicate};
use super::eval::{self};
use super::schema::ItemDef;
use super::*;
use crate::diag::{Diagnostic, codes, suggest};
use crate::schema::AttrDef;
use crate::syntax::ast::{Entry, Item};

impl Builder<'_> {
    pub(super) fn search(&mut self, item: &Item, base: &std::path::Path) {
        let def = schema::item("search").expect("in the table");
        let name = &item.names[0];
        // Misspelt, it is read as the one that it is near to.
        let found = crate::search::strategy(&name.text).or_else(|| {
            let words = || crate::search::strategies().iter().map(|s| s.call.name);
            self.diags.push(eval::unknown_word(name, words(), "a strategy", codes::SEARCH_UNKNOWN));
            suggest::nearest(&name.text, words()).and_then(crate::search::strategy)
        });
        let Some(strategy) = found else {
            self.spec.incomplete = true;
            self.fields_of_any(item.body.as_ref(), def);
            return;
        };
        // A budget is asked of any strategy, so that one that cannot keep it says so.
        let mut attrs = strategy.call.args.to_vec();
        let asked = |e: &Entry| matches!(e, Entry::Attr(a) if a.key.text == BUDGET.name);
        if !strategy.budget && item.body.iter().flat_map(|b| &b.entries).any(asked) {
            attrs.push(BUDGET);
        }
        let alone = |e: &Entry| matches!(e, Entry::Nested(n) if n.keyword.text == "single");
        let needless = !strategy.single && item.body.iter().flat_map(|b| &b.entries).any(alone);
        // Listed among what is known only where it is.
        let def = &ItemDef { nested: if strategy.single || needless { def.nested } else { &[] }, ..*def };
        let fields = self.fields(name, item.body.as_ref(), &attrs, def, item.span);
        if let Some(span) = fields.args.span(BUDGET.name).filter(|_| !strategy.budget) {
            let able = crate::search::strategies().iter().filter(|s| s.budget).map(|s| s.call.name);
            self.diags.push(
                Diagnostic::new(codes::SEARCH_BUDGET, span, format!("`{}` cannot keep a budget", name.text))
                    .label("not kept")
                    .help(format!("these can: {}", suggest::listing(able))),
            );
        }
        let (mut single, mut single_span) = (None, None);
        for n in &fields.nested {
            if !strategy.single {
                self.diags.push(
                    Diagnostic::new(
                        codes::NAME_UNKNOWN_ATTRIBUTE,
                        n.keyword.span,
                        format!("`{}` trains no single-task networks", name.text),
                    )
                    .help("remove `single { ... }`"),
                );
                continue;
            }
            let inner = &def.nested[0];
            let args = self.fields(&n.keyword, n.body.as_ref(), inner.attrs, inner, n.span).args;
            if let Some(first) = single_span {
                self.diags.push(duplicate("attribute", &n.keyword, first));
                continue;
            }
            single_span = Some(n.keyword.span);
            single = Some(args);
        }
        let stages = self.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        let mut decided: Vec<StageId> = Vec::new();
        let mut heads = false;
        let mut unknown = Vec::new();
        for n in &item.on {
            match stages.iter().position(|s| s.name == n.text) {
                _ if n.text == "heads" => heads = true,
                Some(i) => decided.push(StageId(i)),
                None => unknown.push(n.clone()),
            }
        }
        let known: Vec<String> = stages.iter().map(|s| s.name.clone()).chain(["heads".to_string()]).collect();
        if item.on.is_empty() {
            decided = (0..stages.len()).map(StageId).collect();
            heads = true;
        }
        self.spec.incomplete |= !unknown.is_empty();
        for n in unknown {
            self.unknown_name("level", &n, known.iter().map(String::as_str));
        }
        self.spec.searches.push(Search {
            strategy,
            args: fields.args,
            single,
            single_span,
            stages: decided,
            heads,
            on_span: item.on.first().map(|n| n.span),
            base: base.to_path_buf(),
            span: name.span,
        });
    }
}

const BUDGET: AttrDef = AttrDef {
    name: "budget",
    ty: crate::schema::Ty::Budget,
    need: crate::schema::Need::Optional,
    doc: "The most that a topology may cost.",
};
