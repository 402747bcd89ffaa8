//! Labels and masks of one split as plain numbers. Every label that counts is checked against the task kind here, before anything is
//! sent to a device. Labels that a mask, `ignore` or a missing cell excludes are not checked.

use super::{column, numbering};
use crate::data::DataError;
use crate::data::axes::{self, Order};
use crate::data::evaluate::{Bound, Cell};
use crate::data::freeze::Schema;
use crate::data::label::{Label, Term};
use crate::data::numbers::Precision;
use crate::data::raw::{Raw, SPLITS, Values};
use crate::data::resize::{self, Resize};
use crate::data::schema_text::number;
use crate::objective::{TaskKind, Units};

/// How the labels of a task are read from their columns, apart from the expressions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Values that mean "no label".
    pub ignore: Vec<f64>,
    /// The order of the axes of labels per pixel.
    pub order: Order,
    /// How labels per pixel are resized to the head's output; `None`: they are not.
    pub resize: Option<Resize>,
}

/// A task's label.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelSpec {
    pub task: String,
    pub kind: TaskKind,
    pub label: Label,
    /// True where labels count; a missing value counts as false.
    pub mask: Option<Label>,
    pub reading: Reading,
    /// Height and width of the head's output, for labels per pixel. `None`: those of the labels.
    pub pixels: Option<[usize; 2]>,
    /// Whether the label is learned in units of the standard deviation of the training labels ([`Units`]).
    pub standardize: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LabelData {
    pub task: String,
    /// Numbers per sample: 1 for binary (0 or 1) and classes (the class number), n for multilabel and regression, one per pixel
    /// and channel for dense kinds.
    pub size: usize,
    /// Labels per sample, each of which can be missing: one per pixel for dense kinds, else one per number.
    pub labels: usize,
    /// `[rows * size]`, in the units in which they are learned; 0 where masked.
    pub values: Vec<f32>,
    /// Which labels count; `None` if all count.
    pub mask: Option<Mask>,
    /// The units of `values`. `None`: the label's own units.
    pub units: Option<Units>,
}

/// Which labels count.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    /// Marks per sample: a single mark for all labels of the sample, which takes less memory, or one per label.
    pub size: usize,
    /// `[rows * size]`, 1 where a label counts and 0 where it does not.
    pub marks: Vec<u8>,
}

impl Mask {
    /// Makes a mask from one mark per label. It stores one mark per sample if those of every sample are equal. `None` if all labels count.
    fn new(labels: usize, marks: Vec<u8>) -> Option<Mask> {
        if marks.iter().all(|m| *m == 1) {
            return None;
        }
        let alike = |row: &[u8]| row.iter().all(|m| *m == row[0]);
        Some(match marks.chunks_exact(labels.max(1)).all(alike) {
            true => Mask { size: 1, marks: marks.into_iter().step_by(labels.max(1)).collect() },
            false => Mask { size: labels, marks },
        })
    }

    pub fn row(&self, row: usize) -> &[u8] {
        &self.marks[row * self.size..(row + 1) * self.size]
    }
}

impl LabelData {
    /// The numbers of a sample in the units in which they are learned.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.size..(row + 1) * self.size]
    }

    /// The numbers of a sample in the label's own units.
    pub fn own(&self, row: usize) -> impl Iterator<Item = f64> + '_ {
        self.row(row).iter().enumerate().map(|(at, v)| match &self.units {
            Some(units) => units.original(at, f64::from(*v)),
            None => f64::from(*v),
        })
    }

    /// Like [`LabelData::own`], without the rounding to the f32 in which labels are stored: each is the shortest number that is stored as
    /// the same f32.
    pub fn shown(&self, row: usize) -> Vec<f64> {
        let shown = |(at, v): (usize, &f32)| match &self.units {
            Some(units) => units.shown(at, *v),
            None => Precision::Single.shortest(f64::from(*v)),
        };
        self.row(row).iter().enumerate().map(shown).collect()
    }

    /// Whether a label of a sample counts.
    pub fn counts(&self, row: usize, label: usize) -> bool {
        self.mask.as_ref().is_none_or(|m| m.row(row)[label.min(m.size - 1)] == 1)
    }

    /// Whether no label of any sample counts.
    pub fn has_none(&self) -> bool {
        self.mask.as_ref().is_some_and(|m| m.marks.iter().all(|mark| *mark == 0))
    }

    /// How many labels of a sample count.
    pub fn counted(&self, row: usize) -> usize {
        match &self.mask {
            None => self.labels,
            Some(m) => m.row(row).iter().map(|m| usize::from(*m)).sum::<usize>() * (self.labels / m.size.max(1)),
        }
    }

    /// The numbers of one label of a sample in the label's own units: for labels per pixel, the channels of the pixel.
    pub fn parts(&self, row: usize, label: usize) -> impl Iterator<Item = f64> + '_ {
        let values = self.row(row);
        (label..self.size).step_by(self.labels.max(1)).map(move |at| match &self.units {
            Some(units) => units.original(at, f64::from(values[at])),
            None => f64::from(values[at]),
        })
    }
}

/// How many values a label of this kind has per pixel.
pub fn channels(kind: TaskKind) -> usize {
    if kind == TaskKind::Normals { 3 } else { 1 }
}

/// What one value of a mask refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    Sample,
    Label,
    /// A value of the label. A label counts if all its values are marked, such as the channels of a pixel.
    Value,
}

/// How a mask of the sizes `mask` applies to labels of the sizes `label`; `None` if it does not fit.
pub fn marks(kind: TaskKind, order: Order, label: &[usize], mask: &[usize]) -> Option<Marks> {
    if mask.iter().all(|n| *n == 1) {
        return Some(Marks::Sample);
    }
    match kind.is_dense() {
        false => axes::same(label, mask).then_some(Marks::Label),
        true => {
            let pixels = axes::grid(order, channels(kind), label)?;
            match axes::grid(order, 1, mask) == Some(pixels) {
                true => Some(Marks::Label),
                false => (axes::grid(order, channels(kind), mask) == Some(pixels)).then_some(Marks::Value),
            }
        }
    }
}

/// Encodes a task's labels in split `s`.
pub(super) fn label(
    raw: &Raw,
    schema: &Schema,
    s: usize,
    spec: &LabelSpec,
    units: Option<&Units>,
    notes: &mut Vec<String>,
) -> Result<LabelData, DataError> {
    let rows = raw.splits[s].rows;
    let reader = Reader::new(raw, schema, s, spec, units)?;
    let (labels, size) = (reader.labels, reader.labels * reader.parts);
    let scaled = spec.pixels.filter(|p| reader.pixels.is_some_and(|held| held != *p)).zip(spec.reading.resize);
    let out = scaled.map_or(labels, |([h, w], _)| h * w);
    let (mut values, mut kept) = (Vec::with_capacity(rows * out * reader.parts), Vec::with_capacity(rows * out));
    let (mut row_values, mut row_marks) = (vec![0f32; size], vec![0u8; labels]);
    let mut unknown = 0;
    for row in 0..rows {
        unknown += reader.row(row, &mut row_values, &mut row_marks)?;
        match (scaled, reader.pixels) {
            (Some((to, how)), Some(from)) => {
                resize::labels(how, [from, to], (&row_values, &row_marks), (&mut values, &mut kept));
            }
            _ => {
                values.extend_from_slice(&row_values);
                kept.extend_from_slice(&row_marks);
            }
        }
    }
    if unknown > 0 {
        let (split, task) = (SPLITS[s], &spec.task);
        let (rows, they) = if unknown == 1 { ("row holds", "it is") } else { ("rows hold", "they are") };
        let shows = match reader.rare {
            Some(below) => format!("that occurs in fewer than {below} training rows"),
            None => "that does not occur in training".into(),
        };
        notes.push(format!("task `{task}`: {unknown} {split} {rows} a class {shows}; {they} masked"));
    }
    let mask = Mask::new(out, kept);
    let data = LabelData {
        task: spec.task.clone(),
        size: out * reader.parts,
        labels: out,
        values,
        mask,
        units: units.cloned(),
    };
    one_sided(spec, s, &data, notes);
    Ok(data)
}

/// Reads the labels of a task row by row.
struct Reader<'a> {
    raw: &'a Raw,
    s: usize,
    spec: &'a LabelSpec,
    label: Bound<'a>,
    mask: Option<(Bound<'a>, Marks)>,
    /// Sizes of the array that contains the labels; empty for single values.
    held: Vec<usize>,
    /// Height and width of labels per pixel.
    pixels: Option<[usize; 2]>,
    labels: usize,
    /// Numbers per label.
    parts: usize,
    /// For each term, the values that mean "no label", rounded like its column.
    ignore: Vec<Vec<f64>>,
    /// The class number of each entry of the dictionary of a text column.
    numbers: Vec<u32>,
    /// Texts that occur in fewer training rows than this are not classes.
    rare: Option<usize>,
    /// The units in which the labels are learned.
    units: Option<&'a Units>,
}

impl<'a> Reader<'a> {
    fn new(
        raw: &'a Raw,
        schema: &Schema,
        s: usize,
        spec: &'a LabelSpec,
        units: Option<&'a Units>,
    ) -> Result<Reader<'a>, DataError> {
        let label = spec.label.bind(raw)?;
        let sizes = |b: &Bound<'a>| match b.terms.as_slice() {
            [one] => b.sizes(one).to_vec(),
            several => vec![several.len()],
        };
        let held = sizes(&label);
        let wrong = |what: &str, sizes: &[usize], wanted: String| {
            DataError::option(
                format!("the {what} of task `{}` is {} per sample, and {wanted}", spec.task, axes::words(sizes)),
                "the sizes of labels are those of the head's output, axis by axis",
            )
        };
        let (pixels, parts) = match spec.kind.is_dense() {
            true => {
                let parts = channels(spec.kind);
                let pixels = axes::grid(spec.reading.order, parts, &held)
                    .filter(|p| spec.reading.resize.is_some() || spec.pixels.is_none_or(|q| q == *p));
                let wanted = || match spec.pixels {
                    Some([h, w]) => format!("its head yields {h} x {w} pixels"),
                    None => format!("a label is {parts} numbers per pixel"),
                };
                (Some(pixels.ok_or_else(|| wrong("label", &held, wanted()))?), parts)
            }
            false => (None, 1),
        };
        let labels = match pixels {
            Some([h, w]) => h * w,
            None => held.iter().product(),
        };
        let mask = match &spec.mask {
            Some(m) => {
                let mask = m.bind(raw)?;
                let of = sizes(&mask);
                let marks = marks(spec.kind, spec.reading.order, &held, &of)
                    .ok_or_else(|| wrong("mask", &of, format!("its label {}", axes::words(&held))))?;
                Some((mask, marks))
            }
            None => None,
        };
        let (numbers, rare) = match label.terms.as_slice() {
            [Term::Column(name, at)] if raw.splits[s].columns[*at].is_text() => {
                let facts = column(raw, schema, s, name)?.facts;
                (numbering(&raw.columns[*at].dictionary, facts), facts.rare.map(|r| r.below))
            }
            _ => (Vec::new(), None),
        };
        let ignore = label.terms.iter().map(|t| {
            let precision = label.precision(t, s);
            spec.reading.ignore.iter().map(|v| precision.rounded(*v)).collect()
        });
        let ignore = ignore.collect();
        Ok(Reader { raw, s, spec, label, mask, held, pixels, labels, parts, ignore, numbers, rare, units })
    }

    /// A number of a label as it was written before it was stored.
    fn written(&self, label: usize, v: f64) -> String {
        let term = &self.label.terms[if self.label.terms.len() == 1 { 0 } else { label }];
        number(self.label.precision(term, self.s).shortest(v))
    }

    /// The values that mean "no label" for this label.
    fn ignored(&self, label: usize) -> &[f64] {
        &self.ignore[if self.ignore.len() == 1 { 0 } else { label }]
    }

    /// Reads the labels of a row into `values` and `marks`; a label that does not count is 0. Returns the number of labels that are classes
    /// without training rows.
    fn row(&self, row: usize, values: &mut [f32], marks: &mut [u8]) -> Result<usize, DataError> {
        let mut unknown = 0;
        values.fill(0.0);
        marks.fill(0);
        let whole = match &self.mask {
            Some((mask, Marks::Sample)) => self.marked(mask, row, 0, 0)?,
            _ => true,
        };
        if !whole {
            return Ok(0);
        }
        for label in 0..self.labels {
            let kept = match &self.mask {
                None | Some((_, Marks::Sample)) => true,
                Some((mask, Marks::Label)) => self.marked(mask, row, label, label)?,
                Some((mask, Marks::Value)) => {
                    let mut all = true;
                    for part in 0..self.parts {
                        all &= self.marked(mask, row, label, self.source(label, part))?;
                    }
                    all
                }
            };
            if !kept {
                continue;
            }
            let mut found = [0f64; 3];
            let mut there = true;
            for (part, to) in found[..self.parts].iter_mut().enumerate() {
                match self.number(row, label, part, &mut unknown)? {
                    Some(v) => *to = v,
                    None => there = false,
                }
            }
            let found = &found[..self.parts];
            if !there || found.iter().all(|v| self.ignored(label).contains(v)) {
                continue;
            }
            for v in found {
                if let Some(allowed) = refused(self.spec.kind, *v) {
                    return Err(self.fail(row, label, self.written(label, *v), allowed, Some(*v)));
                }
            }
            for (part, v) in found.iter().enumerate() {
                let learned = self.units.map_or(*v, |u| u.learned(label, *v));
                if !(learned as f32).is_finite() {
                    let why = "it lies too far from all training labels to be standardised".into();
                    return Err(self.fail(row, label, self.written(label, *v), why, Some(*v)));
                }
                values[part * self.labels + label] = learned as f32;
            }
            marks[label] = 1;
        }
        Ok(unknown)
    }

    /// The position of a part of a label in its array.
    fn source(&self, label: usize, part: usize) -> usize {
        self.spec.reading.order.source(&self.held, part * self.labels + label)
    }

    /// A number of a label; `None` where it is missing.
    fn number(&self, row: usize, label: usize, part: usize, unknown: &mut usize) -> Result<Option<f64>, DataError> {
        let (term, at) = match self.label.terms.as_slice() {
            [one] => (one, self.source(label, part)),
            several => (&several[label], 0),
        };
        Ok(match self.label.cell(term, self.s, row, at) {
            Cell::Missing => None,
            Cell::Bool(b) => Some(f64::from(b)),
            cell @ (Cell::Number(_) | Cell::Whole(_)) => cell.number(),
            Cell::Text(text) => {
                let code = match term {
                    Term::Column(_, at) => match &self.raw.splits[self.s].columns[*at] {
                        Values::Text(codes) => Some(codes[row]),
                        _ => None,
                    },
                    _ => None,
                };
                let Some((code, TaskKind::Classes(_))) = code.zip(Some(self.spec.kind)) else {
                    return Err(self.fail(
                        row,
                        label,
                        format!("{text:?}"),
                        "it must be a number, or true or false".into(),
                        None,
                    ));
                };
                match self.numbers[code as usize] {
                    0 => {
                        // A class without training rows cannot be learned or scored.
                        *unknown += 1;
                        None
                    }
                    n => Some(f64::from(n - 1)),
                }
            }
        })
    }

    /// Whether a mask is true at one of its values; a missing value is false.
    fn marked(&self, mask: &Bound, row: usize, label: usize, at: usize) -> Result<bool, DataError> {
        let (term, at) = match mask.terms.as_slice() {
            [one] => (one, at),
            several => (&several[label], 0),
        };
        match mask.cell(term, self.s, row, at) {
            Cell::Bool(b) => Ok(b),
            Cell::Missing => Ok(false),
            Cell::Number(v) if v == 0.0 || v == 1.0 => Ok(v == 1.0),
            Cell::Number(v) => Err(self.mask_of(row, number(v))),
            Cell::Whole(v) => Err(self.mask_of(row, v.to_string())),
            Cell::Text(text) => Err(self.mask_of(row, format!("{text:?}"))),
        }
    }

    fn mask_of(&self, row: usize, value: String) -> DataError {
        let place = self.raw.splits[self.s].place(row);
        DataError::option(
            format!(
                "{place}: the mask of task `{}` is {value}, and a mask is true or false, or 1 or 0",
                self.spec.task
            ),
            "compare it with something, for example `> 0`",
        )
    }

    /// The error for a refused label. `value` is the label as text; `number` is its value, if it is a number.
    fn fail(&self, row: usize, label: usize, value: String, allowed: String, number: Option<f64>) -> DataError {
        let at = match self.pixels {
            Some([_, w]) => format!(" in pixel [{}, {}]", label / w, label % w),
            None if self.labels > 1 => format!(" in place {label}, counted from 0"),
            None => String::new(),
        };
        let help = match number {
            None => String::new(),
            Some(v) if !v.is_finite() => {
                "it is computed from numbers that are too large: exclude such rows with a `mask`, for example `mask = d.x < 1e9`".into()
            }
            Some(_) => format!(
                "if {value} means that there is no label, write `ignore = {value}` in the task; a `mask` also excludes labels"
            ),
        };
        DataError::Label {
            place: self.raw.splits[self.s].place(row),
            task: self.spec.task.clone(),
            found: format!("{value}{at}, and {allowed}"),
            help,
        }
    }
}

/// Why a number cannot be a label of this kind; `None` if it can.
fn refused(kind: TaskKind, v: f64) -> Option<String> {
    let classes = |word: &str, n: Option<usize>| match n {
        Some(n) => format!("`{word}({n})` takes whole numbers from 0 to {}", n - 1),
        None => format!("`{word}` takes whole numbers from 0"),
    };
    let no_class = |n: Option<usize>| v.fract() != 0.0 || v < 0.0 || n.is_some_and(|n| v >= n as f64);
    match kind {
        _ if !(v as f32).is_finite() => Some("it must be a finite number, of at most 3.4e38".into()),
        TaskKind::Binary | TaskKind::Multilabel(_) if v != 0.0 && v != 1.0 => Some("it must be 0 or 1".into()),
        TaskKind::Classes(n) if no_class(n) => Some(classes("classes", n)),
        TaskKind::Segmentation(n) if no_class(Some(n)) => Some(classes("segmentation", Some(n))),
        _ => None,
    }
}

/// Adds a note if no row of a split has a label, or if all its binary labels are equal: their AUC is undefined, and training has nothing to
/// learn from them.
fn one_sided(spec: &LabelSpec, s: usize, data: &LabelData, notes: &mut Vec<String>) {
    if data.values.is_empty() {
        return;
    }
    let (task, split) = (&spec.task, SPLITS[s]);
    if data.has_none() {
        notes.push(format!("task `{task}`: no {split} row has a label"));
        return;
    }
    if spec.kind != TaskKind::Binary {
        return;
    }
    let mut counted = (0..data.values.len()).filter(|row| data.counts(*row, 0)).map(|row| data.values[row]);
    if let Some(first) = counted.next()
        && counted.all(|v| v == first)
    {
        notes.push(format!(
            "task `{task}`: every {split} label is {first}; AUC is undefined, and there is nothing to distinguish"
        ));
    }
}
