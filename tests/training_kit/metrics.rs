//! Metrics by hand, and against brute force.

use mtlc::objective::{Labelled, Meter, TaskKind, default_metrics, find_metric, metrics};
use mtlc::schema::Value;

use crate::calls::{call, number, word};

type Written<'a> = &'a [(&'static str, Value)];

fn score(name: &str, written: Written, kind: TaskKind, data: Labelled) -> Result<f64, String> {
    let def = find_metric(name).unwrap();
    let mut meter = Meter::new(def, &call(&def.call, written).args, kind);
    meter.add(data);
    meter.value()
}

fn rows<'a>(samples: usize, outputs: &'a [f32], labels: &'a [f32]) -> Labelled<'a> {
    Labelled { samples, outputs, labels, mask: None, units: None }
}

fn near(a: Result<f64, String>, b: f64) {
    let a = a.unwrap();
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

/// Scores on a coarse grid, so that many are equal.
fn draws(n: usize, salt: u64, levels: u64) -> Vec<f32> {
    (0..n as u64).map(|i| ((((i + 1) * 2654435761 + salt * 97) >> 7) % levels) as f32 - 3.0).collect()
}

#[test]
fn binary_metrics_by_hand() {
    let data = rows(5, &[2.0, -1.0, 0.5, 0.0, -3.0], &[1.0, 1.0, 0.0, 0.0, 0.0]);
    near(score("accuracy", &[], TaskKind::Binary, data), 3.0 / 5.0);
    near(score("accuracy", &[("threshold", number(0.75))], TaskKind::Binary, data), 4.0 / 5.0);
    near(score("auc", &[], TaskKind::Binary, data), 4.0 / 6.0); // -1 loses to 0.5 and 0
    near(score("f1", &[], TaskKind::Binary, data), 2.0 / 4.0); // tp 1, fp 1, fn 1
    let want: f64 = [-2.0, 1.0, 0.5, 0.0, -3.0].iter().map(|x: &f64| (1.0 + x.exp()).ln()).sum::<f64>() / 5.0;
    near(score("log_loss", &[], TaskKind::Binary, data), want);
}

#[test]
fn auc_is_the_share_of_pairs_in_order() {
    for (n, levels) in [(2, 2), (17, 3), (60, 5), (200, 7), (200, 100_000)] {
        let scores = draws(n, n as u64, levels);
        let labels: Vec<f32> = draws(n, 5, 3).iter().map(|v| f32::from(u8::from(*v > -2.0))).collect();
        let (mut wins, mut pairs) = (0.0, 0.0);
        for (a, _) in scores.iter().zip(&labels).filter(|(_, l)| **l == 1.0) {
            for (b, _) in scores.iter().zip(&labels).filter(|(_, l)| **l == 0.0) {
                pairs += 1.0;
                wins += if a > b {
                    1.0
                } else if a == b {
                    0.5
                } else {
                    0.0
                };
            }
        }
        let got = score("auc", &[], TaskKind::Binary, rows(n, &scores, &labels));
        if pairs > 0.0 {
            near(got, wins / pairs);
        } else {
            assert_eq!(got.unwrap_err(), "only one class among the labels");
        }
    }
    let equal = rows(3, &[1.0, 1.0, 1.0], &[0.0, 1.0, 0.0]);
    near(score("auc", &[], TaskKind::Binary, equal), 0.5);
}

#[test]
fn several_labels_are_averaged_over_those_that_are_defined() {
    let kind = TaskKind::Multilabel(Some(2));
    let data = rows(3, &[1.0, 1.0, -1.0, 2.0, 2.0, -1.0], &[1.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    near(score("auc", &[], kind, data), 0.5); // label 0: one of two pairs; label 1 is always 1
    near(score("accuracy", &[], kind, data), 4.0 / 6.0);
    near(score("f1", &[], kind, data), (2.0 / 3.0 + 4.0 / 5.0) / 2.0);
    near(score("f1", &[("average", word("micro"))], kind, data), 6.0 / 8.0);
}

#[test]
fn class_metrics_by_hand() {
    let kind = TaskKind::Classes(Some(3));
    let outputs = [3.0, 1.0, 0.0, 0.0, 2.0, 1.0, 1.0, 1.0, 0.0];
    let data = rows(3, &outputs, &[0.0, 2.0, 0.0]); // predicted 0, 1, 0 (the first of equals)
    near(score("accuracy", &[], kind, data), 2.0 / 3.0);
    near(score("f1", &[], kind, data), (1.0 + 0.0 + 0.0) / 3.0);
    near(score("f1", &[("average", word("micro"))], kind, data), 4.0 / 6.0);
    let lse = |row: &[f32]| row.iter().map(|v| (*v as f64).exp()).sum::<f64>().ln();
    let want = (lse(&outputs[..3]) - 3.0 + lse(&outputs[3..6]) - 1.0 + lse(&outputs[6..]) - 1.0) / 3.0;
    near(score("log_loss", &[], kind, data), want);
}

#[test]
fn regression_metrics_by_hand() {
    let kind = TaskKind::Regression(1);
    let data = rows(4, &[1.0, 2.0, 3.0, 5.0], &[1.0, 3.0, 3.0, 1.0]);
    near(score("mse", &[], kind, data), 17.0 / 4.0);
    near(score("rmse", &[], kind, data), (17f64 / 4.0).sqrt());
    near(score("mae", &[], kind, data), 5.0 / 4.0);
    near(score("r2", &[], kind, data), 1.0 - 17.0 / 4.0);
    let constant = rows(2, &[1.0, 2.0], &[5.0, 5.0]);
    assert_eq!(score("r2", &[], kind, constant).unwrap_err(), "the label does not vary");
    // Far from zero, where naive sums of squares lose everything.
    let far = rows(4, &[1e6, 1e6, 1e6 + 1.0, 1e6 + 1.0], &[1e6, 1e6 + 1.0, 1e6, 1e6 + 1.0]);
    near(score("r2", &[], kind, far), -1.0);
    let two = rows(2, &[0.0, 0.0, 1.0, 1.0], &[0.0, 1.0, 1.0, 0.0]);
    near(score("r2", &[], TaskKind::Regression(2), two), (1.0 - 3.0) / 2.0);
}

#[test]
fn dense_metrics_by_hand() {
    // One sample, two classes, four pixels: class 0 scores, then class 1 scores.
    let kind = TaskKind::Segmentation(2);
    let outputs = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]; // predicted 0 0 1 1
    let data = rows(1, &outputs, &[0.0, 1.0, 1.0, 1.0]);
    near(score("accuracy", &[], kind, data), 3.0 / 4.0);
    near(score("iou", &[], kind, data), (1.0 / 2.0 + 2.0 / 3.0) / 2.0);
    let masked = Labelled { mask: Some(&[1.0, 0.0, 1.0, 0.0]), labels: &[0.0, f32::NAN, 1.0, 255.0], ..data };
    near(score("iou", &[], kind, masked), 1.0);

    let normals = rows(1, &[3.0, 0.0, 4.0, 1.0, 0.0, 0.0], &[1.0, 0.0, 0.0, -2.0, 0.0, 0.0]);
    near(score("cosine_similarity", &[], TaskKind::Normals, normals), (0.6 - 1.0) / 2.0);
    let depth = Labelled { mask: Some(&[1.0, 0.0]), ..rows(1, &[1.0, 2.0], &[0.0, 9.0]) };
    near(score("mae", &[], TaskKind::Depth, depth), 1.0);
}

#[test]
fn masks_of_any_form_count_what_is_labelled_only() {
    let kind = TaskKind::Regression(2);
    const NAN: f32 = f32::NAN;
    let outputs = [1.0, 2.0, 3.0, 4.0];
    let by_sample = Labelled { mask: Some(&[0.0, 1.0]), ..rows(2, &outputs, &[NAN, NAN, 1.0, 1.0]) };
    near(score("mae", &[], kind, by_sample), 2.5);
    let by_label = Labelled { mask: Some(&[1.0, 0.0, 0.0, 1.0]), ..rows(2, &outputs, &[0.0, NAN, NAN, 1.0]) };
    near(score("mae", &[], kind, by_label), 2.0);
    let none = Labelled { mask: Some(&[0.0, 0.0]), ..rows(2, &outputs, &[NAN; 4]) };
    assert_eq!(score("mae", &[], kind, none).unwrap_err(), "no sample has a label");
}

#[test]
fn what_is_no_number_is_said() {
    let kind = TaskKind::Regression(1);
    assert_eq!(score("mse", &[], kind, rows(1, &[f32::NAN], &[0.0])).unwrap_err(), "an output is not a finite number");
    assert!(score("mse", &[], kind, rows(1, &[0.0], &[f32::NAN])).unwrap_err().contains("mask"));
    let class = score("accuracy", &[], TaskKind::Classes(Some(2)), rows(1, &[0.0, 1.0], &[2.0]));
    assert_eq!(class.unwrap_err(), "label 2 is not one of 2 classes");
}

#[test]
fn batches_do_not_change_a_value() {
    let (n, outputs) = (101, draws(202, 1, 1000));
    let labels: Vec<f32> = draws(202, 2, 2).iter().map(|v| v + 3.0).collect();
    for def in metrics() {
        let kind = [TaskKind::Multilabel(Some(2)), TaskKind::Regression(2)].into_iter().find(|k| (def.fits)(*k));
        let Some(kind) = kind else { continue };
        let args = call(&def.call, &[]).args;
        let mut whole = Meter::new(def, &args, kind);
        whole.add(rows(n, &outputs, &labels));
        let mut parts = Meter::new(def, &args, kind);
        for from in (0..n).step_by(7) {
            let to = (from + 7).min(n);
            parts.add(rows(to - from, &outputs[2 * from..2 * to], &labels[2 * from..2 * to]));
        }
        assert_eq!(whole.value(), parts.value(), "{}", def.call.name);
        assert_eq!(whole.seen(), 202);
    }
}

#[test]
fn every_kind_has_default_metrics_that_fit() {
    use TaskKind::*;
    for kind in [Binary, Classes(Some(3)), Multilabel(Some(2)), Regression(2), Segmentation(4), Depth, Normals] {
        let defaults = default_metrics(kind);
        assert!(!defaults.is_empty(), "{kind:?}");
        assert!(defaults.iter().all(|d| (d.fits)(kind)), "{kind:?}");
    }
    let names: Vec<_> = default_metrics(Binary).iter().map(|d| d.call.name).collect();
    assert_eq!(names, ["accuracy", "auc"]);
}
