//! The loop around every training: deals batches, evaluates, logs, saves, resumes, stops. What a step is, is the procedure's.

use std::time::Instant;

use candle_core::{Device, Tensor};

use super::RunError;
use super::control::{Control, Why};
use super::feed::{Fed, Feed};
use super::keeper::{Due, Keeper};
use super::losses::{Stepped, Tally, Watch};
use super::reader::Deal;
use super::record::{EpochEvent, Listener, SplitLosses, SplitScores};
use super::state::{Header, Position, State};
use crate::data::{Batches, Drawn};

/// What is trained, and how. All that it carries from one step to the next it gives to [`Procedure::save`] and takes back in
/// [`Procedure::load`]; then a run that was killed ends with the same bytes.
pub trait Procedure {
    /// The watch over its losses.
    fn watch(&mut self) -> &mut Watch;
    /// Makes one step: forward, backward, update. Returns the losses of the batch, and stores learning rates in the position, which is
    /// already that of this step.
    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError>;
    /// Scores on the validation split.
    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError>;
    /// An epoch was evaluated and logged. `false` ends the training.
    fn epoch(&mut self, at: &Position, scores: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError>;
    /// Saves its tensors; other values go into the header. The loop itself saves the position and the state of the watch.
    fn save(&self, header: &mut Header) -> Result<Vec<(String, Tensor)>, RunError>;
    fn load(&mut self, state: &State) -> Result<(), RunError>;
}

/// What the loop goes over.
pub struct Course<'a> {
    pub feed: &'a Feed,
    pub device: &'a Device,
    /// Of the whole split, or of the rows in `only`.
    pub batches: Batches,
    /// The rows of the training split that are dealt; all if absent.
    pub only: Option<Vec<u32>>,
    pub epochs: usize,
    /// Rows that will be evaluated once more when the training is over.
    pub evaluated: usize,
}

/// Training losses and validation scores of the last complete epoch.
type Whole = (Option<SplitLosses>, Option<SplitScores>);

/// How a loop ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Epochs that were trained whole.
    pub epochs: usize,
    pub steps: u64,
    /// Of the last whole epoch.
    pub train: Option<SplitLosses>,
    pub validation: Option<SplitScores>,
    /// Ended early, with its state saved.
    pub stopped: Option<Stopped>,
}

/// Where a loop was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    pub why: Why,
    pub phase: String,
    pub epoch: usize,
    pub epochs: usize,
    pub step: u64,
}

/// Trains from the beginning, or from the state that the keeper has found.
pub fn train(
    course: &Course,
    procedure: &mut dyn Procedure,
    keeper: &mut Keeper,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let (feed, epochs, per_epoch) = (course.feed, course.epochs, course.batches.per_epoch());
    let table = &feed.dataset.train;
    let phase = keeper.phase.clone();
    listener.phase(&phase, epochs, per_epoch);
    let mut at = Position { epoch: 1, ..Position::default() };
    let (mut losses, mut validation) = (None, None);
    if let Some(state) = keeper.found.take() {
        procedure.load(&state)?;
        procedure.watch().last = state.header.last_losses.clone();
        at = state.header.position;
        (losses, validation) = (state.header.train, state.header.validation);
        listener.resumed(&phase, &at);
    }
    keeper.plan(course.evaluated, course.batches.batch);
    let stop = |why, at: &Position, (train, validation): Whole| Ended {
        epochs: at.epoch - 1,
        steps: at.step,
        train,
        validation,
        stopped: Some(Stopped { why, phase: phase.clone(), epoch: at.epoch, epochs, step: at.step }),
    };
    while at.epoch <= epochs {
        let (start, before) = (Instant::now(), at.seconds);
        let epoch = at.epoch as u64;
        let mut lists: Vec<Vec<u32>> = course.batches.epoch(epoch).into_iter().skip(at.cursor).collect();
        if let Some(only) = &course.only {
            lists.iter_mut().flatten().for_each(|r| *r = only[*r as usize]);
        }
        let drawn = course.batches.shuffle.map(|random| Drawn { random, epoch });
        let why = feed.deal(&Deal { table, lists: &lists, drawn }, course.device, |dealer| {
            while let Some(fed) = dealer.batch()? {
                at.step += 1;
                let stepped = procedure.step(&fed, &mut at)?;
                at.tally.add(&stepped, &procedure.watch().goals, feed, &fed);
                at.cursor += 1;
                at.seconds = before + start.elapsed().as_secs_f64();
                listener.step(&phase, at.epoch, at.step, &|| Some(stepped.total));
                let due = keeper.after_step();
                if due != Due::Nothing {
                    save(procedure, &at, (&losses, &validation), keeper, listener)?;
                }
                if let Due::Stop(why) = due {
                    return Ok(Some(why));
                }
            }
            Ok(None)
        })?;
        if let Some(why) = why {
            return Ok(stop(why, &at, (losses, validation)));
        }
        let began = Instant::now();
        let scores = match procedure.evaluate(keeper.control) {
            Err(RunError::Interrupted) => {
                save(procedure, &at, (&losses, &validation), keeper, listener)?;
                return Ok(stop(Why::Signal, &at, (losses, validation)));
            }
            scores => scores?,
        };
        keeper.evaluated(feed.dataset.validation.rows, began.elapsed());
        procedure.watch().check_validation(&scores, &at)?;
        let means = at.tally.means(&procedure.watch().goals);
        listener.epoch(&EpochEvent {
            phase: phase.clone(),
            epoch: at.epoch,
            step: at.step,
            train: means.clone(),
            validation: Some(scores.clone()),
            learning_rate: at.learning_rate,
            seconds: before + start.elapsed().as_secs_f64(),
        });
        let more = procedure.epoch(&at, &scores, listener)?;
        (losses, validation) = (Some(means), Some(scores));
        at = Position { cursor: 0, tally: Tally::default(), seconds: 0.0, epoch: at.epoch + 1, ..at };
        if !more || at.epoch > epochs {
            break;
        }
        let due = keeper.after_epoch();
        if due != Due::Nothing {
            save(procedure, &at, (&losses, &validation), keeper, listener)?;
        }
        if let Due::Stop(why) = due {
            return Ok(stop(why, &at, (losses, validation)));
        }
    }
    Ok(Ended { epochs: at.epoch - 1, steps: at.step, train: losses, validation, stopped: None })
}

fn save(
    procedure: &mut dyn Procedure,
    at: &Position,
    (train, validation): (&Option<SplitLosses>, &Option<SplitScores>),
    keeper: &mut Keeper,
    listener: &mut dyn Listener,
) -> Result<(), RunError> {
    if !keeper.saves() {
        return Ok(());
    }
    let mut header = keeper.header();
    header.position = at.clone();
    (header.train, header.validation) = (train.clone(), validation.clone());
    header.last_losses = procedure.watch().last.clone();
    let tensors = procedure.save(&mut header)?;
    // The logs first: a state never speaks of lines that are not on disk.
    header.marks = listener.marks()?;
    keeper.save(State { header, tensors })
}
