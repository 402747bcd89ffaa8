//! The network as a petgraph graph: a node is an input, a stage instance, a selection, a mix, a head or a loss. A supernet (from a
//! space) and a fixed network (from a topology) are the same type; they differ in whether choices are left. Also the algebra of
//! spaces: levels, choices, chains of refining partitions, derivation. Nothing here knows shapes.

pub mod build;
pub mod count;
pub mod derive;
pub mod partition;
pub mod restrict;
pub mod routes;
pub mod trees;

pub use build::{fixed, supernet};

use petgraph::graph::DiGraph;
pub use petgraph::graph::NodeIndex;

use crate::hir::{Gate, InputId, Query, Read, StageId, TaskId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChoiceId(pub usize);

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Input(InputId),
    /// The copies of a stage that may be chosen from (edges `Candidate(i)`), or with `carries` the values of that earlier stage on
    /// their paths. Shared by all readers, so that the graph grows with copies and readers, not with their product.
    Pool {
        of: StageId,
        carries: Option<StageId>,
    },
    /// A copy of a stage; edges `Arg(i)` bring what its body reads.
    Stage {
        stage: StageId,
        copy: usize,
    },
    /// One of several values, by a choice; an edge from a `Pool`. `carries`: not the parent itself but the value of that earlier
    /// stage on the chosen parent's path (a skip).
    Select {
        choice: ChoiceId,
        carries: Option<StageId>,
    },
    /// Several values combined; edges `Candidate(i)` or one from a `Pool`, and `Query(i)` where the gate reads a query. With a choice the subset (and the
    /// query) is to be found.
    Mix {
        gate: Gate,
        choice: Option<ChoiceId>,
        name: Option<String>,
    },
    /// The decoder of a task; `copy` where a task has one on every copy.
    Head {
        task: TaskId,
        copy: Option<usize>,
    },
    /// Edges `Candidate(i)`: the heads whose losses count; with more than one, `choice` weighs them.
    Loss {
        task: TaskId,
        choice: Option<ChoiceId>,
    },
}

/// What an edge brings to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Arg(usize),
    Pool,
    Candidate(usize),
    Query(usize),
}

/// Who chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reader {
    Stage(StageId, usize),
    Head(TaskId),
}

impl Reader {
    /// The stage that reads; none of a head.
    pub fn stage(self) -> Option<StageId> {
        match self {
            Reader::Stage(s, _) => Some(s),
            Reader::Head(_) => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum ChoiceKind {
    /// A categorical over candidates.
    One,
    /// A categorical over (non-empty subset, query).
    Some { queries: Vec<Query> },
    /// A categorical over the heads of one task: it weighs losses.
    Copy,
}

/// One decision that a search makes.
#[derive(Debug, Clone)]
pub struct Choice {
    pub reader: Reader,
    /// The stage whose copies are the candidates.
    pub of: StageId,
    pub candidates: usize,
    pub kind: ChoiceKind,
}

#[derive(Debug, Clone)]
pub struct Network {
    pub graph: DiGraph<Node, Role>,
    pub choices: Vec<Choice>,
    /// Nodes before their readers.
    pub order: Vec<NodeIndex>,
    /// Names of copies: by index for a supernet, as written for a topology.
    pub copy_names: std::collections::HashMap<(StageId, usize), String>,
    /// Loss node of each task, by task id.
    pub losses: Vec<(TaskId, NodeIndex)>,
}

impl Network {
    pub fn is_fixed(&self) -> bool {
        self.choices.is_empty()
    }

    /// Sources of a node with their roles, in role order.
    pub fn sources(&self, node: NodeIndex) -> Vec<(Role, NodeIndex)> {
        use petgraph::visit::EdgeRef;
        let mut out: Vec<(Role, NodeIndex)> =
            self.graph.edges_directed(node, petgraph::Direction::Incoming).map(|e| (*e.weight(), e.source())).collect();
        out.sort();
        out
    }

    pub fn copy_name(&self, stage: StageId, copy: usize) -> String {
        self.copy_names.get(&(stage, copy)).cloned().unwrap_or_else(|| copy_letters(copy))
    }

    /// What a selection, a mix or a loss chooses from, in order.
    pub fn candidates(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let sources = self.sources(node);
        match sources.iter().find(|(r, _)| *r == Role::Pool) {
            Some((_, pool)) => self.candidates(*pool),
            None => sources.into_iter().filter(|(r, _)| matches!(r, Role::Candidate(_))).map(|(_, n)| n).collect(),
        }
    }

    /// Which tasks can reach each node, as task indices in order; for a fixed network: which do.
    pub fn task_sets(&self) -> Vec<TaskSet> {
        let mut sets = vec![TaskSet::default(); self.graph.node_count()];
        for (task, loss) in &self.losses {
            sets[loss.index()].insert(task.0);
        }
        for node in self.order.iter().rev() {
            let own = sets[node.index()].clone();
            for (_, source) in self.sources(*node) {
                sets[source.index()].union(&own);
            }
        }
        sets
    }
}

/// A set of tasks as bits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskSet(Vec<u64>);

impl TaskSet {
    pub fn insert(&mut self, task: usize) {
        if self.0.len() <= task / 64 {
            self.0.resize(task / 64 + 1, 0);
        }
        self.0[task / 64] |= 1 << (task % 64);
    }
    pub fn union(&mut self, other: &TaskSet) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a |= b;
        }
    }
    pub fn contains(&self, task: usize) -> bool {
        self.0.get(task / 64).is_some_and(|w| w >> (task % 64) & 1 == 1)
    }
    pub fn len(&self) -> usize {
        self.0.iter().map(|w| w.count_ones() as usize).sum()
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().enumerate().flat_map(|(i, w)| (0..64).filter(move |b| w >> b & 1 == 1).map(move |b| i * 64 + b))
    }
}

/// a, b, ... z, aa, ab, ...
pub fn copy_letters(mut index: usize) -> String {
    let mut out = Vec::new();
    loop {
        out.push(b'a' + (index % 26) as u8);
        if index < 26 {
            break;
        }
        index = index / 26 - 1;
    }
    out.reverse();
    String::from_utf8(out).expect("ASCII")
}

/// Ancestors of each stage in the backbone, itself not counted: `ancestors[s][q]`.
pub fn ancestors(stages: &[crate::hir::Stage]) -> Vec<Vec<bool>> {
    let mut out: Vec<Vec<bool>> = Vec::with_capacity(stages.len());
    for stage in stages {
        let mut row = vec![false; stages.len()];
        for r in &stage.reads {
            if let Read::Stage(StageId(p)) = r {
                row[*p] = true;
                for (a, b) in row.iter_mut().zip(&out[*p]) {
                    *a |= b;
                }
            }
        }
        out.push(row);
    }
    out
}

/// Of what a stage or head reads, the stages that are not already on the path of another one: those it chooses copies of.
pub fn primary(reads: &[Read], ancestors: &[Vec<bool>]) -> Vec<StageId> {
    let stages: Vec<usize> = reads
        .iter()
        .filter_map(|r| match r {
            Read::Stage(s) => Some(s.0),
            Read::Input(_) => None,
        })
        .collect();
    stages.iter().copied().filter(|p| !stages.iter().any(|o| ancestors[*o][*p])).map(StageId).collect()
}
