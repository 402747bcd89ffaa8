//! How long inference takes per sample: less latency is one of the claims of branched networks.

use std::time::Instant;

use super::RunError;
use super::feed::Feed;
use super::model::{Decided, Model};

/// Median and spread of the time per sample, in seconds.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct Latency {
    /// Rows per forward pass.
    pub batch: usize,
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// Times forward passes (all tasks) over rows of the validation split: one to warm up, then at least `ROUNDS`.
pub fn measure(model: &Model, feed: &Feed, decided: &[Decided], batch: usize) -> Result<Latency, RunError> {
    const ROUNDS: usize = 15;
    // Any rows will do; training has some, or nothing would have been trained.
    let table = if feed.dataset.validation.rows > 0 { &feed.dataset.validation } else { &feed.dataset.train };
    let rows: Vec<u32> = (0..batch).map(|i| (i % table.rows.max(1)) as u32).collect();
    let fed = feed.take(table, &rows, &model.device)?;
    model.predict(&fed.inputs, decided)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let out = model.predict(&fed.inputs, decided)?;
        // Reading a value waits for the device.
        if let Some(t) = out.last() {
            t.sum_all()?.to_scalar::<f32>()?;
        }
        times.push(start.elapsed().as_secs_f64() / batch as f64);
    }
    times.sort_by(f64::total_cmp);
    Ok(Latency { batch, median: times[ROUNDS / 2], low: times[ROUNDS / 10], high: times[ROUNDS - 1 - ROUNDS / 10] })
}
