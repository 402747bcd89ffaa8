//! Records the passes of a model during training, for `mtlc profile`, which runs the passes of a search again, op by op. Without a
//! watcher, the cost is one check per step.

use std::cell::RefCell;

use super::model::{Decided, Mode, Model};
use crate::plan::{Plan, Symbols};

/// The recorded passes of one model.
pub struct Watched {
    pub plan: Plan,
    pub symbols: Symbols,
    /// The decisions and the mode of each recorded pass.
    pub passes: Vec<(Vec<Decided>, Mode)>,
}

thread_local! {
    static WATCHER: RefCell<Option<Option<Watched>>> = const { RefCell::new(None) };
}

/// Runs `act` and records the passes of the first model that this thread trains in it; `None` if it trains none.
pub fn watching<T>(act: impl FnOnce() -> T) -> (T, Option<Watched>) {
    WATCHER.set(Some(None));
    let done = act();
    (done, WATCHER.take().flatten())
}

/// Whether the model that is watched has choices; `None` before its first pass.
pub fn has_choices() -> Option<bool> {
    WATCHER.with_borrow(|w| w.as_ref()?.as_ref().map(|w| !w.plan.choices.is_empty()))
}

/// Records a pass of a model that a backward pass follows.
pub(super) fn pass(model: &Model, decided: &[Decided], mode: Mode) {
    WATCHER.with_borrow_mut(|w| {
        let Some(seen) = w else { return };
        let watched = seen.get_or_insert_with(|| Watched {
            plan: model.plan.clone(),
            symbols: model.symbols.clone(),
            passes: Vec::new(),
        });
        watched.passes.push((decided.to_vec(), mode));
    });
}
