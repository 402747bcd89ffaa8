//! TreeMTL (Zhang, Liu, Guan, AutoML-Conf 2022): all trees ranked by networks of two tasks.
//!
//! - **Phases**: for every two tasks and every number of stages that they may share, from none to all, a network of the two
//!   (`pair_1_2_0`: tasks 1 and 2, no stage shared).
//! - **Ranking**: in a tree, two tasks share as many stages as their clusters agree in. A task's estimate is the mean over the other
//!   tasks of its loss in the network of the two that shares as much; a tree's is the mean over tasks. The tree of the lowest
//!   estimate under the budget wins, of equals the smaller, of those the first in the order of labels.
//! - **Left with the run**: `ranking.json`, the best hundred trees with estimate and size.
//!
//! Our choices: losses on the validation split, as shares of the task's mean loss where nothing is shared, so that tasks of other
//! units count alike (the paper's code weighs tasks by how much its curves say, which its text was not at hand to confirm). All
//! networks are trained as `single { ... }` says.

use serde::Serialize;

use super::bench::{Bench, Ended, Ground, Outcome, train_part};
use super::{Offer, StrategyDef};
use crate::check::cost;
use crate::diag::{Diagnostic, codes};
use crate::hir::{Search, Spec, TaskId};
use crate::ir::count::chains;
use crate::ir::trees::{self, Labels, blocks};
use crate::ir::{Network, fixed, partition};
use crate::runtime::RunError;
use crate::runtime::record::{Listener, SplitScores};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "pairwise",
        doc: "TreeMTL: all trees ranked by networks of two tasks, one for every two tasks and every number of stages they share.",
        args: &[AttrDef { name: "budget", ty: Ty::Budget, need: Need::Optional, doc: "Largest size of the result." }],
    },
    paper: "Zhang et al. 2022, A Tree-Structured Multi-Task Model Recommender",
    decides: &[Offer::Tree],
    requires: &[Offer::Tree],
    most_levels: None,
    whole: true,
    budget: true,
    single: true,
    one_shot: false,
    check,
    procedure: search,
};

/// Trees that are ranked at most.
const MOST: u64 = 5_000_000;

fn check(spec: &Spec, network: &Network, search: &Search) -> Vec<Diagnostic> {
    let off =
        partition::off_the_chain(spec, network).map(|why| format!("`pairwise` cannot part the tasks here: {why}"));
    let many = match chains(spec.tasks.len(), &most(spec)) {
        Some(n) if n <= MOST.into() => None,
        _ => Some("`pairwise` ranks all trees of a space, and this one has more than five million".to_string()),
    };
    off.or(many)
        .map(|said| {
            Diagnostic::new(codes::SEARCH_MISFIT, search.span, said)
                .help("let levels have fewer copies, or search with `learn_to_branch` or `affinity`")
        })
        .into_iter()
        .collect()
}

fn most(spec: &Spec) -> Vec<usize> {
    spec.space.iter().flat_map(|s| &s.levels).map(|l| l.copies).collect()
}

/// A ranked tree.
#[derive(Debug, Clone, Serialize)]
struct Ranked {
    estimate: f64,
    size: u64,
    /// The clusters at each stage, by the block of each task.
    clusters: Vec<Labels>,
}

/// Losses of two-task networks: `[task][partner][stages shared]`, as shares of the task's mean loss with nothing shared.
type Shares = Vec<Vec<Vec<f64>>>;

fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let checked = ground.checked;
    let (spec, stages) = (&checked.spec, checked.stages.len());
    let n = spec.tasks.len();
    let args = ground.single_args();
    let mut shares: Shares = vec![vec![vec![0.0; stages + 1]; n]; n];
    let mut epochs = 0;
    let mut apart: Vec<Option<SplitScores>> = vec![None; n];
    for t in 0..n {
        for u in t + 1..n {
            #[allow(clippy::needless_range_loop, reason = "it indexes two tables of tables")]
            for shared in 0..=stages {
                let phase = format!("pair_{}_{}_{shared}", t + 1, u + 1);
                let network = pair(spec, t, u, shared)?;
                let part = match train_part(ground, bench, listener, &phase, network, &args)? {
                    Ended::Done(part) => part,
                    Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
                };
                epochs += part.trained.epochs;
                for (a, b) in [(t, u), (u, t)] {
                    let of = |s: &&crate::runtime::record::TaskScores| s.task == spec.tasks[a].name;
                    let scores = part.validation.tasks.iter().find(of).cloned();
                    let scores = scores.ok_or_else(|| RunError::NotYet("a task was not evaluated".into()))?;
                    shares[a][b][shared] = scores.loss;
                    if shared == 0 && apart[a].is_none() {
                        apart[a] = Some(SplitScores { loss: spec.tasks[a].weight * scores.loss, tasks: vec![scores] });
                    }
                }
            }
        }
    }
    relative(&mut shares);
    let budget = ground.search.args.budget("budget");
    let (sizes, heads) = cost::sizes(checked, budget.map_or(crate::schema::Cost::Params, |b| b.of))
        .ok_or_else(|| RunError::NotYet("sizes are open until the data schema is frozen".into()))?;
    let limit = budget.map_or(f64::INFINITY, |b| cost::limit(&b, sizes.iter().sum(), heads, n) - heads as f64);
    let ranked = rank(&shares, &most(spec), &sizes, limit);
    let best = ranked.first().ok_or_else(|| RunError::NotYet("no tree of this space keeps the budget".into()))?;
    let text = serde_json::to_string(&ranked).map_err(|e| RunError::Checkpoint(e.to_string()))?;
    bench.write("ranking.json", &(text + "\n"))?;
    let chain: Vec<Vec<usize>> = best.clusters.iter().map(|p| p.iter().map(|b| *b as usize).collect()).collect();
    let decisions = partition::decisions(ground.network, &chain)
        .ok_or_else(|| RunError::NotYet("the space of this program has more than trees in it".into()))?;
    let per_epoch = ground.feed.training(args.size("batch"), ground.random).per_epoch();
    // What is known of the tasks is their loss where nothing is shared.
    let mut validation = SplitScores { loss: 0.0, tasks: Vec::new() };
    for s in apart.into_iter().flatten() {
        validation.loss += s.loss;
        validation.tasks.extend(s.tasks);
    }
    Ok(Ended::Done(Outcome {
        decisions,
        validation: (n > 1).then_some(validation),
        epochs,
        steps: (epochs * per_epoch) as u64,
        ..Outcome::default()
    }))
}

/// The network of two tasks that share the first stages.
fn pair(spec: &Spec, t: usize, u: usize, shared: usize) -> Result<Network, RunError> {
    let mut diags = crate::diag::Diagnostics::default();
    fixed(spec, &partition::pair(spec, TaskId(t), TaskId(u), shared), &mut diags)
        .ok_or_else(|| RunError::NotYet("the network of two tasks cannot be built".into()))
}

/// Divides by each task's mean loss where nothing is shared; a loss of 0 counts as it is.
fn relative(shares: &mut Shares) {
    let n = shares.len();
    for (t, partners) in shares.iter_mut().enumerate() {
        let alone: f64 = (0..n).filter(|u| *u != t).map(|u| partners[u][0]).sum::<f64>() / (n.max(2) - 1) as f64;
        if alone > 0.0 {
            partners.iter_mut().flatten().for_each(|v| *v /= alone);
        }
    }
}

/// The best trees under the budget, at most a hundred.
fn rank(shares: &Shares, most: &[usize], sizes: &[u64], limit: f64) -> Vec<Ranked> {
    const KEPT: usize = 100;
    let n = shares.len();
    let mut best: Vec<Ranked> = Vec::new();
    trees::each(n, most, &mut |chain| {
        let size: u64 = chain.iter().zip(sizes).map(|(p, s)| blocks(p) as u64 * s).sum();
        if size as f64 > limit {
            return true;
        }
        let mut sum = 0.0;
        for t in 0..n {
            for u in (0..n).filter(|u| *u != t) {
                let shared = chain.iter().take_while(|p| p[t] == p[u]).count();
                sum += shares[t][u][shared];
            }
        }
        let estimate = sum / (n * (n.max(2) - 1)) as f64;
        let order = |r: &Ranked| r.estimate.total_cmp(&estimate).then(r.size.cmp(&size));
        let at = best.partition_point(|r| order(r).is_le());
        if at < KEPT {
            best.insert(at, Ranked { estimate, size, clusters: chain.to_vec() });
            best.truncate(KEPT);
        }
        true
    });
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tasks 0 and 1 gain by sharing, both lose by sharing with 2: they share all, and 2 stands alone.
    #[test]
    fn the_best_tree_of_pairs() {
        let gain = [1.0, 0.8, 0.6];
        let loss = [1.0, 1.3, 1.9];
        let mut shares: Shares = vec![vec![vec![0.0; 3]; 3]; 3];
        for (t, partners) in shares.iter_mut().enumerate() {
            for (u, list) in partners.iter_mut().enumerate() {
                *list = if t + u == 1 { gain } else { loss }.iter().map(|v| v * (t + 1) as f64).collect();
            }
        }
        relative(&mut shares);
        assert_eq!((shares[0][1][2], shares[2][0][1]), (0.6, 1.3));
        let ranked = rank(&shares, &[3, 3], &[10, 10], 1e9);
        assert_eq!(ranked.len(), 12, "all trees");
        assert_eq!(ranked[0].clusters, [[0, 0, 1], [0, 0, 1]]);
        assert!((ranked[0].estimate - (0.6 + 1.0 + 0.6 + 1.0 + 1.0 + 1.0) / 6.0).abs() < 1e-12);
        assert!(ranked.windows(2).all(|w| w[0].estimate <= w[1].estimate));
        // A budget of three copies: the first stage is shared by all.
        let tight = rank(&shares, &[3, 3], &[10, 10], 30.0);
        assert!(tight.iter().all(|r| r.size <= 30));
        assert_eq!(tight[0].clusters, [[0, 0, 0], [0, 0, 1]]);
        assert!(rank(&shares, &[3, 3], &[10, 10], 19.0).is_empty());
    }
}
