//! Where to compute: `auto`, `cpu`, `cuda:N`.

use candle_core::Device;

use super::RunError;

/// The device of that name. `auto` takes the first GPU where this build has one, else the CPU.
pub fn open(name: &str) -> Result<Device, RunError> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => {
            if candle_core::utils::cuda_is_available()
                && let Ok(d) = Device::new_cuda(0)
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
                    "`{name}` is not to be had: this build has no CUDA (build with `--features cuda`), use `--device cpu`"
                )));
            }
            Device::new_cuda(ordinal).map_err(|e| {
                let reason = e.to_string();
                let line = reason.lines().next().unwrap_or("unknown reason").to_string();
                RunError::Device(format!("cannot open `{name}`: {line}; use `--device cpu`"))
            })
        }
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
