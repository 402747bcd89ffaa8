//! Expressions: the flat operands and operators of the tree become nested values, by precedence climbing.
//!
//! What cannot be read becomes [`ExprKind::Missing`], and its reason is reported here. Depth is bounded: neither reading
//! nor dropping nor walking the result can exhaust the stack.

use super::ast::{Arg, BinaryOp, Expr, ExprKind, Name, UnaryOp};
use super::read::Reader;
use super::tree::{Kind, SyntaxElement, SyntaxNode};
use crate::diag::codes;
use crate::source::Span;

/// Operators and brackets that may be nested in one another, counted while going down and while coming up.
const MAX_NESTING: u32 = 400;

/// An expression and the height of its tree.
struct Built {
    expr: Expr,
    height: u32,
}

impl Built {
    fn leaf(kind: ExprKind, span: Span) -> Built {
        Built { expr: Expr { kind, span }, height: 1 }
    }
}

/// What an operator binds to: `(strength, may not be chained)`.
fn infix(kind: Kind) -> Option<(u8, bool, Option<BinaryOp>)> {
    use BinaryOp::*;
    Some(match kind {
        Kind::KwOr | Kind::OrSign => (1, false, Some(Or)),
        Kind::KwAnd | Kind::AndSign => (2, false, Some(And)),
        Kind::Lt => (4, true, Some(Lt)),
        Kind::Le => (4, true, Some(Le)),
        Kind::Gt => (4, true, Some(Gt)),
        Kind::Ge => (4, true, Some(Ge)),
        Kind::EqEq => (4, true, Some(Eq)),
        Kind::Ne => (4, true, Some(Ne)),
        Kind::KwIn | Kind::NotIn => (4, true, Some(In)),
        Kind::Dots => (5, true, None),
        Kind::Plus => (6, false, Some(Add)),
        Kind::Minus => (6, false, Some(Sub)),
        Kind::Star | Kind::Power => (7, false, Some(Mul)),
        Kind::Slash => (7, false, Some(Div)),
        Kind::Percent => (7, false, Some(Rem)),
        _ => return None,
    })
}

const STRENGTH_NOT: u8 = 3;
const STRENGTH_NEG: u8 = 8;

/// The children of one flat expression, and how far reading has come.
struct Flat {
    parts: Vec<SyntaxElement>,
    at: usize,
}

impl Flat {
    fn peek(&self) -> Option<Kind> {
        self.parts.get(self.at).map(|p| p.kind())
    }

    fn next(&mut self) -> Option<SyntaxElement> {
        let part = self.parts.get(self.at).cloned();
        self.at += 1;
        part
    }
}

impl Reader<'_> {
    /// An `Expr` node, or any of the nodes and tokens that stand for a value.
    pub(super) fn expr(&mut self, element: &SyntaxElement) -> Expr {
        self.built(element).expr
    }

    fn built(&mut self, element: &SyntaxElement) -> Built {
        let span = self.span(element.text_range());
        if self.depth >= MAX_NESTING {
            return self.too_deep(span);
        }
        self.depth += 1;
        let built = match element {
            SyntaxElement::Token(token) => match token.kind() {
                Kind::Number => Built::leaf(self.number(token.text(), span), span),
                Kind::Star => Built::leaf(ExprKind::Star, span),
                _ => Built::leaf(ExprKind::Missing, span),
            },
            SyntaxElement::Node(node) => match node.kind() {
                Kind::Expr => {
                    let parts: Vec<SyntaxElement> =
                        node.children_with_tokens().filter(|c| !c.kind().is_trivia()).collect();
                    if let [only] = &parts[..] { self.built(only) } else { self.chain(&mut Flat { parts, at: 0 }) }
                }
                Kind::Quantity => self.quantity(node, span),
                Kind::Postfix => self.postfix(node, span),
                Kind::Path => Built::leaf(self.path(node), span),
                Kind::List => {
                    let (items, height) = self.items(node, "a list");
                    Built { expr: Expr { kind: ExprKind::List(items), span }, height: height + 1 }
                }
                Kind::Group => self.group(node, span),
                Kind::MissingOperand => {
                    self.missing_operand(node, span);
                    Built::leaf(ExprKind::Missing, span)
                }
                // `MissingValue` and `MissingType` are reported by whoever knows what they belong to.
                _ => Built::leaf(ExprKind::Missing, span),
            },
        };
        self.depth -= 1;
        if built.height > MAX_NESTING { self.too_deep(span) } else { built }
    }

    /// `a -> b -> c`: the loosest operator, and the only one that makes a list.
    fn chain(&mut self, flat: &mut Flat) -> Built {
        let first = self.climb(flat, 1);
        if flat.peek() != Some(Kind::Arrow) {
            return first;
        }
        let mut span = first.expr.span;
        let mut height = first.height;
        let mut links = vec![first.expr];
        while flat.peek() == Some(Kind::Arrow) {
            flat.next();
            let link = self.climb(flat, 1);
            span = span.to(link.expr.span);
            height = height.max(link.height);
            links.push(link.expr);
        }
        Built { expr: Expr { kind: ExprKind::Chain(links), span }, height: height + 1 }
    }

    fn climb(&mut self, flat: &mut Flat, min: u8) -> Built {
        if self.depth >= MAX_NESTING {
            let span = flat.parts.get(flat.at).map_or(self.here(), |p| self.span(p.text_range()));
            flat.at = flat.parts.len();
            return self.too_deep(span);
        }
        self.depth += 1;
        let mut left = self.operand(flat);
        let mut compared = false;
        while let Some((strength, once, op)) = flat.peek().and_then(infix) {
            if strength < min {
                break;
            }
            let Some(sign) = flat.next() else { break };
            if once && compared && strength == 4 {
                let text = sign.as_token().map_or("", |t| t.text()).to_string();
                self.report_chained(self.span(sign.text_range()), &text);
            }
            compared |= strength == 4;
            let right = self.climb(flat, strength + 1);
            let span = left.expr.span.to(right.expr.span);
            let height = left.height.max(right.height) + if sign.kind() == Kind::NotIn { 2 } else { 1 };
            let sign = (sign.kind(), self.span(sign.text_range()));
            let power = || super::report::power(&left.expr, &right.expr);
            match sign {
                (Kind::NotIn, at) => self.report_not_in(left.expr.span, at),
                (Kind::Power, at) => self.report_power(span, at, power()),
                _ => {}
            }
            let (left_side, right_side) = (Box::new(left.expr), Box::new(right.expr));
            let kind = match (op, sign.0) {
                (_, Kind::Power) => ExprKind::Missing,
                (Some(op), Kind::NotIn) => {
                    let inside = ExprKind::Binary { op, left: left_side, right: right_side };
                    ExprKind::Unary { op: UnaryOp::Not, operand: Box::new(Expr { kind: inside, span }) }
                }
                (Some(op), _) => ExprKind::Binary { op, left: left_side, right: right_side },
                (None, _) => ExprKind::Range { from: left_side, to: right_side },
            };
            left = Built { expr: Expr { kind, span }, height };
            if left.height > MAX_NESTING {
                flat.at = flat.parts.len();
                left = self.too_deep(span);
            }
        }
        self.depth -= 1;
        left
    }

    fn operand(&mut self, flat: &mut Flat) -> Built {
        let Some(part) = flat.next() else { return Built::leaf(ExprKind::Missing, self.here()) };
        let (op, strength) = match part.kind() {
            Kind::Minus => (UnaryOp::Neg, STRENGTH_NEG),
            Kind::KwNot => (UnaryOp::Not, STRENGTH_NOT),
            Kind::Plus => {
                self.report_plus(self.span(part.text_range()));
                return self.climb(flat, STRENGTH_NEG);
            }
            _ => return self.built(&part),
        };
        let operand = self.climb(flat, strength);
        let span = self.span(part.text_range()).to(operand.expr.span);
        let height = operand.height + 1;
        Built { expr: Expr { kind: ExprKind::Unary { op, operand: Box::new(operand.expr) }, span }, height }
    }

    fn quantity(&mut self, node: &SyntaxNode, span: Span) -> Built {
        let mut value = Expr { kind: ExprKind::Missing, span };
        let mut unit = None;
        for token in node.children_with_tokens().filter_map(|c| c.into_token()) {
            let span = self.span(token.text_range());
            match token.kind() {
                Kind::Number => value = Expr { kind: self.number(token.text(), span), span },
                Kind::Unit => unit = Some(Name { text: token.text().to_string(), quoted: false, span }),
                Kind::OddUnit => unit = self.odd_unit(token.text(), span),
                _ => {}
            }
        }
        match unit {
            Some(unit) if value.kind != ExprKind::Missing => {
                Built { expr: Expr { kind: ExprKind::Quantity { value: Box::new(value), unit }, span }, height: 2 }
            }
            _ => Built::leaf(value.kind, span),
        }
    }

    fn postfix(&mut self, node: &SyntaxNode, span: Span) -> Built {
        let mut built = Built::leaf(ExprKind::Missing, span);
        let mut first = true;
        for child in node.children() {
            let to = self.span(child.text_range());
            match child.kind() {
                Kind::Path => {
                    let only = node.children().count() == 1;
                    let kind = if only { self.value_of_path(&child) } else { self.path(&child) };
                    built = Built::leaf(kind, to);
                }
                Kind::Args => {
                    let (args, height) = self.args(&child);
                    let span = built.expr.span.to(to);
                    let height = built.height.max(height) + 1;
                    built.expr = Expr { kind: ExprKind::Call { callee: Box::new(built.expr), args }, span };
                    built.height = height;
                }
                Kind::Index => {
                    let (items, height) = self.items(&child, "an index");
                    let span = built.expr.span.to(to);
                    let height = built.height.max(height) + 1;
                    built.expr = Expr { kind: ExprKind::Index { base: Box::new(built.expr), items }, span };
                    built.height = height;
                }
                _ => {}
            }
            if !first && built.height > MAX_NESTING {
                return self.too_deep(span);
            }
            first = false;
        }
        built
    }

    /// A path in operand position: one quoted part alone is text.
    fn value_of_path(&mut self, node: &SyntaxNode) -> ExprKind {
        if node.children_with_tokens().any(|c| c.kind() == Kind::OpenStr) {
            self.path(node);
            return ExprKind::Missing;
        }
        match self.path(node) {
            ExprKind::Path(mut names) if names.len() == 1 && names[0].quoted => ExprKind::Str(names.remove(0).text),
            other => other,
        }
    }

    pub(super) fn path(&mut self, node: &SyntaxNode) -> ExprKind {
        ExprKind::Path(self.path_names(node))
    }

    /// The parts of a path; an unclosed string or a missing part is reported.
    pub(super) fn path_names(&mut self, node: &SyntaxNode) -> Vec<Name> {
        let mut names = Vec::new();
        for child in node.children_with_tokens() {
            match &child {
                SyntaxElement::Token(token) => names.extend(self.name(token)),
                SyntaxElement::Node(missing) => {
                    let span = self.span(missing.text_range());
                    let text = node.text().to_string();
                    self.report_missing_part(span, &text);
                }
            }
        }
        names
    }

    /// `( ... )` around one value.
    fn group(&mut self, node: &SyntaxNode, span: Span) -> Built {
        let (args, height) = self.args(node);
        let count = args.len();
        match (count, args.into_iter().next()) {
            (1, Some(Arg { name: None, value })) => Built { expr: Expr { kind: value.kind, span }, height },
            (_, _) => {
                if !self.has_problem_inside(span) {
                    self.report_group(span, count);
                }
                Built::leaf(ExprKind::Missing, span)
            }
        }
    }

    fn args(&mut self, node: &SyntaxNode) -> (Vec<Arg>, u32) {
        self.separators(node);
        let runs = self.unquoted_runs(node);
        let mut args = Vec::new();
        let mut height = 0;
        for child in node.children().filter(|c| matches!(c.kind(), Kind::Arg | Kind::OddArg)) {
            let start = usize::from(child.text_range().start());
            if let Some(run) = runs.iter().find(|r| r.contains(start)) {
                // Several words that are one text: the first stands for all.
                if run.start == start {
                    let text = self.text[run.start..run.end].to_string();
                    args.push(Arg {
                        name: None,
                        value: Expr { kind: ExprKind::Str(text), span: self.at(run.start, run.end) },
                    });
                }
                continue;
            }
            let (arg, h) = self.arg(&child);
            height = height.max(h);
            match arg {
                // `add(a b)`
                Arg { name: Some(name), value } if child.kind() == Kind::OddArg && super::habits::is_merge(&child) => {
                    let span = name.span;
                    args.push(Arg { name: None, value: Expr { kind: ExprKind::Path(vec![name]), span } });
                    args.push(Arg { name: None, value });
                }
                arg => args.push(arg),
            }
        }
        (args, height)
    }

    fn arg(&mut self, node: &SyntaxNode) -> (Arg, u32) {
        let mut name = None;
        let mut value = Built::leaf(ExprKind::Missing, self.span(node.text_range()));
        for child in node.children_with_tokens() {
            match child.kind() {
                Kind::Ident | Kind::HyphenName | Kind::Str | Kind::OpenStr => {
                    name = child.as_token().and_then(|t| self.name(t));
                }
                Kind::Expr => value = self.built(&child),
                Kind::MissingValue => {
                    let span = self.span(child.text_range());
                    self.report_missing_value(span, name.as_ref());
                    value = Built::leaf(ExprKind::Missing, span);
                }
                _ => {}
            }
        }
        (Arg { name, value: value.expr }, value.height)
    }

    /// The values between brackets where names with `=` have no meaning.
    pub(super) fn items(&mut self, node: &SyntaxNode, what: &str) -> (Vec<Expr>, u32) {
        let (args, height) = self.args(node);
        let mut items = Vec::with_capacity(args.len());
        for arg in args {
            match arg.name {
                None => items.push(arg.value),
                Some(name) => self.report(
                    codes::SYNTAX_UNEXPECTED,
                    name.span.to(arg.value.span),
                    format!("`{} = ...` cannot stand in {what}", name.text),
                    "only plain values here",
                ),
            }
        }
        (items, height)
    }

    fn too_deep(&mut self, span: Span) -> Built {
        if !self.deep_reported {
            self.deep_reported = true;
            self.report(
                codes::SYNTAX_TOO_DEEP,
                span,
                "this expression is too long or nested too deeply".to_string(),
                "no more than 400 operators and brackets inside one another",
            );
        }
        Built::leaf(ExprKind::Missing, span)
    }
}
