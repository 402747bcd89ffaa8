//! Results as data: `search.json` and `summary.json`.

use serde::{Deserialize, Serialize};

use crate::runtime::latency::Latency;
use crate::runtime::record::SplitScores;

/// How a search ended; written to `search.json`.
#[derive(Debug, Clone, Serialize)]
pub struct SearchResult {
    pub strategy: String,
    pub seed: u64,
    pub epochs: usize,
    pub steps: u64,
    /// Of the supernet under the final decisions, noise-free.
    pub validation: SplitScores,
    pub supernet_params: u64,
    /// Who chooses, and what was chosen.
    pub choices: Vec<String>,
    pub decisions: Vec<usize>,
    pub logits: Vec<Vec<f64>>,
    pub seconds: f64,
}

/// What `derive` reads back of it.
#[derive(Debug, Clone, Deserialize)]
pub struct SavedSearch {
    pub strategy: String,
    pub seed: u64,
    pub epochs: usize,
    pub validation: SavedScores,
    pub choices: Vec<String>,
    pub decisions: Vec<usize>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct SavedScores {
    pub loss: f64,
}

impl From<&SearchResult> for SavedSearch {
    fn from(r: &SearchResult) -> SavedSearch {
        SavedSearch {
            strategy: r.strategy.clone(),
            seed: r.seed,
            epochs: r.epochs,
            validation: SavedScores { loss: as_read_back(r.validation.loss) },
            choices: r.choices.clone(),
            decisions: r.decisions.clone(),
        }
    }
}

/// A number as it is read from JSON, where the last bit may be lost: so that a derived file has the same bytes whether it is made
/// from a search or from what the search wrote.
fn as_read_back(v: f64) -> f64 {
    serde_json::to_string(&v).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(v)
}

/// One network, trained and evaluated.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkResult {
    pub name: String,
    pub params: u64,
    /// Per sample.
    pub macs: u64,
    /// Share of the parameters that serve more than one task.
    pub shared: f64,
    pub epochs: usize,
    pub best_epoch: usize,
    pub validation: SplitScores,
    /// Absent where the data have no test split.
    pub test: Option<SplitScores>,
    /// One sample at a time.
    pub latency: Option<Latency>,
    /// 256 at a time.
    pub latency_batch: Option<Latency>,
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
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    pub version: u32,
    pub tool: String,
    pub spec: String,
    pub seed: u64,
    pub device: String,
    pub search: Option<SearchResult>,
    pub topology: String,
    pub networks: Vec<NetworkResult>,
    pub seconds: f64,
}
