//! The inner loop with AVX2 and fused multiply-add, vectorised by the compiler.

use super::micro::{self, Raw};

/// # Safety
/// The processor has AVX2 and FMA; every index of the tile lies within its slice.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn tile(raw: Raw<f32>, vectors: usize) {
    // SAFETY: the caller's.
    unsafe { micro::tile(raw, vectors, |a, b, c| a.mul_add(b, c)) }
}
