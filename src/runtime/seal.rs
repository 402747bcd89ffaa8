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
use super::checkpoint::{Piece, read_tensors};
pub use crate::data::hex;

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

/// The metadata of a weights file of that network, with the sum of its values.
pub fn metadata(binding: &str, sum: Sum) -> HashMap<String, String> {
    HashMap::from([(KEY.to_string(), format!("{binding}{VALUES}{}", sum.finish()))])
}

/// A sha256 over tensors: every one's name, type, shape and bytes, in the order of their names.
pub struct Sum(Sha256);

impl Sum {
    /// `before` is said before any tensor.
    pub fn new(before: &[u8]) -> Sum {
        Sum(Sha256::new_with_prefix(before))
    }

    pub fn tensor(&mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) {
        // Lengths first, so that no two lists of tensors give the same text.
        self.0.update(format!("{} {name} {dtype:?} {shape:?} {} ", name.len(), bytes.len()));
        self.0.update(bytes);
    }

    pub fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// The sum of tensors that are to be written, which stand in the order of their names.
pub fn of_pieces(before: &[u8], pieces: &[(String, Piece)]) -> Sum {
    let mut sum = Sum::new(before);
    for (name, piece) in pieces {
        sum.tensor(name, piece.dtype(), piece.shape(), &piece.bytes());
    }
    sum
}

/// Reads what a weights file says of itself, and compares it with its values.
pub fn read(path: &Path) -> Result<Sealed, RunError> {
    let bytes = read_tensors(path).map_err(|e| {
        RunError::Checkpoint(format!("cannot read the weights `{}`: {}", path.display(), super::plain(&e)))
    })?;
    of(&bytes)
        .map_err(|e| RunError::Checkpoint(format!("`{}` is no safetensors file, or is cut off: {e}", path.display())))
}

/// The same of bytes that were read already.
pub fn of(bytes: &[u8]) -> Result<Sealed, safetensors::SafeTensorError> {
    let file = SafeTensors::deserialize(bytes)?;
    let (_, header) = SafeTensors::read_metadata(bytes)?;
    let text = header.metadata().as_ref().and_then(|m| m.get(KEY));
    let mut views: Vec<_> = file.iter().collect();
    views.sort_by_key(|(name, _)| *name);
    let tensors = views.iter().map(|(n, v)| (n.to_string(), v.dtype(), v.shape().to_vec())).collect();
    let Some((binding, recorded)) = text.and_then(|t| t.split_once(VALUES)) else {
        return Ok(Sealed { tensors, binding: None, intact: None });
    };
    let mut now = Sum::new(b"");
    views.iter().for_each(|(n, v)| now.tensor(n, v.dtype(), v.shape(), v.data()));
    Ok(Sealed { tensors, binding: Some(binding.to_string()), intact: Some(now.finish() == recorded) })
}
