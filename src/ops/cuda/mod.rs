//! Ops on a GPU, for f32: kernels of our own, and cuDNN and cuBLAS where a library does it best. Compiled with the feature `cuda`
//! only; convolutions need `cudnn` too, and are composed without it.
//!
//! # What runs where
//!
//! | op | on a GPU |
//! |---|---|
//! | `conv` (bias, ReLU) | cuDNN forward, backward-data, backward-filter by algorithms that add in one order; bias and ReLU in one pass |
//! | `linear` (bias, ReLU) | cuBLAS, three products; bias and ReLU in one pass |
//! | `linear` layers that read one value | the same three products for all of them, their factors gathered and results parted in one launch each |
//! | `batch_norm` (ReLU, max pool) | own kernels; running statistics in the pass that merges the sums |
//! | `relu`, `max_pool`, `avg_pool`, `global_avg_pool` | own kernels |
//! | optimisers, clipping | own kernels, all weights in one launch (`optim/cuda.rs`) |
//! | everything else, and f64 | the composition of candle ops that `path::composed` forces on the CPU |
//!
//! An op here tells its way as on the CPU: the tape keeps what [`Kernel::reads`] says, and no graph of candle's. A composed op is
//! gone back through by candle's graph of that op alone: its inputs are copied to leaves, and its output times the gradient is
//! summed. candle's wrong gradients (its pools, nearest upsampling of a value with a second reader, `relu` at 0, the fused norms) are
//! in no composition; `tests/ops` holds every composition against finite differences on the CPU, `tests/cuda.rs` on a GPU.
//!
//! # When the processor waits for the GPU
//!
//! A training step waits once for its loss, between the way forward and the way back (and every 50 steps for each task's). A step of a
//! search waits once more for all probabilities' gradients together; where parents are blended (BMTAS) once for each blend's shares, and
//! where subsets are relaxed (SNR, DSelect-k) once for each mask's gradient. Nothing else in a step of a fixed network waits: clipping
//! stays on the device. Weightings of losses that look at gradients or losses (`optim/weighting`) read them, as their rules ask. Batches, the
//! masks of `dropout`, which are drawn on the CPU, and the tables of optimisers go over from page-locked memory (`pinned.rs`), and the next
//! batch, where a reader has it ready, by a stream of its own while the GPU computes with the present one: two batches lie there then.
//! What candle's ops send comes from pageable memory still: sizes and strides of what is not contiguous, and the tables of composed
//! ops, such as `embedding`.
//!
//! `precision = bf16` converts the factors of `conv` and `linear` at every product (`half.rs`); what lies between two products stays f32,
//! so it saves arithmetic and no memory.
//!
//! Missing, and known to be: losses that are read later than their step, steps captured as a CUDA graph, batches that
//! readers gather in page-locked memory right away, and kernels for activations other than ReLU, layer and group norm, embeddings and losses.
//!
//! # What has never run
//!
//! No machine with a GPU has run any of this. The sources compile with the toolkit of `benches/gpu/toolkit.sh`; arithmetic, indices
//! and the order of arguments were run by `benches/gpu/emulate`, a stand-in for driver and libraries that runs blocks one after
//! the other on the CPU, and so sees no race (but for page-locked memory that is written too early), no wrong alignment, and nothing
//! of cuDNN's and cuBLAS's own.

#[cfg(feature = "cudnn")]
pub mod conv;
mod gpu;
pub mod half;
pub mod linear;
pub mod norm;
pub mod pinned;
pub mod pool;
pub mod relu;
pub mod siblings;

use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView, DevicePtr};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, TensorId,
    bail,
};

use super::grad::Grad;
use super::kernel::record::{self, Call};
pub use gpu::{Gpu, THREADS, blocks, size};

/// A contiguous tensor of f32 on a GPU.
pub struct View<'a> {
    /// Missing where a kernel said that it does not read it.
    data: Option<CudaView<'a, f32>>,
    pub dims: &'a [usize],
}

impl<'a> View<'a> {
    /// The same numbers; `CudaView` is no `Clone`.
    fn again(&self) -> View<'a> {
        View { data: self.data.as_ref().map(|d| d.slice(..)), dims: self.dims }
    }

    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }

    /// The numbers, of what [`Kernel::reads`] asks for.
    pub fn data(&self) -> Result<&CudaView<'_, f32>> {
        match &self.data {
            Some(data) => Ok(data),
            None => bail!("a kernel reads what it said that it does not read"),
        }
    }
}

/// A differentiable function of `N` tensors on a GPU, of one meaning with the kernel of the same name on the CPU.
pub trait Kernel<const N: usize>: Send + Sync + 'static {
    const NAME: &'static str;

    /// Values and shape of the output.
    fn forward(&self, gpu: &Gpu, inputs: [View<'_>; N]) -> Result<(CudaSlice<f32>, Shape)>;

    /// Which inputs [`Kernel::backward`] reads, and whether it reads the output.
    fn reads(&self) -> ([bool; N], bool);

    /// Gradients of those inputs that want one.
    fn backward(
        &self,
        gpu: &Gpu,
        inputs: [View<'_>; N],
        output: View<'_>,
        grad: &CudaView<'_, f32>,
        wanted: [bool; N],
    ) -> Result<[Option<CudaSlice<f32>>; N]>;
}

pub fn apply1<K: Kernel<1>>(kernel: K, a: &Tensor) -> Result<Tensor> {
    match record::is_on() {
        true => recorded(kernel, [a]),
        false => a.contiguous()?.apply_op1(Own(kernel)),
    }
}

pub fn apply2<K: Kernel<2>>(kernel: K, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    match record::is_on() {
        true => recorded(kernel, [a, b]),
        false => a.contiguous()?.apply_op2(&b.contiguous()?, Own(kernel)),
    }
}

pub fn apply3<K: Kernel<3>>(kernel: K, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    match record::is_on() {
        true => recorded(kernel, [a, b, c]),
        false => a.contiguous()?.apply_op3(&b.contiguous()?, &c.contiguous()?, Own(kernel)),
    }
}

fn view<'a>(storage: &'a CudaStorage, layout: &'a Layout) -> Result<View<'a>> {
    match layout.contiguous_offsets() {
        Some((from, to)) => {
            Ok(View { data: Some(storage.as_cuda_slice::<f32>()?.slice(from..to)), dims: layout.dims() })
        }
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

/// Numbers in a tensor that takes them over.
pub fn tensor(gpu: &Gpu, values: CudaSlice<f32>, shape: impl Into<Shape>) -> Tensor {
    let storage = CudaStorage::wrap_cuda_slice(values, gpu.device.clone());
    Tensor::from_storage(Storage::Cuda(storage), shape, candle_core::op::BackpropOp::none(), false)
}

/// `f` with the numbers of contiguous tensors; `None` is passed on.
pub fn with<R>(tensors: &[Option<&Tensor>], f: impl FnOnce(&[Option<View<'_>>]) -> Result<R>) -> Result<R> {
    let all: Vec<_> = tensors.iter().map(|t| t.map(Tensor::storage_and_layout)).collect();
    let mut views = Vec::with_capacity(all.len());
    for held in &all {
        views.push(match held {
            None => None,
            Some((storage, layout)) => match &**storage {
                Storage::Cuda(s) => Some(view(s, layout)?),
                _ => bail!("a kernel of a GPU was given a tensor that lies elsewhere"),
            },
        });
    }
    f(&views)
}

/// Where a contiguous tensor's numbers are.
pub fn address(t: &Tensor) -> Result<u64> {
    let gpu = Gpu::of(t)?;
    with(&[Some(t)], |views| {
        let Some(view) = &views[0] else { bail!("given above") };
        Ok(view.data()?.device_ptr(&gpu.device.cuda_stream()).0)
    })
}

/// Gradients as tensors; `kept[i]` of the inputs of these shapes, then the output.
fn backward<const N: usize, K: Kernel<N>>(
    kernel: &K,
    kept: [Option<&Tensor>; N],
    shapes: &[Shape],
    output: Option<&Tensor>,
    grad: &Tensor,
    wanted: [bool; N],
) -> Result<[Option<Tensor>; N]> {
    let (gpu, grad) = (Gpu::of(grad)?, grad.contiguous()?);
    let mut all = kept.to_vec();
    all.extend([output, Some(&grad)]);
    let found = with(&all, |views| {
        let data = |i: usize| views[i].as_ref().and_then(|v| v.again().data);
        let inputs = std::array::from_fn(|i| View { data: data(i), dims: shapes[i].dims() });
        let output = View { data: data(N), dims: grad.dims() };
        let grad = views[N + 1].as_ref().expect("given above");
        kernel.backward(&gpu, inputs, output, grad.data()?, wanted)
    })?;
    let mut found = found.into_iter().zip(shapes);
    Ok(std::array::from_fn(|_| {
        let (values, shape) = found.next().expect("one per input");
        values.map(|v| tensor(&gpu, v, shape))
    }))
}

/// Runs a kernel outside candle's graph and notes the call.
fn recorded<const N: usize, K: Kernel<N>>(kernel: K, arguments: [&Tensor; N]) -> Result<Tensor> {
    let mut inputs = Vec::with_capacity(N);
    for a in arguments {
        inputs.push(a.contiguous()?.detach());
    }
    let gpu = Gpu::of(&inputs[0])?;
    let given: Vec<Option<&Tensor>> = inputs.iter().map(Some).collect();
    let (values, shape) = with(&given, |views| {
        kernel.forward(&gpu, std::array::from_fn(|i| views[i].as_ref().expect("given above").again()))
    })?;
    let output = tensor(&gpu, values, shape);
    let shapes = inputs.iter().map(|t| t.shape().clone()).collect();
    let (reads, reads_output) = kernel.reads();
    let kept = inputs.into_iter().zip(reads).map(|(t, reads)| reads.then_some(t)).collect();
    record::note(Box::new(Kept {
        kernel,
        ids: arguments.map(Tensor::id),
        gave: output.id(),
        shapes,
        kept,
        output: reads_output.then(|| output.clone()),
    }));
    Ok(output)
}

/// A call for the way back.
struct Kept<K, const N: usize> {
    kernel: K,
    ids: [TensorId; N],
    gave: TensorId,
    shapes: Vec<Shape>,
    kept: Vec<Option<Tensor>>,
    output: Option<Tensor>,
}

impl<const N: usize, K: Kernel<N>> Call for Kept<K, N> {
    fn arguments(&self) -> &[TensorId] {
        &self.ids
    }

    fn output(&self) -> TensorId {
        self.gave
    }

    fn backward(&self, grad: Grad, wanted: &[bool], _: bool) -> Result<Vec<Option<Grad>>> {
        let Grad::Held(grad) = grad else { bail!("{} was given a gradient in main memory", K::NAME) };
        let kept = std::array::from_fn(|i| self.kept[i].as_ref());
        let wanted = std::array::from_fn(|i| wanted[i]);
        let found = backward(&self.kernel, kept, &self.shapes, self.output.as_ref(), &grad, wanted)?;
        Ok(found.into_iter().map(|t| t.map(Grad::Held)).collect())
    }
}

/// A kernel as candle's graph sees it.
struct Own<K>(K);

/// For [`Own`]: the forward pass, and the way back with every input at hand.
impl<K> Own<K> {
    fn fwd<const N: usize>(&self, inputs: [(&CudaStorage, &Layout); N]) -> Result<(CudaStorage, Shape)>
    where
        K: Kernel<N>,
    {
        let gpu = Gpu { device: inputs[0].0.device.clone() };
        let views = inputs.iter().map(|(s, l)| view(s, l)).collect::<Result<Vec<_>>>()?;
        let (values, shape) = self.0.forward(&gpu, std::array::from_fn(|i| views[i].again()))?;
        Ok((CudaStorage::wrap_cuda_slice(values, gpu.device), shape))
    }

    fn back<const N: usize>(&self, inputs: [&Tensor; N], y: &Tensor, dy: &Tensor) -> Result<[Option<Tensor>; N]>
    where
        K: Kernel<N>,
    {
        let shapes: Vec<Shape> = inputs.iter().map(|t| t.shape().clone()).collect();
        backward(&self.0, inputs.map(Some), &shapes, Some(y), dy, inputs.map(Tensor::track_op))
    }
}

fn not_here<R>(name: &str) -> Result<R> {
    bail!("{name} of a GPU was asked for on the CPU")
}

impl<K: Kernel<1>> CustomOp1 for Own<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here(K::NAME)
    }

    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        self.fwd([(s, l)])
    }

    fn bwd(&self, a: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [da] = self.back([a], y, dy)?;
        Ok(da)
    }
}

impl<K: Kernel<2>> CustomOp2 for Own<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        not_here(K::NAME)
    }

    fn cuda_fwd(&self, s1: &CudaStorage, l1: &Layout, s2: &CudaStorage, l2: &Layout) -> Result<(CudaStorage, Shape)> {
        self.fwd([(s1, l1), (s2, l2)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = self.back([a, b], y, dy)?;
        Ok((da, db))
    }
}

impl<K: Kernel<3>> CustomOp3 for Own<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        not_here(K::NAME)
    }

    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.fwd([(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = self.back([a, b, c], y, dy)?;
        Ok((da, db, dc))
    }
}

/// Whether kernels here take it.
pub fn takes(x: &Tensor) -> bool {
    x.device().is_cuda() && x.dtype() == DType::F32
}
