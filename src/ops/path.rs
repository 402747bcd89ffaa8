//! Which of an op's two implementations runs: its own CPU kernel, or a composition of candle ops whose gradients are right.
//!
//! Kernels know f32 and f64 in main memory. Everything else (CUDA, half precision) takes the composition. Both must give the
//! same values and gradients, so tests force the second on the CPU with [`composed`].

use std::cell::Cell;

use candle_core::{DType, Tensor};

thread_local! {
    static COMPOSED: Cell<bool> = const { Cell::new(false) };
}

/// Whether the op that reads `x` runs its own kernel.
pub fn own_kernel(x: &Tensor) -> bool {
    x.device().is_cpu() && matches!(x.dtype(), DType::F32 | DType::F64) && !COMPOSED.get()
}

/// Runs `f` with every op of this thread on its composed path, as on other devices than the CPU.
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
