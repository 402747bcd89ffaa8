//! What a network's outputs mean to people: probabilities, class names, numbers. A function of the outputs alone.

use super::model::Model;
use crate::data::LabelFacts;
use crate::data::label::words;
use crate::hir::Spec;
use crate::objective::{self, TaskKind, Units};

/// One task's outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub task: String,
    pub kind: TaskKind,
    /// Names of the outputs: classes by the words of the training data where those are words, else numbers from 0.
    pub names: Vec<String>,
    /// Sizes per row: `[n]`, or `[n, height, width]`.
    pub sizes: Vec<usize>,
    /// The units of the head's output; `None`: the label's own units.
    pub units: Option<Units>,
    /// Whether the head yields probabilities rather than logits.
    pub probable: bool,
}

impl Answer {
    /// One per output of the plan, in its order.
    pub fn of(spec: &Spec, model: &Model) -> Vec<Answer> {
        let answer = |output: &crate::plan::Output| {
            let task = &spec.tasks[output.task];
            let sizes = model.output_sizes(output).unwrap_or_else(|| vec![task.kind.outputs().unwrap_or(1)]);
            let schema = task.label.as_ref().and_then(|l| spec.data[l.data.0].schema.as_ref().map(|s| (s, &l.label)));
            let units =
                schema.filter(|_| task.standardize).and_then(|(s, _)| s.label(&task.name)).map(LabelFacts::units);
            let words = match (task.kind, schema) {
                (TaskKind::Classes(_), Some((schema, label))) => words(label, schema).filter(|w| w.len() == sizes[0]),
                _ => None,
            };
            let names = words.unwrap_or_else(|| (0..sizes[0]).map(|i| i.to_string()).collect());
            let probable = objective::from_probabilities(&task.loss);
            Answer { task: task.name.clone(), kind: task.kind, names, sizes, units, probable }
        };
        model.plan.outputs.iter().map(answer).collect()
    }

    /// Numbers per row.
    pub fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn is_dense(&self) -> bool {
        self.sizes.len() > 1
    }

    /// Whether what people read differs from what the head gives.
    pub fn is_logit(&self) -> bool {
        !self.probable && !matches!(self.kind, TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals)
    }

    /// Whether the answer needs 64 bits: numbers in the units of a label may be far from 0 and close together (for example, times in
    /// seconds). Otherwise, 32 bits are enough.
    pub fn is_wide(&self) -> bool {
        self.units.is_some() && !self.probable && !self.is_logit()
    }

    /// The answers for one row. Logits become probabilities (by a softmax over the outputs of a row or a pixel for classes, else by a
    /// sigmoid), and numbers are converted to the label's own units. Computed in f64, and rounded once to f32 unless [`Answer::is_wide`].
    pub fn values(&self, raw: &[f32]) -> Vec<f64> {
        let as_they_are = || raw.iter().map(|v| f64::from(*v)).collect();
        let rounded = |v: f64| f64::from(v as f32);
        match self.kind {
            _ if self.probable => as_they_are(),
            TaskKind::Binary | TaskKind::Multilabel(_) => {
                raw.iter().map(|v| rounded(1.0 / (1.0 + (-f64::from(*v)).exp()))).collect()
            }
            TaskKind::Classes(_) | TaskKind::Segmentation(_) => {
                let n = self.sizes[0];
                let places = raw.len() / n.max(1);
                let mut out = vec![0f64; raw.len()];
                for p in 0..places {
                    let at = |c: usize| f64::from(raw[c * places + p]);
                    let most = (0..n).map(at).fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = (0..n).map(|c| (at(c) - most).exp()).sum();
                    for c in 0..n {
                        out[c * places + p] = rounded((at(c) - most).exp() / sum);
                    }
                }
                out
            }
            TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals => match &self.units {
                Some(units) => raw.iter().enumerate().map(|(i, v)| units.original(i, f64::from(*v))).collect(),
                None => as_they_are(),
            },
        }
    }

    /// Name of the likeliest class of a row; of equals the first, as accuracy counts.
    pub fn class(&self, raw: &[f32]) -> &str {
        let mut best = 0;
        for (i, v) in raw.iter().enumerate() {
            if *v > raw[best] {
                best = i;
            }
        }
        self.names.get(best).map_or("", String::as_str)
    }

    /// Numbers of all rows, as people read them.
    pub fn all(&self, raw: &[f32]) -> Vec<f64> {
        raw.chunks_exact(self.len().max(1)).flat_map(|row| self.values(row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kind: TaskKind, sizes: &[usize]) -> Answer {
        let names = (0..sizes[0]).map(|i| format!("c{i}")).collect();
        Answer { task: "t".into(), kind, names, sizes: sizes.to_vec(), units: None, probable: false }
    }

    #[test]
    fn logits_become_probabilities() {
        assert_eq!(answer(TaskKind::Binary, &[1]).values(&[0.0]), [0.5]);
        let classes = answer(TaskKind::Classes(Some(3)), &[3]);
        let p = classes.values(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(p, [0.5, 0.5, 0.0]);
        assert_eq!(classes.class(&[1.0, 2.0, 2.0]), "c1");
        assert_eq!(answer(TaskKind::Regression(2), &[2]).values(&[3.5, -1.0]), [3.5, -1.0]);
        let probable = Answer { probable: true, ..answer(TaskKind::Binary, &[1]) };
        assert_eq!(probable.values(&[0.25]), [0.25], "no second sigmoid");
        assert!(!probable.is_logit());
    }

    #[test]
    fn numbers_keep_the_digits_of_their_units() {
        let units = Some(Units::new(&[1.7e9], &[0.5]));
        let far = Answer { units, ..answer(TaskKind::Regression(1), &[1]) };
        assert!(far.is_wide() && !answer(TaskKind::Regression(1), &[1]).is_wide());
        assert_eq!(far.values(&[0.5]), [1_700_000_000.25]);
        assert_eq!(answer(TaskKind::Regression(1), &[1]).values(&[0.1]), [f64::from(0.1f32)]);
    }

    #[test]
    fn a_pixel_has_probabilities_of_its_own() {
        let p = answer(TaskKind::Segmentation(2), &[2, 1, 2]).values(&[0.0, 90.0, 0.0, -90.0]);
        assert_eq!(p, [0.5, 1.0, 0.5, 0.0]);
    }
}
