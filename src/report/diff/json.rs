//! A comparison as JSON.

use serde_json::{Value, json};

use super::{Change, Diff, How, Other, Shown};
use crate::check::NetworkCost;

pub fn value(d: &Diff) -> Value {
    let ratio = |f: fn(&NetworkCost) -> Option<u64>| match (f(&d.costs[0]), f(&d.costs[1])) {
        (Some(a), Some(b)) if a > 0 => Some(b as f64 / a as f64),
        _ => None,
    };
    let cost = |c: &NetworkCost| json!({ "params": c.total.params, "macs": c.total.macs, "shared": c.shared });
    json!({
        "version": 1,
        "a": d.names[0],
        "b": d.names[1],
        "same": d.same,
        "same_topology": d.same_topology,
        "tasks": { "common": d.tasks, "only_a": d.only_tasks[0], "only_b": d.only_tasks[1] },
        "only_stages": { "a": d.only_stages[0], "b": d.only_stages[1] },
        "similarity": { "measure": "adjusted Rand index, mean over stages", "value": d.similarity.map(six_digits) },
        "stages": d.stages.iter().map(|s| json!({
            "stage": s.name,
            "copies": { "a": s.copies[0], "b": s.copies[1] },
            "adjusted_rand": six_digits(s.similarity),
            "groups": { "a": s.groups[0], "b": s.groups[1] },
        })).collect::<Vec<_>>(),
        "partings": d.partings.iter().map(|p| json!({
            "parted_in": if p.in_b { "b" } else { "a" },
            "from": p.stage,
            "groups": p.groups,
            "other_parts_from": match &p.other {
                Other::Never => Value::Null,
                Other::From(s) => json!(s),
                Other::Various => json!("various"),
            },
        })).collect::<Vec<_>>(),
        "lines": { "only_a": d.lines[0], "only_b": d.lines[1] },
        "differences": d.sections.iter().map(|s| json!({
            "section": s.name,
            "items": s.items.iter().map(|i| match &i.how {
                How::OnlyA => json!({ "names": i.names, "only_in": "a" }),
                How::OnlyB => json!({ "names": i.names, "only_in": "b" }),
                How::Changed(c) => json!({ "names": i.names, "changes": c.iter().map(change).collect::<Vec<_>>() }),
            }).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "size": {
            "a": cost(&d.costs[0]),
            "b": cost(&d.costs[1]),
            "b_over_a": { "params": ratio(|c| c.total.params), "macs": ratio(|c| c.total.macs) },
        },
    })
}

/// The last bits of a quotient are no news.
fn six_digits(v: f64) -> f64 {
    (v * 1e6).round() / 1e6
}

fn change(c: &Change) -> Value {
    let side = |s: &Option<Shown>| s.as_ref().map(|s| json!({ "value": s.text, "default": s.default }));
    json!({ "what": c.what, "a": side(&c.was), "b": side(&c.now) })
}
