//! A budget that only the shared network keeps: there is nothing left to search.

use super::Facts;
use crate::check::Typed;
use crate::check::cost::{self, Forced};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Read, Reads, StageId};
use crate::schema::Cost;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let (Some(space), Some(backbone)) = (&facts.spec.space, &facts.spec.backbone) else { return };
    // Of a chain of stages that read `one`, the cheapest split is that of the last stage alone.
    let chain = backbone.stages.iter().enumerate().skip(1).all(|(i, s)| s.reads == [Read::Stage(StageId(i - 1))]);
    let tree = space.levels.iter().all(|l| matches!(l.reads, Reads::One)) && matches!(space.heads.reads, Reads::One);
    if !chain || !tree || facts.spec.tasks.len() < 2 || space.levels.last().is_none_or(|l| l.copies < 2) {
        return;
    }
    for search in &facts.spec.searches {
        let Some(budget) = search.args.get("budget").and_then(|_| search.args.budget("budget")) else { continue };
        let (what, word) = match budget.of {
            Cost::Params => ("parameters", "params"),
            Cost::Macs => ("multiply-accumulates", "macs"),
        };
        let costs =
            |typed: &'_ [Option<Typed>]| typed.iter().map(|t| t.as_ref().map(|t| t.cost)).collect::<Option<Vec<_>>>();
        let (Some(stages), Some(heads)) = (costs(facts.stages), costs(facts.heads)) else { continue };
        let Some(Forced { limit, shared, next }) = cost::forced(&budget, &stages, &heads) else { continue };
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
