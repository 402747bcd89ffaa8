//! `linear` by cuBLAS: y = x W^T + b, then ReLU if asked.

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DevicePtr, DevicePtrMut};
use candle_core::cuda_backend::{WrapErr, gemm_reduced_precision_f32};
use candle_core::{Result, Shape};

use super::relu::{finish, masked};
use super::{Gpu, Kernel, View, half, size};

/// `[..., k]` by `[to, k]`, and a bias `[to]` where there are three inputs.
pub struct Linear {
    pub relu: bool,
}

/// Rows of the input, its width and the output's.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    k: usize,
    to: usize,
}

impl Sizes {
    fn new(x: &View<'_>, weight: &View<'_>) -> Sizes {
        Sizes { rows: x.dims[..x.dims.len() - 1].iter().product(), k: weight.dims[1], to: weight.dims[0] }
    }
}

/// A factor as it lies in memory, `[outer, inner]`: for cuBLAS, which goes by columns, a matrix of `inner` rows.
pub(super) struct Factor<'a> {
    pub data: &'a CudaView<'a, f32>,
    pub inner: usize,
    pub turned: bool,
}

/// The product as cuBLAS sees it: m x n over k, written as `[n, m]`.
pub(super) fn product(gpu: &Gpu, sizes: [usize; 3], a: Factor<'_>, b: Factor<'_>) -> Result<CudaSlice<f32>> {
    let turns = [&a, &b].map(|f| (f.inner, f.turned));
    if half::is_on() {
        let (a, b) = (half::narrow(gpu, a.data)?, half::narrow(gpu, b.data)?);
        return multiply(gpu, sizes, turns, [&a.slice(..), &b.slice(..)], sys::cudaDataType_t::CUDA_R_16BF);
    }
    multiply(gpu, sizes, turns, [a.data, b.data], sys::cudaDataType_t::CUDA_R_32F)
}

/// With factors of that type, and sums of f32.
fn multiply<T>(
    gpu: &Gpu,
    [m, n, k]: [usize; 3],
    [a, b]: [(usize, bool); 2],
    factors: [&CudaView<'_, T>; 2],
    kind: sys::cudaDataType_t,
) -> Result<CudaSlice<f32>> {
    let mut out = gpu.buffer(m * n)?;
    let stream = gpu.device.cuda_stream();
    let blas = gpu.device.cublas_handle();
    let turn = |turned| if turned { sys::cublasOperation_t::CUBLAS_OP_T } else { sys::cublasOperation_t::CUBLAS_OP_N };
    let compute = match gemm_reduced_precision_f32() && kind == sys::cudaDataType_t::CUDA_R_32F {
        true => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        false => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
    };
    let real = sys::cudaDataType_t::CUDA_R_32F;
    let (one, zero) = (1f32, 0f32);
    let [rows, columns, inner] = [size(m)?, size(n)?, size(k)?];
    let (lead_a, lead_b) = (size(a.0)?, size(b.0)?);
    let (left, _read_a) = factors[0].device_ptr(&stream);
    let (right, _read_b) = factors[1].device_ptr(&stream);
    {
        let (to, _write) = out.device_ptr_mut(&stream);
        // SAFETY: the sizes are those of the factors, and `out` holds m n numbers.
        unsafe {
            result::gemm_ex(
                *blas.handle(),
                turn(a.1),
                turn(b.1),
                rows,
                columns,
                inner,
                (&raw const one).cast(),
                left as *const _,
                kind,
                lead_a,
                right as *const _,
                kind,
                lead_b,
                (&raw const zero).cast(),
                to as *mut _,
                real,
                rows,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        }
        .w()?;
    }
    Ok(out)
}

impl Linear {
    fn run(
        &self,
        gpu: &Gpu,
        x: &View<'_>,
        weight: &View<'_>,
        bias: Option<&View<'_>>,
    ) -> Result<(CudaSlice<f32>, Shape)> {
        let Sizes { rows, k, to } = Sizes::new(x, weight);
        let weight = Factor { data: weight.data()?, inner: k, turned: true };
        let y = product(gpu, [to, rows, k], weight, Factor { data: x.data()?, inner: k, turned: false })?;
        let bias = bias.map(View::data).transpose()?;
        let y = finish(gpu, y, [rows, to, 1], bias, self.relu)?;
        let mut dims = x.dims.to_vec();
        *dims.last_mut().expect("a linear map reads a dimension") = to;
        Ok((y, dims.into()))
    }

    fn back(
        &self,
        gpu: &Gpu,
        [x, weight]: [&View<'_>; 2],
        y: &View<'_>,
        dy: &CudaView<'_, f32>,
        wanted: [bool; 3],
    ) -> Result<[Option<CudaSlice<f32>>; 3]> {
        let Sizes { rows, k, to } = Sizes::new(x, weight);
        let before = if self.relu { Some(masked(gpu, y.data()?, dy, rows * to)?) } else { None };
        let dz = before.as_ref().map(|d| d.slice(..));
        let dz = dz.as_ref().unwrap_or(dy);
        let by_unit = |turned| Factor { data: dz, inner: to, turned };
        let dx = wanted[0].then(|| {
            let weight = Factor { data: weight.data()?, inner: k, turned: false };
            product(gpu, [k, rows, to], weight, by_unit(false))
        });
        let dw = wanted[1].then(|| {
            let x = Factor { data: x.data()?, inner: k, turned: false };
            product(gpu, [k, to, rows], x, by_unit(true))
        });
        let db = wanted[2].then(|| gpu.channel_sums(dz, [rows, to, 1]));
        Ok([dx.transpose()?, dw.transpose()?, db.transpose()?])
    }
}

impl Kernel<2> for Linear {
    const NAME: &'static str = "linear";

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

impl Kernel<3> for Linear {
    const NAME: &'static str = "linear";

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
