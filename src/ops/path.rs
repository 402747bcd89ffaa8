//! Which of an op's implementations runs: its own kernel, or a composition of candle ops whose gradients are right.
//!
//! Kernels of the CPU know f32 and f64 in main memory, those of a GPU f32 there, where a build has them (`ops/cuda`). Everything
//! else (other ops on a GPU, half precision) takes the composition. All must give the same values and gradients, so tests force
//! the composition with [`composed`].

use std::cell::Cell;

use candle_core::{DType, Tensor};

thread_local! {
    static COMPOSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the op that reads `x` runs its own kernel.
pub fn own_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) && !COMPOSED.get()
}

/// Whether the op that reads `x` runs its kernel for a GPU, if it has one.
pub fn on_cuda(x: &Tensor) -> bool {
    cfg!(feature = "cuda") && x.device().is_cuda() && x.dtype() == DType::F32 && !COMPOSED.get()
}

/// Runs `f` with every op of this thread on its composed path, as on devices without kernels.
pub fn composed<R>(f: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            COMPOSED.set(self.0);
        }
    }
    let _restore = Restore(COMPOSED.replace(true));
    f()
}
