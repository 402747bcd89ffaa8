//! The spec with names resolved: ids, not strings; spans beside; parameters, repetitions, templates and imports expanded. What
//! could not be read is absent and already reported. Nothing here knows shapes or costs: that is `check`.

mod arguments;
mod backbones;
mod blocks;
pub mod build;
pub mod dealt;
pub mod declared;
pub mod eval;
mod flow;
mod headers;
mod heads;
mod import;
mod inputs;
mod misspelt;
mod params;
pub mod positional;
pub mod schema;
mod scope;
mod searches;
mod slips;
mod spaces;
mod tasks;
mod topologies;
pub mod unknown;
mod unread;

pub use build::{Options, lower};
pub use tasks::{KINDS, kind_named};

use std::path::PathBuf;

use crate::data;
use crate::objective::TaskKind;
use crate::ops::{OpDef, TensorType};
use crate::schema::{Args, Call};
use crate::search::StrategyDef;
use crate::source::{FileId, Span};
use crate::syntax::ast;

macro_rules! ids {
    ($($name:ident),*) => {$(
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub usize);
    )*};
}
ids!(DataId, InputId, TaskId, StageId, HeadId);

/// A whole compilation unit. At most one backbone is the network's; others may be defined and are listed too.
#[derive(Debug, Default)]
pub struct Spec {
    pub params: Vec<Param>,
    pub data: Vec<Data>,
    pub inputs: Vec<Input>,
    pub tasks: Vec<Task>,
    pub families: Vec<Family>,
    pub heads: Vec<Head>,
    /// The backbone that the space or the topology stands over, or the only one.
    pub backbone: Option<Backbone>,
    pub space: Option<Space>,
    pub searches: Vec<Search>,
    pub topology: Option<Topology>,
    pub train: Option<Train>,
    pub provenance: Option<Provenance>,
    /// Parts could not be read, which is reported: what seems to be missing may be there.
    pub incomplete: bool,
    /// The user's items as written, `use` included, what a `use` of the user's files brings after it; for emitting derived files.
    pub written: Vec<Written>,
}

impl Spec {
    /// Whether one of these is a stage of which it is not known what it gives.
    pub fn reads_unknown(&self, reads: &[Read]) -> bool {
        let stages = self.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
        reads.iter().any(|r| matches!(r, Read::Stage(s) if stages.get(s.0).is_some_and(|s| s.unknown)))
    }
}

/// One item of the user's, with the file it stood in.
#[derive(Debug, Clone)]
pub struct Written {
    pub item: ast::Item,
    /// The folder that its paths are relative to.
    pub base: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    pub name: String,
    pub value: eval::Const,
    /// The value is not the one written but `--set`'s.
    pub set: bool,
    pub span: Span,
}

#[derive(Debug)]
pub struct Data {
    pub name: String,
    pub span: Span,
    pub format: &'static data::FormatDef,
    pub args: Args,
    /// Paths in `args` are relative to this folder.
    pub base: PathBuf,
    pub schema: Option<data::Schema>,
    /// What is known of its columns: all of it with a schema, else what the attributes tell.
    pub known: data::Known,
}

#[derive(Debug)]
pub struct Input {
    pub name: String,
    pub span: Span,
    pub ty: TensorType,
    pub ty_span: Span,
    /// Where its values come from; `None` for a network without data.
    pub from: Option<Columns>,
    /// The same values of further data sets, whose labels are others': a sample brings the columns of its own data set.
    pub also: Vec<Columns>,
    pub args: Args,
}

/// Columns of a data set, as an input or a family names them.
#[derive(Debug, Clone)]
pub struct Columns {
    pub data: DataId,
    /// `None` while the names are open.
    pub names: Option<Vec<String>>,
    pub span: Span,
}

#[derive(Debug)]
pub struct Family {
    pub name: String,
    pub tasks: std::ops::Range<usize>,
    /// Its members are known only when the data schema is frozen; one task stands for all.
    pub open: bool,
    pub span: Span,
}

#[derive(Debug)]
pub struct Task {
    pub name: String,
    pub span: Span,
    pub kind: TaskKind,
    pub kind_span: Span,
    pub family: Option<usize>,
    pub label: Option<Label>,
    pub mask: Option<Label>,
    /// How labels are read, apart from the expressions.
    pub reading: data::Reading,
    pub loss: Call,
    pub loss_span: Option<Span>,
    pub metrics: Vec<Call>,
    pub weight: f64,
    /// Whether its labels are standardised ([`crate::objective::Units`]). Always false for kinds whose labels have no units.
    pub standardize: bool,
    /// Its head; absent where none is declared (reported) or its size is open.
    pub head: Option<HeadId>,
}

/// An expression over the columns of one data set.
#[derive(Debug, Clone)]
pub struct Label {
    pub data: DataId,
    pub label: data::label::Label,
    pub span: Span,
}

/// A decoder: instantiated per task, since `outputs` differs.
#[derive(Debug)]
pub struct Head {
    pub reads: Vec<Read>,
    pub body: Body,
    pub span: Span,
}

#[derive(Debug)]
pub struct Backbone {
    pub name: String,
    pub span: Span,
    pub stages: Vec<Stage>,
    /// What each stage reads is known. Where it is not, that is reported, and nothing is said of the network as a whole.
    pub wired: bool,
}

#[derive(Debug)]
pub struct Stage {
    pub name: String,
    pub span: Span,
    pub reads: Vec<Read>,
    pub body: Body,
    /// A mistake in it, or in a stage that it reads, is reported, and its type is not known.
    pub unknown: bool,
}

/// Something a stage or a head reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Read {
    Input(InputId),
    Stage(StageId),
}

/// The dataflow of a stage or head: templates and repetitions expanded to ops. Nodes are in order.
#[derive(Debug, Clone, Default)]
pub struct Body {
    pub nodes: Vec<FlowNode>,
    pub out: Flow,
}

#[derive(Debug, Clone)]
pub struct FlowNode {
    pub op: &'static OpDef,
    pub args: Args,
    pub inputs: Vec<Flow>,
    pub span: Span,
    /// The link of the stage or head that it comes from: another place than `span` where that link is a block.
    pub site: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// The i-th thing that the stage reads.
    Source(usize),
    Node(usize),
}

impl Default for Flow {
    fn default() -> Self {
        Flow::Source(0)
    }
}

#[derive(Debug)]
pub struct Space {
    pub name: String,
    pub span: Span,
    /// One per stage of the backbone, in its order.
    pub levels: Vec<Level>,
    pub heads: HeadLevel,
}

#[derive(Debug, Clone)]
pub struct Level {
    pub stage: StageId,
    pub copies: usize,
    pub reads: Reads,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct HeadLevel {
    /// A head on every copy of what it reads, of which the search keeps one.
    pub per_copy: bool,
    pub reads: Reads,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub enum Reads {
    One,
    Some(Mix),
    All(Mix),
}

impl Reads {
    pub fn word(&self) -> &'static str {
        match self {
            Reads::One => "one",
            Reads::Some(_) => "some",
            Reads::All(_) => "all",
        }
    }
    pub fn mix(&self) -> Option<&Mix> {
        match self {
            Reads::One => None,
            Reads::Some(m) | Reads::All(m) => Some(m),
        }
    }
}

/// How several values become one.
#[derive(Debug, Clone, PartialEq)]
pub struct Mix {
    pub gate: Gate,
    /// Empty for gates without a query; several: the search chooses one.
    pub queries: Vec<Query>,
    pub span: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Gate {
    Softmax,
    Sigmoid,
    Sum,
    Mean,
}

impl Gate {
    pub fn word(self) -> &'static str {
        match self {
            Gate::Softmax => "softmax",
            Gate::Sigmoid => "sigmoid",
            Gate::Sum => "sum",
            Gate::Mean => "mean",
        }
    }
    pub fn has_query(self) -> bool {
        matches!(self, Gate::Softmax | Gate::Sigmoid)
    }
    pub fn from_word(word: &str) -> Gate {
        match word {
            "softmax" => Gate::Softmax,
            "sigmoid" => Gate::Sigmoid,
            "sum" => Gate::Sum,
            _ => Gate::Mean,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Query {
    Read(Read),
    /// The mean of what may be read.
    Previous,
}

#[derive(Debug, Clone)]
pub struct Search {
    pub strategy: &'static StrategyDef,
    pub args: Args,
    /// The arguments of `single { ... }`.
    pub single: Option<Args>,
    pub single_span: Option<Span>,
    /// Which stages' levels it decides, and whether the heads'; both full when `on` is absent.
    pub stages: Vec<StageId>,
    pub heads: bool,
    pub on_span: Option<Span>,
    /// Paths in `args` are relative to this folder.
    pub base: PathBuf,
    pub span: Span,
}

impl Search {
    /// Whether it decides what a stage's copies (`Some`) or the heads read.
    pub fn covers(&self, stage: Option<StageId>) -> bool {
        stage.map_or(self.heads, |s| self.stages.contains(&s))
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Train {
    pub args: Args,
}

#[derive(Debug, Clone, Default)]
pub struct Topology {
    pub name: String,
    pub nodes: Vec<TopoNode>,
    pub mixes: Vec<TopoMix>,
    /// What each task reads, by task id; tasks that could not be read are absent.
    pub tasks: Vec<(TaskId, Vec<TopoSource>, Option<Span>)>,
    pub span: Option<Span>,
}

/// A copy of a stage.
#[derive(Debug, Clone)]
pub struct TopoNode {
    pub stage: StageId,
    /// "a", "b", ...
    pub copy: String,
    /// What it reads; stages that its path passes already (skips) are not repeated.
    pub reads: Vec<TopoSource>,
    pub span: Option<Span>,
}

#[derive(Debug, Clone)]
pub struct TopoMix {
    pub name: String,
    pub gate: Gate,
    pub query: Option<TopoSource>,
    pub members: Vec<TopoSource>,
    pub span: Option<Span>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopoSource {
    Input(InputId),
    /// Index into `nodes`; nodes come before their readers.
    Node(usize),
    /// Index into `mixes`.
    Mix(usize),
}

#[derive(Debug, Clone)]
pub struct Provenance {
    pub args: Args,
    /// What the search measured, in the order written.
    pub searched: Vec<(String, eval::Const)>,
    pub span: Span,
}

/// What `lower` needs to know about the world: where the root file stands and how to read others.
pub struct Origin {
    pub root: FileId,
    /// Folder of the root file.
    pub base: PathBuf,
}
