//! A kernel's call kept for the way back, without candle's graph: what it read and gave, and nothing that its gradient does not
//! need.

use std::cell::RefCell;
use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, Device, Result, Shape, Storage, Tensor, TensorId, bail};

use super::{Kernel, Real, View, relu, view, with};
use crate::ops::grad::Grad;

/// A gradient in main memory, contiguous, in the shape of what it is a gradient of.
#[derive(Debug, Clone)]
pub struct Host {
    pub values: CpuStorage,
    pub shape: Shape,
}

/// One call of a kernel. Gradients come by argument, for those that are wanted.
pub trait Call: Send + Sync {
    /// Which tensors the kernel was given.
    fn arguments(&self) -> &[TensorId];
    /// The tensor that it gave.
    fn output(&self) -> TensorId;
    /// `last` if nobody asks again.
    fn backward(&self, grad: Grad, wanted: &[bool], last: bool) -> Result<Vec<Option<Grad>>>;
}

thread_local! {
    static RECORDER: RefCell<Option<Vec<Box<dyn Call>>>> = const { RefCell::new(None) };
}

/// Puts back what was recorded before.
struct Restore(Option<Vec<Box<dyn Call>>>);

impl Drop for Restore {
    fn drop(&mut self) {
        RECORDER.set(self.0.take());
    }
}

/// Runs `f`, whose kernels do not enter candle's graph, and gives their calls in order.
pub fn recording<R>(f: impl FnOnce() -> R) -> (R, Vec<Box<dyn Call>>) {
    let _restore = Restore(RECORDER.replace(Some(Vec::new())));
    let result = f();
    (result, RECORDER.take().unwrap_or_default())
}

/// Runs `f` as if nothing were recorded: a thread that waits for another's part of a kernel may be given it in between.
pub fn apart<R>(f: impl FnOnce() -> R) -> R {
    let _restore = Restore(RECORDER.take());
    f()
}

pub(in crate::ops) fn is_on() -> bool {
    RECORDER.with_borrow(Option::is_some)
}

/// Runs a kernel outside candle's graph and notes the call.
pub(super) fn run<const N: usize, K: Kernel<N>>(kernel: K, arguments: [&Tensor; N]) -> Result<Tensor> {
    let ids = arguments.map(Tensor::id);
    let mut inputs = Vec::with_capacity(N);
    for a in arguments {
        inputs.push(a.contiguous()?.detach());
    }
    let output = match inputs[0].dtype() {
        candle_core::DType::F32 => forward::<N, K, f32>(&kernel, &inputs)?,
        candle_core::DType::F64 => forward::<N, K, f64>(&kernel, &inputs)?,
        _ => bail!("{} knows f32 and f64 only", K::NAME),
    };
    let shapes = inputs.iter().map(|t| t.shape().clone()).collect();
    let (reads, reads_output) = kernel.reads();
    let kept = inputs.into_iter().zip(reads).map(|(t, reads)| reads.then_some(t)).collect();
    let side = Mutex::new(kernel.rectified().then(|| output.clone()));
    let call =
        Kept { ids, gave: output.id(), shapes, kept, output: reads_output.then(|| output.clone()), side, kernel };
    note(Box::new(call));
    Ok(output)
}

/// Notes a call, if calls are recorded.
pub(in crate::ops) fn note(call: Box<dyn Call>) {
    RECORDER.with_borrow_mut(|r| {
        if let Some(calls) = r {
            calls.push(call);
        }
    });
}

fn forward<const N: usize, K: Kernel<N>, T: Real>(kernel: &K, inputs: &[Tensor]) -> Result<Tensor> {
    let all: Vec<_> = inputs.iter().map(Tensor::storage_and_layout).collect();
    let mut views = Vec::with_capacity(N);
    for (storage, layout) in &all {
        match &**storage {
            Storage::Cpu(s) => views.push(view::<T>(s, layout)?),
            _ => bail!("{} runs on the CPU only", K::NAME),
        }
    }
    let (values, shape) = kernel.forward(std::array::from_fn(|i| views[i]))?;
    Tensor::from_vec(values, shape, &Device::Cpu)
}

struct Kept<K, const N: usize> {
    kernel: K,
    ids: [TensorId; N],
    gave: TensorId,
    shapes: Vec<Shape>,
    /// What the gradient reads.
    kept: Vec<Option<Tensor>>,
    output: Option<Tensor>,
    /// The output, where it says which gradients pass a ReLU; gone as soon as it has said so for the last time.
    side: Mutex<Option<Tensor>>,
}

impl<const N: usize, K: Kernel<N>> Kept<K, N> {
    fn typed<T: Real>(
        &self,
        mut grad: Vec<T>,
        shape: &Shape,
        wanted: &[bool],
        last: bool,
    ) -> Result<Vec<Option<Host>>> {
        let mut side = self.side.lock().unwrap_or_else(PoisonError::into_inner);
        let output = if last { side.take() } else { side.clone() };
        drop(side);
        if let Some(output) = output {
            with::<T, _>(&output, |y| relu::mask(y, &mut grad))?;
        }
        let all: Vec<_> =
            self.kept.iter().chain([&self.output]).map(|t| t.as_ref().map(Tensor::storage_and_layout)).collect();
        let dims = self.shapes.iter().chain([shape]);
        let mut views = Vec::with_capacity(N + 1);
        for (tensor, dims) in all.iter().zip(dims) {
            views.push(match tensor {
                None => View { data: &[], dims: dims.dims() },
                Some((storage, layout)) => match &**storage {
                    Storage::Cpu(s) => view::<T>(s, layout)?,
                    _ => bail!("{} runs on the CPU only", K::NAME),
                },
            });
        }
        let inputs = std::array::from_fn(|i| views[i]);
        let grads = self.kernel.backward_of(inputs, views[N], grad, std::array::from_fn(|i| wanted[i]))?;
        let host = |(values, shape): (Option<Vec<T>>, &Shape)| {
            values.map(|v| Host { values: T::to_cpu_storage_owned(v), shape: shape.clone() })
        };
        Ok(grads.into_iter().zip(&self.shapes).map(host).collect())
    }
}

impl<const N: usize, K: Kernel<N>> Call for Kept<K, N> {
    fn arguments(&self) -> &[TensorId] {
        &self.ids
    }

    fn output(&self) -> TensorId {
        self.gave
    }

    fn backward(&self, grad: Grad, wanted: &[bool], last: bool) -> Result<Vec<Option<Grad>>> {
        let grad = grad.host()?;
        let found = match grad.values {
            CpuStorage::F32(g) => self.typed::<f32>(g, &grad.shape, wanted, last),
            CpuStorage::F64(g) => self.typed::<f64>(g, &grad.shape, wanted, last),
            _ => bail!("{} knows f32 and f64 only", K::NAME),
        };
        Ok(found?.into_iter().map(|g| g.map(Grad::Host)).collect())
    }
}
