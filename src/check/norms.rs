//! Batch norms and batches of one row: a single value per channel has no variance to normalise by.

use super::Typed;
use super::steps::{self, Trains};
use crate::data::Batches;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Body, Spec};
use crate::source::Span;

pub fn norms(spec: &Spec, stages: &[Option<Typed>], heads: &[Option<Typed>], diags: &mut Diagnostics) {
    let Some((name, norm)) = first(spec, stages, heads) else { return };
    for trains in steps::trainings(spec) {
        if trains.args.get("batch").is_some() {
            diags.extend(too_few(spec, &trains, &name, norm));
        }
    }
}

/// The name and the place of the first op, in a stage or a head, that needs more than one row per batch.
fn first(spec: &Spec, stages: &[Option<Typed>], heads: &[Option<Typed>]) -> Option<(String, Span)> {
    let find = |body: &Body, typed: &Option<Typed>| {
        let op = typed.as_ref()?.ops.iter().find(|o| o.op.least_rows() > 1)?;
        Some((op.op.name().to_string(), body.nodes[op.written].site))
    };
    let in_stages = spec.backbone.iter().flat_map(|b| &b.stages).zip(stages).find_map(|(s, t)| find(&s.body, t));
    in_stages.or_else(|| spec.tasks.iter().zip(heads).find_map(|(task, t)| find(&spec.heads[task.head?.0].body, t)))
}

fn too_few(spec: &Spec, trains: &Trains, name: &str, norm: Span) -> Option<Diagnostic> {
    let batch = trains.args.size("batch");
    let at = trains.args.span("batch").filter(|_| trains.args.is_given("batch")).unwrap_or(trains.span);
    let batches = steps::batches(spec, trains);
    if batch == 1 || batches.is_some_and(|b| b.largest() == 1) {
        let what = if batch == 1 { "a batch of one row" } else { "a training of one row" };
        return Some(
            Diagnostic::new(
                codes::TRAIN_NORM,
                at,
                format!("{what} gives `{name}` one value per channel: its statistics never move"),
            )
            .label("one row at a time")
            .also(norm, "normalises over the rows of a batch")
            .help(match batch {
                1 => format!("use larger batches (`batch = 32`), or replace `{name}` with `layer_norm`"),
                _ => format!("train on more rows, or replace `{name}` with `layer_norm`"),
            }),
        );
    }
    let batches = batches?;
    if batches.smallest() != Some(1) {
        return None;
    }
    let rows = batches.rows;
    let (dropped, taken) = (trains.written("drop_last = true"), trains.written(&format!("batch = {}", other(batches))));
    let by = if trains.default { " (the default)" } else { "" };
    Some(
        Diagnostic::new(
            codes::TRAIN_LAST_BATCH,
            at,
            format!("{rows} rows in batches of {batch}{by} leave a last batch of one row, where `{name}` has one value per channel"),
        )
        .label("the last batch has one row")
        .also(norm, "normalises that batch by its running statistics, which do not change")
        .help(format!("leave that batch out with {dropped}, or take another size: {taken}")),
    )
}

/// A batch size near this one with which no batch has a single row.
fn other(batches: Batches) -> usize {
    let near = (batches.batch + 1..batches.batch + 64).chain((2..batches.batch).rev());
    let fits = |batch: &usize| Batches { batch: *batch, ..batches }.smallest() != Some(1);
    near.into_iter().find(fits).unwrap_or(batches.rows)
}
