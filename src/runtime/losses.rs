//! Losses of a training: those of a step, the means of an epoch per task, and the check that all values are finite.
//!
//! The loss of a batch is the mean over its labels. Batches can have different numbers of labels: the last one may have fewer rows, and
//! labels may be missing. So the losses of all labels of an epoch are summed and divided by their number, which gives the same mean as
//! an evaluation.

use candle_core::{DType, Tensor, Var};
use serde::{Deserialize, Serialize};

use super::RunError;
use super::feed::{Fed, Feed};
use super::model::Model;
use super::record::{SplitLosses, SplitScores, TaskLoss};
use super::state::Position;
use crate::hir::Spec;

/// A task that is trained.
#[derive(Debug, Clone)]
pub struct Goal {
    /// The index of the task in the spec.
    pub task: usize,
    pub name: String,
    pub weight: f64,
}

impl Goal {
    /// The goals of all outputs of the model's plan, in its order.
    pub fn all(model: &Model, spec: &Spec) -> Vec<Goal> {
        let goal = |task: usize| Goal { task, name: spec.tasks[task].name.clone(), weight: spec.tasks[task].weight };
        model.plan.outputs.iter().map(|o| goal(o.task)).collect()
    }
}

/// The losses of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Stepped {
    /// The weighted sum of the losses, including the terms that a search adds.
    pub total: f64,
    /// For each output, the mean loss over the labels of the batch.
    pub each: Vec<f64>,
    /// The terms that a search adds to the weighted sum: penalties, entropies.
    pub extra: f64,
}

impl Stepped {
    /// The initial value, for `outputs` outputs without losses.
    pub fn nothing(outputs: usize) -> Stepped {
        Stepped { total: 0.0, each: vec![0.0; outputs], extra: 0.0 }
    }

    /// Adds a term that does not belong to a task.
    pub fn plus(self, extra: f64) -> Stepped {
        Stepped { total: self.total + extra, extra: self.extra + extra, ..self }
    }
}

/// Sums over the steps of the current epoch. They are part of a saved state, so that a resumed epoch ends with the same means.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// For each output, the sum of the losses of all labels, and their number.
    outputs: Vec<(f64, f64)>,
    /// The sum over samples of the terms that a search adds, and the number of samples.
    extra: (f64, f64),
}

impl Tally {
    pub fn add(&mut self, stepped: &Stepped, goals: &[Goal], feed: &Feed, fed: &Fed) {
        self.outputs.resize(goals.len(), (0.0, 0.0));
        for ((sum, loss), goal) in self.outputs.iter_mut().zip(&stepped.each).zip(goals) {
            let labels = fed.labelled[feed.label_of(goal.task)];
            // Without labels, the loss is 0 and does not count.
            *sum = (sum.0 + loss * labels, sum.1 + labels);
        }
        self.extra = (self.extra.0 + stepped.extra * fed.rows as f64, self.extra.1 + fed.rows as f64);
    }

    /// The mean loss per task over its labels, and the weighted sum of the means.
    pub fn means(&self, goals: &[Goal]) -> SplitLosses {
        let mean = |(sum, count): (f64, f64)| if count > 0.0 { sum / count } else { 0.0 };
        let sums = self.outputs.iter().copied().chain(std::iter::repeat((0.0, 0.0)));
        let tasks: Vec<TaskLoss> =
            goals.iter().zip(sums).map(|(g, s)| TaskLoss { task: g.name.clone(), loss: mean(s) }).collect();
        let loss = tasks.iter().zip(goals).map(|(t, g)| g.weight * t.loss).sum::<f64>() + mean(self.extra);
        SplitLosses { loss, tasks }
    }
}

/// Checks the values of a training. A value that is not finite ends the training with an error that names the quantity, the task, the step
/// and the last finite losses.
pub struct Watch {
    phase: String,
    pub goals: Vec<Goal>,
    /// The weights of the model, with their names.
    weights: Vec<(String, Var)>,
    /// The last finite loss of each task.
    pub last: Vec<(String, f64)>,
}

impl Watch {
    pub fn new(phase: &str, model: &Model, spec: &Spec) -> Watch {
        let weights = model.named().into_iter().map(|(n, v)| (n.to_string(), v.clone())).collect();
        Watch { phase: phase.to_string(), goals: Goal::all(model, spec), weights, last: Vec::new() }
    }

    /// Checks the losses of a step, before weights are updated.
    pub fn check(&mut self, total: &Tensor, each: &[Tensor], at: &Position) -> Result<Stepped, RunError> {
        let all = numbers(std::iter::once(total).chain(each))?;
        let (total, each) = (all[0], &all[1..]);
        if total.is_finite() && each.iter().all(|l| l.is_finite()) {
            self.last = self.goals.iter().zip(each).map(|(g, l)| (g.name.clone(), *l)).collect();
            return Ok(Stepped { total, each: each.to_vec(), extra: 0.0 });
        }
        let found = self.goals.iter().zip(each).find(|(_, l)| !l.is_finite());
        Err(self.cause(found.map(|(g, _)| g), found.map_or(total, |(_, l)| *l), at)?)
    }

    /// Checks the loss of a single output.
    pub fn check_one(&mut self, output: usize, loss: &Tensor, at: &Position) -> Result<f64, RunError> {
        let value = numbers(std::iter::once(loss))?[0];
        if value.is_finite() {
            return Ok(value);
        }
        Err(self.cause(self.goals.get(output), value, at)?)
    }

    /// The error for a loss that is not finite. If a weight is not finite after an earlier step, the weight is reported, because it affects
    /// every loss.
    fn cause(&self, goal: Option<&Goal>, value: f64, at: &Position) -> Result<RunError, RunError> {
        let what = match (self.weight()?, goal) {
            (Some(weight), _) => format!("weight `{weight}`"),
            (None, Some(goal)) => format!("loss of task `{}`", goal.name),
            (None, None) => "weighted sum of the losses".to_string(),
        };
        Ok(self.diverged(what, value, at))
    }

    /// Checks the validation scores of an epoch, before they are recorded.
    pub fn check_validation(&self, scores: &SplitScores, at: &Position) -> Result<(), RunError> {
        let Some((what, value)) = scores.not_finite("validation") else { return Ok(()) };
        match self.weight()? {
            Some(weight) => Err(self.diverged(format!("weight `{weight}`"), value, at)),
            None => Err(self.diverged(what, value, at)),
        }
    }

    /// Checks numbers that belong to a choice: `what` (such as its logits) of the choice `name`.
    pub fn check_choice(&self, what: &str, name: &str, values: &[f64], at: &Position) -> Result<(), RunError> {
        match values.iter().find(|v| !v.is_finite()) {
            Some(v) => Err(self.diverged(format!("{what} of the choice `{name}`"), *v, at)),
            None => Ok(()),
        }
    }

    /// The first weight that is not finite.
    fn weight(&self) -> Result<Option<&str>, RunError> {
        for (name, var) in &self.weights {
            let sum = var.as_tensor().to_dtype(DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
            if !sum.is_finite() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn diverged(&self, what: String, value: f64, at: &Position) -> RunError {
        let phase = self.phase.clone();
        RunError::Diverged { phase, what, value, epoch: at.epoch, step: at.step, last: last_losses(&self.last) }
    }
}

/// The values of scalar tensors. On a GPU, they are copied in one transfer.
fn numbers<'t>(scalars: impl Iterator<Item = &'t Tensor>) -> candle_core::Result<Vec<f64>> {
    let all: Vec<&Tensor> = scalars.collect();
    if all.iter().all(|t| t.device().is_cpu()) {
        return all.iter().map(|t| t.to_dtype(DType::F64)?.to_scalar::<f64>()).collect();
    }
    let all: Vec<Tensor> = all.into_iter().map(|t| t.detach().to_dtype(DType::F32)).collect::<Result<_, _>>()?;
    Ok(Tensor::stack(&all, 0)?.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
}

/// The end of a message: "; last finite losses: left 0.3012, right 2.2900", or an empty text.
pub fn last_losses(last: &[(String, f64)]) -> String {
    let all: Vec<String> = last.iter().map(|(n, v)| format!("{n} {v:.4}")).collect();
    if all.is_empty() { String::new() } else { format!("; last finite losses: {}", all.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With batches of 3, 3, 1 and 0 labels, the mean is over labels, not over batches.
    #[test]
    fn the_mean_is_over_labels() {
        let goals = [Goal { task: 0, name: "a".into(), weight: 2.0 }];
        let mut tally = Tally::default();
        for (loss, labels) in [(1.0, 3.0), (2.0, 3.0), (10.0, 1.0), (0.0, 0.0)] {
            tally.outputs.resize(1, (0.0, 0.0));
            tally.outputs[0].0 += loss * labels;
            tally.outputs[0].1 += labels;
        }
        tally.extra = (3.5, 7.0);
        let means = tally.means(&goals);
        assert_eq!(means.tasks[0].loss, 19.0 / 7.0);
        assert_eq!(means.loss, 2.0 * 19.0 / 7.0 + 0.5);
        assert_eq!(Tally::default().means(&goals).loss, 0.0, "an epoch without steps");
    }
}
