//! Weights on disk: safetensors with a header in a fixed order, written beside and renamed into place, so a file is either
//! the old one or the new one.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::RunError;
use super::model::Model;
use crate::source::read_bytes;

/// Writes named tensors. The same tensors give the same bytes.
pub fn save(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), RunError> {
    let mut data: Vec<(String, Vec<usize>, Dtype, Vec<u8>)> = Vec::with_capacity(tensors.len());
    for (name, t) in tensors {
        let t = t.to_device(&Device::Cpu)?.flatten_all()?;
        let shape = tensors.iter().find(|(n, _)| n == name).expect("itself").1.dims().to_vec();
        let (dtype, bytes) = match t.dtype() {
            DType::F64 => (Dtype::F64, t.to_vec1::<f64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
            DType::I64 => (Dtype::I64, t.to_vec1::<i64>()?.iter().flat_map(|v| v.to_le_bytes()).collect()),
            _ => {
                let values = t.to_dtype(DType::F32)?.to_vec1::<f32>()?;
                (Dtype::F32, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
        };
        data.push((name.clone(), shape, dtype, bytes));
    }
    let views: Result<Vec<(String, TensorView)>, _> = data
        .iter()
        .map(|(n, shape, dtype, bytes)| TensorView::new(*dtype, shape.clone(), bytes).map(|v| (n.clone(), v)))
        .collect();
    let views = views.map_err(|e| RunError::Checkpoint(format!("{}: {e}", path.display())))?;
    // No metadata: its order would be random. The library sorts tensors by type and name.
    let bytes =
        safetensors::serialize(views, None).map_err(|e| RunError::Checkpoint(format!("{}: {e}", path.display())))?;
    write_atomically(path, &bytes)
}

/// Writes a file beside and renames it into place.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), RunError> {
    use std::io::Write;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(|e| RunError::io(folder, e))?;
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| RunError::io(folder, e))?;
    file.write_all(bytes).map_err(|e| RunError::io(path, e))?;
    file.as_file().sync_all().map_err(|e| RunError::io(path, e))?;
    // A temporary file is private; what is written here is as readable as any other file of the user's.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o644));
    }
    file.persist(path).map_err(|e| RunError::io(path, e.error))?;
    Ok(())
}

/// Reads named tensors as f32.
pub fn load(path: &Path) -> Result<Vec<(String, Tensor)>, RunError> {
    let bytes = read_bytes(path, u64::MAX).map_err(|e| {
        RunError::Checkpoint(format!("cannot read the weights `{}`: {}", path.display(), super::plain(&e)))
    })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| {
        RunError::Checkpoint(format!(
            "`{}` is no safetensors file, or is cut off ({e}): copy it again, or name another",
            path.display()
        ))
    })?;
    let mut out = Vec::new();
    for (name, view) in file.tensors() {
        let values: Vec<f32> = match view.dtype() {
            Dtype::F32 => view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4"))).collect(),
            Dtype::F64 => {
                view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().expect("8")) as f32).collect()
            }
            other => {
                return Err(RunError::Checkpoint(format!(
                    "`{}`: tensor `{name}` is {other:?}; f32 and f64 are read: convert it",
                    path.display()
                )));
            }
        };
        out.push((name, Tensor::from_vec(values, view.shape(), &Device::Cpu)?));
    }
    Ok(out)
}

/// Saves all weights and buffers of a model.
pub fn save_model(path: &Path, model: &Model) -> Result<(), RunError> {
    let tensors: Vec<(String, Tensor)> =
        model.named().iter().map(|(n, v)| (n.to_string(), v.as_tensor().clone())).collect();
    save(path, &tensors)
}

/// Loads weights into a model; all names and shapes must agree, and the message names the first that do not.
pub fn load_model(path: &Path, model: &Model) -> Result<(), RunError> {
    let loaded: std::collections::HashMap<String, Tensor> = load(path)?.into_iter().collect();
    let named = model.named();
    let missing: Vec<&str> = named.iter().map(|(n, _)| *n).filter(|n| !loaded.contains_key(*n)).collect();
    let mut extra: Vec<&str> =
        loaded.keys().map(String::as_str).filter(|n| !named.iter().any(|(m, _)| m == n)).collect();
    extra.sort_unstable();
    if !missing.is_empty() || !extra.is_empty() {
        let part = |what: &str, names: &[&str]| match names.first() {
            None => String::new(),
            Some(first) => format!("; {} {what}, `{first}` first", names.len()),
        };
        return Err(RunError::Checkpoint(format!(
            "the weights of `{}` are of another network than this program's{}{}: name the program that they were trained with",
            path.display(),
            part("missing", &missing),
            part("too many", &extra)
        )));
    }
    // All are looked at before one is set: a model is loaded whole or stays as it was.
    for (name, var) in &named {
        let t = &loaded[*name];
        if t.dims() != var.dims() {
            return Err(RunError::Checkpoint(format!(
                "the weight `{name}` of `{}` is {:?}, and the network's is {:?}: name the program that it was trained with",
                path.display(),
                t.dims(),
                var.dims()
            )));
        }
        if !t.flatten_all()?.to_vec1::<f32>()?.iter().all(|v| v.is_finite()) {
            return Err(RunError::Checkpoint(format!(
                "the weight `{name}` of `{}` holds a value that is no finite number: take the weights of an earlier epoch",
                path.display()
            )));
        }
    }
    for (name, var) in named {
        var.set(&loaded[name].to_device(&model.device)?)?;
    }
    Ok(())
}
