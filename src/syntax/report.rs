//! The sentences: what is wrong with the text, said for people, with a fix where it is mechanical.
//!
//! Nothing here decides what is an error; the reader does, and calls. No rule or kind of the tree is named to anyone.

use super::ast::{Expr, ExprKind, ITEM_KEYWORDS, NESTED_KEYWORDS, Name, UNITS};
use super::literal::NotANumber;
use super::read::{Reader, tokens};
use super::tree::{Kind, SyntaxNode, SyntaxToken};
use crate::diag::{Applicability, Diagnostic, Edit, Fix, codes, suggest};
use crate::source::Span;

/// What begins a declaration in other languages, and what is written in its place.
const FOREIGN_ITEMS: &[(&[&str], &str)] = &[
    (
        &["import", "include", "from", "require", "using"],
        "another file is read with `use \"file.mtl\"`, a module of the library with `use std.resnet18`",
    ),
    (
        &["def", "fn", "func", "function", "macro", "module", "class", "layer"],
        "a part of a network with parameters is `block NAME(n: int) = ...`",
    ),
    (
        &["let", "const", "var", "variable", "set", "define", "static", "constant", "parameter", "arg"],
        "a value with a name is `param NAME: int = 3`",
    ),
    (
        &["model", "network", "net", "encoder", "trunk"],
        "the layers that tasks share are a `backbone`: `backbone NAME(INPUT) { stage NAME = ... }`",
    ),
    (&["dataset", "dataloader", "loader"], "data are declared with `data NAME { format = csv, train = \"file.csv\" }`"),
    (&["output", "target", "label"], "what is learned is a `task`: `task NAME: binary { label = DATA.COLUMN }`"),
    (
        &["optimizer", "training", "fit", "trainer", "config"],
        "how to train is said in `train { epochs = 10, optimizer = adam(lr = 1e-3) }`",
    ),
];

pub(super) const CHAINED: &str = "comparisons cannot be chained";

impl Reader<'_> {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.out.push(diagnostic);
    }

    pub(super) fn report(&mut self, code: codes::Code, span: Span, message: String, label: &str) {
        self.push(Diagnostic::new(code, span, message).label(label));
    }

    pub(super) fn at(&self, start: usize, end: usize) -> Span {
        Span::new(self.file, start, end)
    }

    // ---- edition ----

    pub(super) fn report_no_edition(&mut self) {
        let start = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let place = self.at(start, start);
        let d = Diagnostic::new(codes::SYNTAX_EDITION, place, "the file does not begin with `mtl 1`")
            .label("expected `mtl 1`, the edition of the language that the file is written in")
            .fix("insert `mtl 1`", place, "mtl 1\n\n", Applicability::Safe);
        self.push(d);
    }

    pub(super) fn report_edition_word(&mut self, span: Span, word: &str) {
        let d = Diagnostic::new(codes::SYNTAX_EDITION, span, format!("`{word}` is not the word of the edition line"))
            .label("expected `mtl 1`")
            .fix("replace with `mtl 1`", span, "mtl 1", Applicability::Maybe);
        self.push(d);
    }

    /// Reports an edition that this compiler does not support yet, without a fix, which would change the meaning of the file.
    pub(super) fn report_later_edition(&mut self, span: Span) {
        let message = format!("`{}` is a later edition of the language than this mtlc knows", &self.text[span.range()]);
        let d = Diagnostic::new(codes::SYNTAX_EDITION, span, message)
            .label(concat!("mtlc ", env!("CARGO_PKG_VERSION"), " knows `mtl 1`"))
            .help("use a version of mtlc that knows the edition; nothing else in the file was checked");
        self.push(d);
    }

    pub(super) fn report_edition_number(&mut self, span: Span) {
        let text = &self.text[span.range()];
        let message = if text == "mtl" {
            "the edition line has no number".to_string()
        } else {
            format!("`{text}` is not an edition that this compiler knows")
        };
        let d = Diagnostic::new(codes::SYNTAX_EDITION, span, message).label("expected `mtl 1`").fix(
            "replace with `mtl 1`",
            span,
            "mtl 1",
            Applicability::Maybe,
        );
        self.push(d);
    }

    // ---- items ----

    /// Reports an item whose keyword does not exist; the keyword that was meant, if that is plain.
    pub(super) fn unknown_item(
        &mut self,
        node: &SyntaxNode,
        keyword: &Name,
        previous: Option<&SyntaxNode>,
    ) -> Option<&'static str> {
        let word = keyword.text.as_str();
        let has_header = node.children().any(|c| !matches!(c.kind(), Kind::Body | Kind::Expr | Kind::MissingValue));
        let has_value = tokens(node).any(|t| t.kind() == Kind::Eq);
        let has_body = node.children().any(|c| c.kind() == Kind::Body);
        if word == "mtl" {
            self.report(
                codes::SYNTAX_EDITION,
                keyword.span,
                "the edition line stands first in a file".to_string(),
                "not here",
            );
            return None;
        }
        let belongs_inside = NESTED_KEYWORDS.contains(&word) || !has_header && (has_value || !has_body);
        if belongs_inside {
            self.stray(self.span(node.text_range()), previous);
            return None;
        }
        let foreign = FOREIGN_ITEMS.iter().any(|(words, _)| words.contains(&word.to_lowercase().as_str()));
        let meant = suggest::nearest(word, ITEM_KEYWORDS.iter().copied()).filter(|_| !foreign);
        let d = Diagnostic::new(codes::SYNTAX_UNKNOWN_ITEM, keyword.span, format!("there is no item called `{word}`"));
        let d = match meant {
            Some(meant) => {
                let how = suggest::certainty(word, meant, ITEM_KEYWORDS.iter().copied());
                d.label(format!("did you mean `{meant}`?")).fix(
                    format!("replace `{word}` with `{meant}`"),
                    keyword.span,
                    meant,
                    how,
                )
            }
            None => match FOREIGN_ITEMS.iter().find(|(words, _)| words.contains(&word.to_lowercase().as_str())) {
                Some((_, help)) => d.label("a word of other languages").help(*help),
                None => d
                    .label("not the keyword of an item")
                    .help(format!("an item begins with one of {}", listing(ITEM_KEYWORDS))),
            },
        };
        self.push(d);
        self.stray = None;
        ITEM_KEYWORDS.iter().copied().find(|k| Some(*k) == meant)
    }

    /// Text at the top level that is not even shaped like an item.
    pub(super) fn stray_text(&mut self, token: &SyntaxToken, previous: Option<&SyntaxNode>) {
        let span = self.trimmed(token);
        self.stray(span, previous);
    }

    /// Lines outside of every item: one problem for all that follow one another.
    fn stray(&mut self, span: Span, previous: Option<&SyntaxNode>) {
        if let Some(first) = self.stray {
            let whole = first.to(span);
            let last = self.out.iter_mut().rev().find(|d| d.primary.as_ref().is_some_and(|l| l.span == first));
            if let Some(label) = last.and_then(|d| d.primary.as_mut()) {
                label.span = whole;
                label.text = "these lines belong to no item".to_string();
                self.stray = Some(whole);
                return;
            }
        }
        self.stray = Some(span);
        let text = &self.text[span.range()];
        let message = match text.chars().next() {
            Some(c @ ('}' | ']' | ')')) => format!("`{c}` closes nothing"),
            _ => format!("`{}` stands outside of every item", excerpt(text)),
        };
        let mut d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, message).label("this belongs to no item");
        if let Some(item) = previous {
            let keyword = tokens(item).next().map(|t| t.text().to_string()).unwrap_or_default();
            let open = !item.children().any(|c| matches!(c.kind(), Kind::Body | Kind::Expr));
            let end = self.span(item.text_range());
            let end = self.at(end.end as usize, end.end as usize);
            if open {
                d = d.also(end, "expected `{` here").help(format!("is a `{{` missing after `{keyword}`?")).fix(
                    "insert `{`",
                    end,
                    " {",
                    Applicability::Maybe,
                );
            } else if item.children().any(|c| c.kind() == Kind::Body) {
                d = d.also(end, format!("`{keyword}` ends here")).help("is this `}` one too many?");
            }
            if sets(text) {
                let name: String =
                    text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                let value = text.split_once('=').map(|(_, v)| v.trim()).unwrap_or_default();
                let value = excerpt(value);
                d = d.help(format!("a value of its own is a parameter: `param {name}: TYPE = {value}`; an attribute stands inside the `{{ }}` of an item"));
            }
        } else {
            d = d.help(format!("an item begins with one of {}", listing(ITEM_KEYWORDS)));
        }
        self.push(d);
    }

    pub(super) fn report_header_order(&mut self, span: Span, message: String) {
        let d = Diagnostic::new(codes::SYNTAX_HEADER, span, message)
            .label("out of place")
            .help("a header reads: keyword, names, `[ ]`, `( )`, `: type`, `for`, `on`, `over`, `=`, `{ }`");
        self.push(d);
    }

    pub(super) fn report_equals_body(&mut self, node: &SyntaxNode) {
        let Some(eq) = tokens(node).find(|t| t.kind() == Kind::Eq) else { return };
        let span = self.span(eq.text_range());
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "no `=` before the body of an item")
            .label("not needed")
            .fix("remove `=`", span, "", Applicability::Safe);
        self.push(d);
    }

    // ---- entries ----

    /// A word or a list of names with nothing after it.
    pub(super) fn report_lone(&mut self, node: &SyntaxNode) {
        let span = self.span(node.text_range());
        let text = excerpt(&self.text[span.range()]);
        if self.in_topology(node) {
            // A second comma is reported by itself.
            let mut rest = self.text[span.end as usize..].chars().filter(|c| !c.is_whitespace());
            if rest.next() == Some(',') && rest.next() == Some(',') {
                return;
            }
            let last = self.text[span.range()].rsplit(['\n', ',']).next().unwrap_or_default().trim();
            let end = self.at(span.end as usize, span.end as usize);
            let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, end, format!("`{}` reads nothing", excerpt(last)))
                .label("expected `<-` and what is read, or `,` and more that reads the same")
                .fix("insert `,`", end, ",", Applicability::Maybe);
            return self.push(d);
        }
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("`{text}` says nothing by itself"))
            .label("expected `= value`, `{ ... }` or `<- source` after it");
        self.push(d);
    }

    pub(super) fn in_topology(&self, node: &SyntaxNode) -> bool {
        let item = node.ancestors().find(|n| n.kind() == Kind::Item);
        item.and_then(|i| i.first_token()).is_some_and(|t| t.text() == "topology")
    }

    /// `a.b -> c`, `a.b = c`: something else stands where `<-` should.
    pub(super) fn report_not_an_edge(&mut self, node: &SyntaxNode, token: &SyntaxToken) {
        let junk = self.trimmed(token);
        let text = &self.text[junk.range()];
        let sign = ["->", "→", "=>", "< -", "<=", "==", "=", "<", ":"].into_iter().find(|s| text.starts_with(s));
        let name = excerpt(node.text().to_string().split(text).next().unwrap_or_default());
        let Some(sign) = sign else {
            let Some('a'..='z' | 'A'..='Z' | '_' | '"') = text.chars().next() else { return self.junk(token) };
            // `a, b c <- d`
            let end = self.text[..junk.start as usize].trim_end().len();
            let place = self.at(end, end);
            let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, place, "a comma is missing")
                .label("expected `,` or `<-`")
                .fix("insert `,`", place, ",", Applicability::Safe);
            return self.push(d);
        };
        let start = junk.start as usize;
        let place = self.at(start, start + sign.len());
        // The rest of the line is read when that is mended.
        let line = self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |i| start + i);
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, place, format!("`{name}` takes `<-`, not `{sign}`"))
            .label("expected `<-` and what is read");
        let forward = ["->", "→", "=>"].contains(&sign);
        let d = match self.swapped(node, start, start + sign.len(), line).filter(|_| forward) {
            // Data flows along `->`, so the sides change places.
            Some((whole, text)) => {
                let d = d.help("an edge is written from the reader to its source: `READER <- SOURCE`");
                d.fix(format!("write `{text}`"), whole, text, Applicability::Maybe)
            }
            None if forward => d.help("an edge is written from the reader to its source: `READER <- SOURCE`"),
            None => d.fix(format!("replace `{sign}` with `<-`"), place, "<-", Applicability::Safe),
        };
        self.meant.push(self.at(start.saturating_sub(1), line));
        self.kept.push(d);
    }

    /// The line `a -> b` with its sides swapped, where both are plain lists of names.
    fn swapped(&self, node: &SyntaxNode, sign: usize, after: usize, line: usize) -> Option<(Span, String)> {
        let begin = usize::from(node.text_range().start());
        let right = &self.text[after..line];
        let right = right.find(['#', '}']).map_or(right, |i| &right[..i]).trim_end();
        let end = after + right.len();
        let names = |text: &str| {
            let text = text.trim().trim_start_matches('[').trim_end_matches(']').trim().to_string();
            let plain = |c: char| c.is_alphanumeric() || "_.\", ".contains(c);
            (!text.is_empty() && text.chars().all(plain)).then_some(text)
        };
        let (left, right) = (names(&self.text[begin..sign])?, names(right)?);
        let left = if left.contains(',') { format!("[{left}]") } else { left };
        Some((self.at(begin, end), format!("{right} <- {left}")))
    }

    /// `a b <- c`
    pub(super) fn report_targets_without_comma(&mut self, first: Span, token: &SyntaxToken) {
        if !token.text().trim_start().starts_with('<') {
            return self.junk(token);
        }
        let end = self.at(first.end as usize, first.end as usize);
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, end, "a comma is missing").label("expected `,` or `<-`").fix(
            "insert `,`",
            end,
            ",",
            Applicability::Safe,
        );
        self.push(d);
    }

    /// `a <- b, c`
    pub(super) fn report_bare_list(&mut self, span: Span) {
        let text = &self.text[span.range()];
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "several things are read, and no `[ ]` is around them")
            .label("expected a list")
            .fix("write a list", span, format!("[{text}]"), Applicability::Safe);
        self.push(d);
    }

    pub(super) fn report_missing_source(&mut self, span: Span) {
        self.report(
            codes::SYNTAX_MISSING_VALUE,
            span,
            "a source is missing after `<-`".into(),
            "expected what is read",
        );
    }

    pub(super) fn report_missing_value(&mut self, span: Span, name: Option<&Name>) {
        // Strange text where the value should be is a problem of its own, and the only one.
        let next = self.text[span.range().start..].trim_start_matches([' ', '\t']).chars().next();
        let may_follow = |c: char| c.is_ascii_alphanumeric() || "_\"\r\n,)]}#{".contains(c);
        if next.is_some_and(|c| !may_follow(c)) {
            return;
        }
        let label = match name {
            Some(name) => format!("expected the value of `{}`", name.text),
            None => "expected a value".to_string(),
        };
        self.report(codes::SYNTAX_MISSING_VALUE, span, "a value is missing after `=`".into(), &label);
    }

    /// `label = a = 1`
    pub(super) fn report_single_equals(&mut self, sign: Span) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, sign, "a comparison is written `==`")
            .label("this sets a value")
            .fix("replace `=` with `==`", sign, "==", Applicability::Safe);
        self.push(d);
    }

    // ---- expressions ----

    pub(super) fn missing_operand(&mut self, node: &SyntaxNode, span: Span) {
        let before = node.prev_sibling_or_token().filter(|e| !e.kind().is_trivia());
        let sign = before.map(|e| e.to_string()).unwrap_or_default();
        let at = span.start as usize;
        if sign == "/" && self.text[at..].starts_with(['/', '*']) {
            let slashes = self.at(at - 1, at + 1);
            let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, slashes, "a comment begins with `#`")
                .label("this is a division")
                .fix("replace with `#`", slashes, "#", Applicability::Maybe);
            self.push(d);
            self.explained = Some(at);
            return;
        }
        let number = node.prev_sibling_or_token().and_then(|e| e.prev_sibling_or_token());
        let number = number.filter(|n| sign == "%" && n.kind() == Kind::Number);
        if let Some((n, value)) =
            number.and_then(|n| Some((self.span(n.text_range()), n.to_string().parse::<f64>().ok()?)))
        {
            let whole = self.at(n.start as usize, at);
            let share = value / 100.0;
            let d = Diagnostic::new(codes::SYNTAX_NUMBER, whole, "a share is a number from 0 to 1, not a percentage")
                .label(format!("that is {share}"))
                .fix(format!("write `{share}`"), whole, share.to_string(), Applicability::Maybe);
            return self.push(d);
        }
        let d = Diagnostic::new(codes::SYNTAX_MISSING_VALUE, span, format!("a value is missing after `{sign}`"))
            .label("expected a value");
        self.push(d);
    }

    /// A word after a number: the unit that was meant, if one was.
    pub(super) fn odd_unit(&mut self, word: &str, span: Span) -> Option<Name> {
        let Some(meant) = suggest::nearest(word, UNITS.iter().copied()) else {
            let end = self.text[..span.start as usize].trim_end_matches(|c: char| c.is_whitespace()).len();
            let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("`{word}` is no unit of a number"))
                .label("expected `epochs` or `steps`, or `,` before it")
                .fix("insert `,`", self.at(end, end), ",", Applicability::Maybe);
            self.push(d);
            return None;
        };
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("there is no unit `{word}`"))
            .label(format!("did you mean `{meant}`?"))
            .fix(
                format!("replace `{word}` with `{meant}`"),
                span,
                meant,
                suggest::certainty(word, meant, UNITS.iter().copied()),
            );
        self.push(d);
        Some(Name { text: meant.to_string(), quoted: false, span })
    }

    pub(super) fn report_chained(&mut self, span: Span, sign: &str) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, CHAINED)
            .label(format!("a second comparison, `{sign}`"))
            .help("compare twice and join with `and`");
        self.push(d);
    }

    pub(super) fn report_missing_part(&mut self, span: Span, path: &str) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("a name is missing after `{path}`"))
            .label("expected a name");
        self.push(d);
    }

    pub(super) fn report_group(&mut self, span: Span, count: usize) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, "parentheses hold one value");
        let d = if count == 0 { d.label("empty") } else { d.label(format!("{count} here")) };
        self.push(d.help("a list is written `[a, b]`"));
    }

    /// Whether something inside `span` is already reported, so that nothing needs to follow from it.
    pub(super) fn has_problem_inside(&self, span: Span) -> bool {
        let inside = |at: Span| at.start >= span.start && at.end <= span.end;
        self.out.iter().rev().take(4).any(|d| d.primary.as_ref().is_some_and(|l| inside(l.span)))
    }

    pub(super) fn report_escape(&mut self, span: Span, why: String) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, why)
            .label("in this string")
            .help(r#"the escapes are `\"`, `\\`, `\n`, `\t`, `\r` and `\u{...}`"#);
        self.push(d);
    }

    pub(super) fn report_open_string(&mut self, span: Span) {
        if let Some(place) = self.swallowing_string(span) {
            return self.report_swallowing(place);
        }
        // `"a, b = 1`: it was to end before the comma.
        let text = &self.text[span.range()];
        let next = text.match_indices(',').map(|(i, _)| i).find(|i| sets(&text[i + 1..])).or(text.find(", "));
        let end = next.map_or(span.end as usize, |i| span.start as usize + i);
        let end = self.at(end, end);
        let start = self.at(span.start as usize, span.start as usize + 1);
        let d = Diagnostic::new(codes::SYNTAX_UNCLOSED, start, "a string is never closed")
            .label("opened here")
            .also(end, "expected `\"` here")
            .fix("insert `\"`", end, "\"", Applicability::Maybe);
        self.push(d);
    }

    /// The text on this line that swallowed a comma because its own closing quote is missing: `["high, "low"]`. Its place, and
    /// where the quote should stand.
    fn swallowing_string(&self, open: Span) -> Option<(Span, usize)> {
        let start = self.text[..open.start as usize].rfind(['\n', '\r']).map_or(0, |i| i + 1);
        let end = self.text[start..].find(['\n', '\r']).map_or(self.text.len(), |i| start + i);
        let line = &self.text[start..end];
        let quotes: Vec<usize> = line.match_indices('"').map(|(i, _)| i).collect();
        for pair in quotes.chunks(2) {
            let &[a, b] = pair else { break };
            let inside = &line[a + 1..b];
            let follows = line[b + 1..].chars().next();
            let content = inside.trim_end_matches([' ', '\t']);
            // `"a, "b"` in a list, or `"a, name = "b"`.
            let last = content.rfind(',').filter(|i| sets(&content[i + 1..]) && content.ends_with('='));
            let content = content.strip_suffix(',').or(last.map(|i| &content[..i]));
            if let (Some(content), true) =
                (content.filter(|c| !c.is_empty()), follows.is_some_and(|c| c.is_alphanumeric() || c == '_'))
            {
                return Some((self.at(start + a, start + b + 1), start + a + 1 + content.len()));
            }
        }
        None
    }

    fn report_swallowing(&mut self, (string, close): (Span, usize)) {
        let line = self.text[close..].find(['\n', '\r']).map_or(self.text.len(), |i| close + i);
        let (start, end) = (string.start as usize, self.at(close, close));
        let whole = self.at(start.saturating_sub(1), line);
        if self.meant.contains(&whole) {
            return;
        }
        self.meant.push(whole);
        let d = Diagnostic::new(codes::SYNTAX_UNCLOSED, self.at(start, start + 1), "a string is never closed")
            .label("opened here")
            .also(end, "expected `\"` here")
            .fix("insert `\"`", end, "\"", Applicability::Safe);
        self.kept.push(d);
    }

    pub(super) fn report_number(&mut self, span: Span, wrong: NotANumber) {
        let mut d = Diagnostic::new(codes::SYNTAX_NUMBER, span, wrong.message);
        d.help = wrong.help.map(str::to_string);
        if let Some(meant) = wrong.meant {
            d = d.label(format!("write `{meant}`")).fix(format!("write `{meant}`"), span, meant, Applicability::Safe);
        } else if wrong.help.is_some_and(|h| h.contains("quotes")) {
            d = d.quote(span, Applicability::Maybe);
        }
        self.push(d);
    }

    /// `a not in b`
    pub(super) fn report_not_in(&mut self, left: Span, sign: Span) {
        let start = self.at(left.start as usize, left.start as usize);
        let mut d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, sign, "there is no operator `not in`")
            .label("`not` stands before the whole comparison");
        let edits = vec![Edit { span: start, text: "not ".into() }, Edit { span: sign, text: "in".into() }];
        let title = format!("write `not {} in ...`", excerpt(&self.text[left.range()]));
        d.fixes.push(Fix { title, edits, applicability: Applicability::Safe });
        self.push(d);
    }

    /// `2 ** 5`, with its value where it is known.
    pub(super) fn report_power(&mut self, whole: Span, sign: Span, value: Option<i64>) {
        let text = &self.text[sign.range()];
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, sign, format!("there is no operator `{text}`"));
        self.push(match value {
            Some(v) => d.label(format!("the power is {v}")).fix(
                format!("write `{v}`"),
                whole,
                v.to_string(),
                Applicability::Safe,
            ),
            None => d.label("no powers").help("write a product, `n * n`"),
        });
    }

    /// `+3`
    pub(super) fn report_plus(&mut self, sign: Span) {
        let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, sign, "a value has no `+` before it")
            .label("not needed")
            .fix("remove `+`", sign, "", Applicability::Safe);
        self.push(d);
    }

    // ---- text that belongs nowhere ----

    /// The place of a token without the blanks around it; a character that only looks like a blank stays.
    pub(super) fn trimmed(&self, token: &SyntaxToken) -> Span {
        const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
        let start = usize::from(token.text_range().start());
        let text = token.text();
        let lead = text.len() - text.trim_start_matches(BLANKS).len();
        self.at(start + lead, start + text.trim_end_matches(BLANKS).len().max(lead))
    }

    /// Whether nothing but a bracket, a comma or a comment follows on the line.
    pub(super) fn ends_line(&self, at: usize) -> bool {
        let next = self.text[at..].trim_start_matches([' ', '\t']).chars().next();
        next.is_none_or(|c| "\r\n,)]}#".contains(c))
    }

    /// A second look at text that could not be read.
    pub(super) fn junk(&mut self, token: &SyntaxToken) {
        let span = self.trimmed(token);
        let text = &self.text[span.range()];
        let Some(first) = text.chars().next() else { return };
        if self.explained.take() == Some(span.start as usize) {
            return;
        }
        if let Some(place) = self.swallowing_string(span).filter(|(text, _)| text.end == span.start) {
            return self.report_swallowing(place);
        }
        let head = self.at(span.start as usize, span.start as usize + first.len_utf8());
        let d = |message: String| Diagnostic::new(codes::SYNTAX_UNEXPECTED, head, message);
        let d = match first {
            '}' | ']' | ')' => d(format!("`{first}` closes nothing")).label("no bracket of this kind is open here"),
            ';' if self.ends_line(head.end as usize) => d("`;` is not needed".into())
                .label("a line end is enough")
                .fix("remove `;`", head, "", Applicability::Safe),
            ';' => d("`;` separates nothing here".into()).label("expected `,` or a line end").fix(
                "replace `;` with `,`",
                head,
                ",",
                Applicability::Safe,
            ),
            ':' => d("a value is set with `=`, not `:`".into()).label("expected `=`").fix(
                "replace `:` with `=`",
                head,
                " =",
                Applicability::Maybe,
            ),
            '\'' => d("text is quoted with `\"`".into()).label("not a quote here"),
            '/' if text.starts_with("//") || text.starts_with("/*") => {
                d("a comment begins with `#`".into()).label("not a comment")
            }
            '.' if text[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                let d = Diagnostic::new(codes::SYNTAX_NUMBER, head, "a number has one `.`");
                return self.push(d.label("a second one").help("text, such as a version, stands in quotes"));
            }
            '\u{2212}' | '\u{2013}' | '\u{2014}' => {
                d(format!("the character U+{:04X} looks like a minus sign and is none", first as u32))
                    .label("expected `-`")
                    .fix("replace it with `-`", head, "-", Applicability::Safe)
            }
            c if c.is_control() || !c.is_ascii() && (c.is_whitespace() || !c.is_alphanumeric()) => {
                d(format!("the character U+{:04X} does not belong here", c as u32)).label(if c.is_whitespace() {
                    "looks like a blank and is none"
                } else {
                    "not part of the language outside of strings and comments"
                })
            }
            c if !c.is_ascii() => d(format!("a name with `{c}` is written in quotes"))
                .label("names without quotes are made of a-z, A-Z, 0-9 and `_`"),
            _ => {
                let text = excerpt(text);
                let d = Diagnostic::new(codes::SYNTAX_UNEXPECTED, span, format!("`{text}` does not belong here"))
                    .label("not expected here");
                // Among the values of a list it may well be text.
                // A name that begins with a digit, before `<-`.
                if let (true, Some((name, _))) = (first.is_ascii_digit(), self.text[span.range()].split_once("<-")) {
                    let place = self.at(span.start as usize, span.start as usize + name.trim_end().len());
                    return self.push(
                        d.help("a name that begins with a digit stands in quotes").quote(place, Applicability::Safe),
                    );
                }
                let listed = token.parent().is_some_and(|p| p.kind() == Kind::List);
                if listed && token.kind() == Kind::Odd { d.quote(span, Applicability::Maybe) } else { d }
            }
        };
        self.push(d);
    }
}

/// The power of two whole numbers, if it is one.
pub(super) fn power(base: &Expr, exponent: &Expr) -> Option<i64> {
    match (&base.kind, &exponent.kind) {
        (ExprKind::Int(b), ExprKind::Int(e)) => b.checked_pow(u32::try_from(*e).ok()?),
        _ => None,
    }
}

/// Whether a text begins with `name =`.
fn sets(text: &str) -> bool {
    let rest = text.trim_start().trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    rest.len() < text.trim_start().len() && rest.trim_start().starts_with('=')
}

/// The beginning of a text, on one line.
pub(super) fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.chars().count() <= 30 {
        return line.to_string();
    }
    line.chars().take(27).chain("...".chars()).collect()
}

fn listing(words: &[&'static str]) -> String {
    words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", ")
}
