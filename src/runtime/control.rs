//! Who may end a run early: a signal, or the clock. Loops ask at every step; nothing here touches results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a run ended before it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    Signal,
    Time,
}

/// Shared by everything that runs long.
#[derive(Debug, Clone, Default)]
pub struct Control {
    asked: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Control {
    /// `asked` is set by whoever hears signals; `deadline` is when the process must have ended.
    pub fn new(asked: Arc<AtomicBool>, deadline: Option<Instant>) -> Control {
        Control { asked, deadline }
    }

    /// Never asks for anything.
    pub fn free() -> Control {
        Control::default()
    }

    /// A signal asked to stop.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Time until the deadline; zero once it is past; `None` without one.
    pub fn left(&self) -> Option<Duration> {
        self.deadline.map(|d| d.saturating_duration_since(Instant::now()))
    }
}
