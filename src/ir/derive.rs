//! From decisions to a topology: unreached copies fall away, the rest is named in canonical order (by the smallest task that it
//! serves, in declaration order), so the same topology always has the same text.

use std::collections::HashMap;

use super::*;
use crate::hir::{Space, Spec, TopoMix, TopoNode, TopoSource, Topology};

/// What was decided for one choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The chosen candidate.
    One(usize),
    /// The chosen candidates in order, and which query.
    Some(Vec<usize>, usize),
}

/// The decisions that numbers stand for, one per choice of a supernet.
pub fn decided(network: &Network, numbers: &[usize]) -> Vec<Decision> {
    network.choices.iter().zip(numbers).map(|(c, n)| c.decision(*n)).collect()
}

/// A topology with, for each of its nodes, which copy of the supernet it was.
#[derive(Debug, Clone)]
pub struct Derived {
    pub topology: Topology,
    /// Copy index in the supernet of each topology node.
    pub from: Vec<usize>,
    /// Copy of the last level whose head each task keeps, where heads were per copy; by task id.
    pub head_copy: Vec<Option<usize>>,
    /// Supernet node of each topology mix.
    pub mixes: Vec<NodeIndex>,
}

/// Applies one decision per choice of a supernet.
pub fn derive(spec: &Spec, space: &Space, network: &Network, decisions: &[Decision]) -> Derived {
    let mut walk = Walk { network, decisions, members: HashMap::new(), tasks: HashMap::new() };
    // Which tasks reach which kept node.
    for (task, loss) in &network.losses {
        walk.visit(*loss, task.0);
    }
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    // Canonical order: by stage, then by smallest task, then by supernet index (never needed: task sets of a tree's level are
    // disjoint, and routes fall back on it).
    let mut kept: Vec<(StageId, usize, NodeIndex)> = Vec::new();
    for node in &network.order {
        if let Node::Stage { stage, copy } = network.graph[*node]
            && walk.tasks.contains_key(node)
        {
            kept.push((stage, copy, *node));
        }
    }
    kept.sort_by_key(|(s, copy, n)| (*s, walk.tasks[n].iter().next(), walk.tasks[n].clone(), *copy));
    let mut topology = Topology::default();
    let mut from = Vec::new();
    let mut index: HashMap<NodeIndex, usize> = HashMap::new();
    let mut per_stage: HashMap<StageId, usize> = HashMap::new();
    let mut mixes: HashMap<NodeIndex, usize> = HashMap::new();
    let mut mix_nodes: Vec<NodeIndex> = Vec::new();
    let ancestors = ancestors(stages);
    for (stage, copy, node) in &kept {
        let n = per_stage.entry(*stage).or_insert(0);
        let name = copy_letters(*n);
        *n += 1;
        let reads = &stages[stage.0].reads;
        let sources = walk.reads(*node, reads, &ancestors, &index, &mut mixes, &mut mix_nodes, &mut topology);
        topology.nodes.push(TopoNode { stage: *stage, copy: name, reads: sources, span: None });
        index.insert(*node, topology.nodes.len() - 1);
        from.push(*copy);
    }
    let mut head_copy = vec![None; spec.tasks.len()];
    for (task, loss) in &network.losses {
        let heads = walk.kept_sources(*loss);
        let head = heads[0];
        if let Node::Head { copy, .. } = network.graph[head] {
            head_copy[task.0] = copy;
        }
        let Some(id) = spec.tasks[task.0].head else { continue };
        let reads = &spec.heads[id.0].reads;
        let sources = walk.reads(head, reads, &ancestors, &index, &mut mixes, &mut mix_nodes, &mut topology);
        topology.tasks.push((*task, sources, None));
    }
    topology.name = String::new();
    let _ = space;
    Derived { topology, from, head_copy, mixes: mix_nodes }
}

struct Walk<'a> {
    network: &'a Network,
    decisions: &'a [Decision],
    members: HashMap<NodeIndex, Vec<NodeIndex>>,
    tasks: HashMap<NodeIndex, TaskSet>,
}

impl Walk<'_> {
    /// What a node reads after the decisions: of a choice only what was chosen, the query last.
    fn kept_sources(&mut self, node: NodeIndex) -> Vec<NodeIndex> {
        if let Some(m) = self.members.get(&node) {
            return m.clone();
        }
        let n = self.network;
        let out = match &n.graph[node] {
            Node::Select { choice, .. } | Node::Loss { choice: Some(choice), .. } => match &self.decisions[choice.0] {
                Decision::One(i) => vec![n.candidates(node)[*i]],
                Decision::Some(i, _) => vec![n.candidates(node)[i[0]]],
            },
            Node::Mix { choice, .. } => {
                let candidates = n.candidates(node);
                let queries: Vec<NodeIndex> =
                    n.sources(node).iter().filter(|(r, _)| matches!(r, Role::Query(_))).map(|(_, s)| *s).collect();
                match choice.map(|c| &self.decisions[c.0]) {
                    Some(Decision::Some(subset, query)) => {
                        let mut out: Vec<NodeIndex> = subset.iter().map(|i| candidates[*i]).collect();
                        if out.len() > 1 {
                            out.extend(queries.get(*query));
                        }
                        out
                    }
                    Some(Decision::One(i)) => vec![candidates[*i]],
                    None => candidates.into_iter().chain(queries.first().copied()).collect(),
                }
            }
            _ => n.sources(node).into_iter().map(|(_, s)| s).collect(),
        };
        self.members.insert(node, out.clone());
        out
    }

    fn visit(&mut self, start: NodeIndex, task: usize) {
        let mut stack = vec![start];
        while let Some(node) = stack.pop() {
            let set = self.tasks.entry(node).or_default();
            if set.contains(task) {
                continue;
            }
            set.insert(task);
            stack.extend(self.kept_sources(node));
        }
    }

    /// Follows selections to what was chosen.
    fn resolve(&mut self, mut node: NodeIndex) -> NodeIndex {
        loop {
            match &self.network.graph[node] {
                Node::Select { .. } => node = self.kept_sources(node)[0],
                Node::Mix { choice: Some(_), .. } if self.kept_sources(node).len() == 1 => {
                    node = self.kept_sources(node)[0]
                }
                _ => return node,
            }
        }
    }

    /// The sources to be written for a reader: its primary stages, and inputs where it reads nothing else.
    #[allow(clippy::too_many_arguments)]
    fn reads(
        &mut self,
        node: NodeIndex,
        reads: &[Read],
        ancestors: &[Vec<bool>],
        index: &HashMap<NodeIndex, usize>,
        mixes: &mut HashMap<NodeIndex, usize>,
        mix_nodes: &mut Vec<NodeIndex>,
        topology: &mut Topology,
    ) -> Vec<TopoSource> {
        let primary = primary(reads, ancestors);
        let sources = self.network.sources(node);
        let mut out = Vec::new();
        for (role, source) in sources {
            let Role::Arg(i) = role else { continue };
            match reads[i] {
                Read::Input(id) => out.push(TopoSource::Input(id)),
                Read::Stage(s) if primary.contains(&s) => {
                    out.push(self.source(source, index, mixes, mix_nodes, topology));
                }
                Read::Stage(_) => {}
            }
        }
        out
    }

    fn source(
        &mut self,
        node: NodeIndex,
        index: &HashMap<NodeIndex, usize>,
        mixes: &mut HashMap<NodeIndex, usize>,
        mix_nodes: &mut Vec<NodeIndex>,
        topology: &mut Topology,
    ) -> TopoSource {
        let node = self.resolve(node);
        match self.network.graph[node].clone() {
            Node::Input(i) => TopoSource::Input(i),
            Node::Mix { gate, .. } => {
                if let Some(m) = mixes.get(&node) {
                    return TopoSource::Mix(*m);
                }
                let mut members = self.kept_sources(node);
                let query = gate.has_query().then(|| members.pop()).flatten();
                let query = query.map(|q| self.source(q, index, mixes, mix_nodes, topology));
                let members = members.into_iter().map(|m| self.source(m, index, mixes, mix_nodes, topology)).collect();
                let name = format!("m{}", topology.mixes.len() + 1);
                topology.mixes.push(TopoMix { name, gate, query, members, span: None });
                mix_nodes.push(node);
                mixes.insert(node, topology.mixes.len() - 1);
                TopoSource::Mix(topology.mixes.len() - 1)
            }
            _ => TopoSource::Node(index[&node]),
        }
    }
}
