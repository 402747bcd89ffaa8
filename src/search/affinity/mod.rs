//! Branched Multi-Task Networks (Vandenhende, Georgoulis, De Brabandere, Van Gool, BMVC 2020).
//!
//! - **Space**: at every location (the end of a stage) a partition of the tasks; each refines the one before.
//! - **Phases**: one single-task network per task, trained alike (`single_TASK`, with the attributes of `single { ... }`); then the
//!   affinities of the tasks at every location (`rsa`), on samples of the validation split; then the tree that costs least under the
//!   budget (`choose`, `beam`), which is retrained from scratch as any derived topology.
//! - **Left with the run**: `affinity.json`, which another search with another budget can start from (`affinities = ...`) and train
//!   nothing, and `affinity.svg`, heat maps of it. Matrices of other tools can be used as well ([`given`]).
//!
//! Our choices, where the paper's text was not at hand: all single-task networks begin from the same weights and see the same
//! batches, as they do from one pretrained backbone; the samples are drawn without replacement from the validation split, by the
//! seed; features are those of the selected epoch, in evaluation mode; stages stand in one order also where their graph branches,
//! so that a later stage's clusters refine an earlier one's.

pub mod beam;
pub mod choose;
mod given;
mod picture;
pub mod rsa;

use serde::{Deserialize, Serialize};

use super::bench::{Bench, Ended, Ground, Outcome, Part, train_part};
use super::{Offer, StrategyDef};
use crate::check::{cost, steps};
use crate::data::Batches;
use crate::diag::{Diagnostic, codes};
use crate::hir::{Search, Spec, StageId, TaskId};
use crate::ir::{Network, Node, NodeIndex, partition};
use crate::plan::lower_with;
use crate::runtime::model::Model;
use crate::runtime::reader::Deal;
use crate::runtime::record::{Listener, SplitScores};
use crate::runtime::{RunError, checkpoint};
use crate::schema::{AttrDef, COUNT, CallDef, Need, Ty};
use crate::source::json;
use beam::{Beam, Clustering, Direction};
use choose::{MOST, Problem, Tree};

const BEAM_ARGS: &[AttrDef] = &[
    AttrDef {
        name: "width",
        ty: COUNT,
        need: Need::Default("500"),
        doc: "Trees kept per location, shared out over numbers of clusters. Our choice: the paper's was not to be verified.",
    },
    AttrDef {
        name: "direction",
        ty: Ty::OneOf(&["last_to_first", "first_to_last"]),
        need: Need::Default("last_to_first"),
        doc: "From the last location to the first by merging clusters, as is said of the paper; or from the first by splitting them.",
    },
    AttrDef {
        name: "clustering",
        ty: Ty::OneOf(&["cost", "complete", "average"]),
        need: Need::Default("cost"),
        doc: "Which two clusters merge next: those whose union raises the location's cost least, has the smallest diameter, or differs \
              least on average. Our choices: the paper is said to cluster spectrally.",
    },
];

static CHOOSE: [CallDef; 3] = [
    CallDef { name: "auto", doc: "All trees of up to eight tasks, `beam` beyond.", args: &[] },
    CallDef { name: "exact", doc: "The optimum over all trees; of up to eight tasks.", args: &[] },
    CallDef { name: "beam", doc: "Beam search over the locations.", args: BEAM_ARGS },
];

fn ways() -> Vec<&'static CallDef> {
    CHOOSE.iter().collect()
}

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "affinity",
        doc: "Branched Multi-Task Networks: single-task networks first, then the tree whose clusters agree most under a budget.",
        args: &[
            AttrDef {
                name: "measure",
                ty: Ty::OneOf(&["rsa"]),
                need: Need::Default("rsa"),
                doc: "Representation similarity analysis: Spearman's correlation of two networks' dissimilarities (1 - Pearson) of samples.",
            },
            AttrDef {
                name: "samples",
                ty: Ty::Int { min: 3, max: 1 << 20 },
                need: Need::Default("500"),
                doc: "Samples of the validation split that dissimilarities are measured on; all of them where it has fewer.",
            },
            AttrDef { name: "choose", ty: Ty::Call(ways), need: Need::Default("auto"), doc: "How the tree is found." },
            AttrDef {
                name: "budget",
                ty: Ty::Budget,
                need: Need::Optional,
                doc: "Largest size of the result. Absent: the levels' copies alone bound it, and as many are used as there are, since \
                      a cluster of one task costs nothing.",
            },
            AttrDef {
                name: "affinities",
                ty: Ty::Path,
                need: Need::Optional,
                doc: "A file with affinities: nothing is trained, only the tree is chosen. Either the `affinity.json` of an earlier run \
                      with the same tasks and stages, or numbers from -1 to 1 of another tool, with a matrix per stage or one matrix for \
                      all stages. As csv: a column per task under its name, preceded by a column with the task of each row, and before \
                      that one with its stage, if rows are not in order; or the columns `task`, `with`, `affinity` and optionally \
                      `stage`; or only numbers, in the order of the program. As JSON: a matrix, a list of matrices, objects by stage or \
                      task, or any of these as `affinities` next to `tasks` and `stages`. Half a matrix is sufficient; if the two \
                      directions of a pair differ, their mean is used.",
            },
        ],
    },
    paper: "Vandenhende et al. 2020, Branched Multi-Task Networks",
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

fn check(spec: &Spec, network: &Network, search: &Search) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = partition::off_the_chain(spec, network)
        .map(|why| {
            Diagnostic::new(codes::SEARCH_MISFIT, search.span, format!("`affinity` cannot part the tasks here: {why}"))
                .help("let every head read the last stage, or search with `learn_to_branch`")
        })
        .into_iter()
        .collect();
    if search.args.call("choose").name == "exact" && spec.tasks.len() > MOST {
        let span = search.args.span("choose").unwrap_or(search.span);
        let said = format!("all trees of {} tasks are too many to search: {MOST} tasks are the most", spec.tasks.len());
        out.push(
            Diagnostic::new(codes::SEARCH_MISFIT, span, said)
                .help("search some of them: `choose = beam`; or leave it out, which takes what the tasks allow"),
        );
    }
    let validation = steps::rows(spec).map(|rows| rows[1]);
    if let Some(there) = validation.filter(|n| *n < LEAST && DEF.table(&search.args).is_none()) {
        out.push(Diagnostic::new(codes::SEARCH_MISFIT, search.span, too_few(there)).help(MORE));
    }
    out
}

/// Fewer samples give at most one dissimilarity, so nothing can be ranked.
const LEAST: usize = 3;

/// The message about a validation split with fewer samples, and its help text.
fn too_few(there: usize) -> String {
    format!("affinities are measured on three samples or more, and the validation split has {there}")
}
const MORE: &str = "give the data a larger `validation` share (for generated data: `validation_samples`)";

/// `affinity.json`: all that choosing a tree needs.
#[derive(Debug, Serialize, Deserialize)]
struct Affinities {
    version: u32,
    measure: String,
    samples: usize,
    tasks: Vec<String>,
    /// Stages, in order.
    locations: Vec<String>,
    /// By location, task and task.
    affinities: Vec<Vec<Vec<f64>>>,
    /// By location and task: samples whose features are all equal, so that they correlate with nothing.
    constant: Vec<Vec<usize>>,
    /// Validation scores of the single-task networks, each on its own task, if they were trained here.
    #[serde(default)]
    validation: Option<SplitScores>,
    epochs: usize,
    steps: u64,
}

fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let args = &ground.search.args;
    let found = match args.opt_str("affinities") {
        Some(written) => saved(ground, written, listener)?,
        None => match measured(ground, bench, listener)? {
            Ended::Done(found) => found,
            Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
        },
    };
    let text = json::line(&found).map_err(RunError::refused("affinity.json"))?;
    bench.write("affinity.json", &(text + "\n"))?;
    bench.write("affinity.svg", &picture::svg(&found.tasks, &found.locations, &found.affinities))?;
    let tree = tree(ground, &found)?;
    let chain: Vec<Vec<usize>> = tree.chain.iter().map(|p| p.iter().map(|b| *b as usize).collect()).collect();
    let decisions = partition::decisions(ground.network, &chain)
        .ok_or_else(|| RunError::NotYet("the space of this program has more than trees in it".into()))?;
    listener.note(&format!("tree: clustering cost {:.4}, {} copies of stages", tree.cost, copies(&tree)));
    Ok(Ended::Done(Outcome {
        decisions,
        validation: found.validation,
        epochs: found.epochs,
        steps: found.steps,
        ..Outcome::default()
    }))
}

fn copies(tree: &Tree) -> usize {
    tree.chain.iter().map(|p| crate::ir::trees::blocks(p)).sum()
}

/// The tree of least cost under the budget.
fn tree(ground: &Ground, found: &Affinities) -> Result<Tree, RunError> {
    let args = &ground.search.args;
    let checked = ground.checked;
    let size = cost::sizes(checked, args.budget("budget").map_or(crate::schema::Cost::Params, |b| b.of));
    let (sizes, heads) =
        size.ok_or_else(|| RunError::NotYet("sizes are open until the data schema is frozen".into()))?;
    let space = checked.spec.space.as_ref().expect("a search has a space");
    let limit = args
        .budget("budget")
        .map_or(f64::INFINITY, |b| cost::limit(&b, sizes.iter().sum(), heads, found.tasks.len()) - heads as f64);
    let problem = Problem {
        tasks: found.tasks.len(),
        dissimilarity: found.affinities.iter().map(|m| m.iter().flatten().map(|a| 1.0 - a).collect()).collect(),
        sizes,
        most: space.levels.iter().map(|l| l.copies).collect(),
        limit,
    };
    let call = args.call("choose");
    let tree = match call.name {
        "beam" => beam::beam(&problem, beam_of(&call.args)),
        "auto" if problem.tasks > MOST => beam::beam(&problem, DEFAULT_BEAM),
        _ => choose::exact(&problem),
    };
    // A budget below the smallest tree is refused by the check.
    tree.ok_or_else(|| RunError::NotYet("no tree of this space is within the budget".into()))
}

/// The defaults of `beam`.
const DEFAULT_BEAM: Beam = Beam { width: 500, direction: Direction::LastToFirst, clustering: Clustering::Cost };

fn beam_of(args: &crate::schema::Args) -> Beam {
    Beam {
        width: args.size("width"),
        direction: match args.str("direction") {
            "last_to_first" => Direction::LastToFirst,
            _ => Direction::FirstToLast,
        },
        clustering: match args.str("clustering") {
            "cost" => Clustering::Cost,
            "complete" => Clustering::Complete,
            _ => Clustering::Average,
        },
    }
}

fn names(ground: &Ground) -> (Vec<String>, Vec<String>) {
    let spec = &ground.checked.spec;
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    (spec.tasks.iter().map(|t| t.name.clone()).collect(), stages.iter().map(|s| s.name.clone()).collect())
}

/// Reads affinities of an earlier run or of another tool.
fn saved(ground: &Ground, written: &str, listener: &mut dyn Listener) -> Result<Affinities, RunError> {
    let path = ground.search.base.join(written);
    let (tasks, locations) = names(ground);
    let found = given::read(&path, &tasks, &locations, listener)?;
    listener.note(&format!("affinities: from `{}`, nothing is trained", path.display()));
    Ok(found)
}

/// Trains the single-task networks, or what is left of them, and compares them.
fn measured(
    ground: &Ground,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
) -> Result<Ended<Affinities>, RunError> {
    let spec = &ground.checked.spec;
    let (tasks, locations) = names(ground);
    let args = ground.single_args();
    // First, because training is useless if affinities cannot be measured.
    let rows = samples(ground, listener)?;
    let phases = phase_names(&tasks);
    let (mut validation, mut epochs) = (SplitScores { loss: 0.0, tasks: Vec::new() }, 0);
    let mut networks = Vec::new();
    for (t, phase) in phases.iter().enumerate() {
        let network = single(ground, TaskId(t))?;
        let part = match train_part(ground, bench, listener, phase, network, &args)? {
            Ended::Done(part) => part,
            Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
        };
        let Part { network, trained, validation: scores, .. } = part;
        epochs += trained.epochs;
        validation.loss += scores.loss;
        validation.tasks.extend(scores.tasks);
        networks.push(network);
    }
    // By location and task.
    let mut ranks: Vec<Vec<rsa::Ranks>> = vec![Vec::new(); locations.len()];
    let mut constant = vec![Vec::new(); locations.len()];
    for (t, phase) in phases.iter().enumerate() {
        if bench.control().asked() {
            return Err(RunError::Interrupted);
        }
        for (l, values) in features(ground, &networks[t], &bench.weights(phase), &rows)?.into_iter().enumerate() {
            if !values.iter().all(|v| v.is_finite()) {
                return Err(RunError::Checkpoint(format!(
                    "the features of the network of `{}` at `{}` are not finite: train it with a lower learning rate",
                    tasks[t], locations[l]
                )));
            }
            let (values, dead) = rsa::dissimilarities(&values, rows.len())?;
            let ranked = rsa::ranks(&values);
            if ranked.flat() {
                listener.note(&format!(
                    "note: the network of `{}` sees all samples alike at `{}`: its affinity with other tasks is 0 there",
                    tasks[t], locations[l]
                ));
            }
            constant[l].push(dead);
            ranks[l].push(ranked);
        }
    }
    for (l, dead) in constant.iter().enumerate() {
        let most = dead.iter().enumerate().max_by_key(|(t, n)| (**n, std::cmp::Reverse(*t)));
        if let Some((t, n)) = most.filter(|(_, n)| **n > 0) {
            listener.note(&format!(
                "note: {n} of {} samples have constant features at `{}` (task `{}`): they correlate with nothing",
                rows.len(),
                locations[l],
                tasks[t]
            ));
        }
    }
    let per_epoch = ground.feed.training(&args, ground.random).per_epoch();
    let affinities = ranks.iter().map(|r| rsa::affinities(r)).collect();
    Ok(Ended::Done(Affinities {
        version: 1,
        measure: "rsa".into(),
        samples: rows.len(),
        tasks: spec.tasks.iter().map(|t| t.name.clone()).collect(),
        locations,
        affinities,
        constant,
        validation: Some(validation),
        epochs,
        steps: (epochs * per_epoch) as u64,
    }))
}

/// `single_smiling`; a name that is none for a file is a number instead.
fn phase_names(tasks: &[String]) -> Vec<String> {
    let plain = |t: &String| t.len() < 80 && t.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let name = |(i, t): (usize, &String)| match plain(t) {
        true => format!("single_{t}"),
        false => format!("single_task.{}", i + 1),
    };
    tasks.iter().enumerate().map(name).collect()
}

/// The network of one task: one copy of each stage that it needs.
fn single(ground: &Ground, task: TaskId) -> Result<Network, RunError> {
    let spec = &ground.checked.spec;
    let mut diags = crate::diag::Diagnostics::default();
    crate::ir::fixed(spec, &partition::single(spec, task), &mut diags).ok_or_else(|| {
        let first = diags.into_sorted().into_iter().next().map(|d| d.message).unwrap_or_default();
        RunError::NotYet(format!("the network of `{}` cannot be built: {first}", spec.tasks[task.0].name))
    })
}

/// Rows of the validation split, drawn by the seed, in order.
fn samples(ground: &Ground, listener: &mut dyn Listener) -> Result<Vec<u32>, RunError> {
    let (wanted, there) = (ground.search.args.size("samples"), ground.feed.dataset.validation.rows);
    if there < LEAST {
        let (message, help) = (too_few(there), MORE.into());
        return Err(RunError::Data(crate::data::DataError::Option { message, help }));
    }
    if there < wanted && ground.search.args.is_given("samples") {
        listener.note(&format!("note: the validation split has {there} samples, and `samples` asks for {wanted}"));
    }
    let mut rows = ground.random.permutation("affinity samples", [0; 3], there);
    rows.truncate(wanted);
    rows.sort_unstable();
    Ok(rows)
}

/// Flattened outputs of every stage for some samples of the validation split: by stage, `[samples, numbers]` row-major.
fn features(
    ground: &Ground,
    network: &Network,
    weights: &std::path::Path,
    rows: &[u32],
) -> Result<Vec<Vec<f32>>, RunError> {
    /// Rows per pass; the last is filled up, since a row's values must not hang on what stands beside it.
    const BLOCK: usize = 32;
    let stages = ground.checked.stages.len();
    let node = |s: usize| -> Option<NodeIndex> {
        let is = |n: &&NodeIndex| matches!(network.graph[**n], Node::Stage { stage, .. } if stage == StageId(s));
        network.order.iter().find(is).copied()
    };
    let taps: Option<Vec<NodeIndex>> = (0..stages).map(node).collect();
    let taps = taps.ok_or_else(|| RunError::NotYet("a task does not pass all stages".into()))?;
    let (plan, symbols) = lower_with(ground.checked, network, &taps).map_err(|e| RunError::NotYet(e.to_string()))?;
    let model = Model::new(plan, symbols, ground.random, ground.device)?;
    checkpoint::load_model(weights, &model)?;
    let table = &ground.feed.dataset.validation;
    let mut out = vec![Vec::new(); stages];
    let passes = Batches::in_order(rows.len(), BLOCK).epoch(0);
    let filled = |chosen: &Vec<u32>| {
        let mut at: Vec<u32> = chosen.iter().map(|i| rows[*i as usize]).collect();
        at.resize(BLOCK, at[at.len() - 1]);
        at
    };
    let lists: Vec<Vec<u32>> = passes.iter().map(filled).collect();
    let deal = Deal { table, lists: &lists, drawn: None };
    ground.feed.deal(&deal, ground.device, |dealer| {
        for asked in passes.iter().map(Vec::len) {
            let Some(fed) = dealer.batch()? else { break };
            let values = model.predict(&fed.inputs, &[])?;
            for (list, t) in out.iter_mut().zip(&values[values.len() - stages..]) {
                let values = t.flatten_all()?.to_vec1::<f32>()?;
                list.extend(&values[..values.len() / BLOCK * asked]);
            }
        }
        Ok(())
    })?;
    Ok(out)
}
