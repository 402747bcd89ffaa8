//! What a network means, found without the canonical form and without the digest: two specs whose digests agree must agree here.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use mtlc::check::Checked;
use mtlc::experiment::train_args;
use mtlc::plan::{Kind, Plan};

/// Per unit of the network what it computes, unfolded down to the inputs, and which tasks use it; per task what it is; and how
/// it is trained. Independent of names of copies, of the order of lines and of what no task reaches.
pub fn meaning(checked: &Checked, plan: &Plan) -> Vec<String> {
    let spec = &checked.spec;
    let mut computed: BTreeMap<usize, u64> = BTreeMap::new();
    for (input, value) in &plan.inputs {
        computed.insert(*value, hash(&spec.inputs[*input].name));
    }
    let mut by_output = BTreeMap::new();
    for (i, step) in plan.steps.iter().enumerate() {
        let mut inputs: Vec<u64> = step.inputs.iter().map(|v| computed[v]).collect();
        let what = match &step.kind {
            Kind::Op(op) => {
                if op.name() == "mix" {
                    mix_order(&format!("{op:?}"), &mut inputs);
                }
                format!("{op:?}")
            }
            Kind::Select(choice) | Kind::Blend(choice) => format!("choice {choice}"),
            Kind::Route(r) => format!("route {} {:?}", r.choice, r.whole),
        };
        computed.insert(step.output, hash(&(what, inputs)));
        by_output.insert(step.output, i);
    }
    let mut tasks_of: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
    for output in &plan.outputs {
        let mut stack = output.heads.clone();
        while let Some(value) = stack.pop() {
            if tasks_of.entry(value).or_default().insert(output.task)
                && let Some(step) = by_output.get(&value)
            {
                stack.extend(&plan.steps[*step].inputs);
            }
        }
    }
    let mut out: Vec<String> =
        tasks_of.iter().map(|(value, tasks)| format!("{:016x} for {tasks:?}", computed[value])).collect();
    out.sort();
    for output in &plan.outputs {
        let heads: Vec<u64> = output.heads.iter().map(|h| computed[h]).collect();
        out.push(format!("task {} gives {heads:?}", output.task));
    }
    out.extend(beside(checked));
    out
}

/// Tasks, inputs, data and training: everything but the network.
pub fn beside(checked: &Checked) -> Vec<String> {
    let spec = &checked.spec;
    let mut out = Vec::new();
    for t in &spec.tasks {
        let label = t.label.as_ref().map(|l| (&spec.data[l.data.0].name, &l.label.terms));
        let mask = t.mask.as_ref().map(|l| (&spec.data[l.data.0].name, &l.label.terms));
        let text = format!(
            "{} {:?} {label:?} {mask:?} {:?} {} {:?} {:?} {:?}",
            t.name, t.kind, t.reading, t.loss.name, t.loss.args, t.metrics, t.weight
        );
        out.push(plain(&text));
    }
    let mut unordered = Vec::new();
    for i in &spec.inputs {
        let columns: Vec<_> = i.from.iter().chain(&i.also).map(|c| (&spec.data[c.data.0].name, &c.names)).collect();
        let ty = match &i.ty {
            mtlc::ops::TensorType::Fields(_) => "fields".to_string(),
            dense => dense.to_string(),
        };
        let args: Vec<String> = ["scale", "normalize"].iter().map(|a| plain(&format!("{:?}", i.args.get(a)))).collect();
        unordered.push(format!("{} {ty} {columns:?} {args:?}", i.name));
    }
    for d in &spec.data {
        let args: Vec<String> = d
            .args
            .iter()
            .filter(|(_, v)| !format!("{:?}", v.value).contains("Path("))
            .map(|(k, v)| plain(&format!("{k} {:?}", v.value)))
            .collect();
        let schema = d.schema.as_ref().map(|s| (&s.format, &s.missing, &s.rows, &s.columns));
        unordered.push(format!("{} {:?} {args:?} {schema:?}", d.name, d.format));
    }
    unordered.sort();
    out.extend(unordered);
    // A program without `train` is trained by its defaults.
    out.extend(train_args(checked).iter().map(|(k, v)| plain(&format!("train {k} {:?}", v.value))));
    out
}

fn hash(of: &impl Hash) -> u64 {
    let mut h = DefaultHasher::new();
    of.hash(&mut h);
    h.finish()
}

/// The members of a mix have no order; a query stands before them.
fn mix_order(op: &str, inputs: &mut [u64]) {
    let query = usize::from(
        op.contains("Softmax") || op.contains("Sigmoid") || op.contains("softmax") || op.contains("sigmoid"),
    );
    inputs[query..].sort_unstable();
}

/// A `Debug` text without places and without what was written or left to its default; -0 is 0.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = ["Span {", "given: ["].iter().filter_map(|w| rest.find(w)).min() {
        out.push_str(&rest[..at]);
        let close = if rest[at..].starts_with("Span") { '}' } else { ']' };
        rest = rest[at..].find(close).map_or("", |n| &rest[at + n + 1..]);
    }
    out.push_str(rest);
    out.replace("-0.0", "0.0")
}
