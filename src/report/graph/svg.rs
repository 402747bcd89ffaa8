//! SVG, self-contained: no scripts, no fonts to load, a title and a description for screen readers. Text is measured before it is
//! placed, generously, so that it fits whatever sans-serif font the viewer has.

mod card;

use std::fmt::Write;

use super::View;
use super::color::{NEUTRAL, hex};
use super::drawing::*;
use super::layout::{Layout, Size, Spacing, layout};
use card::{Card, LINE, NORMAL, PAD, SMALL, card, cut, heading, heading_width, width};

const FONT: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
const TITLE: f64 = 19.0;
const MARGIN: f64 = 24.0;
/// Layers and breadth that are drawn from left to right; deeper or narrower ones go down the page.
const DEEPEST_RIGHT: usize = 10;
const NARROWEST_RIGHT: usize = 4;

struct Picture<'a> {
    d: &'a Drawing,
    right: bool,
    cards: Vec<Card>,
    headings: Vec<Vec<String>>,
    layout: Layout,
    /// Where the drawing starts.
    left: f64,
    top: f64,
    out: String,
}

pub fn write(d: &Drawing) -> String {
    let shown = d.layers.iter().filter(|l| l.kind != LayerKind::Junctions).count();
    let widest = d.layers.iter().map(|l| l.nodes.len()).max().unwrap_or(0);
    let right = d.view != View::Space && shown <= DEEPEST_RIGHT && widest >= NARROWEST_RIGHT;
    let mut cards: Vec<Card> = d.nodes.iter().map(|n| card(d, n, right)).collect();
    if right {
        // One width per column looks tidy.
        for layer in &d.layers {
            let of = |n: &usize| matches!(d.nodes[*n].kind, NodeKind::Stage | NodeKind::Tasks | NodeKind::Input);
            let w = layer.nodes.iter().filter(|n| of(n)).map(|n| cards[*n].w).fold(0.0, f64::max);
            layer.nodes.iter().filter(|n| of(n)).for_each(|n| cards[*n].w = w);
        }
    }
    let headings: Vec<Vec<String>> = d.layers.iter().map(|l| heading(d, l)).collect();
    let least: Vec<f64> = headings
        .iter()
        .map(|h| match right {
            true => h.iter().map(|t| width(t, SMALL, false)).fold(0.0, f64::max),
            false => h.len() as f64 * LINE,
        })
        .collect();
    let sizes: Vec<Size> = cards
        .iter()
        .map(|c| if right { Size { main: c.w, cross: c.h } } else { Size { main: c.h, cross: c.w } })
        .collect();
    let spacing = match right {
        true => Spacing { layers: 44.0, nodes: 12.0, lanes: 14.0 },
        false => Spacing { layers: 34.0, nodes: 18.0, lanes: 18.0 },
    };
    let layout = layout(d, &sizes, &least, &spacing);
    let gutter = if right { 0.0 } else { headings.iter().map(|h| heading_width(h)).fold(0.0, f64::max) + 28.0 };
    let top = MARGIN + TITLE + 30.0 + if right { 30.0 } else { 0.0 };
    let mut p = Picture { d, right, cards, headings, layout, left: MARGIN + gutter, top, out: String::new() };
    p.draw()
}

/// XML's special characters; characters that XML cannot hold are dropped.
fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if (c as u32) < 0x20 || c == '\u{FFFE}' || c == '\u{FFFF}' => {}
            c => out.push(c),
        }
    }
    out
}

impl Picture<'_> {
    fn draw(&mut self) -> String {
        let body_w = if self.right { self.layout.main } else { self.layout.cross };
        let body_h = if self.right { self.layout.cross } else { self.layout.main };
        let facts = self.d.facts().join("  ·  ");
        let title = self.d.title();
        let least = width(&title, TITLE, true).max(width(&facts, SMALL + 1.0, false)) + 2.0 * MARGIN;
        let w = (self.left + body_w + MARGIN).max(least).max(420.0);
        // A narrow drawing stands in the middle of what the title needs.
        if !self.right {
            self.left += (w - MARGIN - self.left - body_w) / 2.0;
        }
        self.text(MARGIN, MARGIN + TITLE * 0.8, &title, TITLE, "bold", "#1a1a1a");
        self.text(MARGIN, MARGIN + TITLE + 14.0, &facts, SMALL + 1.0, "normal", "#444");
        self.bands(w, body_h);
        for i in 0..self.d.edges.len() {
            self.edge(i);
        }
        for i in 0..self.d.nodes.len() {
            self.node(i);
        }
        let h = self.legend(self.top + body_h + 26.0, w) + MARGIN;
        let desc = self.description();
        let mut head = String::new();
        let _ = write!(
            head,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w:.0} {h:.0}\" width=\"{w:.0}\" height=\"{h:.0}\" role=\"img\" \
             aria-labelledby=\"title desc\" font-family=\"{FONT}\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
            escape(&title),
            escape(&desc)
        );
        format!("{head}{}</svg>\n", self.out)
    }

    /// The drawing in one sentence or two.
    fn description(&self) -> String {
        let d = self.d;
        let levels: Vec<String> = d
            .levels
            .iter()
            .map(|l| format!("{} ({}{})", l.name, l.copies, if l.copies == 1 { " copy" } else { " copies" }))
            .collect();
        format!("{}. Levels: {}.", d.facts().join(", "), levels.join(", "))
    }

    fn text(&mut self, x: f64, y: f64, text: &str, size: f64, weight: &str, fill: &str) {
        let weight = if weight == "bold" { " font-weight=\"bold\"" } else { "" };
        let text = escape(text);
        let _ = writeln!(
            self.out,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\"{weight} fill=\"{fill}\">{text}</text>"
        );
    }

    /// Headings of the layers, with a hairline where rows need one.
    fn bands(&mut self, w: f64, body_h: f64) {
        for l in 0..self.d.layers.len() {
            let lines = self.headings[l].clone();
            if lines.is_empty() {
                continue;
            }
            let (start, length) = self.layout.layers[l];
            if self.right {
                let x = self.left + start;
                self.text(x, self.top - 16.0, &lines[0], SMALL + 1.0, "bold", "#444");
                let y = self.top - 9.0;
                let end = x + length;
                let _ = writeln!(
                    self.out,
                    "<path d=\"M{x:.1} {y:.1}H{end:.1}\" stroke=\"#bbb\" stroke-width=\"1\" fill=\"none\"/>"
                );
            } else {
                let middle = self.top + start + length / 2.0;
                let mut y = middle - lines.len() as f64 * LINE / 2.0 + LINE * 0.75;
                for (i, line) in lines.iter().enumerate() {
                    let (size, weight, fill) =
                        if i == 0 { (NORMAL, "bold", "#1a1a1a") } else { (SMALL, "normal", "#444") };
                    self.text(MARGIN, y, line, size, weight, fill);
                    y += LINE;
                }
                if start + length + 1.0 < body_h {
                    let y = self.top + start + length + 12.0;
                    let end = w - MARGIN;
                    let _ = writeln!(
                        self.out,
                        "<path d=\"M{MARGIN} {y:.1}H{end:.1}\" stroke=\"#eee\" stroke-width=\"1\" fill=\"none\"/>"
                    );
                }
            }
        }
    }

    /// From the flow's axes to the page's.
    fn at(&self, main: f64, cross: f64) -> (f64, f64) {
        match self.right {
            true => (self.left + main, self.top + cross),
            false => (self.left + cross, self.top + main),
        }
    }

    fn edge(&mut self, i: usize) {
        let e = self.d.edges[i];
        let points = self.layout.edges[i].clone();
        let (x, y) = self.at(points[0].0, points[0].1);
        let mut path = format!("M{x:.1} {y:.1}");
        for (k, pair) in points.windows(2).enumerate() {
            let ((m0, c0), (m1, c1)) = (pair[0], pair[1]);
            // Odd stretches run inside a layer.
            if k % 2 == 1 {
                let (x, y) = self.at(m1, c1);
                let _ = write!(path, "L{x:.1} {y:.1}");
                continue;
            }
            let bend = (m1 - m0) * 0.5;
            let (ax, ay) = self.at(m0 + bend, c0);
            let (bx, by) = self.at(m1 - bend, c1);
            let (x, y) = self.at(m1, c1);
            let _ = write!(path, "C{ax:.1} {ay:.1} {bx:.1} {by:.1} {x:.1} {y:.1}");
        }
        let to = &self.d.nodes[e.to];
        let color = to.set.map_or(NEUTRAL, |s| self.d.sets[s].color).stroke;
        let (stroke, thick, dash) = style(e.kind, color);
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        let _ =
            writeln!(self.out, "<path d=\"{path}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{thick}\"{dash}/>");
        if to.kind != NodeKind::Junction {
            let (m, c) = *points.last().expect("two at least");
            let [a, b, tip] = [(m - 6.5, c - 3.2), (m - 6.5, c + 3.2), (m, c)].map(|(m, c)| self.at(m, c));
            let _ = writeln!(
                self.out,
                "<path d=\"M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z\" fill=\"{stroke}\"/>",
                a.0, a.1, tip.0, tip.1, b.0, b.1
            );
        }
    }

    fn node(&mut self, i: usize) {
        let n = &self.d.nodes[i];
        let color = n.set.map_or(NEUTRAL, |s| self.d.sets[s].color);
        let (fill, stroke) = (hex(color.fill), hex(color.stroke));
        let (main, cross) = self.layout.nodes[i];
        let c = std::mem::take(&mut self.cards[i]);
        let (x, y) = match self.right {
            true => (self.left + main, self.top + cross - c.h / 2.0),
            false => (self.left + cross - c.w / 2.0, self.top + main),
        };
        let round = match n.kind {
            NodeKind::Mix { .. } => 16.0,
            NodeKind::Junction => c.h / 2.0,
            NodeKind::Input => 2.0,
            _ => 6.0,
        };
        let (fill, thick) = match n.kind {
            NodeKind::Junction | NodeKind::Input => ("#ffffff".to_string(), 1.0),
            NodeKind::Tasks => (fill, 1.8),
            _ => (fill, 1.2),
        };
        let whole = match n.kind {
            NodeKind::Tasks => n.tasks.iter().map(|t| self.d.tasks[*t].name.as_str()).collect::<Vec<_>>().join(", "),
            _ => n.label.clone(),
        };
        let _ = writeln!(
            self.out,
            "<g><title>{}</title>\n<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"{round}\" fill=\"{fill}\" \
             stroke=\"{stroke}\" stroke-width=\"{thick}\"/>",
            escape(&whole),
            c.w,
            c.h
        );
        if n.kind == NodeKind::Junction {
            self.text(x + 7.0, y + LINE * 0.87, &c.head, SMALL, "normal", "#444");
            self.out.push_str("</g>\n");
            return;
        }
        let mut line = y + LINE + 1.5;
        self.text(x + PAD, line, &c.head, NORMAL, "bold", "#1a1a1a");
        if !c.tag.is_empty() {
            let at = x + c.w - PAD - width(&c.tag, SMALL, true);
            self.text(at, line, &c.tag, SMALL, "bold", &stroke);
        }
        for text in &c.lines {
            line += LINE;
            self.text(x + PAD, line, text, SMALL, "normal", "#333");
        }
        if !c.grid.is_empty() {
            let rule = line + 6.0;
            let (from, to) = (x + PAD, x + c.w - PAD);
            let _ = writeln!(
                self.out,
                "<path d=\"M{from:.1} {rule:.1}H{to:.1}\" stroke=\"{stroke}\" stroke-width=\"0.7\"/>"
            );
            let mut at = x + PAD;
            for (column, w) in c.grid.iter().zip(&c.widths) {
                for (k, text) in column.iter().enumerate() {
                    self.text(at, line + 6.0 + (k + 1) as f64 * LINE, text, SMALL, "normal", "#1a1a1a");
                }
                at += w;
            }
        }
        self.out.push_str("</g>\n");
    }

    /// Sets of tasks that no group of tasks shows by itself, and the kinds of edges; gives its lower end.
    fn legend(&mut self, top: f64, w: f64) -> f64 {
        let d = self.d;
        let mut entries: Vec<(Option<usize>, Option<EdgeKind>, String)> = Vec::new();
        if !d.sets.is_empty() {
            entries.push((None, None, "all tasks".to_string()));
        }
        for (i, s) in d.sets.iter().enumerate() {
            let words = d.set_words(i, 4);
            entries.push((
                Some(i),
                None,
                format!("{} {}: {words}", Drawing::tag(Some(i)), Drawing::tasks_word(s.tasks.len())),
            ));
        }
        for (kind, words) in [
            (EdgeKind::Skip, "skip: the copy on the same task's path"),
            (EdgeKind::Query, "query of a gate"),
            (EdgeKind::Candidate, "may be chosen"),
        ] {
            if d.edges.iter().any(|e| e.kind == kind) {
                entries.push((None, Some(kind), words.to_string()));
            }
        }
        let entries: Vec<_> = entries.into_iter().map(|(s, k, t)| (s, k, cut(&t, 90))).collect();
        let widest = entries.iter().map(|(_, _, t)| width(t, SMALL, false) + 34.0).fold(0.0, f64::max) + 16.0;
        let columns = (((w - 2.0 * MARGIN) / widest) as usize).clamp(1, 4);
        let rows = entries.len().div_ceil(columns);
        for (i, (set, kind, text)) in entries.iter().enumerate() {
            let x = MARGIN + (i / rows.max(1)) as f64 * widest;
            let y = top + (i % rows.max(1)) as f64 * (LINE + 3.0);
            match kind {
                Some(k) => {
                    let (stroke, thick, dash) = style(*k, NEUTRAL.stroke);
                    let (end, middle) = (x + 24.0, y + 5.0);
                    let _ = writeln!(
                        self.out,
                        "<path d=\"M{x:.1} {middle:.1}H{end:.1}\" stroke=\"{stroke}\" stroke-width=\"{thick}\" stroke-dasharray=\"{dash}\"/>"
                    );
                }
                None => {
                    let c = set.map_or(NEUTRAL, |s| d.sets[s].color);
                    let _ = writeln!(
                        self.out,
                        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"24\" height=\"11\" rx=\"3\" fill=\"{}\" stroke=\"{}\"/>",
                        hex(c.fill),
                        hex(c.stroke)
                    );
                }
            }
            self.text(x + 32.0, y + 9.5, text, SMALL, "normal", "#333");
        }
        top + rows as f64 * (LINE + 3.0)
    }
}

/// Stroke, width and dashes of an edge.
fn style(kind: EdgeKind, color: [u8; 3]) -> (String, f64, &'static str) {
    match kind {
        EdgeKind::Data => (hex(color), 1.6, ""),
        EdgeKind::Member => (hex(color), 1.1, ""),
        EdgeKind::Skip => (hex(color), 1.5, "6 4"),
        EdgeKind::Query => ("#777777".to_string(), 1.1, "1.5 3"),
        EdgeKind::Candidate => ("#8a8a8a".to_string(), 0.9, "none"),
    }
}
