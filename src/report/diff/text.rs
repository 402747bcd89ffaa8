//! A comparison in words.

use super::{Change, Diff, How, Item, Other, Parting, Section, Shown, StageGroups};
use crate::report::table::{Column, SHARED, Table, count_or_open, shared};
use crate::screen::{paint, visible};

/// Tasks that are named one by one; of more the first ones and a number.
const MOST_NAMES: usize = 6;
/// Groups that are written out; of more their number.
const MOST_GROUPS: usize = 5;
/// Common tasks up to which the table of stages names them.
const MOST_TASKS: usize = 8;
/// Partings and changes that are written; the JSON has all.
const MOST_LINES: usize = 12;

struct Text {
    out: String,
    color: bool,
    width: usize,
}

pub fn write(d: &Diff, color: bool, width: usize) -> String {
    let mut t = Text { out: String::new(), color, width: width.max(40) };
    for (letter, name) in ["A", "B"].iter().zip(&d.names) {
        t.line(&format!("{}  {name}", t.bold(letter)));
    }
    t.blank();
    if d.same {
        t.line("A and B mean the same: topology, stages, heads, inputs, tasks, data and training.");
        return t.out;
    }
    t.topology(d);
    for s in &d.sections {
        t.blank();
        t.line(&t.bold(s.name));
        t.section(s);
    }
    t.blank();
    t.sizes(d);
    t.out
}

/// The changes of one section, indented, for others to show.
pub fn section_text(section: &Section, color: bool, width: usize) -> String {
    let mut t = Text { out: String::new(), color, width: width.max(40) };
    t.section(section);
    t.out
}

impl Text {
    fn bold(&self, text: &str) -> String {
        paint(text, "1", self.color)
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(&visible(text.trim_end(), false));
        self.out.push('\n');
    }

    /// Words in lines of the width, all but the first further in.
    fn wrapped(&mut self, indent: usize, text: &str) {
        let mut line = " ".repeat(indent);
        let mut empty = true;
        for word in text.split(' ') {
            let cells = unicode_width::UnicodeWidthStr::width(line.as_str());
            if !empty && cells + 1 + unicode_width::UnicodeWidthStr::width(word) > self.width {
                self.line(&line);
                line = " ".repeat(indent + 2);
                empty = true;
            }
            if !empty {
                line.push(' ');
            }
            line.push_str(word);
            empty = false;
        }
        self.line(&line);
    }

    fn topology(&mut self, d: &Diff) {
        let head = self.bold("topology");
        let differ = d.stages.iter().filter(|s| s.similarity < 1.0 || s.groups[0] != s.groups[1]).count();
        let of = match d.stages.len() {
            1 => "the one stage that both have groups".to_string(),
            n => format!("{differ} of {n} stages {}", if differ == 1 { "groups" } else { "group" }),
        };
        let similarity = d.similarity.map(|s| format!("; similarity {}", two_digits(s))).unwrap_or_default();
        match d.same_topology {
            Some(true) => self.line(&format!("{head}: the same, up to names of copies")),
            Some(false) if differ == 0 => {
                self.line(&format!("{head}: the tasks group alike, and read their copies otherwise"))
            }
            None if differ == 0 && !d.stages.is_empty() => {
                self.line(&format!("{head}: the common tasks group alike at the common stages"));
            }
            _ if d.stages.is_empty() => self.line(&format!("{head}: no stage is in both")),
            _ if d.tasks == 0 => self.line(&format!("{head}: no task is in both")),
            _ => self.line(&format!("{head}: {of} the tasks otherwise{similarity}")),
        }
        for (what, only) in [("task", &d.only_tasks), ("stage", &d.only_stages)] {
            for (letter, names) in ["A", "B"].iter().zip(only) {
                if !names.is_empty() {
                    let plural = if names.len() == 1 { "" } else { "s" };
                    self.wrapped(2, &format!("only in {letter}: {what}{plural} {}", listed(names)));
                }
            }
        }
        if d.same_topology == Some(true) {
            return;
        }
        if !d.stages.is_empty() && d.tasks > 0 {
            self.blank();
            self.stages(d);
        }
        if !d.partings.is_empty() {
            self.blank();
            for p in d.partings.iter().take(MOST_LINES) {
                self.wrapped(2, &parting(p));
            }
            self.more(d.partings.len(), MOST_LINES);
        }
        for (sign, lines) in ["-", "+"].iter().zip(&d.lines) {
            for l in lines.iter().take(MOST_LINES) {
                self.wrapped(2, &format!("{sign} {l}"));
            }
            self.more(lines.len(), MOST_LINES);
        }
    }

    fn more(&mut self, all: usize, shown: usize) {
        if all > shown {
            self.line(&format!("  … {} more; `--json` has all", all - shown));
        }
    }

    fn stages(&mut self, d: &Diff) {
        let mut table = Table::new([
            Column::left("stage"),
            Column::right("copies"),
            Column::right("similarity"),
            Column::left(if d.tasks <= MOST_TASKS { "tasks by copy" } else { "tasks per copy" }),
        ]);
        for s in &d.stages {
            let copies = arrow(s.copies[0].to_string(), s.copies[1].to_string());
            let [a, b] = [0, 1].map(|side| groups(s, side, d.tasks));
            let same = s.groups[0] == s.groups[1];
            let first = if same { a } else { format!("A  {a}") };
            table.row([s.name.clone(), copies, two_digits(s.similarity), first]);
            if !same {
                table.row([String::new(), String::new(), String::new(), format!("B  {b}")]);
            }
        }
        for line in table.terminal(self.color).lines() {
            self.line(&format!("  {line}"));
        }
    }

    fn section(&mut self, section: &Section) {
        for item in &section.items {
            let indent = if item.names.is_empty() { 2 } else { 4 };
            match &item.how {
                How::OnlyA => self.wrapped(2, &format!("{}: only in A", listed(&item.names))),
                How::OnlyB => self.wrapped(2, &format!("{}: only in B", listed(&item.names))),
                How::Changed(changes) => self.changes(item, changes, indent),
            }
        }
    }

    fn changes(&mut self, item: &Item, changes: &[Change], indent: usize) {
        let texts: Vec<(String, String)> = changes.iter().map(|c| (c.what.clone(), was_now(c))).collect();
        // One change of one thing fits on its line.
        if let ([(what, text)], false) = (texts.as_slice(), item.names.is_empty()) {
            self.wrapped(2, &format!("{}: {what} {text}", listed(&item.names)));
            return;
        }
        if !item.names.is_empty() {
            self.wrapped(2, &format!("{}:", listed(&item.names)));
        }
        for (what, text) in texts.iter().take(MOST_LINES) {
            self.wrapped(indent, &format!("{what} {text}"));
        }
        self.more(texts.len(), MOST_LINES);
    }

    fn sizes(&mut self, d: &Diff) {
        let mut table =
            Table::new([Column::left("size"), Column::right("A"), Column::right("B"), Column::right("B / A")]);
        let ratio = |x: Option<u64>, y: Option<u64>| match (x, y) {
            (Some(x), Some(y)) if x > 0 => format!("{:.3}", y as f64 / x as f64),
            _ => String::new(),
        };
        let params = d.costs.each_ref().map(|c| c.total.params);
        let macs = d.costs.each_ref().map(|c| c.total.macs);
        for (name, [a, b]) in [("params", params), ("MACs per sample", macs)] {
            table.row([name.to_string(), count_or_open(a), count_or_open(b), ratio(a, b)]);
        }
        let [a, b] = d.costs.each_ref().map(|c| shared(&c.shared));
        for ((name, a), b) in SHARED.into_iter().zip(a).zip(b) {
            table.row([name.to_string(), a, b, String::new()]);
        }
        let text = table.terminal(self.color);
        self.out.push_str(&text);
    }
}

/// Without a sign before 0.
fn two_digits(v: f64) -> String {
    let text = format!("{v:.2}");
    if text == "-0.00" { "0.00".into() } else { text }
}

/// "2 -> 3", or "2" where both are.
fn arrow(a: String, b: String) -> String {
    if a == b { a } else { format!("{a} -> {b}") }
}

fn groups(s: &StageGroups, side: usize, tasks: usize) -> String {
    let groups = &s.groups[side];
    match groups.as_slice() {
        [_] if tasks > 1 => "all together".into(),
        _ if groups.len() == tasks && tasks > 1 => "each its own".into(),
        _ if tasks <= MOST_TASKS => groups.iter().map(|g| g.join(", ")).collect::<Vec<_>>().join(" | "),
        _ => groups.iter().map(|g| g.len().to_string()).collect::<Vec<_>>().join(" + "),
    }
}

/// "`a`, `b` and `c`"; of many the first ones.
fn listed(names: &[String]) -> String {
    let quoted = |n: &String| format!("`{n}`");
    match names {
        [] => String::new(),
        [one] => quoted(one),
        _ if names.len() <= MOST_NAMES => {
            let (last, first) = names.split_last().expect("there are two");
            format!("{} and {}", first.iter().map(quoted).collect::<Vec<_>>().join(", "), quoted(last))
        }
        _ => {
            let first: Vec<String> = names[..MOST_NAMES - 1].iter().map(quoted).collect();
            format!("{} and {} more", first.join(", "), names.len() + 1 - MOST_NAMES)
        }
    }
}

/// "From `c2` on, `left` and `right` part in B; in A they share `c2`, and part from `c3` on."
fn parting(p: &Parting) -> String {
    let (here, there) = if p.in_b { ("B", "A") } else { ("A", "B") };
    let all: usize = p.groups.iter().map(Vec::len).sum();
    let who = match p.groups.as_slice() {
        [a, b] if a.len() == 1 && b.len() == 1 => format!("`{}` and `{}` part in {here}", a[0], b[0]),
        [a, b] if b.len() == 1 => format!("`{}` parts from {} in {here}", b[0], listed(a)),
        [a, b] if a.len() == 1 => format!("`{}` parts from {} in {here}", a[0], listed(b)),
        [a, b] => format!("{} part from {} in {here}", listed(a), listed(b)),
        many if many.len() == all => format!("{} part in {here}", listed(&many.concat())),
        many if many.len() <= MOST_GROUPS => {
            let groups: Vec<String> = many.iter().map(|g| listed(g)).collect();
            format!("{all} tasks part in {here} into {} groups: {}", many.len(), groups.join(" | "))
        }
        many => format!("{all} tasks, {} among them, part in {here} into {} groups", listed(&many[0][..1]), many.len()),
    };
    let other = match &p.other {
        Other::Never => format!("in {there} they share every stage"),
        Other::From(s) => format!("in {there} they part from `{s}` on"),
        Other::Various => format!("in {there} they share `{}`, and part later or never", p.stage),
    };
    format!("From `{}` on, {who}; {other}.", p.stage)
}

/// "64 -> 128", "0.001 (default) -> 0.01", "absent -> 1".
fn was_now(c: &Change) -> String {
    let side = |s: &Option<Shown>| match s {
        None => "absent".to_string(),
        Some(s) if s.default => format!("{} (default)", s.text),
        Some(s) => s.text.clone(),
    };
    format!("{} -> {}", side(&c.was), side(&c.now))
}
