//! A budget that only the shared network keeps: there is nothing left to search.

use super::Facts;
use crate::check::Typed;
use crate::check::cost::{self, Forced};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::schema::Cost;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let costs =
        |typed: &'_ [Option<Typed>]| typed.iter().map(|t| t.as_ref().map(|t| t.cost)).collect::<Option<Vec<_>>>();
    let (Some(stages), Some(heads)) = (costs(facts.stages), costs(facts.heads)) else { return };
    for search in &facts.spec.searches {
        let Some(found) = cost::forced(facts.spec, search, &stages, &heads) else { continue };
        let Forced { budget, limit, shared, next } = found;
        let (what, word) = match budget.of {
            Cost::Params => ("parameters", "params"),
            Cost::Macs => ("multiply-accumulates", "macs"),
        };
        diags.push(
            Diagnostic::new(
                codes::SEARCH_FORCED,
                search.args.span("budget").unwrap_or(search.span),
                format!("only the shared network keeps this budget: it has {shared} {what}, the next smallest {next}"),
            )
            .label(format!("at most {limit:.0}"))
            .help(format!("allow more (`budget = {word} <= {next}`), or train the shared network without a search")),
        );
    }
}
