//! What a run says while it runs: one [`Event`] per epoch and phase, to `metrics.jsonl` and `search.jsonl` and to whoever
//! shows progress. Times stand in fields of their own (`seconds`), so that two runs differ in nothing else.

use serde::Serialize;

/// Listens to a run. All methods may be ignored.
pub trait Listener {
    /// A phase begins: "search", "derived", "all_shared", ...
    fn phase(&mut self, _phase: &str, _epochs: usize, _steps_per_epoch: usize) {}
    /// A step is done.
    fn step(&mut self, _phase: &str, _epoch: usize, _step: u64, _loss: &dyn Fn() -> Option<f64>) {}
    /// An epoch is done and evaluated.
    fn epoch(&mut self, _event: &EpochEvent) {}
    /// The choices after an epoch of a search.
    fn choices(&mut self, _event: &ChoicesEvent) {}
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
    /// Mean training loss over the epoch (the weighted sum over tasks).
    pub train_loss: f64,
    pub validation: Option<SplitScores>,
    pub learning_rate: f64,
    pub seconds: f64,
}

/// Losses and metrics on one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitScores {
    /// Sum over tasks of weight times loss.
    pub loss: f64,
    pub tasks: Vec<TaskScores>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskScores {
    pub task: String,
    pub loss: f64,
    /// Name and value; an undefined one (an AUC with one class) has none.
    pub metrics: Vec<MetricScore>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricScore {
    pub name: &'static str,
    pub value: Option<f64>,
    /// Why there is no value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undefined: Option<String>,
    #[serde(skip)]
    pub higher_is_better: bool,
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
