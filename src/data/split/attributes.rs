//! The notation of splits: the attributes that every file format has, and the calls that select rows of a file.

use crate::schema::{Args, AttrDef, Call, CallDef, Need, Ty, Value};
use crate::syntax::ast::Expr;

const NAMES: Ty = Ty::List(&Ty::Name);

const BY: AttrDef = AttrDef {
    name: "by",
    ty: NAMES,
    need: Need::Optional,
    doc: "A column whose equal values stay together, or several: no group is in two splits. Groups are drawn by a hash of their value, so \
          the order of the rows does not matter; each row without a value is its own group. Absent: the data set's `group`.",
};
const STRATIFIED: AttrDef = AttrDef {
    name: "stratify",
    ty: Ty::Expr,
    need: Need::Optional,
    doc: "A column or an expression whose values keep their proportions: `label`, `d.age > 60`. Absent: the data set's `stratify`.",
};
const IN_TIME: AttrDef = AttrDef {
    name: "time",
    ty: Ty::Name,
    need: Need::Optional,
    doc: "A column of numbers or of dates (2026-11-30; a time may follow, as in 2026-11-30 14:05:00, and then an offset, +01:00): the \
          last rows in its order are taken, and rows with equal values stay together. Absent: the data set's `time`.",
};

static SHARE: CallDef = CallDef {
    name: "share",
    doc: "A part of another split's rows, drawn by `split_seed` and removed from that split. If the share has `by`, `stratify` or `time`, \
          the data set's own `group`, `stratify` and `time` do not apply.",
    args: &[
        AttrDef {
            name: "fraction",
            ty: Ty::Float { min: 0.0, max: 1.0 },
            need: Need::Required,
            doc: "Fraction of the rows, rounded to the nearest row; with groups, as close as whole groups allow.",
        },
        AttrDef {
            name: "of",
            ty: Ty::OneOf(&["train", "test"]),
            need: Need::Default("train"),
            doc: "The split from which it is taken.",
        },
        BY,
        STRATIFIED,
        IN_TIME,
    ],
};

static FOLD: CallDef = CallDef {
    name: "fold",
    doc: "One of several equal parts of the training rows, drawn by `split_seed`: `fold(2, of = 5)`. The folds are disjoint and together \
          contain all rows. With `time`, the ordered rows are divided into one part more than there are folds: fold `i` is part `i + 1`, \
          the earlier parts are the training rows, and the later parts are left out. `mtlc train --folds 5` trains on every fold.",
    args: &[
        AttrDef { name: "index", ty: crate::schema::COUNT, need: Need::Required, doc: "Which one, from 1." },
        AttrDef { name: "of", ty: Ty::Int { min: 2, max: i64::MAX }, need: Need::Required, doc: "How many there are." },
        BY,
        STRATIFIED,
        IN_TIME,
    ],
};

/// `share(...)` or `fold(...)`.
pub const SHARE_TY: Ty = Ty::Call(|| vec![&SHARE, &FOLD]);

const WORDS: Ty = Ty::List(&Ty::Str);

const fn words(name: &'static str, doc: &'static str) -> AttrDef {
    AttrDef { name, ty: WORDS, need: Need::Optional, doc }
}

static COLUMN: CallDef = CallDef {
    name: "column",
    doc: "A column and the cells that mean each split: `column(part, train = [\"0\", \"1\"], validation = [\"2\"])`.",
    args: &[
        AttrDef { name: "name", ty: Ty::Name, need: Need::Required, doc: "The column." },
        words("train", "Cells of training rows."),
        words("validation", "Cells of validation rows."),
        words("test", "Cells of test rows."),
        words("leave_out", "Cells of rows that are in no split."),
    ],
};

pub const SPLIT: AttrDef = AttrDef {
    name: "split",
    ty: Ty::AnyOf(&[Ty::Name, Ty::Call(|| vec![&COLUMN])]),
    need: Need::Optional,
    doc: "A column of the training file whose cells name the split of each row: `train`, `validation` (or `val`, `valid`, `dev`) and `test`, \
          in any case; `column(...)` maps other cells. The column itself is skipped, as with `drop`. A split that the column does not \
          name may be a share of the rows.",
};
pub const GROUP: AttrDef = AttrDef {
    name: "group",
    ty: NAMES,
    need: Need::Optional,
    doc: "A column whose equal values belong together (a user, a patient, a scene), or several. Shares and folds contain whole groups, \
          and groups that are in two splits are reported.",
};
pub const STRATIFY: AttrDef = AttrDef {
    name: "stratify",
    ty: Ty::Expr,
    need: Need::Optional,
    doc: "A column or an expression: shares and folds preserve the proportions of its values.",
};
pub const TIME: AttrDef = AttrDef {
    name: "time",
    ty: Ty::Name,
    need: Need::Optional,
    doc: "A column of numbers or of dates: shares take the last rows in its order, the test split after the validation split.",
};
pub const SPLIT_SEED: AttrDef = AttrDef {
    name: "split_seed",
    ty: crate::schema::NATURAL,
    need: Need::Default("0"),
    doc: "Seed of shares and folds. It belongs to the data, so runs with different seeds have the same splits.",
};

/// Which rows are drawn together, evenly, or in order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grouping {
    pub by: Vec<String>,
    pub stratify: Option<Expr>,
    pub time: Option<String>,
}

impl Grouping {
    pub fn is_plain(&self) -> bool {
        *self == Grouping::default()
    }
}

/// How a split takes rows from another split.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    Share {
        fraction: f64,
        of_test: bool,
        grouping: Grouping,
    },
    /// `index` counts from 1.
    Fold {
        index: usize,
        of: usize,
        grouping: Grouping,
    },
    /// The rows for which the condition is true.
    Where(Expr),
}

impl Taken {
    pub fn grouping(&self) -> Option<&Grouping> {
        match self {
            Taken::Share { grouping, .. } | Taken::Fold { grouping, .. } => Some(grouping),
            Taken::Where(_) => None,
        }
    }

    pub fn of_test(&self) -> bool {
        matches!(self, Taken::Share { of_test: true, .. })
    }
}

/// How `validation` or `test` takes rows; `None` if it is files or absent.
pub fn taken(args: &Args, split: &str) -> Option<Taken> {
    match args.get(split)? {
        Value::Call(c) if c.name == SHARE.name => Some(Taken::Share {
            fraction: c.args.float("fraction"),
            of_test: c.args.str("of") == "test",
            grouping: grouping(args, c),
        }),
        Value::Call(c) if c.name == FOLD.name => {
            Some(Taken::Fold { index: c.args.size("index"), of: c.args.size("of"), grouping: grouping(args, c) })
        }
        Value::Expr(e) => Some(Taken::Where(e.clone())),
        _ => None,
    }
}

/// The column of a name or a dotted path: `user`, `d.user`.
fn column(value: &Value) -> Option<String> {
    match value {
        Value::Name(parts) => parts.last().cloned(),
        _ => None,
    }
}

/// The column names in a list attribute.
pub fn columns(args: &Args, attribute: &str) -> Vec<String> {
    match args.get(attribute) {
        Some(Value::List(items)) => items.iter().filter_map(|v| column(&v.value)).collect(),
        Some(one) => column(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn grouping(data: &Args, call: &Call) -> Grouping {
    let own = Grouping {
        by: columns(&call.args, "by"),
        stratify: call.args.expr("stratify").cloned(),
        time: call.args.get("time").and_then(column),
    };
    if !own.is_plain() {
        return own;
    }
    Grouping {
        by: columns(data, "group"),
        stratify: data.expr("stratify").cloned(),
        time: data.get("time").and_then(column),
    }
}

/// The column that names the split of each row, and the meaning of its cells.
pub struct Named {
    pub column: String,
    /// The cells of train, validation, test, and of rows that are left out. `None`: the usual words.
    pub cells: Option<[Vec<String>; 4]>,
}

pub fn named(args: &Args) -> Option<Named> {
    match args.get("split")? {
        Value::Call(c) => {
            let list = |name: &str| {
                let text = |v: &Value| match v {
                    Value::Str(s) => Some(s.clone()),
                    _ => None,
                };
                c.args.list(name).iter().filter_map(|v| text(&v.value)).collect::<Vec<_>>()
            };
            let cells = ["train", "validation", "test", "leave_out"].map(list);
            let any = cells.iter().any(|c| !c.is_empty());
            Some(Named { column: c.args.get("name").and_then(column)?, cells: any.then_some(cells) })
        }
        one => Some(Named { column: column(one)?, cells: None }),
    }
}

/// The columns that define groups: those of the data set and those of its shares, without repetition.
pub fn groups(args: &Args) -> Vec<Vec<String>> {
    let mut out: Vec<Vec<String>> = vec![columns(args, "group")];
    for taken in ["validation", "test"].into_iter().filter_map(|s| taken(args, s)) {
        out.extend(taken.grouping().map(|g| g.by.clone()));
    }
    out.retain(|g| !g.is_empty());
    out.dedup();
    out
}
