//! Plants one mistake, compiles, and says what became of it.

use std::collections::BTreeSet;

use mtlc::artifact;
use mtlc::diag::render::{MessageFormat, RenderOptions, render};
use mtlc::diag::{Applicability, Diagnostic, Severity, fix};
use mtlc::driver::Compiled;

use super::program::{Expect, Plant, Program, compile};

#[derive(Default)]
pub struct Verdict {
    pub found: bool,
    pub line: bool,
    pub right: bool,
    pub safe: bool,
    pub spoilt: bool,
    /// What was planted and what was said, for people.
    pub story: String,
}

/// `None` where the plant changed nothing of the meaning: then it is no mistake.
pub fn judge(program: &Program, plant: &Plant) -> Option<Verdict> {
    let (text, lines) = spoil(program, plant);
    let compiled = compile(&program.path, &text);
    if digest(&compiled).is_some_and(|d| d == program.digest) && new(program, &compiled).next().is_none() {
        return None;
    }
    let said: Vec<&Diagnostic> = new(program, &compiled).collect();
    let line_of = |at: u32| text[..floor(&text, at as usize)].matches('\n').count();
    let touches = |span: mtlc::source::Span| {
        let last = line_of(span.end.saturating_sub(1).max(span.start));
        span.file == compiled.root && (line_of(span.start)..=last).any(|l| lines.contains(&l))
    };
    let found = said.iter().any(|d| {
        let labels = d.primary.iter().chain(&d.secondary).map(|l| l.span);
        let edits = d.fixes.iter().flat_map(|f| f.edits.iter().map(|e| e.span));
        let quoted = !plant.word.is_empty() && d.message.contains(&format!("`{}`", plant.word));
        labels.chain(edits).any(touches) || quoted
    });
    let line = said.first().and_then(|d| d.primary.as_ref()).is_some_and(|l| {
        // The line on which the label begins; a long label is not right by being long.
        l.span.file == compiled.root && lines.contains(&line_of(l.span.start))
    });
    let mut verdict = Verdict { found, line, ..Verdict::default() };
    let mended = |how| digest(&mend(program, &text, how));
    let (bold, safe) = (mended(Applicability::Maybe), mended(Applicability::Safe));
    let is_original = |d: &Option<String>| d.as_ref() == Some(&program.digest);
    verdict.safe = is_original(&safe);
    verdict.right = match &plant.expect {
        Expect::Original => is_original(&bold),
        Expect::Named(names) => said.first().is_some_and(|d| names.iter().any(|n| offers(d, n))),
    };
    verdict.spoilt = compiled.has_errors() && safe.is_some() && !verdict.safe && plant.edits.len() < 9;
    let shown: String = plant
        .edits
        .iter()
        .map(|(r, new)| {
            let line = program.text[..r.start].matches('\n').count() + 1;
            format!("{}:{line}: `{}` -> `{new}`\n", program.name, &program.text[r.clone()])
        })
        .collect();
    let tell = |d: &[Diagnostic]| {
        render(MessageFormat::Human, d, &compiled.sources, RenderOptions { color: false, width: 100 })
    };
    let kept: Vec<Diagnostic> = said.iter().take(3).map(|d| (*d).clone()).collect();
    verdict.story = format!(
        "{shown}found {}, line {}, right {}, safe {}, spoilt {}\n{}",
        verdict.found,
        verdict.line,
        verdict.right,
        verdict.safe,
        verdict.spoilt,
        tell(&kept)
    );
    Some(verdict)
}

/// Errors and warnings that the program did not have.
fn new<'a>(program: &'a Program, compiled: &'a Compiled) -> impl Iterator<Item = &'a Diagnostic> {
    compiled
        .diagnostics
        .iter()
        .filter(|d| d.severity != Severity::Advice && !program.before.contains(&(d.code.name(), d.message.clone())))
}

fn digest(compiled: &Compiled) -> Option<String> {
    compiled.checked.as_ref().map(|c| artifact::digest(&c.spec))
}

/// Whether a report tells, beside its message, to write this.
fn offers(d: &Diagnostic, what: &str) -> bool {
    let labels = d.primary.iter().chain(&d.secondary).map(|l| l.text.as_str());
    let fixes = d.fixes.iter().map(|f| f.title.as_str());
    labels.chain(d.help.as_deref()).chain(fixes).any(|t| t.contains(what))
}

/// As `check --fix` does.
fn mend(program: &Program, text: &str, how: Applicability) -> Compiled {
    let mut text = text.to_string();
    let mut compiled = compile(&program.path, &text);
    for _ in 0..8 {
        let errors: Vec<Diagnostic> =
            compiled.diagnostics.iter().filter(|d| d.severity != Severity::Advice).cloned().collect();
        let (next, n) = fix::apply(&text, compiled.root, &errors, how);
        if n == 0 || next == text {
            break;
        }
        text = next;
        compiled = compile(&program.path, &text);
    }
    compiled
}

/// The spoilt text, and the lines (from 0) that the mistake is on.
fn spoil(program: &Program, plant: &Plant) -> (String, BTreeSet<usize>) {
    let mut edits: Vec<_> = plant.edits.iter().collect();
    edits.sort_by_key(|(r, _)| r.start);
    let mut text = String::new();
    let mut lines = BTreeSet::new();
    let mut at = 0;
    for (r, new) in &edits {
        text.push_str(&program.text[at..r.start]);
        let first = text.matches('\n').count();
        text.push_str(new);
        lines.extend(first..=first + new.trim_end_matches('\n').matches('\n').count());
        // A line that is gone leaves its neighbours.
        if program.text[r.clone()].contains('\n') && new.is_empty() {
            lines.extend(first.saturating_sub(1)..=first);
        }
        at = r.end;
    }
    text.push_str(&program.text[at..]);
    // Places of the original, moved by the edits before them.
    for range in &plant.also {
        let moved = |p: usize| {
            edits.iter().fold(
                p as isize,
                |p2, (r, new)| {
                    if r.end <= p { p2 + new.len() as isize - r.len() as isize } else { p2 }
                },
            )
        };
        let line = |p: isize| text[..floor(&text, p.max(0) as usize)].matches('\n').count();
        lines.extend(line(moved(range.start))..=line(moved(range.end.saturating_sub(1).max(range.start))));
    }
    (text, lines)
}

/// The nearest character boundary at or before a place.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
