//! What a weights file says of itself, in the one metadata key `mtlc`: which network its weights are of (`artifact::binding`), and
//! a sha256 of their values. A single key has no order, so that the same weights still give the same bytes.
//!
//! The seal tells accidents (another network, a copy of another run, a damaged disk) from what was saved. It is no signature: who
//! changes weights on purpose can write a new one.

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use sha2::{Digest, Sha256};

use super::RunError;

const KEY: &str = "mtlc";
const VALUES: &str = " values:sha256:";

/// A weights file without its values.
#[derive(Debug, Clone)]
pub struct Sealed {
    /// Name, type and shape of every tensor, by name.
    pub tensors: Vec<(String, Dtype, Vec<usize>)>,
    /// Which network the weights are of, as it was when they were saved; absent in files of other programs.
    pub binding: Option<String>,
    /// Whether the values are those that were saved; absent where nothing is recorded.
    pub intact: Option<bool>,
}

/// The metadata of a weights file of that network.
pub fn metadata<'a>(binding: &str, tensors: impl Iterator<Item = Tensor<'a>>) -> HashMap<String, String> {
    HashMap::from([(KEY.to_string(), format!("{binding}{VALUES}{}", values(tensors)))])
}

/// Name, type, shape and bytes.
pub type Tensor<'a> = (&'a str, Dtype, &'a [usize], &'a [u8]);

fn values<'a>(tensors: impl Iterator<Item = Tensor<'a>>) -> String {
    let mut all: Vec<Tensor> = tensors.collect();
    all.sort_by_key(|t| t.0);
    let mut hash = Sha256::new();
    for (name, dtype, shape, bytes) in all {
        // Lengths first, so that no two lists of tensors give the same text.
        hash.update(format!("{} {name} {dtype:?} {shape:?} {} ", name.len(), bytes.len()));
        hash.update(bytes);
    }
    hex(&hash.finalize())
}

/// Reads what a weights file says of itself, and compares it with its values.
pub fn read(path: &Path) -> Result<Sealed, RunError> {
    let bytes = std::fs::read(path).map_err(|e| {
        RunError::Checkpoint(format!("cannot read the weights `{}`: {}", path.display(), super::plain(&e)))
    })?;
    let broken = |e| RunError::Checkpoint(format!("`{}` is no safetensors file, or is cut off: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(broken)?;
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
    let mut tensors: Vec<(String, Dtype, Vec<usize>)> =
        file.iter().map(|(n, v)| (n.to_string(), v.dtype(), v.shape().to_vec())).collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let Some((binding, recorded)) = text.and_then(|t| t.split_once(VALUES)) else {
        return Ok(Sealed { tensors, binding: None, intact: None });
    };
    let views: Vec<_> = file.iter().collect();
    let now = values(views.iter().map(|(n, v)| (*n, v.dtype(), v.shape(), v.data())));
    Ok(Sealed { tensors, binding: Some(binding.to_string()), intact: Some(now == recorded) })
}

/// Digits of a sha256, as `sha256sum` writes them.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
