//! The two number types of the kernels.

use candle_core::WithDType;

/// f32 or f64.
pub trait Real: WithDType {
    fn of(v: f64) -> Self {
        Self::from_f64(v)
    }
    fn exp(self) -> Self;
    /// exp(x) - 1, exact near 0.
    fn exp_m1(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    fn is_nan(self) -> bool;
    fn neg_infinity() -> Self;
}

macro_rules! real {
    ($t:ident, $erf:path) => {
        impl Real for $t {
            fn exp(self) -> Self {
                $t::exp(self)
            }
            fn exp_m1(self) -> Self {
                $t::exp_m1(self)
            }
            fn tanh(self) -> Self {
                $t::tanh(self)
            }
            fn erf(self) -> Self {
                $erf(self)
            }
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
            fn neg_infinity() -> Self {
                $t::NEG_INFINITY
            }
        }
    };
}

real!(f32, candle_core::cpu::erf::erf_f32);
real!(f64, candle_core::cpu::erf::erf_f64);

const LANES: usize = 16;
/// Elements summed in `T` before the sum moves to f64: bounds the rounding error of long f32 sums.
const RUN: usize = 1 << 12;

/// Sum of `f(i)` for i in 0..n, in a fixed order, wide enough to vectorise.
#[inline(always)]
fn sum_by<T: Real>(n: usize, f: impl Fn(usize) -> T) -> f64 {
    let mut total = 0f64;
    let mut from = 0;
    while from < n {
        let to = (from + RUN).min(n);
        let mut lanes = [T::zero(); LANES];
        let whole = from + (to - from) / LANES * LANES;
        let mut i = from;
        while i < whole {
            for (j, lane) in lanes.iter_mut().enumerate() {
                *lane += f(i + j);
            }
            i += LANES;
        }
        for i in whole..to {
            lanes[i - whole] += f(i);
        }
        total += lanes.iter().map(|v| v.to_f64()).sum::<f64>();
        from = to;
    }
    total
}

pub fn sum<T: Real>(v: &[T]) -> f64 {
    sum_by(v.len(), |i| v[i])
}

/// Sum of `(v - mean)^2`.
pub fn sum_squares<T: Real>(v: &[T], mean: T) -> f64 {
    sum_by(v.len(), |i| {
        let d = v[i] - mean;
        d * d
    })
}

/// Sum of `g (v - mean)`.
pub fn sum_products<T: Real>(g: &[T], v: &[T], mean: T) -> f64 {
    let g = &g[..v.len()];
    sum_by(v.len(), |i| g[i] * (v[i] - mean))
}
