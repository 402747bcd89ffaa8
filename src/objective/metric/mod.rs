//! Metrics, one file each: accumulators over a whole split, on the host, in f64 and in the order of the samples, so the same
//! outputs give the same number whatever the batch size, the device or the number of threads.
//!
//! Adding a metric: a file here with a `pub static DEF: MetricDef`, and a line in [`metrics`].
//!
//! A metric that the labels leave undefined (an AUC with one class, an R2 of a constant) is no number: [`Meter::value`] gives
//! the reason instead.

mod accuracy;
mod auc;
mod cosine_similarity;
mod f1;
mod iou;
mod log_loss;
mod mae;
mod mse;
mod r2;
mod rmse;

use std::fmt::Debug;

use super::{TaskKind, Units};
use crate::schema::{Args, AttrDef, CallDef, FRACTION, Need};

/// Which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Higher,
    Lower,
}

/// An entry of the table of metrics.
pub struct MetricDef {
    pub call: CallDef,
    /// Kinds of task that it may be written for.
    pub fits: fn(TaskKind) -> bool,
    /// Kinds of task that report it when no metrics are written.
    pub default_for: fn(TaskKind) -> bool,
    pub better: Better,
    /// A fresh accumulator for a task of `n` outputs per sample or pixel.
    make: fn(&Args, TaskKind, usize) -> Box<dyn Accumulate>,
}

static TABLE: &[&MetricDef] = &[
    &accuracy::DEF,
    &auc::DEF,
    &f1::DEF,
    &log_loss::DEF,
    &mse::DEF,
    &rmse::DEF,
    &mae::DEF,
    &r2::DEF,
    &iou::DEF,
    &cosine_similarity::DEF,
];

/// All metrics, in the order of the reference.
pub fn metrics() -> &'static [&'static MetricDef] {
    TABLE
}

pub fn find_metric(name: &str) -> Option<&'static MetricDef> {
    metrics().iter().copied().find(|d| d.call.name == name)
}

/// The metrics of a task that names none.
pub fn default_metrics(kind: TaskKind) -> Vec<&'static MetricDef> {
    metrics().iter().copied().filter(|d| (d.default_for)(kind)).collect()
}

/// For `Ty::Call`.
pub fn metric_calls() -> Vec<&'static CallDef> {
    metrics().iter().map(|d| &d.call).collect()
}

/// Samples with their outputs and labels, all row-major.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    pub samples: usize,
    /// `[samples, n]`, or `[samples, n, h, w]` for dense kinds; logits where the kind has logits.
    pub outputs: &'a [f32],
    /// One number per output, or one class index per sample or pixel. Never read under a 0 of the mask.
    pub labels: &'a [f32],
    /// 1 where a label counts, 0 where it is missing: one number per sample, per pixel or per label.
    pub mask: Option<&'a [f32]>,
    /// The units of outputs and labels. Metrics convert them and are computed in the label's own units.
    pub units: Option<&'a Units>,
}

/// One labelled thing, as a metric sees it.
#[derive(Debug, Clone, Copy)]
enum Item<'a> {
    /// A kind with one label per output: the position's labels that count, as (which output, output, label).
    Values(&'a [(usize, f64, f64)]),
    /// A kind with class indices: scores of all classes, and the true one.
    Class(&'a [f64], usize),
}

trait Accumulate: Debug + Send {
    fn add(&mut self, item: Item);
    /// The metric, or why it is undefined. There has been at least one item.
    fn value(&self) -> Result<f64, String>;
}

/// A metric of one task over one split.
#[derive(Debug)]
pub struct Meter {
    kind: TaskKind,
    outputs: usize,
    inner: Box<dyn Accumulate>,
    /// Labels counted so far.
    seen: u64,
    wrong: Option<String>,
}

impl Meter {
    /// Panics while the kind's number of outputs is open.
    pub fn new(def: &MetricDef, args: &Args, kind: TaskKind) -> Meter {
        let outputs = kind.outputs().expect("metrics are computed once the schema is closed");
        Meter { kind, outputs, inner: (def.make)(args, kind, outputs), seen: 0, wrong: None }
    }

    /// Labels counted so far; those under a 0 of the mask are not.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// Takes in more samples. Splitting a split into batches does not change the value.
    pub fn add(&mut self, data: Labelled) {
        if data.samples == 0 || self.outputs == 0 {
            return;
        }
        let classes = matches!(self.kind, TaskKind::Classes(_) | TaskKind::Segmentation(_));
        let pixels = data.outputs.len() / (data.samples * self.outputs);
        let per_label = if classes { 1 } else { self.outputs };
        assert_eq!(data.outputs.len(), data.samples * self.outputs * pixels, "outputs do not fill their shape");
        assert_eq!(data.labels.len(), data.samples * per_label * pixels, "labels do not fit the outputs");

        let own = |channel, v| data.units.map_or(v, |u| u.original(channel, v));
        let mut values = Vec::with_capacity(self.outputs);
        let mut scores = vec![0.0; self.outputs];
        for sample in 0..data.samples {
            for pixel in 0..pixels {
                let output = |channel| data.outputs[(sample * self.outputs + channel) * pixels + pixel] as f64;
                let label_at = |channel| (sample * per_label + channel) * pixels + pixel;
                let counts = |channel| match data.mask {
                    None => true,
                    Some(m) if m.len() == data.labels.len() => m[label_at(channel)] != 0.0,
                    Some(m) if m.len() == data.samples => m[sample] != 0.0,
                    Some(m) if m.len() == data.samples * pixels => m[sample * pixels + pixel] != 0.0,
                    Some(m) => panic!("a mask of {} numbers does not fit {} labels", m.len(), data.labels.len()),
                };
                if classes {
                    if !counts(0) {
                        continue;
                    }
                    scores.iter_mut().enumerate().for_each(|(c, s)| *s = output(c));
                    let label = data.labels[label_at(0)];
                    if !(label.fract() == 0.0 && label >= 0.0 && (label as usize) < self.outputs) {
                        self.wrong(format!("label {label} is not one of {} classes", self.outputs));
                    } else if !scores.iter().all(|s| s.is_finite()) {
                        self.wrong(NOT_FINITE);
                    } else {
                        self.seen += 1;
                        self.inner.add(Item::Class(&scores, label as usize));
                    }
                } else {
                    values.clear();
                    values.extend(
                        (0..self.outputs)
                            .filter(|c| counts(*c))
                            .map(|c| (c, own(c, output(c)), own(c, data.labels[label_at(c)] as f64))),
                    );
                    if values.is_empty() {
                        continue;
                    }
                    if !values.iter().all(|v| v.2.is_finite()) {
                        self.wrong("a label is not a finite number; a missing one needs a mask");
                    } else if !values.iter().all(|v| v.1.is_finite()) {
                        self.wrong(NOT_FINITE);
                    } else {
                        self.seen += values.len() as u64;
                        self.inner.add(Item::Values(&values));
                    }
                }
            }
        }
    }

    /// The metric over all that was added, or why it has no value.
    pub fn value(&self) -> Result<f64, String> {
        match &self.wrong {
            Some(reason) => Err(reason.clone()),
            None if self.seen == 0 => Err("no sample has a label".into()),
            None => match self.inner.value()? {
                v if v.is_finite() => Ok(v),
                v => Err(format!("it is {v}")),
            },
        }
    }

    /// Keeps the first reason.
    fn wrong(&mut self, reason: impl Into<String>) {
        self.wrong.get_or_insert_with(|| reason.into());
    }
}

const NOT_FINITE: &str = "an output is not a finite number";

/// The mean over labels of a function of (output, label), then a function of that mean.
#[derive(Debug)]
struct MeanOf {
    of: fn(f64, f64) -> f64,
    then: fn(f64) -> f64,
    sum: f64,
    count: u64,
}

impl MeanOf {
    fn boxed(of: fn(f64, f64) -> f64, then: fn(f64) -> f64) -> Box<dyn Accumulate> {
        Box::new(MeanOf { of, then, sum: 0.0, count: 0 })
    }
}

impl Accumulate for MeanOf {
    fn add(&mut self, item: Item) {
        let Item::Values(values) = item else { unreachable!("a metric of numbers on a task with classes") };
        for (_, output, label) in values {
            self.sum += (self.of)(*output, *label);
            self.count += 1;
        }
    }

    fn value(&self) -> Result<f64, String> {
        Ok((self.then)(self.sum / self.count as f64))
    }
}

/// Hits and misses of one class.
#[derive(Debug, Clone, Copy, Default)]
struct Confusion {
    true_positive: u64,
    false_positive: u64,
    false_negative: u64,
}

impl Confusion {
    fn add(&mut self, predicted: bool, actual: bool) {
        match (predicted, actual) {
            (true, true) => self.true_positive += 1,
            (true, false) => self.false_positive += 1,
            (false, true) => self.false_negative += 1,
            (false, false) => {}
        }
    }

    /// Predicted or actual.
    fn union(self) -> u64 {
        self.true_positive + self.false_positive + self.false_negative
    }
}

/// One count per class or per label, from labels of either form; a logit above `cut` predicts 1.
fn count_confusion(per_class: &mut [Confusion], item: Item, cut: f64) {
    match item {
        Item::Values(values) => {
            for (output, logit, label) in values {
                per_class[*output].add(*logit > cut, *label > 0.5);
            }
        }
        Item::Class(scores, label) => {
            let predicted = argmax(scores);
            for (class, counts) in per_class.iter_mut().enumerate() {
                counts.add(class == predicted, class == label);
            }
        }
    }
}

/// Mean of the values that there are.
fn mean_defined(values: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let (sum, count) = values.flatten().fold((0.0, 0u64), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Index of the largest score, the first of equals.
fn argmax(scores: &[f64]) -> usize {
    (1..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best })
}

/// The logit of a probability: what a threshold on probabilities is on logits.
fn logit(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// `threshold`, an argument of several metrics.
const THRESHOLD: AttrDef = AttrDef {
    name: "threshold",
    ty: FRACTION,
    need: Need::Default("0.5"),
    doc: "Probability above which a binary label is predicted 1. Not read for class indices, where the largest logit wins.",
};
