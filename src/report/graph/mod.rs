//! Drawings of a spec, its space or its topology: [`build`] decides what is drawn, the other modules write it. Text for terminals,
//! Graphviz, Mermaid, SVG, and JSON for other tools.

mod build;
pub mod color;
mod dot;
pub mod drawing;
mod facts;
mod json;
mod layout;
mod mermaid;
mod svg;
mod text;

use std::str::FromStr;

use crate::check::Checked;
use crate::screen;

pub use build::drawing;
pub use drawing::Drawing;

/// How a drawing is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GraphFormat {
    Text,
    Dot,
    Mermaid,
    Svg,
    Json,
}

impl GraphFormat {
    pub const ALL: [GraphFormat; 5] =
        [GraphFormat::Text, GraphFormat::Dot, GraphFormat::Mermaid, GraphFormat::Svg, GraphFormat::Json];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            GraphFormat::Text => "text",
            GraphFormat::Dot => "dot",
            GraphFormat::Mermaid => "mermaid",
            GraphFormat::Svg => "svg",
            GraphFormat::Json => "json",
        }
    }
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The backbone with its heads, as if all tasks shared it.
    Spec,
    /// The supernet of the space.
    Space,
    Topology,
}

impl View {
    pub const ALL: [View; 3] = [View::Spec, View::Space, View::Topology];

    /// The word on the command line.
    pub fn name(self) -> &'static str {
        match self {
            View::Spec => "spec",
            View::Space => "space",
            View::Topology => "topology",
        }
    }

    /// Whether a spec has it.
    pub fn is_in(self, checked: &Checked) -> bool {
        match self {
            View::Spec => checked.spec.backbone.is_some(),
            View::Space => checked.supernet.is_some(),
            View::Topology => checked.fixed.is_some(),
        }
    }

    /// What is drawn when nothing is asked for: the topology, else the space, else the spec.
    pub fn of(checked: &Checked) -> View {
        match () {
            _ if checked.fixed.is_some() => View::Topology,
            _ if checked.supernet.is_some() => View::Space,
            _ => View::Spec,
        }
    }
}

/// An unknown word, with those that are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is none of {1}")]
pub struct UnknownWord(pub String, pub String);

impl FromStr for GraphFormat {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<GraphFormat, UnknownWord> {
        let all = GraphFormat::ALL;
        let known = || all.map(GraphFormat::name).join(", ");
        all.into_iter().find(|f| f.name() == s).ok_or_else(|| UnknownWord(s.to_string(), known()))
    }
}

impl FromStr for View {
    type Err = UnknownWord;
    fn from_str(s: &str) -> Result<View, UnknownWord> {
        let known = || View::ALL.map(View::name).join(", ");
        View::ALL.into_iter().find(|v| v.name() == s).ok_or_else(|| UnknownWord(s.to_string(), known()))
    }
}

/// How text is written; other formats take no notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GraphOptions {
    /// ANSI colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Default for GraphOptions {
    fn default() -> GraphOptions {
        GraphOptions { color: false, width: 100 }
    }
}

/// Draws a checked spec. Without a `view`, or with one that the spec lacks (ask [`View::is_in`] first), it is [`View::of`].
pub fn draw(checked: &Checked, view: Option<View>, format: GraphFormat, opts: GraphOptions) -> String {
    let view = view.filter(|v| v.is_in(checked)).unwrap_or_else(|| View::of(checked));
    let drawing = drawing(checked, view);
    match format {
        GraphFormat::Json => screen::json(&json::write(&drawing)),
        GraphFormat::Text => text::write(&drawing.shown(), opts),
        GraphFormat::Dot => dot::write(&drawing.shown()),
        GraphFormat::Mermaid => mermaid::write(&drawing.shown()),
        GraphFormat::Svg => svg::write(&drawing.shown()),
    }
}
