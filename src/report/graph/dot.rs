//! Graphviz: layers as ranks, groups of tasks as lists of names, sets as colours with a legend.

use std::fmt::Write;

use super::color::{NEUTRAL, hex};
use super::drawing::*;

/// Names on one line of a group of tasks.
const PER_LINE: usize = 3;

pub fn write(d: &Drawing) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "digraph {} {{", quote(&d.title()));
    let label = format!("{}\n{}", d.title(), d.facts().join(" · "));
    let _ = writeln!(out, "  graph [rankdir=TB, labelloc=t, fontname=\"Helvetica\", label={}];", quote(&label));
    out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n");
    out.push_str("  edge [fontname=\"Helvetica\", fontsize=9, arrowsize=0.7];\n");
    for layer in &d.layers {
        out.push_str("  { rank=same;");
        layer.nodes.iter().for_each(|n| {
            let _ = write!(out, " n{n};");
        });
        out.push_str(" }\n");
    }
    for (i, n) in d.nodes.iter().enumerate() {
        let c = n.set.map_or(NEUTRAL, |s| d.sets[s].color);
        let shape = match n.kind {
            NodeKind::Input => ", style=filled, fillcolor=\"#ffffff\"",
            NodeKind::Mix { .. } => ", shape=ellipse, style=filled",
            NodeKind::Junction => ", shape=plaintext, style=\"\"",
            NodeKind::Stage | NodeKind::Tasks => "",
        };
        let fill = hex(c.fill);
        let text = lines(d, n, PER_LINE).join("\n");
        let _ =
            writeln!(out, "  n{i} [label={}, fillcolor=\"{fill}\", color=\"{}\"{shape}];", quote(&text), hex(c.stroke));
    }
    for e in &d.edges {
        let c = d.nodes[e.to].set.map_or(NEUTRAL, |s| d.sets[s].color);
        let style = match e.kind {
            EdgeKind::Data | EdgeKind::Member => "",
            EdgeKind::Skip => ", style=dashed, constraint=false",
            EdgeKind::Query => ", style=dotted, constraint=false",
            EdgeKind::Candidate => ", penwidth=0.6",
        };
        let head = if d.nodes[e.to].kind == NodeKind::Junction { ", arrowhead=none" } else { "" };
        let _ = writeln!(out, "  n{} -> n{} [color=\"{}\"{style}{head}];", e.from, e.to, hex(c.stroke));
    }
    if !d.sets.is_empty() {
        out.push_str("  subgraph cluster_sets {\n    label=\"sets of tasks\"; color=\"#bbbbbb\";\n");
        for (i, s) in d.sets.iter().enumerate() {
            let text = format!("{} {}", Drawing::tag(Some(i)), d.set_words(i, 4));
            let (fill, stroke) = (hex(s.color.fill), hex(s.color.stroke));
            let _ = writeln!(out, "    set{i} [label={}, fillcolor=\"{fill}\", color=\"{stroke}\"];", quote(&text));
        }
        // Below one another, not in one long row.
        for i in 1..d.sets.len() {
            let _ = writeln!(out, "    set{} -> set{i} [style=invis];", i - 1);
        }
        out.push_str("  }\n");
    }
    out + "}\n"
}

/// The lines of a node, for formats that lay text out themselves.
pub fn lines(d: &Drawing, n: &DrawNode, per_line: usize) -> Vec<String> {
    use crate::report::table::count_or_open;
    let tag = if n.set.is_some() { format!("  {}", Drawing::tag(n.set)) } else { String::new() };
    let mut out = vec![match n.kind {
        NodeKind::Junction => n.label.clone(),
        NodeKind::Stage if n.count > 1 => format!("{} × {} copies", n.label, n.count),
        _ => format!("{}{tag}", n.label),
    }];
    let params = format!("{} params", count_or_open(n.cost.params));
    match &n.kind {
        NodeKind::Input => out.extend(n.shape.clone()),
        NodeKind::Junction => {}
        NodeKind::Mix { gate, query } => out.push(match query {
            Some(q) => format!("{gate}, query {q}"),
            None => gate.to_string(),
        }),
        NodeKind::Stage => {
            out.extend(n.shape.clone());
            out.push(params);
        }
        NodeKind::Tasks => {
            let shape = n.shape.clone().map(|s| format!("{s}, ")).unwrap_or_default();
            out.push(format!("{shape}{params}"));
            let names: Vec<&str> = n.tasks.iter().map(|t| d.tasks[*t].name.as_str()).collect();
            out.extend(names.chunks(per_line).map(|c| c.join(", ")));
        }
    }
    out
}

/// A quoted string of DOT; line ends become its own.
fn quote(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{}\"", text.replace(|c: char| c.is_control(), " "))
}
