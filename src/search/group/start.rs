//! How DMTG begins: logits, weights that are alike, and what gradients are scaled by where the network splits.

use candle_core::{Device, Result, Var};
use rand_distr::{Distribution, StandardNormal};

use crate::hir::StageId;
use crate::ir::Node;
use crate::random::Randomness;
use crate::runtime::model::Model;
use crate::search::bench::Ground;

/// The logits of each task, `[K]`, as `start` says. Code: ones (the same as zeros), which is `even`; 0.9 on the diagonal and
/// 0.1 / (K - 1) beside it, which is `diagonal` (there the rows of tasks beyond the K-th have no 0.9); N(1, 0.2^2), which is `normal`.
pub(super) fn logits(start: &str, model: &Model, random: Randomness) -> Result<Vec<Var>> {
    let row = |(task, groups): (usize, &usize)| {
        let values: Vec<f64> = match start {
            "diagonal" => {
                let beside = 0.1 / (groups.saturating_sub(1).max(1)) as f64;
                (0..*groups).map(|k| if k == task { 0.9 } else { beside }).collect()
            }
            "normal" => {
                let mut rng = random.stream("group start", [task as u64, 0, 0]);
                (0..*groups).map(|_| 1.0 + 0.2 * Distribution::<f64>::sample(&StandardNormal, &mut rng)).collect()
            }
            _ => vec![0.0; *groups],
        };
        Var::from_vec(values, *groups, &Device::Cpu)
    };
    model.plan.choices.iter().enumerate().map(row).collect()
}

/// Gives every group the initial weights of the first, `block.b` those of `block.a`, and the heads on them, `heads.t.b` those of
/// `heads.t.a`. Copies of other stages, which another search decides, stay as they were drawn.
pub(super) fn alike(ground: &Ground, model: &Model) -> Result<()> {
    let stages = ground.checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let groups: Vec<&str> = ground.network.choices.iter().map(|c| stages[c.of.0].name.as_str()).collect();
    let name = |i: usize| {
        let label = &model.symbols.units[model.plan.weights[i].unit];
        (label.as_str(), &model.symbols.weights[i][label.len()..])
    };
    let all: std::collections::HashMap<(&str, &str), usize> = (0..model.vars.len()).map(|i| (name(i), i)).collect();
    for (i, var) in model.vars.iter().enumerate() {
        let (label, rest) = name(i);
        let Some((stem, copy)) = label.rsplit_once('.') else { continue };
        let own = stem.starts_with("heads.") || groups.contains(&stem);
        if own
            && copy != "a"
            && let Some(first) = all.get(&(format!("{stem}.a").as_str(), rest))
        {
            var.set(&model.vars[*first].as_tensor().copy()?)?;
        }
    }
    Ok(())
}

/// What each trained weight's gradient is multiplied by: the splits that it comes back through are the same for a whole stage, so
/// that scaling at a split is scaling what lies before it.
pub(super) fn factors(ground: &Ground, model: &Model) -> Vec<f64> {
    let stages = ground.checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let Some(group) = ground.network.choices.first() else { return vec![1.0; model.trained().len()] };
    let is_group = |n: &&Node| matches!(n, Node::Stage { stage, .. } if *stage == group.of);
    let groups = ground.network.graph.node_weights().filter(is_group).count() as f64;
    let tasks = model.plan.outputs.len() as f64;
    let of = |label: &str| match label.rsplit_once('.').map(|(stage, _)| stages.iter().position(|s| s.name == stage)) {
        _ if label.starts_with("heads.") => 1.0,
        Some(Some(s)) if StageId(s) == group.of => 1.0 / tasks.sqrt(),
        _ => 1.0 / (tasks * groups).sqrt(),
    };
    let trained = model.plan.weights.iter().filter(|w| w.trained);
    trained.map(|w| of(&model.symbols.units[w.unit])).collect()
}
