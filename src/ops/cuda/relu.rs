//! max(x, 0), with gradient 0 at 0; and a bias with it, in place.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{Result, Shape};

use super::{Gpu, Kernel, View, blocks, size};

pub struct Relu;

impl Kernel<1> for Relu {
    const NAME: &'static str = "relu";

    fn forward(&self, gpu: &Gpu, [x]: [View<'_>; 1]) -> Result<(CudaSlice<f32>, Shape)> {
        let (n, mut y) = (size(x.count())?, gpu.buffer(x.count())?);
        let f = gpu.function("relu")?;
        let mut launch = f.builder();
        launch.arg(&mut y).arg(x.data()?).arg(&n);
        // SAFETY: both hold `n` numbers.
        unsafe { launch.launch(blocks(x.count())) }.w()?;
        Ok((y, x.dims.into()))
    }

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], true)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        _: [View<'_>; 1],
        y: View<'_>,
        dy: &CudaView<'_, f32>,
        _: [bool; 1],
    ) -> Result<[Option<CudaSlice<f32>>; 1]> {
        Ok([Some(masked(gpu, y.data()?, dy, y.count())?)])
    }
}

/// The gradient before a ReLU whose output is `y`.
pub fn masked(gpu: &Gpu, y: &CudaView<'_, f32>, dy: &CudaView<'_, f32>, count: usize) -> Result<CudaSlice<f32>> {
    let (n, mut dx) = (size(count)?, gpu.buffer(count)?);
    let f = gpu.function("relu_back")?;
    let mut launch = f.builder();
    launch.arg(&mut dx).arg(y).arg(dy).arg(&n);
    // SAFETY: all hold `n` numbers.
    unsafe { launch.launch(blocks(count)) }.w()?;
    Ok(dx)
}

/// Adds `bias`, `[c]`, to `y`, `[n, c, p]`, then ReLU if asked; ReLU alone where there is no bias.
pub fn finish(
    gpu: &Gpu,
    mut y: CudaSlice<f32>,
    [n, c, p]: [usize; 3],
    bias: Option<&CudaView<'_, f32>>,
    relu: bool,
) -> Result<CudaSlice<f32>> {
    let count = n * c * p;
    let (all, channels, pixels, relu_too) = (size(count)?, size(c)?, size(p)?, i32::from(relu));
    if let Some(bias) = bias {
        let f = gpu.function("bias_act")?;
        let mut launch = f.builder();
        launch.arg(&mut y).arg(bias).arg(&all).arg(&channels).arg(&pixels).arg(&relu_too);
        // SAFETY: y is `[n, c, p]`, bias `[c]`.
        unsafe { launch.launch(blocks(count)) }.w()?;
    } else if relu {
        let f = gpu.function("relu")?;
        let from = y.slice(..);
        let mut out = gpu.buffer(count)?;
        let mut launch = f.builder();
        launch.arg(&mut out).arg(&from).arg(&all);
        // SAFETY: both hold as many numbers.
        unsafe { launch.launch(blocks(count)) }.w()?;
        return Ok(out);
    }
    Ok(y)
}
