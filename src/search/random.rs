//! Random search: the baseline that every search has to beat (Li and Talwalkar 2019).
//!
//! - **Draws**: every choice is drawn uniformly among its candidates or its subsets ([`crate::ir::Choice::draw`]), the query of a subset of
//!   several copies uniformly among the queries, and the copy of a task with a head on every copy uniformly among the copies. Draws are
//!   repeated until the topology is within the budget and was not drawn before. Small trees have more labelled choices than large ones,
//!   so they are drawn more often: uniform over choices is not uniform over trees.
//! - **Phases**: each drawn topology is trained as `train` says (`draw_1`, `draw_2`, ...); the one of lowest validation loss is the
//!   result, the first of equals. It is then retrained like any derived topology, from the same weights.

use super::bench::{Bench, Ended, Ground, Outcome, train_part};
use super::{Offer, StrategyDef, fits_always};
use crate::check::cost;
use crate::hir::{TopoSource, Topology};
use crate::ir::{fixed, partition};
use crate::random::Randomness;
use crate::runtime::RunError;
use crate::runtime::record::{Listener, SplitScores};
use crate::schema::{AttrDef, COUNT, CallDef, Cost, NATURAL, Need, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "random",
        doc: "Uniform draws from the space, each trained as `train` says, the best on validation kept.",
        args: &[
            AttrDef {
                name: "draws",
                ty: COUNT,
                need: Need::Default("8"),
                doc: "How many; fewer where the space has fewer.",
            },
            AttrDef { name: "seed", ty: NATURAL, need: Need::Optional, doc: "Of the draws. Absent: the run's." },
            AttrDef { name: "budget", ty: Ty::Budget, need: Need::Optional, doc: "Largest size of what is drawn." },
        ],
    },
    paper: "Li and Talwalkar 2019, the baseline",
    decides: &[Offer::Tree, Offer::Routes, Offer::HeadPerCopy],
    requires: &[],
    most_levels: None,
    whole: false,
    budget: true,
    single: false,
    one_shot: false,
    check: fits_always,
    procedure: search,
};

/// Draws for one topology, before it is taken that there is no other.
const TRIES: u64 = 2_000;

fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let checked = ground.checked;
    let args = ground.train_args();
    let drawn = draws(ground)?;
    if drawn.len() < ground.search.args.size("draws") {
        listener.note(&format!("note: {} topologies were found to draw", drawn.len()));
    }
    let mut best: Option<(SplitScores, usize)> = None;
    let mut epochs = 0;
    for (i, (_, topology)) in drawn.iter().enumerate() {
        let mut diags = crate::diag::Diagnostics::default();
        let network = fixed(&checked.spec, topology, &mut diags)
            .ok_or_else(|| RunError::NotYet("a drawn topology cannot be built".into()))?;
        let part = match train_part(ground, bench, listener, &format!("draw_{}", i + 1), network, &args)? {
            Ended::Done(part) => part,
            Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
        };
        epochs += part.trained.epochs;
        if best.as_ref().is_none_or(|(b, _)| part.validation.loss < b.loss) {
            best = Some((part.validation, i));
        }
    }
    let (validation, i) = best.ok_or_else(|| RunError::NotYet("no topology of this space keeps the budget".into()))?;
    let per_epoch = ground.feed.training(&args, ground.random).per_epoch();
    Ok(Ended::Done(Outcome {
        decisions: drawn[i].0.clone(),
        validation: Some(validation),
        epochs,
        steps: (epochs * per_epoch) as u64,
        ..Outcome::default()
    }))
}

/// Decisions and their topologies, all different.
fn draws(ground: &Ground) -> Result<Vec<(Vec<usize>, Topology)>, RunError> {
    let (checked, network, args) = (ground.checked, ground.network, &ground.search.args);
    let budget = args.budget("budget");
    let of = budget.map_or(Cost::Params, |b| b.of);
    let (sizes, heads) = cost::sizes(checked, of)
        .ok_or_else(|| RunError::NotYet("sizes are open until the data schema is frozen".into()))?;
    let limit = budget.map_or(f64::INFINITY, |b| cost::limit(&b, sizes.iter().sum(), heads, checked.spec.tasks.len()));
    let random = args.opt_size("seed").map_or(ground.random, |s| Randomness::new(s as u64));
    let mut out: Vec<(Vec<usize>, Topology)> = Vec::new();
    let mut seen = Vec::new();
    let mut try_ = |decisions: Vec<usize>| {
        let topology = ground.topology(&decisions);
        let cost = cost::topology_cost(checked, &topology);
        let size = match of {
            Cost::Params => cost.params,
            Cost::Macs => cost.macs,
        };
        // Routes are told apart as they are written, so two that differ only in which copy is called which are both drawn.
        let drawn = match partition::chain(&checked.spec, &topology) {
            Some(chain) => Drawn::Tree(chain),
            None => Drawn::Routes(written(&topology)),
        };
        if size.is_none_or(|s| s as f64 > limit) || seen.contains(&drawn) {
            return false;
        }
        seen.push(drawn);
        out.push((decisions, topology));
        true
    };
    for n in 0..args.size("draws") {
        let found = (0..TRIES).any(|k| {
            let mut rng = random.stream("random search", [n as u64, k, 0]);
            try_(network.choices.iter().map(|c| c.draw(&mut rng)).collect())
        });
        // The all-shared network keeps every budget that the check lets through.
        if !found && (n > 0 || !try_(vec![0; network.choices.len()])) {
            break;
        }
    }
    Ok(out)
}

/// What was drawn before.
#[derive(PartialEq)]
enum Drawn {
    Tree(Vec<Vec<Option<usize>>>),
    Routes(Written),
}

/// What nodes, mixes and tasks read.
type Written = (Vec<Vec<TopoSource>>, Vec<(Vec<TopoSource>, Option<TopoSource>)>, Vec<Vec<TopoSource>>);

fn written(t: &Topology) -> Written {
    let nodes = t.nodes.iter().map(|n| n.reads.clone()).collect();
    let mixes = t.mixes.iter().map(|m| (m.members.clone(), m.query)).collect();
    (nodes, mixes, t.tasks.iter().map(|(_, reads, _)| reads.clone()).collect())
}
