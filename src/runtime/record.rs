//! What a run says while it runs: one [`Event`] per epoch and phase, to `metrics.jsonl` and `search.jsonl` and to whoever
//! shows progress. Times stand in fields of their own (`seconds`), so that two runs differ in nothing else.

use serde::{Deserialize, Deserializer, Serialize};

use super::RunError;
use super::state::{Marks, Position};

/// Listens to a run. All methods may be ignored.
pub trait Listener {
    /// A phase begins: "search", "derived", "all_shared", ...
    fn phase(&mut self, _phase: &str, _epochs: usize, _steps_per_epoch: usize) {}
    /// The phase goes on from here: it was stopped before.
    fn resumed(&mut self, _phase: &str, _at: &Position) {}
    /// Something that is worth a line.
    fn note(&mut self, _text: &str) {}
    /// A step is done.
    fn step(&mut self, _phase: &str, _epoch: usize, _step: u64, _loss: &dyn Fn() -> Option<f64>) {}
    /// An epoch is done and evaluated.
    fn epoch(&mut self, _event: &EpochEvent) {}
    /// The choices after an epoch of a search.
    fn choices(&mut self, _event: &ChoicesEvent) {}
    /// Lengths of the logs, all of which is on disk when this returns.
    fn marks(&mut self) -> Result<Marks, RunError> {
        Ok(Marks::default())
    }
}

/// JSON has no number that is none; it is written as `null`.
fn number<'d, D: Deserializer<'d>>(d: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(d)?.unwrap_or(f64::NAN))
}

/// Ignores everything.
pub struct Silent;
impl Listener for Silent {}

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct EpochEvent {
    pub phase: String,
    pub epoch: usize,
    pub step: u64,
    /// Mean training losses over the labels of the epoch's batches, computed in training mode at each step.
    pub train: SplitLosses,
    pub validation: Option<SplitScores>,
    pub learning_rate: f64,
    pub seconds: f64,
}

/// Mean losses over the labels of a split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitLosses {
    /// The sum over tasks of weight times loss, plus the terms that a search adds.
    pub loss: f64,
    pub tasks: Vec<TaskLoss>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskLoss {
    pub task: String,
    pub loss: f64,
}

/// Losses and metrics on one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SplitScores {
    /// Sum over tasks of weight times loss.
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    pub tasks: Vec<TaskScores>,
}

impl SplitScores {
    /// The first loss that is not finite: its description and its value.
    pub fn not_finite(&self, split: &str) -> Option<(String, f64)> {
        match self.tasks.iter().find(|t| !t.loss.is_finite()) {
            Some(t) => Some((format!("{split} loss of task `{}`", t.task), t.loss)),
            None => (!self.loss.is_finite()).then(|| (format!("{split} loss"), self.loss)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskScores {
    pub task: String,
    #[serde(deserialize_with = "number")]
    pub loss: f64,
    /// Name and value; an undefined one (an AUC with one class) has none.
    pub metrics: Vec<MetricScore>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricScore {
    pub name: String,
    pub value: Option<f64>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
}

/// One line of `search.jsonl`.
#[derive(Debug, Clone, Serialize)]
pub struct ChoicesEvent {
    pub epoch: usize,
    pub step: u64,
    pub temperature: f64,
    /// Mean over choices of the entropy of the probabilities, as a share of the largest (ln of the number of candidates).
    pub entropy: f64,
    pub choices: Vec<ChoiceState>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ChoiceState {
    /// Who chooses: `c2.b`, `heads.smiling`.
    pub reader: String,
    pub candidates: Vec<String>,
    pub probabilities: Vec<f64>,
    /// In nats.
    pub entropy: f64,
}
