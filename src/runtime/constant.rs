//! The best scores without using the inputs: constant outputs, equal for every row, that are computed from the labels of the training
//! split.

use super::RunError;
use super::evaluate::score;
use super::feed::Feed;
use super::record::TaskScores;
use crate::data::{LabelData, Table};
use crate::hir::Task;
use crate::objective::{TaskKind, from_probabilities};

/// Candidates for constant outputs per row or pixel, each `[outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Constants(Vec<Vec<f32>>);

/// Probabilities are at least this far from 0 and 1.
const LEAST: f64 = 1e-6;

impl Constants {
    /// The constants of a task, from its labels in `rows` rows.
    pub fn of(task: &Task, labels: &LabelData, rows: usize) -> Constants {
        let outputs = task.kind.outputs().unwrap_or(1);
        let classes = matches!(task.kind, TaskKind::Classes(_) | TaskKind::Segmentation(_));
        let columns = columns(labels, rows, if classes { 1 } else { outputs });
        let probable = from_probabilities(&task.loss);
        let mean = |c: &Vec<f32>| c.iter().map(|v| f64::from(*v)).sum::<f64>() / c.len().max(1) as f64;
        let chance = |p: f64| p.clamp(LEAST, 1.0 - LEAST);
        let all = match task.kind {
            TaskKind::Binary | TaskKind::Multilabel(_) => {
                let of = |p: f64| if probable { p } else { (p / (1.0 - p)).ln() };
                let shares: Vec<f32> = columns.iter().map(|c| of(chance(mean(c))) as f32).collect();
                // With a threshold, the predictions are all 0 or all 1.
                vec![shares, vec![of(1.0 - LEAST) as f32; outputs]]
            }
            TaskKind::Classes(_) | TaskKind::Segmentation(_) => {
                let mut counts = vec![0.0f64; outputs];
                for v in &columns[0] {
                    if let Some(n) = counts.get_mut(*v as usize) {
                        *n += 1.0;
                    }
                }
                let total = counts.iter().sum::<f64>().max(1.0);
                let of = |n: &f64| if probable { n / total } else { chance(n / total).ln() };
                vec![counts.iter().map(|n| of(n) as f32).collect()]
            }
            TaskKind::Regression(_) | TaskKind::Depth | TaskKind::Normals => {
                let median = |c: &Vec<f32>| {
                    let mut sorted = c.clone();
                    sorted.sort_by(f32::total_cmp);
                    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
                };
                vec![columns.iter().map(|c| mean(c) as f32).collect(), columns.iter().map(median).collect()]
            }
        };
        Constants(all)
    }

    /// The scores of each constant on a split.
    pub fn scores(&self, task: &Task, feed: &Feed, table: &Table, place: usize) -> Result<Vec<TaskScores>, RunError> {
        let labels = &table.labels[place];
        let outputs = task.kind.outputs().unwrap_or(1);
        let per_label = if matches!(task.kind, TaskKind::Segmentation(_)) { 1 } else { outputs };
        let pixels = if task.kind.is_dense() { labels.size / per_label.max(1) } else { 1 };
        let one = |constant: &Vec<f32>| {
            let row: Vec<f32> = constant.iter().flat_map(|v| std::iter::repeat_n(*v, pixels)).collect();
            let values = row.repeat(table.rows);
            let sizes = if pixels > 1 { vec![outputs, 1, pixels] } else { vec![outputs] };
            score(task, feed.loss(place), &sizes, table, labels, &values)
        };
        self.0.iter().map(one).collect()
    }
}

/// The labels that count, for each component: `[components][labels]`.
fn columns(labels: &LabelData, rows: usize, components: usize) -> Vec<Vec<f32>> {
    let pixels = labels.size / components.max(1);
    let counts = |row: usize, c: usize, pixel: usize| match &labels.mask {
        None => true,
        Some(m) if m.size == 1 => m.marks[row] == 1,
        Some(m) => m.marks[row * m.size + (c * pixels + pixel) % m.size] == 1,
    };
    let column = |c: usize| {
        let cells = (0..rows).flat_map(|r| (0..pixels).map(move |p| (r, p)));
        let counted = cells.filter(|(r, p)| counts(*r, c, *p));
        counted.map(|(r, p)| labels.values[r * labels.size + c * pixels + p]).collect()
    };
    (0..components).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Mask;

    #[test]
    fn labels_that_do_not_count_are_left_out() {
        let labels = |size, values: &[f32], mask: Option<(usize, &[u8])>| LabelData {
            task: "t".into(),
            size,
            labels: mask.map_or(size, |(n, _)| n),
            values: values.to_vec(),
            units: None,
            mask: mask.map(|(size, marks)| Mask { size, marks: marks.to_vec() }),
        };
        let by_row = labels(2, &[1.0, 2.0, 3.0, 4.0], Some((1, &[0, 1])));
        assert_eq!(columns(&by_row, 2, 2), [[3.0], [4.0]]);
        let by_component = labels(2, &[1.0, 2.0, 3.0, 4.0], Some((2, &[1, 0, 1, 1])));
        assert_eq!(columns(&by_component, 2, 2), [vec![1.0, 3.0], vec![4.0]]);
        // Two pixels, two channels.
        let by_pixel = labels(4, &[1.0, 2.0, 3.0, 4.0], Some((2, &[0, 1])));
        assert_eq!(columns(&by_pixel, 1, 2), [[2.0], [4.0]]);
        assert_eq!(columns(&labels(1, &[5.0, 6.0], None), 2, 1), [[5.0, 6.0]]);
    }
}
