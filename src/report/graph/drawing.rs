//! What is drawn, decided once: layers of nodes, edges, sets of tasks, levels and costs. Every format is written from a [`Drawing`].

use crate::check::{Cost, Shared};

use super::View;
use crate::report::table::shared;
use crate::screen::visible;

/// A spec, a space or a topology, ready to be drawn.
#[derive(Debug, Clone)]
pub struct Drawing {
    pub view: View,
    /// Name of the space or the topology; of the backbone otherwise.
    pub name: String,
    pub backbone: String,
    /// From the inputs to the tasks; nodes in the order in which they stand beside one another.
    pub layers: Vec<Layer>,
    pub nodes: Vec<DrawNode>,
    pub edges: Vec<DrawEdge>,
    /// The distinct sets of tasks that nodes serve, in order of appearance; the set of all tasks is not among them.
    pub sets: Vec<SetInfo>,
    /// By task index.
    pub tasks: Vec<TaskInfo>,
    /// One per stage of the backbone, and one for the heads.
    pub levels: Vec<LevelInfo>,
    pub costs: Costs,
    /// Of a space: how large it is.
    pub size: Option<SizeInfo>,
    /// Some size is open until a data schema is frozen.
    pub open: bool,
}

/// Nodes that stand beside one another.
#[derive(Debug, Clone)]
pub struct Layer {
    pub kind: LayerKind,
    /// `image`, `c2`, `gates`, `tasks`.
    pub name: String,
    /// Indices into the levels of the drawing.
    pub levels: Vec<usize>,
    pub nodes: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    Inputs,
    Stages,
    Mixes,
    /// Only junctions: no heading.
    Junctions,
    Tasks,
}

#[derive(Debug, Clone)]
pub struct DrawNode {
    pub kind: NodeKind,
    /// `image`, `c2.a`, `m1`; of a group of tasks their number.
    pub label: String,
    /// Type of the value, as in the language; absent where the members of a group differ.
    pub shape: Option<String>,
    /// Of all that the node stands for.
    pub cost: Cost,
    /// The tasks that it serves: an index into `sets`; `None` for all tasks.
    pub set: Option<usize>,
    /// Number of tasks that it serves.
    pub serves: usize,
    /// How many copies, gates or tasks it stands for.
    pub count: usize,
    /// Of a group of tasks: their indices.
    pub tasks: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    Input,
    Stage,
    /// Gate and query, as words.
    Mix {
        gate: &'static str,
        query: Option<String>,
    },
    /// Where many edges between the same nodes meet.
    Junction,
    /// Tasks that read the same.
    Tasks,
}

impl NodeKind {
    /// The word in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            NodeKind::Input => "input",
            NodeKind::Stage => "stage",
            NodeKind::Mix { .. } => "mix",
            NodeKind::Junction => "junction",
            NodeKind::Tasks => "tasks",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DrawEdge {
    pub from: usize,
    pub to: usize,
    pub kind: EdgeKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeKind {
    /// The value that is read.
    Data,
    /// The value of an earlier stage on the same path.
    Skip,
    /// A member of a mix.
    Member,
    /// The query of a gate.
    Query,
    /// What a choice may take.
    Candidate,
}

impl EdgeKind {
    /// The word in JSON.
    pub fn word(self) -> &'static str {
        match self {
            EdgeKind::Data => "data",
            EdgeKind::Skip => "skip",
            EdgeKind::Member => "member",
            EdgeKind::Query => "query",
            EdgeKind::Candidate => "candidate",
        }
    }
}

/// A set of tasks that some node serves.
#[derive(Debug, Clone)]
pub struct SetInfo {
    pub tasks: Vec<usize>,
    pub color: Color,
    /// If it is the union of several groups of tasks: the sets of these.
    pub parts: Vec<usize>,
}

/// Colours of a set: paper behind text, and ink for lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    pub fill: [u8; 3],
    pub stroke: [u8; 3],
}

#[derive(Debug, Clone)]
pub struct TaskInfo {
    pub name: String,
    pub kind: &'static str,
    /// Stands for all members of a family that are not known yet.
    pub open: bool,
    /// Cost of its path, its head included; absent in a space.
    pub path: Option<Cost>,
}

/// A stage, with its copies.
#[derive(Debug, Clone)]
pub struct LevelInfo {
    pub name: String,
    pub copies: usize,
    pub shape: Option<String>,
    /// Of one copy.
    pub cost: Cost,
    /// What each copy reads: `one of 4 c3`.
    pub reads: String,
    /// Number of decisions.
    pub choices: usize,
}

/// Costs of the network beside those of all shared and all independent.
#[derive(Debug, Clone)]
pub struct Costs {
    pub rows: Vec<CostRow>,
}

#[derive(Debug, Clone)]
pub struct CostRow {
    pub name: &'static str,
    pub total: Cost,
    /// Smallest and largest parameters of one task's path.
    pub per_task: Option<(u64, u64)>,
    /// The fraction of work that the tasks have in common; `None` for a supernet.
    pub shared: Option<Shared>,
    /// Parameters relative to all shared and to all independent.
    pub of_shared: Option<f64>,
    pub of_independent: Option<f64>,
}

/// Size of a space.
#[derive(Debug, Clone, PartialEq)]
pub struct SizeInfo {
    pub choices: usize,
    pub labelled_log10: f64,
    /// Number of distinct trees, in decimal.
    pub trees: Option<String>,
}

impl SizeInfo {
    /// `1.12 × 10^48 distinct trees (4.31 × 10^68 labelled choices)`.
    pub fn words(&self) -> String {
        let labelled = format!("{} labelled choices", power(self.labelled_log10));
        match &self.trees {
            Some(t) if t.len() <= 9 => format!("{} distinct trees ({labelled})", grouped(t)),
            Some(t) => {
                let lead = format!("{}.{}", &t[..1], &t[1..3]);
                format!("{lead} × 10^{} distinct trees ({labelled})", t.len() - 1)
            }
            None => labelled,
        }
    }
}

/// Groups digits by three: `14,532`.
pub fn grouped(digits: &str) -> String {
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn power(log10: f64) -> String {
    if log10 < 6.0 {
        return grouped(&format!("{:.0}", 10f64.powf(log10)));
    }
    let mut exponent = log10.floor();
    let mut lead = 10f64.powf(log10 - exponent);
    if lead >= 9.995 {
        lead = 1.0;
        exponent += 1.0;
    }
    format!("{lead:.2} × 10^{exponent:.0}")
}

impl Drawing {
    /// With names as a picture shows them. JSON has escapes of its own, and keeps the names.
    pub fn shown(mut self) -> Drawing {
        let queries = self.nodes.iter_mut().filter_map(|n| match &mut n.kind {
            NodeKind::Mix { query, .. } => query.as_mut(),
            _ => None,
        });
        queries.for_each(|q| *q = visible(q, false));
        let names = [&mut self.name, &mut self.backbone].into_iter();
        let names = names.chain(self.layers.iter_mut().map(|l| &mut l.name));
        let names = names.chain(self.nodes.iter_mut().map(|n| &mut n.label));
        let names = names.chain(self.tasks.iter_mut().map(|t| &mut t.name));
        let names = names.chain(self.levels.iter_mut().flat_map(|l| [&mut l.name, &mut l.reads]));
        names.for_each(|name| *name = visible(name, false));
        self
    }

    /// `topology over deep_wide`.
    pub fn title(&self) -> String {
        match self.view {
            View::Spec => format!("backbone {} with heads", self.backbone),
            View::Space => format!("space {} over {}", self.name, self.backbone),
            View::Topology if self.name.is_empty() => format!("topology over {}", self.backbone),
            View::Topology => format!("topology {} over {}", self.name, self.backbone),
        }
    }

    /// Indices of the edges into each node.
    pub fn incoming(&self) -> Vec<Vec<usize>> {
        let mut out = vec![Vec::new(); self.nodes.len()];
        for (i, e) in self.edges.iter().enumerate() {
            out[e.to].push(i);
        }
        out
    }

    /// `40 tasks`, `1 task`.
    pub fn tasks_word(count: usize) -> String {
        format!("{count} {}", if count == 1 { "task" } else { "tasks" })
    }

    /// What a set is called in every drawing: `#3`; `all` for all tasks.
    pub fn tag(set: Option<usize>) -> String {
        set.map_or_else(|| "all".to_string(), |s| format!("#{}", s + 1))
    }

    /// The members of a set for a legend: names where they are few, else the groups it is made of.
    pub fn set_words(&self, set: usize, most: usize) -> String {
        let info = &self.sets[set];
        if info.tasks.len() > most && info.parts.len() > 1 {
            return info.parts.iter().map(|p| Drawing::tag(Some(*p))).collect::<Vec<_>>().join(" + ");
        }
        let names: Vec<&str> = info.tasks.iter().take(most).map(|t| self.tasks[*t].name.as_str()).collect();
        let rest = info.tasks.len() - names.len();
        match rest {
            0 => names.join(", "),
            _ => format!("{}, … {rest} more", names.join(", ")),
        }
    }

    /// One line of the facts that matter most.
    pub fn facts(&self) -> Vec<String> {
        use crate::report::table::count_or_open;
        let mut out = vec![Drawing::tasks_word(self.tasks.len())];
        if let Some(row) = self.costs.rows.first() {
            out.push(format!("{} parameters", count_or_open(row.total.params)));
            out.push(format!("{} MACs", count_or_open(row.total.macs)));
            if self.view != View::Space
                && let Some(s) = row.shared.as_ref().filter(|s| s.params.is_some() || s.macs.is_some())
            {
                let [params, macs] = shared(s);
                out.push(format!("{params} of parameters and {macs} of MACs shared"));
            }
        }
        if let Some(size) = &self.size {
            out.push(size.words());
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_in_words() {
        let words = |log: f64, trees: Option<&str>| {
            SizeInfo { choices: 3, labelled_log10: log, trees: trees.map(str::to_string) }.words()
        };
        assert_eq!(words(2.0, None), "100 labelled choices");
        assert_eq!(
            words(68.63483901, Some("1118132176462")),
            "1.11 × 10^12 distinct trees (4.31 × 10^68 labelled choices)"
        );
        assert_eq!(words(6.9999, Some("14532")), "14,532 distinct trees (1.00 × 10^7 labelled choices)");
    }
}
