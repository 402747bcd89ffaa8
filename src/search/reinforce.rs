//! MTNAS: Boosting Share Routing for Multi-task Learning (Chen et al. 2021), also for trees.
//!
//! The paper's text says: routes are sampled from multinomial distributions, their parameters are learned by REINFORCE and the
//! weights by back-propagation, in turns; the result is the most probable route of every block. The rest is open there, and chosen
//! here:
//!
//! - **Parametrisation**: one categorical per reader over parents, or over non-empty subsets and then over the queries of a subset of
//!   several copies ([`law`]); logits start at 0. Gates share their rows between the subsets of a reader (`ops::mix::combine`).
//! - **Estimator**: for a sample a of reward R, the gradient of -E[R] is -(R - b) d ln p(a) / d logits, b an exponential moving average
//!   of rewards (Williams 1992), over `samples` samples a step, minus `entropy` times the gradient of H(p). A reader that the
//!   sampled network does not use has no part in R, so it learns nothing from that sample; that leaves the expectation as it is.
//! - **Procedure**: every step updates the weights on one sampled network and a training batch, in training mode; what it does not
//!   use stays untouched. After the warm-up every `every`-th step then updates the choices on a batch of the reward data, in
//!   evaluation mode. The result is retrained from scratch.

pub mod law;

use candle_core::{DType, Device, Tensor, Var};

use self::law::Law;
use super::bench::{Bench, Ended, Ground, Outcome};
use super::choices::Choices;
use super::supernet::{Chooser, option_name, train};
use super::{Offer, StrategyDef};
use crate::data::{Batches, Table};
use crate::diag::{Diagnostic, codes};
use crate::hir::schema::{DROP_LAST, WEIGHTING, optimizers};
use crate::hir::{Search, Spec, dealt};
use crate::ir::Network;
use crate::objective::{self, Labelled, Meter};
use crate::optim::{Missing, Optimizer, Schedule};
use crate::random::Randomness;
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::epochs::Procedure;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::Fed;
use crate::runtime::fit::losses;
use crate::runtime::keeper;
use crate::runtime::losses::{Stepped, Watch};
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::record::{ChoiceState, ChoicesEvent, Listener, SplitScores};
use crate::runtime::state::{Header, Position, State};
use crate::runtime::weigher::Weigher;
use crate::schema::{Args, AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, NON_NEGATIVE, Need, POSITIVE, Ty};

/// The most options of one reader: a logit each, and a probability each in every line of the log.
const MOST_OPTIONS: usize = 8192;

/// The most options of one reader that a line of the log names.
const LOGGED: usize = 256;

static BASELINE: [CallDef; 2] = [
    CallDef {
        name: "moving_average",
        doc: "Exponential moving average of rewards, which begins with the first one.",
        args: &[AttrDef {
            name: "decay",
            ty: crate::schema::FRACTION,
            need: Need::Default("0.9"),
            doc: "Share of the old value.",
        }],
    },
    CallDef { name: "none", doc: "No baseline.", args: &[] },
];

fn baselines() -> Vec<&'static CallDef> {
    BASELINE.iter().collect()
}

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "reinforce",
        doc: "MTNAS: routes are sampled and reinforced by a validation reward, in turns with weight steps.",
        args: &[
            AttrDef { name: "epochs", ty: COUNT, need: Need::Default("30"), doc: "Passes over the training split." },
            AttrDef {
                name: "batch",
                ty: COUNT,
                need: Need::Default("1024"),
                doc: "Samples per step, of the weights and of the choices.",
            },
            DROP_LAST,
            AttrDef {
                name: "warmup",
                ty: Ty::Duration,
                need: Need::Default("0 epochs"),
                doc: "At the start routes are sampled uniformly and only weights are updated.",
            },
            AttrDef {
                name: "reward",
                ty: Ty::OneOf(&["validation_auc", "validation_loss"]),
                need: Need::Optional,
                doc: "What is reinforced: the mean AUC of the tasks, or minus the weighted sum of their losses. Absent: the AUC \
                      where every task has one, else the loss.",
            },
            AttrDef {
                name: "split",
                ty: Ty::Float { min: 0.0, max: 0.9 },
                need: Need::Default("0"),
                doc: "Share of the training split that the reward is measured on, which weights then never see; 0: the \
                      validation split.",
            },
            AttrDef {
                name: "every",
                ty: COUNT,
                need: Need::Default("1"),
                doc: "Weight steps before each step of the choices.",
            },
            AttrDef {
                name: "samples",
                ty: COUNT,
                need: Need::Default("1"),
                doc: "Networks sampled for each step of the choices, all on the same batch.",
            },
            AttrDef {
                name: "baseline",
                ty: Ty::Call(baselines),
                need: Need::Default("moving_average(0.9)"),
                doc: "Subtracted from the reward.",
            },
            AttrDef {
                name: "entropy",
                ty: NON_NEGATIVE,
                need: Need::Default("0"),
                doc: "Weight of the entropy of every choice, added to the reward.",
            },
            AttrDef {
                name: "weights",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-3)"),
                doc: "Optimiser of the weights.",
            },
            AttrDef {
                name: "choices",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-3)"),
                doc: "Optimiser of the choices' logits.",
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
    paper: "Chen et al. 2021, Boosting Share Routing for Multi-task Learning",
    decides: &[Offer::Routes, Offer::Tree],
    requires: &[],
    most_levels: None,
    whole: false,
    budget: false,
    single: false,
    one_shot: false,
    check,
    procedure: search,
};

fn check(spec: &Spec, network: &Network, search: &Search) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let without = spec.tasks.iter().find(|t| !has_auc(t.kind));
    if let Some(task) = without.filter(|_| search.args.opt_str("reward") == Some("validation_auc")) {
        let span = search.args.span("reward").unwrap_or(search.span);
        found.push(
            Diagnostic::new(
                codes::SEARCH_MISFIT,
                span,
                format!("the task `{}` has no AUC to be reinforced", task.name),
            )
            .also(task.kind_span, "an AUC is of binary labels")
            .help("write `reward = validation_loss`"),
        );
    }
    let large = network.choices.iter().filter(|c| c.is_route() && search.covers(c.reader.stage()));
    if let Some(choice) = large.max_by_key(|c| c.options()).filter(|c| c.options() > MOST_OPTIONS) {
        let (copies, queries, options) = (choice.candidates, choice.queries(), choice.options());
        let by = if queries > 1 { format!(" by one of {queries} queries") } else { String::new() };
        let message = format!(
            "`reinforce` keeps a probability for every route, and a subset of {copies} copies{by} has {options}"
        );
        found.push(
            Diagnostic::new(codes::SEARCH_MISFIT, search.span, message)
                .label(format!("{MOST_OPTIONS} are the most"))
                .help("give the level before fewer copies, or decide by `snr` or `dselect_k`, which learn a number per copy"),
        );
    }
    found
}

fn has_auc(kind: objective::TaskKind) -> bool {
    objective::find_metric("auc").is_some_and(|d| (d.fits)(kind))
}

fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let (args, rows) = (&ground.search.args, ground.feed.dataset.train.rows);
    let held = dealt::rewarded(args, rows);
    let mut weights = ground.random.permutation("reward split", [0; 3], rows);
    let rewarded = weights.split_off(rows - held);
    let only = (held > 0).then_some(weights);
    let per_epoch = Batches::of(args, rows - held, ground.random).per_epoch().max(1);
    train(ground, bench, listener, only, &|ground, model, phase| {
        Ok(Box::new(Reinforcing::new(ground, model, phase, per_epoch, rewarded.clone())?))
    })
}

/// The procedure: what is carried from step to step, and the attributes.
pub struct Reinforcing<'a> {
    ground: &'a Ground<'a>,
    model: &'a Model,
    per_epoch: usize,
    epochs: usize,
    warmup: u64,
    every: u64,
    samples: usize,
    batch: usize,
    entropy: f64,
    auc: bool,
    decay: Option<f64>,
    /// Rows of the training split that rewards are measured on; none: the validation split.
    rewarded: Vec<u32>,
    /// The reward rows in the order of a pass, and which pass: a function of the counters, kept to be made once.
    dealt: (u64, Vec<u32>),
    schedule: Schedule,
    clip: Option<f64>,
    optimizer: Optimizer,
    weights: Vec<(&'a str, &'a Var)>,
    choices: Choices,
    /// The law of each choice.
    laws: Vec<Law>,
    weigher: Weigher,
    /// The moving average, from the first reward on.
    baseline: Option<f64>,
    /// The sum and the number of rewards in the first quarter of the steps of the choices, then those in the last quarter.
    quarters: [f64; 4],
    watch: Watch,
}

impl<'a> Reinforcing<'a> {
    pub fn new(
        ground: &'a Ground<'a>,
        model: &'a Model,
        phase: &str,
        per_epoch: usize,
        rewarded: Vec<u32>,
    ) -> Result<Reinforcing<'a>, RunError> {
        let args = &ground.search.args;
        let spec = &ground.checked.spec;
        let weights = model.trained();
        let baseline = args.call("baseline");
        let laws: Vec<Law> = ground.network.choices.iter().map(Law::of).collect();
        let even = laws.iter().map(|l| Var::zeros(l.logits(), DType::F64, &Device::Cpu)).collect::<Result<_, _>>()?;
        Ok(Reinforcing {
            ground,
            model,
            per_epoch,
            epochs: args.size("epochs"),
            warmup: args.duration("warmup").steps(per_epoch).round() as u64,
            every: args.size("every") as u64,
            samples: args.size("samples"),
            batch: args.size("batch"),
            entropy: args.float("entropy"),
            auc: match args.opt_str("reward") {
                Some(reward) => reward == "validation_auc",
                None => spec.tasks.iter().all(|t| has_auc(t.kind)),
            },
            decay: (baseline.name == "moving_average").then(|| baseline.args.float("decay")),
            rewarded,
            dealt: (u64::MAX, Vec::new()),
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            clip: args.opt_float("clip"),
            optimizer: Optimizer::new(args.call("weights"), &weights)?,
            choices: Choices::new(model, even, args.call("choices"))?,
            laws,
            weigher: Weigher::new(args, args.call("weights"), spec, model, ground.random)?,
            weights,
            baseline: None,
            quarters: [0.0; 4],
            watch: Watch::new(phase, model, spec),
        })
    }

    /// The batch of reward data of the `n`-th step of the choices, counted from 0.
    fn reward_batch(&mut self, n: u64) -> Result<Fed, RunError> {
        let data = &self.ground.feed.dataset;
        let table: &Table = if self.rewarded.is_empty() { &data.validation } else { &data.train };
        let rows = if self.rewarded.is_empty() { table.rows } else { self.rewarded.len() };
        let batch = self.batch.min(rows);
        // Whole batches only: a reward of few samples is noise.
        let per_pass = (rows / batch) as u64;
        let (pass, at) = (n / per_pass, (n % per_pass) as usize);
        if self.dealt.0 != pass {
            self.dealt = (pass, self.ground.random.permutation("reward", [pass, 0, 0], rows));
        }
        let of = |r: &u32| self.rewarded.get(*r as usize).copied().unwrap_or(*r);
        let rows: Vec<u32> = self.dealt.1[at * batch..][..batch].iter().map(of).collect();
        self.ground.feed.take(table, &rows, &self.model.device)
    }

    /// The reward of a network on a batch, and which choices it used. `None` where no task has both classes.
    fn reward(&self, fed: &Fed, decided: &[Decided]) -> Result<(Option<f64>, Vec<bool>), RunError> {
        let (spec, feed) = (&self.ground.checked.spec, self.ground.feed);
        let out = self.model.probe(&fed.inputs, decided)?;
        if !self.auc {
            let pick = |i: usize| self.model.plan.outputs[i].choice.map_or(0, |c| decided[c].index);
            let (total, _) = losses(spec, feed, self.model, fed, &out, pick)?;
            let value = -total.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            return Ok((value.is_finite().then_some(value), out.chosen));
        }
        let def = objective::find_metric("auc").expect("in the table");
        let mut scores = Vec::new();
        for (o, heads) in self.model.plan.outputs.iter().zip(&out.heads) {
            let at = feed.label_of(o.task);
            let head = heads[o.choice.map_or(0, |c| decided[c].index)].as_ref().expect("the decided head was computed");
            let values = |t: &Tensor| t.flatten_all()?.to_dtype(DType::F32)?.to_vec1::<f32>();
            let (outputs, labels) = (values(head)?, values(&fed.labels[at])?);
            let mask = fed.masks[at].as_ref().map(values).transpose()?;
            // A network that diverges has no order to be rewarded.
            if outputs.iter().any(|v| !v.is_finite()) {
                return Ok((None, out.chosen));
            }
            let mut meter = Meter::new(def, &Args::default(), spec.tasks[o.task].kind);
            let task = &spec.tasks[o.task];
            let outputs = objective::as_logits(&task.loss, task.kind, &outputs);
            meter.add(Labelled {
                samples: fed.rows,
                outputs: &outputs,
                labels: &labels,
                mask: mask.as_deref(),
                units: None,
            });
            scores.extend(meter.value().ok());
        }
        let mean = (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64);
        Ok((mean, out.chosen))
    }

    /// One step of the choices.
    fn reinforce(&mut self, at: &Position, factor: f64) -> Result<(), RunError> {
        let rows = self.choices.read()?;
        let fed = self.reward_batch((at.step - self.warmup) / self.every - 1)?;
        let mut drawn = Vec::new();
        for s in 0..self.samples {
            let sampled = sample(&self.laws, &rows, self.ground.random, "reward route", [at.step, s as u64]);
            let decided: Vec<Decided> = sampled.iter().map(|d| Decided::hard(*d)).collect();
            let (reward, used) = self.reward(&fed, &decided)?;
            drawn.extend(reward.map(|reward| Drawn { sampled, used, reward }));
        }
        if drawn.is_empty() {
            return Ok(());
        }
        let mean = drawn.iter().map(|d| d.reward).sum::<f64>() / drawn.len() as f64;
        self.count(mean, at.step);
        // The average of the rewards before this step, so that the sample has no part in its own baseline.
        let baseline = self.decay.map_or(0.0, |_| self.baseline.unwrap_or(mean));
        let mut gradient = estimate(&self.laws, &rows, &drawn, baseline);
        add_entropy(&self.laws, &mut gradient, &rows, self.entropy);
        self.baseline = self.decay.map(|d| self.baseline.map_or(mean, |b| d * b + (1.0 - d) * mean));
        self.choices.step(gradient, factor, Missing::Skip, (&self.watch, at))
    }

    /// Counts a reward if its step is in the first or the last quarter.
    fn count(&mut self, reward: f64, step: u64) {
        let of = |step: u64| step.saturating_sub(self.warmup) / self.every;
        let (steps, now) = (of((self.epochs * self.per_epoch) as u64), of(step));
        let quarter = steps / 4;
        let first = usize::from(now <= quarter);
        let last = usize::from(now + quarter > steps);
        for (at, counts) in [(0, first), (2, last)] {
            self.quarters[at] += reward * counts as f64;
            self.quarters[at + 1] += counts as f64;
        }
    }

    /// The most probable subset of every choice, with its most probable query.
    fn modes(&self) -> candle_core::Result<Vec<usize>> {
        Ok(self.choices.read()?.iter().zip(&self.laws).map(|(row, law)| law.mode(row)).collect())
    }
}

/// A sampled network: the number of the decision of each choice, whether its reader is used, and the reward.
pub struct Drawn {
    pub sampled: Vec<usize>,
    pub used: Vec<bool>,
    pub reward: f64,
}

/// Draws the number of an option for each choice.
pub fn sample(laws: &[Law], logits: &[Vec<f64>], random: Randomness, purpose: &str, counters: [u64; 2]) -> Vec<usize> {
    let stream = |c: usize| random.stream(purpose, [counters[0], counters[1], c as u64]);
    logits.iter().zip(laws).enumerate().map(|(c, (row, law))| law.sample(row, &mut stream(c))).collect()
}

/// The REINFORCE estimate of the gradient of minus the expected reward, by choice: the mean over samples of
/// -(R - b) d ln p(a) / d logits. `None` for a choice that no sample used.
pub fn estimate(laws: &[Law], logits: &[Vec<f64>], drawn: &[Drawn], baseline: f64) -> Vec<Option<Vec<f64>>> {
    let row = |(c, (row, law)): (usize, (&Vec<f64>, &Law))| {
        drawn.iter().any(|d| d.used[c]).then(|| {
            let mut gradient = vec![0.0; row.len()];
            for d in drawn.iter().filter(|d| d.used[c]) {
                law.push(row, d.sampled[c], (d.reward - baseline) / drawn.len() as f64, &mut gradient);
            }
            gradient
        })
    };
    logits.iter().zip(laws).enumerate().map(row).collect()
}

/// Subtracts `weight` times the gradient of every choice's entropy.
fn add_entropy(laws: &[Law], gradient: &mut [Option<Vec<f64>>], logits: &[Vec<f64>], weight: f64) {
    for ((g, row), law) in gradient.iter_mut().zip(logits).zip(laws).filter(|_| weight > 0.0) {
        law.spread(row, weight, g.get_or_insert_with(|| vec![0.0; row.len()]));
    }
}

impl Procedure for Reinforcing<'_> {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError> {
        let random = self.ground.random;
        let sampled = sample(&self.laws, &self.choices.read()?, random, "route", [at.step, 0]);
        let decided: Vec<Decided> = sampled.into_iter().map(Decided::hard).collect();
        let mode = Mode { train: true, idle: false, random, step: at.step };
        let tape = self.model.record(&fed.inputs, &decided, mode)?;
        let pick = |i: usize| {
            let o = &self.model.plan.outputs[i];
            o.choice.map_or(0, |c| decided[c].index)
        };
        let (total, each) = losses(&self.ground.checked.spec, self.ground.feed, self.model, fed, &tape.outputs, pick)?;
        let stepped = self.watch.check(&total, &each, at)?;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let parts = (self.ground.feed, self.model, fed);
        let mut grads = self.weigher.weigh(tape, (&total, &each), parts, at, factor, None)?.learned.weights;
        if let Some(c) = self.clip {
            grads.clip(c)?;
        }
        at.learning_rate = self.optimizer.lr() * factor;
        self.optimizer.step(&self.weights, &grads, at.learning_rate, Missing::Skip)?;
        if self.weigher.looks_again() {
            let outputs = self.model.look(&fed.inputs, &decided, mode)?;
            let again = losses(&self.ground.checked.spec, self.ground.feed, self.model, fed, &outputs, pick)?.1;
            self.weigher.after(&again)?;
        }
        if at.step > self.warmup && (at.step - self.warmup).is_multiple_of(self.every) {
            self.reinforce(at, factor)?;
        }
        Ok(stepped)
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        let hard: Vec<Decided> = self.modes()?.into_iter().map(Decided::hard).collect();
        let feed = self.ground.feed;
        evaluate(self.model, &self.ground.checked.spec, feed, &feed.dataset.validation, &hard, control)
    }

    fn epoch(&mut self, at: &Position, _: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError> {
        let spec = &self.ground.checked.spec;
        let mut choices = Vec::new();
        let mut shares = 0.0;
        for (c, (row, law)) in self.choices.read()?.iter().zip(&self.laws).enumerate() {
            shares += law.openness(row);
            let mut named = law.probabilities(row);
            if named.len() > LOGGED {
                named.sort_by(|a, b| b.1.total_cmp(&a.1));
                named.truncate(LOGGED);
            }
            let of = &self.ground.network.choices[c];
            let name = |n: &(usize, f64)| option_name(spec, of, &self.model.symbols.candidates[c], n.0);
            choices.push(ChoiceState {
                reader: self.model.symbols.choices[c].clone(),
                candidates: named.iter().map(name).collect(),
                probabilities: named.iter().map(|n| n.1).collect(),
                entropy: law.entropy(row),
            });
        }
        let entropy = shares / choices.len().max(1) as f64;
        listener.choices(&ChoicesEvent { epoch: at.epoch, step: at.step, temperature: 1.0, entropy, choices });
        Ok(true)
    }

    fn save(&self, _: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(self.choices.save()?);
        tensors.extend(self.weigher.save()?);
        tensors.push(("reward/quarters".into(), Tensor::new(&self.quarters, &Device::Cpu)?));
        if let Some(b) = self.baseline {
            tensors.push(("reward/baseline".into(), Tensor::new(&[b], &Device::Cpu)?));
        }
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        self.choices.load(state)?;
        self.weigher.load(state)?;
        let baseline = state.part("reward").into_iter().find(|(n, _)| n == "baseline");
        let quarters = state.part("reward").into_iter().find(|(n, _)| n == "quarters");
        if let Some((_, t)) = quarters {
            self.quarters = t.to_vec1::<f64>()?.try_into().unwrap_or_default();
        }
        self.baseline = baseline.map(|(_, t)| Ok::<f64, RunError>(t.to_vec1::<f64>()?[0])).transpose()?;
        Ok(())
    }
}

impl Chooser for Reinforcing<'_> {
    fn rewards(&self) -> Option<[f64; 2]> {
        let [first, of_first, last, of_last] = self.quarters;
        // The mean of few rewards is noise.
        (of_first.min(of_last) >= 8.0).then(|| [first / of_first, last / of_last])
    }

    fn logits(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(self.choices.read()?)
    }

    fn decisions(&self) -> Result<Vec<usize>, RunError> {
        Ok(self.modes()?)
    }
}

#[cfg(test)]
mod tests;
