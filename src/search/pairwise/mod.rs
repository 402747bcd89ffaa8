//! TreeMTL (Zhang, Liu, Guan, AutoML-Conf 2022): ranks all trees by the results of networks of two tasks.
//!
//! - **Phases**: for every two tasks and every number of stages that they may share, from none to all, a network of the two
//!   (`pair_1_2_0`: tasks 1 and 2, no stage shared). With `pairs = FILE` nothing is trained: results are read ([`pairs`]).
//! - **Ranking**: in a tree, two tasks share the first stages up to the one where their clusters differ. The estimate of a task is the
//!   mean over the other tasks of its result in the two-task network that shares the same number of stages (`metric_inference` in the
//!   authors' `main/algorithms.py`); the estimate of a tree is the mean over tasks. The result is the tree of the lowest estimate within
//!   the budget; ties are broken by size, then by the order of labels ([`rank`]).
//! - **Files of the run**: `pairwise.json`, the results by pair, from which another search with another budget can start; and
//!   `ranking.json`, all trees with estimate and size, or the best of them and every tree that is the result for some budget.
//!
//! Our choices: results are losses on the validation split, divided by the task's mean loss without sharing, so that tasks with different
//! units have equal weight. The authors rank by unnormalised accuracies, and their `compute_weights` gives a task the weight 1 - the mean
//! entropy of the singular values of its curves over the shared stages, normalised to a sum of 1; here all tasks have the same weight.
//! All networks are trained with the attributes of `single { ... }`.

mod pairs;
mod rank;

use serde::Serialize;

use self::pairs::{Better, Pair, Pairs};
use self::rank::{Problem, Ranked, Sizes};
use super::bench::{Bench, Ended, Ground, Outcome, train_part};
use super::{Offer, StrategyDef};
use crate::check::cost;
use crate::data::DataError;
use crate::diag::{Diagnostic, codes};
use crate::hir::{Search, Spec, TaskId};
use crate::ir::count::chains;
use crate::ir::{Network, fixed, partition};
use crate::runtime::RunError;
use crate::runtime::record::{Listener, SplitScores};
use crate::schema::{AttrDef, CallDef, Cost, Need, Ty};
use crate::source::json;

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "pairwise",
        doc: "TreeMTL: ranks all trees by the results of networks of two tasks, one for every pair of tasks and every number of shared stages.",
        args: &[
            AttrDef { name: "budget", ty: Ty::Budget, need: Need::Optional, doc: "Largest size of the result." },
            AttrDef {
                name: "pairs",
                ty: Ty::Path,
                need: Need::Optional,
                doc: "A file with results of two-task networks: nothing is trained, only the tree is chosen. Either the `pairwise.json` \
                      of an earlier run with the same tasks and stages; or a csv with the columns `task`, `with`, `shared` (the number of \
                      shared first stages, from 0) and `value`; or a csv in the format of TreeMTL's authors, with columns `(a, b)-0` and \
                      `(a, b)-1` for every pair of tasks, by name or by number from 0, and a row for every number of shared stages.",
            },
            AttrDef {
                name: "better",
                ty: Ty::OneOf(&["lower", "higher"]),
                need: Need::Default("lower"),
                doc: "Which values of a csv in `pairs` are better: `lower` for losses, `higher` for scores. A `pairwise.json` records \
                      this itself; leave `better` out then.",
            },
        ],
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

/// The largest number of trees that are ranked.
const MOST: u64 = 5_000_000;

/// The number of trees that `ranking.json` lists in the order of their estimates.
const LISTED: usize = 10_000;

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

/// The contents of `ranking.json`.
#[derive(Serialize)]
struct Record<'a> {
    version: u32,
    tasks: &'a [String],
    stages: &'a [String],
    /// The number of distinct trees of the space (`trees`), and of those in `ranking`.
    trees: u64,
    listed: usize,
    /// The rule by which `ranking` is a part of them; absent if it contains all trees.
    cut: Option<String>,
    ranking: &'a [Ranked],
}

fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let checked = ground.checked;
    let spec = &checked.spec;
    let args = &ground.search.args;
    let tasks: Vec<String> = spec.tasks.iter().map(|t| t.name.clone()).collect();
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let stages: Vec<String> = stages.iter().map(|s| s.name.clone()).collect();
    let found = match args.opt_str("pairs") {
        Some(written) => {
            let path = ground.search.base.join(written);
            let better = if args.str("better") == "lower" { Better::Lower } else { Better::Higher };
            let found = pairs::read(&path, &tasks, &stages, args.is_given("better").then_some(better))?;
            listener.note(&format!("pairs: from `{}`, nothing is trained", path.display()));
            found
        }
        None => match measured(ground, bench, listener, &tasks, &stages)? {
            Ended::Done(found) => found,
            Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
        },
    };
    let mut shares = found.values(&tasks, stages.len()).map_err(RunError::Checkpoint)?;
    rank::relative(&mut shares, found.better).map_err(|(task, with)| {
        let message = format!(
            "the results of `{}` with `{}` cannot be ranked: one of them is more than 1e100 times the mean result of `{}` without sharing",
            tasks[task], tasks[with], tasks[task]
        );
        RunError::from(DataError::Option { message, help: "correct the table in `pairs`".into() })
    })?;
    bench.write("pairwise.json", &json::text(&found).map_err(RunError::refused("pairwise.json"))?)?;
    let sizes = |of: Cost| {
        let open = || RunError::NotYet("sizes are open until the data schema is frozen".into());
        cost::sizes(checked, of).map(|(stages, heads)| Sizes { stages, heads }).ok_or_else(open)
    };
    let (params, macs) = (sizes(Cost::Params)?, sizes(Cost::Macs)?);
    let budget = args.budget("budget");
    let of_macs = budget.is_some_and(|b| b.of == Cost::Macs);
    let bounded = if of_macs { &macs } else { &params };
    let limit =
        budget.map_or(f64::INFINITY, |b| cost::limit(&b, bounded.stages.iter().sum(), bounded.heads, tasks.len()));
    let ranking = rank::rank(&Problem { shares, most: most(spec), params, macs, of_macs, limit }, LISTED);
    let best = ranking.best.ok_or_else(|| RunError::NotYet("no tree of this space is within the budget".into()))?;
    let cut = (ranking.trees > ranking.listed.len() as u64).then(|| {
        format!(
            "the {LISTED} trees of the lowest estimate, and every tree that has the lowest estimate of all trees with no more \
             parameters, or with no more multiply-accumulates: whatever the budget, the tree that it chooses is here"
        )
    });
    let record = Record {
        version: 1,
        tasks: &tasks,
        stages: &stages,
        trees: ranking.trees,
        listed: ranking.listed.len(),
        cut,
        ranking: &ranking.listed,
    };
    let ranked = json::line(&record).map_err(RunError::refused("ranking.json"))?;
    bench.write("ranking.json", &(ranked + "\n"))?;
    let chain: Vec<Vec<usize>> = best.clusters.iter().map(|p| p.iter().map(|b| *b as usize).collect()).collect();
    let decisions = partition::decisions(ground.network, &chain)
        .ok_or_else(|| RunError::NotYet("the space of this program has more than trees in it".into()))?;
    Ok(Ended::Done(Outcome {
        decisions,
        validation: found.validation,
        epochs: found.epochs,
        steps: found.steps,
        ..Outcome::default()
    }))
}

/// Trains the two-task networks that are not trained yet.
fn measured(
    ground: &Ground,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
    tasks: &[String],
    stages: &[String],
) -> Result<Ended<Pairs>, RunError> {
    let (spec, n) = (&ground.checked.spec, tasks.len());
    let args = ground.single_args();
    let mut values = vec![vec![Vec::new(); n]; n];
    let mut epochs = 0;
    let mut apart: Vec<Option<SplitScores>> = vec![None; n];
    for t in 0..n {
        for u in t + 1..n {
            for shared in 0..=stages.len() {
                let phase = format!("pair_{}_{}_{shared}", t + 1, u + 1);
                let network = pair(spec, t, u, shared)?;
                let part = match train_part(ground, bench, listener, &phase, network, &args)? {
                    Ended::Done(part) => part,
                    Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
                };
                epochs += part.trained.epochs;
                for (a, b) in [(t, u), (u, t)] {
                    let of = |s: &&crate::runtime::record::TaskScores| s.task == tasks[a];
                    let scores = part.validation.tasks.iter().find(of).cloned();
                    let scores = scores.ok_or_else(|| RunError::NotYet("a task was not evaluated".into()))?;
                    values[a][b].push(scores.loss);
                    if shared == 0 && apart[a].is_none() {
                        apart[a] = Some(SplitScores { loss: spec.tasks[a].weight * scores.loss, tasks: vec![scores] });
                    }
                }
            }
        }
    }
    let mut found = Vec::new();
    for (t, row) in values.into_iter().enumerate() {
        for (u, by_shared_stages) in row.into_iter().enumerate().filter(|(u, _)| *u != t) {
            found.push(Pair { task: tasks[t].clone(), with: tasks[u].clone(), by_shared_stages });
        }
    }
    // The validation losses of the tasks are those without sharing.
    let mut validation = SplitScores { loss: 0.0, tasks: Vec::new() };
    for s in apart.into_iter().flatten() {
        validation.loss += s.loss;
        validation.tasks.extend(s.tasks);
    }
    let per_epoch = ground.feed.training(&args, ground.random).per_epoch();
    Ok(Ended::Done(Pairs {
        version: 1,
        tasks: tasks.to_vec(),
        stages: stages.to_vec(),
        better: Better::Lower,
        pairs: found,
        validation: (n > 1).then_some(validation),
        epochs,
        steps: (epochs * per_epoch) as u64,
    }))
}

/// The network of two tasks that share the first `shared` stages.
fn pair(spec: &Spec, t: usize, u: usize, shared: usize) -> Result<Network, RunError> {
    let mut diags = crate::diag::Diagnostics::default();
    fixed(spec, &partition::pair(spec, TaskId(t), TaskId(u), shared), &mut diags)
        .ok_or_else(|| RunError::NotYet("the network of two tasks cannot be built".into()))
}
