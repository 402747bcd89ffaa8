//! CPU kernels with their own gradients, for f32 and f64: how one becomes an op of candle's graph, and what they share.
//!
//! A kernel sees contiguous slices and says which values and gradients come out; [`Own`] does what candle needs around it.
//! Results never depend on the number of threads: work is split by sizes alone, and sums are added in a fixed order.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub mod batch;
pub mod batch_pool;
pub mod conv;
pub mod conv_pool;
mod conv_weight;
mod correlate;
pub mod depthwise;
mod frame;
pub mod linear;
pub mod loss;
mod micro;
mod pack;
pub mod real;
pub mod record;
pub mod relu;
pub mod resample;
pub mod rows;
pub mod segment;
pub mod siblings;
pub mod simd;
pub mod table;
pub mod window;

use std::borrow::Cow;
use std::marker::PhantomData;

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};
use rayon::prelude::*;

pub use real::Real;

/// A contiguous tensor.
#[derive(Clone, Copy)]
pub struct View<'a, T> {
    pub data: &'a [T],
    pub dims: &'a [usize],
}

impl<T> View<'_, T> {
    /// Numbers, also of a view whose data are not there.
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }

    /// Values per sample.
    pub fn per_sample(&self) -> usize {
        self.dims[1..].iter().product()
    }
}

/// A differentiable function of `N` tensors.
pub trait Kernel<const N: usize>: Send + Sync + 'static {
    const NAME: &'static str;

    /// Values and shape of the output.
    fn forward<T: Real>(&self, inputs: [View<'_, T>; N]) -> Result<(Vec<T>, Shape)>;

    /// Which inputs [`Kernel::backward`] reads, and whether it reads the output: of the others it may see the shape alone.
    fn reads(&self) -> ([bool; N], bool) {
        ([true; N], true)
    }

    /// Whether a ReLU is at the end: [`Kernel::backward`] is given the gradient from before it, 0 where the output is.
    fn rectified(&self) -> bool {
        false
    }

    /// Gradients of those inputs that want one (a parameter, or something computed from one); `None` for the others.
    fn backward<T: Real>(
        &self,
        inputs: [View<'_, T>; N],
        output: View<'_, T>,
        grad: &[T],
        wanted: [bool; N],
    ) -> Result<[Option<Vec<T>>; N]>;

    /// The same where the gradient may be kept, which saves a copy.
    fn backward_of<T: Real>(
        &self,
        inputs: [View<'_, T>; N],
        output: View<'_, T>,
        grad: Vec<T>,
        wanted: [bool; N],
    ) -> Result<[Option<Vec<T>>; N]> {
        self.backward(inputs, output, &grad, wanted)
    }
}

/// A kernel as candle sees it.
struct Own<K>(K);

pub fn apply1<K: Kernel<1>>(kernel: K, a: &Tensor) -> Result<Tensor> {
    if record::is_on() {
        return record::run(kernel, [a]);
    }
    a.contiguous()?.apply_op1(Own(kernel))
}

pub fn apply2<K: Kernel<2>>(kernel: K, a: &Tensor, b: &Tensor) -> Result<Tensor> {
    if record::is_on() {
        return record::run(kernel, [a, b]);
    }
    a.contiguous()?.apply_op2(&b.contiguous()?, Own(kernel))
}

pub fn apply3<K: Kernel<3>>(kernel: K, a: &Tensor, b: &Tensor, c: &Tensor) -> Result<Tensor> {
    if record::is_on() {
        return record::run(kernel, [a, b, c]);
    }
    a.contiguous()?.apply_op3(&b.contiguous()?, &c.contiguous()?, Own(kernel))
}

fn view<'a, T: WithDType>(storage: &'a CpuStorage, layout: &'a Layout) -> Result<View<'a, T>> {
    let data = T::cpu_storage_as_slice(storage)?;
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(View { data: &data[from..to], dims: layout.dims() }),
        None => bail!("a kernel was given a tensor that is not contiguous"),
    }
}

fn forward<const N: usize, K: Kernel<N>>(
    kernel: &K,
    inputs: [(&CpuStorage, &Layout); N],
) -> Result<(CpuStorage, Shape)> {
    fn typed<const N: usize, K: Kernel<N>, T: Real>(
        kernel: &K,
        inputs: [(&CpuStorage, &Layout); N],
    ) -> Result<(CpuStorage, Shape)> {
        let views = inputs.iter().map(|(s, l)| view::<T>(s, l)).collect::<Result<Vec<_>>>()?;
        let (values, shape) = kernel.forward(std::array::from_fn(|i| views[i]))?;
        debug_assert_eq!(values.len(), shape.elem_count(), "{}", K::NAME);
        Ok((T::to_cpu_storage_owned(values), shape))
    }
    match inputs[0].0 {
        CpuStorage::F32(_) => typed::<N, K, f32>(kernel, inputs),
        CpuStorage::F64(_) => typed::<N, K, f64>(kernel, inputs),
        _ => bail!("{} knows f32 and f64 only", K::NAME),
    }
}

fn backward<const N: usize, K: Kernel<N>>(
    kernel: &K,
    inputs: [&Tensor; N],
    output: &Tensor,
    grad: &Tensor,
) -> Result<[Option<Tensor>; N]> {
    fn typed<const N: usize, K: Kernel<N>, T: Real>(
        kernel: &K,
        inputs: [&Tensor; N],
        output: &Tensor,
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        // Inputs and output are contiguous by construction; the gradient may be anything, a broadcast scalar for one.
        let grad = grad.contiguous()?;
        let all: Vec<_> = inputs.iter().copied().chain([output, &grad]).map(|t| t.storage_and_layout()).collect();
        let views = all
            .iter()
            .map(|(storage, layout)| match &**storage {
                Storage::Cpu(s) => view::<T>(s, layout),
                _ => bail!("{} runs on the CPU only", K::NAME),
            })
            .collect::<Result<Vec<_>>>()?;
        let wanted = inputs.map(|t| t.track_op());
        let grad = match kernel.rectified() {
            true => Cow::Owned(relu::masked(views[N].data, views[N + 1].data)),
            false => Cow::Borrowed(views[N + 1].data),
        };
        let grads = kernel.backward(std::array::from_fn(|i| views[i]), views[N], &grad, wanted)?;
        let mut out = [const { None }; N];
        for (i, values) in grads.into_iter().enumerate() {
            out[i] = values.map(|v| Tensor::from_vec(v, inputs[i].shape(), inputs[i].device())).transpose()?;
        }
        Ok(out)
    }
    match output.dtype() {
        DType::F32 => typed::<N, K, f32>(kernel, inputs, output, grad),
        DType::F64 => typed::<N, K, f64>(kernel, inputs, output, grad),
        _ => bail!("{} knows f32 and f64 only", K::NAME),
    }
}

impl<K: Kernel<1>> CustomOp1 for Own<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(s, l)])
    }

    fn bwd(&self, a: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [da] = backward(&self.0, [a], y, dy)?;
        Ok(da)
    }
}

impl<K: Kernel<2>> CustomOp2 for Own<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(s1, l1), (s2, l2)])
    }

    fn bwd(&self, a: &Tensor, b: &Tensor, y: &Tensor, dy: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [da, db] = backward(&self.0, [a, b], y, dy)?;
        Ok((da, db))
    }
}

impl<K: Kernel<3>> CustomOp3 for Own<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        forward(&self.0, [(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [da, db, dc] = backward(&self.0, [a, b, c], y, dy)?;
        Ok((da, db, dc))
    }
}

/// Work below which waking a thread costs more than it saves, in vector operations.
pub const PARALLEL: usize = 1 << 16;

/// `f(i, chunk)` for every chunk of `out`, in parallel if the work (in vector operations, roughly) is worth it.
pub fn chunks<T: Send>(out: &mut [T], size: usize, work: usize, f: impl Fn(usize, &mut [T]) + Sync + Send) {
    if work < PARALLEL || out.len() <= size {
        out.chunks_mut(size).enumerate().for_each(|(i, out)| f(i, out));
    } else {
        out.par_chunks_mut(size).enumerate().for_each(|(i, out)| f(i, out));
    }
}

/// Two things that do not wait for each other, at once if the work (in vector operations, roughly) is worth it.
pub fn both<A: Send, B: Send>(work: usize, a: impl FnOnce() -> A + Send, b: impl FnOnce() -> B + Send) -> (A, B) {
    if work < PARALLEL { (a(), b()) } else { rayon::join(a, b) }
}

/// The planes of one channel of `[n, c, p]`, to be written.
pub struct Channel<'a, T> {
    first: *mut T,
    n: usize,
    step: usize,
    p: usize,
    owner: PhantomData<&'a mut [T]>,
}

impl<T> Channel<'_, T> {
    /// Every plane once, in the order of samples.
    pub fn each(self, mut f: impl FnMut(&mut [T])) {
        for i in 0..self.n {
            // SAFETY: `channels` made `first`, `step` and `p` so that this plane lies within the borrowed values, and gave it to
            // this channel alone.
            f(unsafe { std::slice::from_raw_parts_mut(self.first.add(i * self.step), self.p) });
        }
    }
}

/// `f(channel, planes)` for every channel of `out`, `[n, c, p]`, in parallel if the work is worth it; results by channel.
pub fn channels<T: Real, R: Send>(
    out: &mut [T],
    c: usize,
    p: usize,
    work: usize,
    f: impl Fn(usize, Channel<T>) -> R + Sync + Send,
) -> Vec<R> {
    struct First<T>(*mut T);
    // SAFETY: it is only read, and what it leads to is split between channels.
    unsafe impl<T> Sync for First<T> {}
    let (first, n) = (First(out.as_mut_ptr()), out.len() / (c * p).max(1));
    let one = |i: usize| {
        let first = &first;
        // SAFETY: i < c, and there are n * c * p values.
        let first = unsafe { first.0.add(i * p) };
        f(i, Channel { first, n, step: c * p, p, owner: PhantomData })
    };
    if n == 0 {
        return (0..c).map(|i| f(i, Channel { first: first.0, n, step: 0, p, owner: PhantomData })).collect();
    }
    if work < PARALLEL {
        (0..c).map(one).collect()
    } else {
        (0..c).into_par_iter().with_min_len(c.div_ceil(16)).map(one).collect()
    }
}

/// Elements that one task of an elementwise loop handles.
pub const BLOCK: usize = 1 << 15;

/// A buffer that the caller overwrites entirely before anything reads it: zeroing would cost a pass over memory.
pub fn buffer<T: Real>(len: usize) -> Vec<T> {
    let mut v = Vec::with_capacity(len);
    // SAFETY: within capacity, floats have no invalid bit patterns and no destructor, and every caller writes each element
    // before it is read.
    #[allow(clippy::uninit_vec)]
    unsafe {
        v.set_len(len)
    };
    v
}

/// `f(x)` for every element.
pub fn map<T: Real>(x: &[T], f: impl Fn(T) -> T + Sync + Send) -> Vec<T> {
    let mut y = buffer(x.len());
    chunks(&mut y, BLOCK, x.len() / 4, |i, y| {
        simd::set1(y, &x[i * BLOCK..], &f);
    });
    y
}

/// `f(a, b)` for every element.
pub fn map2<T: Real>(a: &[T], b: &[T], f: impl Fn(T, T) -> T + Sync + Send) -> Vec<T> {
    let mut y = buffer(a.len());
    chunks(&mut y, BLOCK, a.len() / 4, |i, y| {
        simd::set2(y, &a[i * BLOCK..], &b[i * BLOCK..], &f);
    });
    y
}

/// `f(a, b, c)` for every element.
pub fn map3<T: Real>(a: &[T], b: &[T], c: &[T], f: impl Fn(T, T, T) -> T + Sync + Send) -> Vec<T> {
    let mut y = buffer(a.len());
    chunks(&mut y, BLOCK, a.len() / 4, |i, y| {
        simd::set3(y, &a[i * BLOCK..], &b[i * BLOCK..], &c[i * BLOCK..], &f);
    });
    y
}

/// The values of a contiguous tensor in main memory.
pub fn with<T: Real, R>(t: &Tensor, f: impl FnOnce(&[T]) -> R) -> Result<R> {
    let (storage, layout) = t.storage_and_layout();
    match &*storage {
        Storage::Cpu(s) => Ok(f(view::<T>(s, layout)?.data)),
        _ => bail!("a kernel runs on the CPU only"),
    }
}
