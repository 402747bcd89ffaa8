//! Losses and metrics of a model on a split: deterministic, no noise, running statistics, in row order.

use candle_core::Tensor;

use super::RunError;
use super::control::Control;
use super::feed::Feed;
use super::model::{Decided, Model};
use super::reader::Deal;
use super::record::{MetricScore, SplitScores, TaskScores};
use crate::data::{Batches, LabelData, Table};
use crate::hir::{Spec, Task};
use crate::objective::{self, Labelled, LossDef, Meter};
use crate::plan::Output;
use crate::schema::Args;

/// Rows per forward pass of an evaluation or a prediction: a function of the network alone. A kernel may add in another order for
/// another number of rows (a matrix product of few rows takes other tiles, a GPU library another algorithm), so a row's outputs
/// are the same to the bit only if every pass has the same number of rows, whatever stands beside it. The last pass is filled up.
///
/// Few for large inputs, whose activations must fit into memory.
fn rows_per_pass(feed: &Feed) -> usize {
    const MOST: usize = 256;
    const LEAST: usize = 16;
    const VALUES: usize = 1 << 20;
    (VALUES / feed.values_per_row().max(1)).next_power_of_two().clamp(LEAST, MOST)
}

/// Which tasks' losses add up: all by default; a single-task network has one. Leaves with [`RunError::Interrupted`] if a signal
/// asks for it.
pub fn evaluate(
    model: &Model,
    spec: &Spec,
    feed: &Feed,
    table: &Table,
    decided: &[Decided],
    control: &Control,
) -> Result<SplitScores, RunError> {
    let outputs = predictions(model, feed, table, decided, control)?;
    let mut tasks = Vec::new();
    // Of no rows there is no loss.
    let mut total = if table.rows == 0 { f64::NAN } else { 0.0 };
    for (o, values) in model.plan.outputs.iter().zip(&outputs) {
        let task = &spec.tasks[o.task];
        let at = feed.label_of(o.task);
        let labels = &table.labels[at];
        let sizes = model.output_sizes(o).unwrap_or_else(|| vec![values.len() / table.rows.max(1)]);
        let scores = score(task, feed.loss(at), &sizes, table, labels, values)?;
        total += task.weight * scores.loss;
        tasks.push(scores);
    }
    Ok(SplitScores { loss: total, tasks })
}

/// The marks of a mask as numbers.
fn marks(labels: &LabelData) -> Option<Vec<f32>> {
    labels.mask.as_ref().map(|m| m.marks.iter().map(|m| f32::from(*m)).collect())
}

/// Loss and metrics of a task on a split. `sizes` are the sizes of its output per row.
pub fn score(
    task: &Task,
    loss: (&LossDef, &Args),
    sizes: &[usize],
    table: &Table,
    labels: &LabelData,
    values: &[f32],
) -> Result<TaskScores, RunError> {
    let loss = match table.rows {
        0 => f64::NAN,
        _ => loss_of(loss, sizes, table, labels, values)?,
    };
    let mut metrics = Vec::new();
    let logits = objective::as_logits(&task.loss, task.kind, values);
    let marks = marks(labels);
    for call in &task.metrics {
        let def = objective::find_metric(call.name).expect("checked");
        let mut meter = Meter::new(def, &call.args, task.kind);
        meter.add(Labelled {
            samples: table.rows,
            outputs: &logits,
            labels: &labels.values,
            mask: marks.as_deref(),
            units: labels.units.as_ref(),
        });
        let (value, undefined) = match meter.value() {
            Ok(v) => (Some(v), None),
            Err(reason) => (None, Some(reason)),
        };
        metrics.push(MetricScore { name: call.name.to_string(), value, undefined });
    }
    Ok(TaskScores { task: task.name.clone(), loss, metrics })
}

/// The loss over a whole split at once: mean over what is labelled.
fn loss_of(
    (def, args): (&LossDef, &Args),
    sizes: &[usize],
    table: &Table,
    labels: &LabelData,
    values: &[f32],
) -> candle_core::Result<f64> {
    let device = candle_core::Device::Cpu;
    let shape: Vec<usize> = [table.rows].iter().chain(sizes).copied().collect();
    let out = Tensor::from_slice(values, shape, &device)?;
    let lab = Tensor::from_slice(&labels.values, (table.rows, labels.size), &device)?;
    let mask = match (marks(labels), &labels.mask) {
        (Some(marks), Some(m)) => Some(Tensor::from_vec(marks, (table.rows, m.size), &device)?),
        _ => None,
    };
    let loss = def.forward(args, &out, &lab, mask.as_ref())?;
    loss.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()
}

/// Outputs of every task over a split, row-major: by output of the plan.
pub fn predictions(
    model: &Model,
    feed: &Feed,
    table: &Table,
    decided: &[Decided],
    control: &Control,
) -> Result<Vec<Vec<f32>>, RunError> {
    let mut out: Vec<Vec<f32>> = vec![Vec::new(); model.plan.outputs.len()];
    let block = rows_per_pass(feed);
    let mut lists = Batches::in_order(table.rows, block).epoch(0);
    let asked: Vec<usize> = lists.iter().map(Vec::len).collect();
    lists.iter_mut().for_each(|rows| rows.resize(block, rows[rows.len() - 1]));
    feed.deal(&Deal { table, lists: &lists, drawn: None }, &model.device, |dealer| {
        for asked in asked {
            if control.asked() {
                return Err(RunError::Interrupted);
            }
            let Some(fed) = dealer.batch()? else { break };
            for (list, t) in out.iter_mut().zip(model.predict(&fed.inputs, decided)?) {
                let values = t.flatten_all()?.to_vec1::<f32>()?;
                list.extend(&values[..values.len() / block * asked]);
            }
        }
        Ok(())
    })?;
    Ok(out)
}

impl Model {
    /// Sizes of a task's outputs per row, where the head's op says them: `[n]`, or `[n, h, w]`.
    pub fn output_sizes(&self, output: &Output) -> Option<Vec<usize>> {
        let step = self.plan.steps.iter().find(|s| output.heads.contains(&s.output))?;
        match &step.kind {
            crate::plan::Kind::Op(op) => op.output().sizes(),
            crate::plan::Kind::Route(_) | crate::plan::Kind::Select(_) | crate::plan::Kind::Blend(_) => None,
        }
    }
}
