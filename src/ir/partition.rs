//! Chains of refining partitions: the canonical form of a tree topology.

use std::collections::HashMap;

use super::*;
use crate::hir::{Spec, TopoNode, TopoSource, Topology};

/// The partition of the tasks at each stage, by block label in order of first appearance: `chain[stage][task]`. `None` where a
/// task does not pass the stage, or the topology has mixes and so is no tree.
pub fn chain(spec: &Spec, topology: &Topology) -> Option<Vec<Vec<Option<usize>>>> {
    if !topology.mixes.is_empty() {
        return None;
    }
    let stages = spec.backbone.as_ref()?.stages.len();
    let mut out = vec![vec![None; spec.tasks.len()]; stages];
    for (task, sources, _) in &topology.tasks {
        let mut stack: Vec<TopoSource> = sources.clone();
        while let Some(s) = stack.pop() {
            if let TopoSource::Node(n) = s {
                let node = &topology.nodes[n];
                out[node.stage.0][task.0] = Some(n);
                stack.extend(node.reads.iter().copied());
            }
        }
    }
    for row in &mut out {
        let mut labels: HashMap<usize, usize> = HashMap::new();
        for slot in row.iter_mut().flatten() {
            let next = labels.len();
            *slot = *labels.entry(*slot).or_insert(next);
        }
    }
    Some(out)
}

/// The tree of a chain of partitions: `chain[stage][task]` is a block label; finer stages refine coarser ones. Stages that read
/// several others take each one's block of the same task.
pub fn tree(spec: &Spec, chain: &[Vec<usize>]) -> Topology {
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let ancestors = ancestors(stages);
    let mut topology = Topology::default();
    // Node of each (stage, block), in order of the smallest task.
    let mut nodes: HashMap<(usize, usize), usize> = HashMap::new();
    let source = |nodes: &HashMap<(usize, usize), usize>, reads: &[Read], task: usize| -> Vec<TopoSource> {
        let primary = primary(reads, &ancestors);
        reads
            .iter()
            .filter_map(|r| match r {
                Read::Input(i) => Some(TopoSource::Input(*i)),
                Read::Stage(p) => primary.contains(p).then(|| TopoSource::Node(nodes[&(p.0, chain[p.0][task])])),
            })
            .collect()
    };
    for (s, stage) in stages.iter().enumerate() {
        let mut copies = 0;
        for (task, block) in chain[s].iter().enumerate() {
            if nodes.contains_key(&(s, *block)) {
                continue;
            }
            let reads = source(&nodes, &stage.reads, task);
            topology.nodes.push(TopoNode { stage: StageId(s), copy: copy_letters(copies), reads, span: None });
            nodes.insert((s, *block), topology.nodes.len() - 1);
            copies += 1;
        }
    }
    for (t, task) in spec.tasks.iter().enumerate() {
        let Some(head) = task.head else { continue };
        let reads = source(&nodes, &spec.heads[head.0].reads, t);
        topology.tasks.push((TaskId(t), reads, None));
    }
    prune(&mut topology);
    topology
}

/// Removes nodes that no task reaches.
fn prune(topology: &mut Topology) {
    let mut kept = vec![false; topology.nodes.len()];
    let mut stack: Vec<TopoSource> = topology.tasks.iter().flat_map(|(_, s, _)| s.clone()).collect();
    while let Some(s) = stack.pop() {
        if let TopoSource::Node(n) = s
            && !std::mem::replace(&mut kept[n], true)
        {
            stack.extend(topology.nodes[n].reads.iter().copied());
        }
    }
    if kept.iter().all(|k| *k) {
        return;
    }
    let mut map = vec![0; kept.len()];
    let mut next = 0;
    for (i, k) in kept.iter().enumerate() {
        map[i] = next;
        next += *k as usize;
    }
    let fix = |s: &mut TopoSource| {
        if let TopoSource::Node(n) = s {
            *n = map[*n];
        }
    };
    let mut i = 0;
    topology.nodes.retain(|_| {
        i += 1;
        kept[i - 1]
    });
    topology.nodes.iter_mut().for_each(|n| n.reads.iter_mut().for_each(fix));
    topology.tasks.iter_mut().for_each(|(_, s, _)| s.iter_mut().for_each(fix));
}

/// All tasks share every stage.
pub fn all_shared(spec: &Spec) -> Topology {
    tree(spec, &vec![vec![0; spec.tasks.len()]; stage_count(spec)])
}

/// Every task has its own network.
pub fn independent(spec: &Spec) -> Topology {
    let own: Vec<usize> = (0..spec.tasks.len()).collect();
    tree(spec, &vec![own; stage_count(spec)])
}

/// The network of one task alone: one copy of every stage that it passes.
pub fn single(spec: &Spec, task: TaskId) -> Topology {
    let mut topology = all_shared(spec);
    topology.tasks.retain(|(t, ..)| *t == task);
    prune(&mut topology);
    topology
}

/// The network of two tasks that share their first stages.
pub fn pair(spec: &Spec, a: TaskId, b: TaskId, shared: usize) -> Topology {
    let chain: Vec<Vec<usize>> = (0..stage_count(spec))
        .map(|s| (0..spec.tasks.len()).map(|t| usize::from(s >= shared && t == b.0)).collect())
        .collect();
    let mut topology = tree(spec, &chain);
    topology.tasks.retain(|(t, ..)| [a, b].contains(t));
    prune(&mut topology);
    topology
}

/// The decisions that make a supernet the tree of a chain: a stage's block `b` is its copy `b`, and copies beyond choose the
/// first candidate. `None` where a stage has fewer copies than blocks, or where more than parents is to be chosen.
pub fn decisions(network: &Network, chain: &[Vec<usize>]) -> Option<Vec<usize>> {
    let decide = |c: &Choice| {
        if matches!(c.kind, ChoiceKind::Some { .. }) {
            return None;
        }
        let task = match c.reader {
            Reader::Head(t) => Some(t.0),
            Reader::Stage(s, copy) => chain[s.0].iter().position(|b| *b == copy),
        };
        let chosen = task.map_or(0, |t| chain[c.of.0][t]);
        (chosen < c.candidates).then_some(chosen)
    };
    network.choices.iter().map(decide).collect()
}

/// Why the topologies of a spec are no chains of partitions of all its tasks, in words: some task does not pass some stage. `None`
/// where they are.
pub fn off_the_chain(spec: &Spec, network: &Network) -> Option<String> {
    let stages = spec.backbone.as_ref()?.stages.as_slice();
    let sets = network.task_sets();
    for (s, stage) in stages.iter().enumerate() {
        let mut reach = TaskSet::default();
        for node in &network.order {
            if matches!(network.graph[*node], Node::Stage { stage, .. } if stage == StageId(s)) {
                reach.union(&sets[node.index()]);
            }
        }
        if let Some(t) = (0..spec.tasks.len()).find(|t| spec.tasks[*t].head.is_some() && !reach.contains(*t)) {
            return Some(format!("`{}` does not pass the stage `{}`", spec.tasks[t].name, stage.name));
        }
    }
    None
}

fn stage_count(spec: &Spec) -> usize {
    spec.backbone.as_ref().map_or(0, |b| b.stages.len())
}

/// Adjusted Rand index of two partitions of the same items (Hubert and Arabie 1985, equation 5): 1 for equal ones, about 0 for
/// independent ones. Two partitions that are both one block, or both all singletons, are equal: 1.
pub fn adjusted_rand(a: &[usize], b: &[usize]) -> f64 {
    let pairs = |n: f64| n * (n - 1.0) / 2.0;
    let mut cells: HashMap<(usize, usize), f64> = HashMap::new();
    let (mut rows, mut columns): (HashMap<usize, f64>, HashMap<usize, f64>) = Default::default();
    for (x, y) in a.iter().zip(b) {
        *cells.entry((*x, *y)).or_default() += 1.0;
        *rows.entry(*x).or_default() += 1.0;
        *columns.entry(*y).or_default() += 1.0;
    }
    let index: f64 = cells.values().map(|n| pairs(*n)).sum();
    let (r, c): (f64, f64) = (rows.values().map(|n| pairs(*n)).sum(), columns.values().map(|n| pairs(*n)).sum());
    let total = pairs(a.len() as f64);
    let expected = if total > 0.0 { r * c / total } else { 0.0 };
    let most = (r + c) / 2.0;
    if (most - expected).abs() < 1e-12 { 1.0 } else { (index - expected) / (most - expected) }
}
