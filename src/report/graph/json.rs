//! JSON for other tools. The schema is stable: keys are added, never changed; `format` names it.
//!
//! ```text
//! format    "mtlc-graph/1"
//! view      "spec" | "space" | "topology"
//! name, backbone
//! open      true while some size is open; such sizes are null
//! tasks     [{ name, kind, open, path: cost | null }]           path: cost of the task's path; null in a space
//! levels    [{ name, copies, output, each: cost, reads, choices }]   stages in order, then "heads"
//! layers    [{ name, nodes: [id] }]                             from the inputs to the tasks
//! nodes     [{ id, kind, label, output, cost, set, serves, count, tasks: [task], gate?, query? }]
//!           kind: "input" | "stage" | "mix" | "junction" | "tasks"; serves: number of tasks;
//!           set: index into sets, null: all tasks; count: copies, gates or tasks that it stands for; tasks: of a group, by index
//! edges     [{ from, to, kind }]     kind: "data" | "skip" | "member" | "query" | "candidate"
//! sets      [{ tasks: [task], parts: [set], fill, stroke }]     distinct sets of tasks that nodes serve
//! costs     [{ network, total: cost, params_per_task: [least, most] | null, shared: { params, macs } | null, of_all_shared, of_independent }]
//! size      { choices, labelled_log10, trees } | null           trees: a decimal string, null where they are not counted
//! cost      { params, macs, activations }                       per sample; activations count values
//! ```

use serde_json::{Value, json};

use super::color::hex;
use super::drawing::*;
use crate::check::Cost;

fn cost(c: &Cost) -> Value {
    json!({ "params": c.params, "macs": c.macs, "activations": c.activations })
}

pub fn write(d: &Drawing) -> String {
    let tasks: Vec<Value> = d
        .tasks
        .iter()
        .map(|t| json!({ "name": t.name, "kind": t.kind, "open": t.open, "path": t.path.as_ref().map(cost) }))
        .collect();
    let levels: Vec<Value> = d
        .levels
        .iter()
        .map(|l| {
            json!({
                "name": l.name, "copies": l.copies, "output": l.shape, "each": cost(&l.cost), "reads": l.reads, "choices": l.choices,
            })
        })
        .collect();
    let layers: Vec<Value> = d.layers.iter().map(|l| json!({ "name": l.name, "nodes": l.nodes })).collect();
    let nodes: Vec<Value> = d
        .nodes
        .iter()
        .enumerate()
        .map(|(i, n)| {
            let mut v = json!({
                "id": i, "kind": n.kind.word(), "label": n.label, "output": n.shape, "cost": cost(&n.cost), "set": n.set,
                "serves": n.serves, "count": n.count, "tasks": n.tasks,
            });
            if let NodeKind::Mix { gate, query } = &n.kind {
                v["gate"] = json!(gate);
                v["query"] = json!(query);
            }
            v
        })
        .collect();
    let edges: Vec<Value> =
        d.edges.iter().map(|e| json!({ "from": e.from, "to": e.to, "kind": e.kind.word() })).collect();
    let sets: Vec<Value> = d
        .sets
        .iter()
        .map(
            |s| json!({ "tasks": s.tasks, "parts": s.parts, "fill": hex(s.color.fill), "stroke": hex(s.color.stroke) }),
        )
        .collect();
    // Ratios to six digits: enough, and the same on every machine.
    let round = |x: Option<f64>| x.map(|x| (x * 1e6).round() / 1e6);
    let costs: Vec<Value> = d
        .costs
        .rows
        .iter()
        .map(|r| {
            json!({
                "network": r.name, "total": cost(&r.total), "params_per_task": r.per_task.map(|(a, b)| [a, b]),
                "shared": r.shared.map(|s| json!({ "params": round(s.params), "macs": round(s.macs) })), "of_all_shared": round(r.of_shared), "of_independent": round(r.of_independent),
            })
        })
        .collect();
    let size = d
        .size
        .as_ref()
        .map(|s| json!({ "choices": s.choices, "labelled_log10": round(Some(s.labelled_log10)), "trees": s.trees }));
    // One line for each element keeps files readable and diffs small.
    let sections: [(&str, Vec<Value>); 7] = [
        ("tasks", tasks),
        ("levels", levels),
        ("layers", layers),
        ("nodes", nodes),
        ("edges", edges),
        ("sets", sets),
        ("costs", costs),
    ];
    let mut out = format!(
        "{{\n  \"format\": \"mtlc-graph/1\",\n  \"view\": {},\n  \"name\": {},\n  \"backbone\": {},\n  \"open\": {},\n",
        json!(d.view.name()),
        json!(d.name),
        json!(d.backbone),
        d.open
    );
    for (name, list) in sections {
        let lines: Vec<String> = list.iter().map(|v| format!("\n    {v}")).collect();
        let end = if lines.is_empty() { "" } else { "\n  " };
        out.push_str(&format!("  \"{name}\": [{}{end}],\n", lines.join(",")));
    }
    out + &format!("  \"size\": {}\n}}\n", json!(size))
}
