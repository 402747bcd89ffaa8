//! From a checked network to a [`Drawing`]: which nodes there are, which of them stand for many, where edges are bundled, which set
//! of tasks each serves. Its size is linear in the graph, whatever the number of candidates.

use std::collections::HashMap;

use petgraph::graph::NodeIndex;

use super::View;
use super::drawing::*;
use crate::check::{Checked, Cost, cost};
use crate::diag::Diagnostics;
use crate::hir::{Query, Read, Reads, StageId};
use crate::ir::{self, Network, Node, Role, TaskSet, count::space_size, partition};

/// Copies of a stage in a space beyond which one node stands for all of them.
const MOST_COPIES: usize = 24;
/// Edges to members and candidates beyond which they are bundled.
const MOST_EDGES: usize = 60;
/// Gates that differ only in their reader, from which on one node stands for all of them.
const MANY_GATES: usize = 5;

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
                    let ty = crate::plan::node_type(self.checked, self.network, *node);
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

    /// One node for the many gates of a network that has one per task over the same members.
    fn merge_gates(&mut self) {
        let mut readers = vec![0usize; self.nodes.len()];
        for w in self.wires.iter().flatten() {
            self.lists.all[w.list].iter().for_each(|n| readers[*n] += 1);
        }
        // Gates that no stage or mix reads: heads do.
        let mut alike: HashMap<(NodeKindKey, Vec<Wire>), Vec<usize>> = HashMap::new();
        let mut order = Vec::new();
        for (i, node) in self.nodes.iter().enumerate() {
            if let NodeKind::Mix { gate, query } = &node.kind
                && readers[i] == 0
            {
                let key = ((*gate, query.clone()), self.wires[i].clone());
                let group = alike.entry(key.clone()).or_default();
                if group.is_empty() {
                    order.push(key);
                }
                group.push(i);
            }
        }
        let mut to: Vec<usize> = (0..self.nodes.len()).collect();
        for key in order {
            let group = &alike[&key];
            if group.len() < MANY_GATES {
                continue;
            }
            let first = group[0];
            for other in &group[1..] {
                to[*other] = first;
                let cost = self.nodes[*other].cost;
                self.nodes[first].cost.add(cost);
                let set = self.serves[*other].clone();
                self.serves[first].union(&set);
            }
            self.nodes[first].count = group.len();
            self.nodes[first].label = format!("{} gates", group.len());
        }
        if to.iter().enumerate().all(|(i, t)| i == *t) {
            return;
        }
        // Closing the gaps.
        let mut index = vec![0; to.len()];
        let mut next = 0;
        for i in 0..to.len() {
            if to[i] == i {
                index[i] = next;
                next += 1;
            }
        }
        let keep: Vec<bool> = to.iter().enumerate().map(|(i, t)| i == *t).collect();
        retain(&mut self.nodes, &keep);
        retain(&mut self.serves, &keep);
        retain(&mut self.wires, &keep);
        self.drawn.values_mut().for_each(|d| *d = index[to[*d]]);
        self.copies.iter_mut().flatten().for_each(|d| *d = index[to[*d]]);
        self.lists.index.clear();
        for (i, list) in self.lists.all.iter_mut().enumerate() {
            list.iter_mut().for_each(|d| *d = index[to[*d]]);
            self.lists.index.insert(list.clone(), i);
        }
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

    /// Where many readers take from the same many nodes, edges meet in a junction.
    fn bundle(&mut self) {
        let mut readers: HashMap<Wire, usize> = HashMap::new();
        let mut order = Vec::new();
        let mut total = 0usize;
        for w in self.wires.iter().flatten() {
            let n = self.lists.all[w.list].len();
            if n > 1 {
                total += n;
                let count = readers.entry(*w).or_insert(0);
                if *count == 0 {
                    order.push(*w);
                }
                *count += 1;
            }
        }
        if total <= MOST_EDGES {
            return;
        }
        let mut junctions: HashMap<Wire, Wire> = HashMap::new();
        for wire in order {
            let (n, r) = (self.lists.all[wire.list].len(), readers[&wire]);
            if r < 2 || n * r <= n + r {
                continue;
            }
            let members = self.lists.all[wire.list].clone();
            let label = match wire.kind {
                EdgeKind::Candidate => format!("any of {n}"),
                EdgeKind::Member => format!("all {n}"),
                _ => "the same path's".to_string(),
            };
            let shape = self.nodes[members[0]].shape.clone();
            let mut serves = TaskSet::default();
            members.iter().for_each(|m| serves.union(&self.serves[*m]));
            let rank = members.iter().map(|m| self.ranks[*m]).max().unwrap_or(0) + 1;
            self.nodes.push(DrawNode {
                kind: NodeKind::Junction,
                label,
                shape,
                cost: Cost::default(),
                set: None,
                serves: 0,
                count: n,
                tasks: Vec::new(),
            });
            self.serves.push(serves);
            self.wires.push(vec![wire]);
            self.ranks.push(rank);
            let list = self.lists.add(vec![self.nodes.len() - 1]);
            junctions.insert(wire, Wire { kind: wire.kind, list });
        }
        for (i, wires) in self.wires.iter_mut().enumerate() {
            if self.nodes[i].kind != NodeKind::Junction {
                wires.iter_mut().for_each(|w| *w = junctions.get(w).copied().unwrap_or(*w));
            }
        }
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

type NodeKindKey = (&'static str, Option<String>);

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut i = 0;
    list.retain(|_| {
        i += 1;
        keep[i - 1]
    });
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

fn levels(checked: &Checked, network: &Network, view: View) -> Vec<LevelInfo> {
    let spec = &checked.spec;
    let Some(backbone) = &spec.backbone else { return Vec::new() };
    let copies = cost::copies(network);
    let count = |s: StageId| copies.get(&s.0).copied().unwrap_or(0);
    let ancestors = ir::ancestors(&backbone.stages);
    let name = |r: &Read| match r {
        Read::Input(i) => spec.inputs[i.0].name.clone(),
        Read::Stage(s) => backbone.stages[s.0].name.clone(),
    };
    let words = |reads: &[Read], how: Option<&Reads>, per_copy: bool| {
        let primary = ir::primary(reads, &ancestors);
        let mut out: Vec<String> = Vec::new();
        for r in reads {
            let word = name(r);
            let many = match r {
                Read::Stage(s) if !primary.contains(s) => {
                    out.push(format!("{word} on its path"));
                    continue;
                }
                Read::Stage(s) => count(*s),
                Read::Input(_) => 1,
            };
            out.push(match how {
                Some(how) if many > 1 => {
                    let mix = how.mix().map(|m| {
                        let queries: Vec<String> = m
                            .queries
                            .iter()
                            .map(|q| match q {
                                Query::Read(r) => name(r),
                                Query::Previous => "previous".to_string(),
                            })
                            .collect();
                        match queries.is_empty() {
                            true => format!(" by {}", m.gate.word()),
                            false => format!(" by {}, query {}", m.gate.word(), queries.join(" or ")),
                        }
                    });
                    let quantity = match how {
                        Reads::One => format!("one of {many}"),
                        Reads::Some(_) => format!("some of {many}"),
                        Reads::All(_) => format!("all {many}"),
                    };
                    let each = if per_copy { ", a head on each" } else { "" };
                    format!("{quantity} {word}{}{each}", mix.unwrap_or_default())
                }
                _ => word,
            });
        }
        out.join(" + ")
    };
    let mut choices = vec![0usize; backbone.stages.len() + 1];
    for c in &network.choices {
        match c.reader {
            ir::Reader::Stage(s, _) => choices[s.0] += 1,
            ir::Reader::Head(_) => choices[backbone.stages.len()] += 1,
        }
    }
    let space = spec.space.as_ref().filter(|_| view == View::Space);
    let mut out: Vec<LevelInfo> = backbone
        .stages
        .iter()
        .enumerate()
        .map(|(s, stage)| LevelInfo {
            name: stage.name.clone(),
            copies: count(StageId(s)),
            shape: Some(checked.stages[s].ty.to_string()),
            cost: checked.stages[s].cost,
            reads: words(&stage.reads, space.map(|x| &x.levels[s].reads), false),
            choices: choices[s],
        })
        .collect();
    let heads: Vec<_> = checked.heads.iter().flatten().collect();
    let same = |f: &dyn Fn(&crate::check::Typed) -> String| {
        heads.first().map(|h| f(h)).filter(|first| heads.iter().all(|h| f(h) == *first))
    };
    let alike = same(&|h| format!("{:?}", h.cost)).is_some() && heads.len() == checked.heads.len();
    let unknown = Cost { params: None, macs: None, activations: None };
    let head = spec.tasks.iter().find_map(|t| t.head).map(|h| &spec.heads[h.0]);
    out.push(LevelInfo {
        name: "heads".to_string(),
        copies: spec.tasks.len(),
        shape: same(&|h| h.ty.to_string()),
        cost: heads.first().filter(|_| alike).map_or(unknown, |h| h.cost),
        reads: head
            .map(|h| words(&h.reads, space.map(|x| &x.heads.reads), space.is_some_and(|x| x.heads.per_copy)))
            .unwrap_or_default(),
        choices: choices[backbone.stages.len()],
    });
    out
}

fn rows(report: &cost::CostReport, view: View) -> Vec<CostRow> {
    let shared = report.all_shared.total.params;
    let independent = report.independent.total.params;
    let ratio = |a: Option<u64>, b: Option<u64>| match (a, b) {
        (Some(a), Some(b)) if b > 0 => Some(a as f64 / b as f64),
        _ => None,
    };
    let row = |name: &'static str, n: &crate::check::NetworkCost, paths: bool| {
        let params: Option<Vec<u64>> = n.per_task.iter().map(|c| c.params).collect();
        let range = params.and_then(|p| Some((*p.iter().min()?, *p.iter().max()?)));
        CostRow {
            name,
            total: n.total,
            per_task: range.filter(|_| paths),
            shared: n.shared.filter(|_| paths),
            of_shared: ratio(n.total.params, shared),
            of_independent: ratio(n.total.params, independent),
        }
    };
    let mut out = match view {
        View::Spec => Vec::new(),
        View::Space => vec![row("supernet", &report.network, false)],
        View::Topology => vec![row("topology", &report.network, true)],
    };
    out.push(row("all shared", &report.all_shared, true));
    out.push(row("independent", &report.independent, true));
    out
}
