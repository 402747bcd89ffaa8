//! Attributes of a data set that its frozen schema contradicts. `check` reports them from the text alone; otherwise, only reading the data
//! would find them.

use super::csv;
use super::freeze::{ColumnFacts, Facts, Schema};
use super::split;
use super::vocabulary;
use crate::diag::{Diagnostic, codes, suggest};
use crate::schema::Args;
use crate::source::Span;

/// The contradictions between the attributes and the schema, each at its attribute, or at the item if the attribute is not given.
pub fn contradictions(args: &Args, schema: &Schema, item: Span) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut add = |span: Option<Span>, message: String| {
        let d = Diagnostic::new(codes::DATA_SCHEMA, span.unwrap_or(item), message);
        found.push(
            d.label("contradicts the schema").help("write the frozen value, or freeze again: `mtlc data freeze`"),
        );
    };
    let given = |attribute: &str| match args.is_given(attribute) {
        true => csv::names(args, attribute),
        false => Vec::new(),
    };
    for name in given("drop") {
        if schema.column(&name.value).is_some() {
            add(Some(name.span), format!("`drop` leaves out `{}`, but the schema has that column", name.value));
        }
    }
    if let Some(named) = split::named(args).filter(|n| schema.column(&n.column).is_some()) {
        let message = format!("`split` names `{}`, but the schema has it as a column of the data", named.column);
        add(args.span("split"), message);
    }
    let text = |c: &ColumnFacts| c.facts.is_text();
    for name in given("categories") {
        if schema.column(&name.value).is_some_and(|c| matches!(c.facts, Facts::Numeric { .. })) {
            add(
                Some(name.span),
                format!("`categories` names `{}`, but the column is numeric in the schema", name.value),
            );
        }
    }
    let numeric = given("numeric");
    for name in &numeric {
        if schema.column(&name.value).is_some_and(text) {
            add(Some(name.span), format!("`numeric` names `{}`, but the column holds text in the schema", name.value));
        }
    }
    if args.is_given("numeric") {
        let listed = |c: &&ColumnFacts| numeric.iter().any(|n| n.value == c.name);
        let others = schema.columns.iter().filter(|c| matches!(c.facts, Facts::Numeric { .. }) && !listed(c));
        let names: Vec<&str> = others.map(|c| c.name.as_str()).collect();
        if !names.is_empty() {
            let listing = suggest::listing(names.iter().copied());
            add(args.span("numeric"), format!("`numeric` leaves out {listing}, which the schema has as numbers"));
        }
    }
    let columns = given("columns");
    if !columns.is_empty() {
        let missing = schema.columns.iter().filter(|c| !columns.iter().any(|n| n.value == c.name));
        let names: Vec<&str> = missing.map(|c| c.name.as_str()).collect();
        if !names.is_empty() {
            let listing = suggest::listing(names.iter().copied());
            add(args.span("columns"), format!("`columns` leaves out {listing}, which the schema has"));
        }
    }
    if args.is_given("missing") && !same(&csv::plain(args, "missing"), &schema.missing) {
        let words: Vec<String> = schema.missing.iter().map(|w| format!("{w:?}")).collect();
        let message = format!("the schema was frozen with other missing values: `missing = [{}]`", words.join(", "));
        add(args.span("missing"), message);
    }
    for (attribute, message) in vocabulary::contradictions(args, schema) {
        add(args.span(attribute), message);
    }
    found
}

/// Whether two lists have the same words, in any order.
fn same(a: &[String], b: &[String]) -> bool {
    a.iter().all(|w| b.contains(w)) && b.iter().all(|w| a.contains(w))
}
