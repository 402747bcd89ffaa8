//! Mermaid, as GitHub draws it: a flowchart with a class for each set of tasks and a legend.

use std::fmt::Write;

use super::color::{NEUTRAL, hex};
use super::dot::lines;
use super::drawing::*;

pub fn write(d: &Drawing) -> String {
    let mut out = format!("---\ntitle: {}\n---\nflowchart TD\n", yaml(&d.title()));
    for (i, n) in d.nodes.iter().enumerate() {
        let text: Vec<String> = lines(d, n, 3).iter().map(|l| escape(l)).collect();
        let text = text.join("<br/>");
        let (open, close) = match n.kind {
            NodeKind::Input => ("[", "]"),
            NodeKind::Mix { .. } => ("{{", "}}"),
            NodeKind::Junction => ("([", "])"),
            NodeKind::Stage | NodeKind::Tasks => ("(", ")"),
        };
        let class = match n.kind {
            NodeKind::Input | NodeKind::Junction => "plain".to_string(),
            _ => n.set.map_or_else(|| "all".to_string(), |s| format!("set{}", s + 1)),
        };
        let _ = writeln!(out, "  n{i}{open}\"{text}\"{close}:::{class}");
    }
    for e in &d.edges {
        let arrow = match (e.kind, &d.nodes[e.to].kind) {
            (EdgeKind::Skip | EdgeKind::Query, _) => "-.->",
            (_, NodeKind::Junction) => "---",
            _ => "-->",
        };
        let words = match e.kind {
            EdgeKind::Skip => "|skip|",
            EdgeKind::Query => "|query|",
            _ => "",
        };
        let _ = writeln!(out, "  n{} {arrow}{words} n{}", e.from, e.to);
    }
    if !d.sets.is_empty() {
        out.push_str("  subgraph sets[\"sets of tasks\"]\n");
        for i in 0..d.sets.len() {
            let text = format!("{} {}", Drawing::tag(Some(i)), d.set_words(i, 4));
            let _ = writeln!(out, "    s{0}[\"{1}\"]:::set{0}", i + 1, escape(&text));
        }
        out.push_str("  end\n");
    }
    out.push_str("  classDef plain fill:#ffffff,stroke:#5a5a5a,color:#1a1a1a\n");
    let (fill, stroke) = (hex(NEUTRAL.fill), hex(NEUTRAL.stroke));
    let _ = writeln!(out, "  classDef all fill:{fill},stroke:{stroke},color:#1a1a1a");
    for (i, s) in d.sets.iter().enumerate() {
        let (fill, stroke) = (hex(s.color.fill), hex(s.color.stroke));
        let _ = writeln!(out, "  classDef set{} fill:{fill},stroke:{stroke},color:#1a1a1a", i + 1);
    }
    out
}

/// Text inside Mermaid's quotes: its own entities for what would end them or be read as markup.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '#' => out.push_str("#35;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '`' => out.push_str("#96;"),
            '*' | '_' | '\\' => {
                let _ = write!(out, "#{};", c as u32);
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn yaml(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace(|c: char| c.is_control(), " "))
}
