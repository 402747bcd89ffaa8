//! When a training loop saves its state and when it stops. The clock decides both, so neither may touch a result.

use std::time::{Duration, Instant};

use candle_core::{Tensor, Var};

use super::RunError;
use super::checkpoint;
use super::control::{Control, Why};
use super::model::Model;
use super::state::{Header, State, States};
use crate::optim::Optimizer;
use crate::source::Folder;

/// Share of the time that saving may take.
const SAVING: u32 = 20;

/// Looks after one phase.
pub struct Keeper<'a> {
    pub control: &'a Control,
    /// Digest of the run, and the phase.
    pub run: String,
    pub phase: String,
    states: Option<&'a States>,
    every: Duration,
    /// When the last state was saved (or the phase began), and how long that took.
    saved: Instant,
    cost: Duration,
    tick: Instant,
    /// The slowest step of late.
    step: Duration,
    /// Per row, where one was measured.
    evaluation: Option<Duration>,
    /// Rows that the evaluation at the end passes through the network, and rows per training step.
    rows: usize,
    batch: usize,
    /// Found on disk.
    pub found: Option<State>,
    /// Where the best weights so far are left for others to read; and the epoch whose are there.
    pub best: Option<Place>,
    written: usize,
}

/// Where weights are left.
pub struct Place {
    pub folder: Folder,
    pub name: String,
    /// Which network they are of.
    pub binding: String,
}

/// What to do after a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Save,
    Stop(Why),
}

impl<'a> Keeper<'a> {
    /// Keeps nothing and never stops.
    pub fn none(control: &'a Control) -> Keeper<'a> {
        Keeper::new(control, String::new(), "", None, Duration::MAX)
    }

    pub fn new(
        control: &'a Control,
        run: String,
        phase: &str,
        states: Option<&'a States>,
        every: Duration,
    ) -> Keeper<'a> {
        let now = Instant::now();
        Keeper {
            control,
            run,
            phase: phase.to_string(),
            states,
            every,
            saved: now,
            cost: Duration::ZERO,
            tick: now,
            step: Duration::ZERO,
            evaluation: None,
            rows: 0,
            batch: 1,
            found: None,
            best: None,
            written: 0,
        }
    }

    /// What the evaluation at the end will see, so that time can be left for it.
    pub fn plan(&mut self, rows: usize, batch: usize) {
        self.rows = rows;
        self.batch = batch.max(1);
        self.tick = Instant::now();
    }

    /// Called after every step.
    pub fn after_step(&mut self) -> Due {
        let now = Instant::now();
        let took = now - self.tick;
        self.tick = now;
        self.step = took.max(self.step.mul_f64(0.95));
        self.due(now)
    }

    fn due(&self, now: Instant) -> Due {
        if self.control.asked() {
            return Due::Stop(Why::Signal);
        }
        if self.control.left().is_some_and(|left| left < self.reserve()) {
            return Due::Stop(Why::Time);
        }
        if self.states.is_some() && now - self.saved >= self.every.max(self.cost * SAVING) {
            return Due::Save;
        }
        Due::Nothing
    }

    /// Called after every epoch but the last.
    pub fn after_epoch(&self) -> Due {
        self.due(Instant::now())
    }

    /// Whether there is a place to save to.
    pub fn saves(&self) -> bool {
        self.states.is_some()
    }

    /// An evaluation of `rows` rows took this long.
    pub fn evaluated(&mut self, rows: usize, took: Duration) {
        if rows > 0 {
            self.evaluation = Some(took / rows as u32);
        }
        self.tick = Instant::now();
    }

    /// Time that must be left: two steps, saving, the evaluation at the end, and a second for files and tables. Where no
    /// evaluation was measured yet, a training step's time per row stands for it, which is more.
    fn reserve(&self) -> Duration {
        let row = self.evaluation.unwrap_or(self.step / self.batch as u32);
        (row * self.rows as u32).mul_f64(1.5) + self.step * 2 + self.cost * 2 + Duration::from_secs(1)
    }

    /// Saves; weights that are not finite are no state to come back to, and end the run.
    pub fn save(&mut self, state: State) -> Result<(), RunError> {
        let Some(states) = self.states else { return Ok(()) };
        let start = Instant::now();
        for (name, t) in &state.tensors {
            let sum = t.to_dtype(candle_core::DType::F64)?.abs()?.sum_all()?.to_scalar::<f64>()?;
            if !sum.is_finite() {
                let p = &state.header.position;
                let last = &state.header.last_losses;
                return Err(RunError::Diverged {
                    phase: self.phase.clone(),
                    what: format!("state `{name}`"),
                    value: sum,
                    epoch: p.epoch,
                    step: p.step,
                    last: super::losses::last_losses(last),
                });
            }
        }
        states.save(&state)?;
        if let (Some(place), Some(best)) = (&self.best, &state.header.best)
            && best.epoch != self.written
        {
            let tensors = state.part("best");
            if !tensors.is_empty() {
                checkpoint::save_sealed(&place.folder, &place.name, &tensors, &place.binding)?;
                self.written = best.epoch;
            }
        }
        self.saved = Instant::now();
        self.cost = self.saved - start;
        self.tick = self.saved;
        Ok(())
    }

    /// The header of a state of this phase, with the parts that every loop fills in left open.
    pub fn header(&self) -> Header {
        Header {
            run: self.run.clone(),
            phase: self.phase.clone(),
            position: Default::default(),
            best: None,
            train: None,
            validation: None,
            last_losses: Vec::new(),
            marks: Default::default(),
        }
    }
}

/// Names with a prefix, for a state's tensors.
pub fn prefixed<'n>(prefix: &str, tensors: impl IntoIterator<Item = (&'n str, Tensor)>) -> Vec<(String, Tensor)> {
    tensors.into_iter().map(|(n, t)| (format!("{prefix}/{n}"), t)).collect()
}

/// A model's weights and buffers, and an optimiser's moments.
pub fn tensors(model: &Model, optimizer: &Optimizer) -> Result<Vec<(String, Tensor)>, RunError> {
    let mut all = prefixed("weight", model.named().into_iter().map(|(n, v)| (n, v.as_tensor().clone())));
    all.extend(optimizer.state()?.into_iter().map(|(n, t)| (format!("optimizer/{n}"), t)));
    Ok(all)
}

/// Puts them back.
pub fn restore(state: &State, model: &Model, optimizer: &mut Optimizer) -> Result<(), RunError> {
    set(&state.part("weight"), &model.named())?;
    optimizer.load_state(&state.part("optimizer"))?;
    Ok(())
}

/// Sets variables by name; all must be given.
pub fn set(saved: &[(String, Tensor)], vars: &[(&str, &Var)]) -> Result<(), RunError> {
    let by_name: std::collections::HashMap<&str, &Tensor> = saved.iter().map(|(n, t)| (n.as_str(), t)).collect();
    for (name, var) in vars {
        match by_name.get(name) {
            Some(t) if t.dims() == var.dims() && t.dtype() == var.dtype() => var.set(&t.to_device(var.device())?)?,
            _ => return Err(RunError::Checkpoint(format!("the saved state has no tensor for `{name}`"))),
        }
    }
    Ok(())
}
