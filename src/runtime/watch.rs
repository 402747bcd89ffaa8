//! What the steps of a training ask of their model, noted while someone watches: `mtlc profile` runs the passes of a search again, op by
//! op. Without a watcher it costs one look per step.

use std::cell::RefCell;

use super::model::{Decided, Mode, Model};
use crate::plan::{Plan, Symbols};

/// The passes of one model.
pub struct Watched {
    pub plan: Plan,
    pub symbols: Symbols,
    /// How each recorded pass was decided, and in which mode it ran.
    pub passes: Vec<(Vec<Decided>, Mode)>,
}

thread_local! {
    static WATCHER: RefCell<Option<Option<Watched>>> = const { RefCell::new(None) };
}

/// Watches the first model that this thread trains in `act`; `None` if it trains none.
pub fn watching<T>(act: impl FnOnce() -> T) -> (T, Option<Watched>) {
    WATCHER.set(Some(None));
    let done = act();
    (done, WATCHER.take().flatten())
}

/// Whether the model that is watched has choices; `None` before its first pass.
pub fn has_choices() -> Option<bool> {
    WATCHER.with_borrow(|w| w.as_ref()?.as_ref().map(|w| !w.plan.choices.is_empty()))
}

/// A model makes a pass that a gradient follows.
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
