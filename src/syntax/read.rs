//! The tree read as a typed [`ast::File`], and every problem of the text found on the way.
//!
//! One walk, top to bottom. Headers and bodies are read here, expressions in `expr.rs`; the sentences are in `report.rs`.

use rowan::TextRange;

use super::ast::{self, Attr, Body, Edge, Entry, Expr, ExprKind, File, Item, Name, Nested, Param};
use super::header::Header;
use super::literal;
use super::tree::{Kind, SyntaxElement, SyntaxNode, SyntaxToken};
use crate::diag::{Diagnostic, codes};
use crate::source::{FileId, Span, Spanned};

pub(super) struct Reader<'a> {
    pub(super) file: FileId,
    pub(super) text: &'a str,
    pub(super) out: Vec<Diagnostic>,
    /// How deep the expression being read is nested.
    pub(super) depth: u32,
    pub(super) deep_reported: bool,
    /// Where lines belong to no item, in a row: one problem, not one per line.
    pub(super) stray: Option<Span>,
    /// The offset of text that is already explained.
    pub(super) explained: Option<usize>,
    /// What reads as an entry and is the second half of a comparison written with `=`.
    pub(super) compared: Option<TextRange>,
    /// Messages that explain such a place.
    pub(super) kept: Vec<Diagnostic>,
    /// Places that one message explains as a whole: whatever else is said inside is dropped.
    pub(super) meant: Vec<Span>,
}

/// Reads a whole file.
pub(super) fn read(file: FileId, text: &str, root: &SyntaxNode) -> (File, Vec<Diagnostic>) {
    let mut reader = Reader {
        file,
        text,
        out: Vec::new(),
        depth: 0,
        deep_reported: false,
        stray: None,
        explained: None,
        compared: None,
        kept: Vec::new(),
        meant: Vec::new(),
    };
    let file = reader.file(root);
    reader.habits(root);
    let (meant, mut out, kept) = (reader.meant, reader.out, reader.kept);
    let inside =
        |s: Span| meant.iter().any(|m| m.start < s.start && s.end <= m.end || m.start == s.start && s.end < m.end);
    // A bracket that seems unclosed because of such a place is closed.
    let follows = |d: &Diagnostic| d.code == codes::SYNTAX_UNCLOSED && d.secondary.iter().any(|l| inside(l.span));
    out.retain(|d| meant.is_empty() || !d.primary.as_ref().is_some_and(|p| inside(p.span)) && !follows(d));
    out.extend(kept);
    (file, out)
}

impl Reader<'_> {
    fn file(&mut self, root: &SyntaxNode) -> File {
        let mut file = File::default();
        let edition = root.children().find(|c| c.kind() == Kind::Edition);
        match &edition {
            Some(node) => file.edition = self.edition(node),
            None => self.report_no_edition(),
        }
        let mut previous: Option<SyntaxNode> = None;
        for child in root.children_with_tokens() {
            match &child {
                SyntaxElement::Node(node) if node.kind() == Kind::Item => {
                    if let Some(item) = self.item(node, previous.as_ref()) {
                        file.items.push(item);
                        self.stray = None;
                    }
                    previous = Some(node.clone());
                }
                SyntaxElement::Token(token) if token.kind() == Kind::JunkTop => {
                    self.stray_text(token, previous.as_ref())
                }
                _ => {}
            }
        }
        file
    }

    fn edition(&mut self, node: &SyntaxNode) -> Option<Spanned<i64>> {
        let mut word = None;
        let mut number = None;
        for token in tokens(node) {
            match token.kind() {
                Kind::Ident | Kind::KwMtl => word = Some(token),
                Kind::Number => number = Some(token),
                Kind::JunkTop => self.junk(&token),
                _ => {}
            }
        }
        let word = word?;
        let value = number.as_ref().and_then(|n| match literal::number(n.text()) {
            Ok(ExprKind::Int(value)) => Some(Spanned { value, span: self.span(n.text_range()) }),
            _ => None,
        });
        let whole = number.map_or(word.text_range(), |n| word.text_range().cover(n.text_range()));
        let whole = self.span(whole);
        if word.text() != "mtl" {
            self.report_edition_word(whole, word.text());
            return Some(Spanned { value: 1, span: whole });
        }
        match value.as_ref().map(|v| v.value) {
            Some(1) => {}
            Some(2..) => self.report_later_edition(whole),
            _ => self.report_edition_number(whole),
        }
        value
    }

    // ---- items ----

    fn item(&mut self, node: &SyntaxNode, previous: Option<&SyntaxNode>) -> Option<Item> {
        let first = tokens(node).find(|t| t.kind() == Kind::Ident)?;
        let mut keyword = self.name(&first)?;
        let known = ast::ITEM_KEYWORDS.contains(&keyword.text.as_str());
        if !known {
            match self.unknown_item(node, &keyword, previous) {
                Some(meant) => keyword.text = meant.to_string(),
                None => return None,
            }
        }
        let mut item = Item {
            keyword,
            names: Vec::new(),
            index: None,
            params: None,
            ty: None,
            targets: Vec::new(),
            on: Vec::new(),
            over: None,
            value: None,
            body: None,
            span: self.span(node.text_range()),
        };
        let mut header = Header::default();
        for child in node.children_with_tokens() {
            let span = self.span(child.text_range());
            let SyntaxElement::Node(part) = &child else {
                if let (Kind::JunkTop, SyntaxElement::Token(token)) = (child.kind(), &child) {
                    match item.names.last_mut().filter(|n| item.keyword.text == "use" && !n.quoted) {
                        Some(name) => self.unquoted_import(name, token),
                        None => self.junk(token),
                    }
                }
                if matches!(child.kind(), Kind::Eq | Kind::EqEq) {
                    header.equals = true;
                }
                if let (Kind::HyphenName, SyntaxElement::Token(token)) = (child.kind(), &child) {
                    header.part(self, 1, "a name", span);
                    item.names.extend(self.name(token));
                }
                continue;
            };
            match part.kind() {
                Kind::Path => {
                    header.part(self, 1, "a name", span);
                    item.names.extend(self.header_name(part));
                }
                Kind::Index => {
                    header.part(self, 2, "`[ ]`", span);
                    let value = self.items(part, "an index").0;
                    item.index = Some(Spanned { value, span });
                }
                Kind::Params => {
                    header.part(self, 3, "`( )`", span);
                    item.params = Some(Spanned { value: self.params(part), span });
                }
                Kind::TypeClause => {
                    header.part(self, 4, "a type", span);
                    let (ty, value) = set_by_mistake(self.clause_type(part));
                    if value.is_some() {
                        // `==` is reported; it compares nothing.
                        self.out.retain(|d| {
                            !(d.message == super::report::CHAINED
                                && d.primary.as_ref().is_some_and(|p| p.span.start >= span.start))
                        });
                    }
                    item.ty = Some(ty);
                    item.value = value;
                }
                Kind::ForClause => {
                    header.part(self, 5, "`for`", span);
                    self.missing_name(part, "for", "the tasks that it is for");
                    let found: Vec<Expr> = part
                        .children_with_tokens()
                        .filter_map(|c| match c.kind() {
                            Kind::Postfix => Some(self.expr(&c)),
                            Kind::Star => Some(Expr { kind: ExprKind::Star, span: self.span(c.text_range()) }),
                            _ => None,
                        })
                        .collect();
                    item.targets.extend(found);
                    if let Some(value) = part.children().find(|c| c.kind() == Kind::Expr) {
                        item.value = Some(self.expr(&value.into()));
                    }
                }
                Kind::BareFor => {
                    let star = self.at(span.end as usize - 1, span.end as usize);
                    item.targets.push(Expr { kind: ExprKind::Star, span: star });
                }
                Kind::OnClause => {
                    header.part(self, 6, "`on`", span);
                    self.missing_name(part, "on", "the levels that it decides");
                    for path in part.children().filter(|c| c.kind() == Kind::Path) {
                        item.on.extend(self.header_name(&path));
                    }
                }
                Kind::OverClause => {
                    header.part(self, 7, "`over`", span);
                    self.missing_name(part, "over", "the backbone");
                    if let Some(path) = part.children().find(|c| c.kind() == Kind::Path) {
                        item.over = self.header_name(&path);
                    }
                }
                Kind::Expr => item.value = Some(self.expr(&child)),
                Kind::MissingValue => {
                    self.report_missing_value(span, item.names.last());
                    item.value = Some(Expr { kind: ExprKind::Missing, span });
                }
                Kind::Body | Kind::BareBody => item.body = Some(self.body(part)),
                _ => {}
            }
        }
        if header.equals && item.value.is_none() && item.body.is_some() {
            self.report_equals_body(node);
        }
        Some(item)
    }

    fn missing_name(&mut self, clause: &SyntaxNode, word: &str, what: &str) {
        if let Some(missing) = clause.children().find(|c| c.kind() == Kind::MissingName) {
            let span = self.span(missing.text_range());
            self.report(codes::SYNTAX_HEADER, span, format!("`{word}` is followed by nothing"), what);
        }
    }

    fn clause_type(&mut self, clause: &SyntaxNode) -> Expr {
        for child in clause.children_with_tokens() {
            match child.kind() {
                Kind::Expr => return self.expr(&child),
                Kind::MissingType => {
                    let span = self.span(child.text_range());
                    self.report(
                        codes::SYNTAX_MISSING_VALUE,
                        span,
                        "a type is missing after `:`".into(),
                        "expected a type",
                    );
                    return Expr { kind: ExprKind::Missing, span };
                }
                _ => {}
            }
        }
        Expr { kind: ExprKind::Missing, span: self.span(clause.text_range()) }
    }

    fn params(&mut self, node: &SyntaxNode) -> Vec<Param> {
        self.separators(node);
        node.children().filter(|c| c.kind() == Kind::Param).filter_map(|c| self.param(&c)).collect()
    }

    fn param(&mut self, node: &SyntaxNode) -> Option<Param> {
        let mut name = None;
        let mut ty = None;
        let mut default = None;
        for child in node.children_with_tokens() {
            let span = self.span(child.text_range());
            match child.kind() {
                Kind::Ident | Kind::Str | Kind::OpenStr => name = child.as_token().and_then(|t| self.name(t)),
                // The first is the type unless `=` came before: the grammar keeps them in that order.
                Kind::Expr if !after_eq(&child) => {
                    let (found, value) = set_by_mistake(self.expr(&child));
                    ty = Some(found);
                    default = value;
                }
                Kind::Expr => default = Some(self.expr(&child)),
                Kind::MissingType => {
                    self.report(
                        codes::SYNTAX_MISSING_VALUE,
                        span,
                        "a type is missing after `:`".into(),
                        "expected a type",
                    );
                    ty = Some(Expr { kind: ExprKind::Missing, span });
                }
                Kind::MissingValue => {
                    self.report_missing_value(span, name.as_ref());
                    default = Some(Expr { kind: ExprKind::Missing, span });
                }
                _ => {}
            }
        }
        Some(Param { name: name?, ty, default, span: self.span(node.text_range()) })
    }

    // ---- bodies ----

    fn body(&mut self, node: &SyntaxNode) -> Body {
        self.separators(node);
        let mut entries = Vec::new();
        for child in node.children_with_tokens() {
            match &child {
                SyntaxElement::Token(token) if token.kind() == Kind::Junk => self.junk(token),
                SyntaxElement::Node(entry) => match entry.kind() {
                    Kind::Attr if self.compared == Some(entry.text_range()) => {}
                    Kind::Attr => entries.extend(self.attr(entry)),
                    Kind::Edge => entries.push(Entry::Edge(self.edge(entry))),
                    Kind::Nested => entries.extend(self.nested(entry).map(Entry::Nested)),
                    _ => {}
                },
                _ => {}
            }
        }
        Body { entries, span: Some(self.span(node.text_range())) }
    }

    fn attr(&mut self, node: &SyntaxNode) -> Option<Entry> {
        let mut key = None;
        let mut value = None;
        let mut body = None;
        for child in node.children_with_tokens() {
            let span = self.span(child.text_range());
            match &child {
                SyntaxElement::Token(token) => match token.kind() {
                    Kind::Ident | Kind::HyphenName | Kind::Str | Kind::OpenStr => key = self.name(token),
                    Kind::Junk => match value.as_mut() {
                        Some(value) => self.after_value(value, token),
                        None => self.junk(token),
                    },
                    _ => {}
                },
                SyntaxElement::Node(part) => match part.kind() {
                    // There a comma is missing, not `=`.
                    Kind::MissingEq if self.in_topology(node) => return None,
                    Kind::MissingEq => {}
                    Kind::Body => body = Some(self.body(part)),
                    Kind::MissingValue => {
                        match self.single_equals(node) {
                            Some((sign, next)) => {
                                self.report_single_equals(sign);
                                self.compared = Some(next);
                            }
                            None => self.report_missing_value(span, key.as_ref()),
                        }
                        value = Some(Expr { kind: ExprKind::Missing, span });
                    }
                    _ => value = Some(self.expr(&child)),
                },
            }
        }
        let key = key?;
        let span = self.span(node.text_range());
        if body.is_some() {
            return Some(Entry::Nested(Nested {
                keyword: key,
                names: Vec::new(),
                index: None,
                value: None,
                body,
                span,
            }));
        }
        let value = value.unwrap_or(Expr { kind: ExprKind::Missing, span });
        Some(Entry::Attr(Attr { key, value, span }))
    }

    /// In `a = b = 1` on one line, the second sign and where `b = 1` begins.
    fn single_equals(&self, node: &SyntaxNode) -> Option<(Span, TextRange)> {
        let next = node.next_sibling().filter(|n| n.kind() == Kind::Attr)?;
        let between = self.span(node.text_range()).end as usize..self.span(next.text_range()).start as usize;
        let sign = next.children_with_tokens().find(|c| c.kind() == Kind::Eq)?;
        let apart = self.text[between].contains(['\n', ',']);
        (!apart).then(|| (self.span(sign.text_range()), next.text_range()))
    }

    fn edge(&mut self, node: &SyntaxNode) -> Edge {
        let span = self.span(node.text_range());
        let mut targets = Vec::new();
        let mut source = Expr { kind: ExprKind::Missing, span };
        let mut missing_arrow = false;
        for child in node.children_with_tokens() {
            let at = self.span(child.text_range());
            match child.kind() {
                Kind::Postfix => targets.push(self.expr(&child)),
                Kind::Expr => source = self.expr(&child),
                Kind::BareList => {
                    let more = child.as_node().into_iter().flat_map(|n| n.children_with_tokens());
                    let more: Vec<Expr> = more.filter(|c| c.kind() == Kind::Postfix).map(|c| self.expr(&c)).collect();
                    let whole = more.last().map_or(source.span, |last| source.span.to(last.span));
                    self.report_bare_list(whole);
                    let items = std::iter::once(source).chain(more).collect();
                    source = Expr { kind: ExprKind::List(items), span: whole };
                }
                Kind::MissingValue => self.report_missing_source(at),
                Kind::MissingArrow => missing_arrow = true,
                Kind::Junk if missing_arrow => {
                    missing_arrow = false;
                    child.as_token().into_iter().for_each(|t| self.report_not_an_edge(node, t));
                }
                Kind::Junk => child.as_token().into_iter().for_each(|t| self.junk(t)),
                _ => {}
            }
        }
        if missing_arrow {
            self.report_lone(node);
        }
        Edge { targets, source, span }
    }

    fn nested(&mut self, node: &SyntaxNode) -> Option<Nested> {
        let span = self.span(node.text_range());
        let first = tokens(node).find(|t| t.kind() == Kind::Ident)?;
        let mut nested =
            Nested { keyword: self.name(&first)?, names: Vec::new(), index: None, value: None, body: None, span };
        if ast::ITEM_KEYWORDS.contains(&nested.keyword.text.as_str()) {
            // On a line of its own it would begin an item, and what is read would depend on the layout.
            self.report(
                codes::SYNTAX_UNEXPECTED,
                nested.keyword.span,
                format!("`{}` begins an item, and no item stands inside another", nested.keyword.text),
                "close the body before it, and put it on a line of its own",
            );
        }
        let mut junk = false;
        for child in node.children_with_tokens() {
            let at = self.span(child.text_range());
            match &child {
                SyntaxElement::Token(token) if token.kind() == Kind::Junk => {
                    junk = true;
                    match nested.value.is_none() && self.in_topology(node) {
                        true if nested.names.is_empty() => self.report_not_an_edge(node, token),
                        true => self.report_targets_without_comma(nested.keyword.span, token),
                        false => self.junk(token),
                    }
                }
                SyntaxElement::Token(token) if token.kind() == Kind::HyphenName => {
                    nested.names.extend(self.name(token))
                }
                SyntaxElement::Token(_) => {}
                SyntaxElement::Node(part) => match part.kind() {
                    Kind::Path => nested.names.extend(self.header_name(part)),
                    Kind::Index if nested.index.is_some() => self.report(
                        codes::SYNTAX_HEADER,
                        at,
                        "a second `[ ]`".into(),
                        "one index is enough: separate its parts by commas",
                    ),
                    Kind::Index => {
                        let value = self.items(part, "an index").0;
                        nested.index = Some(Spanned { value, span: at });
                    }
                    Kind::Body | Kind::BareBody => nested.body = Some(self.body(part)),
                    Kind::MissingEq => {}
                    Kind::MissingValue => {
                        self.report_missing_value(at, nested.names.last().or(Some(&nested.keyword)));
                        nested.value = Some(Expr { kind: ExprKind::Missing, span: at });
                    }
                    _ => nested.value = Some(self.expr(&child)),
                },
            }
        }
        if nested.value.is_none() && nested.body.is_none() {
            if !junk {
                self.report_lone(node);
            }
            return None;
        }
        Some(nested)
    }

    // ---- names and places ----

    /// A name in a header; `std.resnet` is one name.
    fn header_name(&mut self, node: &SyntaxNode) -> Option<Name> {
        let names = self.path_names(node);
        let span = self.span(node.text_range());
        match names.len() {
            0 => None,
            1 => names.into_iter().next(),
            _ => {
                let text = names.iter().map(|n| n.text.as_str()).collect::<Vec<_>>().join(".");
                Some(Name { text, quoted: false, span })
            }
        }
    }

    /// The name that an identifier or a string stands for.
    pub(super) fn name(&mut self, token: &SyntaxToken) -> Option<Name> {
        let span = self.span(token.text_range());
        match token.kind() {
            Kind::Ident => {
                let text = literal::look_alike(token.text()).unwrap_or_else(|| token.text().to_string());
                Some(Name { text, quoted: false, span })
            }
            Kind::HyphenName => Some(Name { text: token.text().replace('-', "_"), quoted: false, span }),
            Kind::Str => {
                let quote = |c: Option<char>| c.map_or(0, char::len_utf8);
                let (first, last) = (token.text().chars().next(), token.text().chars().next_back());
                let raw = &token.text()[quote(first)..token.text().len() - quote(last)];
                // Other languages' quotes are reported; their escapes are none of ours.
                let (text, wrong) =
                    if first == Some('"') { literal::string(raw) } else { (raw.to_string(), Vec::new()) };
                for (at, length, why) in wrong {
                    let start = span.start as usize + 1 + at;
                    self.report_escape(Span::new(self.file, start, start + length), why);
                }
                Some(Name { text, quoted: true, span })
            }
            Kind::OpenStr => {
                self.report_open_string(span);
                Some(Name { text: token.text()[1..].trim_end().to_string(), quoted: true, span })
            }
            _ => None,
        }
    }

    pub(super) fn number(&mut self, text: &str, span: Span) -> ExprKind {
        match literal::number(text) {
            Ok(kind) => kind,
            Err(wrong) => {
                // What is plain to see is read as that.
                let meant = wrong.meant.as_deref().and_then(|m| literal::number(m).ok());
                self.report_number(span, wrong);
                meant.unwrap_or(ExprKind::Missing)
            }
        }
    }

    pub(super) fn span(&self, range: TextRange) -> Span {
        Span { file: self.file, start: range.start().into(), end: range.end().into() }
    }

    /// A span for what has no text of its own.
    pub(super) fn here(&self) -> Span {
        Span::new(self.file, 0, 0)
    }
}

/// `int == 3`, where a type stands: the type, and the value that `==` was to set.
fn set_by_mistake(ty: Expr) -> (Expr, Option<Expr>) {
    match ty.kind {
        ExprKind::Binary { op: ast::BinaryOp::Eq, left, right } => (*left, Some(*right)),
        // With bounds: `int == 3 in 1..5`.
        ExprKind::Binary { op: op @ ast::BinaryOp::In, left, right }
            if matches!(left.kind, ExprKind::Binary { op: ast::BinaryOp::Eq, .. }) =>
        {
            let span = ty.span;
            let (ty, value) = set_by_mistake(*left);
            let bounded = |value: Expr| {
                let span = value.span.to(right.span);
                Expr { kind: ExprKind::Binary { op, left: Box::new(value), right }, span }
            };
            (Expr { span: ty.span.to(Span { end: ty.span.end, ..span }), ..ty }, value.map(bounded))
        }
        kind => (Expr { kind, span: ty.span }, None),
    }
}

fn after_eq(element: &SyntaxElement) -> bool {
    let mut at = element.prev_sibling_or_token();
    while let Some(sibling) = at {
        if sibling.kind() == Kind::Eq {
            return true;
        }
        at = sibling.prev_sibling_or_token();
    }
    false
}

pub(super) fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> {
    node.children_with_tokens().filter_map(|c| c.into_token())
}
