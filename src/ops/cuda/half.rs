//! Factors of products as bf16, where a spec asks for it.

use std::sync::atomic::{AtomicBool, Ordering};

use candle_core::Result;
use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use half::bf16;

use super::{Gpu, blocks, size};

static ON: AtomicBool = AtomicBool::new(false);

/// Whether the products from now on take bf16; [`Precision`](crate::ops::precision::Precision) says it.
pub fn begin(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

pub fn is_on() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Rounded to the nearest, ties to even.
pub fn narrow(gpu: &Gpu, x: &CudaView<'_, f32>) -> Result<CudaSlice<bf16>> {
    let (n, mut y) = (size(x.len())?, gpu.buffer(x.len())?);
    let f = gpu.function("narrow")?;
    let mut launch = f.builder();
    launch.arg(&mut y).arg(x).arg(&n);
    // SAFETY: both hold `n` numbers.
    unsafe { launch.launch(blocks(x.len())) }.w()?;
    Ok(y)
}

/// The same numbers as f32.
pub fn widen(gpu: &Gpu, x: &CudaSlice<bf16>) -> Result<CudaSlice<f32>> {
    let (n, mut y) = (size(x.len())?, gpu.buffer(x.len())?);
    let f = gpu.function("widen")?;
    let mut launch = f.builder();
    launch.arg(&mut y).arg(x).arg(&n);
    // SAFETY: both hold `n` numbers.
    unsafe { launch.launch(blocks(x.len())) }.w()?;
    Ok(y)
}
