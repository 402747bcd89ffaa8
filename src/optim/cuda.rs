//! The in-place pass on a GPU: all weights, gradients and states in one launch. The factor of clipping stays there too, so a step
//! waits for nothing.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, DevicePtr, LaunchConfig, PushKernelArg};
use candle_core::{DType, Result, Tensor, Var, bail};

use crate::ops::cuda::{Gpu, THREADS, address, pinned, size, takes, tensor};

/// Numbers that a block takes; `kernels.cu` counts on it.
const CHUNK: usize = 2048;

/// Addresses and sizes of one weight, as the kernels' `Item` has them: weight, gradient, two slots, count, first block.
type Item = [u64; 6];

/// State of one weight: up to two slots.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<CudaSlice<f32>>,
}

/// Which kernel updates, and by which factors; of one weight.
pub(super) struct Update {
    pub kernel: &'static str,
    pub factors: Vec<f32>,
}

/// Whether the pass takes this weight.
pub(super) fn can(var: &Var) -> bool {
    takes(var) && var.is_contiguous()
}

impl Slots {
    pub fn new(var: &Var, used: usize) -> Result<Slots> {
        let gpu = Gpu::of(var)?;
        let slots = (0..used).map(|_| gpu.device.alloc_zeros::<f32>(var.elem_count()));
        Ok(Slots { slots: slots.collect::<Result<_>>()? })
    }

    pub fn save(&self, slot: usize, shape: &[usize], var_device: &candle_core::Device) -> Result<Tensor> {
        let candle_core::Device::Cuda(device) = var_device else { bail!("the state of a GPU lies elsewhere") };
        let gpu = Gpu { device: device.clone() };
        let mut copy = gpu.buffer(self.slots[slot].len())?;
        gpu.device.memcpy_dtod(&self.slots[slot], &mut copy)?;
        Ok(tensor(&gpu, copy, shape))
    }

    pub fn load(&mut self, slot: usize, saved: &Tensor) -> Result<()> {
        let values = saved.flatten_all()?.to_vec1::<f32>()?;
        let to = &mut self.slots[slot];
        let stream = to.stream().clone();
        stream.memcpy_htod(&values, to).w()
    }
}

/// The weights of one step, to be updated together.
#[derive(Default, Debug)]
pub(super) struct Together {
    gpu: Option<Gpu>,
    kernel: &'static str,
    items: Vec<Item>,
    factors: Vec<f32>,
    blocks: usize,
    /// Gradients as the kernel reads them, alive until the launch.
    grads: Vec<Tensor>,
}

impl Together {
    /// One weight more. No gradient means zeros.
    pub fn add(&mut self, var: &Var, grad: Option<&Tensor>, slots: &mut Slots, update: Update) -> Result<()> {
        let gpu = Gpu::of(var)?;
        let grad = grad.map(|g| g.detach().to_dtype(DType::F32)?.contiguous()).transpose()?;
        let mut item = [address(var)?, 0, 0, 0, var.elem_count() as u64, self.blocks as u64];
        if let Some(grad) = &grad {
            item[1] = address(grad)?;
        }
        let stream = gpu.device.cuda_stream();
        for (to, slot) in item[2..4].iter_mut().zip(&slots.slots) {
            *to = slot.device_ptr(&stream).0;
        }
        self.items.push(item);
        self.factors.extend(update.factors);
        self.blocks += var.elem_count().div_ceil(CHUNK);
        self.grads.extend(grad);
        self.kernel = update.kernel;
        self.gpu = Some(gpu);
        Ok(())
    }

    /// Updates them. `scale`, one number on the device, is a factor on all gradients.
    pub fn run(&self, scale: Option<&Tensor>) -> Result<()> {
        let Some(gpu) = self.gpu.as_ref().filter(|_| self.blocks > 0) else { return Ok(()) };
        let items = pinned::send(gpu, &self.items.concat())?;
        let factors = pinned::send(gpu, &self.factors)?;
        let scale = scale.map(address).transpose()?.unwrap_or(0);
        let count = size(self.items.len())?;
        let f = gpu.function(self.kernel)?;
        let mut launch = f.builder();
        launch.arg(&items).arg(&factors).arg(&count).arg(&scale);
        // SAFETY: every address is that of as many numbers as its item says, alive here, on the device of this stream; weights and
        // states are written by no one else.
        unsafe { launch.launch(config(self.blocks)) }.w()?;
        Ok(())
    }
}

fn config(blocks: usize) -> LaunchConfig {
    LaunchConfig { grid_dim: (blocks as u32, 1, 1), block_dim: (THREADS as u32, 1, 1), shared_mem_bytes: 0 }
}

/// Whether all gradients lie on one GPU as f32, so that [`clip`] takes them.
pub(super) fn can_clip<'a>(mut grads: impl Iterator<Item = &'a Tensor>) -> bool {
    let first = grads.next();
    first.is_some_and(|first| takes(first) && grads.all(|g| takes(g) && g.device().same_device(first.device())))
}

/// min(1, most / (norm + 1e-6)) of all gradients together, one number on their device. Summed in f32, in an order that follows from
/// sizes alone.
pub(super) fn clip<'a>(grads: impl Iterator<Item = &'a Tensor>, most: f64) -> Result<Tensor> {
    let grads: Vec<Tensor> = grads.map(Tensor::contiguous).collect::<Result<_>>()?;
    let gpu = Gpu::of(&grads[0])?;
    let (mut items, mut blocks) = (Vec::<Item>::with_capacity(grads.len()), 0);
    for grad in &grads {
        items.push([0, address(grad)?, 0, 0, grad.elem_count() as u64, blocks as u64]);
        blocks += grad.elem_count().div_ceil(CHUNK);
    }
    let table = pinned::send(&gpu, &items.concat())?;
    let mut partial = gpu.buffer::<f32>(blocks)?;
    let (count, parts, most) = (size(items.len())?, size(blocks)?, most as f32);
    let f = gpu.function("square_sums")?;
    let mut launch = f.builder();
    launch.arg(&mut partial).arg(&table).arg(&count);
    // SAFETY: every address is that of as many numbers as its item says; partial has a number per block.
    unsafe { launch.launch(config(blocks)) }.w()?;
    let mut scale = gpu.buffer(1)?;
    let f = gpu.function("clip_scale")?;
    let mut launch = f.builder();
    launch.arg(&mut scale).arg(&partial).arg(&parts).arg(&most);
    // SAFETY: one block, which writes one number.
    unsafe { launch.launch(config(1)) }.w()?;
    Ok(tensor(&gpu, scale, 1))
}

/// One number on the device of these weights.
pub(super) fn number(var: &Var, value: f64) -> Result<Tensor> {
    Tensor::from_vec(vec![value as f32], 1, var.device())
}
