//! How two topologies group the same tasks, stage by stage, and in words where tasks part that the other keeps together.
//!
//! Two tasks are together at a stage if they use the same copies of it. Going up, a tree only ever parts tasks; so what is said of a
//! pair is where it parts, in A and in B.

use std::collections::BTreeMap;

use crate::check::Checked;
use crate::ir::partition::adjusted_rand;
use crate::ir::{Network, Node};

/// One stage that both have.
#[derive(Debug, Clone)]
pub struct StageGroups {
    pub name: String,
    /// Copies in A and B.
    pub copies: [usize; 2],
    /// The tasks that both have, by copies used; groups and members in the order of A's tasks.
    pub groups: [Vec<Vec<String>>; 2],
    /// Adjusted Rand index of the two groupings: 1 for the same, about 0 for unrelated ones.
    pub similarity: f64,
}

/// Tasks that one side keeps together from a stage on, and the other parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parting {
    /// B parts them and A does not; or the other way round.
    pub in_b: bool,
    /// Where they part.
    pub stage: String,
    /// The groups that part.
    pub groups: Vec<Vec<String>>,
    /// Where the other side parts them too.
    pub other: Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Other {
    /// It never does: they share every stage.
    Never,
    /// From this stage on.
    From(String),
    /// Some here, some there.
    Various,
}

/// Which copies of each stage each task uses: `[stage][task]`, by index in the spec; empty where it passes none.
fn uses(checked: &Checked, network: &Network) -> Vec<Vec<Vec<usize>>> {
    let stages = checked.spec.backbone.as_ref().map_or(0, |b| b.stages.len());
    let sets = network.task_sets();
    let mut out = vec![vec![Vec::new(); checked.spec.tasks.len()]; stages];
    for node in network.graph.node_indices() {
        if let Node::Stage { stage, copy } = &network.graph[node] {
            sets[node.index()].iter().for_each(|t| out[stage.0][t].push(*copy));
        }
    }
    out.iter_mut().flatten().for_each(|c| c.sort_unstable());
    out
}

/// The groupings of both, over the stages and tasks that both have.
pub fn compare(a: (&Checked, &Network), b: (&Checked, &Network)) -> (Vec<StageGroups>, Vec<Parting>) {
    let (ua, ub) = (uses(a.0, a.1), uses(b.0, b.1));
    let names = |c: &Checked| -> Vec<String> { c.spec.tasks.iter().map(|t| t.name.clone()).collect() };
    let (ta, tb) = (names(a.0), names(b.0));
    let tasks: Vec<(usize, usize)> =
        ta.iter().enumerate().filter_map(|(i, n)| Some((i, tb.iter().position(|m| m == n)?))).collect();
    let stages = |c: &Checked| -> Vec<String> {
        c.spec.backbone.iter().flat_map(|b| &b.stages).map(|s| s.name.clone()).collect()
    };
    let (sa, sb) = (stages(a.0), stages(b.0));
    let common: Vec<(usize, usize)> =
        sa.iter().enumerate().filter_map(|(i, n)| Some((i, sb.iter().position(|m| m == n)?))).collect();
    let name = |task: usize| ta[tasks[task].0].clone();
    let mut rows = Vec::new();
    // labels[stage][side][task]: tasks with the same label are together.
    let mut labels: Vec<[Vec<usize>; 2]> = Vec::new();
    for (i, j) in &common {
        let label = |of: &[Vec<usize>], side: fn(&(usize, usize)) -> usize| -> Vec<usize> {
            let mut seen: Vec<&Vec<usize>> = Vec::new();
            tasks
                .iter()
                .map(|t| {
                    let used = &of[side(t)];
                    seen.iter().position(|s| *s == used).unwrap_or_else(|| {
                        seen.push(used);
                        seen.len() - 1
                    })
                })
                .collect()
        };
        let both = [label(&ua[*i], |t| t.0), label(&ub[*j], |t| t.1)];
        let groups = both.each_ref().map(|l| {
            let mut groups: Vec<Vec<String>> = Vec::new();
            for (t, at) in l.iter().enumerate() {
                if groups.len() <= *at {
                    groups.resize(*at + 1, Vec::new());
                }
                groups[*at].push(name(t));
            }
            groups
        });
        let count = |u: &[Vec<usize>]| {
            let mut all: Vec<usize> = u.iter().flatten().copied().collect();
            all.sort_unstable();
            all.dedup();
            all.len()
        };
        rows.push(StageGroups {
            name: sa[*i].clone(),
            copies: [count(&ua[*i]), count(&ub[*j])],
            groups,
            similarity: adjusted_rand(&both[0], &both[1]),
        });
        labels.push(both);
    }
    let stages: Vec<String> = rows.iter().map(|r| r.name.clone()).collect();
    (rows, partings(&labels, &stages, tasks.len(), &name))
}

/// Where pairs part on one side that are together on the other.
fn partings(
    labels: &[[Vec<usize>; 2]],
    stages: &[String],
    tasks: usize,
    name: &dyn Fn(usize) -> String,
) -> Vec<Parting> {
    let apart = |s: usize, side: usize, x: usize, y: usize| labels[s][side][x] != labels[s][side][y];
    // At stage s: apart on `side`, together on the other.
    let only = |s: usize, side: usize, x: usize, y: usize| apart(s, side, x, y) && !apart(s, 1 - side, x, y);
    let mut out = Vec::new();
    for s in 0..labels.len() {
        for side in [1, 0] {
            let begins = |x: usize, y: usize| only(s, side, x, y) && (s == 0 || !only(s - 1, side, x, y));
            // Tasks that are together on the other side and part here: by the other side's label.
            let mut by_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            (0..tasks).for_each(|t| by_group.entry(labels[s][1 - side][t]).or_default().push(t));
            for members in by_group.values() {
                for part in connected(members, &begins) {
                    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
                    part.iter().for_each(|t| groups.entry(labels[s][side][*t]).or_default().push(*t));
                    let mut ends: Vec<usize> = Vec::new();
                    for (i, x) in part.iter().enumerate() {
                        for y in &part[i + 1..] {
                            if begins(*x, *y) {
                                let end = (s..labels.len()).find(|e| apart(*e, 1 - side, *x, *y));
                                ends.push(end.unwrap_or(labels.len()));
                            }
                        }
                    }
                    ends.sort_unstable();
                    ends.dedup();
                    let other = match ends.as_slice() {
                        [one] if *one == labels.len() => Other::Never,
                        [one] => Other::From(stages[*one].clone()),
                        _ => Other::Various,
                    };
                    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
                    groups.sort();
                    let groups = groups.iter().map(|g| g.iter().map(|t| name(*t)).collect()).collect();
                    out.push(Parting { in_b: side == 1, stage: stages[s].clone(), groups, other });
                }
            }
        }
    }
    out
}

/// Connected parts of two and more, in order.
fn connected(members: &[usize], edge: &dyn Fn(usize, usize) -> bool) -> Vec<Vec<usize>> {
    let mut left: Vec<usize> = members.to_vec();
    let mut out = Vec::new();
    while let Some(first) = left.first().copied() {
        left.remove(0);
        let mut part = vec![first];
        let mut next = 0;
        while next < part.len() {
            let at = part[next];
            let (near, far): (Vec<usize>, Vec<usize>) = left.iter().partition(|t| edge(at, **t));
            part.extend(near);
            left = far;
            next += 1;
        }
        if part.len() > 1 {
            part.sort_unstable();
            out.push(part);
        }
    }
    out
}
