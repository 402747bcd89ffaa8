//! Tree to canonical text. What could not be read is left as it is ([`mend`]) or refused ([`format`]), never guessed at.
//!
//! The layout: two blanks of indentation, one entry per line (a body that was written on one line and fits stays there), the
//! signs of consecutive one-line entries aligned, lines broken at 100 columns, at most one blank line, every comment
//! kept, and the line ends that most lines have. What stands inside an entry is `expr.rs`; how documents are broken into lines
//! is `doc.rs`; what is left alone is `kept.rs`; the lines that differ are `diff.rs`.

pub mod diff;
mod doc;
mod expr;
mod kept;

use doc::{Doc, INDENT, WIDTH, width};
use kept::Kept;

use crate::diag::Diagnostic;
use crate::source::FileId;
use crate::syntax::{Kind, Parse, SyntaxElement, SyntaxNode, parse};

/// Names on the left of a run of aligned entries differ in length by no more than this.
const ALIGN_SPREAD: usize = 16;

/// The canonical layout of a text; the text's problems if it has syntax errors.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let parse = parse(FileId(0), text);
    layout(&parse).map(|out| line_ends_of(text, out)).ok_or(parse.diagnostics)
}

/// A text laid out around what could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    pub text: String,
    /// The syntax errors of what was left as it is; their spans point into the text that was given.
    pub problems: Vec<Diagnostic>,
}

/// The canonical layout of what could be read; the rest stays as it is, byte for byte but for line ends.
pub fn mend(text: &str) -> Mended {
    let parse = parse(FileId(0), text);
    let out = layout(&parse).or_else(|| kept::around(&parse, text)).map(|out| line_ends_of(text, out));
    let problems = parse.diagnostics.into_iter().filter(Diagnostic::is_error).collect();
    Mended { text: out.unwrap_or_else(|| text.to_string()), problems }
}

/// The layout of a text that was read, with `\n` for line ends; `None` if it has syntax errors.
pub fn layout(parse: &Parse) -> Option<String> {
    if parse.has_errors() {
        return None;
    }
    let mut lines = Lines::default();
    sequence(&parse.syntax(), 0, &Kept::nothing(), &mut lines)?;
    Some(lines.finish())
}

/// Gives `out` the line ends that most lines of `text` have.
fn line_ends_of(text: &str, out: String) -> String {
    let both = text.matches("\r\n").count();
    let feeds = text.matches('\n').count() - both;
    // A comment of several lines was taken over with its own.
    let out = out.replace("\r\n", "\n");
    match () {
        _ if both > feeds => out.replace('\n', "\r\n"),
        _ if both + feeds == 0 && text.contains('\r') => out.replace('\n', "\r"),
        _ => out,
    }
}

/// The entries of a body, or the items of a file, one after the other. `None` where what is to be kept cannot be told apart
/// from its neighbours by lines.
fn sequence(node: &SyntaxNode, indent: usize, kept: &Kept, lines: &mut Lines) -> Option<()> {
    let mut line_ends = 0;
    let mut first = true;
    let mut skip_to = 0;
    for child in node.children_with_tokens() {
        if child.kind() == Kind::Whitespace {
            line_ends += count_line_ends(&child.to_string());
            continue;
        }
        if usize::from(child.text_range().start()) < skip_to {
            // It stands on a line that was kept. A bracket of this body there would be written twice.
            if matches!(child.kind(), Kind::LBrace | Kind::RBrace) || usize::from(child.text_range().end()) > skip_to {
                return None;
            }
            continue;
        }
        match child.kind() {
            Kind::Comma | Kind::LBrace | Kind::RBrace => {}
            Kind::Comment => {
                let text = child.to_string().trim_end().to_string();
                // Also the comment after an opening brace belongs to the line above.
                if line_ends == 0 && !lines.is_empty() {
                    lines.append_comment(&text);
                } else {
                    lines.comment(indent, text, !first && line_ends > 1);
                }
                line_ends = 0;
                first = false;
            }
            _ => {
                let blank_before = !first && line_ends > 1;
                let written = lines.len();
                let laid_out = match &child {
                    SyntaxElement::Node(entry) if kept.allows(entry) => {
                        statement(entry, indent, blank_before, kept, lines)
                    }
                    _ => None,
                };
                if laid_out.is_none() {
                    if kept.is_nothing() {
                        continue;
                    }
                    lines.truncate(written);
                    let (raw, end) = kept.lines_of(&child)?;
                    skip_to = end;
                    lines.push(Line { left: raw, blank_before, ..Line::default() });
                }
                line_ends = 0;
                first = false;
            }
        }
    }
    Some(())
}

fn count_line_ends(text: &str) -> usize {
    text.matches('\n').count() + text.replace("\r\n", "").matches('\r').count()
}

/// What an entry says before and after the sign that runs of entries are aligned at.
struct Sides {
    left: Vec<Doc>,
    sign: &'static str,
    right: Vec<Doc>,
    body: Option<SyntaxNode>,
}

/// One item or entry.
fn statement(node: &SyntaxNode, indent: usize, blank_before: bool, kept: &Kept, lines: &mut Lines) -> Option<()> {
    let Sides { left, sign, right, body } = sides(node);
    let align = node.kind() != Kind::Item && node.kind() != Kind::Edition;
    // An empty body is short however it was written.
    let short = body.as_ref().and_then(|b| if is_empty(b) { Some("{}".to_string()) } else { one_line_body(b) });
    if let Some(short) = &short
        && let [left_text, right_text] = [&left, &right].map(|d| doc::flat(d))
        && !has_comment(&left)
        && !has_comment(&right)
    {
        let gap = if right_text.is_empty() { "" } else { " " };
        let right_text = format!("{right_text}{gap}{short}");
        let sign_width = if sign.is_empty() { 0 } else { sign.len() + 1 };
        if indent + width(&left_text) + 1 + sign_width + width(&right_text) <= WIDTH {
            // A body alone on the right is aligned at its brace.
            let sign = match sign {
                "" if short == "{}" => "{}",
                "" => "{",
                other => other,
            };
            let right_text = match sign {
                "{" | "{}" => right_text[sign.len()..].trim_start().to_string(),
                _ => right_text,
            };
            lines.push(Line {
                indent,
                left: left_text,
                sign,
                right: right_text,
                blank_before,
                align,
                ..Line::default()
            });
            return Some(());
        }
    }
    let mut whole = left;
    let left_text = doc::flat(&whole);
    let comments_left = has_comment(&whole);
    if !sign.is_empty() {
        whole.push(Doc::text(format!(" {sign}")));
    }
    if !right.is_empty() {
        whole.push(Doc::text(" "));
        whole.extend(right);
    }
    let ends_in_body = body.as_ref().map(|_| Doc::text(" {"));
    whole.extend(ends_in_body);
    let text = doc::render(&whole, indent, indent);
    let Some(body) = body else {
        let one_line = !text.contains('\n') && !comments_left;
        if one_line && !sign.is_empty() {
            let right = text[left_text.len() + sign.len() + 2..].to_string();
            lines.push(Line { indent, left: left_text, sign, right, blank_before, align, ..Line::default() });
        } else {
            lines.push(Line { indent, left: text, blank_before, ..Line::default() });
        }
        return Some(());
    };
    if is_empty(&body) {
        lines.push(Line { indent, left: text + "}", blank_before, ..Line::default() });
        return Some(());
    }
    lines.push(Line { indent, left: text, blank_before, ..Line::default() });
    sequence(&body, indent + INDENT, kept, lines)?;
    lines.push(Line { indent, left: "}".to_string(), ..Line::default() });
    Some(())
}

fn sides(node: &SyntaxNode) -> Sides {
    let mut sides = Sides { left: Vec::new(), sign: "", right: Vec::new(), body: None };
    for child in node.children_with_tokens() {
        let Sides { left, sign, right, .. } = &mut sides;
        let side = if sign.is_empty() { left } else { right };
        if let Some(comment) = expr::comment(&child) {
            side.push(comment);
            continue;
        }
        match &child {
            SyntaxElement::Token(token) => match token.kind() {
                Kind::Whitespace => {}
                Kind::Eq => *sign = "=",
                Kind::LArrow => *sign = "<-",
                Kind::Comma => side.extend([Doc::text(","), Doc::Line]),
                _ => word(side, token.text()),
            },
            SyntaxElement::Node(part) => match part.kind() {
                Kind::Body => sides.body = Some(part.clone()),
                Kind::Index | Kind::Params => side.extend(expr::value(&child)),
                Kind::TypeClause | Kind::ForClause | Kind::OnClause | Kind::OverClause => clause(part, side),
                Kind::Path if node.kind() != Kind::Edge => {
                    side.push(Doc::text(" "));
                    side.extend(expr::value(&child));
                }
                _ => side.extend(expr::value(&child)),
            },
        }
    }
    if node.kind() == Kind::Edge {
        let left = std::mem::take(&mut sides.left);
        // A long list of tasks fills its lines; with comments among them, each has its own.
        let left = if has_comment(&left) { left } else { vec![Doc::Fill(targets(left))] };
        sides.left = vec![Doc::Group(vec![Doc::Indent(left)])];
    }
    sides
}

/// The targets of a line, each with the comma after it.
fn targets(parts: Vec<Doc>) -> Vec<Doc> {
    let mut out: Vec<String> = vec![String::new()];
    for part in parts {
        match part {
            Doc::Line => out.push(String::new()),
            part => out.last_mut().into_iter().for_each(|t| t.push_str(&doc::flat(std::slice::from_ref(&part)))),
        }
    }
    out.into_iter().map(Doc::Text).collect()
}

/// A token of a header: the first stands alone, the others after a blank.
fn word(side: &mut Vec<Doc>, text: &str) {
    if !side.is_empty() {
        side.push(Doc::text(" "));
    }
    side.push(Doc::text(text));
}

/// `: type`, `for a, b`, `on a, b`, `over a`.
fn clause(node: &SyntaxNode, side: &mut Vec<Doc>) {
    for child in node.children_with_tokens() {
        match child.kind() {
            Kind::Whitespace => {}
            Kind::Colon => side.push(Doc::text(": ")),
            Kind::Comma => side.push(Doc::text(", ")),
            Kind::KwFor | Kind::KwOn | Kind::KwOver => side.push(Doc::text(format!(" {child} "))),
            _ => match expr::comment(&child) {
                Some(comment) => side.push(comment),
                None => side.extend(expr::value(&child)),
            },
        }
    }
}

fn has_comment(parts: &[Doc]) -> bool {
    parts.iter().any(|d| match d {
        Doc::Comment { .. } => true,
        Doc::Group(inner) | Doc::Indent(inner) | Doc::Fill(inner) => has_comment(inner),
        _ => false,
    })
}

fn is_empty(body: &SyntaxNode) -> bool {
    body.children_with_tokens().all(|c| matches!(c.kind(), Kind::LBrace | Kind::RBrace | Kind::Whitespace))
}

/// A body that was written on one line and may fit one, on one line: `{ a = 1, b = 2 }`.
fn one_line_body(body: &SyntaxNode) -> Option<String> {
    // Every level of a nested body asks, so that none may read all that is in it.
    let mut least = 0;
    for token in body.descendants_with_tokens().filter_map(|e| e.into_token()) {
        match token.kind() {
            Kind::Whitespace if expr::has_line_end(token.text()) => return None,
            Kind::Whitespace | Kind::Comma => {}
            _ => least += width(token.text()),
        }
        if least > WIDTH {
            return None;
        }
    }
    Some(joined_body(body))
}

fn joined_body(body: &SyntaxNode) -> String {
    let mut entries = Vec::new();
    for entry in body.children() {
        let Sides { left, sign, right, body } = sides(&entry);
        let mut text = doc::flat(&left);
        if !sign.is_empty() {
            text.push_str(&format!(" {sign}"));
        }
        let right = doc::flat(&right);
        for part in [Some(right).filter(|r| !r.is_empty()), body.map(|b| joined_body(&b))].into_iter().flatten() {
            text.push(' ');
            text.push_str(&part);
        }
        entries.push(text);
    }
    if entries.is_empty() { "{}".to_string() } else { format!("{{ {} }}", entries.join(", ")) }
}

/// One entry or comment, laid out but for the alignment with its neighbours.
#[derive(Default)]
struct Line {
    indent: usize,
    /// Everything, if there is no sign; may be several lines.
    left: String,
    sign: &'static str,
    right: String,
    /// ` # ...` at the end of the line.
    comment: Option<String>,
    blank_before: bool,
    align: bool,
}

#[derive(Default)]
struct Lines {
    list: Vec<Line>,
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    fn push(&mut self, line: Line) {
        self.list.push(line);
    }

    fn len(&self) -> usize {
        self.list.len()
    }

    fn truncate(&mut self, len: usize) {
        self.list.truncate(len);
    }

    fn comment(&mut self, indent: usize, text: String, blank_before: bool) {
        self.push(Line { indent, left: text, blank_before, ..Line::default() });
    }

    fn append_comment(&mut self, text: &str) {
        if let Some(last) = self.list.last_mut() {
            last.comment = Some(text.to_string());
        }
    }

    fn finish(self) -> String {
        let mut out = String::new();
        let mut at = 0;
        while at < self.list.len() {
            let run = self.run_from(at);
            let widest = self.list[at..run].iter().map(|l| width(&l.left)).max().unwrap_or(0);
            let overflows = |l: &Line| l.indent + widest + l.sign.len() + 2 + width(&l.right) > WIDTH;
            let aligned = !self.list[at..run].iter().any(overflows);
            for line in &self.list[at..run] {
                line.write(if aligned { widest } else { 0 }, out.is_empty(), &mut out);
            }
            at = run;
        }
        out
    }

    /// The end of the run of entries aligned with the one at `start`.
    fn run_from(&self, start: usize) -> usize {
        let first = &self.list[start];
        if !first.align {
            return start + 1;
        }
        let (mut least, mut most) = (width(&first.left), width(&first.left));
        let mut end = start + 1;
        while let Some(line) = self.list.get(end) {
            let here = width(&line.left);
            (least, most) = (least.min(here), most.max(here));
            let belongs = line.align && line.sign == first.sign && line.indent == first.indent && !line.blank_before;
            if !belongs || most - least > ALIGN_SPREAD {
                break;
            }
            end += 1;
        }
        end
    }
}

impl Line {
    fn write(&self, left_width: usize, first: bool, out: &mut String) {
        if self.blank_before && !first {
            out.push('\n');
        }
        out.push_str(&" ".repeat(self.indent));
        out.push_str(&self.left);
        if !self.sign.is_empty() {
            let fill = left_width.saturating_sub(width(&self.left));
            out.push_str(&" ".repeat(fill + 1));
            out.push_str(self.sign);
            if !self.right.is_empty() {
                out.push(' ');
                out.push_str(&self.right);
            }
        }
        if let Some(comment) = &self.comment {
            out.push_str("  ");
            out.push_str(comment);
        }
        out.push('\n');
    }
}
