//! The in-place pass on the CPU: weight, gradient and state are read and written once, in chunks that stay in cache, chunks of
//! large weights in parallel.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Tensor, Var, WithDType, bail};
use rayon::prelude::*;

/// Elements per chunk: of f32, weight, gradient and two slots take 128 KiB.
const CHUNK: usize = 8192;

/// State of one weight: up to two slots, unused ones empty.
#[derive(Debug)]
pub(super) struct Host<T> {
    slots: [Vec<T>; 2],
}

/// f32 or f64.
pub(super) trait Real: WithDType + Default {
    fn storage(storage: &mut CpuStorage) -> Option<&mut [Self]>;
    /// A chunk of zeros, the gradient of a weight that has none.
    fn zeros() -> &'static [Self; CHUNK];
    fn root(self) -> Self;
}

macro_rules! real {
    ($t:ty, $variant:ident) => {
        impl Real for $t {
            fn storage(storage: &mut CpuStorage) -> Option<&mut [$t]> {
                match storage {
                    CpuStorage::$variant(v) => Some(v),
                    _ => None,
                }
            }
            fn zeros() -> &'static [$t; CHUNK] {
                static ZEROS: [$t; CHUNK] = [0.0; CHUNK];
                &ZEROS
            }
            #[inline(always)]
            fn root(self) -> $t {
                self.sqrt()
            }
        }
    };
}
real!(f32, F32);
real!(f64, F64);

impl<T: Real> Host<T> {
    pub fn new(elements: usize, used: usize) -> Host<T> {
        Host { slots: std::array::from_fn(|i| if i < used { vec![T::default(); elements] } else { Vec::new() }) }
    }

    pub fn save(&self, slot: usize, shape: &[usize]) -> Result<Tensor> {
        Tensor::from_slice(&self.slots[slot], shape, &candle_core::Device::Cpu)
    }

    pub fn load(&mut self, slot: usize, tensor: &Tensor) -> Result<()> {
        self.slots[slot] = tensor.flatten_all()?.to_vec1()?;
        Ok(())
    }

    /// Applies a rule to the weight's storage; no gradient means zeros.
    pub fn update<F>(&mut self, var: &Var, grad: Option<&Tensor>, rule: F) -> Result<()>
    where
        F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync,
    {
        let pass = Pass { slots: RefCell::new(&mut self.slots), rule };
        match grad {
            Some(grad) => var.inplace_op2(&grad.to_dtype(T::DTYPE)?.contiguous()?, &pass),
            None => var.inplace_op1(&pass),
        }
    }
}

struct Pass<'a, T, F> {
    slots: RefCell<&'a mut [Vec<T>; 2]>,
    rule: F,
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> Pass<'_, T, F> {
    fn run(&self, weight: &mut CpuStorage, layout: &Layout, grad: Option<&[T]>) -> Result<()> {
        let (Some(weight), Some((start, end))) = (T::storage(weight), layout.contiguous_offsets()) else {
            bail!("a weight changed its dtype or layout under the optimiser")
        };
        let mut slots = self.slots.borrow_mut();
        let [mut first, mut second] = slots.each_mut().map(Vec::as_mut_slice);
        let weight = &mut weight[start..end];
        let mut chunks = Vec::with_capacity(weight.len().div_ceil(CHUNK));
        for (i, w) in weight.chunks_mut(CHUNK).enumerate() {
            let g = grad.map_or(&T::zeros()[..w.len()], |g| &g[i * CHUNK..][..w.len()]);
            let (s0, s1) = (split(&mut first, w.len()), split(&mut second, w.len()));
            chunks.push((w, g, [s0, s1]));
        }
        let rule = &self.rule;
        if chunks.len() == 1 {
            chunks.into_iter().for_each(|(w, g, s)| rule(w, g, s));
        } else {
            chunks.into_par_iter().for_each(|(w, g, s)| rule(w, g, s));
        }
        Ok(())
    }
}

/// Takes up to `n` elements from the front.
fn split<'a, T>(rest: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let n = n.min(rest.len());
    rest.split_off_mut(..n).expect("within bounds")
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> InplaceOp1 for Pass<'_, T, F> {
    fn name(&self) -> &'static str {
        "optimiser step"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.run(weight, layout, None)
    }
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> InplaceOp2 for Pass<'_, T, F> {
    fn name(&self) -> &'static str {
        "optimiser step"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, layout: &Layout, grad: &CpuStorage, grad_l: &Layout) -> Result<()> {
        let Some((start, end)) = grad_l.contiguous_offsets() else { bail!("a gradient is not contiguous") };
        self.run(weight, layout, Some(&grad.as_slice::<T>()?[start..end]))
    }
}
