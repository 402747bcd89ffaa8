//! `conv` by cuDNN: forward, backward-data and backward-filter, each by the algorithm that cuDNN's heuristics put first among those
//! that give the same sum every time.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use half::bf16;

use candle_core::cuda_backend::cudarc::cudnn::sys::{
    cudnnConvolutionBwdDataAlgo_t as DataAlgo, cudnnConvolutionBwdFilterAlgo_t as FilterAlgo,
    cudnnConvolutionFwdAlgo_t as ForwardAlgo, cudnnConvolutionMode_t, cudnnMathType_t, cudnnTensorFormat_t,
};
use candle_core::cuda_backend::cudarc::cudnn::{
    ConvBackwardData, ConvBackwardFilter, ConvDescriptor, ConvForward, Cudnn, CudnnDataType, CudnnError,
    FilterDescriptor, TensorDescriptor,
};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DeviceRepr};
use candle_core::cuda_backend::{DeviceId, gemm_reduced_precision_f32};
use candle_core::{Error, Result, Shape};

use super::relu::{finish, masked};
use super::{Gpu, Kernel, View, half as narrow, size};
use crate::ops::input::Window;
use crate::ops::precision::Precision;

/// `[n, c, h, w]` by `[to, c / groups, k, k]`, and a bias `[to]` where there are three inputs; then ReLU if asked.
#[derive(Clone)]
pub struct Conv {
    pub window: Window,
    pub groups: usize,
    pub relu: bool,
}

/// A type of numbers that cuDNN multiplies here, in sums of f32.
trait Factor: CudnnDataType + DeviceRepr + Copy {
    const ZERO: Self;
    const ONE: Self;
    fn precision() -> Precision;
}

impl Factor for f32 {
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    fn precision() -> Precision {
        if gemm_reduced_precision_f32() { Precision::Tf32 } else { Precision::F32 }
    }
}

impl Factor for bf16 {
    const ZERO: bf16 = bf16::ZERO;
    const ONE: bf16 = bf16::ONE;
    fn precision() -> Precision {
        Precision::Bf16
    }
}

/// Everything that an algorithm is chosen by: sizes of image and filter, groups, window, and what is multiplied.
type Key = (DeviceId, [usize; 4], [usize; 4], [usize; 5], Precision);

#[derive(Default)]
struct Chosen {
    handles: HashMap<DeviceId, Arc<Cudnn>>,
    forward: HashMap<Key, (ForwardAlgo, usize)>,
    data: HashMap<Key, (DataAlgo, usize)>,
    filter: HashMap<Key, (FilterAlgo, usize)>,
}

// A handle belongs to one thread.
thread_local! {
    static CHOSEN: RefCell<Chosen> = RefCell::default();
}

fn failed(e: CudnnError) -> Error {
    Error::wrap(e)
}

/// cuDNN's descriptions of one convolution.
struct Described<T> {
    conv: ConvDescriptor<f32>,
    x: TensorDescriptor<T>,
    w: FilterDescriptor<T>,
    y: TensorDescriptor<T>,
    key: Key,
    output: [usize; 4],
}

fn ints(dims: [usize; 4]) -> Result<[i32; 4]> {
    Ok([size(dims[0])?, size(dims[1])?, size(dims[2])?, size(dims[3])?])
}

impl Conv {
    fn describe<T: Factor>(&self, gpu: &Gpu, x: &[usize], weight: &[usize]) -> Result<Described<T>> {
        let id = gpu.device.id();
        let cudnn = CHOSEN.with_borrow_mut(|all| match all.handles.get(&id) {
            Some(cudnn) => Ok(cudnn.clone()),
            None => Cudnn::new(gpu.device.cuda_stream())
                .map(|cudnn| all.handles.entry(id).or_insert(cudnn).clone())
                .map_err(failed),
        })?;
        let Window { kernel, stride, padding, dilation } = self.window;
        let x = [x[0], x[1], x[2], x[3]];
        let weight = [weight[0], weight[1], weight[2], weight[3]];
        let output = [x[0], weight[0], self.window.count(x[2]), self.window.count(x[3])];
        let [padding, stride, dilation] = [size(padding)?, size(stride)?, size(dilation)?];
        let mut conv = cudnn
            .create_conv2d::<f32>(
                [padding; 2],
                [stride; 2],
                [dilation; 2],
                cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
            )
            .map_err(failed)?;
        conv.set_group_count(size(self.groups)?).map_err(failed)?;
        // The default takes TF32 or bf16 where it is faster; the other is plain f32.
        let math = match T::precision() {
            Precision::F32 => cudnnMathType_t::CUDNN_FMA_MATH,
            Precision::Tf32 | Precision::Bf16 => cudnnMathType_t::CUDNN_DEFAULT_MATH,
        };
        conv.set_math_type(math).map_err(failed)?;
        let format = cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;
        let Window { stride: s, padding: p, dilation: d, .. } = self.window;
        let key = (id, x, weight, [kernel, s, p, d, self.groups], T::precision());
        Ok(Described {
            conv,
            x: cudnn.create_4d_tensor(format, ints(x)?).map_err(failed)?,
            w: cudnn.create_4d_filter(format, ints(weight)?).map_err(failed)?,
            y: cudnn.create_4d_tensor(format, ints(output)?).map_err(failed)?,
            key,
            output,
        })
    }

    fn run(
        &self,
        gpu: &Gpu,
        x: &View<'_>,
        weight: &View<'_>,
        bias: Option<&View<'_>>,
    ) -> Result<(CudaSlice<f32>, Shape)> {
        let (y, [n, c, h, w]) = if narrow::is_on() {
            let d = self.describe(gpu, x.dims, weight.dims)?;
            let (x, weight) = (narrow::narrow(gpu, x.data()?)?, narrow::narrow(gpu, weight.data()?)?);
            (narrow::widen(gpu, &d.forward(gpu, &x.slice(..), &weight.slice(..))?)?, d.output)
        } else {
            let d = self.describe(gpu, x.dims, weight.dims)?;
            (d.forward(gpu, x.data()?, weight.data()?)?, d.output)
        };
        let bias = bias.map(View::data).transpose()?;
        Ok((finish(gpu, y, [n, c, h * w], bias, self.relu)?, (n, c, h, w).into()))
    }

    fn back(
        &self,
        gpu: &Gpu,
        [x, weight]: [&View<'_>; 2],
        y: &View<'_>,
        dy: &CudaView<'_, f32>,
        wanted: [bool; 3],
    ) -> Result<[Option<CudaSlice<f32>>; 3]> {
        let [n, c, h, w] = [y.dims[0], y.dims[1], y.dims[2], y.dims[3]];
        let before = if self.relu { Some(masked(gpu, y.data()?, dy, n * c * h * w)?) } else { None };
        let dz = before.as_ref().map(|d| d.slice(..));
        let dz = dz.as_ref().unwrap_or(dy);
        let db = wanted[2].then(|| gpu.channel_sums(dz, [n, c, h * w])).transpose()?;
        if narrow::is_on() {
            let d = self.describe(gpu, x.dims, weight.dims)?;
            let dz = narrow::narrow(gpu, dz)?;
            let image = || {
                let weight = narrow::narrow(gpu, weight.data()?)?;
                narrow::widen(gpu, &d.data(gpu, &weight.slice(..), &dz.slice(..), x.count())?)
            };
            let filter = || {
                let x = narrow::narrow(gpu, x.data()?)?;
                narrow::widen(gpu, &d.filter(gpu, &x.slice(..), &dz.slice(..), weight.count())?)
            };
            return Ok([wanted[0].then(image).transpose()?, wanted[1].then(filter).transpose()?, db]);
        }
        let d = self.describe(gpu, x.dims, weight.dims)?;
        let dx = wanted[0].then(|| d.data(gpu, weight.data()?, dz, x.count())).transpose()?;
        let dw = wanted[1].then(|| d.filter(gpu, x.data()?, dz, weight.count())).transpose()?;
        Ok([dx, dw, db])
    }
}

impl<T: Factor> Described<T> {
    fn forward(&self, gpu: &Gpu, x: &CudaView<'_, T>, weight: &CudaView<'_, T>) -> Result<CudaSlice<T>> {
        let op = ConvForward { conv: &self.conv, x: &self.x, w: &self.w, y: &self.y };
        let (algo, bytes) = chosen(
            |all| &mut all.forward,
            &self.key,
            || {
                // Every forward algorithm gives one sum for one input.
                let algo = op.pick_algorithm()?;
                Ok((algo, op.get_workspace_size(algo)?))
            },
        )?;
        let mut y = gpu.buffer(self.output.iter().product())?;
        let mut space = workspace(gpu, bytes)?;
        // SAFETY: the descriptions are those of x, weight and y.
        unsafe { op.launch(algo, space.as_mut(), (T::ONE, T::ZERO), x, weight, &mut y) }.map_err(failed)?;
        Ok(y)
    }

    /// The gradient of the image.
    fn data(&self, gpu: &Gpu, weight: &CudaView<'_, T>, dz: &CudaView<'_, T>, count: usize) -> Result<CudaSlice<T>> {
        let op = ConvBackwardData { conv: &self.conv, dx: &self.x, w: &self.w, dy: &self.y };
        let (algo, bytes) = chosen(
            |all| &mut all.data,
            &self.key,
            || {
                let algo = match op.pick_algorithm()? {
                    // Adds by atomics, in any order.
                    DataAlgo::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 => DataAlgo::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
                    algo => algo,
                };
                Ok((algo, op.get_workspace_size(algo)?))
            },
        )?;
        let mut dx = gpu.buffer(count)?;
        let mut space = workspace(gpu, bytes)?;
        // SAFETY: the descriptions are those of dx, weight and dz.
        unsafe { op.launch(algo, space.as_mut(), (T::ONE, T::ZERO), &mut dx, weight, dz) }.map_err(failed)?;
        Ok(dx)
    }

    /// The gradient of the filter.
    fn filter(&self, gpu: &Gpu, x: &CudaView<'_, T>, dz: &CudaView<'_, T>, count: usize) -> Result<CudaSlice<T>> {
        let op = ConvBackwardFilter { conv: &self.conv, x: &self.x, dw: &self.w, dy: &self.y };
        let (algo, bytes) = chosen(
            |all| &mut all.filter,
            &self.key,
            || {
                use FilterAlgo::*;
                let algo = match op.pick_algorithm()? {
                    // Both add by atomics, in any order.
                    CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 | CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3 => {
                        CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1
                    }
                    algo => algo,
                };
                Ok((algo, op.get_workspace_size(algo)?))
            },
        )?;
        let mut dw = gpu.buffer(count)?;
        let mut space = workspace(gpu, bytes)?;
        // SAFETY: the descriptions are those of x, dw and dz.
        unsafe { op.launch(algo, space.as_mut(), (T::ONE, T::ZERO), x, &mut dw, dz) }.map_err(failed)?;
        Ok(dw)
    }
}

/// The algorithm for these sizes and the bytes that it works in; asked for once.
fn chosen<A: Copy>(
    of: impl Fn(&mut Chosen) -> &mut HashMap<Key, (A, usize)>,
    key: &Key,
    ask: impl FnOnce() -> std::result::Result<(A, usize), CudnnError>,
) -> Result<(A, usize)> {
    if let Some(found) = CHOSEN.with_borrow_mut(|all| of(all).get(key).copied()) {
        return Ok(found);
    }
    let found = ask().map_err(failed)?;
    CHOSEN.with_borrow_mut(|all| of(all).insert(*key, found));
    Ok(found)
}

fn workspace(gpu: &Gpu, bytes: usize) -> Result<Option<CudaSlice<u8>>> {
    if bytes == 0 {
        return Ok(None);
    }
    // SAFETY: cuDNN writes what it reads there.
    Ok(Some(unsafe { gpu.device.alloc::<u8>(bytes) }?))
}

impl Kernel<2> for Conv {
    const NAME: &'static str = "conv";

    fn forward(&self, gpu: &Gpu, [x, weight]: [View<'_>; 2]) -> Result<(CudaSlice<f32>, Shape)> {
        self.run(gpu, &x, &weight, None)
    }

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], self.relu)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        [x, weight]: [View<'_>; 2],
        y: View<'_>,
        dy: &CudaView<'_, f32>,
        [dx, dw]: [bool; 2],
    ) -> Result<[Option<CudaSlice<f32>>; 2]> {
        let [dx, dw, _] = self.back(gpu, [&x, &weight], &y, dy, [dx, dw, false])?;
        Ok([dx, dw])
    }
}

impl Kernel<3> for Conv {
    const NAME: &'static str = "conv";

    fn forward(&self, gpu: &Gpu, [x, weight, bias]: [View<'_>; 3]) -> Result<(CudaSlice<f32>, Shape)> {
        self.run(gpu, &x, &weight, Some(&bias))
    }

    fn reads(&self) -> ([bool; 3], bool) {
        ([true, true, false], self.relu)
    }

    fn backward(
        &self,
        gpu: &Gpu,
        [x, weight, _]: [View<'_>; 3],
        y: View<'_>,
        dy: &CudaView<'_, f32>,
        wanted: [bool; 3],
    ) -> Result<[Option<CudaSlice<f32>>; 3]> {
        self.back(gpu, [&x, &weight], &y, dy, wanted)
    }
}
