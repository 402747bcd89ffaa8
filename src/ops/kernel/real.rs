//! The two number types of the kernels.

use candle_core::WithDType;

use super::micro::{self, Raw};
use super::{pack, simd};

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
    ($t:ident, $erf:path, $tile:expr, $block:path) => {
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

real!(f32, candle_core::cpu::erf::erf_f32, micro::tile_f32, pack::block_f32);
real!(f64, candle_core::cpu::erf::erf_f64, micro::tile_f64, pack::block);

const LANES: usize = 16;
/// Elements summed in `T` before the sum moves to f64: bounds the rounding error of long f32 sums.
const RUN: usize = 1 << 12;

/// Sum of `f(i)` for i in 0..n, in a fixed order, wide enough to vectorise.
#[inline(always)]
fn sum_by<T: Real>(n: usize, f: impl Fn(usize) -> T) -> f64 {
    simd(|| {
        let mut total = 0f64;
        for from in (0..n).step_by(RUN) {
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
        }
        total
    })
}

/// Two sums at once, of what `f` makes of pairs of numbers; all in f64, so that they hardly depend on the order.
#[inline(always)]
pub fn sum_pairs<T: Real>(x: &[T], g: &[T], f: impl Fn(T, T) -> [T; 2]) -> [f64; 2] {
    simd(|| {
        let (mut a, mut b) = ([0f64; LANES], [0f64; LANES]);
        let (xs, gs) = (x.chunks_exact(LANES), g.chunks_exact(LANES));
        for (j, (x, g)) in xs.remainder().iter().zip(gs.remainder()).enumerate() {
            [a[j], b[j]] = f(*x, *g).map(|v| v.to_f64());
        }
        for (x, g) in xs.zip(gs) {
            for j in 0..LANES {
                let [u, v] = f(x[j], g[j]).map(|v| v.to_f64());
                a[j] += u;
                b[j] += v;
            }
        }
        [a.iter().sum(), b.iter().sum()]
    })
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
