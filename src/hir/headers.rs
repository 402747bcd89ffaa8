//! Headers of items against the schema table: what is missing, what is too much, and the one word that was forgotten.

use super::build::{Builder, named};
use super::eval;
use super::schema::{self, ItemDef, Part};
use crate::diag::{Applicability, Diagnostic, codes};
use crate::source::{Span, Spanned};
use crate::syntax::ast::{Body, Expr, ExprKind, Item, Name, Nested, Param};

/// How these parts are called in messages.
const VALUE: &str = "= VALUE";
const BODY: &str = "{ ... }";

/// What became of a header.
pub(super) enum Header {
    Good,
    /// It is reported, and the item is read as this one.
    Mended(Box<Item>),
    /// It is reported, and what the item declares is not known.
    Unusable,
}

impl Builder<'_> {
    /// Checks the parts of a header.
    pub(super) fn header(&mut self, item: &Item) -> Header {
        let Some(def) = schema::item(&item.keyword.text) else {
            let words = schema::items().iter().map(|i| i.keyword);
            self.diags.push(eval::unknown_word(&item.keyword, words, "an item", codes::SYNTAX_UNKNOWN_ITEM));
            return Header::Unusable;
        };
        if self.header_of(item, def) {
            return Header::Good;
        }
        mended(item, def).map_or(Header::Unusable, |i| Header::Mended(Box::new(i)))
    }

    /// The same for an entry of a body; false where it cannot be used.
    pub(super) fn nested_header(&mut self, entry: &Nested, def: &ItemDef) -> bool {
        let item = Item {
            keyword: entry.keyword.clone(),
            names: entry.names.clone(),
            index: entry.index.clone(),
            params: None,
            ty: None,
            targets: Vec::new(),
            on: Vec::new(),
            over: None,
            value: entry.value.clone(),
            body: entry.body.as_ref().map(|b| Body { entries: Vec::new(), span: b.span }),
            span: entry.span,
        };
        self.header_of(&item, def)
    }

    fn header_of(&mut self, item: &Item, def: &ItemDef) -> bool {
        let h = def.header;
        let mut ok = true;
        let before = self.diags.len();
        let n = item.names.len();
        if n < h.names.0 || n > h.names.1 {
            let (span, what) = match n < h.names.0 {
                true => (item.keyword.span, format!("{} needs a name", named(def.keyword))),
                false => (
                    item.names[h.names.1].span,
                    format!(
                        "`{}` does not belong into the header of {}",
                        item.names[h.names.1].text,
                        named(def.keyword)
                    ),
                ),
            };
            let d = Diagnostic::new(codes::SYNTAX_HEADER, span, what).help(forms(def));
            let d = self.missing_word(item, def, d);
            self.diags.push(d);
            ok = false;
        }
        let parts: [(&str, Part, Option<Span>); 8] = [
            ("[...]", h.index, item.index.as_ref().map(|i| i.span)),
            ("parameters in brackets", h.params, item.params.as_ref().map(|p| p.span)),
            (": TYPE", h.ty, item.ty.as_ref().map(|e| e.span)),
            ("for TARGET", h.targets, item.targets.first().map(|e| e.span)),
            ("on LEVEL", h.on, item.on.first().map(|n| n.span)),
            ("over BACKBONE", h.over, item.over.as_ref().map(|n| n.span)),
            (VALUE, h.value, item.value.as_ref().map(|e| e.span)),
            (BODY, h.body, item.body.as_ref().map(|b| b.span.unwrap_or(item.span))),
        ];
        for (index, (what, part, found)) in parts.into_iter().enumerate() {
            match (part, found) {
                // A name too many stands where the missing part should: one message.
                (Part::Must, None) if n > h.names.1 => {}
                // And so does a value where there should be a body.
                (Part::Must, None) if what == BODY && h.value == Part::No && item.value.is_some() => {}
                (Part::Must, None) => {
                    let at = item.names.last().map_or(item.keyword.span, |n| n.span);
                    let message = format!("this `{}` lacks `{what}`", def.keyword);
                    let d = Diagnostic::new(codes::SYNTAX_HEADER, at, message).help(forms(def));
                    let d = self.missing_word(item, def, d);
                    self.diags.push(d);
                    ok = false;
                }
                // Of a type whose `:` is missing: one message.
                (Part::No, Some(_)) if index <= 1 && h.ty == Part::Must && item.ty.is_none() && n > h.names.1 => {}
                (Part::No, Some(span)) => {
                    let message = format!("{} takes no `{what}`", named(def.keyword));
                    let d = Diagnostic::new(codes::SYNTAX_HEADER, span, message).help(forms(def));
                    self.diags.push(match (def.keyword, item.names.last(), &item.value) {
                        ("level", Some(name), Some(value))
                            if what == VALUE && matches!(value.kind, ExprKind::Int(_)) =>
                        {
                            let text = self.sources.file(span.file).text.get(span.range()).unwrap_or_default();
                            let text = format!(" {{ copies = {text} }}");
                            let place = Span { start: name.span.end, ..span };
                            d.fix("write it as the number of copies", place, text, Applicability::Maybe)
                        }
                        _ => d,
                    });
                    ok = false;
                }
                // Each is all that the item says.
                (Part::Maybe, Some(span)) if what == BODY && h.value == Part::Maybe && item.value.is_some() => {
                    let message = format!("{} takes `{VALUE}` or `{BODY}`, not both", named(def.keyword));
                    let d = Diagnostic::new(codes::SYNTAX_HEADER, span, message).help(forms(def));
                    let value = item.value.as_ref().map_or(span, |v| v.span);
                    self.diags.push(d.also(value, "the value"));
                    ok = false;
                }
                _ => {}
            }
        }
        if self.diags.len() > before {
            let end = item.body.as_ref().and_then(|b| b.span).map_or(item.span.end, |b| b.start);
            self.wrong_headers.push(Span { end, ..item.keyword.span });
        }
        ok
    }

    /// The form of an item says it all; what the parser, whose reports are the first `parsed`, said of the same line would say
    /// it twice.
    pub(super) fn said_by_headers(&mut self, parsed: usize) {
        let mut headers = std::mem::take(&mut self.wrong_headers);
        headers.sort_unstable();
        self.diags.drop_earlier(parsed, |d| {
            let Some(p) = &d.primary else { return false };
            let at = headers.partition_point(|h| (h.file, h.start) <= (p.span.file, p.span.start));
            let before = at.checked_sub(1).map(|i| headers[i]);
            [codes::SYNTAX_UNEXPECTED, codes::SYNTAX_HEADER, codes::SYNTAX_UNCLOSED].contains(&d.code)
                && before.is_some_and(|h| h.file == p.span.file && p.span.start <= h.end)
        });
    }

    /// Adds the fix where one word or sign of a header was forgotten: `over`, `for`, `on`, or the `:` before a type.
    fn missing_word(&self, item: &Item, def: &ItemDef, d: Diagnostic) -> Diagnostic {
        let h = def.header;
        let before = |n: &Name, word: &str| {
            (Span { end: n.span.start, ..n.span }, format!("{word} "), format!("insert `{word}`"))
        };
        let found = match item.names.as_slice() {
            [_, last] if h.ty == Part::Must && item.ty.is_none() => {
                let index = item.index.as_ref().map(|i| i.span).filter(|i| i.end <= last.span.start);
                let at = index.unwrap_or(item.names[0].span);
                Some((Span { start: at.end, ..at }, ":".to_string(), "insert `:`".to_string()))
            }
            // The type has brackets of its own: `input x f32[3]`.
            [.., last] if h.over == Part::Must && item.over.is_none() => Some(before(last, "over")),
            [first, ..] if h.targets == Part::Must && item.targets.is_empty() => Some(before(first, "for")),
            [_, second] if h.on == Part::Maybe && item.on.is_empty() => Some(before(second, "on")),
            _ => None,
        };
        match found {
            Some((span, text, title)) => {
                let mut d = d.fix(title, span, text.clone(), Applicability::Safe);
                d.message = format!("`{}` is missing in this header", text.trim());
                d.label(format!("expected `{}` before it", text.trim()))
            }
            None => d,
        }
    }
}

/// The item as it was most likely meant, so that a mistake in its header does not hide those in its body.
fn mended(item: &Item, def: &ItemDef) -> Option<Item> {
    let h = def.header;
    let mut item = item.clone();
    let path = |n: &Name| Expr { kind: ExprKind::Path(vec![n.clone()]), span: n.span };
    // A word or a sign is missing before the last names.
    if h.ty == Part::Must && item.ty.is_none() && item.names.len() == 2 {
        let base = item.names.pop().map(|n| path(&n))?;
        // The type has brackets of its own: `input x f32[3]`.
        let own = |span: Span| h.index == Part::No || base.span.end <= span.start;
        let index = item.index.take_if(|i| own(i.span));
        item.ty = Some(match index {
            Some(index) => {
                let span = base.span.to(index.span);
                Expr { kind: ExprKind::Index { base: Box::new(base), items: index.value }, span }
            }
            None => base,
        });
    }
    if h.over == Part::Must && item.over.is_none() {
        item.over = item.names.pop();
    }
    if h.targets == Part::Must && item.targets.is_empty() {
        item.targets = item.names.drain(..).map(|n| path(&n)).collect();
        if item.targets.is_empty() {
            item.targets.push(Expr { kind: ExprKind::Star, span: item.keyword.span });
        }
    }
    if h.on == Part::Maybe && item.on.is_empty() && item.names.len() > 1 {
        item.on = item.names.split_off(1);
    }
    // `backbone net[image]`
    if h.params == Part::Maybe && h.index == Part::No && item.params.is_none() {
        let param = |e: &Expr| Some(Param { name: e.as_name()?, ty: None, default: None, span: e.span });
        item.params =
            item.index.take().map(|i| Spanned { value: i.value.iter().filter_map(param).collect(), span: i.span });
    }
    // What the item does not take.
    item.names.truncate(h.names.1);
    item.index.take_if(|_| h.index == Part::No);
    item.params.take_if(|_| h.params == Part::No);
    item.ty.take_if(|_| h.ty == Part::No);
    item.over.take_if(|_| h.over == Part::No);
    item.value.take_if(|_| h.value == Part::No);
    item.body.take_if(|_| h.body == Part::No);
    if h.targets == Part::No {
        item.targets.clear();
    }
    if h.on == Part::No {
        item.on.clear();
    }
    // What no reading can make up.
    let lacks = |part: Part, there: bool| part == Part::Must && !there;
    let whole = item.names.len() >= h.names.0
        && !lacks(h.ty, item.ty.is_some())
        && !lacks(h.value, item.value.is_some())
        && !lacks(h.body, item.body.is_some())
        && (h.value != Part::Maybe || item.value.is_some() || item.body.is_some());
    whole.then_some(item)
}

/// How an item is written: one of its forms, or each.
fn forms(def: &ItemDef) -> String {
    format!("write {}", def.form.split("  |  ").map(|f| format!("`{f}`")).collect::<Vec<_>>().join(" or "))
}
