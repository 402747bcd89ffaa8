//! From a checked network to a [`Drawing`]: which nodes there are, which of them stand for many, where edges are bundled, which set
//! of tasks each serves. Its size is linear in the graph, whatever the number of candidates.

mod merge;

use std::collections::HashMap;

use petgraph::graph::NodeIndex;

use super::View;
use super::drawing::*;
use super::facts::{levels, rows};
use crate::check::{Checked, Cost, cost};
use crate::diag::Diagnostics;
use crate::hir::{Read, StageId};
use crate::ir::{self, Network, Node, Role, TaskSet, count::space_size, partition};

/// Copies of a stage in a space beyond which one node stands for all of them.
const MOST_COPIES: usize = 24;
/// What a node reads: all of a list, in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Wire {
    kind: EdgeKind,
    list: usize,
}

/// Lists of drawn nodes, each kept once.
#[derive(Default)]
struct Lists {
    all: Vec<Vec<usize>>,
    index: HashMap<Vec<usize>, usize>,
}

impl Lists {
    fn add(&mut self, mut list: Vec<usize>) -> usize {
        list.dedup();
        if let Some(i) = self.index.get(&list) {
            return *i;
        }
        self.all.push(list.clone());
        self.index.insert(list, self.all.len() - 1);
        self.all.len() - 1
    }
}

struct Build<'a> {
    checked: &'a Checked,
    network: &'a Network,
    view: View,
    ancestors: Vec<Vec<bool>>,
    sets: Vec<TaskSet>,
    nodes: Vec<DrawNode>,
    serves: Vec<TaskSet>,
    wires: Vec<Vec<Wire>>,
    /// Distance from the inputs, doubled: junctions stand between.
    ranks: Vec<usize>,
    lists: Lists,
    pools: HashMap<NodeIndex, usize>,
    /// The drawn node of each node of the network.
    drawn: HashMap<NodeIndex, usize>,
    /// Drawn copies of each stage.
    copies: Vec<Vec<usize>>,
}

/// Decides what is drawn.
pub fn drawing(checked: &Checked, view: View) -> Drawing {
    let spec = &checked.spec;
    let own;
    let network = match view {
        View::Topology => checked.fixed.as_ref(),
        View::Space => checked.supernet.as_ref(),
        View::Spec => {
            own = ir::fixed(spec, &partition::all_shared(spec), &mut Diagnostics::default());
            own.as_ref()
        }
    };
    let name = match view {
        View::Spec => spec.backbone.as_ref().map(|b| b.name.clone()),
        View::Space => spec.space.as_ref().map(|s| s.name.clone()),
        View::Topology => spec.topology.as_ref().map(|t| t.name.clone()),
    };
    let backbone = spec.backbone.as_ref().map(|b| b.name.clone()).unwrap_or_default();
    let size = match (view, &spec.space, network) {
        (View::Space, Some(space), Some(network)) => {
            let size = space_size(spec, space, network);
            Some(SizeInfo {
                choices: network.choices.len(),
                labelled_log10: size.labelled_log10,
                trees: size.trees.map(|t| t.to_string()),
            })
        }
        _ => None,
    };
    let costs = network.map(|n| cost::report(checked, n));
    let tasks = spec
        .tasks
        .iter()
        .enumerate()
        .map(|(t, task)| TaskInfo {
            name: task.name.clone(),
            kind: task.kind.name(),
            open: task.family.is_some_and(|f| spec.families[f].open),
            path: costs.as_ref().filter(|_| view != View::Space).map(|c| c.network.per_task[t]),
        })
        .collect();
    let mut drawing = Drawing {
        view,
        name: name.unwrap_or_default(),
        backbone,
        layers: Vec::new(),
        nodes: Vec::new(),
        edges: Vec::new(),
        sets: Vec::new(),
        tasks,
        levels: Vec::new(),
        costs: Costs { rows: costs.map(|c| rows(&c, view)).unwrap_or_default() },
        size,
        open: checked.open,
    };
    let Some(network) = network else { return drawing };
    drawing.levels = levels(checked, network, view);
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let build = Build {
        checked,
        network,
        view,
        ancestors: ir::ancestors(stages),
        sets: network.task_sets(),
        nodes: Vec::new(),
        serves: Vec::new(),
        wires: Vec::new(),
        ranks: Vec::new(),
        lists: Lists::default(),
        pools: HashMap::new(),
        drawn: HashMap::new(),
        copies: vec![Vec::new(); stages.len()],
    };
    build.run(&mut drawing);
    drawing
}

impl Build<'_> {
    fn run(mut self, drawing: &mut Drawing) {
        for node in &self.network.order {
            match &self.network.graph[*node] {
                Node::Input(i) => {
                    let input = &self.checked.spec.inputs[i.0];
                    let shape = Some(input.ty.to_string());
                    self.add(*node, NodeKind::Input, input.name.clone(), shape, Cost::default(), Vec::new());
                }
                Node::Stage { stage, copy } => self.stage(*node, *stage, *copy),
                // In a space a mix is part of what its reader does.
                Node::Mix { gate, name, .. } if self.view != View::Space => {
                    let list = self.candidates(*node);
                    let mut wires = vec![Wire { kind: EdgeKind::Member, list }];
                    let mut query = None;
                    for (role, source) in self.network.sources(*node) {
                        if matches!(role, Role::Query(_)) {
                            let q = self.drawn[&source];
                            query = Some(self.nodes[q].label.clone());
                            wires.push(Wire { kind: EdgeKind::Query, list: self.lists.add(vec![q]) });
                        }
                    }
                    let kind = NodeKind::Mix { gate: gate.word(), query };
                    let ty = crate::check::nodes::node_type(self.checked, self.network, *node);
                    let cost = cost::mix_cost(self.checked, self.network, *node);
                    let label = name.clone().unwrap_or_default();
                    self.add(*node, kind, label, ty.map(|t| t.to_string()), cost, wires);
                }
                _ => {}
            }
        }
        self.merge_gates();
        self.tasks();
        self.rank();
        self.bundle();
        self.finish(drawing);
    }

    fn add(
        &mut self,
        node: NodeIndex,
        kind: NodeKind,
        label: String,
        shape: Option<String>,
        cost: Cost,
        wires: Vec<Wire>,
    ) {
        self.nodes.push(DrawNode { kind, label, shape, cost, set: None, serves: 0, count: 1, tasks: Vec::new() });
        self.serves.push(self.sets[node.index()].clone());
        self.wires.push(wires);
        self.drawn.insert(node, self.nodes.len() - 1);
    }

    fn stage(&mut self, node: NodeIndex, stage: StageId, copy: usize) {
        let checked = self.checked;
        let Some(backbone) = &checked.spec.backbone else { return };
        let cost = checked.stages[stage.0].cost;
        let of = &backbone.stages[stage.0];
        let many = self.view == View::Space
            && checked.spec.space.as_ref().is_some_and(|s| s.levels[stage.0].copies > MOST_COPIES);
        if many && let Some(first) = self.copies[stage.0].first() {
            let first = *first;
            self.drawn.insert(node, first);
            self.nodes[first].count += 1;
            self.nodes[first].cost.add(cost);
            self.serves[first].union(&self.sets[node.index()]);
            return;
        }
        let wires = self.reads(node, &of.reads);
        let label = match self.view {
            View::Spec => of.name.clone(),
            _ if many => of.name.clone(),
            _ => format!("{}.{}", of.name, self.network.copy_name(stage, copy)),
        };
        self.add(node, NodeKind::Stage, label, Some(checked.stages[stage.0].ty.to_string()), cost, wires);
        self.copies[stage.0].push(self.nodes.len() - 1);
    }

    /// The wires of a stage's or head's reads.
    fn reads(&mut self, node: NodeIndex, reads: &[Read]) -> Vec<Wire> {
        let primary = ir::primary(reads, &self.ancestors);
        let mut out = Vec::new();
        for (role, source) in self.network.sources(node) {
            let Role::Arg(i) = role else { continue };
            let skip = matches!(reads[i], Read::Stage(s) if !primary.contains(&s));
            let direct = if skip { EdgeKind::Skip } else { EdgeKind::Data };
            let wire = match &self.network.graph[source] {
                Node::Select { carries: Some(q), .. } => {
                    Wire { kind: EdgeKind::Skip, list: self.lists.add(self.copies[q.0].clone()) }
                }
                Node::Select { .. } => Wire { kind: EdgeKind::Candidate, list: self.candidates(source) },
                Node::Mix { choice, .. } if self.view == View::Space => {
                    let kind = if choice.is_some() { EdgeKind::Candidate } else { EdgeKind::Member };
                    Wire { kind, list: self.candidates(source) }
                }
                _ => Wire { kind: direct, list: self.lists.add(vec![self.drawn[&source]]) },
            };
            if !out.contains(&wire) {
                out.push(wire);
            }
        }
        out
    }

    /// The list of what a selection or a mix takes from; found once per pool.
    fn candidates(&mut self, node: NodeIndex) -> usize {
        let pool = self.network.sources(node).into_iter().find(|(r, _)| *r == Role::Pool).map(|(_, p)| p);
        if let Some(list) = pool.and_then(|p| self.pools.get(&p)) {
            return *list;
        }
        let drawn = self.network.candidates(node).iter().map(|c| self.drawn[c]).collect();
        let list = self.lists.add(drawn);
        if let Some(p) = pool {
            self.pools.insert(p, list);
        }
        list
    }

    /// Tasks that read the same are one node.
    fn tasks(&mut self) {
        let checked = self.checked;
        let mut groups: HashMap<Vec<Wire>, usize> = HashMap::new();
        for (task, loss) in &self.network.losses {
            let Some(id) = checked.spec.tasks[task.0].head else { continue };
            let reads = &checked.spec.heads[id.0].reads;
            let heads = self.network.candidates(*loss);
            let mut wires = self.reads(heads[0], reads);
            if heads.len() > 1 {
                // A head on every copy: the choice is among them.
                let mut members = Vec::new();
                for h in &heads {
                    for w in self.reads(*h, reads) {
                        members.extend(self.lists.all[w.list].iter().copied());
                    }
                }
                members.sort_unstable();
                members.dedup();
                wires = vec![Wire { kind: EdgeKind::Candidate, list: self.lists.add(members) }];
            }
            let typed = checked.heads[task.0].as_ref();
            let mut cost = Cost { params: None, macs: None, activations: None };
            if let Some(t) = typed {
                cost = Cost::default();
                heads.iter().for_each(|_| cost.add(t.cost));
            }
            let shape = typed.map(|t| t.ty.to_string());
            let at = *groups.entry(wires.clone()).or_insert_with(|| {
                self.nodes.push(DrawNode {
                    kind: NodeKind::Tasks,
                    label: String::new(),
                    shape: shape.clone(),
                    cost: Cost::default(),
                    set: None,
                    serves: 0,
                    count: 0,
                    tasks: Vec::new(),
                });
                self.serves.push(TaskSet::default());
                self.wires.push(wires);
                self.nodes.len() - 1
            });
            let node = &mut self.nodes[at];
            node.tasks.push(task.0);
            node.count += 1;
            node.cost.add(cost);
            node.label = Drawing::tasks_word(node.count);
            if node.shape != shape {
                node.shape = None;
            }
            self.serves[at].insert(task.0);
        }
    }

    /// Layers: copies of a stage stand in one; a mix follows its members; tasks come last.
    fn rank(&mut self) {
        let mut ranks: Vec<Option<usize>> = vec![None; self.nodes.len()];
        for (i, n) in self.nodes.iter().enumerate() {
            if n.kind == NodeKind::Input {
                ranks[i] = Some(0);
            }
        }
        for s in 0..self.copies.len() {
            let mut rank = 0;
            for i in 0..self.copies[s].len() {
                rank = rank.max(self.after(self.copies[s][i], &mut ranks));
            }
            self.copies[s].iter().for_each(|c| ranks[*c] = Some(rank));
        }
        let mut last = 0;
        for i in 0..self.nodes.len() {
            let after = self.after(i, &mut ranks);
            last = last.max(after);
            if self.nodes[i].kind != NodeKind::Tasks {
                last = last.max(*ranks[i].get_or_insert(after) + 1);
            }
        }
        self.ranks = ranks.into_iter().map(|r| 2 * r.unwrap_or(last)).collect();
    }

    /// The rank after all that a node reads; mixes among it are ranked on the way.
    fn after(&self, node: usize, ranks: &mut Vec<Option<usize>>) -> usize {
        let mut most = 0;
        for w in &self.wires[node] {
            for s in &self.lists.all[w.list] {
                let rank = match ranks[*s] {
                    Some(r) => r,
                    None => {
                        let r = self.after(*s, ranks);
                        ranks[*s] = Some(r);
                        r
                    }
                };
                most = most.max(rank + 1);
            }
        }
        most
    }

    fn finish(mut self, drawing: &mut Drawing) {
        for (to, wires) in self.wires.iter().enumerate() {
            for w in wires {
                let edges = self.lists.all[w.list].iter().map(|from| DrawEdge { from: *from, to, kind: w.kind });
                drawing.edges.extend(edges);
            }
        }
        let mut ranks: Vec<usize> = self.ranks.clone();
        ranks.sort_unstable();
        ranks.dedup();
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); ranks.len()];
        for (i, r) in self.ranks.iter().enumerate() {
            rows[ranks.binary_search(r).expect("one of them")].push(i);
        }
        let nodes = std::mem::take(&mut self.nodes);
        if self.view != View::Space {
            untangle(&mut rows, &nodes, &drawing.edges);
        }
        drawing.nodes = nodes;
        for row in rows {
            drawing.layers.push(self.layer(row, &drawing.nodes));
        }
        self.number_sets(drawing);
    }

    fn layer(&self, nodes: Vec<usize>, all: &[DrawNode]) -> Layer {
        let has = |k: fn(&NodeKind) -> bool| nodes.iter().any(|n| k(&all[*n].kind));
        let stages: Vec<usize> =
            (0..self.copies.len()).filter(|s| self.copies[*s].first().is_some_and(|c| nodes.contains(c))).collect();
        let names = |list: &[usize]| -> String {
            let backbone = self.checked.spec.backbone.as_ref();
            let names: Vec<&str> = list.iter().filter_map(|s| backbone.map(|b| b.stages[*s].name.as_str())).collect();
            names.join(", ")
        };
        let (kind, name, levels) = match () {
            _ if has(|k| *k == NodeKind::Tasks) => (LayerKind::Tasks, "tasks".to_string(), vec![self.copies.len()]),
            _ if has(|k| *k == NodeKind::Stage) => (LayerKind::Stages, names(&stages), stages),
            _ if has(|k| *k == NodeKind::Input) => {
                let plural = if nodes.len() == 1 { "input" } else { "inputs" };
                (LayerKind::Inputs, plural.to_string(), vec![])
            }
            _ if has(|k| matches!(k, NodeKind::Mix { .. })) => {
                let plural = if nodes.len() == 1 { "mix" } else { "mixes" };
                (LayerKind::Mixes, plural.to_string(), vec![])
            }
            _ => (LayerKind::Junctions, String::new(), vec![]),
        };
        Layer { kind, name, levels, nodes }
    }

    /// Sets in order of appearance; inputs and junctions do not open one.
    fn number_sets(&self, drawing: &mut Drawing) {
        let all = drawing.nodes.iter().filter(|n| n.kind == NodeKind::Tasks).map(|n| n.tasks.len()).sum::<usize>();
        let mut known: HashMap<TaskSet, usize> = HashMap::new();
        for layer in &drawing.layers {
            for n in &layer.nodes {
                let set = &self.serves[*n];
                drawing.nodes[*n].serves = set.len();
                if set.len() == all {
                    continue;
                }
                let at = *known.entry(set.clone()).or_insert_with(|| {
                    let info = SetInfo {
                        tasks: set.iter().collect(),
                        color: super::color::color(drawing.sets.len()),
                        parts: Vec::new(),
                    };
                    drawing.sets.push(info);
                    drawing.sets.len() - 1
                });
                drawing.nodes[*n].set = Some(at);
            }
        }
        // Tasks of one group are never apart, so every set is a union of groups.
        let mut group = vec![None; drawing.tasks.len()];
        for n in drawing.nodes.iter().filter(|n| n.kind == NodeKind::Tasks) {
            n.tasks.iter().for_each(|t| group[*t] = n.set);
        }
        for set in &mut drawing.sets {
            set.parts = set.tasks.iter().filter_map(|t| group[*t]).collect();
            set.parts.sort_unstable();
            set.parts.dedup();
        }
    }
}

/// Orders each layer by the mean place of what its nodes read: a tree comes out without crossings.
fn untangle(rows: &mut [Vec<usize>], nodes: &[DrawNode], edges: &[DrawEdge]) {
    let mut sources: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for e in edges.iter().filter(|e| e.kind != EdgeKind::Query) {
        sources[e.to].push(e.from);
    }
    let mut place = vec![0.5; nodes.len()];
    for row in rows.iter_mut() {
        let key = |n: &usize| {
            let s = &sources[*n];
            if s.is_empty() { 0.5 } else { s.iter().map(|m| place[*m]).sum::<f64>() / s.len() as f64 }
        };
        let keys: HashMap<usize, f64> = row.iter().map(|n| (*n, key(n))).collect();
        // Means of equal places differ in their last bits.
        row.sort_by_key(|n| (keys[n] * 1e9).round() as i64);
        for (i, n) in row.iter().enumerate() {
            place[*n] = (i as f64 + 0.5) / row.len() as f64;
        }
    }
}
