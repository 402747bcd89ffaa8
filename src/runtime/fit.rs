//! Training a network without choices: hand-written, derived, or a baseline.

use candle_core::{Tensor, Var};

use super::RunError;
use super::best::Kept;
use super::control::{Control, Why};
use super::epochs::{self, Course, Procedure, Stopped};
use super::evaluate::evaluate;
use super::feed::{Fed, Feed};
use super::keeper::{self, Keeper};
use super::losses::{Stepped, Watch};
use super::model::{Mode, Model, Outputs};
use super::record::{Listener, SplitLosses, SplitScores};
use super::state::{Header, Position, State};
use super::weigher::Weigher;
use crate::hir::Spec;
use crate::optim::{Missing, Optimizer, Schedule};
use crate::random::Randomness;
use crate::schema::Args;

/// What is trained on what.
pub struct Job<'a> {
    pub spec: &'a Spec,
    pub feed: &'a Feed,
    /// The attributes of `train`.
    pub args: &'a Args,
    pub random: Randomness,
}

/// The result of a training; the model holds the selected weights.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Epoch whose weights were kept, from 1; 0 if none was evaluated.
    pub epoch: usize,
    /// Epochs trained.
    pub epochs: usize,
    pub steps: u64,
    /// Training losses of the epoch whose weights were kept, measured during that epoch.
    pub train: Option<SplitLosses>,
    /// Ended early; the selected weights are the best so far.
    pub stopped: Option<Stopped>,
}

/// The weighted sum of the tasks' losses on a batch, and each task's own, by output of the plan. `pick` gives the head that
/// counts for each output.
pub fn losses(
    spec: &Spec,
    feed: &Feed,
    model: &Model,
    fed: &Fed,
    outputs: &Outputs,
    pick: impl Fn(usize) -> usize,
) -> candle_core::Result<(Tensor, Vec<Tensor>)> {
    let mut total: Option<Tensor> = None;
    let mut each = Vec::new();
    for (i, (o, heads)) in model.plan.outputs.iter().zip(&outputs.heads).enumerate() {
        let task = &spec.tasks[o.task];
        let at = feed.label_of(o.task);
        let head = heads[pick(i)].as_ref().expect("the decided head was computed");
        let (def, args) = feed.loss(at);
        let loss = def.forward(args, head, &fed.labels[at], fed.masks[at].as_ref())?;
        let weighted = if task.weight == 1.0 { loss.clone() } else { (&loss * task.weight)? };
        total = Some(match total {
            None => weighted,
            Some(t) => (t + weighted)?,
        });
        each.push(loss);
    }
    Ok((total.expect("a spec has tasks"), each))
}

/// Trains from the model's present weights, or from the state that the keeper has found; leaves the selected epoch's weights in
/// the model, also when it is stopped by the clock.
pub fn fit(model: &Model, job: &Job, keeper: &mut Keeper, listener: &mut dyn Listener) -> Result<Fitted, RunError> {
    let batches = job.feed.training(job.args, job.random);
    let mut fitting = Fitting::new(model, job, &keeper.phase)?;
    let epochs = fitting.epochs;
    let data = &job.feed.dataset;
    // Both splits are evaluated at the end, and single samples and batches are timed.
    let evaluated = data.validation.rows + data.test.rows + 16 * 257;
    let course = Course { feed: job.feed, device: &model.device, batches, only: None, epochs, evaluated };
    let ended = epochs::train(&course, &mut fitting, keeper, listener)?;
    let (epoch, train) = match (&fitting.kept.best, fitting.keep_best) {
        (Some(best), true) => (best.epoch, Some(best.train.clone())),
        (None, true) => (0, None),
        (_, false) => (ended.epochs, ended.train),
    };
    if ended.stopped.as_ref().is_none_or(|s| s.why == Why::Time) {
        fitting.kept.restore(model)?;
    }
    Ok(Fitted { epoch, epochs: ended.epochs, steps: ended.steps, train, stopped: ended.stopped })
}

/// The procedure: what is carried from step to step, and the attributes.
pub struct Fitting<'a> {
    model: &'a Model,
    job: &'a Job<'a>,
    weights: Vec<(&'a str, &'a Var)>,
    optimizer: Optimizer,
    weigher: Weigher,
    schedule: Schedule,
    clip: Option<f64>,
    patience: Option<usize>,
    keep_best: bool,
    per_epoch: usize,
    epochs: usize,
    watch: Watch,
    /// The epoch with the lowest validation loss so far.
    kept: Kept,
}

impl<'a> Fitting<'a> {
    pub fn new(model: &'a Model, job: &'a Job<'a>, phase: &str) -> Result<Fitting<'a>, RunError> {
        let args = job.args;
        let weights = model.trained();
        Ok(Fitting {
            model,
            job,
            optimizer: Optimizer::new(args.call("optimizer"), &weights)?,
            weigher: Weigher::new(args, args.call("optimizer"), job.spec, model, job.random)?,
            weights,
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            clip: args.opt_float("clip"),
            patience: args.opt_size("patience"),
            keep_best: args.str("select") == "best",
            per_epoch: job.feed.training(args, job.random).per_epoch(),
            epochs: args.size("epochs"),
            watch: Watch::new(phase, model, job.spec),
            kept: Kept::default(),
        })
    }
}

impl Procedure for Fitting<'_> {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError> {
        let (model, job) = (self.model, self.job);
        let mode = Mode { train: true, idle: false, random: job.random, step: at.step };
        let tape = model.record(&fed.inputs, &[], mode)?;
        let (total, each) = losses(job.spec, job.feed, model, fed, &tape.outputs, |_| 0)?;
        let stepped = self.watch.check(&total, &each, at)?;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        at.learning_rate = self.optimizer.lr() * factor;
        let mut step = self.optimizer.begin(&self.weights, at.learning_rate);
        // Clipping wants all gradients first, and a GPU one launch for all.
        let early = (self.clip.is_none() && model.device.is_cpu()).then_some(&mut step);
        let weighed = self.weigher.weigh(tape, (&total, &each), (job.feed, model, fed), at, factor, early)?;
        let mut grads = weighed.learned.weights;
        if let Some(c) = self.clip {
            grads.clip(c)?;
        }
        step.finish(&grads, Missing::Zero)?;
        if self.weigher.looks_again() {
            let outputs = model.look(&fed.inputs, &[], mode)?;
            self.weigher.after(&losses(job.spec, job.feed, model, fed, &outputs, |_| 0)?.1)?;
        }
        Ok(stepped)
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        evaluate(self.model, self.job.spec, self.job.feed, &self.job.feed.dataset.validation, &[], control)
    }

    fn epoch(&mut self, at: &Position, scores: &SplitScores, _: &mut dyn Listener) -> Result<bool, RunError> {
        if self.kept.is_beaten_by(scores) {
            let train = at.tally.means(&self.watch.goals);
            self.kept.keep(at.epoch, train, scores, self.keep_best.then_some(self.model))?;
        }
        Ok(match (self.patience, &self.kept.best) {
            (Some(patience), Some(best)) => at.epoch - best.epoch < patience,
            _ => true,
        })
    }

    fn save(&self, header: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(self.weigher.save()?);
        tensors.extend(self.kept.save(self.model, header));
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        self.weigher.load(state)?;
        self.kept.load(self.model, state, self.keep_best)?;
        Ok(())
    }
}
