//! Counter-based randomness: every draw is a function of the seed, a purpose and up to three counters, so one seed gives one
//! run whatever the device or the number of threads, and resuming needs no generator state.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// The root of all draws of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Randomness {
    pub seed: u64,
}

impl Randomness {
    pub fn new(seed: u64) -> Randomness {
        Randomness { seed }
    }

    /// The generator for a purpose ("init", "shuffle", "gumbel", "dropout", ...) at these counters.
    pub fn stream(self, purpose: &str, counters: [u64; 3]) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        hash.update(self.seed.to_le_bytes());
        hash.update((purpose.len() as u64).to_le_bytes());
        hash.update(purpose.as_bytes());
        for c in counters {
            hash.update(c.to_le_bytes());
        }
        ChaCha8Rng::from_seed(hash.finalize().into())
    }

    /// A counter for many short draws, where one generator per draw would be too slow.
    pub fn counter(self, purpose: &str, counters: [u64; 3]) -> Counter {
        Counter { key: self.stream(purpose, counters).next_u64() }
    }

    /// Standard Gumbel(0, 1) draws.
    pub fn gumbel(self, purpose: &str, counters: [u64; 3], n: usize) -> Vec<f64> {
        let mut rng = self.stream(purpose, counters);
        (0..n).map(|_| -(-open_unit(&mut rng).ln()).ln()).collect()
    }

    /// A permutation of `0..n` (Fisher-Yates).
    pub fn permutation(self, purpose: &str, counters: [u64; 3], n: usize) -> Vec<u32> {
        let mut rng = self.stream(purpose, counters);
        let mut order: Vec<u32> = (0..n as u32).collect();
        for i in (1..n).rev() {
            order.swap(i, rng.random_range(0..=i));
        }
        order
    }
}

/// Draws that are addressed by a number, in any order.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    key: u64,
}

impl Counter {
    /// The result of draw `n`, which is true with probability `share` (SplitMix64 of Steele, Lea and Flood 2014).
    pub fn chance(self, n: u64, share: f64) -> bool {
        let mut z = self.key.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((z >> 11) as f64) < share * (1u64 << 53) as f64
    }
}

/// Uniform in the open interval (0, 1): a logarithm of it is finite.
pub fn open_unit(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64 + 0.5 / (1u64 << 53) as f64
}
