//! Space and strategy: every decision has one strategy that can make it, and a budget that can be kept.

use std::collections::BTreeMap;

use super::Typed;
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::hir::{Search, Spec, StageId};
use crate::ir::{ChoiceKind, Network, Reader};
use crate::schema::Cost;
use crate::search::{Offer, StrategyDef, strategies};

pub fn fit(
    spec: &Spec,
    supernet: Option<&Network>,
    stages: &[Option<Typed>],
    heads: &[Option<Typed>],
    diags: &mut Diagnostics,
) {
    let Some(space) = &spec.space else {
        let written = spec.written.iter().any(|w| w.item.keyword.text == "space");
        if let Some(s) = spec.searches.first()
            && !written
            && !spec.incomplete
        {
            diags.push(
                Diagnostic::new(codes::SEARCH_NO_SPACE, s.span, "there is a search and no space to search in")
                    .help("declare one: `space NAME over BACKBONE { level ... }`, or remove the search"),
            );
        }
        return;
    };
    let Some(network) = supernet else { return };
    // What each level (and the heads) leaves to choose.
    let mut offers: BTreeMap<Option<StageId>, Offer> = BTreeMap::new();
    for c in &network.choices {
        let at = match c.reader {
            Reader::Stage(s, _) => Some(s),
            Reader::Head(_) => None,
        };
        let offer = match c.kind {
            ChoiceKind::One => Offer::Tree,
            ChoiceKind::Some { .. } => Offer::Routes,
            ChoiceKind::Copy => Offer::HeadPerCopy,
        };
        offers.insert(at, offer);
    }
    let level_span = |at: &Option<StageId>| match at {
        Some(s) => space.levels[s.0].span,
        None => space.heads.span,
    };
    let level_name = |at: &Option<StageId>| match at {
        Some(s) => spec.backbone.as_ref().map_or(String::new(), |b| b.stages[s.0].name.clone()),
        None => "heads".to_string(),
    };
    let covers = |s: &Search, at: &Option<StageId>| match at {
        Some(stage) => s.stages.contains(stage),
        None => s.heads,
    };
    // Every choice is decided once.
    if !spec.searches.is_empty() {
        for at in offers.keys() {
            let deciders: Vec<&Search> = spec.searches.iter().filter(|s| covers(s, at)).collect();
            match deciders.as_slice() {
                [_] => {}
                [] if spec.incomplete => {}
                [] => diags.push(
                    Diagnostic::new(
                        codes::SEARCH_OVERLAP,
                        level_span(at),
                        format!("no strategy decides `{}`", level_name(at)),
                    )
                    .label("left open")
                    .help(format!("add it to a search: `search ... on {}`", level_name(at))),
                ),
                [first, second, ..] => diags.push(
                    Diagnostic::new(
                        codes::SEARCH_OVERLAP,
                        second.on_span.unwrap_or(second.span),
                        format!("`{}` is decided twice", level_name(at)),
                    )
                    .also(first.on_span.unwrap_or(first.span), "already decided by this one")
                    .help("give every level one strategy: `search NAME on LEVEL, ...`"),
                ),
            }
        }
    }
    for search in &spec.searches {
        let mine: Vec<(&Option<StageId>, &Offer)> = offers.iter().filter(|(at, _)| covers(search, at)).collect();
        let def = search.strategy;
        if let Some((at, offer)) = mine.iter().find(|(_, o)| !def.decides.contains(o)) {
            let fitting = strategies().iter().filter(|s| mine.iter().all(|(_, o)| s.decides.contains(o)));
            diags.push(
                misfit(search, format!("`{}` cannot decide {}", def.call.name, offer.describe()), fitting)
                    .also(level_span(at), format!("`{}` is {}", level_name(at), offer.describe()))
                    .also_all(before(spec, space, at)),
            );
            continue;
        }
        if mine.is_empty() && search.on_span.is_some() {
            // Asked for level by level: pointless, and harmless.
            let mut d = Diagnostic::new(
                codes::SEARCH_MISFIT,
                search.on_span.unwrap_or(search.span),
                format!("`{}` has nothing to decide here: every reader has one copy to read", def.call.name),
            )
            .help("give the level before several copies, or remove the search");
            d.severity = crate::diag::Severity::Warning;
            diags.push(d);
            continue;
        }
        if def.whole && mine.len() < offers.len() {
            let other = offers.keys().find(|at| !covers(search, at)).expect("fewer are its own");
            let others = strategies().iter().filter(|s| !s.whole && mine.iter().all(|(_, o)| s.decides.contains(o)));
            let message = format!("`{}` decides whole networks, and here only a part is its own", def.call.name);
            diags.push(
                misfit(search, message, others).also(level_span(other), format!("`{}` is not", level_name(other))),
            );
            continue;
        }
        let missing = def.requires.iter().find(|r| !mine.iter().any(|(_, o)| o == r));
        // Without a head, or with a broken one, what could be chosen at the end is not seen: `nothing to decide` would be untrue.
        if missing.is_some() && heads.iter().any(Option::is_none) {
            continue;
        }
        if let Some(required) = missing {
            let offered: Vec<Offer> = mine.iter().map(|(_, o)| **o).collect();
            let message = match offered.is_empty() {
                true => format!("`{}` has nothing to decide here", def.call.name),
                false => format!("`{}` needs {}", def.call.name, required.describe()),
            };
            let fitting = strategies().iter().filter(|s| {
                offered.iter().all(|o| s.decides.contains(o)) && s.requires.iter().all(|r| offered.contains(r))
            });
            let mut d = misfit(search, message, fitting).also(space.span, "this space");
            if offered.is_empty() {
                d = d.help("every level has one parent to read: give a level several copies");
            }
            diags.push(d);
            continue;
        }
        if let Some(most) = def.most_levels
            && mine.len() > most
        {
            diags.push(
                misfit(
                    search,
                    format!("`{}` decides {most} level, and {} are to be decided", def.call.name, mine.len()),
                    [].iter(),
                )
                .also(level_span(mine[most].0), format!("`{}` is one too many", level_name(mine[most].0))),
            );
            continue;
        }
        let alone = mine.len() == offers.len();
        budget(spec, search, alone, stages, heads, diags);
        diags.extend((def.check)(spec, network, search));
    }
}

/// The level that a level reads, and its copies: where it has one, there is nothing to decide.
fn before(spec: &Spec, space: &crate::hir::Space, at: &Option<StageId>) -> Vec<(crate::source::Span, String)> {
    let (Some(backbone), Some(stage)) = (&spec.backbone, at) else { return Vec::new() };
    let reads = backbone.stages[stage.0].reads.iter().filter_map(|r| match r {
        crate::hir::Read::Stage(s) => space.levels.get(s.0),
        crate::hir::Read::Input(_) => None,
    });
    let several = reads.filter(|l| l.copies > 1);
    several
        .map(|l| (l.span, format!("because `{}` has {} copies", backbone.stages[l.stage.0].name, l.copies)))
        .collect()
}

fn misfit<'a>(search: &Search, message: String, fitting: impl Iterator<Item = &'a &'static StrategyDef>) -> Diagnostic {
    let names: Vec<&str> = fitting.map(|s| s.call.name).collect();
    let d = Diagnostic::new(codes::SEARCH_MISFIT, search.on_span.unwrap_or(search.span), message);
    if names.is_empty() {
        d.help("split the space: `search A on LEVEL, ... { }` and `search B on LEVEL, ... { }`")
    } else {
        d.help(format!("fitting strategies: {}", suggest::listing(names)))
    }
}

fn budget(
    spec: &Spec,
    search: &Search,
    alone: bool,
    stages: &[Option<Typed>],
    heads: &[Option<Typed>],
    diags: &mut Diagnostics,
) {
    // Only strategies that can keep one have the attribute; for the others `budget` is an unknown attribute.
    let Some(budget) = search.args.budget("budget") else { return };
    let span = search.args.span("budget").unwrap_or(search.span);
    if !alone {
        let said = format!(
            "`{}` decides a part of the network here, and a budget bounds the whole",
            search.strategy.call.name
        );
        let d = Diagnostic::new(codes::SEARCH_BUDGET, span, said).label("what the other searches choose counts too");
        diags.push(d.help("let one search decide the whole space, or give its levels fewer copies instead"));
        return;
    }
    let cost = |c: &super::Cost| match budget.of {
        Cost::Params => c.params,
        Cost::Macs => c.macs,
    };
    let trunk: Option<u64> = stages.iter().map(|s| s.as_ref().and_then(|s| cost(&s.cost))).sum();
    let ends: Option<u64> = heads.iter().map(|h| h.as_ref().and_then(|h| cost(&h.cost))).sum();
    let (Some(trunk), Some(ends)) = (trunk, ends) else { return };
    let smallest = trunk + ends;
    let independent = trunk * spec.tasks.len() as u64 + ends;
    let limit = super::cost::limit(&budget, trunk, ends, spec.tasks.len());
    let what = match budget.of {
        Cost::Params => "parameters",
        Cost::Macs => "multiply-accumulates",
    };
    if limit < smallest as f64 {
        diags.push(
            Diagnostic::new(
                codes::SEARCH_BUDGET,
                span,
                format!("no topology is that small: all shared, the smallest one, has {smallest} {what}"),
            )
            .label(format!("at most {limit:.0}"))
            .help(format!("all independent has {independent}; choose a budget between the two")),
        );
    }
}
