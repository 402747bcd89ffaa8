//! Where to compute: `auto`, `cpu`, `cuda:N`; and in which precision a GPU multiplies.

use candle_core::Device;

use super::RunError;
use crate::hir::Spec;
use crate::ops::precision::Precision;

/// What a GPU multiplies in for this spec, as its `train` says.
pub fn precision(spec: &Spec) -> Precision {
    let said = spec.train.as_ref().and_then(|t| t.args.opt_str("precision"));
    said.and_then(Precision::named).unwrap_or_default()
}

/// The device of that name. `auto` takes the first GPU where this build has one, else the CPU.
pub fn open(name: &str) -> Result<Device, RunError> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => {
            if candle_core::utils::cuda_is_available()
                && let Ok(d) = cuda(0)
            {
                return Ok(d);
            }
            Ok(Device::Cpu)
        }
        _ => {
            let ordinal = match name.strip_prefix("cuda") {
                Some("") => Some(0),
                Some(rest) => rest.strip_prefix(':').and_then(|n| n.parse::<usize>().ok()),
                None => None,
            };
            let Some(ordinal) = ordinal else {
                return Err(RunError::Device(format!("there is no device `{name}`: use `auto`, `cpu` or `cuda:N`")));
            };
            if !candle_core::utils::cuda_is_available() {
                return Err(RunError::Device(format!(
                    "`{name}` is not to be had: this build has no CUDA (build with `--features cuda,cudnn`), use `--device cpu`"
                )));
            }
            cuda(ordinal).map_err(|e| {
                let reason = e.to_string();
                let line = reason.lines().next().unwrap_or("unknown reason").to_string();
                RunError::Device(format!("cannot open `{name}`: {line}; use `--device cpu`"))
            })
        }
    }
}

fn cuda(ordinal: usize) -> candle_core::Result<Device> {
    let device = Device::new_cuda(ordinal)?;
    #[cfg(feature = "cuda")]
    if let Device::Cuda(gpu) = &device {
        // SAFETY: all work of a device goes to one stream, from one thread, so its order needs no events; but batches ahead of their
        // step, which `ops::cuda::pinned` sends by another stream and orders by events of its own.
        unsafe { gpu.disable_event_tracking() };
        keep_memory(gpu)?;
    }
    Ok(device)
}

/// Memory that was freed stays with this process for what comes next: otherwise all of it goes back to the system whenever the
/// processor waits, which is once a step.
#[cfg(feature = "cuda")]
fn keep_memory(gpu: &candle_core::cuda_backend::CudaDevice) -> candle_core::Result<()> {
    use candle_core::cuda_backend::WrapErr;
    use candle_core::cuda_backend::cudarc::driver::{result, sys};
    let stream = gpu.cuda_stream();
    if !stream.context().has_async_alloc() {
        return Ok(());
    }
    let most = u64::MAX;
    let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the pool is that of an open device, and the value of this attribute is 64 bits wide.
    unsafe {
        let pool = result::device::get_default_mem_pool(stream.context().cu_device()).w()?;
        result::mem_pool::set_attribute(pool, threshold, (&raw const most).cast_mut().cast()).w()
    }
}

/// "cpu (2 threads)", "cuda:0".
pub fn describe(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => format!("cpu ({} threads)", rayon::current_num_threads()),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}
