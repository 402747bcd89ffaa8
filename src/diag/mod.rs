//! One [`Diagnostic`] type for everything that can be wrong with a spec.
//!
//! A message says *what* (lower case, facts first), *where* (primary label), *because of what* (secondary labels on the
//! producer), and *what next* (help, and a fix where it is mechanical). Codes live in one table (`codes.rs`), each with an
//! explanation file under `explain/`. Failures of the world (file, device, disk) are not diagnostics: each room has a
//! small error enum for those. Only `render/human.rs` knows miette.

pub mod codes;
pub mod fix;
pub mod numbers;
pub mod orders;
pub mod render;
pub mod suggest;
pub mod synonyms;

pub use codes::Code;

use std::collections::{BTreeMap, HashMap};

use crate::source::{FileId, Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The spec cannot be run.
    Error,
    /// Legal and suspicious.
    Warning,
    /// Worth knowing; nothing to do.
    Advice,
}

impl Severity {
    /// The word shown to people and written to machine formats.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        }
    }
}

/// A place in a text and what to say about it (may be empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// Whether a fix may be applied without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applicability {
    /// `check --fix` applies it: the meaning is certain.
    Safe,
    /// Shown, applied only on request in an editor: the meaning is a guess.
    Maybe,
}

impl Applicability {
    /// The word written to machine formats.
    pub fn name(self) -> &'static str {
        match self {
            Applicability::Safe => "safe",
            Applicability::Maybe => "maybe",
        }
    }
}

/// Text edits that mend the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// What the fix does, as a command: "replace `widht` with `width`".
    pub title: String,
    pub edits: Vec<Edit>,
    pub applicability: Applicability,
}

/// Replace the text at `span` (empty for an insertion) by `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    pub span: Span,
    pub text: String,
}

/// A problem in the user's spec, with everything a renderer or an editor needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    /// `None` only where no text exists to point at.
    pub primary: Option<Label>,
    pub secondary: Vec<Label>,
    pub help: Option<String>,
    pub fixes: Vec<Fix>,
}

impl Diagnostic {
    /// A diagnostic of the code's own severity. The label text may be empty.
    pub fn new(code: Code, span: Span, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: code.severity(),
            message: message.into(),
            primary: Some(Label { span, text: String::new() }),
            secondary: Vec::new(),
            help: None,
            fixes: Vec::new(),
        }
    }

    /// Sets the text at the primary place.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        if let Some(p) = &mut self.primary {
            p.text = text.into();
        }
        self
    }

    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.secondary.push(Label { span, text: text.into() });
        self
    }

    pub fn also_all(mut self, labels: impl IntoIterator<Item = (Span, String)>) -> Self {
        self.secondary.extend(labels.into_iter().map(|(span, text)| Label { span, text }));
        self
    }

    /// An empty text is ignored.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into()).filter(|t: &String| !t.is_empty());
        self
    }

    pub fn fix(mut self, title: impl Into<String>, span: Span, text: impl Into<String>, a: Applicability) -> Self {
        self.fixes.push(Fix { title: title.into(), edits: vec![Edit { span, text: text.into() }], applicability: a });
        self
    }

    /// Did you mean? The nearest of the names that would have been legal as a label and a fix, or nothing new.
    pub fn nearest<'a>(
        self,
        word: &str,
        span: Span,
        candidates: impl Iterator<Item = &'a str> + Clone,
        write: impl Fn(&str) -> String,
    ) -> Self {
        let Some(near) = suggest::nearest(word, candidates.clone()) else { return self };
        self.label(format!("did you mean `{near}`?")).fix(
            format!("replace `{word}` with `{near}`"),
            span,
            write(near),
            suggest::certainty(word, near, candidates),
        )
    }

    /// Turns the fixes into guesses, which nobody makes without asking.
    pub fn unsure(mut self) -> Self {
        self.fixes.iter_mut().for_each(|f| f.applicability = Applicability::Maybe);
        self
    }

    /// A fix that puts quotes around a place.
    pub fn quote(mut self, span: Span, applicability: Applicability) -> Self {
        let ends = [Span { end: span.start, ..span }, Span { start: span.end, ..span }];
        let edits = ends.map(|span| Edit { span, text: "\"".into() }).into();
        self.fixes.push(Fix { title: "put it in quotes".into(), edits, applicability });
        self
    }

    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Collects diagnostics; every pass takes one and goes on after reporting. What is asked while collecting does not look at all of
/// them: a spec may have as many mistakes as lines.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    errors: usize,
    by_code: HashMap<&'static str, OfCode>,
}

/// Where diagnostics of one code are in the list.
#[derive(Debug, Clone, Default)]
struct OfCode {
    count: usize,
    /// By the file and the start of their primary place.
    at: BTreeMap<(FileId, u32), Vec<usize>>,
}

impl Diagnostics {
    pub fn push(&mut self, d: Diagnostic) {
        let of = self.by_code.entry(d.code.name()).or_default();
        of.count += 1;
        if let Some(p) = &d.primary {
            of.at.entry((p.span.file, p.span.start)).or_default().push(self.list.len());
        }
        self.errors += usize::from(d.is_error());
        self.list.push(d);
    }

    pub fn extend(&mut self, other: impl IntoIterator<Item = Diagnostic>) {
        other.into_iter().for_each(|d| self.push(d));
    }

    /// Drops those of the first `many` that a later and better message makes needless.
    pub fn drop_earlier(&mut self, many: usize, needless: impl Fn(&Diagnostic) -> bool) {
        let mut at = 0;
        let mut list = std::mem::take(&mut self.list);
        list.retain(|d| {
            at += 1;
            at > many || !needless(d)
        });
        *self = Diagnostics::default();
        self.extend(list);
    }

    /// Those of a code whose primary place starts within `span`, the end included.
    fn within(&self, code: &str, span: Span) -> impl Iterator<Item = (usize, &Label)> {
        let of = self.by_code.get(code).into_iter();
        let found = of.flat_map(move |of| of.at.range((span.file, span.start)..=(span.file, span.end)));
        found.flat_map(|(_, all)| all).filter_map(|i| Some((*i, self.list[*i].primary.as_ref()?)))
    }

    /// Adds the help to what is said at exactly this place, where it has none.
    pub fn explain(&mut self, code: Code, span: Span, help: impl FnOnce() -> String) {
        let here = self.within(code.name(), span).find(|(_, p)| p.span == span).map(|(i, _)| i);
        if let Some(d) = here.map(|i| &mut self.list[i]).filter(|d| d.help.is_none()) {
            d.help = Some(help());
        }
    }

    /// Gives a fix to the first report of this code.
    pub fn add_fix(&mut self, code: Code, fix: Fix) {
        if self.count(code) > 0
            && let Some(d) = self.list.iter_mut().find(|d| d.code == code)
        {
            d.fixes.push(fix);
        }
    }

    /// Whether exactly this place has a report of this code.
    pub fn has(&self, code: Code, span: Span) -> bool {
        self.within(code.name(), span).any(|(_, p)| p.span == span)
    }

    /// Whether a place holds something that could not be read.
    pub fn any_syntax_within(&self, span: Span) -> bool {
        let unsure = |d: &Diagnostic| d.fixes.iter().all(|f| f.applicability == Applicability::Maybe);
        let mut syntax = self.by_code.keys().filter(|c| c.starts_with("mtl::syntax::"));
        syntax.any(|code| {
            let mut inside = self.within(code, span).filter(|(_, p)| p.span.end <= span.end);
            inside.any(|(i, _)| self.list[i].is_error() && unsure(&self.list[i]))
        })
    }

    /// Whether a place holds something that is never closed.
    pub fn any_unclosed_within(&self, span: Span) -> bool {
        let inside = |p: &Label| span.start < p.span.start && p.span.end <= span.end;
        self.within(codes::SYNTAX_UNCLOSED.name(), span).any(|(_, p)| inside(p))
    }

    /// How many reports of this code there are.
    pub fn count(&self, code: Code) -> usize {
        self.by_code.get(code.name()).map_or(0, |of| of.count)
    }

    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// In order of file and place, exact duplicates dropped, and what is said of a place that could not be read: there the
    /// meaning is a guess, and one mistake gives one message.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        let syntax = |d: &Diagnostic| d.code.name().starts_with("mtl::syntax::") && d.code != codes::SYNTAX_EDITION;
        // Where, and whether something stands there: what is missing is said of the end of what is before it, and belongs to that;
        // what merely follows without a blank does not.
        let mut unread: Vec<(FileId, u32, bool)> = self
            .list
            .iter()
            .filter(|d| syntax(d))
            .flat_map(|d| d.primary.iter().chain(&d.secondary).map(|p| (p.span, d.code == codes::SYNTAX_NUMBER)))
            // The rest of a number is glued to it in any layout.
            .map(|(span, glued)| (span.file, span.start, span.end > span.start && !glued))
            .collect();
        unread.sort_unstable();
        self.list.retain(|d| {
            let Some(p) = d.primary.as_ref().filter(|_| !d.code.name().starts_with("mtl::syntax::")) else {
                return true;
            };
            let at = unread.partition_point(|u| *u < (p.span.file, p.span.start, false));
            !unread.get(at).is_some_and(|u| u.0 == p.span.file && (u.1 < p.span.end || u.1 == p.span.end && !u.2))
        });
        self.list.sort_by_key(|d| (d.primary.as_ref().map(|l| l.span), d.severity, d.code.name()));
        self.list.dedup();
        self.list
    }
}
