//! A frozen category whose texts are all or mostly numbers: `12 %`, `1,5`, or one word among a thousand numbers.

use super::Facts;
use crate::data::Facts as ColumnFacts;
use crate::data::csv::{self, Notation, Other, Tally, Verdict};
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let tables = facts.spec.data.iter().filter(|d| d.format.call.name == csv::DEF.call.name);
    // With `numeric`, the other columns are categories by choice.
    for data in tables.filter(|d| d.args.get("numeric").is_none()) {
        let Some(schema) = &data.schema else { continue };
        let chosen: Vec<String> = csv::names(&data.args, "categories").into_iter().map(|n| n.value).collect();
        let notation = Notation::of(&data.args);
        let mut doubts = Vec::new();
        for column in schema.columns.iter().filter(|c| !chosen.contains(&c.name)) {
            let ColumnFacts::Category { values, .. } = &column.facts else { continue };
            let mut tally = Tally::default();
            for (text, count) in values.iter() {
                if notation.is_number(text) {
                    tally.numbers += count;
                    tally.different += 1;
                } else {
                    tally.others.push(Other { text, count: *count, line: None });
                }
            }
            if let Verdict::Open(doubt) = csv::judge(&column.name, &tally, &notation, &csv::usual(&data.args)) {
                doubts.push(*doubt);
            }
        }
        if !doubts.is_empty() {
            let (message, help) = csv::report(&doubts, &schema.missing);
            diags.push(
                Diagnostic::new(
                    codes::DATA_TABLE,
                    data.span,
                    format!("the schema of `{}` contains a category that looks numeric: {message}", data.name),
                )
                .help(format!("{help}; then freeze again")),
            );
        }
    }
}
