//! The two number types of the kernels.

use candle_core::WithDType;

use super::micro::{self, Raw};
use super::pack;
use super::simd::wide;

/// f32 or f64.
pub trait Real: WithDType {
    fn of(v: f64) -> Self {
        Self::from_f64(v)
    }
    fn exp(self) -> Self;
    /// exp(x) - 1, exact near 0.
    fn exp_m1(self) -> Self;
    /// log(1 + x), exact near 0.
    fn ln_1p(self) -> Self;
    fn abs(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    fn is_nan(self) -> bool;
    fn neg_infinity() -> Self;
    /// 0 in some cases, else itself: without a branch, so that it vectorises wherever it stands.
    fn zero_if(self, zero: bool) -> Self;

    /// The inner loop of products, see [`micro`].
    ///
    /// # Safety
    /// Every index of the tile lies within its slice.
    unsafe fn tile(raw: Raw<Self>, vectors: usize);

    /// The transpose of a block of at most 16 x 16, see [`pack::transpose`].
    ///
    /// # Safety
    /// Both matrices lie within their memory.
    unsafe fn transpose(
        from: *const Self,
        from_stride: usize,
        to: *mut Self,
        to_stride: usize,
        rows: usize,
        columns: usize,
    );
}

macro_rules! real {
    ($t:ident, $bits:ident, $erf:path, $tile:expr, $block:path) => {
        impl Real for $t {
            fn exp(self) -> Self {
                $t::exp(self)
            }
            fn exp_m1(self) -> Self {
                $t::exp_m1(self)
            }
            fn ln_1p(self) -> Self {
                $t::ln_1p(self)
            }
            fn abs(self) -> Self {
                $t::abs(self)
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
            #[inline(always)]
            fn zero_if(self, zero: bool) -> Self {
                $t::from_bits(self.to_bits() & $bits::from(zero).wrapping_sub(1))
            }
            fn neg_infinity() -> Self {
                $t::NEG_INFINITY
            }
            unsafe fn tile(raw: Raw<$t>, vectors: usize) {
                // SAFETY: the caller's.
                unsafe { $tile(raw, vectors) }
            }
            unsafe fn transpose(
                from: *const $t,
                from_stride: usize,
                to: *mut $t,
                to_stride: usize,
                rows: usize,
                columns: usize,
            ) {
                // SAFETY: the caller's.
                unsafe { $block(from, from_stride, to, to_stride, rows, columns) }
            }
        }
    };
}

real!(f32, u32, candle_core::cpu::erf::erf_f32, micro::tile_f32, pack::block_f32);
real!(f64, u64, candle_core::cpu::erf::erf_f64, micro::tile_f64, pack::block);

const LANES: usize = 16;
/// Elements summed in `T` before the sum moves to f64: bounds the rounding error of long f32 sums.
const RUN: usize = 1 << 12;

wide! {
    /// Sum of `f(a, b)` over pairs, in a fixed order, wide enough to vectorise.
    pub fn sum_by[T: Real, F: Fn(T, T) -> T](a: &[T], b: &[T], f: F) -> f64 {
        let mut total = 0f64;
        for (a, b) in a.chunks(RUN).zip(b.chunks(RUN)) {
            let mut lanes = [T::zero(); LANES];
            let (xs, gs) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
            for ((lane, a), b) in lanes.iter_mut().zip(xs.remainder()).zip(gs.remainder()) {
                *lane = f(*a, *b);
            }
            for (a, b) in xs.zip(gs) {
                for j in 0..LANES {
                    lanes[j] += f(a[j], b[j]);
                }
            }
            total += lanes.iter().map(|v| v.to_f64()).sum::<f64>();
        }
        total
    }
}

pub fn sum<T: Real>(v: &[T]) -> f64 {
    sum_by(v, v, |v, _| v)
}

/// Sum of `(v - mean)^2`.
pub fn sum_squares<T: Real>(v: &[T], mean: T) -> f64 {
    sum_by(v, v, |v, _| (v - mean) * (v - mean))
}

/// Sum of `g (v - mean)`.
pub fn sum_products<T: Real>(g: &[T], v: &[T], mean: T) -> f64 {
    sum_by(g, v, |g, v| g * (v - mean))
}

/// Sum of `a b`.
pub fn dot<T: Real>(a: &[T], b: &[T]) -> f64 {
    sum_by(a, b, |a, b| a * b)
}
