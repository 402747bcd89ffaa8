//! Results as data: `search.json` and `summary.json`.

use serde::{Deserialize, Serialize};

use super::findings::Finding;
use super::run::Assigned;
use crate::check::Shared;
use crate::runtime::epochs::Stopped;
use crate::runtime::format::Record;
use crate::runtime::latency::Latency;
use crate::runtime::record::{SplitLosses, SplitScores};

/// How a search ended; written to `search.json`, and read back by `derive` and by a run that goes on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SearchResult {
    pub version: u32,
    pub strategy: String,
    pub seed: u64,
    pub epochs: usize,
    pub steps: u64,
    /// What the strategy knew of its result before anything was retrained: of a supernet under the final decisions, noise-free;
    /// of single-task networks, each task's own. Absent where a rule decides and nothing is trained.
    pub validation: Option<SplitScores>,
    pub supernet_params: u64,
    /// Who chooses, and the number of the candidate or of the route (`ir::routes`) that was chosen.
    pub choices: Vec<String>,
    pub decisions: Vec<usize>,
    pub logits: Vec<Vec<f64>>,
    /// Findings that its numbers do not show. A summary also lists the findings of all networks together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    pub seconds: f64,
}

impl Record for SearchResult {
    const VERSION: u32 = 1;
}

/// One network, trained and evaluated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkResult {
    pub name: String,
    pub params: u64,
    /// Per sample.
    pub macs: u64,
    /// The fraction of work that the tasks have in common.
    pub shared: Shared,
    pub epochs: usize,
    pub best_epoch: usize,
    /// Training losses of the selected epoch. Absent if nothing was trained.
    #[serde(default)]
    pub train: Option<SplitLosses>,
    pub validation: SplitScores,
    /// Absent where the data have no test split.
    pub test: Option<SplitScores>,
    /// One sample at a time.
    pub latency: Option<Latency>,
    /// 256 at a time.
    pub latency_batch: Option<Latency>,
    /// Findings that its numbers do not show. A summary also lists the findings of all networks together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    pub seconds: f64,
}

impl NetworkResult {
    /// What a table shows: the test split where there is one, else validation; and its name.
    pub fn shown(&self) -> (&SplitScores, &'static str) {
        match &self.test {
            Some(t) => (t, "test"),
            None => (&self.validation, "validation"),
        }
    }
}

/// `summary.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    pub version: u32,
    pub tool: String,
    pub spec: String,
    /// The parameters that were set with `--set`.
    pub set: Assigned,
    pub seed: u64,
    pub device: String,
    pub search: Option<SearchResult>,
    pub topology: String,
    pub networks: Vec<NetworkResult>,
    /// Findings about the search and about every network that the numbers do not show.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Of a run that is not done: where the clock stopped it. The last network is as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<StoppedAt>,
    pub seconds: f64,
}

impl Record for Summary {
    const VERSION: u32 = 1;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoppedAt {
    pub phase: String,
    pub epoch: usize,
    pub step: u64,
}

impl From<&Stopped> for StoppedAt {
    fn from(s: &Stopped) -> StoppedAt {
        StoppedAt { phase: s.phase.clone(), epoch: s.epoch, step: s.step }
    }
}
