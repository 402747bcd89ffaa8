//! SVG, self-contained: no scripts, no fonts to load, a title and a description for screen readers. Text is measured before it is
//! placed, generously, so that it fits whatever sans-serif font the viewer has.

use std::fmt::Write;

use super::View;
use super::color::{NEUTRAL, hex};
use super::drawing::*;
use super::layout::{Layout, Size, Spacing, layout};
use crate::report::table::count_or_open;

const FONT: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
const SMALL: f64 = 11.0;
const NORMAL: f64 = 13.0;
const TITLE: f64 = 19.0;
const LINE: f64 = 15.0;
const MARGIN: f64 = 24.0;
const PAD: f64 = 9.0;
/// Layers and breadth that are drawn from left to right; deeper or narrower ones go down the page.
const DEEPEST_RIGHT: usize = 10;
const NARROWEST_RIGHT: usize = 4;

/// The text of a node.
#[derive(Default)]
struct Card {
    /// Set in bold.
    head: String,
    /// Beside the head, in the colour of the set.
    tag: String,
    lines: Vec<String>,
    /// Names in columns under the lines, with the width of each column.
    grid: Vec<Vec<String>>,
    widths: Vec<f64>,
    w: f64,
    h: f64,
}

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

fn heading_width(lines: &[String]) -> f64 {
    lines.iter().enumerate().map(|(i, t)| width(t, if i == 0 { NORMAL } else { SMALL }, i == 0)).fold(0.0, f64::max)
}

/// What stands beside a layer.
fn heading(d: &Drawing, l: &Layer) -> Vec<String> {
    match l.kind {
        LayerKind::Junctions => return Vec::new(),
        LayerKind::Stages | LayerKind::Tasks => {}
        _ => return vec![l.name.clone()],
    }
    let mut out = vec![l.name.clone()];
    if d.view != View::Space {
        return out;
    }
    for i in &l.levels {
        let level = &d.levels[*i];
        if l.levels.len() > 1 {
            out.push(format!("{}:", level.name));
        }
        let copies = match l.kind {
            LayerKind::Tasks => format!("{} heads", level.copies),
            _ if level.copies == 1 => "1 copy".to_string(),
            _ => format!("{} copies", level.copies),
        };
        let mut line = copies;
        if let Some(s) = &level.shape {
            line.push_str(&format!(" · {s}"));
        }
        if level.cost.params.is_some() {
            let each = if level.copies == 1 { "" } else { " each" };
            line.push_str(&format!(" · {} params{each}", count_or_open(level.cost.params)));
        }
        out.push(line);
        out.extend(folded(&format!("reads {}", level.reads), 48));
    }
    out
}

/// Text broken at blanks.
fn folded(text: &str, most: usize) -> Vec<String> {
    let mut out = vec![String::new()];
    for word in text.split(' ') {
        let line = out.last_mut().expect("never empty");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > most {
            out.push(word.to_string());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    out
}

fn card(d: &Drawing, n: &DrawNode, right: bool) -> Card {
    let mut c = Card { head: cut(&n.label, 44), ..Card::default() };
    let space = d.view == View::Space;
    let params = || format!("{} params", count_or_open(n.cost.params));
    let serves = || match (n.set, n.serves) {
        (None, _) => "all tasks".to_string(),
        (Some(_), k) => Drawing::tasks_word(k),
    };
    if n.set.is_some() && !matches!(n.kind, NodeKind::Junction | NodeKind::Input) {
        c.tag = Drawing::tag(n.set);
    }
    match &n.kind {
        NodeKind::Input => c.lines.extend(n.shape.clone()),
        NodeKind::Stage if space && n.count == 1 => {}
        NodeKind::Stage if space => c.head = format!("{} × {} copies", c.head, n.count),
        NodeKind::Stage => {
            c.lines.extend(n.shape.clone());
            c.lines.push(match d.view {
                View::Spec if n.set.is_none() => params(),
                _ => format!("{} · {}", params(), serves()),
            });
        }
        NodeKind::Mix { gate, query } => {
            c.lines.push(gate.to_string());
            if let Some(q) = query {
                let one = if n.count > 1 { "each its own weights, query" } else { "query" };
                c.lines.push(format!("{one} {}", cut(q, 30)));
            }
        }
        NodeKind::Junction => {}
        NodeKind::Tasks => {
            let shape = n.shape.clone().map(|s| format!("{s} · "));
            if n.tasks.len() == 1 {
                let t = &d.tasks[n.tasks[0]];
                c.head = name(t);
                c.lines.push(format!("{}{} · {}", shape.unwrap_or_default(), t.kind, params()));
            } else {
                c.lines.push(format!("{}{}", shape.unwrap_or_default(), params()));
                let names: Vec<String> = n.tasks.iter().map(|t| name(&d.tasks[*t])).collect();
                let widest = names.iter().map(|t| width(t, SMALL, false)).fold(0.0, f64::max) + 12.0;
                let groups = d.nodes.iter().filter(|n| n.kind == NodeKind::Tasks).count();
                let room = match (right, groups) {
                    (true, _) => 480.0,
                    (false, 1) => 720.0,
                    (false, g) => (960.0 / g as f64).max(1.0),
                };
                // Few names stand below one another.
                let columns = ((room / widest) as usize).clamp(1, names.len().div_ceil(if right { 3 } else { 4 }));
                let rows = names.len().div_ceil(columns);
                c.grid = names.chunks(rows).map(<[String]>::to_vec).collect();
                c.widths = c
                    .grid
                    .iter()
                    .map(|col| col.iter().map(|t| width(t, SMALL, false)).fold(0.0, f64::max) + 12.0)
                    .collect();
            }
        }
    }
    if n.kind == NodeKind::Junction {
        c.w = width(&c.head, SMALL, false) + 14.0;
        c.h = LINE + 3.0;
        return c;
    }
    let tag = if c.tag.is_empty() { 0.0 } else { 8.0 + width(&c.tag, SMALL, true) };
    let head = width(&c.head, NORMAL, true) + tag;
    let lines = c.lines.iter().map(|t| width(t, SMALL, false)).fold(0.0, f64::max);
    let grid = (c.widths.iter().sum::<f64>() - 12.0).max(0.0);
    c.w = head.max(lines).max(grid) + 2.0 * PAD;
    let rows = c.grid.first().map_or(0, Vec::len);
    let rule = if rows > 0 { 6.0 } else { 0.0 };
    c.h = (1 + c.lines.len() + rows) as f64 * LINE + rule + 9.0;
    c
}

fn name(t: &TaskInfo) -> String {
    let open = if t.open { " (open)" } else { "" };
    format!("{}{open}", cut(&t.name, 44))
}

/// At most so many characters; the whole stands in the node's title.
fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

/// Width of a text, after the widest of the fonts asked for (DejaVu Sans).
fn width(text: &str, size: f64, bold: bool) -> f64 {
    let one = |c: char| match c {
        'i' | 'j' | 'l' | '\'' | '|' => 0.30,
        'f' | 't' | 'r' | 'I' | ' ' | '.' | ',' | ':' | ';' | '(' | ')' | '[' | ']' | '/' | '-' | '·' => 0.40,
        'm' | 'M' | 'W' | 'w' | '@' | '%' | '…' => 0.98,
        '#' | '+' | '=' | '<' | '>' | '~' | '×' | '–' | '—' => 0.85,
        'A'..='Z' => 0.73,
        _ if (c as u32) < 0x250 => 0.635,
        _ => unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) as f64 * 0.75,
    };
    text.chars().map(one).sum::<f64>() * size * if bold { 1.1 } else { 1.0 }
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
