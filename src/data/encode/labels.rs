//! Labels and masks of one split as plain numbers.

use super::{column, numbering};
use crate::data::DataError;
use crate::data::evaluate::{Bound, Cell};
use crate::data::freeze::Schema;
use crate::data::label::{Label, Term};
use crate::data::raw::{Raw, SPLITS, Values};
use crate::objective::TaskKind;

/// A task's label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSpec {
    pub task: String,
    pub kind: TaskKind,
    pub label: Label,
    /// Where the sample counts; missing counts as no.
    pub mask: Option<Label>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LabelData {
    pub task: String,
    /// Labels per sample: 1 for binary and classes (0/1, or the class number), n for multilabel and regression, one per
    /// pixel (and channel) for dense kinds.
    pub size: usize,
    /// `[rows * size]`; 0 where masked.
    pub values: Vec<f32>,
    /// `[rows]`, 1 where the label counts; `None` if all do.
    pub mask: Option<Vec<f32>>,
}

/// Encodes a task's labels in split `s`.
pub(super) fn label(
    raw: &Raw,
    schema: &Schema,
    s: usize,
    spec: &LabelSpec,
    notes: &mut Vec<String>,
) -> Result<LabelData, DataError> {
    let split = &raw.splits[s];
    let bound = spec.label.bind(raw)?;
    // A whole array as label: one column, several values per sample.
    let whole = match bound.terms.as_slice() {
        [Term::Column(_, at)] if raw.columns[*at].elements() != 1 => Some(*at),
        _ => None,
    };
    let size = whole.map_or(bound.terms.len(), |at| raw.columns[at].elements());
    let mut values = vec![0f32; split.rows * size];
    let mut mask = vec![1f32; split.rows];
    let numbers = match bound.terms.as_slice() {
        [Term::Column(name, at)] if split.columns[*at].is_text() => {
            numbering(&raw.columns[*at].dictionary, column(raw, schema, s, name)?.facts)
        }
        _ => Vec::new(),
    };
    let fail = |row: usize, value: String, allowed: &str| DataError::Label {
        place: split.place(row),
        task: spec.task.clone(),
        value,
        allowed: allowed.into(),
    };
    let mut unknown = 0;
    for row in 0..split.rows {
        for k in 0..size {
            let cell = match whole {
                Some(at) => Cell::Number(split.columns[at].number(row * size + k)),
                None => bound.cell(&bound.terms[k], s, row),
            };
            let v = match cell {
                Cell::Missing => {
                    mask[row] = 0.0;
                    continue;
                }
                Cell::Bool(b) => f64::from(b),
                Cell::Number(v) => v,
                Cell::Text(text) => {
                    let Some((code, TaskKind::Classes(_))) =
                        text_code(&bound, &split.columns, row).zip(Some(spec.kind))
                    else {
                        return Err(fail(row, format!("{text:?}"), "it must be a number, or true or false"));
                    };
                    match numbers[code as usize] {
                        0 => {
                            // A class that training never showed cannot be learned or scored.
                            unknown += 1;
                            mask[row] = 0.0;
                            continue;
                        }
                        n => f64::from(n - 1),
                    }
                }
            };
            if let Some(allowed) = refused(spec.kind, v) {
                return Err(fail(row, format!("{v}"), &allowed));
            }
            values[row * size + k] = v as f32;
        }
    }
    if unknown > 0 {
        let split = SPLITS[s];
        notes.push(format!(
            "task `{}`: {unknown} {split} rows hold a class that training never shows; they are masked",
            spec.task
        ));
    }
    if let Some(m) = &spec.mask {
        let bound = m.bind(raw)?;
        for (row, keep) in mask.iter_mut().enumerate() {
            if bound.cell(&bound.terms[0], s, row) != Cell::Bool(true) {
                *keep = 0.0;
            }
        }
    }
    for (row, keep) in mask.iter().enumerate().filter(|(_, k)| **k == 0.0) {
        debug_assert_eq!(*keep, 0.0);
        values[row * size..(row + 1) * size].fill(0.0);
    }
    one_sided(spec, s, size, &values, &mask, notes);
    let mask = mask.contains(&0.0).then_some(mask);
    Ok(LabelData { task: spec.task.clone(), size, values, mask })
}

fn text_code(bound: &Bound, columns: &[Values], row: usize) -> Option<u32> {
    match bound.terms.as_slice() {
        [Term::Column(_, at)] => match &columns[*at] {
            Values::Text(codes) => Some(codes[row]),
            _ => None,
        },
        _ => None,
    }
}

/// Why a number cannot be a label of this kind.
fn refused(kind: TaskKind, v: f64) -> Option<String> {
    match kind {
        _ if !(v as f32).is_finite() => Some("it must be a finite number, of at most 3.4e38".into()),
        TaskKind::Binary | TaskKind::Multilabel(_) if v != 0.0 && v != 1.0 => Some("it must be 0 or 1".into()),
        TaskKind::Classes(n) if v.fract() != 0.0 || v < 0.0 || n.is_some_and(|n| v >= n as f64) => Some(match n {
            Some(n) => format!("`classes({n})` takes whole numbers from 0 to {}", n - 1),
            None => "`classes` takes whole numbers from 0".into(),
        }),
        _ => None,
    }
}

/// Notes a binary label that has one value only: AUC is undefined there, and in training there is nothing to learn.
fn one_sided(spec: &LabelSpec, s: usize, size: usize, values: &[f32], mask: &[f32], notes: &mut Vec<String>) {
    if !matches!(spec.kind, TaskKind::Binary) || values.is_empty() {
        return;
    }
    let counted = || values.chunks(size).zip(mask).filter(|(_, m)| **m != 0.0).map(|(v, _)| v[0]);
    let split = SPLITS[s];
    match counted().next() {
        None => notes.push(format!("task `{}`: no {split} row has a label", spec.task)),
        Some(first) if counted().all(|v| v == first) => notes.push(format!(
            "task `{}`: every {split} label is {first}; AUC is undefined and there is nothing to tell apart",
            spec.task
        )),
        _ => {}
    }
}
