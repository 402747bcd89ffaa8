//! Random sizes, next to the thresholds of what is tested more often than elsewhere.

#![allow(dead_code)]

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Both ends included.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        self.0.random_range(from..=to)
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.between(1, n) == 1
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.between(0, from.len() - 1)]
    }

    /// A number that f32 holds exactly.
    pub fn real(&mut self, from: f64, to: f64) -> f64 {
        f64::from(self.0.random_range(from..to) as f32)
    }

    /// A size from 1 to `most`: next to one of the thresholds or to a multiple of it, small, or any.
    pub fn size(&mut self, thresholds: &[usize], most: usize) -> usize {
        let size = match self.between(0, 9) {
            0..=3 => (self.pick(thresholds) + self.between(0, 2)).saturating_sub(1),
            4 => (self.pick(thresholds) * self.between(2, 5) + self.between(0, 2)).saturating_sub(1),
            5 => self.between(1, 3),
            6 | 7 => self.between(1, 24),
            _ => (self.0.random_range(0.0..=(most as f64).ln())).exp() as usize,
        };
        size.clamp(1, most)
    }

    /// Makes sizes smaller until their product is at most `most`: one at a time, at random, so that the others stay where they are.
    pub fn fit<const N: usize>(&mut self, mut sizes: [usize; N], most: usize) -> [usize; N] {
        while sizes.iter().product::<usize>() > most {
            let i = self.between(0, N - 1);
            sizes[i] = self.between(1, sizes[i].div_ceil(2));
        }
        sizes
    }
}

/// A number that the environment gives, if it does.
pub fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{name} is a number, not `{v}`")))
}
