//! Commands above the lines that they are about.

use super::Analysis;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lens {
    pub range: std::ops::Range<usize>,
    pub title: &'static str,
    /// `mtlc.COMMAND`
    pub command: &'static str,
}

/// Above the first line what all programs can do, above a search and a training what runs them.
pub fn lenses(analysis: &Analysis) -> Vec<Lens> {
    let items = analysis.parse().items();
    let mut out = Vec::new();
    if let Some(first) = items.first() {
        let range = match analysis.text().starts_with("mtl") {
            true => 0..3,
            false => first.keyword.span.range(),
        };
        out.push(Lens { range: range.clone(), title: "check", command: "mtlc.check" });
        if items.iter().any(|i| i.keyword.text == "backbone") || analysis.spec().backbone.is_some() {
            out.push(Lens { range, title: "graph", command: "mtlc.graph" });
        }
    }
    for item in items {
        let lens = match item.keyword.text.as_str() {
            "search" => ("search", "mtlc.search"),
            "space" | "topology" | "backbone" => ("graph", "mtlc.graph"),
            "train" => ("run", "mtlc.run"),
            _ => continue,
        };
        out.push(Lens { range: item.keyword.span.range(), title: lens.0, command: lens.1 });
    }
    out
}
