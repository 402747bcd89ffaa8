//! A run while it runs: bars with ETA and per-task metrics on a terminal, plain throttled lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::Terminal;
use crate::runtime::record::{ChoicesEvent, EpochEvent, Listener, SplitLosses, SplitScores, TaskScores};
use crate::runtime::state::Position;
use crate::screen::visible;

/// Least time between two plain lines of one phase.
const INTERVAL: Duration = Duration::from_secs(10);

pub struct Progress {
    terminal: Terminal,
    bar: Option<ProgressBar>,
    phase: String,
    epochs: usize,
    last_line: Option<Instant>,
    pending: Option<String>,
    scores: String,
    choices: String,
}

impl Progress {
    pub fn new(terminal: &Terminal) -> Progress {
        Progress {
            terminal: *terminal,
            bar: None,
            phase: String::new(),
            epochs: 0,
            last_line: None,
            pending: None,
            scores: String::new(),
            choices: String::new(),
        }
    }

    /// Ends the last phase's bar, or writes the last line that was held back.
    pub fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if let Some(line) = self.pending.take() {
            self.terminal.note(&line);
        }
    }
}

impl Listener for Progress {
    fn phase(&mut self, phase: &str, epochs: usize, steps: usize) {
        self.finish();
        self.phase = phase.to_string();
        self.epochs = epochs;
        self.last_line = None;
        self.scores.clear();
        self.choices.clear();
        if self.terminal.quiet || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = ProgressBar::with_draw_target(Some((epochs * steps) as u64), ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template("{prefix:>12} [{bar:24}] {elapsed} < {eta}  {wide_msg}")
            .expect("the template is ours")
            .progress_chars("=> ");
        bar.set_style(style);
        bar.set_prefix(visible(phase, false));
        self.bar = Some(bar);
    }

    fn resumed(&mut self, phase: &str, at: &Position) {
        let line = format!("{phase}: goes on in epoch {}, after step {}", at.epoch, at.step);
        if let Some(bar) = &self.bar {
            bar.set_position(at.step);
            bar.reset_eta();
        }
        self.note(&line);
    }

    fn note(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.terminal.note(text)),
            None => self.terminal.note(text),
        }
    }

    fn step(&mut self, _: &str, epoch: usize, step: u64, loss: &dyn Fn() -> Option<f64>) {
        let Some(bar) = &self.bar else { return };
        bar.set_position(step);
        if step.is_multiple_of(10) {
            let loss = loss().map(|l| format!(" loss {l:.3}")).unwrap_or_default();
            bar.set_message(format!("ep {epoch}/{}{loss} {}{}", self.epochs, self.scores, self.choices));
        }
    }

    fn epoch(&mut self, e: &EpochEvent) {
        self.scores = e.validation.as_ref().map(|v| brief(&e.train, v)).unwrap_or_default();
        let validation = e.validation.as_ref().map(|v| format!(" val {:.4}", v.loss)).unwrap_or_default();
        if let Some(bar) = &self.bar {
            bar.set_message(format!("ep {}/{}{validation} {}{}", e.epoch, self.epochs, self.scores, self.choices));
            return;
        }
        let line = format!(
            "{:>12}  epoch {}/{}  train {:.4}{validation}  {}  {:.1} s",
            e.phase, e.epoch, self.epochs, e.train.loss, self.scores, e.seconds
        );
        let due = self.last_line.is_none_or(|t| t.elapsed() >= INTERVAL);
        if due || e.epoch == self.epochs {
            self.terminal.note(&line);
            self.last_line = Some(Instant::now());
            self.pending = None;
        } else {
            self.pending = Some(line);
        }
    }

    fn choices(&mut self, e: &ChoicesEvent) {
        self.choices = format!(" | T {:.2} H {:.2}", e.temperature, e.entropy);
    }
}

/// The first metric of the first few tasks; with two or three tasks, also the training and validation loss of each.
fn brief(train: &SplitLosses, scores: &SplitScores) -> String {
    const MOST: usize = 5;
    let losses = |t: &TaskScores| match train.tasks.iter().find(|l| l.task == t.task) {
        Some(l) if (2..=3).contains(&scores.tasks.len()) => format!(" {:.4}/{:.4}", l.loss, t.loss),
        _ => String::new(),
    };
    let mut parts: Vec<String> = scores
        .tasks
        .iter()
        .take(MOST)
        .filter_map(|t| {
            let m = t.metrics.first()?;
            Some(format!(
                "{}{} {} {}",
                visible(&t.task, false),
                losses(t),
                m.name,
                m.value.map_or("-".into(), |v| format!("{v:.3}"))
            ))
        })
        .collect();
    if scores.tasks.len() > MOST {
        parts.push(format!("+{}", scores.tasks.len() - MOST));
    }
    parts.join(", ")
}
