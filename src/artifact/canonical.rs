//! The canonical form of a topology. Copies that no task reaches do not exist; the others are named a, b, ... per stage, by the
//! tasks that they serve in declaration order; what a line reads stands in the order in which its stage reads. Two topologies
//! that mean the same have the same canonical form.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::labelling::{self, Vertex};
use crate::hir::{Read, Spec, StageId, TopoMix, TopoNode, TopoSource, Topology};
use crate::ir::{TaskSet, ancestors, copy_letters, primary};

/// A canonical topology, and where its parts stood in the one that it was made from.
#[derive(Debug, Clone)]
pub struct Canonical {
    pub topology: Topology,
    /// For each node its index in the original.
    pub nodes: Vec<usize>,
    /// For each mix its index in the original; of equal mixes without weights the first.
    pub mixes: Vec<usize>,
}

/// The canonical form of a topology over the backbone of `spec`.
pub fn canonical(spec: &Spec, topology: &Topology) -> Topology {
    canonicalise(spec, topology).topology
}

/// Whether two topologies over the backbone of `spec` are the same network.
pub fn same_meaning(spec: &Spec, a: &Topology, b: &Topology) -> bool {
    super::topology_text::plain(spec, &canonical(spec, a)) == super::topology_text::plain(spec, &canonical(spec, b))
}

/// The canonical form with the way back.
pub fn canonicalise(spec: &Spec, topology: &Topology) -> Canonical {
    let t = normalised(spec, topology);
    let reach = reach(&t);
    let colours = colours(&t, &reach);
    assemble(spec, &t, &reach, &colours)
}

/// Sources in the order of what is read, mixes without weights folded: one member is that member, equal ones are one.
fn normalised(spec: &Spec, topology: &Topology) -> Topology {
    let mut t = topology.clone();
    let mut stands_for: Vec<Option<TopoSource>> = vec![None; t.mixes.len()];
    let mut seen: HashMap<(crate::hir::Gate, Vec<TopoSource>), usize> = HashMap::new();
    // A mix follows the mixes that it reads; where a hand-made topology breaks that, nothing is folded wrongly, only less.
    for m in 0..t.mixes.len() {
        let resolve = |s: &TopoSource| match s {
            TopoSource::Mix(i) => stands_for[*i].unwrap_or(*s),
            other => *other,
        };
        let mut members: Vec<TopoSource> = t.mixes[m].members.iter().map(resolve).collect();
        members.sort_unstable();
        let query = t.mixes[m].query.as_ref().map(resolve);
        let gate = t.mixes[m].gate;
        if !gate.has_query() {
            stands_for[m] = match members.as_slice() {
                [one] => Some(*one),
                _ => Some(TopoSource::Mix(*seen.entry((gate, members.clone())).or_insert(m))),
            };
        }
        t.mixes[m].members = members;
        t.mixes[m].query = query;
    }
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let ancestors = ancestors(stages);
    let stage_of = |t: &Topology, s: &TopoSource| stage_of(t, *s);
    let order = |t: &Topology, sources: &[TopoSource], reads: &[Read]| -> Vec<TopoSource> {
        let primary = primary(reads, &ancestors);
        let sources = sources.iter().map(|s| match s {
            TopoSource::Mix(i) => stands_for[*i].unwrap_or(*s),
            other => *other,
        });
        let sources: Vec<TopoSource> = sources.collect();
        reads
            .iter()
            .filter_map(|r| match r {
                Read::Input(i) => Some(TopoSource::Input(*i)),
                Read::Stage(p) if primary.contains(p) => sources.iter().find(|s| stage_of(t, s) == Some(*p)).copied(),
                Read::Stage(_) => None,
            })
            .collect()
    };
    for n in 0..t.nodes.len() {
        if let Some(stage) = stages.get(t.nodes[n].stage.0) {
            t.nodes[n].reads = order(&t, &t.nodes[n].reads, &stage.reads);
        }
    }
    for i in 0..t.tasks.len() {
        if let Some(head) = spec.tasks.get(t.tasks[i].0.0).and_then(|task| task.head) {
            t.tasks[i].1 = order(&t, &t.tasks[i].1, &spec.heads[head.0].reads);
        }
    }
    t.tasks.sort_by_key(|(task, ..)| *task);
    t
}

/// The stage whose copies a source is, or combines.
fn stage_of(t: &Topology, source: TopoSource) -> Option<StageId> {
    match source {
        TopoSource::Input(_) => None,
        TopoSource::Node(n) => Some(t.nodes[n].stage),
        TopoSource::Mix(m) => t.mixes[m].members.first().and_then(|s| stage_of(t, *s)),
    }
}

/// Vertices are nodes, then mixes.
fn vertex(t: &Topology, source: TopoSource) -> Option<usize> {
    match source {
        TopoSource::Input(_) => None,
        TopoSource::Node(n) => Some(n),
        TopoSource::Mix(m) => Some(t.nodes.len() + m),
    }
}

fn sources(t: &Topology, vertex: usize) -> Vec<TopoSource> {
    match t.nodes.get(vertex) {
        Some(node) => node.reads.clone(),
        None => {
            let mix = &t.mixes[vertex - t.nodes.len()];
            mix.members.iter().copied().chain(mix.query).collect()
        }
    }
}

/// Which tasks reach each vertex.
fn reach(t: &Topology) -> Vec<TaskSet> {
    let count = t.nodes.len() + t.mixes.len();
    // Depth first gives an order in which sources come before their readers.
    let mut order = Vec::with_capacity(count);
    let mut state = vec![0u8; count];
    let roots = t.tasks.iter().flat_map(|(_, s, _)| s).filter_map(|s| vertex(t, *s));
    for root in roots {
        let mut stack = vec![root];
        while let Some(&v) = stack.last() {
            if state[v] == 0 {
                state[v] = 1;
                stack.extend(sources(t, v).iter().filter_map(|s| vertex(t, *s)).filter(|s| state[*s] == 0));
            } else {
                stack.pop();
                if state[v] == 1 {
                    state[v] = 2;
                    order.push(v);
                }
            }
        }
    }
    let mut sets = vec![TaskSet::default(); count];
    for (task, reads, _) in &t.tasks {
        for v in reads.iter().filter_map(|s| vertex(t, *s)) {
            sets[v].insert(task.0);
        }
    }
    for v in order.into_iter().rev() {
        let own = sets[v].clone();
        for s in sources(t, v).iter().filter_map(|s| vertex(t, *s)) {
            sets[s].union(&own);
        }
    }
    sets
}

/// A rank for each vertex: by stage, then by the tasks served, then by what it reads and who reads it. Nodes with the same
/// rank are alike in every respect.
fn colours(t: &Topology, reach: &[TaskSet]) -> Vec<usize> {
    let nodes = t.nodes.len();
    let key = |v: usize| {
        let set = &reach[v];
        // Unreached ones last; they are dropped.
        let stage = if v < nodes { t.nodes[v].stage.0 } else { usize::MAX };
        (set.is_empty(), stage, set.iter().next(), set)
    };
    let mut by_key: Vec<usize> = (0..reach.len()).collect();
    by_key.sort_by(|a, b| key(*a).cmp(&key(*b)));
    let mut first = vec![0; reach.len()];
    let mut tied = false;
    for (at, pair) in by_key.windows(2).enumerate() {
        let same = key(pair[0]) == key(pair[1]);
        tied |= same && pair[1] < nodes && !reach[pair[1]].is_empty();
        first[pair[1]] = if same { first[pair[0]] } else { at + 1 };
    }
    // The copies of a tree's stage serve different tasks: nothing is left to tell apart.
    if !tied {
        return first;
    }
    let mut vertices: Vec<Vertex> = (0..reach.len())
        .map(|v| {
            let kept = !reach[v].is_empty();
            let mut out = Vertex { node: v < nodes, kept, ..Vertex::default() };
            if kept {
                out.inputs = match t.nodes.get(v) {
                    Some(n) => inputs(&n.reads),
                    None => {
                        let m = &t.mixes[v - nodes];
                        let query = m.query.map(|q| [q]);
                        [vec![m.gate as usize], inputs(query.as_ref().map_or(&[][..], |q| &q[..]))].concat()
                    }
                };
            }
            out
        })
        .collect();
    for v in 0..reach.len() {
        if reach[v].is_empty() {
            continue;
        }
        let (members, query) = match t.nodes.get(v) {
            Some(n) => (n.reads.as_slice(), None),
            None => (t.mixes[v - nodes].members.as_slice(), t.mixes[v - nodes].query),
        };
        let roles = members.iter().map(|s| (0, *s)).chain(query.map(|q| (1, q)));
        for (role, s) in roles {
            if let Some(s) = vertex(t, s) {
                vertices[v].sources.push((role, s));
                vertices[s].readers.push((role, v));
            }
        }
    }
    for (task, reads, _) in &t.tasks {
        for s in reads.iter().filter_map(|s| vertex(t, *s)) {
            vertices[s].tasks.push(task.0);
        }
    }
    labelling::order(&vertices, first)
}

fn inputs(sources: &[TopoSource]) -> Vec<usize> {
    sources
        .iter()
        .filter_map(|s| match s {
            TopoSource::Input(i) => Some(i.0),
            _ => None,
        })
        .collect()
}

/// Nodes in order of rank, but after what they read; mixes in the order in which they are first read.
fn assemble(spec: &Spec, t: &Topology, reach: &[TaskSet], colours: &[usize]) -> Canonical {
    let kept = |n: &usize| !reach[*n].is_empty();
    let mut ranked: Vec<usize> = (0..t.nodes.len()).filter(kept).collect();
    ranked.sort_by_key(|n| (colours[*n], *n));
    let mut copies: HashMap<StageId, usize> = HashMap::new();
    let mut names: HashMap<usize, String> = HashMap::new();
    for n in &ranked {
        let count = copies.entry(t.nodes[*n].stage).or_insert(0);
        names.insert(*n, copy_letters(*count));
        *count += 1;
    }
    // Stages are declared before their readers, so the order by rank serves, unless a gate's query is a later stage.
    let rank: HashMap<usize, usize> = ranked.iter().enumerate().map(|(r, n)| (*n, r)).collect();
    let mut waiting: Vec<usize> = vec![0; t.nodes.len()];
    let mut readers: Vec<Vec<usize>> = vec![Vec::new(); t.nodes.len()];
    for n in &ranked {
        for s in nodes_before(t, *n) {
            waiting[*n] += 1;
            readers[s].push(*n);
        }
    }
    let mut ready: BinaryHeap<Reverse<usize>> =
        ranked.iter().filter(|n| waiting[**n] == 0).map(|n| Reverse(rank[n])).collect();
    let mut out = Canonical { topology: Topology::default(), nodes: Vec::new(), mixes: Vec::new() };
    let mut place: HashMap<usize, usize> = HashMap::new();
    while let Some(Reverse(r)) = ready.pop() {
        let n = ranked[r];
        place.insert(n, out.nodes.len());
        out.nodes.push(n);
        for reader in &readers[n] {
            waiting[*reader] -= 1;
            if waiting[*reader] == 0 {
                ready.push(Reverse(rank[reader]));
            }
        }
    }
    let mut mixes = Mixes { t, place: &place, found: HashMap::new(), out: Vec::new(), from: Vec::new() };
    for n in &out.nodes {
        let node = &t.nodes[*n];
        let reads = node.reads.iter().map(|s| mixes.source(*s)).collect();
        out.topology.nodes.push(TopoNode { stage: node.stage, copy: names[n].clone(), reads, span: None });
    }
    for (task, reads, _) in &t.tasks {
        let reads = reads.iter().map(|s| mixes.source(*s)).collect();
        out.topology.tasks.push((*task, reads, None));
    }
    out.mixes = mixes.from;
    out.topology.mixes = mixes.out;
    name_mixes(spec, &mut out.topology);
    out
}

/// The nodes that must stand before a node: those it reads, through mixes too.
fn nodes_before(t: &Topology, node: usize) -> Vec<usize> {
    let mut stack: Vec<TopoSource> = t.nodes[node].reads.clone();
    let mut out = Vec::new();
    while let Some(s) = stack.pop() {
        match s {
            TopoSource::Input(_) => {}
            TopoSource::Node(n) => out.push(n),
            TopoSource::Mix(m) => stack.extend(t.mixes[m].members.iter().copied().chain(t.mixes[m].query)),
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

/// Mixes as they are first read, what a mix reads before itself.
struct Mixes<'a> {
    t: &'a Topology,
    /// New index of each kept node.
    place: &'a HashMap<usize, usize>,
    found: HashMap<usize, usize>,
    out: Vec<TopoMix>,
    from: Vec<usize>,
}

impl Mixes<'_> {
    fn source(&mut self, source: TopoSource) -> TopoSource {
        match source {
            TopoSource::Input(_) => source,
            TopoSource::Node(n) => TopoSource::Node(self.place[&n]),
            TopoSource::Mix(m) => {
                if let Some(at) = self.found.get(&m) {
                    return TopoSource::Mix(*at);
                }
                let mix = &self.t.mixes[m];
                let query = mix.query.map(|q| self.source(q));
                let mut members: Vec<TopoSource> = mix.members.iter().map(|s| self.source(*s)).collect();
                members.sort_unstable();
                self.out.push(TopoMix { name: String::new(), gate: mix.gate, query, members, span: None });
                self.from.push(m);
                self.found.insert(m, self.out.len() - 1);
                TopoSource::Mix(self.out.len() - 1)
            }
        }
    }
}

/// m1, m2, ... by place: the names that reading the text gives to mixes without one. A task or input of that name keeps it.
fn name_mixes(spec: &Spec, t: &mut Topology) {
    let taken = |name: &str| spec.tasks.iter().any(|x| x.name == name) || spec.inputs.iter().any(|x| x.name == name);
    for (i, mix) in t.mixes.iter_mut().enumerate() {
        mix.name = format!("m{}", i + 1);
        while taken(&mix.name) {
            mix.name.push('_');
        }
    }
}
