//! A GPU as kernels see it: memory, functions by name, and how many blocks to launch.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use candle_core::cuda_backend::cudarc::driver::sys::CUdevice_attribute;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaStream, CudaView, DeviceRepr, LaunchArgs, LaunchConfig, PushKernelArg,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, DeviceId, WrapErr};
use candle_core::{Device, Result, Tensor, bail};

/// Threads of every block; [`SOURCE`] counts on it.
pub const THREADS: usize = 256;

const SOURCE: &str = include_str!("kernels.cu");

/// Compiled sources, by compute capability.
static COMPILED: Mutex<BTreeMap<(i32, i32), String>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// Kernels that were asked for before.
    static LOADED: RefCell<HashMap<(DeviceId, &'static str), CudaFunction>> = RefCell::default();
}

/// A kernel, to be launched on the device's stream.
pub struct Function {
    function: CudaFunction,
    stream: Arc<CudaStream>,
}

impl Function {
    pub fn builder(&self) -> LaunchArgs<'_> {
        self.stream.launch_builder(&self.function)
    }
}

#[derive(Clone, Debug)]
pub struct Gpu {
    pub device: CudaDevice,
}

impl Gpu {
    /// The one that holds a tensor.
    pub fn of(t: &Tensor) -> Result<Gpu> {
        match t.device() {
            Device::Cuda(device) => Ok(Gpu { device: device.clone() }),
            _ => bail!("a kernel of a GPU was given a tensor that lies elsewhere"),
        }
    }

    /// Memory for `len` numbers, whose caller writes each before it is read.
    pub fn buffer<T: DeviceRepr>(&self, len: usize) -> Result<CudaSlice<T>> {
        // SAFETY: any bits are a number, and every caller's kernel writes all of them.
        unsafe { self.device.alloc::<T>(len) }
    }

    /// A kernel of `kernels.cu`, compiled at the first call for this kind of GPU.
    pub fn function(&self, name: &'static str) -> Result<Function> {
        let (key, stream) = ((self.device.id(), name), self.device.cuda_stream());
        if let Some(function) = LOADED.with_borrow(|all| all.get(&key).cloned()) {
            return Ok(Function { function, stream });
        }
        let source = self.source()?;
        let function = self.device.get_or_load_custom_func(name, "mtlc", &source)?.into_cuda_function();
        LOADED.with_borrow_mut(|all| all.insert(key, function.clone()));
        Ok(Function { function, stream })
    }

    fn source(&self) -> Result<String> {
        let stream = self.device.cuda_stream();
        let of = |what| stream.context().attribute(what).w();
        let major = of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = of(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        let mut compiled = COMPILED.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(ptx) = compiled.get(&(major, minor)) {
            return Ok(ptx.clone());
        }
        let options = CompileOptions {
            options: vec![format!("--gpu-architecture=compute_{major}{minor}")],
            name: Some("mtlc.cu".into()),
            ..CompileOptions::default()
        };
        let ptx = match compile_ptx_with_opts(SOURCE, options) {
            Ok(ptx) => ptx.to_src(),
            Err(CompileError::CompileError { log, .. }) => bail!("NVRTC: {}", log.to_string_lossy()),
            Err(e) => bail!("NVRTC: {e}"),
        };
        compiled.insert((major, minor), ptx.clone());
        Ok(ptx)
    }

    /// Sums by channel of `[n, c, p]`, `[c]`.
    pub fn channel_sums(&self, x: &CudaView<'_, f32>, [n, c, p]: [usize; 3]) -> Result<CudaSlice<f32>> {
        let splits = splits(n * p, c);
        let mut partial = self.buffer(splits * c)?;
        let [rows, channels, pixels] = [size(n)?, size(c)?, size(p)?];
        size(n * c * p)?;
        if p == 1 {
            let f = self.function("column_sums")?;
            let mut launch = f.builder();
            launch.arg(&mut partial).arg(x).arg(&rows).arg(&channels);
            // SAFETY: x is `[n, c]`, partial `[splits, c]`.
            unsafe { launch.launch(grid(splits, c.div_ceil(THREADS))) }.w()?;
        } else {
            let f = self.function("channel_sums")?;
            let mut launch = f.builder();
            launch.arg(&mut partial).arg(x).arg(&rows).arg(&channels).arg(&pixels);
            // SAFETY: x is `[n, c, p]`, partial `[splits, c]`.
            unsafe { launch.launch(grid(splits, c)) }.w()?;
        }
        self.add_partials(partial, splits, c)
    }

    /// `[splits, c]` summed over splits, in their order.
    pub fn add_partials(&self, partial: CudaSlice<f32>, splits: usize, c: usize) -> Result<CudaSlice<f32>> {
        if splits == 1 {
            return Ok(partial);
        }
        let mut out = self.buffer(c)?;
        let (parts, channels) = (size(splits)?, size(c)?);
        let f = self.function("add_partials")?;
        let mut launch = f.builder();
        launch.arg(&mut out).arg(&partial).arg(&parts).arg(&channels);
        // SAFETY: partial is `[splits, c]`, out `[c]`.
        unsafe { launch.launch(blocks(c)) }.w()?;
        Ok(out)
    }
}

/// As a kernel takes it.
pub fn size(n: usize) -> Result<i32> {
    match i32::try_from(n) {
        Ok(n) => Ok(n),
        Err(_) => {
            bail!("a kernel of a GPU takes at most 2^31 numbers at once, and this is {n}: make the batch smaller")
        }
    }
}

/// A thread per number.
pub fn blocks(count: usize) -> LaunchConfig {
    grid(1, count.div_ceil(THREADS).max(1))
}

/// A block for every part of every channel.
pub fn grid(parts: usize, channels: usize) -> LaunchConfig {
    LaunchConfig {
        grid_dim: (channels as u32, parts as u32, 1),
        block_dim: (THREADS as u32, 1, 1),
        shared_mem_bytes: 0,
    }
}

/// Into how many parts the `m` numbers of each of `c` channels are split: a function of sizes alone, and enough blocks for any GPU.
pub fn splits(m: usize, c: usize) -> usize {
    m.div_ceil(2048).min(1024usize.div_ceil(c)).max(1)
}
