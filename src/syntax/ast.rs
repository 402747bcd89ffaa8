//! The typed view of a file: what `hir` reads. Built from the lossless tree; whatever could not be read is simply absent
//! here (its diagnostic is already reported), or an [`ExprKind::Missing`] that silences what would follow from it.

use crate::source::{Span, Spanned};

#[derive(Debug, Clone, Default, PartialEq)]
pub struct File {
    /// The number after `mtl` on the first line.
    pub edition: Option<Spanned<i64>>,
    pub items: Vec<Item>,
}

/// A name as written; `"5_o_Clock_Shadow"` and `five` are both names.
#[derive(Debug, Clone)]
pub struct Name {
    pub text: String,
    pub quoted: bool,
    pub span: Span,
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// One top-level item. Every keyword shares this shape; the schema table says which parts a keyword takes, so the grammar
/// needs no change for a new kind of item.
///
/// `KEYWORD NAME NAME... [INDEX] (PARAMS) : TYPE for TARGETS on NAMES over NAME = VALUE { BODY }`
#[derive(Debug, Clone)]
pub struct Item {
    pub keyword: Name,
    /// `use topology "x.mtl"` has two names, most items one, `train` none.
    pub names: Vec<Name>,
    /// `task attribute[*]`, `task t["a", "b"]`: the expressions between brackets.
    pub index: Option<Spanned<Vec<Expr>>>,
    /// `block f(c: int, k: int = 3)`, `backbone b(image)`.
    pub params: Option<Spanned<Vec<Param>>>,
    /// After `:`.
    pub ty: Option<Expr>,
    /// After `for`.
    pub targets: Vec<Expr>,
    /// After `on`.
    pub on: Vec<Name>,
    /// After `over`.
    pub over: Option<Name>,
    /// After `=`.
    pub value: Option<Expr>,
    pub body: Option<Body>,
    pub span: Span,
}

/// `name`, `name: type`, `name: type = default`.
#[derive(Debug, Clone)]
pub struct Param {
    pub name: Name,
    pub ty: Option<Expr>,
    pub default: Option<Expr>,
    pub span: Span,
}

/// What stands between braces.
#[derive(Debug, Clone, Default)]
pub struct Body {
    pub entries: Vec<Entry>,
    pub span: Option<Span>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// `key = value`; the key may be quoted.
    Attr(Attr),
    /// `a, "b" <- source`
    Edge(Edge),
    /// `stage s = chain`, `level c1 { ... }`, `heads { ... }`, `column age { ... }`, `stage s[i in 1..4] = ...`; also a key
    /// whose value is a body, `searched = { ... }`.
    Nested(Nested),
}

#[derive(Debug, Clone)]
pub struct Attr {
    pub key: Name,
    pub value: Expr,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Edge {
    pub targets: Vec<Expr>,
    pub source: Expr,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Nested {
    pub keyword: Name,
    /// Zero or one name in every construct so far.
    pub names: Vec<Name>,
    pub index: Option<Spanned<Vec<Expr>>>,
    pub value: Option<Expr>,
    pub body: Option<Body>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

impl Expr {
    /// A name on its own, quoted or not.
    pub fn as_name(&self) -> Option<Name> {
        match &self.kind {
            ExprKind::Path(p) if p.len() == 1 => Some(p[0].clone()),
            ExprKind::Str(s) => Some(Name { text: s.clone(), quoted: true, span: self.span }),
            _ => None,
        }
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// Equality of meaning: every field but the span.
macro_rules! equal_but_span {
    ($($ty:ident { $($field:ident),* })*) => {
        $(impl PartialEq for $ty {
            fn eq(&self, other: &Self) -> bool {
                $(self.$field == other.$field)&&*
            }
        })*
    };
}

equal_but_span! {
    Item { keyword, names, index, params, ty, targets, on, over, value, body }
    Param { name, ty, default }
    Body { entries }
    Attr { key, value }
    Edge { targets, source }
    Nested { keyword, names, index, value, body }
}

/// Precedence, loosest first: `->`, `or`, `and`, `not`, comparison and `in` (not chained), `..`, `+ -`, `* / %`, unary `-`,
/// postfix (call, index, unit).
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    Int(i64),
    /// Also `1e-4` and, scaled, `2.2M`, `10k`, `3G` where not whole (whole ones are `Int`).
    Float(f64),
    /// Quoted text. Whether it is a name or a string is decided by where it stands.
    Str(String),
    /// `a`, `a.b`, `census.education_num`; parts may be quoted. `true` and `false` are names here.
    Path(Vec<Name>),
    /// `*`
    Star,
    List(Vec<Expr>),
    /// `f(a, k = v)`; the callee is a path.
    Call {
        callee: Box<Expr>,
        args: Vec<Arg>,
    },
    /// `base[a, b]`
    Index {
        base: Box<Expr>,
        items: Vec<Expr>,
    },
    Unary {
        op: UnaryOp,
        operand: Box<Expr>,
    },
    Binary {
        op: BinaryOp,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `a..b`, both ends included.
    Range {
        from: Box<Expr>,
        to: Box<Expr>,
    },
    /// `a -> b -> c`; two links or more.
    Chain(Vec<Expr>),
    /// `2.4 epochs`
    Quantity {
        value: Box<Expr>,
        unit: Name,
    },
    /// Nothing could be read here; the reason is already reported.
    Missing,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Arg {
    pub name: Option<Name>,
    pub value: Expr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnaryOp {
    Neg,
    Not,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
    And,
    Or,
    /// `x in list` or `x in a..b`
    In,
}

impl BinaryOp {
    pub fn symbol(self) -> &'static str {
        match self {
            BinaryOp::Add => "+",
            BinaryOp::Sub => "-",
            BinaryOp::Mul => "*",
            BinaryOp::Div => "/",
            BinaryOp::Rem => "%",
            BinaryOp::Lt => "<",
            BinaryOp::Le => "<=",
            BinaryOp::Gt => ">",
            BinaryOp::Ge => ">=",
            BinaryOp::Eq => "==",
            BinaryOp::Ne => "!=",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
            BinaryOp::In => "in",
        }
    }
}

/// The item keywords, in the order a spec usually has them. The parser synchronises on them.
pub const ITEM_KEYWORDS: &[&str] = &[
    "param",
    "use",
    "data",
    "schema",
    "input",
    "task",
    "block",
    "backbone",
    "head",
    "space",
    "search",
    "topology",
    "train",
    "provenance",
];

/// Words that open a nested entry (`stage s = ...`, `level c1 { ... }`).
pub const NESTED_KEYWORDS: &[&str] =
    &["stage", "level", "heads", "tree", "single", "column", "file", "split", "array", "mix"];

/// Words that scale a number: `2.4 epochs`.
pub const UNITS: &[&str] = &["epoch", "epochs", "step", "steps"];
