//! What was found out about stages, heads and ops, in words: types, costs, the receptive field.

use super::Analysis;
use crate::check::{Cost, Typed};
use crate::hir::{Body, Flow, FlowNode};
use crate::schema::Args;
use crate::source::Span;

/// 950, 12.3k, 8.83M, 1.21G
pub fn amount(n: u64) -> String {
    let v = n as f64;
    match n {
        0..1_000 => n.to_string(),
        1_000..1_000_000 => format!("{:.1}k", v / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", v / 1e6),
        _ => format!("{:.2}G", v / 1e9),
    }
}

pub fn amount_or_open(n: Option<u64>) -> String {
    n.map_or_else(|| "open until the data schema is frozen".to_string(), amount)
}

/// The stages of the network whose name stands at a place; several for a repetition.
pub fn stages_named_at(analysis: &Analysis, span: Span) -> Vec<usize> {
    let stages = analysis.spec().backbone.iter().flat_map(|b| b.stages.iter().enumerate());
    stages.filter(|(_, s)| s.span == span).map(|(i, _)| i).collect()
}

/// Lines of markdown about a stage.
pub fn stage(analysis: &Analysis, index: usize) -> Option<String> {
    let typed = analysis.stage(index)?;
    let backbone = analysis.spec().backbone.as_ref()?;
    let mut out = lines(&typed.ty.to_string(), typed.cost);
    let reads: Vec<String> = backbone.stages[index].reads.iter().map(|r| read(analysis, *r)).collect();
    if !reads.is_empty() {
        out += &format!("- reads {}\n", reads.join(", "));
    }
    if let Some(field) = receptive_field(analysis, index) {
        out += &format!("- receptive field {field}\n");
    }
    Some(out)
}

fn read(analysis: &Analysis, read: crate::hir::Read) -> String {
    use crate::hir::Read;
    let spec = analysis.spec();
    match read {
        Read::Input(i) => format!("`{}`: `{}`", spec.inputs[i.0].name, spec.inputs[i.0].ty),
        Read::Stage(s) => {
            let name = spec.backbone.as_ref().map_or("", |b| b.stages[s.0].name.as_str());
            match analysis.stage(s.0) {
                Some(t) => format!("`{name}`: `{}`", t.ty),
                None => format!("`{name}`"),
            }
        }
    }
}

/// Type and cost of one copy.
pub fn lines(ty: &str, cost: Cost) -> String {
    format!(
        "- gives `{ty}`\n- {} parameters, {} MACs per sample\n",
        amount_or_open(cost.params),
        amount_or_open(cost.macs)
    )
}

/// What the link of a chain gives, and what it costs, where its text stands at `span`. Blocks count as one link.
pub fn link(analysis: &Analysis, span: Span) -> Option<String> {
    let spec = analysis.spec();
    let stages = spec.backbone.iter().flat_map(|b| b.stages.iter().enumerate());
    let of_stages = stages.map(|(i, s)| (&s.body, analysis.stage(i)));
    let of_heads = spec.tasks.iter().enumerate().filter_map(|(t, task)| {
        let head = spec.heads.get(task.head?.0)?;
        Some((&head.body, analysis.head(t)))
    });
    for (body, typed) in of_stages.chain(of_heads) {
        let Some(typed) = typed else { continue };
        let inside = |n: &FlowNode| holds(n.site, span) || holds(n.span, span);
        let direct: Vec<usize> = (0..body.nodes.len()).filter(|i| inside(&body.nodes[*i])).collect();
        if let Some(found) = of_nodes(typed, &direct) {
            return Some(found);
        }
    }
    None
}

fn holds(outer: Span, inner: Span) -> bool {
    outer.file == inner.file && outer.start <= inner.start && inner.end <= outer.end
}

fn of_nodes(typed: &Typed, nodes: &[usize]) -> Option<String> {
    let mut cost = Cost::default();
    let mut last = None;
    for op in typed.ops.iter().filter(|o| nodes.contains(&o.written)) {
        cost.add_op(&*op.op);
        last = Some(op.op.output());
    }
    Some(lines(&last?.to_string(), cost))
}

/// How far values stand apart, and how many of the input each sees, along one side.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Field {
    size: f64,
    jump: f64,
    /// Flattened or averaged: it sees everything.
    whole: bool,
}

/// `35 x 35`, `everything`; `None` where a value is no image.
pub fn receptive_field(analysis: &Analysis, index: usize) -> Option<String> {
    let spec = analysis.spec();
    let backbone = spec.backbone.as_ref()?;
    let mut fields: Vec<Option<Field>> = Vec::new();
    for stage in backbone.stages.iter().take(index + 1) {
        let sources: Vec<Option<Field>> = stage
            .reads
            .iter()
            .map(|r| match r {
                crate::hir::Read::Input(i) => match &spec.inputs[i.0].ty {
                    t if t.to_string().matches(',').count() == 2 => Some(Field { size: 1.0, jump: 1.0, whole: false }),
                    _ => None,
                },
                crate::hir::Read::Stage(s) => fields.get(s.0).copied().flatten(),
            })
            .collect();
        fields.push(through(&stage.body, &sources));
    }
    let field = fields.pop()??;
    Some(if field.whole { "everything".to_string() } else { format!("{0} x {0}", field.size.round()) })
}

fn through(body: &Body, sources: &[Option<Field>]) -> Option<Field> {
    let mut nodes: Vec<Option<Field>> = Vec::new();
    for node in &body.nodes {
        let inputs: Option<Vec<Field>> = node
            .inputs
            .iter()
            .map(|f| match f {
                Flow::Source(i) => sources.get(*i).copied().flatten(),
                Flow::Node(i) => nodes.get(*i).copied().flatten(),
            })
            .collect();
        nodes.push(inputs.and_then(|i| op(node.op.call.name, &node.args, &i)));
    }
    match body.out {
        Flow::Source(i) => sources.get(i).copied().flatten(),
        Flow::Node(i) => nodes.get(i).copied().flatten(),
    }
}

fn op(name: &str, args: &Args, inputs: &[Field]) -> Option<Field> {
    let number = |key: &str, absent: f64| match args.get(key) {
        Some(crate::schema::Value::Int(v)) => *v as f64,
        _ => absent,
    };
    let widest = inputs.iter().copied().reduce(|a, b| Field {
        size: a.size.max(b.size),
        jump: a.jump.max(b.jump),
        whole: a.whole || b.whole,
    })?;
    Some(match name {
        "conv" | "max_pool" | "avg_pool" => {
            let kernel = number("kernel", number("size", 1.0));
            // A pool steps by its window unless told otherwise.
            let stride = number("stride", if name == "conv" { 1.0 } else { kernel });
            let reach = (kernel - 1.0) * number("dilation", 1.0);
            Field { size: widest.size + reach * widest.jump, jump: widest.jump * stride, ..widest }
        }
        "match" => Field { jump: widest.jump * number("stride", 1.0), ..widest },
        "upsample" => Field { jump: widest.jump / number("factor", 1.0).max(1.0), ..widest },
        "flatten" | "global_avg_pool" => Field { whole: true, ..widest },
        _ => widest,
    })
}
