//! A topology as text: one line per copy in canonical order, then the tasks, those that read the same in one line. A mix that a
//! stage or several readers read has a line and a name of its own; one that a single reader reads stands where it is read.

use std::collections::HashMap;

use super::canonical::canonical;
use crate::data::name_text;
use crate::hir::{Spec, TopoSource, Topology};

/// The `topology over BACKBONE { ... }` item of a topology, in its canonical form and layout, with a line end.
pub fn topology_text(spec: &Spec, topology: &Topology) -> String {
    let text = plain(spec, &canonical(spec, topology));
    let edition = "mtl 1\n\n";
    match crate::fmt::format(&format!("{edition}{text}")) {
        Ok(whole) => whole.trim_start_matches(edition).to_string(),
        Err(_) => text,
    }
}

/// The same of a topology that is canonical already, not laid out.
pub(super) fn plain(spec: &Spec, t: &Topology) -> String {
    let backbone = spec.backbone.as_ref();
    let mut text = Text { spec, t, named: named(t), lines: Vec::new(), done: vec![false; t.mixes.len()] };
    for (n, node) in t.nodes.iter().enumerate() {
        let target = text.source(TopoSource::Node(n));
        text.line(target, &node.reads);
    }
    // Tasks by what they read, in order of the first of each.
    let mut groups: Vec<(&[TopoSource], Vec<String>)> = Vec::new();
    let mut at: HashMap<&[TopoSource], usize> = HashMap::new();
    for (task, reads, _) in &t.tasks {
        let i = *at.entry(reads).or_insert_with(|| {
            groups.push((reads, Vec::new()));
            groups.len() - 1
        });
        groups[i].1.push(name_text(&spec.tasks[task.0].name));
    }
    for (reads, tasks) in groups {
        text.line(tasks.join(", "), reads);
    }
    let over = backbone.map(|b| name_text(&b.name)).unwrap_or_default();
    format!("topology over {over} {{\n{}}}\n", text.lines.concat())
}

/// Which mixes have a line of their own.
fn named(t: &Topology) -> Vec<bool> {
    let mut readers = vec![0; t.mixes.len()];
    let mut by_stage = vec![false; t.mixes.len()];
    let mut count = |s: &TopoSource, stage: bool| {
        if let TopoSource::Mix(m) = s {
            readers[*m] += 1;
            by_stage[*m] |= stage;
        }
    };
    t.nodes.iter().flat_map(|n| &n.reads).for_each(|s| count(s, true));
    t.tasks.iter().flat_map(|(_, reads, _)| reads).for_each(|s| count(s, false));
    t.mixes.iter().flat_map(|m| m.members.iter().chain(&m.query)).for_each(|s| count(s, false));
    readers.iter().zip(by_stage).map(|(n, stage)| stage || *n > 1).collect()
}

struct Text<'a> {
    spec: &'a Spec,
    t: &'a Topology,
    named: Vec<bool>,
    lines: Vec<String>,
    /// Mixes whose line is written.
    done: Vec<bool>,
}

impl Text<'_> {
    fn line(&mut self, target: String, reads: &[TopoSource]) {
        reads.iter().for_each(|s| self.before(*s));
        let sources: Vec<String> = reads.iter().map(|s| self.source(*s)).collect();
        let sources = match sources.as_slice() {
            [one] => one.clone(),
            _ => format!("[{}]", sources.join(", ")),
        };
        self.lines.push(format!("  {target} <- {sources}\n"));
    }

    /// Writes the lines of the named mixes that a source needs.
    fn before(&mut self, source: TopoSource) {
        let TopoSource::Mix(m) = source else { return };
        if std::mem::replace(&mut self.done[m], true) {
            return;
        }
        let mix = &self.t.mixes[m];
        mix.query.iter().chain(&mix.members).for_each(|s| self.before(*s));
        if self.named[m] {
            let text = self.mix(m);
            self.lines.push(format!("  {} <- {text}\n", mix.name));
        }
    }

    fn source(&self, source: TopoSource) -> String {
        match source {
            TopoSource::Input(i) => name_text(&self.spec.inputs[i.0].name),
            TopoSource::Node(n) => {
                let node = &self.t.nodes[n];
                let stage = self.spec.backbone.as_ref().map(|b| b.stages[node.stage.0].name.as_str());
                format!("{}.{}", name_text(stage.unwrap_or_default()), name_text(&node.copy))
            }
            TopoSource::Mix(m) if self.named[m] => self.t.mixes[m].name.clone(),
            TopoSource::Mix(m) => self.mix(m),
        }
    }

    fn mix(&self, m: usize) -> String {
        let mix = &self.t.mixes[m];
        let query = mix.query.map(|q| format!(", query = {}", self.source(q))).unwrap_or_default();
        let members: Vec<String> = mix.members.iter().map(|s| self.source(*s)).collect();
        format!("mix({}{query})[{}]", mix.gate.word(), members.join(", "))
    }
}
