//! Training a network without choices: hand-written, derived, or a baseline.

use std::time::Instant;

use candle_core::Tensor;

use super::RunError;
use super::evaluate::evaluate;
use super::feed::{Fed, Feed};
use super::model::{Mode, Model, Outputs};
use super::record::{EpochEvent, Listener, SplitScores};
use crate::hir::Spec;
use crate::objective;
use crate::optim::{Gradients, Missing, Optimizer, Schedule};
use crate::random::Randomness;
use crate::schema::Args;

/// What is trained on what.
pub struct Job<'a> {
    pub spec: &'a Spec,
    pub feed: &'a Feed,
    /// The attributes of `train`.
    pub args: &'a Args,
    pub random: Randomness,
    /// Name in logs: "derived", "all_shared", ...
    pub phase: &'a str,
}

/// The result of a training; the model holds the selected weights.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Epoch whose weights were kept, from 1.
    pub epoch: usize,
    /// Epochs trained.
    pub epochs: usize,
    pub validation: SplitScores,
    pub steps: u64,
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
        let at = feed.tasks.iter().position(|t| *t == o.task).expect("every task is fed");
        let head = heads[pick(i)].as_ref().expect("the decided head was computed");
        let def = objective::find_loss(task.loss.name).expect("checked");
        let loss = (def.forward)(&task.loss.args, head, &fed.labels[at], fed.masks[at].as_ref())?;
        let weighted = if task.weight == 1.0 { loss.clone() } else { (&loss * task.weight)? };
        total = Some(match total {
            None => weighted,
            Some(t) => (t + weighted)?,
        });
        each.push(loss);
    }
    Ok((total.expect("a spec has tasks"), each))
}

/// Watches a loss: a value that is not finite names the task, the step, and the last finite ones.
pub struct Watch {
    last: Vec<(String, f64)>,
}

impl Watch {
    pub fn new() -> Watch {
        Watch { last: Vec::new() }
    }

    /// Checks one step; gives the total.
    pub fn check(
        &mut self,
        total: &Tensor,
        each: &[Tensor],
        names: &[String],
        epoch: usize,
        step: u64,
    ) -> Result<f64, RunError> {
        let value = total.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?;
        if value.is_finite() {
            // Single losses are read only now and then: they are for the message, and each is a wait on a GPU.
            if self.last.is_empty() || step.is_multiple_of(50) {
                self.last.clear();
                for (n, l) in names.iter().zip(each) {
                    self.last.push((n.clone(), l.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?));
                }
            }
            return Ok(value);
        }
        let mut what = "loss".to_string();
        for (n, l) in names.iter().zip(each) {
            if !l.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?.is_finite() {
                what = format!("loss of task `{n}`");
                break;
            }
        }
        let last: Vec<String> = self.last.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
        let last = if last.is_empty() { String::new() } else { format!("; last finite losses: {}", last.join(", ")) };
        Err(RunError::Diverged { what, value, epoch, step, last })
    }
}

impl Default for Watch {
    fn default() -> Self {
        Watch::new()
    }
}

/// Trains from the model's present weights; leaves the selected epoch's weights in the model.
pub fn fit(model: &Model, job: &Job, listener: &mut dyn Listener) -> Result<Fitted, RunError> {
    let args = job.args;
    let (epochs, batch) = (args.size("epochs"), args.size("batch"));
    let weights = model.trained();
    let mut optimizer = Optimizer::new(args.call("optimizer"), &weights)?;
    let schedule = args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new);
    let clip = args.opt_float("clip");
    let patience = args.opt_size("patience");
    let keep_best = args.str("select") == "best";
    let batches = job.feed.training(batch, job.random);
    let per_epoch = batches.per_epoch();
    let names: Vec<String> = model.plan.outputs.iter().map(|o| job.spec.tasks[o.task].name.clone()).collect();
    listener.phase(job.phase, epochs, per_epoch);
    let mut watch = Watch::new();
    let mut best: Option<(f64, usize, Vec<Tensor>, SplitScores)> = None;
    let mut step = 0u64;
    let mut trained = 0;
    let table = &job.feed.dataset.train;
    for epoch in 1..=epochs {
        let start = Instant::now();
        let mut sum = 0.0;
        let mut rate = 0.0;
        for rows in batches.epoch(epoch as u64) {
            step += 1;
            let fed = job.feed.tensors(table, table.gather(&rows), &model.device)?;
            let mode = Mode { train: true, idle: false, random: job.random, step };
            let out = model.forward(&fed.inputs, &[], mode)?;
            let (total, each) = losses(job.spec, job.feed, model, &fed, &out, |_| 0)?;
            let value = watch.check(&total, &each, &names, epoch, step)?;
            sum += value * fed.rows as f64;
            let store = total.backward()?;
            let mut grads = Gradients::from_store(&weights, &store);
            if let Some(c) = clip {
                grads.clip_norm(c)?;
            }
            rate = optimizer.lr() * schedule.value(step, per_epoch, epochs);
            optimizer.step(&weights, &grads, rate, Missing::Zero)?;
            listener.step(job.phase, epoch, step, &|| Some(value));
        }
        trained = epoch;
        let validation = evaluate(model, job.spec, job.feed, &job.feed.dataset.validation, &[])?;
        if !validation.loss.is_finite() {
            let what = "validation loss".to_string();
            return Err(RunError::Diverged { what, value: validation.loss, epoch, step, last: String::new() });
        }
        listener.epoch(&EpochEvent {
            phase: job.phase.to_string(),
            epoch,
            step,
            train_loss: sum / table.rows.max(1) as f64,
            validation: Some(validation.clone()),
            learning_rate: rate,
            seconds: start.elapsed().as_secs_f64(),
        });
        if !keep_best || best.as_ref().is_none_or(|(l, ..)| validation.loss < *l) {
            best = Some((validation.loss, epoch, model.snapshot()?, validation));
        } else if let (Some(p), Some((_, at, ..))) = (patience, &best)
            && epoch - at >= p
        {
            break;
        }
    }
    let (_, epoch, values, validation) = best.ok_or_else(|| RunError::Diverged {
        what: "validation loss".into(),
        value: f64::NAN,
        epoch: trained,
        step,
        last: String::new(),
    })?;
    model.restore(&values)?;
    Ok(Fitted { epoch, epochs: trained, validation, steps: step })
}
