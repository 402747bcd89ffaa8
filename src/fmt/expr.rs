//! Headers and expressions as documents: where blanks stand, and where a line may end.
//!
//! Every token is taken over as it is written, in its order (but for commas, which are set anew), and every comment stays
//! with the token before it.

use super::doc::Doc;
use crate::syntax::{Kind, SyntaxElement, SyntaxNode, SyntaxToken};

/// The comment that an element is, if it is one; told whether it has a line of its own.
pub(super) fn comment(element: &SyntaxElement) -> Option<Doc> {
    let token = element.as_token().filter(|t| t.kind() == Kind::Comment)?;
    Some(Doc::Comment { text: token.text().trim_end().to_string(), own_line: begins_line(token) })
}

pub(super) fn begins_line(token: &SyntaxToken) -> bool {
    match token.prev_token() {
        Some(before) => before.kind() == Kind::Whitespace && has_line_end(before.text()),
        None => true,
    }
}

pub(super) fn has_line_end(text: &str) -> bool {
    text.contains(['\n', '\r'])
}

/// Any value: an expression or a part of one.
pub(super) fn value(element: &SyntaxElement) -> Vec<Doc> {
    let node = match element {
        SyntaxElement::Token(token) => return vec![Doc::text(token.text())],
        SyntaxElement::Node(node) => node,
    };
    match node.kind() {
        Kind::Expr => expression(node),
        Kind::List | Kind::Index => vec![delimited(node, true)],
        Kind::Args | Kind::Params => vec![delimited(node, true)],
        Kind::Group => vec![delimited(node, false)],
        Kind::Quantity => spaced(node, " "),
        Kind::Arg | Kind::Param => named(node),
        // Postfix, path: nothing between the parts.
        _ => spaced(node, ""),
    }
}

fn spaced(node: &SyntaxNode, between: &str) -> Vec<Doc> {
    let mut parts = Vec::new();
    for child in node.children_with_tokens().filter(|c| c.kind() != Kind::Whitespace) {
        if let Some(comment) = comment(&child) {
            parts.push(comment);
            continue;
        }
        if !parts.is_empty() && !between.is_empty() {
            parts.push(Doc::text(between));
        }
        parts.extend(value(&child));
    }
    parts
}

/// `name = value`, `name: type = value`, or a value alone.
fn named(node: &SyntaxNode) -> Vec<Doc> {
    let mut parts = Vec::new();
    for child in node.children_with_tokens() {
        match child.kind() {
            Kind::Whitespace => {}
            Kind::Eq => parts.push(Doc::text(" = ")),
            Kind::Colon => parts.push(Doc::text(": ")),
            _ => match comment(&child) {
                Some(comment) => parts.push(comment),
                None => parts.extend(value(&child)),
            },
        }
    }
    parts
}

/// Operands and operators on one line; the links of a chain may begin lines.
fn expression(node: &SyntaxNode) -> Vec<Doc> {
    let children: Vec<SyntaxElement> = node.children_with_tokens().filter(|c| c.kind() != Kind::Whitespace).collect();
    let mut first: Vec<Doc> = Vec::new();
    let mut links: Vec<Doc> = Vec::new();
    let mut operand_next = true;
    // A comment after an arrow goes before it, where it is after the link that it is about.
    let mut arrow = false;
    let chained = children.iter().any(|c| c.kind() == Kind::Arrow);
    for child in &children {
        if let Some(comment) = comment(child) {
            let to = if links.is_empty() && !(chained && !operand_next || arrow) { &mut first } else { &mut links };
            to.push(comment);
            continue;
        }
        if arrow {
            links.extend([Doc::Line, Doc::text("-> ")]);
            arrow = false;
        }
        let to = if links.is_empty() { &mut first } else { &mut links };
        match child.kind() {
            Kind::Arrow => {
                arrow = true;
                operand_next = true;
            }
            Kind::Minus if operand_next => to.push(Doc::text("-")),
            Kind::KwNot => to.push(Doc::text("not ")),
            _ if operand_next => {
                to.extend(value(child));
                operand_next = false;
            }
            Kind::Dots => {
                to.push(Doc::text(".."));
                operand_next = true;
            }
            _ => {
                to.push(Doc::text(format!(" {child} ")));
                operand_next = true;
            }
        }
    }
    if links.is_empty() {
        return first;
    }
    first.push(Doc::Indent(links));
    vec![Doc::Group(first)]
}

/// One thing between brackets, with the comments that belong to it.
#[derive(Default)]
struct Slot {
    before: Vec<Doc>,
    doc: Vec<Doc>,
    simple: bool,
    after: Vec<Doc>,
}

/// A bracketed list: on one line; or filled, if all of it is plain names and numbers; or one thing per line.
fn delimited(node: &SyntaxNode, trailing_comma: bool) -> Doc {
    let mut slots: Vec<Slot> = Vec::new();
    let mut waiting: Vec<Doc> = Vec::new();
    let mut opening: Vec<Doc> = Vec::new();
    let (mut open, mut close) = (String::new(), String::new());
    for child in node.children_with_tokens() {
        match child.kind() {
            Kind::Whitespace | Kind::Comma => {}
            Kind::LBracket | Kind::LParen => open = child.to_string(),
            Kind::RBracket | Kind::RParen => close = child.to_string(),
            Kind::Comment => {
                let own_line = child.as_token().is_some_and(begins_line);
                let Some(comment) = comment(&child) else { continue };
                match slots.last_mut() {
                    _ if own_line => waiting.push(comment),
                    Some(slot) if waiting.is_empty() => slot.after.push(comment),
                    Some(_) => waiting.push(comment),
                    None => opening.push(comment),
                }
            }
            _ => slots.push(Slot {
                before: std::mem::take(&mut waiting),
                simple: is_simple(&child),
                doc: value(&child),
                after: Vec::new(),
            }),
        }
    }
    let commented = !opening.is_empty() || !waiting.is_empty();
    if slots.is_empty() && !commented {
        return Doc::text(open + &close);
    }
    let fill = !commented && slots.iter().all(|s| s.simple && s.before.is_empty() && s.after.is_empty());
    let last = slots.len().saturating_sub(1);
    let comma = |i: usize| match (i == last, trailing_comma) {
        (false, _) => Doc::text(","),
        (true, true) => Doc::IfBroken(","),
        (true, false) => Doc::text(""),
    };
    let mut inner = vec![Doc::Soft];
    if fill {
        let count = slots.len();
        let with_commas = slots.into_iter().enumerate().map(|(i, mut slot)| {
            if i + 1 < count {
                slot.doc.push(Doc::text(","));
            }
            Doc::Group(slot.doc)
        });
        inner.push(Doc::Fill(with_commas.collect()));
        inner.push(comma(last));
    } else {
        for (i, slot) in slots.into_iter().enumerate() {
            if i > 0 {
                inner.push(Doc::Line);
            }
            inner.extend(slot.before);
            inner.extend(slot.doc);
            inner.push(comma(i));
            inner.extend(slot.after);
        }
        inner.extend(waiting);
    }
    let mut parts = vec![Doc::Text(open)];
    parts.extend(opening);
    parts.push(Doc::Indent(inner));
    parts.push(Doc::Soft);
    parts.push(Doc::Text(close));
    Doc::Group(parts)
}

/// Whether an element is so short and plain that several may share a line.
fn is_simple(element: &SyntaxElement) -> bool {
    let mut at = element.clone();
    loop {
        match &at {
            SyntaxElement::Token(_) => return true,
            SyntaxElement::Node(node) => match node.kind() {
                Kind::Path => return true,
                Kind::Arg | Kind::Expr | Kind::Postfix => {
                    let mut children = node.children_with_tokens();
                    match (children.next(), children.next()) {
                        (Some(only), None) => at = only,
                        _ => return false,
                    }
                }
                _ => return false,
            },
        }
    }
}
