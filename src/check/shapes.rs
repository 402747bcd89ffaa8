//! Shape inference with a symbolic batch: per stage and head once, since copies of a stage have one shape.

use super::{Cost, Typed, TypedOp};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Body, Flow, Read, Spec};
use crate::ops::input::bounded;
use crate::ops::{Dim, OpError, TensorType};
use crate::source::Span;

/// Types of all stages; `None` where something is reported, which silences its readers.
pub fn stages(spec: &Spec, diags: &mut Diagnostics) -> Vec<Option<Typed>> {
    let mut out: Vec<Option<Typed>> = Vec::new();
    let mut shrinks: Vec<Shrink> = Vec::new();
    for stage in spec.backbone.iter().flat_map(|b| &b.stages) {
        let known = (!stage.unknown).then(|| sources(spec, &stage.reads, &out)).flatten();
        let typed = known.and_then(|types| {
            let producers = producers(spec, &stage.reads);
            body(&stage.body, &types, &producers, &mut shrinks, diags)
        });
        out.push(typed);
    }
    out
}

fn sources(spec: &Spec, reads: &[Read], stages: &[Option<Typed>]) -> Option<Vec<TensorType>> {
    reads
        .iter()
        .map(|r| match r {
            Read::Input(i) => Some(spec.inputs[i.0].ty.clone()),
            Read::Stage(s) => stages[s.0].as_ref().map(|t| t.ty.clone()),
        })
        .collect()
}

/// Where each source was declared and what to call it, for secondary labels.
fn producers(spec: &Spec, reads: &[Read]) -> Vec<(Span, String)> {
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    reads
        .iter()
        .map(|r| match r {
            Read::Input(i) => (spec.inputs[i.0].ty_span, format!("the input `{}`", spec.inputs[i.0].name)),
            Read::Stage(s) => (stages[s.0].span, format!("the stage `{}`", stages[s.0].name)),
        })
        .collect()
}

/// An op that makes an image smaller, for messages that say where it became too small.
struct Shrink {
    span: Span,
    from: usize,
    to: usize,
}

fn body(
    body: &Body,
    sources: &[TensorType],
    producers: &[(Span, String)],
    shrinks: &mut Vec<Shrink>,
    diags: &mut Diagnostics,
) -> Option<Typed> {
    let mut ops: Vec<TypedOp> = Vec::new();
    // Type and value of each written node; a chain of no ops (`match` of equal shapes) is its input.
    // `None` after a mistake: the branches that do not read it are checked all the same.
    let mut values: Vec<Option<(Flow, TensorType)>> = Vec::new();
    let mut cost = Cost::default();
    for (written, node) in body.nodes.iter().enumerate() {
        let inputs: Option<Vec<(Flow, TensorType)>> = node
            .inputs
            .iter()
            .map(|f| match f {
                Flow::Source(i) => Some((Flow::Source(*i), sources[*i].clone())),
                Flow::Node(i) => values[*i].clone(),
            })
            .collect();
        let Some(inputs) = inputs else {
            values.push(None);
            continue;
        };
        let types: Vec<TensorType> = inputs.iter().map(|(_, t)| t.clone()).collect();
        let made = (node.op.make)(&node.args, &types)
            .and_then(|made| made.iter().try_for_each(|op| bounded(&**op)).map(|()| made));
        let made = match made {
            Ok(m) => m,
            Err(e) => {
                let worst =
                    shrinks.iter().max_by_key(|s| s.from / s.to.max(1)).filter(|s| e.empty && s.span != node.site);
                let mut d = mismatch(body, written, &types, producers, e);
                if let Some(s) = worst.filter(|s| !d.secondary.iter().any(|l| l.span == s.span)) {
                    d = d.also(s.span, format!("here the height goes from {} to {}", s.from, s.to));
                }
                diags.push(d);
                values.push(None);
                continue;
            }
        };
        let mut flows: Vec<Flow> = inputs.iter().map(|(f, _)| *f).collect();
        let mut ty = types[0].clone();
        for op in made {
            ty = op.output();
            cost.add_op(&*op);
            ops.push(TypedOp { op: op.into(), inputs: std::mem::take(&mut flows), written });
            flows = vec![Flow::Node(ops.len() - 1)];
        }
        let height = |t: &TensorType| t.sizes().filter(|s| s.len() == 3).map(|s| s[1]);
        if let (Some(from), Some(to)) = (height(&types[0]), height(&ty))
            && to < from
        {
            shrinks.push(Shrink { span: node.site, from, to });
        }
        values.push(Some((flows[0], ty)));
    }
    if values.iter().any(Option::is_none) {
        return None;
    }
    let (out, ty) = match body.out {
        Flow::Source(i) => (Flow::Source(i), sources.get(i)?.clone()),
        Flow::Node(i) => values[i].clone()?,
    };
    Some(Typed { ops, out, ty, cost })
}

fn mismatch(body: &Body, at: usize, types: &[TensorType], producers: &[(Span, String)], e: OpError) -> Diagnostic {
    let node = &body.nodes[at];
    let merge = types.len() > 1;
    let code = match (e.empty, merge) {
        (true, _) => codes::SHAPE_EMPTY,
        (_, true) => codes::SHAPE_MERGE,
        _ => codes::SHAPE_MISMATCH,
    };
    let inside = node.site != node.span;
    // A block of the library is used as it is, and its ops are a detail; one of this file may be what is wrong,
    // where what it was given comes from the block itself.
    let from_inside = |f: &Flow| matches!(f, Flow::Node(i) if body.nodes[*i].site == node.site);
    let own = inside && node.site.file == node.span.file && node.inputs.iter().all(from_inside);
    let place = if own { node.span } else { node.site };
    let mut d = Diagnostic::new(code, place, format!("`{}` {}", node.op.call.name, e.message));
    match (inside, merge) {
        (false, true) => {}
        (false, false) => d = d.label(format!("gets {}", types[0])),
        (true, true) if own => d = d.label("fails here").also(node.site, "in this block"),
        (true, false) if own => d = d.label(format!("gets {}", types[0])).also(node.site, "in this block"),
        (true, true) => d = d.label("this block").also(node.span, "fails here"),
        (true, false) => d = d.label("this block").also(node.span, format!("fails here: gets {}", types[0])),
    }
    for (input, ty) in node.inputs.iter().zip(types) {
        d = match input {
            Flow::Node(i) if body.nodes[*i].span != node.span => {
                let before = &body.nodes[*i];
                let (span, what) = match before.site == node.site {
                    true => (before.span, format!("`{}` yields {ty}", before.op.call.name)),
                    false if before.site == before.span => {
                        (before.site, format!("`{}` yields {ty}", before.op.call.name))
                    }
                    false => (before.site, format!("this block yields {ty}")),
                };
                d.also(span, what)
            }
            Flow::Source(i) => {
                let (span, what) = &producers[*i];
                d.also(*span, format!("{what} yields {ty}"))
            }
            _ => d,
        };
    }
    match e.help {
        Some(h) => d.help(h),
        None => d,
    }
}

/// Types of all heads, by task; tasks that share a head item and a source share the work.
pub fn heads(spec: &Spec, stages: &[Option<Typed>], diags: &mut Diagnostics) -> Vec<Option<Typed>> {
    let mut done: std::collections::HashMap<usize, Option<Typed>> = std::collections::HashMap::new();
    let mut out = Vec::new();
    let mut reported: Vec<usize> = Vec::new();
    for task in &spec.tasks {
        let Some(id) = task.head else {
            out.push(None);
            continue;
        };
        let head = &spec.heads[id.0];
        let typed = done
            .entry(id.0)
            .or_insert_with(|| {
                let types = sources(spec, &head.reads, stages)?;
                body(&head.body, &types, &producers(spec, &head.reads), &mut Vec::new(), diags)
            })
            .clone();
        if let Some(t) = &typed
            && !reported.contains(&id.0)
            && let Some(d) = wrong_output(task, head.span, &t.ty)
        {
            reported.push(id.0);
            let d = image_for_vector(spec, task, head, stages, t).unwrap_or(d);
            // One stage is one mistake, however many heads read it.
            if !d.primary.as_ref().is_some_and(|p| diags.has(d.code, p.span)) {
                diags.push(d);
            }
        }
        out.push(typed);
    }
    out
}

/// A stage that ends with an image, read by a head that only changes its last dimension: the vector is missing in the stage.
fn image_for_vector(
    spec: &Spec,
    task: &crate::hir::Task,
    head: &crate::hir::Head,
    stages: &[Option<Typed>],
    typed: &Typed,
) -> Option<Diagnostic> {
    let [Read::Stage(s)] = head.reads.as_slice() else { return None };
    let stage = spec.backbone.as_ref()?.stages.get(s.0)?;
    let ty = &stages.get(s.0)?.as_ref()?.ty;
    let image = |t: &TensorType| t.sizes().is_some_and(|s| s.len() == 3);
    if task.kind.is_dense() || !image(ty) || !image(&typed.ty) {
        return None;
    }
    let wanted = task.kind.outputs()?;
    Some(
        Diagnostic::new(
            codes::SHAPE_OUTPUT,
            stage.span,
            format!("the stage `{}` yields {ty}, an image, and its head reads a vector", stage.name),
        )
        .label("an image: no `flatten`, no `global_avg_pool`")
        .also(head.span, format!("so this head yields {}, and `{}` needs f32[{wanted}]", typed.ty, task.name))
        .help("make it a vector before its `linear`: `flatten -> linear(...)` or `global_avg_pool -> linear(...)`"),
    )
}

/// A head gives `[outputs]`, or `[outputs, h, w]` for dense tasks.
fn wrong_output(task: &crate::hir::Task, head: Span, ty: &TensorType) -> Option<Diagnostic> {
    let outputs = task.kind.outputs()?;
    let sizes: Vec<Dim> = match ty {
        TensorType::Dense(dims) => dims.clone(),
        TensorType::Fields(_) => ty.sizes()?.into_iter().map(Dim::Known).collect(),
    };
    let dense = task.kind.is_dense();
    // How many sizes there are is certain before the schema is frozen.
    let first = sizes.first().is_some_and(|d| d.known().is_none_or(|n| n == outputs));
    if first && sizes.len() == if dense { 3 } else { 1 } {
        return None;
    }
    let wanted = if dense { format!("f32[{outputs}, height, width]") } else { format!("f32[{outputs}]") };
    let help = match (dense, sizes.len()) {
        (false, 3) => {
            "flatten the image first: `global_avg_pool -> linear(outputs)` or `flatten -> linear(outputs)`".to_string()
        }
        (false, 2) => {
            "join the vectors of all columns first: `concat_fields -> linear(...)` or `flatten -> linear(...)`".to_string()
        }
        (false, _) => "end the head with `linear(outputs)`".to_string(),
        (true, 3) => "end the head with `conv(outputs, kernel = 1)`".to_string(),
        (true, _) => {
            "let the head read a stage that yields an image (`from = [STAGE]`), and end it with `conv(outputs, kernel = 1)`"
                .to_string()
        }
    };
    Some(
        Diagnostic::new(
            codes::SHAPE_OUTPUT,
            head,
            format!("this head yields {ty}, and the task `{}` needs {wanted}", task.name),
        )
        .label(format!("yields {ty}"))
        .also(task.kind_span, format!("`{}` needs {wanted}", task.kind.name()))
        .help(help),
    )
}

/// Reports once what stays open without a schema; true if anything does.
pub fn open(spec: &Spec, stages: &[Option<Typed>], heads: &[Option<Typed>], diags: &mut Diagnostics) -> bool {
    let unfrozen: Vec<&crate::hir::Data> = spec.data.iter().filter(|d| d.schema.is_none()).collect();
    let input = spec.inputs.iter().find(|i| i.ty.sizes().is_none());
    let family = spec.families.iter().find(|f| f.open);
    let task = spec.tasks.iter().find(|t| t.kind.outputs().is_none());
    let any = input.is_some()
        || family.is_some()
        || task.is_some()
        || stages.iter().flatten().any(|s| s.ty.sizes().is_none() || s.cost.params.is_none())
        || heads.iter().flatten().any(|h| h.cost.params.is_none());
    if !any || diags.has_errors() {
        return any;
    }
    let (span, what) = match (input, family, task) {
        (Some(i), ..) => (i.span, format!("the columns of `{}` and whatever depends on their number", i.name)),
        (_, Some(f), _) => (f.span, format!("the members of the family `{}`", f.name)),
        (_, _, Some(t)) => (t.span, format!("the number of classes of `{}`", t.name)),
        _ => return any,
    };
    let names = unfrozen.iter().map(|d| d.name.as_str());
    diags.push(
        Diagnostic::new(codes::SHAPE_OPEN, span, format!("open until the data schema is frozen: {what}"))
            .label("open")
            .help(format!(
                "everything else is checked; `mtlc data freeze` writes the schema of {} into the spec, and `run` freezes it by itself",
                crate::diag::suggest::listing(names)
            )),
    );
    any
}
