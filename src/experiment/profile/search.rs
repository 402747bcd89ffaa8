//! The steps of a search: its own procedure runs on random samples until enough steps were timed. So every strategy is timed with its
//! own training procedure and settings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::Device;

use crate::check::Checked;
use crate::experiment::bench::Loose;
use crate::experiment::{Failure, RunFolder};
use crate::hir::Search;
use crate::random::Randomness;
use crate::runtime::control::Control;
use crate::runtime::feed::Feed;
use crate::runtime::record::Listener;
use crate::runtime::watch::{self, Watched};
use crate::runtime::{RunError, synthetic};
use crate::schema::{Args, Value};
use crate::search::bench::Ground;
use crate::search::composed;
use crate::source::{Span, Spanned};

/// The steps of an epoch, and the size limit of the samples in bytes. The first step of an epoch is not timed.
const PER_EPOCH: usize = 8;
const BYTES: usize = 256 << 20;

/// What was observed of a search.
pub(super) struct Seen {
    /// The time of each step in milliseconds, measured from the end of the previous step.
    pub times: Vec<f64>,
    pub watched: Watched,
    pub feed: Feed,
}

/// Runs the search of a spec for the given numbers of steps. `None` if it trains no supernet.
pub(super) fn steps(
    checked: &Checked,
    batch: usize,
    (warmup, steps): (usize, usize),
    device: &Device,
) -> Result<Option<Seen>, Failure> {
    let Some(network) = &checked.supernet else { return Ok(None) };
    let searches: Vec<Search> = checked.spec.searches.iter().map(|s| endless(s, batch)).collect();
    let Some(first) = searches.first() else { return Ok(None) };
    let random = Randomness::new(0);
    let one = synthetic::feed(checked, 1, random)?;
    let bytes = 4 * (one.values_per_row() + checked.spec.tasks.len()) * batch;
    let mut feed = synthetic::feed(checked, batch * (BYTES / bytes.max(1)).clamp(3, PER_EPOCH), random)?;
    feed.dataset.validation = synthetic::feed(checked, batch, Randomness::new(1))?.dataset.train;

    let folder = tempfile::tempdir().map_err(|e| RunError::io(&std::env::temp_dir(), e))?;
    let asked = Arc::new(AtomicBool::new(false));
    let control = Control::new(asked.clone(), None);
    let mut bench = Loose { folder: RunFolder::at(folder.path()), control };
    let mut clock = Clock { asked, warmup, steps, seen: 0, last: None, times: Vec::new() };
    let ground = Ground { checked, network, search: first, feed: &feed, random, device };
    let (ended, watched) = watch::watching(|| match searches.len() {
        1 => (first.strategy.procedure)(&ground, &mut bench, &mut clock),
        _ => composed::search(&ground, &searches, &mut bench, &mut clock),
    });
    ended?;
    let times = clock.times;
    let Some(watched) = watched.filter(|w| !w.plan.choices.is_empty()) else { return Ok(None) };
    Ok(Some(Seen { times, watched, feed }))
}

/// The search with changed attributes: it runs until it is stopped, and its choices are trained from the first step.
fn endless(search: &Search, batch: usize) -> Search {
    let mut search = search.clone();
    let mut put = |name: &'static str, value: Value| set(&mut search.args, name, value);
    put("epochs", Value::Int(1 << 20));
    put("batch", Value::Int(batch as i64));
    put("warmup", Value::Duration(crate::schema::Duration::Steps(0.0)));
    search
}

/// Changes the value of an attribute, if the search has it.
fn set(args: &mut Args, name: &'static str, value: Value) {
    if args.get(name).is_some() {
        let span = args.span(name).unwrap_or(Span::new(crate::source::FileId(0), 0, 0));
        args.set(name, Spanned { value, span }, true);
    }
}

/// Times steps, and requests a stop after the last one.
struct Clock {
    asked: Arc<AtomicBool>,
    warmup: usize,
    steps: usize,
    seen: usize,
    /// Epoch and end time of the previous step.
    last: Option<(usize, Instant)>,
    times: Vec<f64>,
}

impl Listener for Clock {
    fn step(&mut self, _: &str, epoch: usize, _: u64, _: &dyn Fn() -> Option<f64>) {
        let now = Instant::now();
        let took = self.last.filter(|(e, _)| *e == epoch).map(|(_, before)| now - before);
        self.last = Some((epoch, now));
        self.seen += 1;
        if self.seen > self.warmup {
            self.times.extend(took.map(|t: Duration| t.as_secs_f64() * 1e3));
        }
        // A network without choices is not a supernet.
        if self.times.len() >= self.steps || watch::has_choices() == Some(false) {
            self.asked.store(true, Ordering::Relaxed);
        }
    }
}
