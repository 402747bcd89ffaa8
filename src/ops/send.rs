//! Numbers from main memory to a device. What a step sends goes this way, so that no step waits for a GPU to have reached it
//! (`ops/cuda/pinned.rs`).

use candle_core::{Device, Result, Shape, Tensor, WithDType};

/// A tensor of these numbers.
pub fn tensor<T: WithDType>(values: Vec<T>, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
    let shape = shape.into();
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = device {
        use super::cuda::{Gpu, pinned};
        use candle_core::CpuStorageRef;
        let gpu = Gpu { device: gpu.clone() };
        match T::cpu_storage_ref(&values) {
            CpuStorageRef::F32(values) => return pinned::sent(&gpu, values, shape),
            CpuStorageRef::U8(values) => return pinned::sent(&gpu, values, shape),
            _ => {}
        }
    }
    Tensor::from_vec(values, shape, device)
}

/// Tensors on their way to a GPU, which goes on computing.
pub struct Early<T> {
    // Dropped first.
    #[cfg(feature = "cuda")]
    arrival: super::cuda::pinned::Arrival,
    tensors: T,
}

/// Runs `f` with what it sends going over while a GPU computes; elsewhere it is not run, and there is nothing to be had.
pub fn early<T>(device: &Device, f: impl FnOnce() -> Result<T>) -> Result<Option<Early<T>>> {
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = device {
        let (arrival, tensors) = super::cuda::pinned::ahead(gpu, f)?;
        return Ok(Some(Early { arrival, tensors: tensors? }));
    }
    let _ = (device, f);
    Ok(None)
}

impl<T> Early<T> {
    /// The tensors; what reads them waits for them on the GPU.
    pub fn arrived(self) -> T {
        #[cfg(feature = "cuda")]
        drop(self.arrival);
        self.tensors
    }
}
