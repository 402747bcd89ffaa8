//! `batch_norm`, with ReLU and a max pool after it where they are one with it.

use std::sync::{Arc, OnceLock};

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{Result, Shape, Tensor, bail};

use super::gpu::{grid, splits};
use super::pool::Max;
use super::{Gpu, Kernel, View, blocks, size, tensor, with};

/// What normalises, and the running statistics after it.
#[derive(Debug, Clone)]
pub struct Used {
    /// `[c]`: the batch's mean and biased variance, or those that were given.
    pub mean: Tensor,
    pub var: Tensor,
    /// `[c]`: running mean and variance with this batch in them; none where statistics were given.
    pub next: Option<[Tensor; 2]>,
}

pub struct BatchNorm {
    pub eps: f64,
    pub momentum: f64,
    /// Running mean and variance, `[c]`.
    pub running: [Tensor; 2],
    /// Whether the running statistics normalise, rather than the batch's.
    pub given: bool,
    pub relu: bool,
    pub pool: Option<Max>,
    /// Set by the forward pass.
    pub used: Arc<OnceLock<Used>>,
}

/// `[n, c, p]`; `[n, c]` has one pixel.
fn sizes(dims: &[usize]) -> [usize; 3] {
    [dims[0], dims[1], dims[2..].iter().product()]
}

impl BatchNorm {
    /// Statistics of `x`, and the next running ones.
    fn statistics(&self, gpu: &Gpu, x: &View<'_>) -> Result<Used> {
        let [n, c, p] = sizes(x.dims);
        let (m, parts) = (n * p, splits(n * p, c));
        let [rows, channels, pixels] = [size(n)?, size(c)?, size(p)?];
        let (total, split, share) = (size(m)?, size(parts)?, self.momentum as f32);
        let mut partial = gpu.buffer::<f32>(2 * parts * c)?;
        let f = gpu.function("norm_stats")?;
        let mut launch = f.builder();
        launch.arg(&mut partial).arg(x.data()?).arg(&rows).arg(&channels).arg(&pixels);
        // SAFETY: x is `[n, c, p]`, partial `[2, parts, c]`.
        unsafe { launch.launch(grid(parts, c)) }.w()?;
        let mut out = gpu.buffer(4 * c)?;
        let [mean, var] = [self.running[0].contiguous()?, self.running[1].contiguous()?];
        with(&[Some(&mean), Some(&var)], |old| {
            let [Some(mean), Some(var)] = old else { bail!("given above") };
            let f = gpu.function("norm_merge")?;
            let mut launch = f.builder();
            launch.arg(&mut out).arg(&partial).arg(mean.data()?).arg(var.data()?);
            launch.arg(&total).arg(&split).arg(&channels).arg(&share);
            // SAFETY: out is `[4, c]`, the running statistics `[c]`.
            unsafe { launch.launch(blocks(c)) }.w()?;
            Ok(())
        })?;
        let out = tensor(gpu, out, (4, c));
        let row = |i: usize| out.get(i);
        Ok(Used { mean: row(0)?, var: row(1)?, next: Some([row(2)?, row(3)?]) })
    }
}

impl Kernel<3> for BatchNorm {
    const NAME: &'static str = "batch_norm";

    fn forward(&self, gpu: &Gpu, [x, weight, bias]: [View<'_>; 3]) -> Result<(CudaSlice<f32>, Shape)> {
        let used = match self.given {
            true => Used { mean: self.running[0].contiguous()?, var: self.running[1].contiguous()?, next: None },
            false => self.statistics(gpu, &x)?,
        };
        let count = x.count();
        let ([_, c, p], mut y) = (sizes(x.dims), gpu.buffer(count)?);
        let ints = [size(count)?, size(c)?, size(p)?];
        let (eps, relu) = (self.eps as f32, i32::from(self.relu));
        with(&[Some(&used.mean), Some(&used.var)], |stats| {
            let [Some(mean), Some(var)] = stats else { bail!("given above") };
            let f = gpu.function("norm_apply")?;
            let mut launch = f.builder();
            launch.arg(&mut y).arg(x.data()?).arg(mean.data()?).arg(var.data()?);
            launch.arg(weight.data()?).arg(bias.data()?).arg(&ints[0]).arg(&ints[1]).arg(&ints[2]).arg(&eps).arg(&relu);
            // SAFETY: x and y are `[n, c, p]`, the others `[c]`.
            unsafe { launch.launch(blocks(count)) }.w()?;
            Ok(())
        })?;
        let _ = self.used.set(used);
        match &self.pool {
            None => Ok((y, x.dims.into())),
            Some(pool) => pool.run(gpu, &y.slice(..), x.dims),
        }
    }

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        [x, weight, bias]: [View<'_>; 3],
        _: View<'_>,
        dy: &CudaView<'_, f32>,
        wanted: [bool; 3],
    ) -> Result<[Option<CudaSlice<f32>>; 3]> {
        let used = self.used.get().expect("forward ran");
        let ([n, c, p], count) = (sizes(x.dims), x.count());
        let unpooled = self.pool.as_ref().map(|pool| pool.back(gpu, dy, x.dims)).transpose()?;
        let whole = unpooled.as_ref().map(|d| d.slice(..));
        let dy = whole.as_ref().unwrap_or(dy);
        let parts = splits(n * p, c);
        let [rows, channels, pixels, all] = [size(n)?, size(c)?, size(p)?, size(count)?];
        let (eps, relu, given) = (self.eps as f32, i32::from(self.relu), i32::from(self.given));
        with(&[Some(&used.mean), Some(&used.var)], |stats| {
            let [Some(mean), Some(var)] = stats else { bail!("given above") };
            let mut partial = gpu.buffer(parts * 2 * c)?;
            let f = gpu.function("norm_back_sums")?;
            let mut launch = f.builder();
            launch.arg(&mut partial).arg(x.data()?).arg(dy).arg(mean.data()?).arg(var.data()?);
            launch.arg(weight.data()?).arg(bias.data()?).arg(&rows).arg(&channels).arg(&pixels).arg(&eps).arg(&relu);
            // SAFETY: x and dy are `[n, c, p]`, partial `[parts, 2, c]`, the others `[c]`.
            unsafe { launch.launch(grid(parts, c)) }.w()?;
            let sums = gpu.add_partials(partial, parts, 2 * c)?;
            let mut dx = None;
            if wanted[0] {
                let mut to = gpu.buffer(count)?;
                let f = gpu.function("norm_back")?;
                let mut launch = f.builder();
                launch.arg(&mut to).arg(x.data()?).arg(dy).arg(mean.data()?).arg(var.data()?);
                launch.arg(weight.data()?).arg(bias.data()?).arg(&sums).arg(&all).arg(&channels).arg(&pixels);
                launch.arg(&eps).arg(&relu).arg(&given);
                // SAFETY: dx, x and dy are `[n, c, p]`, sums `[2, c]`, the others `[c]`.
                unsafe { launch.launch(blocks(count)) }.w()?;
                dx = Some(to);
            }
            let part = |from: usize| -> Result<CudaSlice<f32>> {
                let mut to = gpu.buffer(c)?;
                gpu.device.memcpy_dtod(&sums.slice(from..from + c), &mut to)?;
                Ok(to)
            };
            let dw = wanted[1].then(|| part(c)).transpose()?;
            let db = wanted[2].then(|| part(0)).transpose()?;
            Ok([dx, dw, db])
        })
    }
}
