//! The one table of items: which parts a header takes, which attributes and nested entries a body, each with type, default and
//! doc. Checking, the generated reference and the editor read it. Formats, strategies, ops, losses, metrics, optimisers and
//! schedules bring their own attributes from their own files.

use crate::data::RESIZE;
use crate::data::axes::LAYOUT;
use crate::ops::precision;
use crate::schema::{AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, NON_NEGATIVE, NUMBER, Need, POSITIVE, Ty};

/// Whether a part of an item header is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    No,
    Maybe,
    Must,
}
use Part::{Maybe, Must, No};

#[derive(Debug, Clone, Copy)]
pub struct Header {
    /// Least and most names after the keyword.
    pub names: (usize, usize),
    pub index: Part,
    pub params: Part,
    pub ty: Part,
    pub targets: Part,
    pub on: Part,
    pub over: Part,
    pub value: Part,
    pub body: Part,
}

const PLAIN: Header =
    Header { names: (1, 1), index: No, params: No, ty: No, targets: No, on: No, over: No, value: No, body: Must };

/// A kind of item, or of nested entry.
#[derive(Debug, Clone, Copy)]
pub struct ItemDef {
    pub keyword: &'static str,
    pub doc: &'static str,
    /// How it is written, for messages and the reference.
    pub form: &'static str,
    pub header: Header,
    pub attrs: &'static [AttrDef],
    /// The body takes names of the user's own (`y = in -> ...`), which its reader resolves.
    pub open: bool,
    /// Nested entries by keyword.
    pub nested: &'static [ItemDef],
    /// More attributes, by the name of a variant (a format, a strategy).
    pub variants: Option<fn() -> Vec<&'static CallDef>>,
}

const fn attr(name: &'static str, ty: Ty, need: Need, doc: &'static str) -> AttrDef {
    AttrDef { name, ty, need, doc }
}

fn formats() -> Vec<&'static CallDef> {
    crate::data::table().iter().map(|f| &f.call).collect()
}
pub fn losses() -> Vec<&'static CallDef> {
    crate::objective::losses().iter().map(|d| &d.call).collect()
}
fn metrics() -> Vec<&'static CallDef> {
    crate::objective::metrics().iter().map(|d| &d.call).collect()
}
pub fn optimizers() -> Vec<&'static CallDef> {
    crate::optim::optimizer_calls()
}
pub fn schedules() -> Vec<&'static CallDef> {
    crate::optim::schedule::schedule_calls()
}
fn strategies() -> Vec<&'static CallDef> {
    crate::search::strategies().iter().map(|s| &s.call).collect()
}

static MIX_ARGS: &[AttrDef] = &[
    attr(
        "gate",
        Ty::OneOf(&["softmax", "sigmoid", "sum", "mean"]),
        Need::Default("mean"),
        "How values are combined; `softmax` and `sigmoid` weigh them by a linear map of the query.",
    ),
    attr(
        "query",
        Ty::List(&Ty::Name),
        Need::Optional,
        "What the gate reads: a stage, an input, or `previous` (the mean of what may be read). Several: the search chooses.",
    ),
];

static READS: [CallDef; 3] = [
    CallDef { name: "one", doc: "Exactly one copy of the level before: a categorical over parents.", args: &[] },
    CallDef {
        name: "some",
        doc: "A non-empty subset, combined by a mix: a categorical over subsets and, for each of several copies, one over the queries.",
        args: MIX_ARGS,
    },
    CallDef { name: "all", doc: "Every copy, through a mix; nothing to choose.", args: MIX_ARGS },
];
fn reads() -> Vec<&'static CallDef> {
    READS.iter().collect()
}

const READS_ATTR: AttrDef =
    attr("reads", Ty::Call(reads), Need::Default("one"), "What each copy reads of the level before.");

fn weightings() -> Vec<&'static CallDef> {
    crate::optim::weighting::weighting_calls()
}

/// `weighting`, of whatever trains several tasks by their joint loss.
pub const WEIGHTING: AttrDef = attr(
    "weighting",
    Ty::Call(weightings),
    Need::Optional,
    "How the tasks' losses become one step; absent: `static`, the tasks' own `weight`.",
);

/// The attribute `drop_last` of everything that trains in batches.
pub const DROP_LAST: AttrDef = attr(
    "drop_last",
    Ty::Bool,
    Need::Default("false"),
    "Whether the last batch of an epoch is left out if it is smaller than the others. The rows that are left out differ between epochs. \
     The only batch of an epoch is never left out.",
);

const TRAIN_ATTRS: &[AttrDef] = &[
    attr("epochs", COUNT, Need::Default("30"), "Passes over the training split."),
    attr("batch", COUNT, Need::Default("64"), "Samples per step; the last batch of an epoch may be smaller."),
    DROP_LAST,
    attr("optimizer", Ty::Call(optimizers), Need::Default("adam(lr = 1e-3)"), "The optimiser of all weights."),
    attr("schedule", FACTOR_SCHEDULE, Need::Optional, "Factor on the learning rate; absent: constant."),
    attr("clip", POSITIVE, Need::Optional, "Largest global L2 norm of the gradient; absent: no clipping."),
    attr(
        "select",
        Ty::OneOf(&["best", "last"]),
        Need::Default("best"),
        "Which epoch's weights are kept: lowest validation loss, or the last.",
    ),
    attr(
        "patience",
        COUNT,
        Need::Optional,
        "Stop after this many epochs without a lower validation loss; absent: never.",
    ),
    WEIGHTING,
    attr(
        "memory",
        COUNT,
        Need::Optional,
        "Bytes that a training may take in all, a search's too (`2G`). Where it would take more, a step keeps less of its way forward and \
         computes it again on its way back: slower, and the same numbers to the last bit. Absent: nothing is computed twice.",
    ),
];

/// Of the item `train` alone: what holds for all that a program trains.
const TRAIN_ITEM: &[AttrDef] = &both::<{ TRAIN_ATTRS.len() + 1 }>(
    TRAIN_ATTRS,
    &[attr(
        "precision",
        Ty::OneOf(precision::NAMES),
        Need::Optional,
        "What a GPU multiplies in, in searches too: `tf32`, factors of 10 bits of mantissa; `bf16`, of 7; or `f32`. Weights and sums are \
         f32. A CPU computes in f32. Absent: `tf32`.",
    )],
);

const fn both<const N: usize>(a: &[AttrDef], b: &[AttrDef]) -> [AttrDef; N] {
    assert!(a.len() + b.len() == N);
    let mut all = [a[0]; N];
    let mut i = 1;
    while i < N {
        all[i] = if i < a.len() { a[i] } else { b[i - a.len()] };
        i += 1;
    }
    all
}

/// Attributes of `train`, also of a strategy's `single { ... }`.
pub fn train_attrs() -> &'static [AttrDef] {
    TRAIN_ATTRS
}

static ITEMS: &[ItemDef] = &[
    ItemDef {
        keyword: "param",
        doc: "A typed value with a default and optional bounds; `--set name=value` changes it for one run.",
        form: "param NAME: TYPE = VALUE [in LOW..HIGH]",
        header: Header { ty: Must, value: Must, body: No, ..PLAIN },
        attrs: &[],
        open: false,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "use",
        doc: "Imports another file, a module of the standard library (`use std.resnet18`), or the topology of a derived file.",
        form: "use \"FILE\"  |  use std.NAME  |  use topology \"FILE\"",
        header: Header { names: (1, 2), body: No, ..PLAIN },
        attrs: &[],
        open: false,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "data",
        doc: "Where samples come from: format, files, splits, missing values. Its attributes depend on `format`.",
        form: "data NAME { format = FORMAT, ... }",
        header: PLAIN,
        attrs: &[attr("format", Ty::Name, Need::Required, "The layout of the files, one of the formats below.")],
        open: false,
        nested: &[],
        variants: Some(formats),
    },
    ItemDef {
        keyword: "schema",
        doc: "Frozen facts about a data set, written by `mtlc data freeze`.",
        form: "schema NAME { ... }",
        header: PLAIN,
        attrs: &[],
        open: true,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "input",
        doc: "A named tensor that the network reads: `f32[channels, height, width]`, `f32[n]`, or `fields` for table columns.",
        form: "input NAME: TYPE { from = DATA.COLUMN, ... }",
        header: Header { ty: Must, body: Maybe, ..PLAIN },
        attrs: &[
            attr(
                "from",
                Ty::Expr,
                Need::Optional,
                "The column, or for `fields` the data set or some of its columns: `census[age, sex]`. A list: one source for each data set.",
            ),
            attr(
                "except",
                Ty::List(&Ty::Name),
                Need::Optional,
                "For `fields`: columns to leave out (labels above all).",
            ),
            attr(
                "scale",
                Ty::List(&NUMBER),
                Need::Optional,
                "`[low, high]`: the storage range is mapped linearly to it. Cannot be combined with `normalize`, which would undo it.",
            ),
            attr(
                "normalize",
                Ty::Bool,
                Need::Default("false"),
                "Subtract the training mean and divide by the training standard deviation. Cannot be combined with `scale`.",
            ),
            LAYOUT,
            attr(
                "exif",
                Ty::Bool,
                Need::Optional,
                "Whether pictures are rotated and mirrored according to the orientation in their EXIF data, in training, prediction and \
                 preview. Default: `true`.",
            ),
            attr(
                "unknown",
                Ty::Float { min: 0.0, max: 0.5 },
                Need::Default("0.01"),
                "For `fields`: the fraction of categories that training reads as unknown, drawn for each row and epoch. This trains the \
                 network for texts that do not occur in the training rows, which are read like missing cells. Evaluation and prediction \
                 draw nothing. `0`: none, as in most papers.",
            ),
        ],
        open: false,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "task",
        doc: "What the network must learn: kind, label, loss, weight, metrics, mask. `NAME[*]` declares a family.",
        form: "task NAME: KIND { label = ..., loss = ..., metrics = [...] }",
        header: Header { index: Maybe, ty: Must, body: Maybe, ..PLAIN },
        attrs: &[
            attr(
                "label",
                Ty::Expr,
                Need::Optional,
                "An expression over columns: `census.income == \"50000+.\"`. A comparison or computation with a missing \
                 cell is missing, and so is a label that depends on it: `true or missing` is true, `false and missing` is false. Here, in a `mask` and in conditions on rows, a division by zero (quotient or remainder) is missing, and so is \
                 a comparison with it. A constant that is compared with a column of 16 or 32 bits is rounded like the column: \
                 `d.y == 0.1` is true if 0.1 was stored.",
            ),
            attr(
                "from",
                Ty::Expr,
                Need::Optional,
                "A column, or for a family a group of columns: `celeba.attributes`.",
            ),
            attr(
                "mask",
                Ty::Expr,
                Need::Optional,
                "Labels for which the mask is false or missing do not count for the task, and are not checked: `mask = d.age >= 18`. The \
                 mask is true or false (or 1 or 0) for a sample, for each pixel (`mask = d.depth > 0`, or an array that marks valid \
                 pixels), or for each of several labels (an array or a list).",
            ),
            attr(
                "ignore",
                Ty::List(&NUMBER),
                Need::Optional,
                "Values that mean that a label is missing: `ignore = 255`, `ignore = [0, 255]`. Missing labels count in neither losses \
                 nor metrics. The values are compared with the result of the expression in `label` and, like constants, rounded if it \
                 is a column of 16 or 32 bits; a pixel of normals is ignored if all three numbers are such values. A NaN in an array of \
                 labels, and an empty cell of a table, are missing labels without being listed.",
            ),
            LAYOUT,
            RESIZE,
            attr("loss", Ty::Call(losses), Need::Optional, "Absent: the usual one of the kind."),
            attr("metrics", Ty::List(&Ty::Call(metrics)), Need::Optional, "Absent: the usual ones of the kind."),
            attr(
                "weight",
                NON_NEGATIVE,
                Need::Default("1"),
                "Factor on the loss in the total (alpha_k of LTB, equation 1).",
            ),
            attr(
                "standardize",
                Ty::Bool,
                Need::Optional,
                "For `regression` and `depth`: the network learns `(label - mean) / std`, with the mean and the standard deviation of the \
                 training labels, for each component. Losses and loss weightings use these units; metrics, predictions and arguments of \
                 losses (`delta` of `huber`) use the label's own units. `false`: the label is not standardised. Default: `true`.",
            ),
        ],
        open: false,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "block",
        doc: "A template of ops with typed parameters; `in` and `out` are its ends.",
        form: "block NAME(PARAM: TYPE = DEFAULT, ...) = CHAIN  |  block NAME(...) { VALUE = CHAIN ... out = CHAIN }",
        header: Header { params: Maybe, value: Maybe, body: Maybe, ..PLAIN },
        attrs: &[],
        open: true,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "backbone",
        doc: "A DAG of named stages over inputs. A stage is the unit that is copied or shared.",
        form: "backbone NAME(INPUT, ..., PARAM: TYPE = DEFAULT) { stage ... }",
        header: Header { params: Maybe, value: Maybe, body: Maybe, ..PLAIN },
        attrs: &[],
        open: false,
        nested: &[ItemDef {
            keyword: "stage",
            doc: "Reads the stage before it (the first one the first input), or what `from` names.",
            form: "stage NAME = CHAIN  |  stage NAME { from = [STAGE, ...], out = CHAIN }  |  stage NAME[i in 1..4] = CHAIN",
            header: Header { index: Maybe, value: Maybe, body: Maybe, ..PLAIN },
            attrs: &[attr("from", Ty::List(&Ty::Name), Need::Optional, "Stages and inputs that it reads.")],
            open: true,
            nested: &[],
            variants: None,
        }],
        variants: None,
    },
    ItemDef {
        keyword: "head",
        doc: "The decoder of a task, of a family, or of all tasks of a kind. `outputs` is the number of outputs the task needs.",
        form: "head for TARGET, ... = CHAIN  |  head for TARGET { from = [STAGE, ...], out = CHAIN }",
        header: Header { names: (0, 0), targets: Must, value: Maybe, body: Maybe, ..PLAIN },
        attrs: &[attr(
            "from",
            Ty::List(&Ty::Name),
            Need::Optional,
            "Stages and inputs that it reads; absent: the last stage.",
        )],
        open: true,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "space",
        doc: "What may be chosen: per stage how many copies, and what each may read.",
        form: "space NAME over BACKBONE { level STAGE { copies = N, reads = ... } ... heads { ... } }",
        header: Header { names: (0, 1), over: Must, ..PLAIN },
        attrs: &[],
        open: false,
        nested: &[
            ItemDef {
                keyword: "level",
                doc: "The copies of one stage.",
                form: "level STAGE { copies = N, reads = one }",
                header: Header { index: Maybe, ..PLAIN },
                attrs: &[
                    attr(
                        "copies",
                        Ty::AnyOf(&[COUNT, Ty::OneOf(&["any"])]),
                        Need::Default("1"),
                        "How many; `any`: as many as tasks.",
                    ),
                    READS_ATTR,
                ],
                open: false,
                nested: &[],
                variants: None,
            },
            ItemDef {
                keyword: "heads",
                doc: "The last readers.",
                form: "heads { per = task, reads = one }",
                header: Header { names: (0, 0), ..PLAIN },
                attrs: &[
                    attr(
                        "per",
                        Ty::OneOf(&["task", "copy"]),
                        Need::Default("task"),
                        "One head per task, or per task and copy of the last level.",
                    ),
                    READS_ATTR,
                ],
                open: false,
                nested: &[],
                variants: None,
            },
            ItemDef {
                keyword: "tree",
                doc: "Short for levels that read `one`: a number of copies per stage, or `any`.",
                form: "tree { STAGE = any, ... }",
                header: Header { names: (0, 0), ..PLAIN },
                attrs: &[],
                open: true,
                nested: &[],
                variants: None,
            },
        ],
        variants: None,
    },
    ItemDef {
        keyword: "search",
        doc: "A strategy, the part of the space that it decides (`on`), its hyper-parameters and the budget.",
        form: "search STRATEGY [on LEVEL, ...] { ... }",
        header: Header { on: Maybe, body: Maybe, ..PLAIN },
        attrs: &[],
        open: false,
        nested: &[ItemDef {
            keyword: "single",
            doc: "How single-task networks are trained, for strategies that need them.",
            form: "single { epochs = N, optimizer = ... }",
            header: Header { names: (0, 0), ..PLAIN },
            attrs: TRAIN_ATTRS,
            open: false,
            nested: &[],
            variants: None,
        }],
        variants: Some(strategies),
    },
    ItemDef {
        keyword: "topology",
        doc: "A fixed network, one line per node: a copy of a stage reads copies of earlier stages, a task reads copies of the last.",
        form: "topology over BACKBONE { STAGE.a <- INPUT ... TASK, ... <- STAGE.a }",
        header: Header { names: (0, 1), over: Must, ..PLAIN },
        attrs: &[],
        open: false,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "train",
        doc: "How a fixed topology is trained: hand-written, derived, or a baseline.",
        form: "train { epochs = N, batch = N, optimizer = ..., schedule = ... }",
        header: Header { names: (0, 0), ..PLAIN },
        attrs: TRAIN_ITEM,
        open: false,
        nested: &[],
        variants: None,
    },
    ItemDef {
        keyword: "provenance",
        doc: "Where a derived file came from. Written by `mtlc derive`; `self` is the digest of this file's meaning without this block.",
        form: "provenance { tool = \"...\", derived = \"mtl1:sha256:...\", strategy = ..., seed = 0, self = \"mtl1:sha256:...\" }",
        header: Header { names: (0, 0), ..PLAIN },
        attrs: &[
            attr("tool", Ty::Str, Need::Required, "Name and version of the tool that derived the file."),
            attr("derived", Ty::Str, Need::Required, "Digest of the meaning of the search spec."),
            attr(
                "spec",
                Ty::List(&Ty::Str),
                Need::Optional,
                "Short digests of the parts of the search spec. With them, `mtlc verify --spec` distinguishes a schema that was frozen \
                 again from another search.",
            ),
            attr("strategy", Ty::Name, Need::Required, "The strategy that chose the topology."),
            attr("seed", crate::schema::NATURAL, Need::Required, "Seed of the search."),
            attr(
                "searched",
                Ty::Expr,
                Need::Optional,
                "What the search measured: `{ validation_loss = 0.2, epochs = 30 }`.",
            ),
            attr("self", Ty::Str, Need::Required, "Digest of this file's meaning without this block."),
            attr(
                "parts",
                Ty::List(&Ty::Str),
                Need::Optional,
                "Short digests of the parts of this file, by which `mtlc verify` tells which part was edited.",
            ),
        ],
        open: false,
        nested: &[ItemDef {
            keyword: "searched",
            doc: "What the search measured.",
            form: "searched { validation_loss = 0.2, epochs = 30 }",
            header: Header { names: (0, 0), ..PLAIN },
            attrs: &[],
            open: true,
            nested: &[],
            variants: None,
        }],
        variants: None,
    },
];

pub fn items() -> &'static [ItemDef] {
    ITEMS
}

pub fn item(keyword: &str) -> Option<&'static ItemDef> {
    ITEMS.iter().find(|i| i.keyword == keyword)
}
