//! What stands between brackets: is it separated, and is the bracket closed?
//!
//! The grammar lets commas and closing brackets be missing; here they are missed, with the place where each was expected.

use super::read::Reader;
use super::tree::{Kind, SyntaxElement, SyntaxNode, SyntaxToken};
use crate::diag::{Applicability, Diagnostic, codes};
use crate::source::Span;

impl Reader<'_> {
    /// Looks at commas, strange text and the closing bracket of a list, a call, a header or a body.
    pub(super) fn separators(&mut self, node: &SyntaxNode) {
        let in_body = matches!(node.kind(), Kind::Body | Kind::BareBody);
        let runs = if in_body { Vec::new() } else { self.unquoted_runs(node) };
        let mut open = None;
        let mut before: Option<SyntaxElement> = None;
        let mut comma: Option<SyntaxToken> = None;
        let mut line_end = false;
        for child in node.children_with_tokens() {
            match child.kind() {
                Kind::LBrace | Kind::LBracket | Kind::LParen => open = Some(self.span(child.text_range())),
                Kind::RBrace | Kind::RBracket | Kind::RParen | Kind::Comment => {}
                Kind::MissingOpen => {}
                Kind::Whitespace => line_end |= child.as_token().is_some_and(|t| t.text().contains(['\n', '\r'])),
                Kind::Comma => {
                    let repeated = comma.is_some() || before.is_none();
                    if let (true, Some(token)) = (repeated, child.as_token()) {
                        self.report_spare_comma(token);
                    }
                    comma = child.into_token();
                }
                Kind::MissingClose => {
                    let end = self.span(child.text_range());
                    let open = open.unwrap_or(end);
                    let likely =
                        self.likely_unclosed(node).or_else(|| self.likely_argument(node).map(|end| (open, end)));
                    let (open, end) = likely.unwrap_or((open, end));
                    self.report_unclosed(node.kind(), open, end);
                }
                kind => {
                    let strange = matches!(kind, Kind::Odd | Kind::Junk);
                    if kind == Kind::Odd {
                        child.as_token().into_iter().for_each(|t| self.junk(t));
                    }
                    let separated = comma.is_some() || in_body && line_end;
                    let in_text = runs.iter().any(|r| {
                        r.contains(usize::from(child.text_range().start()))
                            && before.as_ref().is_some_and(|b| r.contains(usize::from(b.text_range().start())))
                    });
                    if let (false, Some(before)) = (separated || strange || in_text, &before)
                        && !matches!(before.kind(), Kind::Odd | Kind::Junk)
                        && !ends_missing(before)
                    {
                        let end = self.span(before.text_range()).end as usize;
                        match in_body && !sets_something(&child) {
                            true => self.report_lone_word(&child),
                            false => self.report_missing_comma(self.at(end, end), in_body),
                        }
                    }
                    before = Some(child);
                    comma = None;
                    line_end = false;
                }
            }
        }
    }

    /// A forgotten `}` makes the next one close the wrong brace. By its indentation, the body inside `node` that was meant to
    /// be closed earlier: where it was opened, and where it should have ended.
    fn likely_unclosed(&self, node: &SyntaxNode) -> Option<(Span, Span)> {
        let inner = node.descendants().filter(|n| n.kind() == Kind::Body && n != node);
        for body in inner.filter(|n| n.text().contains_char('\n')) {
            let (open, close) = (body.first_token()?, body.last_token()?);
            let (outer, closer) = (self.indentation(open.text_range()), self.indentation(close.text_range()));
            if close.kind() != Kind::RBrace || !self.begins_line(close.text_range()) || closer >= outer {
                continue;
            }
            let outside =
                |e: &SyntaxNode| self.begins_line(e.text_range()) && self.indentation(e.text_range()) <= outer;
            let late = body.children().skip(1).find(outside);
            let end = late.and_then(|e| e.prev_sibling()).or_else(|| body.last_child())?;
            let end = usize::from(end.text_range().end());
            return Some((self.span(open.text_range()), self.at(end, end)));
        }
        None
    }

    /// A forgotten `)` lets the rest of a chain slip into the last argument: `conv(8, kernel = 3 -> relu`. No argument with a
    /// name or a number at its start is a chain, so there the call was meant to end.
    fn likely_argument(&self, node: &SyntaxNode) -> Option<Span> {
        if matches!(node.kind(), Kind::List | Kind::Index) {
            // `[a, b, key = value`: no list has names with `=`.
            let named = |n: &SyntaxNode| n.children_with_tokens().any(|c| c.kind() == Kind::Eq);
            let stray = node.children().find(named)?;
            let end = usize::from(stray.prev_sibling()?.text_range().end());
            return Some(self.at(end, end));
        }
        if node.kind() != Kind::Args {
            return None;
        }
        let last = node.children().filter(|c| matches!(c.kind(), Kind::Arg | Kind::OddArg)).last()?;
        let expr = last.children().find(|c| c.kind() == Kind::Expr)?;
        // `mix(softmax, query = a[b, c]`: no query is a selection.
        let of_mix = node.prev_sibling().is_some_and(|c| c.text() == "mix");
        if let Some(index) = expr.descendants().find(|n| n.kind() == Kind::Index).filter(|_| of_mix) {
            let at = usize::from(index.text_range().start());
            return Some(self.at(at, at));
        }
        let arrow = expr.children_with_tokens().position(|c| c.kind() == Kind::Arrow)?;
        let before: Vec<SyntaxElement> =
            expr.children_with_tokens().take(arrow).filter(|c| !c.kind().is_trivia()).collect();
        let named = last.children_with_tokens().any(|c| c.kind() == Kind::Eq);
        let merged = !named && is_merge_call(node);
        if !merged || before.first().is_some_and(|b| b.kind() == Kind::Number) {
            let end = usize::from(before.last()?.text_range().end());
            return Some(self.at(end, end));
        }
        None
    }

    /// The text before a place, on its line.
    fn line_before(&self, range: rowan::TextRange) -> &str {
        let before = &self.text[..usize::from(range.start())];
        &before[before.rfind(['\n', '\r']).map_or(0, |i| i + 1)..]
    }

    fn begins_line(&self, range: rowan::TextRange) -> bool {
        self.line_before(range).trim().is_empty()
    }

    /// The blanks that the line of a place begins with.
    fn indentation(&self, range: rowan::TextRange) -> usize {
        let line = self.line_before(range);
        line.len() - line.trim_start().len()
    }

    /// A word after an entry, on its line, that begins no other entry.
    fn report_lone_word(&mut self, element: &SyntaxElement) {
        let span = self.span(element.text_range());
        let text = element.to_string();
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("`{text}` does not belong here"))
            .label("expected a line end, or `,` and another entry")
            .help("text of several words stands in quotes; a duration is a number and a unit: `15 epochs`");
        self.meant.push(span);
        self.push(d);
    }

    fn report_missing_comma(&mut self, span: Span, in_body: bool) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "a comma is missing")
            .label(if in_body { "expected `,` or a line end" } else { "expected `,`" })
            .fix("insert `,`", span, ",", Applicability::Safe);
        self.push(d);
    }

    fn report_spare_comma(&mut self, token: &SyntaxToken) {
        let span = self.span(token.text_range());
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "a comma with nothing before it")
            .label("one too many")
            .fix("remove the comma", span, "", Applicability::Safe);
        self.push(d);
    }

    fn report_unclosed(&mut self, kind: Kind, open: Span, end: Span) {
        let (bracket, close) = match kind {
            Kind::Body => ("{", "}"),
            Kind::List | Kind::Index => ("[", "]"),
            _ => ("(", ")"),
        };
        let insertion = if kind == Kind::Body { "\n}" } else { close };
        let d = Diagnostic::new(codes::SYNTAX_UNCLOSED, open, format!("`{bracket}` is never closed"))
            .label("opened here")
            .also(end, format!("expected `{close}` here"))
            .fix(format!("insert `{close}`"), end, insertion, Applicability::Maybe);
        self.push(d);
    }
}

/// Whether this is an entry, and not a word that says nothing.
fn sets_something(element: &SyntaxElement) -> bool {
    let says = |k: Kind| {
        matches!(k, Kind::Eq | Kind::EqEq | Kind::Colon | Kind::MissingEq | Kind::Body | Kind::BareBody | Kind::LArrow)
    };
    element.as_node().is_none_or(|n| n.children_with_tokens().any(|c| says(c.kind())))
}

/// Whether these arguments are values that are merged, which may be chains.
fn is_merge_call(args: &SyntaxNode) -> bool {
    args.children().next().is_some_and(|a| super::habits::is_merge(&a))
}

/// Whether the last thing in an element is missing, so that what follows it is explained.
fn ends_missing(element: &SyntaxElement) -> bool {
    use Kind::*;
    let mut last = element.clone();
    while let SyntaxElement::Node(node) = &last {
        if matches!(
            node.kind(),
            MissingValue | MissingOperand | MissingName | MissingType | MissingArrow | MissingClose
        ) {
            return true;
        }
        match node.last_child_or_token() {
            Some(child) => last = child,
            None => return false,
        }
    }
    matches!(last.kind(), Junk)
}
