//! What `mtlc check` says of a spec that is clean: tasks, stages, space, costs, and what is still open.

use super::graph::drawing::{CostRow, Drawing, NodeKind};
use super::graph::{self, GraphFormat, GraphOptions, View, drawing};
use super::table::{Align, Column, SHARED, Table, count_or_open, human_bytes, pad, shared};
use crate::check::Checked;
use crate::screen::{paint, visible};

/// Tasks whose costs are listed.
const MOST_TASKS: usize = 8;

/// A few lines on a checked spec. `color`: ANSI.
pub fn spec_summary(checked: &Checked, color: bool) -> String {
    let spec = &checked.spec;
    let bold = |text: &str| paint(text, "1", color);
    let mut facts: Vec<(&str, String)> = Vec::new();
    facts.push(("tasks", tasks(checked)));
    if let Some(b) = &spec.backbone {
        let names: Vec<&str> = b.stages.iter().map(|s| s.name.as_str()).collect();
        facts.push(("backbone", format!("{}, {}: {}", b.name, plural(names.len(), "stage"), few(&names, 8))));
    }
    let mut costs: Vec<CostRow> = Vec::new();
    if View::Space.is_in(checked) {
        let d = drawing(checked, View::Space);
        let copies: Vec<String> = d.levels.iter().map(|l| l.copies.to_string()).collect();
        let (heads, levels) = copies.split_last().expect("a level of heads");
        let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
        facts.push(("space", format!("{}: copies {}; {heads} heads", d.name, few(&levels, 16))));
        if let Some(size) = &d.size {
            facts.push(("size", format!("{}, {}", plural(size.choices, "choice"), size.words())));
        }
        costs = d.costs.rows;
    }
    for s in &spec.searches {
        facts.push(("search", s.strategy.call.name.to_string()));
    }
    let mut paths = None;
    if View::Topology.is_in(checked) {
        let d = drawing(checked, View::Topology);
        let copies = d.nodes.iter().filter(|n| n.kind == NodeKind::Stage).count();
        let words = format!("{} of {}", plural(copies, "copy"), plural(d.levels.len() - 1, "stage"));
        facts.push(("topology", words));
        // The topology first; all shared and independent once.
        costs.splice(1.min(costs.len()).., d.costs.rows.clone());
        paths = Some(d);
    } else if costs.is_empty() {
        let d = drawing(checked, View::Spec);
        costs = d.costs.rows.clone();
        paths = Some(d);
    }
    let open = open(checked);
    if !open.is_empty() {
        facts.push(("open", format!("{}: known when the data schema is frozen", open.join(", "))));
    }
    let width = facts.iter().map(|(n, _)| n.len()).max().unwrap_or(0);
    let mut out = String::new();
    for (name, text) in facts {
        out.push_str(&format!("{}  {}\n", bold(&pad(name, width, Align::Left)), visible(&text, false)));
    }
    out.push('\n');
    out.push_str(&cost_table(&costs).terminal(color));
    if let Some(d) = paths {
        out.push('\n');
        out.push_str(&path_table(&d).terminal(color));
        if d.tasks.len() > MOST_TASKS {
            out.push_str(&format!("… {} more tasks\n", d.tasks.len() - MOST_TASKS));
        }
    }
    out
}

/// The summary as JSON: the output of `mtlc graph --format json` for each view of the spec.
pub fn spec_json(checked: &Checked) -> serde_json::Value {
    let views = [View::Spec, View::Space, View::Topology].into_iter().filter(|v| v.is_in(checked));
    let all = views.map(|v| {
        let text = graph::draw(checked, Some(v), GraphFormat::Json, GraphOptions { color: false, width: 100 });
        (v.name().to_string(), serde_json::from_str(&text).expect("a drawing is JSON"))
    });
    serde_json::Value::Object(all.collect())
}

/// `40 tasks: 40 binary`, with their number by kind.
fn tasks(checked: &Checked) -> String {
    let tasks = &checked.spec.tasks;
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for t in tasks {
        match kinds.iter_mut().find(|(k, _)| *k == t.kind.name()) {
            Some((_, n)) => *n += 1,
            None => kinds.push((t.kind.name(), 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(k, n)| format!("{n} {k}")).collect();
    format!("{}: {}", plural(tasks.len(), "task"), kinds.join(", "))
}

fn plural(n: usize, word: &str) -> String {
    match (n, word.strip_suffix('y')) {
        (1, _) => format!("1 {word}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        _ => format!("{n} {word}s"),
    }
}

fn few(names: &[&str], most: usize) -> String {
    match names.len().checked_sub(most) {
        Some(rest) if rest > 0 => format!("{}, … {rest} more", names[..most].join(", ")),
        _ => names.join(", "),
    }
}

fn open(checked: &Checked) -> Vec<String> {
    if !checked.open {
        return Vec::new();
    }
    let spec = &checked.spec;
    let inputs = spec.inputs.iter().filter(|i| i.ty.sizes().is_none()).map(|i| format!("the columns of `{}`", i.name));
    let families = spec.families.iter().filter(|f| f.open).map(|f| format!("the members of the family `{}`", f.name));
    let classes = spec
        .tasks
        .iter()
        .filter(|t| t.kind.outputs().is_none())
        .map(|t| format!("the number of classes of `{}`", t.name));
    inputs.chain(families).chain(classes).collect()
}

fn cost_table(rows: &[CostRow]) -> Table {
    let mut table = Table::new([
        Column::left("network"),
        Column::right("params"),
        Column::right("MACs"),
        Column::right("activations"),
        Column::right(SHARED[0]),
        Column::right(SHARED[1]),
        Column::right("of independent"),
    ]);
    for r in rows {
        let [params, macs] = r.shared.as_ref().map_or_else(Default::default, shared);
        table.row([
            r.name.to_string(),
            count_or_open(r.total.params),
            count_or_open(r.total.macs),
            memory(r.total.activations),
            params,
            macs,
            r.of_independent.map_or(String::new(), |x| format!("{x:.2} ×")),
        ]);
    }
    table
}

fn path_table(d: &Drawing) -> Table {
    let mut table = Table::new([
        Column::left("task's path"),
        Column::left("kind"),
        Column::right("params"),
        Column::right("MACs"),
        Column::right("activations"),
    ]);
    for t in d.tasks.iter().take(MOST_TASKS) {
        let cost = |f: fn(&crate::check::Cost) -> Option<u64>| t.path.as_ref().and_then(f);
        table.row([
            t.name.clone(),
            t.kind.to_string(),
            count_or_open(cost(|c| c.params)),
            count_or_open(cost(|c| c.macs)),
            memory(cost(|c| c.activations)),
        ]);
    }
    table
}

fn memory(values: Option<u64>) -> String {
    values.map_or_else(|| "open".to_string(), |n| human_bytes(n.saturating_mul(4)))
}
