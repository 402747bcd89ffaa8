//! The relaxed samples that weigh DMTG's losses, and the gradients of their logits.

use crate::random::Randomness;
use crate::search::choices::{argmax, softmax, softmax_at};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sampler {
    Gumbel,
    GumbelEach,
    Softmax,
    Hard,
}

impl Sampler {
    pub fn new(name: &str) -> Sampler {
        match name {
            "gumbel" => Sampler::Gumbel,
            "gumbel_each" => Sampler::GumbelEach,
            "softmax" => Sampler::Softmax,
            _ => Sampler::Hard,
        }
    }

    /// Whether every example of a batch has a sample of its own.
    pub fn each(self) -> bool {
        self == Sampler::GumbelEach
    }

    /// The divisor of logits and noise. The released `softmax` has no temperature.
    pub fn temperature(self, tau: f64) -> f64 {
        if self == Sampler::Softmax { 1.0 } else { tau }
    }

    /// The relaxed samples of each task for a batch of `rows` examples: `[K]`, or `[rows, K]` where every example has its own.
    pub fn draw(self, logits: &[Vec<f64>], tau: f64, random: Randomness, step: u64, rows: usize) -> Vec<Vec<f64>> {
        let (samples, tau) = (if self.each() { rows } else { 1 }, self.temperature(tau));
        let row = |(c, row): (usize, &Vec<f64>)| {
            let noise = match self {
                Sampler::Softmax => vec![0.0; row.len()],
                _ => random.gumbel("gumbel", [step, c as u64, 0], samples * row.len()),
            };
            let relaxed =
                |noise: &[f64]| softmax_at(&row.iter().zip(noise).map(|(l, e)| l + e).collect::<Vec<_>>(), tau);
            noise.chunks_exact(row.len().max(1)).flat_map(relaxed).collect()
        };
        logits.iter().enumerate().map(row).collect()
    }

    /// What weighs the loss of head `k`: of the whole batch, or of each example.
    pub fn shares(self, relaxed: &[f64], groups: usize, k: usize) -> Vec<f64> {
        relaxed
            .chunks_exact(groups)
            .map(|p| if self == Sampler::Hard { f64::from(argmax(p) == k) } else { p[k] })
            .collect()
    }
}

/// Gradient of a task's weighted loss with respect to its logits, `[K]`: `relaxed` are its samples and `pulls` the losses that they
/// weigh, both `[K]` or `[rows, K]`.
pub(super) fn through_samples(relaxed: &[f64], pulls: &[f64], groups: usize, tau: f64) -> Vec<f64> {
    let mut grad = vec![0.0; groups];
    for (p, g) in relaxed.chunks_exact(groups).zip(pulls.chunks_exact(groups)) {
        grad.iter_mut().zip(through_softmax(p, g, tau)).for_each(|(sum, v)| *sum += v);
    }
    grad
}

/// Gradient of `sum_k p_k g_k`, p = softmax(x / tau), with respect to x.
fn through_softmax(p: &[f64], g: &[f64], tau: f64) -> Vec<f64> {
    let mean: f64 = p.iter().zip(g).map(|(p, g)| p * g).sum();
    p.iter().zip(g).map(|(p, g)| p * (g - mean) / tau).collect()
}

/// Gradient of a task's entropy term with respect to its logits: d/dp (-p log p - (1 - p) log(1 - p)) = log((1 - p) / p).
pub(super) fn entropy_gradient(logits: &[f64]) -> Vec<f64> {
    let p = softmax(logits);
    let g: Vec<f64> = p.iter().map(|p| ((1.0 - p).max(1e-300) / p.max(1e-300)).ln()).collect();
    through_softmax(&p, &g, 1.0)
}

/// A task's entropy term.
pub(super) fn entropy(logits: &[f64]) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    softmax(logits).into_iter().map(|p| part(p) + part(1.0 - p)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The released `softmax` is softmax(logits) at any temperature (`F.softmax(self.group_matrix, dim=-1)`); the other samplers divide by the temperature.
    #[test]
    fn only_noisy_samplers_have_a_temperature() {
        let logits = vec![vec![0.3, -0.7, 1.1], vec![2.0, 0.0, -1.0]];
        let draw = |name: &str, tau: f64| Sampler::new(name).draw(&logits, tau, Randomness::new(1), 7, 4);
        for tau in [0.1, 1.0, 2.5, 40.0] {
            let found = draw("softmax", tau);
            assert_eq!(found, logits.iter().map(|l| softmax(l)).collect::<Vec<_>>(), "at {tau}");
        }
        for name in ["gumbel", "gumbel_each", "hard"] {
            assert_ne!(draw(name, 1.0), draw(name, 2.5), "{name}");
            assert_eq!(draw(name, 2.5)[0].len(), if name == "gumbel_each" { 12 } else { 3 });
        }
    }

    /// Against central differences of the terms themselves.
    #[test]
    fn gradients_of_logits() {
        let (x, g, tau, h) = ([0.3, -0.7, 1.1], [2.0, 0.5, 1.25], 1.7, 1e-5);
        let of = |x: &[f64]| -> f64 {
            softmax(&x.iter().map(|v| v / tau).collect::<Vec<_>>()).iter().zip(&g).map(|(p, g)| p * g).sum()
        };
        let p = softmax(&x.iter().map(|v| v / tau).collect::<Vec<_>>());
        let (found, of_entropy) = (through_softmax(&p, &g, tau), entropy_gradient(&x));
        for k in 0..3 {
            let moved = |by: f64| {
                let mut y = x;
                y[k] += by;
                y
            };
            let difference = |f: &dyn Fn(&[f64]) -> f64| (f(&moved(h)) - f(&moved(-h))) / (2.0 * h);
            assert!((found[k] - difference(&of)).abs() < 1e-9);
            assert!((of_entropy[k] - difference(&entropy)).abs() < 1e-9);
        }
        // Logits that have gone far are no numbers to fear.
        assert!(entropy_gradient(&[900.0, -900.0]).iter().all(|v| v.is_finite()));
    }
}
