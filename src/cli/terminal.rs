//! The two streams. Standard output is the product: what a script reads. Standard error is talk: diagnostics, progress, summaries.
//! A reader that goes away (`mtlc explain | head -1`) is no error and no panic.
//!
//! All text passes through [`for_terminal`] here, so that no name, cell or path steers a terminal. [`Terminal::exact`] is for files that go to
//! standard output: a pipe gets them byte for byte.

use std::io::{ErrorKind, IsTerminal, Write};

use clap::ColorChoice;

use crate::diag::render::RenderOptions;
use crate::screen::{for_terminal, json, paint, visible};

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

    /// Writes text for people to standard output.
    pub fn product(&self, text: &str) {
        write(&mut std::io::stdout().lock(), &for_terminal(text));
    }

    /// Writes the content of a file to standard output: unchanged, unless it is a terminal.
    pub fn exact(&self, text: &str) {
        match std::io::stdout().is_terminal() {
            true => self.product(text),
            false => write(&mut std::io::stdout().lock(), text),
        }
    }

    /// The same for content that is written in pieces.
    pub fn exact_stream(&self) -> Box<dyn Write> {
        let stdout = std::io::stdout();
        match stdout.is_terminal() {
            true => Box::new(Lines { stdout, line: Vec::new() }),
            false => Box::new(stdout.lock()),
        }
    }

    /// One JSON value on a line of standard output.
    pub fn object(&self, value: &serde_json::Value) {
        write(&mut std::io::stdout().lock(), &format!("{}\n", json(&value.to_string())));
    }

    /// Writes to standard error, also when quiet.
    pub fn say(&self, text: &str) {
        write(&mut std::io::stderr().lock(), &for_terminal(text));
    }

    /// One line on standard error that `--quiet` leaves out.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            self.say(&format!("{}\n", visible(line, false)));
        }
    }

    /// A warning on standard error, also when quiet; each part is a line.
    pub fn warn(&self, text: &str, help: Option<&str>) {
        let help = help.map(|h| format!("  help: {}\n", visible(h, false))).unwrap_or_default();
        self.say(&format!("{} {}\n{help}", self.paint("warning:", "1;33"), visible(text, false)));
    }

    pub fn failure(&self, f: &super::exit::Failure) {
        // A line stays one, whatever the paths and cells in it hold.
        let help = f.help.as_ref().map(|h| format!("  help: {}\n", visible(h, false))).unwrap_or_default();
        self.say(&format!("{} {}\n{help}", self.paint("error:", "1;31"), visible(&f.message, false)));
    }

    /// Text in an ANSI style where standard error takes colour.
    pub fn paint(&self, text: &str, style: &str) -> String {
        paint(text, style, self.stderr().color)
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

/// Standard output that is a terminal, line by line: a piece may end within a character.
struct Lines<W: Write> {
    stdout: W,
    line: Vec<u8>,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.line.extend(bytes);
        if let Some(end) = self.line.iter().rposition(|b| *b == b'\n') {
            let whole: Vec<u8> = self.line.drain(..=end).collect();
            self.stdout.write_all(for_terminal(&String::from_utf8_lossy(&whole)).as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.stdout.flush()
    }
}

impl<W: Write> Drop for Lines<W> {
    /// A last line without an end is shown too.
    fn drop(&mut self) {
        let _ = self.stdout.write_all(for_terminal(&String::from_utf8_lossy(&self.line)).as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_pieces_is_made_visible_too() {
        let text = "größe,\x1b[31mX\u{202e}\na\tb\nlast \u{9b}";
        for piece in 1..text.len() {
            let mut shown = Vec::new();
            let mut lines = Lines { stdout: &mut shown, line: Vec::new() };
            text.as_bytes().chunks(piece).for_each(|bytes| lines.write_all(bytes).expect("memory"));
            drop(lines);
            assert_eq!(String::from_utf8(shown).expect("text"), for_terminal(text), "{piece}");
        }
    }
}
