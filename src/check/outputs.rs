//! Whether the outputs of a head are what its loss expects: `bce` and `cross_entropy` take logits, or probabilities with
//! `from = probabilities`.

use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Body, Flow, FlowNode, Gate, Head, Read, Reads, Spec, Task};
use crate::objective::from_probabilities;
use crate::schema::Args;

/// What is known about the range of a value, from the ops that computed it.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub range: Range,
    /// The activation that bounds the value.
    pub by: Option<&'a FlowNode>,
    /// The op that computed the value.
    pub last: Option<&'a FlowNode>,
    /// Whether training may scale the value beyond its range (`dropout`).
    stretched: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Range {
    Any,
    /// 0 or above.
    Positive,
    /// From 0 to 1.
    Unit,
    /// From 0 to 1, with a sum of 1.
    Simplex,
}

const UNKNOWN: Known<'static> = Known { range: Range::Any, by: None, last: None, stretched: false };

pub fn outputs(spec: &Spec, diags: &mut Diagnostics) {
    let mut seen = Vec::new();
    for task in &spec.tasks {
        let squashes = match task.loss.name {
            "bce" => "sigmoid",
            "cross_entropy" => "softmax",
            _ => continue,
        };
        let Some(head) = task.head.map(|h| &spec.heads[h.0]) else { continue };
        if spec.reads_unknown(&head.reads) {
            continue;
        }
        let known = of_head(spec, head);
        let found = match from_probabilities(&task.loss) {
            true => not_probable(task, head, &known, squashes),
            false => squashed(task, &known, squashes),
        };
        // A head of several tasks is reported once.
        if let Some(d) = found
            && !seen.contains(&(task.head, task.loss.name))
        {
            seen.push((task.head, task.loss.name));
            diags.push(d);
        }
    }
}

/// The error for probabilities where the loss takes logits.
fn squashed(task: &Task, known: &Known, squashes: &str) -> Option<Diagnostic> {
    let by = known.by.filter(|_| known.range >= Range::Unit)?;
    let (name, loss, op) = (&task.name, task.loss.name, by.op.call.name);
    let message = format!(
        "the head of `{name}` yields the output of `{op}`, and the loss `{loss}` applies its own `{squashes}` to it"
    );
    let mut d = Diagnostic::new(codes::TASK_PROBABILITIES, by.site, message).label("numbers from 0 to 1 from here on");
    if let Some(last) = known.last.filter(|l| l.site != by.site && l.op.call.name == "mul") {
        d = d.also(last.site, "a product of such numbers is in this range, too");
    }
    d = d.also(task.loss_span.unwrap_or(task.span), format!("learned by `{loss}`, which takes logits"));
    let last = known.last.is_some_and(|l| l.site == by.site);
    let remove = if last { format!("end before it (remove `-> {op}`), or ") } else { String::new() };
    Some(d.help(format!("{remove}declare that these are probabilities: `loss = {loss}(from = probabilities)`")))
}

/// The error for values that are not known to be probabilities where the loss takes probabilities.
fn not_probable(task: &Task, head: &Head, known: &Known, squashes: &str) -> Option<Diagnostic> {
    let enough = if squashes == "softmax" { Range::Simplex } else { Range::Unit };
    if known.range >= enough && !known.stretched {
        return None;
    }
    let (name, loss) = (&task.name, task.loss.name);
    let numbers = if squashes == "softmax" { "probabilities that add up to 1" } else { "numbers from 0 to 1" };
    let at = known.last.map_or(head.span, |l| l.site);
    let why = match known.last {
        Some(l) => format!("the output of `{}` in its head may be other numbers", l.op.call.name),
        None => "its head may yield other numbers".to_string(),
    };
    Some(
        Diagnostic::new(codes::TASK_PROBABILITIES, at, format!("the loss of `{name}` takes {numbers}, but {why}"))
            .label("not known to be probabilities")
            .also(task.loss_span.unwrap_or(task.span), format!("`{loss}` of probabilities"))
            .help(format!("end the head in `{squashes}`, or let the loss take logits: `loss = {loss}`")),
    )
}

/// What is known about the outputs of a head.
pub fn of_head<'a>(spec: &'a Spec, head: &'a Head) -> Known<'a> {
    let stages = stages(spec);
    let reads = spec.space.as_ref().map(|s| &s.heads.reads);
    of_body(&head.body, &sources(&head.reads, reads, &stages))
}

/// What is known about the output of each stage, by stage index.
fn stages(spec: &Spec) -> Vec<Known<'_>> {
    let mut out: Vec<Known> = Vec::new();
    for (i, stage) in spec.backbone.iter().flat_map(|b| &b.stages).enumerate() {
        let level = spec.space.as_ref().and_then(|s| s.levels.get(i)).map(|l| &l.reads);
        let sources = sources(&stage.reads, level, &out);
        out.push(of_body(&stage.body, &sources));
    }
    out
}

fn sources<'a>(reads: &[Read], by: Option<&Reads>, stages: &[Known<'a>]) -> Vec<Known<'a>> {
    let sums = by.and_then(Reads::mix).is_some_and(|m| matches!(m.gate, Gate::Sum | Gate::Sigmoid));
    let one = |r: &Read| match r {
        Read::Stage(s) if !sums => stages.get(s.0).copied().unwrap_or(UNKNOWN),
        _ => UNKNOWN,
    };
    reads.iter().map(one).collect()
}

fn of_body<'a>(body: &'a Body, sources: &[Known<'a>]) -> Known<'a> {
    let mut values: Vec<Known> = Vec::with_capacity(body.nodes.len());
    let at = |f: &Flow, values: &[Known<'a>]| match f {
        Flow::Source(i) => sources.get(*i).copied().unwrap_or(UNKNOWN),
        Flow::Node(i) => values[*i],
    };
    for node in &body.nodes {
        let inputs: Vec<Known> = node.inputs.iter().map(|f| at(f, &values)).collect();
        values.push(Known { last: Some(node), ..of_op(node, &inputs) });
    }
    at(&body.out, &values)
}

fn of_op<'a>(node: &'a FlowNode, inputs: &[Known<'a>]) -> Known<'a> {
    let made = |range| Known { range, by: Some(node), last: None, stretched: false };
    let first = inputs.first().copied().unwrap_or(UNKNOWN);
    // The result has the widest range of the inputs, and at best the range `most`.
    let least = |most: Range| {
        let loosest = inputs.iter().min_by_key(|k| k.range).copied().unwrap_or(UNKNOWN);
        let stretched = inputs.iter().any(|k| k.stretched);
        Known { range: loosest.range.min(most), stretched, ..loosest }
    };
    match node.op.call.name {
        "sigmoid" => made(Range::Unit),
        "softmax" => made(Range::Simplex),
        "relu" if first.range < Range::Positive => made(Range::Positive),
        // These leave values of 0 or above unchanged.
        "relu" | "leaky_relu" | "elu" | "identity" => first,
        "dropout" => Known { stretched: true, ..first },
        "flatten" => first,
        "avg_pool" | "max_pool" | "global_avg_pool" | "upsample" | "concat" | "mul" => least(Range::Unit),
        "mean" => least(Range::Simplex),
        "mix" if averages(&node.args) => least(Range::Simplex),
        _ => UNKNOWN,
    }
}

fn averages(mix: &Args) -> bool {
    // The query counts as one of the inputs, which can only widen the range.
    ["mean", "softmax"].contains(&mix.str("gate"))
}
