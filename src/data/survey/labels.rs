//! Labels per task and split: how many there are, how they are balanced, what training cannot learn, and labels that an input gives
//! away.

use std::collections::HashMap;

use serde::Serialize;

use super::{Finding, Subject, digits, percent, split};
use crate::data::encode::{LabelData, Table};
use crate::data::label_facts::Moments;
use crate::objective::TaskKind;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskSurvey {
    pub task: String,
    pub kind: &'static str,
    /// Names of the classes; empty for other kinds.
    pub classes: Vec<String>,
    pub splits: Vec<LabelSplit>,
}

/// Labels of one task in one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LabelSplit {
    /// The number of labels that count, and of those that are missing or ignored. Each component and each pixel counts as a label.
    pub labelled: usize,
    pub missing: usize,
    /// The number of rows with at least one label that counts.
    pub rows: usize,
    /// The number of pixels whose depth, or the length of whose normal, is 0. Many tools write 0 where nothing was measured.
    #[serde(skip_serializing_if = "is_none")]
    pub zeros: usize,
    /// With several labels per sample, the number of labels of each component.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub each: Vec<usize>,
    /// Of the labels that count: share of ones (binary, multilabel), or the mean number.
    pub mean: Option<f64>,
    pub std: Option<f64>,
    /// Rows per class (pixels where every pixel has one); of a binary task, zeros and ones.
    pub counts: Vec<usize>,
}

fn is_none(n: &usize) -> bool {
    *n == 0
}

fn tables<'a>(of: &'a Subject) -> [&'a Table; 3] {
    [&of.dataset.train, &of.dataset.validation, &of.dataset.test]
}

pub fn survey(of: &Subject, findings: &mut Vec<Finding>) -> Vec<TaskSurvey> {
    let mut out = Vec::new();
    for (t, (kind, names)) in of.tasks.iter().enumerate() {
        let splits: Vec<LabelSplit> =
            tables(of).iter().map(|table| facts(&table.labels[t], table.rows, *kind)).collect();
        let task = TaskSurvey {
            task: of.dataset.train.labels[t].task.clone(),
            kind: kind.name(),
            classes: if matches!(kind, TaskKind::Classes(_)) { names.clone() } else { Vec::new() },
            splits,
        };
        judge(of, &task, findings);
        out.push(task);
    }
    out
}

fn facts(l: &LabelData, rows: usize, kind: TaskKind) -> LabelSplit {
    let (mut labelled, mut with, mut moments) = (0, 0, Moments::default());
    let classes = match kind {
        TaskKind::Binary => 2,
        TaskKind::Classes(n) => n.unwrap_or(0),
        TaskKind::Segmentation(n) => n,
        _ => 0,
    };
    let mut counts = vec![0; classes];
    let several = l.labels > 1 && !kind.is_dense();
    let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
    let mut each = vec![0; if several { l.labels } else { 0 }];
    let mut first = None;
    for row in 0..rows {
        with += usize::from(l.counted(row) > 0);
        for label in (0..l.labels).filter(|i| l.counts(row, *i)) {
            labelled += 1;
            first.get_or_insert((row, label));
            if let Some(c) = each.get_mut(label) {
                *c += 1;
            }
            for v in l.parts(row, label) {
                (least, most) = (least.min(v), most.max(v));
                moments.add(v);
                if let Some(c) = counts.get_mut(v as usize) {
                    *c += 1;
                }
            }
        }
    }
    let measured = labelled > 0 && !matches!(kind, TaskKind::Classes(_) | TaskKind::Segmentation(_));
    let spreads = measured && matches!(kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals);
    // Equal labels have exactly a deviation of 0, and others never do, whatever the rounding.
    let (mean, std) = match (least == most).then_some(first).flatten() {
        // In the label's own units.
        Some((row, label)) => (l.shown(row)[label], 0.0),
        None => (moments.mean(), moments.std().max(f64::MIN_POSITIVE)),
    };
    let (mean, std) = (measured.then_some(mean), spreads.then_some(std));
    // Zero up to the rounding of labels that are learned in other units. A depth of 0 is suspicious if it is the smallest of all.
    let zero = |v: f64| v.abs() <= 1e-6 * most.max(-least);
    let odd = kind == TaskKind::Normals || kind == TaskKind::Depth && zero(least);
    let pixels = (0..rows).filter(|_| odd).flat_map(|row| (0..l.labels).map(move |label| (row, label)));
    let zeros = pixels.filter(|(row, label)| l.counts(*row, *label) && l.parts(*row, *label).all(zero)).count();
    LabelSplit { labelled, missing: rows * l.labels - labelled, rows: with, zeros, each, mean, std, counts }
}

fn judge(of: &Subject, t: &TaskSurvey, findings: &mut Vec<Finding>) {
    let rows = of.split_rows();
    let mut say = |kind: &'static str, message: String| findings.push(Finding::new(kind, &t.task, message));
    for (s, l) in t.splits.iter().enumerate().filter(|(s, _)| rows[*s] > 0) {
        if l.labelled == 0 {
            say("no_labels", format!("task `{}`: no {} row has a label", t.task, split(s)));
        } else if t.kind == "regression" && l.std == Some(0.0) {
            say("constant", format!("task `{}`: every {} label is {}", t.task, split(s), l.mean.unwrap_or_default()));
        }
    }
    for (s, l) in t.splits.iter().enumerate().filter(|(_, l)| l.zeros > 0) {
        let what = if t.kind == "depth" { "a depth of 0" } else { "a normal of length 0" };
        let (n, all, share) = (l.zeros, l.labelled, percent(l.zeros, l.labelled));
        say(
            "zeros",
            format!(
                "task `{}`: {n} of {all} labelled {} pixels ({share}) have {what}: if it means that nothing was measured there, write \
                 `ignore = 0` in the task",
                t.task,
                split(s)
            ),
        );
    }
    for at in (0..t.splits[0].each.len()).filter(|at| t.splits[0].labelled > 0 && t.splits[0].each[*at] == 0) {
        say("no_labels", format!("task `{}`: no train row has label {at}, counted from 0", t.task));
    }
    if t.kind == "binary" {
        for (s, l) in t.splits.iter().enumerate().filter(|(_, l)| l.labelled > 0) {
            let (few, value) =
                if l.counts[0] < l.counts[1] { (l.counts[0], "negatives") } else { (l.counts[1], "positives") };
            if few < of.least {
                let what = match few {
                    0 => format!(
                        "there are no {value} among the {} {} labels: AUC is undefined there",
                        l.labelled,
                        split(s)
                    ),
                    n => {
                        format!("{n} {value} among the {} {} labels: scores of it will be chance", l.labelled, split(s))
                    }
                };
                say("few", format!("task `{}`: {what}", t.task));
            }
        }
    }
    if t.classes.is_empty() {
        return;
    }
    let name = |c: usize| format!("`{}`", t.classes.get(c).cloned().unwrap_or_else(|| c.to_string()));
    let list = |all: &[usize]| {
        let shown: Vec<String> = all.iter().take(8).map(|c| name(*c)).collect();
        let more = if all.len() > 8 { format!(" and {} more", all.len() - 8) } else { String::new() };
        shown.join(", ") + &more
    };
    let has = |s: usize, c: usize| t.splits[s].counts.get(c).copied().unwrap_or(0);
    let there: Vec<usize> = (0..3).filter(|s| t.splits[*s].labelled > 0).collect();
    for s in &there {
        let only: Vec<usize> = (0..t.classes.len())
            .filter(|c| has(*s, *c) > 0 && there.iter().all(|o| o == s || has(*o, *c) == 0))
            .collect();
        if there.len() > 1 && !only.is_empty() {
            say("one_split", format!("task `{}`: only the {} split holds {}", t.task, split(*s), list(&only)));
        }
    }
    let few: Vec<usize> = (0..t.classes.len()).filter(|c| (1..of.least).contains(&has(0, *c))).collect();
    if !few.is_empty() {
        say("few", format!("task `{}`: fewer than {} training rows of {}", t.task, of.least, list(&few)));
    }
    let none: Vec<usize> = (0..t.classes.len()).filter(|c| has(0, *c) == 0).collect();
    if t.splits[0].labelled > 0 && !none.is_empty() {
        say("few", format!("task `{}`: no training row of {}", t.task, list(&none)));
    }
}

/// Labels that follow from a single input column: a label of two or more values that is the same for all rows with the same value
/// of the column, where values repeat; or a number that goes in step with another.
pub fn copies(of: &Subject, findings: &mut Vec<Finding>) {
    const LEAST_ROWS: usize = 20;
    const ROWS_PER_VALUE: usize = 5;
    for (t, (kind, _)) in of.tasks.iter().enumerate() {
        let l = &of.dataset.train.labels[t];
        if l.size != 1 || kind.is_dense() {
            continue;
        }
        let labelled: Vec<usize> = (0..of.dataset.train.rows).filter(|r| l.counts(*r, 0)).collect();
        if labelled.len() < LEAST_ROWS || labelled.iter().all(|r| l.values[*r] == l.values[labelled[0]]) {
            continue;
        }
        for (c, column) in of.raw.columns.iter().enumerate() {
            if column.elements() != 1 || !of.inputs.contains(&column.name) {
                continue;
            }
            let values = &of.raw.splits[0].columns[c];
            let mut seen: HashMap<u128, f32> = HashMap::new();
            let follows = labelled.iter().all(|r| *seen.entry(values.key(*r)).or_insert(l.values[*r]) == l.values[*r]);
            let repeats = seen.len() * ROWS_PER_VALUE <= labelled.len();
            let pairs = || labelled.iter().map(|r| (values.number(*r), f64::from(l.values[*r])));
            let in_step =
                matches!(kind, TaskKind::Regression(_)) && !values.is_text() && correlation(pairs()).abs() > 1.0 - 1e-6;
            if (follows && repeats) || in_step {
                let how = if in_step { "goes in step with" } else { "follows from" };
                findings.push(Finding::new(
                    "label_copy",
                    &l.task,
                    format!(
                        "task `{}`: its label {how} the input column `{}` alone, in all {} labelled training rows: leave the column out \
                         (`except = [{}]`) unless it is known when predicting",
                        l.task, column.name, labelled.len(), column.name
                    ),
                ));
            }
        }
    }
}

/// Pearson's; 0 where a side does not vary or has missing values.
fn correlation(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let n = pairs.clone().count() as f64;
    let (sx, sy) = pairs.clone().fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
    let (mx, my) = (sx / n, sy / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xx += (x - mx) * (x - mx);
        yy += (y - my) * (y - my);
        xy += (x - mx) * (y - my);
    }
    let r = xy / (xx * yy).sqrt();
    if r.is_finite() { r } else { 0.0 }
}

/// "12 % of 300", "mean 0.5 ± 0.2", "10 classes, 28 to 31": how the labels of a split are balanced.
pub fn balance(t: &TaskSurvey, l: &LabelSplit) -> String {
    match (l.labelled, l.mean) {
        (0, _) => "-".into(),
        (_, Some(m)) if t.kind == "binary" => {
            format!("{} true", percent((m * l.labelled as f64).round() as usize, l.labelled))
        }
        (_, Some(m)) => match l.std {
            Some(s) => format!("{} ± {}", digits(m, s), digits(s, s)),
            None => format!("{:.1} % true", 100.0 * m),
        },
        (_, None) => {
            let (least, most) = (l.counts.iter().min(), l.counts.iter().max());
            format!("{} to {} a class", least.unwrap_or(&0), most.unwrap_or(&0))
        }
    }
}
