//! Pools: a thread per output forward; back, a thread per pixel, which collects from the windows over it.

use std::sync::OnceLock;

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, PushKernelArg};
use candle_core::{Result, Shape};

use super::gpu::grid;
use super::{Gpu, Kernel, View, blocks, size};
use crate::ops::input::Window;

/// Sizes as kernels take them: h, w, oh, ow, kernel, stride, padding.
fn sizes(window: &Window, dims: &[usize]) -> Result<([i32; 7], usize, Shape)> {
    let (oh, ow) = (window.count(dims[2]), window.count(dims[3]));
    let all = [dims[2], dims[3], oh, ow, window.kernel, window.stride, window.padding];
    let mut as_int = [0; 7];
    for (to, from) in as_int.iter_mut().zip(all) {
        *to = size(from)?;
    }
    Ok((as_int, dims[0] * dims[1] * oh * ow, (dims[0], dims[1], oh, ow).into()))
}

/// Maximum; the gradient goes to the first largest element of each window.
pub struct Max {
    pub window: Window,
    winners: OnceLock<CudaSlice<i32>>,
}

impl Max {
    pub fn new(window: Window) -> Max {
        Max { window, winners: OnceLock::new() }
    }

    pub fn run(&self, gpu: &Gpu, x: &CudaView<'_, f32>, dims: &[usize]) -> Result<(CudaSlice<f32>, Shape)> {
        let (s, count, shape) = sizes(&self.window, dims)?;
        let (n, mut y, mut at) = (size(count)?, gpu.buffer(count)?, gpu.buffer::<i32>(count)?);
        size(dims.iter().product())?;
        let f = gpu.function("max_pool")?;
        let mut launch = f.builder();
        launch.arg(&mut y).arg(&mut at).arg(x).arg(&n);
        s.iter().for_each(|v| {
            launch.arg(v);
        });
        // SAFETY: sizes are those of the window over x; y and at hold `n` numbers.
        unsafe { launch.launch(blocks(count)) }.w()?;
        let _ = self.winners.set(at);
        Ok((y, shape))
    }

    pub fn back(&self, gpu: &Gpu, dy: &CudaView<'_, f32>, dims: &[usize]) -> Result<CudaSlice<f32>> {
        let (s, _, _) = sizes(&self.window, dims)?;
        let count = dims.iter().product();
        let (n, mut dx) = (size(count)?, gpu.buffer(count)?);
        let at = self.winners.get().expect("forward ran");
        let f = gpu.function("max_pool_back")?;
        let mut launch = f.builder();
        launch.arg(&mut dx).arg(at).arg(dy).arg(&n);
        s.iter().for_each(|v| {
            launch.arg(v);
        });
        // SAFETY: sizes are those of the window over dx, which holds `n` numbers.
        unsafe { launch.launch(blocks(count)) }.w()?;
        Ok(dx)
    }
}

impl Kernel<1> for Max {
    const NAME: &'static str = "max_pool";

    fn forward(&self, gpu: &Gpu, [x]: [View<'_>; 1]) -> Result<(CudaSlice<f32>, Shape)> {
        self.run(gpu, x.data()?, x.dims)
    }

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        [x]: [View<'_>; 1],
        _: View<'_>,
        dy: &CudaView<'_, f32>,
        _: [bool; 1],
    ) -> Result<[Option<CudaSlice<f32>>; 1]> {
        Ok([Some(self.back(gpu, dy, x.dims)?)])
    }
}

/// Mean; of the whole window, or of its part on the image.
pub struct Average {
    pub window: Window,
    pub count_padding: bool,
}

impl Average {
    fn launch(
        &self,
        gpu: &Gpu,
        name: &'static str,
        from: &CudaView<'_, f32>,
        count: usize,
        s: [i32; 7],
    ) -> Result<CudaSlice<f32>> {
        let (n, mut to, whole) = (size(count)?, gpu.buffer(count)?, i32::from(self.count_padding));
        let f = gpu.function(name)?;
        let mut launch = f.builder();
        launch.arg(&mut to).arg(from).arg(&n);
        s.iter().for_each(|v| {
            launch.arg(v);
        });
        launch.arg(&whole);
        // SAFETY: sizes are those of the window over the image; what is written holds `n` numbers.
        unsafe { launch.launch(blocks(count)) }.w()?;
        Ok(to)
    }
}

impl Kernel<1> for Average {
    const NAME: &'static str = "avg_pool";

    fn forward(&self, gpu: &Gpu, [x]: [View<'_>; 1]) -> Result<(CudaSlice<f32>, Shape)> {
        let (s, count, shape) = sizes(&self.window, x.dims)?;
        size(x.count())?;
        Ok((self.launch(gpu, "avg_pool", x.data()?, count, s)?, shape))
    }

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        [x]: [View<'_>; 1],
        _: View<'_>,
        dy: &CudaView<'_, f32>,
        _: [bool; 1],
    ) -> Result<[Option<CudaSlice<f32>>; 1]> {
        let (s, _, _) = sizes(&self.window, x.dims)?;
        Ok([Some(self.launch(gpu, "avg_pool_back", dy, x.count(), s)?)])
    }
}

/// Mean of each plane: `[n, c, h, w]` to `[n, c]`.
pub struct Global;

impl Kernel<1> for Global {
    const NAME: &'static str = "global_avg_pool";

    fn forward(&self, gpu: &Gpu, [x]: [View<'_>; 1]) -> Result<(CudaSlice<f32>, Shape)> {
        let (planes, pixels) = (x.dims[0] * x.dims[1], size(x.dims[2] * x.dims[3])?);
        size(x.count())?;
        let mut y = gpu.buffer(planes)?;
        let f = gpu.function("plane_means")?;
        let mut launch = f.builder();
        launch.arg(&mut y).arg(x.data()?).arg(&pixels);
        // SAFETY: a block per plane of x, and y holds as many numbers.
        unsafe { launch.launch(grid(1, planes)) }.w()?;
        Ok((y, (x.dims[0], x.dims[1]).into()))
    }

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        [x]: [View<'_>; 1],
        _: View<'_>,
        dy: &CudaView<'_, f32>,
        _: [bool; 1],
    ) -> Result<[Option<CudaSlice<f32>>; 1]> {
        let (count, pixels) = (x.count(), size(x.dims[2] * x.dims[3])?);
        let (n, mut dx) = (size(count)?, gpu.buffer(count)?);
        let f = gpu.function("plane_means_back")?;
        let mut launch = f.builder();
        launch.arg(&mut dx).arg(dy).arg(&n).arg(&pixels);
        // SAFETY: dx holds `n` numbers, dy one per plane of it.
        unsafe { launch.launch(blocks(count)) }.w()?;
        Ok([Some(dx)])
    }
}
