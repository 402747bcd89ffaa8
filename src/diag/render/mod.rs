//! Diagnostics to people and to programs: a report with the source beside it (`human.rs`, the only file that knows
//! miette), one line each (`short.rs`), one JSON object each (`json.rs`), or a SARIF log (`sarif.rs`).
//!
//! Rendering never fails and never panics, whatever the spans: they pass through [`place`] first, which forces them into
//! the text they name. Nothing here prints, reads the clock or asks the terminal; [`RenderOptions`] says all there is to know.

mod excerpt;
mod human;
mod json;
mod place;
mod sarif;
mod short;

use std::str::FromStr;

use super::{Diagnostic, Severity};
use crate::screen;
use crate::source::SourceMap;

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MessageFormat {
    /// A report with the source beside it.
    #[default]
    Human,
    /// `path:line:column: error[code]: message`, one line each.
    Short,
    /// One JSON object a line.
    Json,
    /// One SARIF 2.1.0 log.
    Sarif,
}

impl MessageFormat {
    pub const ALL: [MessageFormat; 4] =
        [MessageFormat::Human, MessageFormat::Short, MessageFormat::Json, MessageFormat::Sarif];

    /// The word that selects it on a command line.
    pub fn name(self) -> &'static str {
        match self {
            MessageFormat::Human => "human",
            MessageFormat::Short => "short",
            MessageFormat::Json => "json",
            MessageFormat::Sarif => "sarif",
        }
    }
}

impl FromStr for MessageFormat {
    type Err = String;

    fn from_str(s: &str) -> Result<MessageFormat, String> {
        MessageFormat::ALL
            .into_iter()
            .find(|f| f.name() == s)
            .ok_or_else(|| format!("unknown message format `{s}`: one of human, short, json, sarif"))
    }
}

impl std::fmt::Display for MessageFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// What the human format needs to know of the terminal; the other formats ignore it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    pub color: bool,
    /// Columns to fill; fewer than 40 are taken for 40.
    pub width: usize,
}

impl Default for RenderOptions {
    /// Plain text, 100 columns: the same everywhere.
    fn default() -> RenderOptions {
        RenderOptions { color: false, width: 100 }
    }
}

impl RenderOptions {
    /// For a stream that is or is not a terminal: colour on a terminal only, and never where the environment variable
    /// `NO_COLOR` is set and not empty (<https://no-color.org>).
    pub fn for_stream(is_terminal: bool, width: Option<usize>) -> RenderOptions {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        RenderOptions { color: is_terminal && !forbidden, width: width.unwrap_or(RenderOptions::default().width) }
    }
}

/// All diagnostics in one format, in the order given. Every line ends in a line feed; no diagnostics give an empty text,
/// or, as SARIF, a log without results.
pub fn render(format: MessageFormat, diags: &[Diagnostic], map: &SourceMap, opts: RenderOptions) -> String {
    match format {
        MessageFormat::Human => diags.iter().map(|d| human::report(d, map, opts) + "\n").collect(),
        MessageFormat::Short => diags.iter().map(|d| short::line(d, map) + "\n").collect(),
        MessageFormat::Json => diags.iter().map(|d| screen::json(&json::object(d, map).to_string()) + "\n").collect(),
        MessageFormat::Sarif => screen::json(&format!("{:#}\n", sarif::log(diags, map))),
    }
}

/// `2 errors, 1 warning`: the last line of a report. Empty where there is nothing to count.
pub fn summary(diags: &[Diagnostic]) -> String {
    let count = |s: Severity| diags.iter().filter(|d| d.severity == s).count();
    let part = |s: Severity, one: &str, many: &str| match count(s) {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {many}")),
    };
    [
        part(Severity::Error, "error", "errors"),
        part(Severity::Warning, "warning", "warnings"),
        part(Severity::Advice, "piece of advice", "pieces of advice"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(", ")
}
