//! Where one node stands for many, or many edges meet in one: what keeps a drawing legible.

use std::collections::HashMap;

use super::{Build, Wire};
use crate::check::Cost;
use crate::ir::TaskSet;
use crate::report::graph::drawing::*;

/// Edges to members and candidates beyond which they are bundled.
const MOST_EDGES: usize = 60;
/// Gates that differ only in their reader, from which on one node stands for all of them.
const MANY_GATES: usize = 5;

impl Build<'_> {
    /// One node for the many gates of a network that has one per task over the same members.
    pub(super) fn merge_gates(&mut self) {
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

    /// Where many readers take from the same many nodes, edges meet in a junction.
    pub(super) fn bundle(&mut self) {
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
}

type NodeKindKey = (&'static str, Option<String>);

fn retain<T>(list: &mut Vec<T>, keep: &[bool]) {
    let mut i = 0;
    list.retain(|_| {
        i += 1;
        keep[i - 1]
    });
}
