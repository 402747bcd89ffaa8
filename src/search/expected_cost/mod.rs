//! BMTAS: automated search for resource-efficient branched multi-task networks (Bruggemann, Kanakis, Georgoulis, Van Gool, BMVC 2020),
//! after the authors' released code.
//!
//! - **Parametrisation**: one categorical over copies per task and stage, logits that start at 0.
//! - **Estimator**: a relaxed categorical, one sample per batch: after a stage the feature of a task is the sum over copies of
//!   w_i f_i(feature), w = softmax((logits + Gumbel noise) / temperature). Every task goes through every copy, so a step costs tasks
//!   times copies ([`lower_per_task`]); what comes before the first choice runs once.
//! - **Cost**: lambda times the expected cost of the sampled tree is added to the loss of the choices ([`cost`]). By default the cost is
//!   a fraction of the cost of the all-shared network, heads included, so that lambda has the same meaning for networks of any size. The
//!   code counts GFLOPs of the encoder at 512 by 512 pixels, with two FLOPs per multiply-accumulate (`BranchingLoss` in
//!   `src/criterion.py`, `src/resources.py`): `unit = gflops`.
//! - **Procedure**: alternating on a split of the training data. In each epoch the held part trains the logits, then the rest trains
//!   the weights; both optimisers begin anew in each epoch, as in the code. In the warm-up every task takes the copy of its own number
//!   (modulo their number), and logits rest. The temperature's clock begins after the warm-up. Steps of logits leave running
//!   statistics as they were (the code takes batch statistics there and resets the running ones every epoch).
//! - **Steps**: by default one step of the weights minimises the sum of all losses, and the cost is added once. The code proceeds task by
//!   task (`train_search` in `src/tools.py`): in a batch of the weights' part, every task makes its own forward pass, backward pass and
//!   Adam step, with the weights updated by the previous tasks; in a batch of the logits' part, the gradients of all tasks are added for
//!   one step, and each of them includes the whole cost. That is `steps = per_task`: the cost then counts once per task with a label in
//!   the batch. With `unit = share` and `steps = joint`, the code's lambda for T tasks becomes lambda * T * 2e-9 * (MACs of the
//!   all-shared network).
//! - **Norms**: the last normalisation of a copy has no learned scale and shift during the search (`final_affine=False` in
//!   `src/models.py`); otherwise a copy could compensate for its weight in the mixture. The derived network has them again.
//! - **Result**: the argmax per task and stage, refined by the earlier stages so that it is a tree. Tasks that are separated and later
//!   choose the same copy again stay separate; the run and `expected_cost.json` (`remerged`) name them. The paper has as many copies as
//!   tasks; where a space has fewer, blocks are merged ([`cost::tree`]), which is ours.

mod cost;
mod norms;

use candle_core::{Tensor, Var};

use super::bench::{Bench, Ended, Ground, Outcome};
use super::certainty::{Certainty, Remerged};
use super::choices::{Choices, argmax, choices_event, log_softmax, softmax, softmax_at};
use super::{Offer, StrategyDef};
use crate::check;
use crate::diag::{Diagnostic, codes};
use crate::hir::schema::{DROP_LAST, WEIGHTING, optimizers};
use crate::hir::{Search, Spec};
use crate::ir::{Network, partition};
use crate::optim::{Missing, Optimizer, Schedule};
use crate::plan::{PerTask, lower_per_task};
use crate::runtime::RunError;
use crate::runtime::control::{Control, Why};
use crate::runtime::epochs::{self, Course, Procedure};
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::Fed;
use crate::runtime::fit::losses;
use crate::runtime::keeper;
use crate::runtime::losses::{Stepped, Watch};
use crate::runtime::memory::Training;
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::record::{Listener, SplitScores};
use crate::runtime::state::{Header, Position, State};
use crate::runtime::weigher::Weigher;
use crate::schema::{
    AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, FRACTION, NON_NEGATIVE, Need, POSITIVE, POSITIVE_SCHEDULE, Ty,
};
use crate::source::json;
use cost::{Expected, Probabilities, StageCost};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "expected_cost",
        doc: "BMTAS: a relaxed copy per task and stage, with the expected cost in the loss.",
        args: &[
            AttrDef {
                name: "epochs",
                ty: COUNT,
                need: Need::Default("160"),
                doc: "Passes over the training split, warm-up included. Code: 160.",
            },
            AttrDef { name: "batch", ty: COUNT, need: Need::Default("64"), doc: "Samples per step. Code: 16." },
            DROP_LAST,
            AttrDef {
                name: "warmup",
                ty: Ty::Duration,
                need: Need::Optional,
                doc: "At the start every task takes its own copy and choices rest. Absent: a twentieth of the epochs, as the code.",
            },
            AttrDef {
                name: "temperature",
                ty: POSITIVE_SCHEDULE,
                need: Need::Default("linear(5, 0.1)"),
                doc: "Temperature of the relaxed categorical, from the end of the warm-up. Code: linear from 5 to 0.1.",
            },
            AttrDef {
                name: "lambda",
                ty: NON_NEGATIVE,
                need: Need::Default("0.05"),
                doc: "Weight of the expected cost in the loss of the choices, per `unit`. Code: 0.05 per GFLOP, once for each task. With \
                      `unit = share`, this corresponds to 0.05 times the number of tasks, times 2e-9, times the multiply-accumulates of \
                      the all-shared network.",
            },
            AttrDef {
                name: "unit",
                ty: Ty::OneOf(&["share", "gflops"]),
                need: Need::Default("share"),
                doc: "The unit of the expected cost: the cost of the all-shared network, or GFLOPs per sample (a multiply-accumulate is \
                      two FLOPs). Code: GFLOPs.",
            },
            AttrDef {
                name: "steps",
                ty: Ty::OneOf(&["joint", "per_task"]),
                need: Need::Default("joint"),
                doc: "`joint`: a step of the weights minimises the sum of all losses, and the expected cost counts once. `per_task`, as \
                      in the code: in every batch, each task with a label makes its own step of the weights, one task after the other, \
                      and the expected cost counts once per task.",
            },
            AttrDef {
                name: "final_affine",
                ty: Ty::Bool,
                need: Need::Default("false"),
                doc: "Whether the last normalisation of a stage's copies has a learned scale and shift during the search. Code: it has \
                      none; the derived network has them.",
            },
            AttrDef {
                name: "cost",
                ty: Ty::OneOf(&["macs", "params"]),
                need: Need::Default("macs"),
                doc: "What a copy costs. Paper: operations.",
            },
            AttrDef {
                name: "samples",
                ty: COUNT,
                need: Need::Default("64"),
                doc: "Trees by which the expected cost is estimated, at least 2, where there are more than 6 tasks, or more copies of a \
                      stage than can be summed over. Below that it is exact.",
            },
            AttrDef {
                name: "split",
                ty: FRACTION,
                need: Need::Default("0.2"),
                doc: "Share of the training split that choices are trained on; the rest trains the weights. Code: 0.2.",
            },
            AttrDef {
                name: "weights",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-3, weight_decay = 1e-4)"),
                doc: "Optimiser of the weights; begins anew in each epoch. Code: this one; the paper has SGD.",
            },
            AttrDef {
                name: "choices",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-2, weight_decay = 5e-5)"),
                doc: "Optimiser of the logits; begins anew in each epoch. Code: this one.",
            },
            AttrDef {
                name: "schedule",
                ty: FACTOR_SCHEDULE,
                need: Need::Optional,
                doc: "Factor on both learning rates.",
            },
            AttrDef {
                name: "clip",
                ty: POSITIVE,
                need: Need::Optional,
                doc: "Largest global L2 norm of the weights' gradient; absent: no clipping.",
            },
            WEIGHTING,
        ],
    },
    paper: "Bruggemann et al. 2020, Automated Search for Resource-Efficient Branched Multi-Task Networks",
    decides: &[Offer::Tree],
    requires: &[Offer::Tree],
    most_levels: None,
    whole: true,
    budget: false,
    single: false,
    one_shot: false,
    check: fits,
    procedure: search,
};

fn fits(spec: &Spec, network: &Network, search: &Search) -> Vec<Diagnostic> {
    let args = &search.args;
    let mut found = Vec::new();
    let mut clash = |attribute: &str, message: &str, help: &str| {
        let at = args.span(attribute).unwrap_or(search.span);
        found.push(Diagnostic::new(codes::SEARCH_MISFIT, at, message).help(help));
    };
    if args.str("unit") == "gflops" && args.str("cost") == "params" {
        clash("unit", "parameters are not counted in GFLOPs", "write `cost = macs`, or `unit = share`");
    }
    let weighting = args.opt_call("weighting").filter(|w| w.name != "static");
    if let Some(weighting) = weighting.filter(|_| args.str("steps") == "per_task") {
        let message = format!("`{}` weighs the losses of one step, and here every task makes its own", weighting.name);
        clash("weighting", &message, "leave `weighting` out, or write `steps = joint`");
    }
    let off = partition::off_the_chain(spec, network).map(|why| {
        let message = format!("`expected_cost` cannot part the tasks here: {why}");
        Diagnostic::new(codes::SEARCH_MISFIT, search.span, message)
            .help("let every head read the last stage, or search with `learn_to_branch`")
    });
    found.extend(off);
    found
}

/// Searches in one phase, `search`. The validation scores are the supernet's with every task on its likeliest copies, after the last
/// whole epoch. Leaves `expected_cost.json` with the logits, the tree, and the expected cost at the end.
fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let &Ground { checked, network, search, feed, random, device } = ground;
    let PerTask { mut plan, symbols, places } =
        lower_per_task(checked, network).map_err(|e| RunError::NotYet(e.to_string()))?;
    if !search.args.bool("final_affine") {
        norms::settle(checked, network, &mut plan, &symbols);
    }
    let mut model = Model::new(plan, symbols, random, device)?;
    if let Some(training) = Training::search(search, &checked.spec, feed) {
        model.keep_within(&training, listener);
    }
    let mut keeper = bench.keeper("search", listener);
    let args = &search.args;
    let epochs = args.size("epochs");
    let batches = feed.training(args, random).hold(args.float("split"));
    let mut searching = Searching::new(ground, &model, places, batches, &keeper.phase)?;
    // Read the initial probabilities before a saved state is loaded.
    let start = searching.probabilities()?;
    let course =
        Course { feed, device: &model.device, batches, only: None, epochs, evaluated: feed.dataset.validation.rows };
    let ended = epochs::train(&course, &mut searching, &mut keeper, listener)?;
    let (chain, again) = searching.chain()?;
    let hard = searching.hard()?;
    let record = searching.record(&chain, &again)?;
    let certainty = Certainty::new(search.strategy.call.name, &start, &searching.probabilities()?, None);
    let certainties = vec![Certainty { remerged: again, ..certainty }];
    drop(searching);
    let decisions = partition::decisions(network, &chain)
        .ok_or_else(|| RunError::NotYet("the tree of the search does not fit its space".into()))?;
    let validation = match (&ended.stopped, ended.validation) {
        (None, Some(scores)) => Some(scores),
        (Some(at), _) if at.why == Why::Signal => return Ok(Ended::Stopped(at.clone(), None)),
        _ => Some(evaluate(&model, &checked.spec, feed, &feed.dataset.validation, &hard, keeper.control)?),
    };
    drop(keeper);
    bench.write(RECORD, &record)?;
    let (epochs, steps) = (ended.epochs, ended.steps);
    let outcome =
        Outcome { decisions, logits: Vec::new(), certainties, validation, epochs, steps, supernet: Some(model) };
    Ok(match ended.stopped {
        Some(at) => Ended::Stopped(at, Some(outcome)),
        None => Ended::Done(outcome),
    })
}

/// The file with the record of the search.
const RECORD: &str = "expected_cost.json";

#[derive(serde::Serialize)]
struct Record<'a> {
    choices: Vec<ChoiceRecord<'a>>,
    /// The copy of each task, by stage and task.
    tree: &'a [Vec<usize>],
    remerged: &'a [Remerged],
    expected_cost: f64,
    unit: &'a str,
    exact: bool,
}

#[derive(serde::Serialize)]
struct ChoiceRecord<'a> {
    choice: &'a String,
    candidates: &'a Vec<String>,
    logits: &'a Vec<f64>,
    probabilities: Vec<f64>,
}

/// Computes the cost of a tree, in the unit of lambda.
struct Costs {
    /// By stage of the backbone.
    stages: Vec<StageCost>,
    heads: f64,
    lambda: f64,
    samples: usize,
    exact: bool,
}

impl Costs {
    fn new(ground: &Ground, copies: &[usize]) -> Result<Costs, RunError> {
        let (checked, args) = (ground.checked, &ground.search.args);
        let of = if args.str("cost") == "macs" { crate::schema::Cost::Macs } else { crate::schema::Cost::Params };
        let (sizes, heads) = check::cost::sizes(checked, of)
            .ok_or_else(|| RunError::NotYet("sizes are open until the data schema is frozen".into()))?;
        let one = match args.str("unit") {
            // A multiply-accumulate is two FLOPs.
            "gflops" => 0.5e9,
            _ => ((sizes.iter().sum::<u64>() + heads) as f64).max(1.0),
        };
        let limits = cost::limits(copies);
        let stage = |(size, limit): (&u64, &usize)| StageCost { cost: *size as f64 / one, limit: *limit };
        Ok(Costs {
            stages: sizes.iter().zip(&limits).map(stage).collect(),
            heads: heads as f64 / one,
            lambda: args.float("lambda"),
            samples: args.size("samples"),
            exact: cost::is_exact(checked.spec.tasks.len(), copies),
        })
    }
}

/// The procedure: what is carried from step to step, and the attributes.
struct Searching<'a> {
    ground: &'a Ground<'a>,
    model: &'a Model,
    /// `(stage, task)` of each choice, and the copies of each stage.
    places: Vec<(usize, usize)>,
    copies: Vec<usize>,
    costs: Costs,
    per_epoch: usize,
    /// Steps of an epoch that train the logits; they come first.
    held: usize,
    epochs: usize,
    warmup: u64,
    temperature: Schedule,
    schedule: Schedule,
    clip: Option<f64>,
    optimizer: Optimizer,
    weigher: Weigher,
    weights: Vec<(&'a str, &'a Var)>,
    choices: Choices,
    /// The model of each single output, for `steps = per_task`.
    alone: Option<Vec<Model>>,
    watch: Watch,
}

impl<'a> Searching<'a> {
    fn new(
        ground: &'a Ground<'a>,
        model: &'a Model,
        places: Vec<(usize, usize)>,
        batches: crate::data::Batches,
        phase: &str,
    ) -> Result<Searching<'a>, RunError> {
        let (checked, args) = (ground.checked, &ground.search.args);
        let by_stage = check::cost::copies(ground.network);
        let copies: Vec<usize> = (0..checked.stages.len()).map(|s| by_stage.get(&s).copied().unwrap_or(1)).collect();
        let costs = Costs::new(ground, &copies)?;
        let weights = model.trained();
        let (per_epoch, epochs) = (batches.per_epoch(), args.size("epochs"));
        let warmup = match args.get("warmup") {
            Some(_) => args.duration("warmup").steps(per_epoch).round() as u64,
            None => (epochs / 20 * per_epoch) as u64,
        };
        Ok(Searching {
            ground,
            model,
            places,
            copies,
            costs,
            per_epoch,
            held: batches.held_batches(),
            epochs,
            warmup,
            temperature: Schedule::new(args.call("temperature")),
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            clip: args.opt_float("clip"),
            optimizer: Optimizer::new(args.call("weights"), &weights)?,
            choices: Choices::even(model, args.call("choices"))?,
            weigher: Weigher::new(args, args.call("weights"), &checked.spec, model, ground.random)?,
            weights,
            alone: (args.str("steps") == "per_task")
                .then(|| (0..model.plan.outputs.len()).map(|o| model.of_output(o)).collect()),
            watch: Watch::new(phase, model, &checked.spec),
        })
    }

    fn probabilities(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(self.choices.read()?.iter().map(|row| softmax(row)).collect())
    }

    /// `[stage][task][copy]` of a row per choice; a stage with one copy has `one`.
    fn by_stage(&self, rows: &[Vec<f64>], one: f64) -> Probabilities {
        let mut out: Probabilities = vec![vec![vec![one]; self.watch.goals.len()]; self.copies.len()];
        for ((stage, task), row) in self.places.iter().zip(rows) {
            out[*stage][*task] = row.clone();
        }
        out
    }

    /// The tree that the logits come to, as the partition of the tasks at each stage, and the tasks that it separates although they
    /// choose the same copy.
    fn chain(&self) -> Result<(Vec<Vec<usize>>, Vec<Remerged>), RunError> {
        let rows: Vec<Vec<f64>> = self.choices.read()?.iter().map(|r| log_softmax(r)).collect();
        let scores = self.by_stage(&rows, 0.0);
        let tree = cost::tree(&scores, &cost::limits(&self.copies));
        let stages = self.ground.checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        let found = cost::remerged(&scores, &tree).into_iter();
        let name = |(stage, tasks): (usize, Vec<usize>)| Remerged {
            stage: stages[stage].name.clone(),
            tasks: tasks.into_iter().map(|t| self.watch.goals[t].name.clone()).collect(),
        };
        let remerged = found.map(name).collect();
        Ok((tree.into_iter().map(|k| k.into_iter().map(usize::from).collect()).collect(), remerged))
    }

    /// Every task on its likeliest copies.
    fn hard(&self) -> Result<Vec<Decided>, RunError> {
        Ok(self.choices.hard()?)
    }

    fn expected(&self, logits: &[Vec<f64>], step: u64) -> Expected {
        let rows: Vec<Vec<f64>> = logits.iter().map(|r| softmax(r)).collect();
        let p = self.by_stage(&rows, 1.0);
        let found = match self.costs.exact {
            true => cost::exact(&p, &self.costs.stages),
            false => cost::sampled(&p, &self.costs.stages, self.costs.samples, self.ground.random, step),
        };
        Expected { cost: found.cost + self.costs.heads, ..found }
    }

    fn record(&self, chain: &[Vec<usize>], remerged: &[Remerged]) -> Result<String, RunError> {
        let logits = self.choices.read()?;
        let symbols = &self.model.symbols;
        let choice = |((choice, candidates), logits)| ChoiceRecord {
            choice,
            candidates,
            logits,
            probabilities: softmax(logits),
        };
        let record = Record {
            choices: symbols.choices.iter().zip(&symbols.candidates).zip(&logits).map(choice).collect(),
            tree: chain,
            remerged,
            expected_cost: self.expected(&logits, 0).cost,
            unit: self.ground.search.args.str("unit"),
            exact: self.costs.exact,
        };
        json::text(&record).map_err(RunError::refused(RECORD))
    }

    /// The share of every copy for every choice, `w` of the relaxed sample; `None` in the warm-up.
    fn sample(&self, logits: &[Vec<f64>], step: u64, tau: f64) -> Option<Vec<Vec<f64>>> {
        if step <= self.warmup {
            return None;
        }
        let row = |(c, row): (usize, &Vec<f64>)| {
            let noise = self.ground.random.gumbel("gumbel", [step, c as u64, 0], row.len());
            softmax_at(&row.iter().zip(noise).map(|(l, e)| l + e).collect::<Vec<_>>(), tau)
        };
        Some(logits.iter().enumerate().map(row).collect())
    }

    fn decided(&self, shares: &Option<Vec<Vec<f64>>>) -> candle_core::Result<Vec<Decided>> {
        let Some(rows) = shares else {
            // Its own copy; a stage may have fewer than there are tasks.
            return Ok(self.places.iter().map(|(s, t)| Decided::hard(t % self.copies[*s])).collect());
        };
        let soft = |row: &Vec<f64>| {
            let values: Vec<f32> = row.iter().map(|v| *v as f32).collect();
            let probs = Some(Tensor::from_vec(values, row.len(), &self.model.device)?);
            Ok(Decided { index: argmax(row), probs, mask: None })
        };
        rows.iter().map(soft).collect()
    }
}

impl Searching<'_> {
    /// Makes a step of the weights for each task with a label in the batch, one after the other. Returns the sum of their losses, each
    /// computed before the task's own step.
    fn task_by_task(
        &mut self,
        fed: &Fed,
        at: &mut Position,
        decided: &[Decided],
        factor: f64,
    ) -> Result<Stepped, RunError> {
        let &Ground { checked, feed, random, .. } = self.ground;
        let mode = Mode { train: true, idle: false, random, step: at.step };
        let present = self.weigher.present(feed, self.model, fed)?;
        at.learning_rate = self.optimizer.lr() * factor;
        let (mut stepped, mut seen) = (Stepped::nothing(self.watch.goals.len()), Vec::new());
        for (o, alone) in self.alone.iter().flatten().enumerate().filter(|(o, _)| present[*o]) {
            let tape = alone.record(&fed.inputs, decided, mode)?;
            let (total, each) = losses(&checked.spec, feed, alone, fed, &tape.outputs, |_| 0)?;
            let loss = self.watch.check_one(o, &each[0], at)?;
            let goal = &self.watch.goals[o];
            stepped.total += goal.weight * loss;
            stepped.each[o] = loss;
            seen.push((goal.name.clone(), loss));
            let mut grads = tape.backward(&total)?.weights;
            if let Some(c) = self.clip {
                grads.clip(c)?;
            }
            // In the authors' code, PyTorch gives unused weights gradients of zero, so moments and decay apply to them too.
            self.optimizer.step(&self.weights, &grads, at.learning_rate, Missing::Zero)?;
        }
        self.watch.last = seen;
        Ok(stepped)
    }
}

impl Procedure for Searching<'_> {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError> {
        let &Ground { checked, search, feed, random, .. } = self.ground;
        let (spec, model) = (&checked.spec, self.model);
        let warm = self.warmup as f64 / self.per_epoch as f64;
        let after = at.step.saturating_sub(self.warmup);
        // Epochs of the temperature's clock, at least one.
        let rest = (self.epochs as f64 - warm).ceil().max(1.0) as usize;
        let tau = self.temperature.value(after.max(1), self.per_epoch, rest);
        at.temperature = tau;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let logits = self.choices.read()?;
        let shares = self.sample(&logits, at.step, tau);
        let decided = self.decided(&shares)?;
        let mode = Mode { train: true, idle: false, random, step: at.step };
        let of = |outputs: &crate::runtime::model::Outputs| losses(spec, feed, model, fed, outputs, |_| 0);
        if at.cursor < self.held {
            if at.cursor == 0 {
                self.choices.begin_anew(search.args.call("choices"))?;
            }
            let Some(shares) = shares else {
                let (total, each) = of(&model.look(&fed.inputs, &decided, mode)?)?;
                return self.watch.check(&total, &each, at);
            };
            let tape = model.keeping_statistics(|| model.record(&fed.inputs, &decided, mode))?;
            let (total, each) = of(&tape.outputs)?;
            let stepped = self.watch.check(&total, &each, at)?;
            let learned = tape.backward(&total)?;
            let expected = self.expected(&logits, at.step);
            // In the code, the loss of every task includes the cost.
            let times = match self.alone {
                Some(_) => self.weigher.present(feed, model, fed)?.into_iter().filter(|p| *p).count() as f64,
                None => 1.0,
            };
            let mut rows = Vec::with_capacity(logits.len());
            for (c, (share, (stage, task))) in shares.iter().zip(&self.places).enumerate() {
                let mut row = vec![0.0; share.len()];
                if let Some(g) = &learned.choices[c] {
                    let mean: f64 = share.iter().zip(g).map(|(p, g)| p * g).sum();
                    row.iter_mut().zip(share.iter().zip(g)).for_each(|(r, (p, g))| *r += p * (g - mean) / tau);
                }
                let (p, g) = (softmax(&logits[c]), &expected.gradient[*stage][*task]);
                let mean: f64 = p.iter().zip(g).map(|(p, g)| p * g).sum();
                row.iter_mut()
                    .zip(p.iter().zip(g))
                    .for_each(|(r, (p, g))| *r += times * self.costs.lambda * p * (g - mean));
                rows.push(row);
            }
            let watched = (&self.watch, &*at);
            self.choices.step(rows.into_iter().map(Some).collect(), factor, Missing::Zero, watched)?;
            return Ok(stepped);
        }
        if at.cursor == self.held {
            self.optimizer = Optimizer::new(search.args.call("weights"), &self.weights)?;
        }
        if self.alone.is_some() {
            return self.task_by_task(fed, at, &decided, factor);
        }
        let tape = model.record(&fed.inputs, &decided, mode)?;
        let (total, each) = of(&tape.outputs)?;
        let stepped = self.watch.check(&total, &each, at)?;
        let mut grads =
            self.weigher.weigh(tape, (&total, &each), (feed, model, fed), at, factor, None)?.learned.weights;
        if let Some(c) = self.clip {
            grads.clip(c)?;
        }
        at.learning_rate = self.optimizer.lr() * factor;
        self.optimizer.step(&self.weights, &grads, at.learning_rate, Missing::Zero)?;
        if self.weigher.looks_again() {
            self.weigher.after(&of(&model.look(&fed.inputs, &decided, mode)?)?.1)?;
        }
        Ok(stepped)
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        let (spec, feed) = (&self.ground.checked.spec, self.ground.feed);
        evaluate(self.model, spec, feed, &feed.dataset.validation, &self.hard()?, control)
    }

    fn epoch(&mut self, at: &Position, _: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError> {
        let rows = self.choices.read()?;
        listener.choices(&choices_event(&self.model.symbols, &rows, at.epoch, at.step, at.temperature));
        Ok(true)
    }

    fn save(&self, _: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(self.choices.save()?);
        tensors.extend(self.weigher.save()?);
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        self.choices.load(state)?;
        self.weigher.load(state)?;
        Ok(())
    }
}
