//! What is written as in other languages, and what is surely an `=` forgotten: the grammar reads it as what it means, and here it
//! is said, with the fix. One walk over all tokens.

use super::ast::{ITEM_KEYWORDS, NESTED_KEYWORDS};
use super::literal;
use super::read::Reader;
use super::tree::{Kind, SyntaxElement, SyntaxNode, SyntaxToken, is_strange_blank};
use crate::diag::{Applicability, Diagnostic, Edit, Fix, codes};

impl Reader<'_> {
    pub(super) fn habits(&mut self, root: &SyntaxNode) {
        for element in root.descendants_with_tokens() {
            match &element {
                SyntaxElement::Token(token) => match token.kind() {
                    Kind::Whitespace => self.strange_blanks(token),
                    Kind::Comment if !token.text().starts_with('#') => self.foreign_comment(token),
                    Kind::Str if !token.text().starts_with('"') => self.foreign_quotes(token),
                    Kind::Arrow if token.text() != "->" => self.foreign_arrow(token, "->", "goes into"),
                    Kind::LArrow if token.text() != "<-" => self.foreign_arrow(token, "<-", "reads"),
                    Kind::EqEq | Kind::Colon => self.foreign_equals(token),
                    Kind::AndSign | Kind::OrSign | Kind::KwNot | Kind::Ne => self.foreign_operator(token),
                    Kind::Ident if !token.text().is_ascii() => self.foreign_letters(token),
                    Kind::HyphenName => self.hyphen(token),
                    _ => {}
                },
                SyntaxElement::Node(node) if node.kind() == Kind::MissingEq => self.missing_equals(node),
                SyntaxElement::Node(node) if node.kind() == Kind::MissingOpen => self.missing_open(node),
                SyntaxElement::Node(node) if node.kind() == Kind::BareFor => self.missing_for(node),
                SyntaxElement::Node(_) => {}
            }
        }
    }

    fn strange_blanks(&mut self, token: &SyntaxToken) {
        let text = token.text();
        let Some(at) = text.find(is_strange_blank) else { return };
        let start = self.span(token.text_range()).start as usize + at;
        let run = text[at..].find(|c| !is_strange_blank(c)).map_or(text.len(), |n| at + n) - at;
        let number = text[at..].chars().next().map_or(0, |c| c as u32);
        let span = self.at(start, start + run);
        let d = Diagnostic::new(
            codes::SYNTAX_UNEXPECTED,
            span,
            format!("the character U+{number:04X} looks like a blank and is none"),
        )
        .label("another character than the blank of the keyboard")
        .fix(
            if number == 0x200B { "remove it" } else { "replace it with a blank" },
            span,
            if number == 0x200B { "" } else { " " },
            Applicability::Safe,
        );
        self.push(d);
    }

    fn foreign_comment(&mut self, token: &SyntaxToken) {
        let span = self.span(token.text_range());
        let text = token.text();
        let start = span.start as usize;
        let sign = &text[..2];
        let head = self.at(start, start + sign.len());
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, head, format!("a comment begins with `#`, not `{sign}`"))
            .label("not a comment in this language");
        let several = text.contains(['\n', '\r']);
        let d = match text.strip_suffix("*/") {
            Some(_) if sign == "/*" && several => self.block_comment(d, token),
            _ if sign != "/*" && self.may_calculate(start, &text[2..]) => {
                let d = d.label("a comment of other languages, or an operator").fix(
                    "for a comment, write `#`",
                    head,
                    "#",
                    Applicability::Maybe,
                );
                match sign {
                    "//" => d.fix("for a division, write `/`", head, "/", Applicability::Maybe),
                    _ => d,
                }
            }
            _ if sign != "/*" => d.fix(format!("replace `{sign}` with `#`"), head, "#", Applicability::Safe),
            // It begins lines further down.
            None => d.help("a comment ends with its line: begin each line with `#`").fix(
                "replace `/*` with `#`",
                head,
                "#",
                Applicability::Maybe,
            ),
            Some(_) if !self.ends_line(span.end as usize) => {
                d.help("a comment ends with its line").fix("remove it", span, "", Applicability::Maybe)
            }
            Some(inside) => {
                let end = self.at(start + inside.trim_end().len(), span.end as usize);
                let edits = vec![Edit { span: head, text: "#".into() }, Edit { span: end, text: String::new() }];
                let title = "replace `/*` with `#`, and remove `*/`".to_string();
                let mut d = d;
                d.fixes.push(Fix { title, edits, applicability: Applicability::Safe });
                d
            }
        };
        self.push(d);
    }

    /// Whether `//` or `--` may be meant as an operator: a value stands before it on its line, and the rest of the line is a value.
    fn may_calculate(&self, sign: usize, after: &str) -> bool {
        let before = self.text[..sign].trim_end_matches([' ', '\t']).chars().next_back();
        let operand = before.is_some_and(|c| c.is_alphanumeric() || "_)]\"".contains(c));
        // The brackets that close a body may be part of it, too.
        let rest = after.trim().trim_end_matches(['}', ')', ']', ',', ' ']);
        // A second sign of this kind would be looked at in the same way again.
        let again = ["//", "--", "/*"].iter().any(|s| rest.contains(s));
        operand && rest.len() < 200 && (again || crate::syntax::expression(rest).is_some())
    }

    /// A comment of several lines: each gets its `#`.
    fn block_comment(&self, mut d: Diagnostic, token: &SyntaxToken) -> Diagnostic {
        let (start, text) = (usize::from(token.text_range().start()), token.text());
        let end = start + text.len();
        let mut edits = vec![Edit { span: self.at(start, start + 2), text: "#".into() }];
        for (i, _) in text.match_indices('\n') {
            edits.push(Edit { span: self.at(start + i + 1, start + i + 1), text: "# ".into() });
        }
        edits.push(Edit { span: self.at(end - 2, end), text: String::new() });
        d.fixes.push(Fix {
            title: "begin each line with `#`".into(),
            edits,
            // What follows it on its last line would become part of it.
            applicability: if self.ends_line(end) { Applicability::Safe } else { Applicability::Maybe },
        });
        d.help("a comment ends with its line")
    }

    fn foreign_quotes(&mut self, token: &SyntaxToken) {
        let span = self.span(token.text_range());
        let text = token.text();
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else { return };
        let inside = &text[first.len_utf8()..text.len() - last.len_utf8()];
        let what = if first == '\'' { "single" } else { "curly" };
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("text stands in `\"`, not in {what} quotes"))
            .label(format!("quoted with `{first}`"))
            .fix(format!("write {inside:?}"), span, format!("{inside:?}"), Applicability::Safe);
        self.push(d);
    }

    fn foreign_arrow(&mut self, token: &SyntaxToken, right: &str, means: &str) {
        let span = self.span(token.text_range());
        let text = token.text();
        let rest = self.text[span.end as usize..].trim_start();
        if text == "=>" && rest.starts_with(|c: char| c.is_ascii_digit() || "-\"'".contains(c)) {
            // Nothing flows into a number or a text.
            let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "`=>` does not compare")
                .label("expected `>=`")
                .fix("replace `=>` with `>=`", span, ">=", Applicability::Safe);
            return self.push(d);
        }
        let d =
            Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("the arrow is written `{right}`, not `{text}`"))
                .label(format!("expected `{right}`: the left {means} the right"))
                .fix(format!("replace `{text}` with `{right}`"), span, right, Applicability::Safe);
        self.push(d);
    }

    /// `&&`, `!`, `<>` and others.
    fn foreign_operator(&mut self, token: &SyntaxToken) {
        let span = self.span(token.text_range());
        let text = token.text();
        let before_bracket = self.text[span.end as usize..].trim_start().starts_with('(');
        // `!a == b` and `a & b == c` bind in another way elsewhere.
        let (right, how) = match text {
            "&&" => ("and", Applicability::Safe),
            "||" => ("or", Applicability::Safe),
            "&" => ("and", Applicability::Maybe),
            "|" => ("or", Applicability::Maybe),
            "!" | "~" => ("not ", if before_bracket { Applicability::Safe } else { Applicability::Maybe }),
            "<>" | "!==" => ("!=", Applicability::Safe),
            _ => return,
        };
        let word = right.trim();
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("there is no operator `{text}`"))
            .label(format!("expected `{word}`"))
            .fix(format!("replace `{text}` with `{word}`"), span, right, how);
        let d = match text {
            "|" => d.help("conditions are joined with `or`; ops follow one another with `->`").fix(
                "replace `|` with `->`",
                span,
                "->",
                Applicability::Maybe,
            ),
            _ => d,
        };
        self.push(d);
    }

    /// `weight-decay = 0.1`, `task hair-color: binary`
    fn hyphen(&mut self, token: &SyntaxToken) {
        let Some(parent) = token.parent() else { return };
        // A path without its quotes is told as that.
        if parent.first_token().is_some_and(|t| t.text() == "use") {
            return;
        }
        let span = self.span(token.text_range());
        let text = token.text();
        let joined = text.replace('-', "_");
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("the name `{text}` has a `-` in it"))
            .label("a name without quotes is made of a-z, A-Z, 0-9 and `_`");
        let title = format!("write `{joined}`");
        // A key is a word of the language; a name of one's own may be wanted as it is.
        self.push(match matches!(parent.kind(), Kind::Attr | Kind::Arg) {
            true => d.fix(title, span, joined, Applicability::Safe),
            false => d.fix(title, span, joined, Applicability::Maybe).quote(span, Applicability::Maybe),
        });
    }

    /// A name with letters of another alphabet.
    fn foreign_letters(&mut self, token: &SyntaxToken) {
        let span = self.span(token.text_range());
        let text = token.text();
        let other = text.chars().find(|c| !c.is_ascii()).unwrap_or_default();
        let d = match literal::look_alike(text) {
            Some(meant) => Diagnostic::new(
                codes::SYNTAX_UNEXPECTED,
                span,
                format!("the letter `{other}` (U+{:04X}) in this name only looks like a Latin letter", other as u32),
            )
            .label(format!("`{meant}` is meant"))
            .fix(format!("write `{meant}` in Latin letters"), span, meant, Applicability::Safe),
            None => {
                let message = format!("a name with `{other}` is written in quotes");
                Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, message)
                    .label("names without quotes are made of a-z, A-Z, 0-9 and `_`")
                    .quote(span, Applicability::Safe)
            }
        };
        self.push(d);
    }

    /// `==` or `:` where a value is set.
    fn foreign_equals(&mut self, token: &SyntaxToken) {
        let Some(parent) = token.parent() else { return };
        let sets = matches!(parent.kind(), Kind::Attr | Kind::Nested | Kind::Item | Kind::OddArg)
            || token.kind() == Kind::EqEq
                && parent.parent().is_some_and(|p| p.kind() == Kind::TypeClause || is_type(&p));
        if !sets {
            if token.text() == "===" {
                let span = self.span(token.text_range());
                let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "there is no operator `===`");
                self.push(d.label("expected `==`").fix("replace `===` with `==`", span, "==", Applicability::Safe));
            }
            return;
        }
        let span = self.span(token.text_range());
        let text = token.text();
        let message = match text {
            "===" => "a value is set with `=`".to_string(),
            "==" => "a value is set with `=`; `==` compares".to_string(),
            _ => format!("a value is set with `=`, not `{text}`"),
        };
        // `key: value` has its sign at the key.
        let tight = text == ":" && !self.text[..span.start as usize].ends_with([' ', '\t']);
        let sign = if tight { " =" } else { "=" };
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, message).label("expected `=`").fix(
            format!("replace `{text}` with `=`"),
            span,
            sign,
            Applicability::Safe,
        );
        self.push(d);
    }

    fn missing_equals(&mut self, node: &SyntaxNode) {
        let span = self.span(node.text_range());
        let entry = node.parent().is_some_and(|p| p.kind() == Kind::Attr);
        if entry && self.in_topology(node) || node.parent().is_some_and(|p| p.kind() == Kind::OddArg && is_merge(&p)) {
            let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "a comma is missing").label("expected `,`").fix(
                "insert `,`",
                span,
                ",",
                Applicability::Safe,
            );
            return self.push(d);
        }
        let before = node.prev_sibling_or_token().filter(|e| !e.kind().is_trivia());
        let name = before.map(|e| e.to_string()).unwrap_or_default();
        let message = match name.is_empty() || name.contains(|c: char| !(c.is_alphanumeric() || c == '_')) {
            true => "`=` is missing".to_string(),
            false => format!("`=` is missing after `{name}`"),
        };
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, message).label("expected `=`").fix(
            "insert `=`",
            span,
            " =",
            Applicability::Safe,
        );
        self.push(d);
    }

    fn missing_for(&mut self, node: &SyntaxNode) {
        let end = usize::from(node.text_range().end());
        let star = self.at(end - 1, end);
        let d = Diagnostic::new(codes::SYNTAX_HEADER, star, "`for` is missing before the tasks")
            .label("expected `for *`")
            .fix("insert `for`", self.at(end - 1, end - 1), "for ", Applicability::Safe);
        self.push(d);
    }

    fn missing_open(&mut self, node: &SyntaxNode) {
        let span = self.span(node.text_range());
        let header = node.parent().and_then(|body| body.parent()).and_then(|n| n.first_token());
        let word = header.map(|t| t.text().to_string()).unwrap_or_default();
        let d = Diagnostic::new(
            codes::SYNTAX_UNEXPECTED,
            span,
            format!("`{{` is missing: the body of this `{word}` is not opened"),
        )
        .label("expected `{`")
        .fix(
            "insert `{`",
            span,
            " {",
            // A line that belongs to no item is not the header of one.
            if [ITEM_KEYWORDS, NESTED_KEYWORDS].concat().contains(&word.as_str()) {
                Applicability::Safe
            } else {
                Applicability::Maybe
            },
        );
        self.push(d);
    }
}

/// The type of a parameter in a header.
fn is_type(node: &SyntaxNode) -> bool {
    node.kind() == Kind::Param
}

/// Whether an argument is a value that is merged: then two names side by side lack a comma.
pub(super) fn is_merge(argument: &SyntaxNode) -> bool {
    let callee = argument.parent().and_then(|args| args.prev_sibling());
    callee.is_some_and(|c| ["add", "mul", "mean", "concat"].contains(&c.text().to_string().as_str()))
}
