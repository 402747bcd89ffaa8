//! Facts beside a drawing: its levels, and what its network costs.

use super::View;
use super::drawing::*;
use crate::check::{Checked, Cost, cost};
use crate::hir::{Query, Read, Reads, StageId};
use crate::ir::{self, Network};

/// The stages with their copies and what each reads, then the heads.
pub fn levels(checked: &Checked, network: &Network, view: View) -> Vec<LevelInfo> {
    let spec = &checked.spec;
    let Some(backbone) = &spec.backbone else { return Vec::new() };
    let copies = cost::copies(network);
    let count = |s: StageId| copies.get(&s.0).copied().unwrap_or(0);
    let ancestors = ir::ancestors(&backbone.stages);
    let name = |r: &Read| match r {
        Read::Input(i) => spec.inputs[i.0].name.clone(),
        Read::Stage(s) => backbone.stages[s.0].name.clone(),
    };
    let words = |reads: &[Read], how: Option<&Reads>, per_copy: bool| {
        let primary = ir::primary(reads, &ancestors);
        let mut out: Vec<String> = Vec::new();
        for r in reads {
            let word = name(r);
            let many = match r {
                Read::Stage(s) if !primary.contains(s) => {
                    out.push(format!("{word} on its path"));
                    continue;
                }
                Read::Stage(s) => count(*s),
                Read::Input(_) => 1,
            };
            out.push(match how {
                Some(how) if many > 1 => {
                    let mix = how.mix().map(|m| {
                        let queries: Vec<String> = m
                            .queries
                            .iter()
                            .map(|q| match q {
                                Query::Read(r) => name(r),
                                Query::Previous => "previous".to_string(),
                            })
                            .collect();
                        match queries.is_empty() {
                            true => format!(" by {}", m.gate.word()),
                            false => format!(" by {}, query {}", m.gate.word(), queries.join(" or ")),
                        }
                    });
                    let quantity = match how {
                        Reads::One => format!("one of {many}"),
                        Reads::Some(_) => format!("some of {many}"),
                        Reads::All(_) => format!("all {many}"),
                    };
                    let each = if per_copy { ", a head on each" } else { "" };
                    format!("{quantity} {word}{}{each}", mix.unwrap_or_default())
                }
                _ => word,
            });
        }
        out.join(" + ")
    };
    let mut choices = vec![0usize; backbone.stages.len() + 1];
    for c in &network.choices {
        match c.reader {
            ir::Reader::Stage(s, _) => choices[s.0] += 1,
            ir::Reader::Head(_) => choices[backbone.stages.len()] += 1,
        }
    }
    let space = spec.space.as_ref().filter(|_| view == View::Space);
    let mut out: Vec<LevelInfo> = backbone
        .stages
        .iter()
        .enumerate()
        .map(|(s, stage)| LevelInfo {
            name: stage.name.clone(),
            copies: count(StageId(s)),
            shape: Some(checked.stages[s].ty.to_string()),
            cost: checked.stages[s].cost,
            reads: words(&stage.reads, space.map(|x| &x.levels[s].reads), false),
            choices: choices[s],
        })
        .collect();
    let heads: Vec<_> = checked.heads.iter().flatten().collect();
    let same = |f: &dyn Fn(&crate::check::Typed) -> String| {
        heads.first().map(|h| f(h)).filter(|first| heads.iter().all(|h| f(h) == *first))
    };
    let alike = same(&|h| format!("{:?}", h.cost)).is_some() && heads.len() == checked.heads.len();
    let unknown = Cost { params: None, macs: None, activations: None };
    let head = spec.tasks.iter().find_map(|t| t.head).map(|h| &spec.heads[h.0]);
    out.push(LevelInfo {
        name: "heads".to_string(),
        copies: spec.tasks.len(),
        shape: same(&|h| h.ty.to_string()),
        cost: heads.first().filter(|_| alike).map_or(unknown, |h| h.cost),
        reads: head
            .map(|h| words(&h.reads, space.map(|x| &x.heads.reads), space.is_some_and(|x| x.heads.per_copy)))
            .unwrap_or_default(),
        choices: choices[backbone.stages.len()],
    });
    out
}

/// The network's costs beside those of all shared and all independent.
pub fn rows(report: &cost::CostReport, view: View) -> Vec<CostRow> {
    let shared = report.all_shared.total.params;
    let independent = report.independent.total.params;
    let ratio = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) if b > 0 => Some(a as f64 / b as f64),
        _ => None,
    };
    let row = |name: &'static str, n: &crate::check::NetworkCost, paths: bool| {
        let params: Option<Vec<u64>> = n.per_task.iter().map(|c| c.params).collect();
        let range = params.and_then(|p| Some((*p.iter().min()?, *p.iter().max()?)));
        CostRow {
            name,
            total: n.total,
            per_task: range.filter(|_| paths),
            shared: Some(n.shared).filter(|_| paths),
            of_shared: ratio(n.total.params, shared),
            of_independent: ratio(n.total.params, independent),
        }
    };
    let mut out = match view {
        View::Spec => Vec::new(),
        View::Space => vec![row("supernet", &report.network, false)],
        View::Topology => vec![row("topology", &report.network, true)],
    };
    out.push(row("all shared", &report.all_shared, true));
    out.push(row("independent", &report.independent, true));
    out
}
