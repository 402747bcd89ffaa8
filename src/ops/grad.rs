//! Gradients on the way back: numbers of their own in main memory, tensors elsewhere.

use candle_core::{CpuStorage, DType, Device, Result, Shape, Storage, Tensor, bail};
use rayon::prelude::*;

use super::kernel::BLOCK;
use super::kernel::record::Host;
use super::rows::Rows;

#[derive(Debug, Clone)]
pub enum Grad {
    Host(Host),
    Held(Tensor),
    /// Of a table, in main memory.
    Rows(Rows),
}

impl Grad {
    /// A copy where the tensor is in main memory.
    pub fn of(t: &Tensor) -> Result<Grad> {
        if !t.device().is_cpu() || !matches!(t.dtype(), DType::F32 | DType::F64) {
            return Ok(Grad::Held(t.clone()));
        }
        let t = t.contiguous()?;
        let (storage, layout) = t.storage_and_layout();
        let Storage::Cpu(storage) = &*storage else { bail!("a tensor of the CPU lies elsewhere") };
        let (from, to) = (layout.start_offset(), layout.start_offset() + t.elem_count());
        let values = match storage {
            CpuStorage::F32(v) => CpuStorage::F32(v[from..to].to_vec()),
            CpuStorage::F64(v) => CpuStorage::F64(v[from..to].to_vec()),
            _ => bail!("gradients are f32 or f64"),
        };
        Ok(Grad::Host(Host { values, shape: t.shape().clone() }))
    }

    /// Samples.
    pub fn batch(&self) -> usize {
        let dims = match self {
            Grad::Host(h) => h.shape.dims(),
            Grad::Held(t) => t.dims(),
            Grad::Rows(r) => r.shape().dims(),
        };
        dims.first().copied().unwrap_or(1)
    }

    pub fn host(self) -> Result<Host> {
        match self {
            Grad::Host(h) => Ok(h),
            Grad::Held(t) => match Grad::of(&t)? {
                Grad::Host(h) => Ok(h),
                _ => bail!("a kernel of the CPU was given a gradient of another device"),
            },
            Grad::Rows(r) => Grad::of(&r.tensor(&Device::Cpu)?)?.host(),
        }
    }

    pub fn tensor(self, device: &Device) -> Result<Tensor> {
        match self {
            Grad::Held(t) => Ok(t),
            Grad::Rows(r) => r.tensor(device),
            Grad::Host(Host { values: CpuStorage::F32(v), shape }) => Tensor::from_vec(v, shape, device),
            Grad::Host(Host { values: CpuStorage::F64(v), shape }) => Tensor::from_vec(v, shape, device),
            Grad::Host(_) => bail!("gradients are f32 or f64"),
        }
    }

    pub fn reshape(self, shape: Shape) -> Result<Grad> {
        match self {
            Grad::Host(h) => Ok(Grad::Host(Host { values: h.values, shape })),
            Grad::Held(t) => Ok(Grad::Held(t.reshape(shape)?)),
            Grad::Rows(r) => Grad::Held(r.tensor(&Device::Cpu)?).reshape(shape),
        }
    }

    /// A multiple.
    pub fn times(&self, factor: f64) -> Result<Grad> {
        let times = |v: &CpuStorage| match v {
            CpuStorage::F32(v) => Ok(CpuStorage::F32(v.iter().map(|x| x * factor as f32).collect())),
            CpuStorage::F64(v) => Ok(CpuStorage::F64(v.iter().map(|x| x * factor).collect())),
            _ => bail!("gradients are f32 or f64"),
        };
        match self {
            Grad::Host(h) => Ok(Grad::Host(Host { values: times(&h.values)?, shape: h.shape.clone() })),
            Grad::Held(t) => Ok(Grad::Held((t * factor)?)),
            Grad::Rows(r) => Ok(Grad::Rows(r.times(factor)?)),
        }
    }

    /// Adds another, in place where it can be.
    pub fn add(&mut self, other: Grad) -> Result<()> {
        match (self, other) {
            (Grad::Host(a), Grad::Host(b)) => match (&mut a.values, &b.values) {
                (CpuStorage::F32(a), CpuStorage::F32(b)) => add(a, b),
                (CpuStorage::F64(a), CpuStorage::F64(b)) => add(a, b),
                _ => bail!("gradients of one value differ in type"),
            },
            (Grad::Held(a), Grad::Held(b)) => *a = (&*a + b)?,
            (Grad::Rows(a), Grad::Rows(b)) => *a = a.plus(&b)?,
            (a @ Grad::Host(_), Grad::Rows(b)) => a.add(Grad::of(&b.tensor(&Device::Cpu)?)?)?,
            (a @ Grad::Rows(_), b @ Grad::Host(_)) => {
                let Grad::Rows(rows) = &*a else { unreachable!("matched above") };
                *a = Grad::of(&rows.tensor(&Device::Cpu)?)?;
                a.add(b)?;
            }
            _ => bail!("gradients of one value lie on several devices"),
        }
        Ok(())
    }
}

fn add<T: Copy + Send + Sync + std::ops::AddAssign>(a: &mut [T], b: &[T]) {
    a.par_chunks_mut(BLOCK).zip(b.par_chunks(BLOCK)).for_each(|(a, b)| {
        for (a, b) in a.iter_mut().zip(b) {
            *a += *b;
        }
    });
}
