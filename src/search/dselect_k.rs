//! DSelect-k (Hazimeh et al., NeurIPS 2021), static gates.
//!
//! - **Parametrisation**: each reader has k selectors. A selector has m = ceil(log2 n) numbers, from U(-gamma / 100, gamma / 100);
//!   bit b of a code is 1 with S(z_b) and 0 with 1 - S(z_b), S the smooth step of width gamma, and the code's product r is the
//!   selector's weight of a candidate. Selectors are mixed by softmax(w), w from U(-0.05, 0.05): q_i = sum_s softmax(w)_s r_si.
//! - **Estimator**: the gradient through q of the training loss, plus `entropy` times each selector's - sum r ln(r + 1e-6).
//! - **Procedure**: joint with the weights. Each selector's largest candidate is derived; the result is retrained. Selectors begin
//!   near each other and often end on the same candidate: k is the most that a reader takes.
//!
//! With `gate = sum` or `mean` the reader's value is sum_i q_i y_i, as published; other gates are multiplied by q before they are
//! normalised (`ops::mix::combine`), which the paper does not have. Where n is no power of two some codes name nobody: as in the
//! paper's code, `entropy` also weighs the sum over selectors of 1 / (weight on codes that name somebody). A selector that ends on a
//! code c that names nobody takes candidate c mod n, which is ours, so that nothing is ever empty.

use rand::RngExt;

use super::bench::{Bench, Ended, Ground, Outcome};
use super::choices::{argmax, softmax};
use super::relaxed::{self, Masks};
use super::{Offer, StrategyDef};
use crate::hir::schema::{DROP_LAST, WEIGHTING, optimizers};
use crate::random::Randomness;
use crate::runtime::RunError;
use crate::runtime::record::Listener;
use crate::schema::{AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, NON_NEGATIVE, Need, POSITIVE, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "dselect_k",
        doc: "Differentiable selection of at most k sub-networks per reader by smooth steps.",
        args: &[
            AttrDef { name: "epochs", ty: COUNT, need: Need::Default("30"), doc: "Passes over the training split." },
            AttrDef { name: "batch", ty: COUNT, need: Need::Default("64"), doc: "Samples per step." },
            DROP_LAST,
            AttrDef {
                name: "warmup",
                ty: Ty::Duration,
                need: Need::Default("0 epochs"),
                doc: "At the start selectors are used and not learned.",
            },
            AttrDef {
                name: "k",
                ty: Ty::Int { min: 1, max: 64 },
                need: Need::Default("2"),
                doc: "Selectors of each reader: it takes so many sub-networks at the most.",
            },
            AttrDef { name: "gamma", ty: POSITIVE, need: Need::Default("1"), doc: "Width of the smooth step." },
            AttrDef {
                name: "entropy",
                ty: NON_NEGATIVE,
                need: Need::Default("1e-6"),
                doc: "Weight of the selectors' entropy, added to the loss.",
            },
            AttrDef {
                name: "weights",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-3)"),
                doc: "Optimiser of the weights.",
            },
            AttrDef {
                name: "choices",
                ty: Ty::Call(optimizers),
                need: Need::Default("adam(lr = 1e-2)"),
                doc: "Optimiser of the selectors.",
            },
            AttrDef {
                name: "schedule",
                ty: FACTOR_SCHEDULE,
                need: Need::Optional,
                doc: "Factor on both learning rates.",
            },
            AttrDef {
                name: "clip",
                ty: POSITIVE,
                need: Need::Optional,
                doc: "Largest global L2 norm of the weights' gradient; absent: no clipping.",
            },
            WEIGHTING,
        ],
    },
    paper: "Hazimeh et al. 2021, DSelect-k",
    decides: &[Offer::Routes],
    requires: &[Offer::Routes],
    most_levels: None,
    whole: false,
    budget: false,
    single: false,
    one_shot: false,
    check: relaxed::check,
    procedure: search,
};

fn search(ground: &Ground, bench: &mut dyn Bench, listener: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let args = &ground.search.args;
    let masks = Selectors { k: args.size("k"), gamma: args.float("gamma"), entropy: args.float("entropy") };
    relaxed::search(ground, bench, listener, std::rc::Rc::new(masks))
}

/// A row is w, `[k]`, then z, `[k, bits]`.
struct Selectors {
    k: usize,
    gamma: f64,
    entropy: f64,
}

/// Bits of a code for `candidates`.
fn bits(candidates: usize) -> usize {
    candidates.next_power_of_two().trailing_zeros() as usize
}

/// 1 where some codes name nobody, else 0.
fn spare(candidates: usize) -> f64 {
    f64::from(!candidates.is_power_of_two())
}

/// The selector of the largest share.
fn z_of_largest<'r>(w: &[f64], z: &[&'r [f64]]) -> &'r [f64] {
    z[argmax(w)]
}

impl Selectors {
    /// S(t), and its derivative: 0 below -gamma / 2, 1 above gamma / 2, and the cubic between.
    fn step(&self, t: f64) -> (f64, f64) {
        let g = self.gamma;
        match t {
            t if t <= -g / 2.0 => (0.0, 0.0),
            t if t >= g / 2.0 => (1.0, 0.0),
            t => {
                // Computed in units of the width, since the cube of a small width would underflow to 0.
                let u = t / g;
                (-2.0 * u.powi(3) + 1.5 * u + 0.5, (1.5 - 6.0 * u.powi(2)) / g)
            }
        }
    }

    /// A selector's weight of each candidate.
    fn weights(&self, z: &[f64], candidates: usize) -> Vec<f64> {
        let mut out = vec![0.0; candidates];
        for (code, out) in out.iter_mut().enumerate() {
            *out = z.iter().enumerate().map(|(b, t)| self.bit(*t, code >> b & 1 == 1).0).product();
        }
        out
    }

    /// The candidate that a selector takes.
    fn taken(&self, z: &[f64], candidates: usize) -> usize {
        let r = self.weights(z, candidates);
        if r.iter().any(|r| *r > 0.0) {
            return argmax(&r);
        }
        let code: usize = z.iter().enumerate().map(|(b, t)| usize::from(*t > 0.0) << b).sum();
        code % candidates
    }

    /// The chance of a bit, and its derivative.
    fn bit(&self, t: f64, one: bool) -> (f64, f64) {
        let (s, ds) = self.step(t);
        if one { (s, ds) } else { (1.0 - s, -ds) }
    }

    /// d (sum_i pull_i r_i) / d z of one selector.
    fn back(&self, z: &[f64], candidates: usize, pull: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; z.len()];
        for (code, pull) in pull.iter().enumerate().take(candidates) {
            for (b, slot) in out.iter_mut().enumerate() {
                let part = |(other, t): (usize, &f64)| {
                    let (p, dp) = self.bit(*t, code >> other & 1 == 1);
                    if other == b { dp } else { p }
                };
                *slot += pull * z.iter().enumerate().map(part).product::<f64>();
            }
        }
        out
    }

    fn parts<'r>(&self, row: &'r [f64], candidates: usize) -> (&'r [f64], Vec<&'r [f64]>) {
        let (w, z) = row.split_at(self.k);
        let m = bits(candidates);
        (w, (0..self.k).map(|s| &z[s * m..(s + 1) * m]).collect())
    }
}

impl Masks for Selectors {
    fn start(&self, candidates: usize, random: Randomness, choice: usize) -> Vec<f64> {
        let mut rng = random.stream("selectors", [choice as u64, 0, 0]);
        let z = self.gamma / 100.0;
        let w: Vec<f64> = (0..self.k).map(|_| rng.random_range(-0.05..0.05)).collect();
        w.into_iter().chain((0..self.k * bits(candidates)).map(|_| rng.random_range(-z..z))).collect()
    }

    fn mask(&self, row: &[f64], candidates: usize, _: Randomness, _: [u64; 3]) -> Vec<f64> {
        let (w, parts) = self.parts(row, candidates);
        let mut q = vec![0.0; candidates];
        for (share, z) in softmax(w).into_iter().zip(&parts) {
            q.iter_mut().zip(self.weights(z, candidates)).for_each(|(q, r)| *q += share * r);
        }
        // In single precision, as the network has it.
        if q.iter().all(|q| *q as f32 == 0.0) {
            q[self.taken(z_of_largest(w, &parts), candidates)] = 1.0;
        }
        // Rounding may lead beyond one.
        q.into_iter().map(|q| q.min(1.0)).collect()
    }

    fn gradient(&self, row: &[f64], candidates: usize, _: Randomness, _: [u64; 3], pull: Option<&[f64]>) -> Vec<f64> {
        let (w, z) = self.parts(row, candidates);
        let shares = softmax(w);
        let none = vec![0.0; candidates];
        let pull = pull.unwrap_or(&none);
        let weights: Vec<Vec<f64>> = z.iter().map(|z| self.weights(z, candidates)).collect();
        let worth: Vec<f64> = weights.iter().map(|r| r.iter().zip(pull).map(|(r, p)| r * p).sum()).collect();
        let mean: f64 = shares.iter().zip(&worth).map(|(s, v)| s * v).sum();
        let mut out: Vec<f64> = shares.iter().zip(&worth).map(|(s, v)| s * (v - mean)).collect();
        for ((share, z), r) in shares.iter().zip(&z).zip(&weights) {
            let total = r.iter().sum::<f64>() + 1e-6;
            let pushed = |r: f64| -((r + 1e-6).ln() + r / (r + 1e-6)) - spare(candidates) / (total * total);
            let pulled: Vec<f64> = pull.iter().zip(r).map(|(p, r)| share * p + self.entropy * pushed(*r)).collect();
            out.extend(self.back(z, candidates, &pulled));
        }
        out
    }

    fn penalty(&self, row: &[f64], candidates: usize) -> f64 {
        let (_, z) = self.parts(row, candidates);
        let one = |z: &[f64]| {
            let r = self.weights(z, candidates);
            let entropy: f64 = r.iter().map(|r| -r * (r + 1e-6).ln()).sum();
            entropy + spare(candidates) / (r.iter().sum::<f64>() + 1e-6)
        };
        self.entropy * z.into_iter().map(one).sum::<f64>()
    }

    fn subset(&self, row: &[f64], candidates: usize) -> (Vec<usize>, Vec<f64>) {
        let (_, z) = self.parts(row, candidates);
        let mut members: Vec<usize> = z.iter().map(|z| self.taken(z, candidates)).collect();
        members.sort_unstable();
        members.dedup();
        (members, self.mask(row, candidates, Randomness::new(0), [0; 3]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients() {
        let masks = Selectors { k: 2, gamma: 1.0, entropy: 0.2 };
        for (n, pull) in [(4, vec![0.7, -1.2, 0.4, 2.0]), (3, vec![0.5, -0.3, 1.1])] {
            relaxed::tests::gradient_is_right(&masks, n, &[0.4, -0.3, 0.1, -0.2, 0.3, 0.05], &pull);
        }
    }

    /// S is 0 and 1 outside of the step, continuous with its derivative; a saturated selector takes one candidate whole.
    #[test]
    fn the_smooth_step() {
        let masks = Selectors { k: 1, gamma: 2.0, entropy: 0.0 };
        assert_eq!((masks.step(-1.0), masks.step(1.0), masks.step(0.0).0), ((0.0, 0.0), (1.0, 0.0), 0.5));
        assert!(masks.step(-1.0 + 1e-9).0.abs() < 1e-12 && masks.step(1.0 - 1e-9).1.abs() < 1e-6);
        assert_eq!(masks.weights(&[1.5, -1.5], 4), [0.0, 1.0, 0.0, 0.0]);
        // Code 3 of three candidates names nobody: the first is taken.
        assert_eq!(masks.weights(&[1.5, 1.5], 3), [0.0, 0.0, 0.0]);
        assert_eq!(masks.subset(&[0.0, 1.5, 1.5], 3), (vec![0], vec![1.0, 0.0, 0.0]));
        assert_eq!(masks.subset(&[0.0, 1.5, -1.5], 4).0, [1]);
    }
}
