//! Drawings for terminals: a tree as an indented tree, anything else layer by layer, a space as a table of levels; costs below.

use unicode_width::UnicodeWidthStr;

use super::color::ansi;
use super::drawing::*;
use super::{GraphOptions, View};
use crate::report::table::{Align, Column, SHARED, Table, count_or_open, human_bytes, pad, shared};
use crate::screen;

/// Layers beyond which a tree is listed layer by layer: indentation would eat the line.
const DEEPEST_TREE: usize = 14;
/// Groups of tasks whose costs are listed.
const MOST_GROUPS: usize = 20;

pub fn write(d: &Drawing, opts: GraphOptions) -> String {
    let mut text = Text { d, opts, out: String::new() };
    text.out.push_str(&format!("{}\n", text.bold(&d.title())));
    text.wrapped("", &d.facts(), " · ");
    text.out.push('\n');
    match d.view {
        View::Space => text.levels(),
        _ => match text.tree_edges() {
            Some(children) => text.tree(&children),
            None => text.listing(),
        },
    }
    text.sets();
    text.costs();
    text.paths();
    if d.open {
        text.out.push_str("\nopen: known when the data schema is frozen (`mtlc data freeze`)\n");
    }
    text.out
}

struct Text<'a> {
    d: &'a Drawing,
    opts: GraphOptions,
    out: String,
}

/// A line of a tree: its cells, or names that take the whole width.
enum Line {
    Cells([String; 5], Option<usize>),
    Names(String, Vec<usize>),
}

impl Text<'_> {
    fn bold(&self, text: &str) -> String {
        screen::paint(text, "1", self.opts.color)
    }

    fn paint(&self, text: &str, set: Option<usize>) -> String {
        match set {
            Some(s) => screen::paint(text, &format!("38;5;{}", ansi(self.d.sets[s].color.stroke)), self.opts.color),
            None => text.to_string(),
        }
    }

    /// Words joined by a separator, broken at the width, each line after `indent`.
    fn wrapped(&mut self, indent: &str, words: &[String], separator: &str) {
        let mut line = String::new();
        for (i, w) in words.iter().enumerate() {
            let room = self.opts.width.saturating_sub(indent.width());
            if !line.is_empty() && line.width() + separator.width() + w.width() > room {
                let tail = if separator == ", " { "," } else { "" };
                self.out.push_str(&format!("{indent}{line}{tail}\n"));
                line.clear();
            }
            if !line.is_empty() && i > 0 {
                line.push_str(separator);
            }
            line.push_str(w);
        }
        self.out.push_str(&format!("{indent}{line}\n"));
    }

    /// Names in columns, each line after `indent`.
    fn columns(&mut self, indent: &str, tasks: &[usize], set: Option<usize>) {
        let names: Vec<String> = tasks.iter().map(|t| task_name(&self.d.tasks[*t])).collect();
        let width = names.iter().map(|n| n.width()).max().unwrap_or(0) + 2;
        let room = self.opts.width.saturating_sub(indent.width()).max(width);
        let per_line = (room / width).max(1);
        for chunk in names.chunks(per_line) {
            let line: String = chunk.iter().map(|n| pad(n, width, Align::Left)).collect();
            let line = self.paint(line.trim_end(), set);
            self.out.push_str(&format!("{indent}{line}\n"));
        }
    }

    fn serves(&self, n: &DrawNode) -> String {
        match (n.set, self.d.tasks.len()) {
            (None, 1) => "the task".to_string(),
            (None, all) => format!("all {all} tasks"),
            (Some(s), _) => format!("{} {}", Drawing::tasks_word(n.serves), Drawing::tag(Some(s))),
        }
    }

    /// The children of each node, if every node reads one other (skips aside) and the tree is not too deep.
    fn tree_edges(&self) -> Option<Vec<Vec<usize>>> {
        let d = self.d;
        let mut children = vec![Vec::new(); d.nodes.len()];
        let mut parents = vec![0; d.nodes.len()];
        for e in &d.edges {
            match e.kind {
                EdgeKind::Skip => {}
                EdgeKind::Data => {
                    children[e.from].push(e.to);
                    parents[e.to] += 1;
                }
                _ => return None,
            }
        }
        // In the order of the layers, where a tree has no crossings.
        let mut place = vec![0; d.nodes.len()];
        d.layers.iter().for_each(|l| l.nodes.iter().enumerate().for_each(|(i, n)| place[*n] = i));
        children.iter_mut().for_each(|c| c.sort_by_key(|n| (place[*n], *n)));
        let tree = d.nodes.iter().zip(&parents).all(|(n, p)| *p == usize::from(n.kind != NodeKind::Input));
        (tree && d.layers.len() <= DEEPEST_TREE).then_some(children)
    }

    fn tree(&mut self, children: &[Vec<usize>]) {
        let d = self.d;
        let mut skips = vec![Vec::new(); d.nodes.len()];
        for e in d.edges.iter().filter(|e| e.kind == EdgeKind::Skip) {
            skips[e.to].push(d.nodes[e.from].label.as_str());
        }
        let mut lines = Vec::new();
        // (node, prefix of its line, prefix of what stands below it)
        let mut stack: Vec<(usize, String, String)> = Vec::new();
        for (i, _) in d.nodes.iter().enumerate().rev().filter(|(_, n)| n.kind == NodeKind::Input) {
            stack.push((i, String::new(), String::new()));
        }
        while let Some((at, before, below)) = stack.pop() {
            let n = &d.nodes[at];
            let mut label = format!("{before}{}", n.label);
            if !skips[at].is_empty() {
                label.push_str(&format!("  + {}", skips[at].join(", ")));
            }
            let shape = n.shape.clone().unwrap_or_default();
            let cells = match n.kind {
                NodeKind::Input => [label, shape, String::new(), String::new(), String::new()],
                _ => {
                    let serves = if n.kind == NodeKind::Tasks { Drawing::tag(n.set) } else { self.serves(n) };
                    let serves = if n.kind == NodeKind::Tasks && n.set.is_none() { String::new() } else { serves };
                    [label, shape, count_or_open(n.cost.params), count_or_open(n.cost.macs), serves]
                }
            };
            lines.push(Line::Cells(cells, n.set));
            if n.kind == NodeKind::Tasks {
                lines.push(Line::Names(format!("{below}  "), n.tasks.clone()));
            }
            let last = children[at].len().saturating_sub(1);
            for (i, child) in children[at].iter().enumerate().rev() {
                let (turn, pass) = if i == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                stack.push((*child, format!("{below}{turn}"), format!("{below}{pass}")));
            }
        }
        let titles = ["", "output", "params", "MACs", "serves"].map(str::to_string);
        let aligns = [Align::Left, Align::Left, Align::Right, Align::Right, Align::Left];
        let mut widths = titles.clone().map(|t| t.width());
        for line in &lines {
            if let Line::Cells(cells, _) = line {
                widths.iter_mut().zip(cells).for_each(|(w, c)| *w = (*w).max(c.width()));
            }
        }
        let put = |cells: &[String; 5]| {
            let padded: Vec<String> = cells.iter().zip(widths).zip(aligns).map(|((c, w), a)| pad(c, w, a)).collect();
            padded.join("  ").trim_end().to_string()
        };
        let head = self.bold(&put(&titles));
        self.out.push_str(&format!("{head}\n"));
        let mut set = None;
        for line in lines {
            match line {
                Line::Cells(cells, s) => {
                    set = s;
                    let text = put(&cells);
                    // Colour only what belongs to the node, not the branches.
                    let lead = text.find(|c: char| !" │├└─".contains(c)).unwrap_or(0);
                    let text = format!("{}{}", &text[..lead], self.paint(&text[lead..], s));
                    self.out.push_str(&format!("{text}\n"));
                }
                Line::Names(indent, tasks) => self.columns(&indent, &tasks, set),
            }
        }
    }

    /// What a node reads, in words that a line may break between.
    fn sources(&self, incoming: &[Vec<usize>], node: usize) -> Vec<String> {
        let d = self.d;
        let mut parts: Vec<(EdgeKind, Vec<&str>)> = Vec::new();
        for e in incoming[node].iter().map(|e| &d.edges[*e]) {
            let label = d.nodes[e.from].label.as_str();
            // Through a junction: what stands behind it.
            let labels: Vec<&str> = match d.nodes[e.from].kind {
                NodeKind::Junction => {
                    incoming[e.from].iter().map(|i| d.nodes[d.edges[*i].from].label.as_str()).collect()
                }
                _ => vec![label],
            };
            match parts.iter_mut().find(|(k, _)| *k == e.kind) {
                Some((_, list)) => list.extend(labels),
                None => parts.push((e.kind, labels)),
            }
        }
        let mut out = Vec::new();
        for (kind, list) in parts {
            let lead = match kind {
                EdgeKind::Skip => "skip ",
                EdgeKind::Query => "query ",
                EdgeKind::Candidate => "one of ",
                EdgeKind::Data | EdgeKind::Member => "",
            };
            let lead = if out.is_empty() { lead.to_string() } else { format!("· {lead}") };
            let last = list.len() - 1;
            for (i, label) in list.iter().enumerate() {
                let lead = if i == 0 { lead.as_str() } else { "" };
                out.push(format!("{lead}{label}{}", if i < last { "," } else { "" }));
            }
        }
        out
    }

    fn listing(&mut self) {
        let d = self.d;
        let incoming = d.incoming();
        for layer in d.layers.iter().filter(|l| l.kind != LayerKind::Junctions) {
            let mut head = layer.name.clone();
            if let ([level], LayerKind::Stages) = (layer.levels.as_slice(), layer.kind) {
                let level = &d.levels[*level];
                let each = if level.copies == 1 { "" } else { " each" };
                head = format!(
                    "{head}  {}, {} params{each}, {} MACs{each}",
                    level.shape.clone().unwrap_or_default(),
                    count_or_open(level.cost.params),
                    count_or_open(level.cost.macs)
                );
            }
            let rule = "─".repeat(self.opts.width.min(100).saturating_sub(head.width() + 4).max(2));
            self.out.push_str(&format!("── {} {rule}\n", self.bold(&head)));
            let label = |n: &DrawNode| match n.kind {
                NodeKind::Tasks if n.tasks.len() == 1 => task_name(&d.tasks[n.tasks[0]]),
                _ => n.label.clone(),
            };
            let width = layer.nodes.iter().map(|n| label(&d.nodes[*n]).width()).max().unwrap_or(0);
            for at in &layer.nodes {
                let n = &d.nodes[*at];
                let mut words = self.sources(&incoming, *at);
                if let (NodeKind::Mix { gate, .. }, Some(first)) = (&n.kind, words.first_mut()) {
                    *first = format!("{gate} of {first}");
                }
                if let Some(first) = words.first_mut() {
                    *first = format!("← {first}");
                }
                match n.kind {
                    NodeKind::Input => words.extend(n.shape.clone()),
                    NodeKind::Tasks => {
                        words.extend(n.shape.clone().filter(|_| n.tasks.len() == 1).map(|s| format!("({s})")));
                        words.extend(n.set.map(|s| Drawing::tag(Some(s))));
                    }
                    _ => words.push(format!("({})", self.serves(n))),
                }
                let name = self.paint(&pad(&label(n), width, Align::Left), n.set);
                let before = self.out.len();
                let indent = " ".repeat(3 + width + 4);
                self.wrapped(&indent, &words, " ");
                // The first line carries the name, and its arrow stands before the indent of the others.
                let text = self.out.split_off(before);
                let text = text.trim_start();
                let blank = if text.starts_with('←') { "  " } else { "    " };
                self.out.push_str(&format!("   {name}{blank}{text}"));
                if n.kind == NodeKind::Tasks && n.tasks.len() > 1 {
                    self.columns("      ", &n.tasks, n.set);
                }
            }
        }
    }

    fn levels(&mut self) {
        let d = self.d;
        let mut table = Table::new([
            Column::left("level"),
            Column::right("copies"),
            Column::left("output"),
            Column::right("params each"),
            Column::right("MACs each"),
            Column::right("choices"),
            Column::left("each reads"),
        ]);
        for l in &d.levels {
            table.row([
                l.name.clone(),
                l.copies.to_string(),
                l.shape.clone().unwrap_or_else(|| "by task".to_string()),
                if l.shape.is_none() && l.cost.params.is_none() { String::new() } else { count_or_open(l.cost.params) },
                if l.shape.is_none() && l.cost.macs.is_none() { String::new() } else { count_or_open(l.cost.macs) },
                if l.choices == 0 { String::new() } else { l.choices.to_string() },
                l.reads.clone(),
            ]);
        }
        let table = table.terminal(self.opts.color);
        self.out.push_str(&table);
        for n in d.nodes.iter().filter(|n| n.kind == NodeKind::Tasks) {
            self.out.push_str(&format!("\n{}\n", n.label));
            self.columns("  ", &n.tasks, n.set);
        }
    }

    /// Only for listings: a tree shows its sets by its shape.
    fn sets(&mut self) {
        let d = self.d;
        if d.sets.is_empty() || d.view == View::Space || self.tree_edges().is_some() {
            return;
        }
        self.out.push_str("\nsets of tasks\n");
        for i in 0..d.sets.len() {
            let words = d.set_words(i, 6);
            let tag = self.paint(&pad(&Drawing::tag(Some(i)), 4, Align::Left), Some(i));
            self.out.push_str(&format!("  {tag} {words}\n"));
        }
    }

    fn costs(&mut self) {
        let d = self.d;
        let mut table = Table::new([
            Column::left("network"),
            Column::right("params"),
            Column::right("MACs"),
            Column::right("activations"),
            Column::right("params per task"),
            Column::right(SHARED[0]),
            Column::right(SHARED[1]),
            Column::right("of all shared"),
            Column::right("of independent"),
        ]);
        for r in &d.costs.rows {
            let path = r.per_task.map_or(String::new(), |(a, b)| range(a, b));
            let ratio = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.2} ×"));
            let [params, macs] = r.shared.as_ref().map_or_else(Default::default, shared);
            table.row([
                r.name.to_string(),
                count_or_open(r.total.params),
                count_or_open(r.total.macs),
                memory(r.total.activations),
                path,
                params,
                macs,
                ratio(r.of_shared),
                ratio(r.of_independent),
            ]);
        }
        self.out.push_str(&format!("\n{}", table.terminal(self.opts.color)));
        self.out.push_str("MACs and activation memory (4 bytes a value, kept for training) are per sample\n");
    }

    /// Costs of the paths that groups of tasks take.
    fn paths(&mut self) {
        let d = self.d;
        let groups: Vec<&DrawNode> = d.nodes.iter().filter(|n| n.kind == NodeKind::Tasks).collect();
        if d.view == View::Space || groups.len() < 2 {
            return;
        }
        let mut table = Table::new([
            Column::left("path of"),
            Column::left(""),
            Column::right("params"),
            Column::right("MACs"),
            Column::right("activations"),
        ]);
        for n in groups.iter().take(MOST_GROUPS) {
            let spread = |f: &dyn Fn(&crate::check::Cost) -> Option<u64>, show: &dyn Fn(u64, u64) -> String| {
                let all: Option<Vec<u64>> = n.tasks.iter().map(|t| d.tasks[*t].path.as_ref().and_then(f)).collect();
                let all = all.unwrap_or_default();
                match (all.iter().min(), all.iter().max()) {
                    (Some(a), Some(b)) => show(*a, *b),
                    _ => "open".to_string(),
                }
            };
            let first = task_name(&d.tasks[n.tasks[0]]);
            let name = if n.tasks.len() == 1 { first } else { format!("{first} and {} more", n.tasks.len() - 1) };
            let bytes = |a: u64, b: u64| {
                let (a, b) = (human_bytes(a.saturating_mul(4)), human_bytes(b.saturating_mul(4)));
                if a == b { a } else { format!("{a} – {b}") }
            };
            table.row([
                name,
                if n.set.is_some() { Drawing::tag(n.set) } else { String::new() },
                spread(&|c| c.params, &range),
                spread(&|c| c.macs, &range),
                spread(&|c| c.activations, &bytes),
            ]);
        }
        self.out.push_str(&format!("\n{}", table.terminal(self.opts.color)));
        if groups.len() > MOST_GROUPS {
            self.out.push_str(&format!("… {} more groups\n", groups.len() - MOST_GROUPS));
        }
    }
}

fn task_name(t: &TaskInfo) -> String {
    if t.open { format!("{} (open)", t.name) } else { t.name.clone() }
}

fn range(a: u64, b: u64) -> String {
    let (a, b) = (count_or_open(Some(a)), count_or_open(Some(b)));
    if a == b { a } else { format!("{a} – {b}") }
}

fn memory(values: Option<u64>) -> String {
    values.map_or_else(|| "open".to_string(), |n| human_bytes(n.saturating_mul(4)))
}
