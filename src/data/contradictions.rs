//! Attributes of a data set that its frozen schema contradicts. `check` reports them from the text alone; otherwise, only reading the data
//! would find them.

use std::collections::HashSet;

use super::csv;
use super::freeze::{ColumnFacts, Facts, Schema, same};
use super::split;
use super::vocabulary;
use crate::diag::{Diagnostic, codes, suggest};
use crate::schema::Args;
use crate::source::{Span, Spanned};

/// The contradictions between the attributes and the schema, each at its attribute, or at the item if the attribute is not given.
pub fn contradictions(args: &Args, schema: &Schema, item: Span) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let facts = schema.by_name();
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
        if facts.contains_key(name.value.as_str()) {
            add(Some(name.span), format!("`drop` leaves out `{}`, but the schema has that column", name.value));
        }
    }
    if let Some(named) = split::named(args).filter(|n| facts.contains_key(n.column.as_str())) {
        let message = format!("`split` names `{}`, but the schema has it as a column of the data", named.column);
        add(args.span("split"), message);
    }
    for name in given("categories") {
        if facts.get(name.value.as_str()).is_some_and(|c| matches!(c.facts, Facts::Numeric { .. })) {
            add(
                Some(name.span),
                format!("`categories` names `{}`, but the column is numeric in the schema", name.value),
            );
        }
    }
    let numeric = given("numeric");
    for name in &numeric {
        if facts.get(name.value.as_str()).is_some_and(|c| c.facts.is_text()) {
            add(Some(name.span), format!("`numeric` names `{}`, but the column holds text in the schema", name.value));
        }
    }
    let words = |names: &[Spanned<String>]| names.iter().map(|n| n.value.clone()).collect::<HashSet<String>>();
    if args.is_given("numeric") {
        let names = words(&numeric);
        let listed = |c: &&ColumnFacts| names.contains(&c.name);
        let others = schema.columns.iter().filter(|c| matches!(c.facts, Facts::Numeric { .. }) && !listed(c));
        let names: Vec<&str> = others.map(|c| c.name.as_str()).collect();
        if !names.is_empty() {
            let listing = suggest::listing(names.iter().copied());
            add(args.span("numeric"), format!("`numeric` leaves out {listing}, which the schema has as numbers"));
        }
    }
    let columns = given("columns");
    if !columns.is_empty() {
        let named = words(&columns);
        let missing = schema.columns.iter().filter(|c| !named.contains(&c.name));
        let names: Vec<&str> = missing.map(|c| c.name.as_str()).collect();
        if !names.is_empty() {
            let listing = suggest::listing(names.iter().copied());
            add(args.span("columns"), format!("`columns` leaves out {listing}, which the schema has"));
        }
    }
    // With `missing`, only its words are missing.
    let replaces = args.is_given("missing") && !schema.missing_numbers.is_empty();
    if args.is_given("missing") && !replaces && !same(&csv::plain(args, "missing"), &schema.missing) {
        let words: Vec<String> = schema.missing.iter().map(|w| format!("{w:?}")).collect();
        let message = format!("the schema was frozen with other missing values: `missing = [{}]`", words.join(", "));
        add(args.span("missing"), message);
    }
    for (attribute, message) in vocabulary::contradictions(args, schema) {
        add(args.span(attribute), message);
    }
    if replaces {
        let message = "the schema was frozen without `missing`, so the usual spellings are missing in numeric columns";
        found.push(
            Diagnostic::new(codes::DATA_SCHEMA, args.span("missing").unwrap_or(item), message)
                .label("contradicts the schema")
                .help("leave `missing` out, or freeze again: `mtlc data freeze`"),
        );
    }
    found
}
