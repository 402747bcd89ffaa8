//! `cagrad`: conflict-averse gradient descent (Liu, Liu, Jin, Stone, Liu, NeurIPS 2021, algorithm 1).
//!
//! With g_0 the mean of the tasks' gradients and phi = c^2 ||g_0||^2: w minimises g_w . g_0 + sqrt(phi) ||g_w|| over the simplex,
//! g_w = sum_k w_k g_k, and the step goes along d = g_0 + sqrt(phi) / ||g_w|| g_w. The paper's total is a mean; here d is taken K
//! times, so that c = 0 gives `static`. Released code divides d by 1 + c^2 as well; the paper does not. Where g_w is 0 the tasks'
//! gradients cancel, no direction helps all of them, and d = g_0.
//!
//! The minimum is found from the inner products alone, by projected gradient steps with a line search: the function is convex.

use candle_core::{Result, bail};

use super::{Factors, Needs, Over, Rule, Seen, WeightingDef};
use crate::schema::{Args, AttrDef, CallDef, FRACTION, Need};

pub static DEF: WeightingDef = WeightingDef {
    call: CallDef {
        name: "cagrad",
        doc: "CAGrad: the shared step that helps the worst-off task most, within c times the mean gradient's norm of the mean \
              gradient. A backward pass per task.",
        args: &[AttrDef {
            name: "c",
            ty: FRACTION,
            need: Need::Default("0.4"),
            doc: "Radius as a share of the mean gradient's norm; 0: the mean gradient.",
        }],
    },
    paper: "Liu et al. 2021, Conflict-Averse Gradient Descent for Multi-task Learning, algorithm 1",
    needs: Needs::Gradients(Over::Shared),
    make: |args, _| Ok(Box::new(CaGrad::new(args))),
};

struct CaGrad {
    c: f64,
}

impl CaGrad {
    fn new(args: &Args) -> CaGrad {
        CaGrad { c: args.float("c") }
    }
}

impl Rule for CaGrad {
    fn factors(&mut self, seen: &Seen) -> Result<Factors> {
        let Some(products) = seen.gradients else { bail!("cagrad needs gradients") };
        let tasks = seen.losses.len();
        let here: Vec<usize> = (0..tasks).filter(|k| seen.present[*k] && products.reach[*k]).collect();
        let mut shared = vec![1.0; tasks];
        if here.len() > 1 && self.c > 0.0 {
            let inner: Vec<Vec<f64>> =
                here.iter().map(|i| here.iter().map(|j| products.inner[*i][*j]).collect()).collect();
            for (k, f) in here.iter().zip(direction(&inner, self.c)) {
                shared[*k] = f;
            }
        }
        Ok(Factors { shared, own: vec![1.0; tasks] })
    }
}

/// K d as coefficients of the tasks' gradients.
fn direction(inner: &[Vec<f64>], c: f64) -> Vec<f64> {
    let tasks = inner.len() as f64;
    // Scaling all gradients scales the function: numbers of the size of 1 are what tolerances are for.
    let scale = inner.iter().enumerate().map(|(i, row)| row[i]).fold(0.0, f64::max);
    if scale <= 0.0 {
        return vec![1.0; inner.len()];
    }
    let inner: Vec<Vec<f64>> = inner.iter().map(|row| row.iter().map(|v| v / scale).collect()).collect();
    let times =
        |w: &[f64]| -> Vec<f64> { inner.iter().map(|row| row.iter().zip(w).map(|(a, b)| a * b).sum()).collect() };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let even = vec![1.0 / tasks; inner.len()];
    let towards = times(&even);
    let radius = c * dot(&even, &towards).max(0.0).sqrt();
    let value = |w: &[f64]| dot(w, &towards) + radius * dot(w, &times(w)).max(0.0).sqrt();
    let mut w = even;
    let mut best = value(&w);
    let mut rate = 1.0;
    for _ in 0..MOST {
        let of = times(&w);
        let norm = dot(&w, &of).max(0.0).sqrt();
        if norm < TINY {
            break;
        }
        let gradient: Vec<f64> = towards.iter().zip(&of).map(|(t, o)| t + radius * o / norm).collect();
        let step = |rate: f64| simplex(&w.iter().zip(&gradient).map(|(w, g)| w - rate * g).collect::<Vec<_>>());
        // Armijo's condition for a projected step.
        let mut next = step(rate);
        while rate > TINY
            && value(&next) > best + 0.5 * dot(&gradient, &next.iter().zip(&w).map(|(a, b)| a - b).collect::<Vec<_>>())
        {
            rate /= 2.0;
            next = step(rate);
        }
        let found = value(&next);
        let moved = next.iter().zip(&w).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        if found > best {
            break;
        }
        (w, best) = (next, found);
        if moved < 1e-12 {
            break;
        }
        rate *= 2.0;
    }
    let norm = dot(&w, &times(&w)).max(0.0).sqrt();
    if norm < TINY {
        return vec![1.0; inner.len()];
    }
    w.iter().map(|w| 1.0 + tasks * radius / norm * w).collect()
}

/// Steps of the search for w; it takes tens.
const MOST: usize = 2_000;

/// A norm below which g_w is 0, relative to the longest gradient.
const TINY: f64 = 1e-9;

/// The nearest point whose entries are 0 or more and sum to 1.
fn simplex(v: &[f64]) -> Vec<f64> {
    let mut sorted = v.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let (mut sum, mut shift) = (0.0, 0.0);
    for (i, x) in sorted.iter().enumerate() {
        sum += x;
        let with = (sum - 1.0) / (i + 1) as f64;
        if x - with > 0.0 {
            shift = with;
        }
    }
    v.iter().map(|x| (x - shift).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_point_of_the_simplex() {
        assert_eq!(simplex(&[0.2, 0.8]), [0.2, 0.8]);
        assert_eq!(simplex(&[3.0, 0.0, -1.0]), [1.0, 0.0, 0.0]);
        let p = simplex(&[0.9, 0.6, -4.0]);
        assert!((p[0] - 0.65).abs() < 1e-12 && (p[1] - 0.35).abs() < 1e-12 && p[2] == 0.0, "{p:?}");
    }

    /// Gradients that are 0, alike, or cancel give numbers.
    #[test]
    fn degenerate_gradients_have_a_direction() {
        assert_eq!(direction(&[vec![0.0, 0.0], vec![0.0, 0.0]], 0.5), [1.0, 1.0]);
        assert_eq!(direction(&[vec![1.0, -1.0], vec![-1.0, 1.0]], 0.5), [1.0, 1.0]);
        let alike = direction(&vec![vec![4.0; 3]; 3], 0.5);
        assert!((alike.iter().sum::<f64>() - 4.5).abs() < 1e-12, "{alike:?}");
    }
}
