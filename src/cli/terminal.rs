//! The two streams. Standard output is the product: what a script reads. Standard error is talk: diagnostics, progress, summaries.
//! A reader that goes away (`mtlc explain | head -1`) is no error and no panic.

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

use crate::diag::render::{RenderOptions, visible};

/// Where a command writes, and how.
#[derive(Debug, Clone, Copy)]
pub struct Terminal {
    /// Summaries and progress are left out; diagnostics and failures are not.
    pub quiet: bool,
    /// Results go to standard output as JSON.
    pub json: bool,
    color: ColorChoice,
}

impl Terminal {
    pub fn new(quiet: bool, json: bool, color: ColorChoice) -> Terminal {
        Terminal { quiet, json, color }
    }

    /// Writes the result of a command: a JSON value with `--json`, else text.
    pub fn result(&self, value: impl FnOnce() -> serde_json::Value, text: impl FnOnce() -> String) {
        match self.json {
            true => self.object(&value()),
            false => self.product(&text()),
        }
    }

    /// Writes text to standard output unchanged. With `--json`, the text must be JSON.
    pub fn product(&self, text: &str) {
        write(&mut std::io::stdout().lock(), text);
    }

    /// One JSON value on a line of standard output.
    pub fn object(&self, value: &serde_json::Value) {
        self.product(&format!("{value}\n"));
    }

    /// Writes to standard error as it is: for what must be seen even when quiet.
    pub fn say(&self, text: &str) {
        write(&mut std::io::stderr().lock(), text);
    }

    /// A line on standard error that `--quiet` leaves out.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.say(&format!("{}\n", visible(line, true)));
        }
    }

    pub fn failure(&self, f: &super::exit::Failure) {
        // Paths and cells may hold anything, also what would steer the terminal.
        let help = f.help.as_ref().map(|h| format!("  help: {}\n", visible(h, true))).unwrap_or_default();
        self.say(&format!("{} {}\n{help}", self.paint("error:", "1;31"), visible(&f.message, false)));
    }

    /// Text in an ANSI style where standard error takes colour.
    pub fn paint(&self, text: &str, style: &str) -> String {
        if self.stderr().color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_string() }
    }

    /// Whether the product takes colour.
    pub fn stdout_color(&self) -> bool {
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => RenderOptions::for_stream(std::io::stdout().is_terminal(), None).color,
        }
    }

    /// Columns of the product; 100 where it goes to a file or a pipe.
    pub fn stdout_width(&self) -> usize {
        let width = terminal_size::terminal_size_of(std::io::stdout());
        width.map_or(100, |(w, _)| usize::from(w.0))
    }

    /// How diagnostics look on standard error.
    pub fn stderr(&self) -> RenderOptions {
        let terminal = std::io::stderr().is_terminal();
        let width = terminal.then(|| terminal_size::terminal_size_of(std::io::stderr())).flatten();
        let plain = RenderOptions::for_stream(terminal, width.map(|(w, _)| usize::from(w.0)));
        let color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => plain.color,
        };
        RenderOptions { color, ..plain }
    }
}

/// Nothing can be done about a stream that fails: a closed pipe ends what its reader wants to see, no more.
fn write(stream: &mut dyn Write, text: &str) {
    match stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            LOST.store(true, std::sync::atomic::Ordering::Relaxed);
        }
        _ => {}
    }
}

static LOST: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// Whether something could not be written for another reason than a closed pipe (a full disk): the product is not whole.
pub fn output_was_lost() -> bool {
    LOST.load(std::sync::atomic::Ordering::Relaxed)
}
