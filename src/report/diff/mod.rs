//! Two topologies compared by meaning: how tasks group at each stage, what stages, heads, inputs, tasks, data and training are, and
//! what it all costs. Names of copies, layout, comments and the places of files are no differences.

mod attributes;
mod grouping;
mod json;
mod text;
mod words;

use crate::artifact;
use crate::check::{Checked, NetworkCost, cost};
use crate::hir::{Read, Spec, TopoSource, Topology};
use crate::ir::Network;

pub use attributes::{Change, How, Item, Section, Shown, sections};
pub use grouping::{Other, Parting, StageGroups};
pub use text::section_text;

/// A network to compare.
pub struct Side<'a> {
    /// As the user named it.
    pub name: String,
    pub checked: &'a Checked,
    pub topology: &'a Topology,
    pub network: &'a Network,
}

/// Everything that differs between A and B.
#[derive(Debug, Clone)]
pub struct Diff {
    pub names: [String; 2],
    /// They mean the same in everything.
    pub same: bool,
    /// The same copies serve the same tasks and read the same, whatever they are called; absent where tasks, stages or what stages
    /// read are not the same.
    pub same_topology: Option<bool>,
    /// Tasks and stages that only A or only B has.
    pub only_tasks: [Vec<String>; 2],
    pub only_stages: [Vec<String>; 2],
    /// Tasks that both have.
    pub tasks: usize,
    pub stages: Vec<StageGroups>,
    /// Mean of the stages' similarities; absent without common stages.
    pub similarity: Option<f64>,
    pub partings: Vec<Parting>,
    /// Lines of the canonical topologies that only A or only B has, where they differ and no grouping says how: mixes and gates.
    pub lines: [Vec<String>; 2],
    pub sections: Vec<Section>,
    pub costs: [NetworkCost; 2],
}

pub fn diff(a: &Side, b: &Side) -> Diff {
    let names = |s: &Spec| -> [Vec<String>; 2] {
        let stages = s.backbone.iter().flat_map(|b| &b.stages).map(|s| s.name.clone());
        [s.tasks.iter().map(|t| t.name.clone()).collect(), stages.collect()]
    };
    let (sa, sb) = (&a.checked.spec, &b.checked.spec);
    let ([ta, ga], [tb, gb]) = (names(sa), names(sb));
    let only = |of: &[String], other: &[String]| of.iter().filter(|n| !other.contains(n)).cloned().collect::<Vec<_>>();
    let (stages, partings) = grouping::compare((a.checked, a.network), (b.checked, b.network));
    let similarity =
        (!stages.is_empty()).then(|| stages.iter().map(|s| s.similarity).sum::<f64>() / stages.len() as f64);
    let translated = translated(sa, sb, b.topology);
    let same_topology = translated.as_ref().map(|t| artifact::same_meaning(sa, a.topology, t));
    let lines = match (&translated, same_topology, partings.is_empty()) {
        (Some(t), Some(false), true) => {
            let lines = |t: &Topology| -> Vec<String> {
                artifact::topology_text(sa, t)
                    .lines()
                    .map(|l| l.trim().to_string())
                    .filter(|l| l.contains("<-"))
                    .collect()
            };
            let (x, y) = (lines(a.topology), lines(t));
            [only(&x, &y), only(&y, &x)]
        }
        _ => Default::default(),
    };
    Diff {
        names: [a.name.clone(), b.name.clone()],
        same: artifact::network_digest(sa, a.topology) == artifact::network_digest(sb, b.topology),
        same_topology,
        only_tasks: [only(&ta, &tb), only(&tb, &ta)],
        only_stages: [only(&ga, &gb), only(&gb, &ga)],
        tasks: ta.iter().filter(|t| tb.contains(t)).count(),
        stages,
        similarity,
        partings,
        lines,
        sections: sections(sa, sb),
        costs: [cost::network_cost(a.checked, a.network), cost::network_cost(b.checked, b.network)],
    }
}

/// A topology of `b` in the terms of `a`, where both have the same tasks, stages and inputs by name, and stages and heads read the
/// same. The order in which they are declared does not count.
fn translated(a: &Spec, b: &Spec, t: &Topology) -> Option<Topology> {
    let (ba, bb) = (a.backbone.as_ref()?, b.backbone.as_ref()?);
    if ba.stages.len() != bb.stages.len() || a.tasks.len() != b.tasks.len() {
        return None;
    }
    let reads = |s: &Spec, reads: &[Read]| {
        let mut names: Vec<String> = reads
            .iter()
            .map(|r| match r {
                Read::Input(i) => format!("input {}", s.inputs[i.0].name),
                Read::Stage(g) => s.backbone.as_ref().map(|b| b.stages[g.0].name.clone()).unwrap_or_default(),
            })
            .collect();
        names.sort();
        names
    };
    let mut stage = Vec::new();
    for s in &bb.stages {
        let at = ba.stages.iter().position(|x| x.name == s.name)?;
        if reads(b, &s.reads) != reads(a, &ba.stages[at].reads) {
            return None;
        }
        stage.push(crate::hir::StageId(at));
    }
    let mut task = Vec::new();
    for x in &b.tasks {
        let at = a.tasks.iter().position(|y| y.name == x.name)?;
        let head = |s: &Spec, h: Option<crate::hir::HeadId>| h.map(|h| reads(s, &s.heads[h.0].reads));
        if head(b, x.head) != head(a, a.tasks[at].head) {
            return None;
        }
        task.push(crate::hir::TaskId(at));
    }
    let source = |s: &mut TopoSource| -> Option<()> {
        if let TopoSource::Input(i) = s {
            let at = a.inputs.iter().position(|x| x.name == b.inputs[i.0].name)?;
            *s = TopoSource::Input(crate::hir::InputId(at));
        }
        Some(())
    };
    let mut out = t.clone();
    for n in &mut out.nodes {
        n.stage = stage[n.stage.0];
        n.reads.iter_mut().try_for_each(source)?;
    }
    for m in &mut out.mixes {
        m.members.iter_mut().chain(&mut m.query).try_for_each(source)?;
    }
    for (id, sources, _) in &mut out.tasks {
        *id = task[id.0];
        sources.iter_mut().try_for_each(source)?;
    }
    Some(out)
}

impl Diff {
    /// For people; `width` in columns.
    pub fn text(&self, color: bool, width: usize) -> String {
        text::write(self, color, width)
    }

    pub fn json(&self) -> serde_json::Value {
        json::value(self)
    }
}
