//! The report for people, drawn by miette; no other file knows it.
//!
//! miette reads one source, counts columns in bytes, indexes by raw offsets and colours labels in a cycle. It is given an
//! [`Excerpt`] instead of the file, real line and column numbers, and a theme made for the labels at hand. Fixes are drawn
//! here: miette has no notion of them.

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents, ThemeCharacters, ThemeStyles,
};

use super::RenderOptions;
use super::excerpt::{Excerpt, Window};
use crate::diag::fix::{Change, preview};
use crate::diag::{Applicability, Diagnostic, Fix, Severity};
use crate::screen::{self, visible};
use crate::source::{FileId, SourceMap};

/// Lines of a fix that are shown on each side of the change.
const MAX_FIX_LINES: usize = 6;

/// The whole report of one diagnostic, ending in a line end.
pub fn report(d: &Diagnostic, map: &SourceMap, opts: RenderOptions) -> String {
    let width = opts.width.max(40);
    // Line number, gutter and a margin.
    let columns = width - 10;
    let report = Report {
        header: format!("{}[{}]", d.severity.name(), d.code.name()),
        message: visible(&d.message, false),
        help: d.help.as_ref().map(|h| visible(h, false)),
        severity: d.severity,
        excerpt: Excerpt::of(d, map, columns),
    };
    let handler = GraphicalReportHandler::new_themed(theme(&report, opts.color))
        .with_width(width)
        .with_links(false)
        .without_cause_chain()
        .without_syntax_highlighting();
    let mut drawn = String::new();
    if handler.render_report(&mut drawn, &report).is_err() {
        // Cannot happen for an excerpt; were it to, the message must still come through.
        drawn = format!("{}\n  {}\n", report.header, report.message);
    }
    // The report was made of visible text, so these are the colours of miette.
    let mut drawn = screen::painted(&drawn);
    for fix in &d.fixes {
        draw_fix(&mut drawn, fix, map, columns, opts.color);
    }
    // The lines of an excerpt end in a space that nobody needs to see.
    drawn.lines().map(|l| l.trim_end().to_string() + "\n").collect()
}

/// Primary label in the colour of the severity, the others in blue, whatever their order.
fn theme(report: &Report, color: bool) -> GraphicalTheme {
    let mut styles = if color { ThemeStyles::ansi() } else { ThemeStyles::none() };
    if color {
        let loud = match report.severity {
            Severity::Error => styles.error,
            Severity::Warning => styles.warning,
            Severity::Advice => styles.advice,
        };
        let quiet = ThemeStyles::ansi().link.remove_all_effects().blue();
        styles.highlights = report.excerpt.marks.iter().map(|m| if m.primary { loud } else { quiet }).collect();
    }
    if styles.highlights.is_empty() {
        styles.highlights = ThemeStyles::none().highlights;
    }
    GraphicalTheme { characters: ThemeCharacters::unicode(), styles }
}

/// A diagnostic as miette wants it.
#[derive(Debug)]
struct Report {
    header: String,
    message: String,
    help: Option<String>,
    severity: Severity,
    excerpt: Excerpt,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Report {}

impl miette::Diagnostic for Report {
    fn code(&self) -> Option<Box<dyn std::fmt::Display + '_>> {
        Some(Box::new(&self.header))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help(&self) -> Option<Box<dyn std::fmt::Display + '_>> {
        self.help.as_ref().map(|h| Box::new(h) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.excerpt)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.excerpt.marks.iter().map(|m| {
            let span = SourceSpan::new(m.offset.into(), m.len);
            if m.primary {
                LabeledSpan::new_primary_with_span(m.text.clone(), span)
            } else {
                LabeledSpan::new_with_span(m.text.clone(), span)
            }
        })))
    }
}

impl SourceCode for Excerpt {
    /// The chunk that holds the span. A span over two chunks is out of bounds, which keeps miette from joining them. The
    /// position is the label's own in its file: miette shows it in the frame.
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        _after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let (start, end) = (span.offset(), span.offset() + span.len());
        let chunk = self
            .chunks
            .iter()
            .find(|c| c.base <= start && end <= c.base + c.text.len())
            .ok_or(MietteError::OutOfBounds)?;
        // Without context lines miette asks for a position only, not for text to draw.
        let at = self.marks.iter().find(|m| before == 0 && m.offset == start);
        let (line, column) = at.map_or((chunk.first_line, 0), |m| (m.at.line - 1, m.at.column - 1));
        Ok(Box::new(MietteSpanContents::new_named(
            chunk.name.clone(),
            chunk.text.as_bytes(),
            SourceSpan::new(chunk.base.into(), chunk.text.len()),
            line,
            column,
            chunk.line_count,
        )))
    }
}

impl std::fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Excerpt({} chunks, {} marks)", self.chunks.len(), self.marks.len())
    }
}

/// `fix:` with its title, then the changed lines before (`-`) and after (`+`), with their numbers.
fn draw_fix(out: &mut String, fix: &Fix, map: &SourceMap, columns: usize, color: bool) {
    let paint = |text: &str, style: &str| screen::paint(text, style, color);
    let guess = match fix.applicability {
        Applicability::Safe => "",
        Applicability::Maybe => " (a guess: not applied by itself)",
    };
    *out += &format!("   {} {}{guess}\n", paint("fix:", "36"), visible(&fix.title, false));
    let mut files: Vec<FileId> = Vec::new();
    for e in &fix.edits {
        if !files.contains(&e.span.file) {
            files.push(e.span.file);
        }
    }
    for id in &files {
        let Some(file) = map.get(*id) else { continue };
        let changes = preview(file, *id, fix);
        if files.len() > 1 {
            *out += &format!("        in {}\n", visible(&file.name, false));
        }
        let numbers =
            changes.iter().map(|c| (c.line + c.before.len().max(c.after.len())).saturating_sub(1)).max().unwrap_or(0);
        let digits = numbers.to_string().len();
        for change in &changes {
            for (sign, style, lines) in [("-", "31", &change.before), ("+", "32", &change.after)] {
                for (i, line) in lines.iter().enumerate().take(MAX_FIX_LINES) {
                    let text =
                        Window::of(line, focus(change), columns.saturating_sub(digits + 4)).text.replace('\t', "    ");
                    *out +=
                        &format!("        {:digits$} {}\n", change.line + i, paint(&format!("{sign} {text}"), style));
                }
                if lines.len() > MAX_FIX_LINES {
                    *out += &format!("        {:digits$} … {} more\n", "", lines.len() - MAX_FIX_LINES);
                }
            }
        }
    }
}

/// The byte at which the first changed line differs, so that a long line is cut around it.
fn focus(change: &Change) -> usize {
    match (change.before.first(), change.after.first()) {
        (Some(a), Some(b)) => a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count(),
        _ => 0,
    }
}
