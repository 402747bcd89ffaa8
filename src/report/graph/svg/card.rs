//! What stands in a node and beside a layer, and how much room it takes. Sizes are estimates on the wide side.

use crate::report::graph::View;
use crate::report::graph::drawing::*;
use crate::report::table::count_or_open;

pub const SMALL: f64 = 11.0;
pub const NORMAL: f64 = 13.0;
pub const LINE: f64 = 15.0;
pub const PAD: f64 = 9.0;

/// The text of a node.
#[derive(Default)]
pub struct Card {
    /// Set in bold.
    pub head: String,
    /// Beside the head, in the colour of the set.
    pub tag: String,
    pub lines: Vec<String>,
    /// Names in columns under the lines, with the width of each column.
    pub grid: Vec<Vec<String>>,
    pub widths: Vec<f64>,
    pub w: f64,
    pub h: f64,
}

pub fn heading_width(lines: &[String]) -> f64 {
    lines.iter().enumerate().map(|(i, t)| width(t, if i == 0 { NORMAL } else { SMALL }, i == 0)).fold(0.0, f64::max)
}

/// What stands beside a layer.
pub fn heading(d: &Drawing, l: &Layer) -> Vec<String> {
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
pub fn folded(text: &str, most: usize) -> Vec<String> {
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

pub fn card(d: &Drawing, n: &DrawNode, right: bool) -> Card {
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

pub fn name(t: &TaskInfo) -> String {
    let open = if t.open { " (open)" } else { "" };
    format!("{}{open}", cut(&t.name, 44))
}

/// At most so many characters; the whole stands in the node's title.
pub fn cut(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most - 1).chain(['…']).collect(),
        false => text.to_string(),
    }
}

/// Width of a text, after the widest of the fonts asked for (DejaVu Sans).
pub fn width(text: &str, size: f64, bold: bool) -> f64 {
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
