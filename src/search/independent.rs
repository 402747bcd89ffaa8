//! Single-task networks: every task its own copy of everything. A rule, nothing is trained to find it.

use super::bench::{Bench, Ended, Ground, Outcome};
use super::{Offer, StrategyDef};
use crate::diag::{Diagnostic, codes};
use crate::hir::{Search, Spec};
use crate::ir::{Network, partition};
use crate::runtime::RunError;
use crate::runtime::record::Listener;
use crate::schema::CallDef;

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef { name: "independent", doc: "Every task its own network.", args: &[] },
    paper: "single-task networks",
    decides: &[Offer::Tree, Offer::HeadPerCopy],
    requires: &[],
    most_levels: None,
    whole: true,
    budget: false,
    single: false,
    one_shot: false,
    check,
    procedure: search,
};

fn check(spec: &Spec, _: &Network, search: &Search) -> Vec<Diagnostic> {
    let (Some(space), Some(backbone)) = (&spec.space, &spec.backbone) else { return Vec::new() };
    let tasks = spec.tasks.len();
    let short = space.levels.iter().find(|l| l.copies < tasks);
    let say = |l: &crate::hir::Level| {
        let name = &backbone.stages[l.stage.0].name;
        let copies = if l.copies == 1 { "one copy".to_string() } else { format!("{} copies", l.copies) };
        Diagnostic::new(codes::SEARCH_MISFIT, search.span, "`independent` needs a copy of every stage per task")
            .also(l.span, format!("`{name}` has {copies}, and there are {tasks} tasks"))
            .help("write `copies = any`, or search with a strategy that shares")
    };
    short.map(say).into_iter().collect()
}

/// Task `t` takes copy `t` everywhere.
fn search(ground: &Ground, _: &mut dyn Bench, _: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let own: Vec<usize> = (0..ground.checked.spec.tasks.len()).collect();
    let chain = vec![own; ground.checked.stages.len()];
    let decisions = partition::decisions(ground.network, &chain)
        .ok_or_else(|| RunError::NotYet("the levels of this space have fewer copies than there are tasks".into()))?;
    Ok(Ended::Done(Outcome { decisions, ..Outcome::default() }))
}
