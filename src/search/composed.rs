//! Composed spaces: several searches in one program, each deciding levels of its own.
//!
//! They run one after the other, in the order in which they are written. Each works on the supernet in which the choices of the
//! searches before it are decided, and those of the searches after it stand at a fixed option meanwhile: a reader of `some` reads
//! everything by its first query, and readers of `one` (and tasks with a head on every copy) are spread, the n-th over copy n mod
//! the number of copies, so that every copy is trained where there are as many readers. Each begins with fresh weights, the same
//! function of seed and name for all; none are carried over. No published method composes: this is our choice, and joint training of
//! all segments is another.

use std::path::PathBuf;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::bench::{Bench, Ended, Ground, Outcome, Trained};
use super::certainty::Certainty;
use crate::hir::Search;
use crate::ir::derive::Decision;
use crate::ir::restrict::{Restricted, restrict};
use crate::ir::{Choice, Network, Reader};
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::format::{self, Record};
use crate::runtime::keeper::Keeper;
use crate::runtime::record::{Listener, SplitScores};
use crate::source::json;

/// Of the N-th search, by its name in the folder: `part_N_choices.json`.
const PART: &str = "choices.json";

/// What is kept of a search that is done.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Part {
    version: u32,
    strategy: String,
    /// Places among the choices of the whole space, and what was decided for each.
    choices: Vec<usize>,
    decisions: Vec<usize>,
    logits: Vec<Vec<f64>>,
    #[serde(default)]
    certainties: Vec<Certainty>,
    validation: Option<SplitScores>,
    epochs: usize,
    steps: u64,
}

impl Record for Part {
    const VERSION: u32 = 1;
}

/// Runs all searches of a program. There is no supernet that all have trained, so the outcome has none; its validation scores are
/// the last search's that has any.
pub fn search(
    ground: &Ground,
    searches: &[Search],
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
) -> Result<Ended<Outcome>, RunError> {
    let whole = ground.network;
    let mut decided: Vec<Option<usize>> = vec![None; whole.choices.len()];
    let mut outcome = Outcome { logits: vec![Vec::new(); whole.choices.len()], ..Outcome::default() };
    for (n, search) in searches.iter().enumerate() {
        let mut segment = Segment { inner: bench, number: n + 1 };
        let part = match segment.done("search") {
            Some(_) => {
                listener.note(&format!("{}: searched before", search.strategy.call.name));
                format::parse(segment.read(PART)?.as_bytes(), &segment.name(PART))?
            }
            None => {
                let Restricted { network, choices } = restrict(whole, &settled(whole, &decided, search));
                let own = Ground { network: &network, search, ..*ground };
                let procedure = search.strategy.procedure;
                let start = std::time::Instant::now();
                let (found, stopped) = match procedure(&own, &mut segment, listener)? {
                    Ended::Stopped(at, None) => return Ok(Ended::Stopped(at, None)),
                    Ended::Stopped(at, Some(found)) => (found, Some(at)),
                    Ended::Done(found) => (found, None),
                };
                let Outcome { decisions, logits, certainties, validation, epochs, steps, supernet: _ } = found;
                let strategy = search.strategy.call.name.to_string();
                let version = Part::VERSION;
                let part =
                    Part { version, strategy, choices, decisions, logits, certainties, validation, epochs, steps };
                if let Some(at) = stopped {
                    add(&mut outcome, &mut decided, part);
                    outcome.decisions = rest(whole, &decided);
                    return Ok(Ended::Stopped(at, Some(outcome)));
                }
                segment.write(PART, &json::text(&part).map_err(RunError::refused(PART))?)?;
                let trained = Trained { epochs, best_epoch: 0, train: None, seconds: start.elapsed().as_secs_f64() };
                segment.record("search", trained, listener)?;
                part
            }
        };
        add(&mut outcome, &mut decided, part);
        // A reader that no task reaches decides nothing, and any option says so.
        for (d, c) in decided.iter_mut().zip(&whole.choices) {
            if search.covers(c.reader.stage()) {
                d.get_or_insert(0);
            }
        }
    }
    outcome.decisions = rest(whole, &decided);
    Ok(Ended::Done(outcome))
}

fn add(outcome: &mut Outcome, decided: &mut [Option<usize>], part: Part) {
    for (place, decision) in part.choices.iter().zip(&part.decisions) {
        decided[*place] = Some(*decision);
    }
    for (place, row) in part.choices.iter().zip(part.logits) {
        outcome.logits[*place] = row;
    }
    outcome.certainties.extend(part.certainties);
    outcome.validation = part.validation.or(outcome.validation.take());
    outcome.epochs += part.epochs;
    outcome.steps += part.steps;
}

/// What each choice is while `search` runs: its own are open.
fn settled(whole: &Network, decided: &[Option<usize>], search: &Search) -> Vec<Option<Decision>> {
    let settle = |(choice, decided): (&Choice, &Option<usize>)| {
        let own = decided.is_none() && search.covers(choice.reader.stage());
        (!own).then(|| choice.decision(decided.unwrap_or(meanwhile(choice))))
    };
    whole.choices.iter().zip(decided).map(settle).collect()
}

/// Where a choice stands until its own search decides it.
fn meanwhile(choice: &Choice) -> usize {
    let reader = match choice.reader {
        Reader::Stage(_, copy) => copy,
        Reader::Head(task) => task.0,
    };
    if choice.is_route() { choice.everything() } else { reader % choice.candidates }
}

fn rest(whole: &Network, decided: &[Option<usize>]) -> Vec<usize> {
    whole.choices.iter().zip(decided).map(|(c, d)| d.unwrap_or(meanwhile(c))).collect()
}

/// The place of a search among several: its phases and networks have names of their own.
struct Segment<'b> {
    inner: &'b mut dyn Bench,
    number: usize,
}

impl Segment<'_> {
    fn name(&self, phase: &str) -> String {
        format!("part_{}_{phase}", self.number)
    }
}

impl Bench for Segment<'_> {
    fn keeper(&self, phase: &str, listener: &mut dyn Listener) -> Keeper<'_> {
        self.inner.keeper(&self.name(phase), listener)
    }

    fn control(&self) -> &Control {
        self.inner.control()
    }

    fn done(&self, phase: &str) -> Option<Trained> {
        self.inner.done(&self.name(phase))
    }

    fn record(&mut self, phase: &str, trained: Trained, listener: &mut dyn Listener) -> Result<(), RunError> {
        let name = self.name(phase);
        self.inner.record(&name, trained, listener)
    }

    fn weights(&self, phase: &str) -> PathBuf {
        self.inner.weights(&self.name(phase))
    }

    fn save(&self, phase: &str, tensors: &[(String, Tensor)]) -> Result<(), RunError> {
        self.inner.save(&self.name(phase), tensors)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), RunError> {
        self.inner.write(&self.name(name), text)
    }

    fn read(&self, name: &str) -> Result<String, RunError> {
        self.inner.read(&self.name(name))
    }
}
