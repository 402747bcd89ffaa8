//! SNR: Sub-Network Routing (Ma et al., AAAI 2019).
//!
//! - **Parametrisation**: log alpha per connection, from 0. A connection's gate z is hard-concrete (Louizos et al. 2018):
//!   s = sigmoid((ln u - ln(1 - u) + log alpha) / beta), z = min(1, max(0, s (zeta - gamma) + gamma)), gamma -0.1, zeta 1.1.
//! - **Estimator**: the gradient through z, of the training loss plus `penalty` times the expected number of connections, the sum of
//!   P(z > 0) = sigmoid(log alpha - beta ln(-gamma / zeta)). A fresh u per connection and batch.
//! - **Procedure**: joint with the weights. A connection is derived if the median of its z is above 0; the result is retrained.
//!
//! With `gate = sum` this is SNR-Aver; SNR-Trans, whose connections have matrices, is a space whose stages begin with a linear map.
//! Other gates are multiplied by z before they are normalised (`ops::mix::combine`), which the paper does not have. A draw, or a
//! result, without any connection is not in the paper either: the one of largest log alpha is then taken whole.

use super::bench::{Bench, Ended, Ground, Outcome};
use super::choices::argmax;
use super::relaxed::{self, Masks};
use super::{Offer, StrategyDef};
use crate::hir::schema::{DROP_LAST, WEIGHTING, optimizers};
use crate::random::{Randomness, open_unit};
use crate::runtime::RunError;
use crate::runtime::record::Listener;
use crate::schema::{AttrDef, COUNT, CallDef, FACTOR_SCHEDULE, NON_NEGATIVE, Need, POSITIVE, Ty};

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "snr",
        doc: "Sub-network routing: hard-concrete gates on connections with an L0 penalty.",
        args: &[
            AttrDef { name: "epochs", ty: COUNT, need: Need::Default("30"), doc: "Passes over the training split." },
            AttrDef { name: "batch", ty: COUNT, need: Need::Default("64"), doc: "Samples per step." },
            DROP_LAST,
            AttrDef {
                name: "warmup",
                ty: Ty::Duration,
                need: Need::Default("0 epochs"),
                doc: "At the start gates are drawn and not learned.",
            },
            AttrDef {
                name: "penalty",
                ty: NON_NEGATIVE,
                need: Need::Default("1e-4"),
                doc: "Weight of the L0 penalty: the expected number of connections.",
            },
            AttrDef {
                name: "beta",
                ty: POSITIVE,
                need: Need::Default("0.9"),
                doc: "Temperature of the hard-concrete distribution.",
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
                doc: "Optimiser of log alpha.",
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
    paper: "Ma et al. 2019, SNR: Sub-Network Routing",
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
    let masks = HardConcrete { beta: args.float("beta"), penalty: args.float("penalty") };
    relaxed::search(ground, bench, listener, std::rc::Rc::new(masks))
}

/// The stretch of the concrete distribution (Louizos et al. 2018).
const GAMMA: f64 = -0.1;
const ZETA: f64 = 1.1;

struct HardConcrete {
    beta: f64,
    penalty: f64,
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl HardConcrete {
    /// The stretched value before it is cut to [0, 1], and its derivative.
    fn stretched(&self, log_alpha: f64, noise: f64) -> (f64, f64) {
        let s = sigmoid((noise + log_alpha) / self.beta);
        (s * (ZETA - GAMMA) + GAMMA, s * (1.0 - s) / self.beta * (ZETA - GAMMA))
    }

    fn draw(&self, row: &[f64], random: Randomness, draw: [u64; 3]) -> Vec<(f64, f64)> {
        let mut rng = random.stream("hard concrete", draw);
        let noise = |u: f64| u.ln() - (1.0 - u).ln();
        row.iter().map(|a| self.stretched(*a, noise(open_unit(&mut rng)))).collect()
    }

    /// P(z > 0).
    fn open(&self, log_alpha: f64) -> f64 {
        sigmoid(log_alpha - self.beta * (-GAMMA / ZETA).ln())
    }
}

impl Masks for HardConcrete {
    fn start(&self, candidates: usize, _: Randomness, _: usize) -> Vec<f64> {
        vec![0.0; candidates]
    }

    fn mask(&self, row: &[f64], _: usize, random: Randomness, draw: [u64; 3]) -> Vec<f64> {
        let drawn = self.draw(row, random, draw);
        let mut mask: Vec<f64> = drawn.iter().map(|(z, _)| z.clamp(0.0, 1.0)).collect();
        // In single precision as the network has it.
        if mask.iter().all(|z| *z as f32 == 0.0) {
            mask[argmax(row)] = 1.0;
        }
        mask
    }

    fn gradient(&self, row: &[f64], _: usize, random: Randomness, draw: [u64; 3], pull: Option<&[f64]>) -> Vec<f64> {
        let drawn = self.draw(row, random, draw);
        let through = |(i, (z, dz)): (usize, &(f64, f64))| {
            let open = self.open(row[i]);
            let cut = *z <= 0.0 || *z >= 1.0;
            let pulled = pull.filter(|_| !cut).map_or(0.0, |p| p[i] * dz);
            pulled + self.penalty * open * (1.0 - open)
        };
        drawn.iter().enumerate().map(through).collect()
    }

    fn penalty(&self, row: &[f64], _: usize) -> f64 {
        self.penalty * row.iter().map(|a| self.open(*a)).sum::<f64>()
    }

    /// The median of z is the value at u = 1/2, where the noise is 0.
    fn subset(&self, row: &[f64], _: usize) -> (Vec<usize>, Vec<f64>) {
        let mut members: Vec<usize> = (0..row.len()).filter(|i| self.stretched(row[*i], 0.0).0 > 0.0).collect();
        if members.is_empty() {
            members.push(argmax(row));
        }
        (members, row.iter().map(|a| self.open(*a)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients() {
        let masks = HardConcrete { beta: 0.9, penalty: 0.3 };
        relaxed::tests::gradient_is_right(&masks, 4, &[0.3, -0.8, 1.5, 0.0], &[0.7, -1.2, 0.4, 2.0]);
    }

    /// The share of draws above 0 is what the penalty counts; the median is above 0 exactly where the half of them is.
    #[test]
    fn the_distribution_is_the_papers() {
        let masks = HardConcrete { beta: 0.9, penalty: 1.0 };
        let random = Randomness::new(1);
        let row = [-2.6, -2.158 + 0.1, -2.158 - 0.1, 0.5];
        let n = 20_000;
        let mut above = [0.0; 4];
        for i in 0..n {
            for (a, (z, _)) in above.iter_mut().zip(masks.draw(&row, random, [i, 0, 0])) {
                *a += f64::from(z > 0.0) / n as f64;
            }
        }
        let (members, taken) = masks.subset(&row, 4);
        assert_eq!(members, [1, 3]);
        for (found, expected) in above.iter().zip(&taken) {
            let error = (expected * (1.0 - expected) / n as f64).sqrt();
            assert!((found - expected).abs() < 4.0 * error, "{found} {expected}");
        }
        assert_eq!(masks.subset(&[-9.0, -8.0], 2).0, [1], "never empty");
    }
}
