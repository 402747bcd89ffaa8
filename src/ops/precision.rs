//! What the products of a GPU are computed in: convolutions and linear layers. A CPU computes them in f32, whatever is asked for.
//! Weights, their gradients, sums, and everything that is no product are f32 in all three.

/// Bits of mantissa that the factors of a product are rounded to: 23, 10 or 7. Sums are in f32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    F32,
    /// As is usual in training on NVIDIA's GPUs.
    #[default]
    Tf32,
    /// Factors as bf16, converted at every product from weights and values that stay f32 (Kalamkar et al. 2019); a convolution's
    /// output is rounded to bf16 too, for so cuDNN gives it.
    Bf16,
}

/// In the order of [`Precision`].
pub const NAMES: &[&str] = &["f32", "tf32", "bf16"];

impl Precision {
    /// By its name in a spec.
    pub fn named(name: &str) -> Option<Precision> {
        let at = NAMES.iter().position(|n| *n == name)?;
        Some([Precision::F32, Precision::Tf32, Precision::Bf16][at])
    }

    /// From now on, in the whole process.
    pub fn begin(self) {
        #[cfg(feature = "cuda")]
        {
            candle_core::cuda_backend::set_gemm_reduced_precision_f32(self != Precision::F32);
            super::cuda::half::begin(self == Precision::Bf16);
        }
    }
}
