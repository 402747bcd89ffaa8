//! Text that lacks its quotes: several words where one value belongs. It is read as the text that it surely is.

use super::ast::{BinaryOp, Expr, ExprKind, Name, UNITS};
use super::read::Reader;
use super::tree::{Kind, SyntaxElement, SyntaxNode, SyntaxToken};
use crate::diag::{Applicability, Diagnostic, Edit, Fix, codes};
use crate::source::Span;

/// A stretch of the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub start: usize,
    pub end: usize,
}

impl Run {
    pub fn contains(&self, at: usize) -> bool {
        self.start <= at && at < self.end
    }
}

impl Reader<'_> {
    /// The runs of words without a comma in a list whose other values are quoted text. Reported when first asked for.
    pub(super) fn unquoted_runs(&mut self, node: &SyntaxNode) -> Vec<Run> {
        if !matches!(node.kind(), Kind::List | Kind::Index) {
            return Vec::new();
        }
        let mut groups: Vec<(Run, usize, bool)> = Vec::new();
        let mut open = false;
        for child in node.children_with_tokens() {
            match child.kind() {
                Kind::Whitespace if child.as_token().is_some_and(|t| t.text().contains(['\n', '\r'])) => open = false,
                Kind::Comma | Kind::Comment => open = false,
                // It was meant to be a comma.
                Kind::Odd if child.to_string().starts_with(';') => open = false,
                Kind::Arg | Kind::Odd => {
                    let (start, end) = (child.text_range().start().into(), child.text_range().end().into());
                    let quoted = holds_text(&child);
                    match groups.last_mut().filter(|_| open) {
                        Some((run, count, text)) => {
                            run.end = end;
                            *count += 1;
                            *text |= quoted;
                        }
                        None => groups.push((Run { start, end }, 1, quoted)),
                    }
                    open = true;
                }
                _ => {}
            }
        }
        // Beside names without quotes, two names in a row lack a comma.
        let single = |text: bool| groups.iter().any(|(_, count, quoted)| *count == 1 && *quoted == text);
        if !single(true) || single(false) {
            return Vec::new();
        }
        let runs: Vec<Run> = groups.iter().filter(|(_, count, quoted)| *count > 1 && !quoted).map(|g| g.0).collect();
        for run in &runs {
            self.report_unquoted(self.at(run.start, run.end));
        }
        runs
    }

    /// What follows a value on its line, and does not belong to it: perhaps the value is text.
    pub(super) fn after_value(&mut self, value: &mut Expr, junk: &SyntaxToken) {
        let tail = self.trimmed(junk);
        let begins = self.text[tail.range()].chars().next();
        if begins == Some('=') && matches!(last_operand(value).kind, ExprKind::Path(_)) {
            self.report_single_equals(self.at(tail.start as usize, tail.start as usize + 1));
            *value = Expr { kind: ExprKind::Missing, span: value.span };
            return;
        }
        if let Some(help) = foreign_form(&self.text[tail.range()]) {
            self.meant.push(value.span.to(tail));
            let message = format!("`{}` does not belong here", super::report::excerpt(&self.text[tail.range()]));
            self.kept.push(
                Diagnostic::new(codes::SYNTAX_UNEXPECTED, tail, message).label("not of this language").help(help),
            );
            *value = Expr { kind: ExprKind::Missing, span: value.span };
            return;
        }
        let end = match begins {
            // `.5`
            Some('.') if self.text[tail.range()][1..].starts_with(|c: char| c.is_ascii_digit()) => {
                return self.junk(junk);
            }
            Some(c) if c.is_alphanumeric() || "_.:+?/%".contains(c) => tail.end,
            _ => return self.junk(junk),
        };
        let operand = last_operand(value);
        let unit = self.text[tail.range()].split_whitespace().next_back().is_some_and(|w| UNITS.contains(&w));
        if unit {
            return self.report_wordy_duration(operand.span.to(tail));
        }
        if !is_word(operand) {
            return self.junk(junk);
        }
        let span = self.at(operand.span.start as usize, end as usize);
        set_last_operand(value, Expr { kind: ExprKind::Str(self.text[span.range()].to_string()), span });
        value.span.end = end;
        self.report_unquoted(span);
    }

    /// `use parts/data.mtl`
    pub(super) fn unquoted_import(&mut self, name: &mut Name, junk: &SyntaxToken) {
        let tail = self.trimmed(junk);
        let span = self.at(name.span.start as usize, tail.end as usize);
        *name = Name { text: self.text[span.range()].to_string(), quoted: true, span };
        self.report_unquoted(span);
    }

    /// `fifteen epochs`
    fn report_wordy_duration(&mut self, span: Span) {
        self.meant.push(span);
        let d = Diagnostic::new(codes::SYNTAX_NUMBER, span, "a length of training is a number and a unit")
            .label("words")
            .help("write the number in digits: `15 epochs`, `500 steps`, or `15` alone for epochs");
        self.push(d);
    }

    fn report_unquoted(&mut self, span: Span) {
        if self.meant.contains(&span) {
            return;
        }
        self.meant.push(span);
        let text = &self.text[span.range()];
        let ends = [span.start, span.end].map(|at| self.at(at as usize, at as usize));
        let edits = ends.iter().map(|at| Edit { span: *at, text: "\"".into() }).collect();
        let mut d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "text stands in quotes".to_string())
            .label("several words are one text only in quotes");
        let applicability = if is_plain_text(text) { Applicability::Safe } else { Applicability::Maybe };
        d.fixes.push(Fix { title: format!("write {text:?}"), edits, applicability });
        self.push(d);
    }
}

/// What follows a value in other languages, and what is written in its place.
fn foreign_form(tail: &str) -> Option<&'static str> {
    let words: Vec<&str> = tail.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|w| !w.is_empty()).collect();
    let words: Vec<String> = words.iter().map(|w| w.to_lowercase()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let tail = tail.to_lowercase();
    let first = words.first().copied().filter(|w| tail.starts_with(w)).unwrap_or_default();
    Some(match first {
        "if" if words.contains(&"else") => {
            "a value does not depend on a condition: declare a `param` and set it with `--set NAME=VALUE`"
        }
        "" if tail.starts_with('?') => {
            "a value does not depend on a condition: declare a `param` and set it with `--set NAME=VALUE`"
        }
        "is" if words.last() == Some(&"null") || words.last() == Some(&"none") => {
            "rows without a value are left out with `mask = ...`; a missing label is left out by itself"
        }
        "in" => "a value is compared with several in a list: `d.x in [1, 2]`",
        "is" if words.get(1) == Some(&"not") => "two values are compared with `!=`",
        "is" => "two values are compared with `==`",
        "between" => "a range is two comparisons: `d.x >= 1 and d.x <= 5`",
        "like" | "matches" | "contains" => "text is compared as a whole: `d.x == \"text\"`, `d.x in [\"a\", \"b\"]`",
        "" if tail.starts_with('.') && tail.contains('(') => "values have no methods: ops follow one another with `->`",
        _ => return None,
    })
}

/// Whether a text can be nothing but words or a path without their quotes: no operator, bracket or number of an expression is in it.
fn is_plain_text(text: &str) -> bool {
    const OPERATORS: [&str; 6] = ["in", "not", "and", "or", "is", "if"];
    let word = |w: &str| {
        w.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && w.chars().all(|c| c.is_alphanumeric() || c == '_')
            && !OPERATORS.contains(&w.to_lowercase().as_str())
    };
    text.split_whitespace().all(word) || is_path(text)
}

/// Whether a text is a path: no blanks, and a beginning or an extension that only a path has.
pub(crate) fn is_path(text: &str) -> bool {
    let extension = text.rsplit_once('.').map(|(_, e)| e).unwrap_or_default();
    let known = [
        "csv",
        "tsv",
        "txt",
        "gz",
        "npy",
        "npz",
        "png",
        "jpg",
        "jpeg",
        "mtl",
        "json",
        "safetensors",
        "data",
        "parquet",
    ];
    text.chars().all(|c| c.is_alphanumeric() || "_-./~".contains(c))
        && (["./", "../", "/", "~/"].iter().any(|b| text.starts_with(b)) || known.contains(&extension))
}

/// Whether an element of a list is quoted text.
fn holds_text(element: &SyntaxElement) -> bool {
    let tokens = element.as_node().into_iter().flat_map(|n| n.descendants_with_tokens());
    tokens.filter_map(|e| e.into_token()).any(|t| matches!(t.kind(), Kind::Str | Kind::OpenStr))
}

/// The right side of the last comparison, or the whole.
fn last_operand(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Binary { op, right, .. } if compares(*op) => last_operand(right),
        _ => expr,
    }
}

fn set_last_operand(expr: &mut Expr, new: Expr) {
    match &mut expr.kind {
        ExprKind::Binary { op, right, .. } if compares(*op) => set_last_operand(right, new),
        _ => *expr = new,
    }
}

fn compares(op: BinaryOp) -> bool {
    use BinaryOp::*;
    matches!(op, Eq | Ne | And | Or | Lt | Le | Gt | Ge)
}

/// A name, or names and numbers between signs: not what is surely a number, a list or text already.
fn is_word(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Path(_) | ExprKind::Missing => true,
        ExprKind::Binary { left, right, .. } => {
            let leaf = |e: &Expr| matches!(e.kind, ExprKind::Int(_) | ExprKind::Float(_));
            (is_word(left) || leaf(left)) && (is_word(right) || leaf(right))
        }
        ExprKind::Unary { operand, .. } => is_word(operand),
        _ => false,
    }
}
