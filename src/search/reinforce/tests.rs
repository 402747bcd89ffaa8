//! The estimator against enumeration and differences.

use super::*;
use crate::hir::{StageId, TaskId};
use crate::ir::{Choice, ChoiceKind, Reader};
use crate::search::choices::softmax;

/// A choice of one of `candidates` candidates.
fn categorical(candidates: usize) -> Law {
    Law::of(&Choice { reader: Reader::Head(TaskId(0)), of: StageId(0), candidates, kind: ChoiceKind::One })
}

fn laws() -> Vec<Law> {
    SIZES.map(categorical).to_vec()
}

/// A space of three choices (7 routes, 3 parents, 4 parents), the last of whose readers is used only under some of the first,
/// with a reward that no choice explains alone.
fn reward(d: &[usize]) -> (f64, Vec<bool>) {
    let used = d[0].is_multiple_of(2);
    let third = if used { 0.3 * (d[2] as f64 - 1.0) * (1.0 + d[1] as f64) } else { 0.1 };
    let value = ((d[0] * 3 + d[1] * 5) % 7) as f64 / 7.0 + third;
    (value, vec![true, true, used])
}

const SIZES: [usize; 3] = [7, 3, 4];

fn logits() -> Vec<Vec<f64>> {
    SIZES.iter().enumerate().map(|(c, n)| (0..*n).map(|i| ((i * 7 + c * 3) % 5) as f64 / 4.0 - 0.5).collect()).collect()
}

/// d (- sum_a p(a) R(a)) / d logits, over all 84 networks.
fn exact() -> Vec<Vec<f64>> {
    let p: Vec<Vec<f64>> = logits().iter().map(|r| softmax(r)).collect();
    let mut out: Vec<Vec<f64>> = SIZES.iter().map(|n| vec![0.0; *n]).collect();
    for n in 0..SIZES.iter().product::<usize>() {
        let d = [n % 7, n / 7 % 3, n / 21];
        let chance: f64 = d.iter().zip(&p).map(|(i, p)| p[*i]).product();
        for (c, row) in out.iter_mut().enumerate() {
            for (k, g) in row.iter_mut().enumerate() {
                *g -= chance * reward(&d).0 * (f64::from(d[c] == k) - p[c][k]);
            }
        }
    }
    out
}

/// The estimate at 10,000 samples is within three standard errors of the gradient by enumeration, with and without a baseline,
/// though readers that are not used learn nothing.
#[test]
fn the_estimate_is_unbiased() {
    let (logits, exact, n) = (logits(), exact(), 10_000);
    for baseline in [0.0, 0.5] {
        let mut sums: Vec<Vec<(f64, f64)>> = SIZES.iter().map(|n| vec![(0.0, 0.0); *n]).collect();
        let mut skipped = 0;
        for i in 0..n {
            let sampled = sample(&laws(), &logits, Randomness::new(3), "test", [i, 0]);
            let (reward, used) = reward(&sampled);
            let one = estimate(&laws(), &logits, &[Drawn { sampled, used, reward }], baseline);
            for (sums, g) in sums.iter_mut().zip(one) {
                let Some(g) = g else {
                    skipped += 1;
                    continue;
                };
                sums.iter_mut().zip(g).for_each(|(s, g)| *s = (s.0 + g, s.1 + g * g));
            }
        }
        assert!(skipped > 1000);
        for (sums, exact) in sums.iter().flatten().zip(exact.iter().flatten()) {
            let mean = sums.0 / n as f64;
            let error = ((sums.1 / n as f64 - mean * mean) / n as f64).sqrt();
            assert!((mean - exact).abs() < 3.0 * error, "{mean} and {exact}, standard error {error}");
        }
    }
}

#[test]
fn several_samples_are_averaged() {
    let logits = logits();
    let drawn = |d: [usize; 3]| {
        let (reward, used) = reward(&d);
        Drawn { sampled: d.to_vec(), used, reward }
    };
    let (a, b) = (drawn([0, 1, 3]), drawn([2, 2, 0]));
    let apart: Vec<_> = [&a, &b]
        .map(|d| {
            estimate(
                &laws(),
                &logits,
                &[Drawn { sampled: d.sampled.clone(), used: d.used.clone(), reward: d.reward }],
                0.2,
            )
        })
        .into();
    let both = estimate(&laws(), &logits, &[a, b], 0.2);
    for (c, row) in both.iter().enumerate() {
        for (k, g) in row.as_ref().expect("used").iter().enumerate() {
            let mean: f64 = apart.iter().map(|e| e[c].as_ref().expect("used")[k]).sum::<f64>() / 2.0;
            assert!((g - mean).abs() < 1e-12);
        }
    }
}

#[test]
fn entropy_against_differences() {
    let rows = vec![vec![0.3, -1.0, 0.8]];
    let entropy = |r: &[f64]| softmax(r).iter().map(|p| -p * p.ln()).sum::<f64>();
    let mut gradient = vec![None];
    add_entropy(&[categorical(3)], &mut gradient, &rows, 0.7);
    for (i, g) in gradient[0].as_ref().expect("a row").iter().enumerate() {
        let moved = |by: f64| {
            let mut r = rows[0].clone();
            r[i] += by;
            -0.7 * entropy(&r)
        };
        assert!((g - (moved(1e-6) - moved(-1e-6)) / 2e-6).abs() < 1e-8);
    }
}
