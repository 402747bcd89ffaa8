//! Weights on disk: safetensors with a header in a fixed order, written beside and renamed into place, so a file is either
//! the old one or the new one.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use safetensors::{SafeTensors, View};

use super::model::Model;
use super::{RunError, seal};
use crate::source::{Folder, open_regular, read_rest};

/// Writes named tensors. The same tensors give the same bytes.
pub fn save(folder: &Folder, name: &str, tensors: &[(String, Tensor)]) -> Result<(), RunError> {
    write_tensors(folder, name, pieces(tensors)?, None)
}

/// The same with a [`seal`] that says which network they are of.
pub fn save_sealed(folder: &Folder, name: &str, tensors: &[(String, Tensor)], binding: &str) -> Result<(), RunError> {
    let pieces = pieces(tensors)?;
    let metadata = seal::metadata(binding, seal::of_pieces(b"", &pieces));
    write_tensors(folder, name, pieces, Some(metadata))
}

/// Tensors on their way to disk, by name.
pub fn pieces(tensors: &[(String, Tensor)]) -> Result<Vec<(String, Piece)>, RunError> {
    let made = tensors.iter().map(|(n, t)| Ok((n.clone(), Piece::new(t)?)));
    let mut pieces = made.collect::<Result<Vec<_>, RunError>>()?;
    pieces.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(pieces)
}

/// A tensor on its way to disk: on the CPU, its bytes made when they are asked for.
pub struct Piece {
    tensor: Tensor,
    dtype: Dtype,
}

impl Piece {
    pub fn new(tensor: &Tensor) -> Result<Piece, RunError> {
        let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
        let (tensor, dtype) = match tensor.dtype() {
            DType::F64 => (tensor, Dtype::F64),
            DType::I64 => (tensor, Dtype::I64),
            DType::F32 => (tensor, Dtype::F32),
            _ => (tensor.to_dtype(DType::F32)?, Dtype::F32),
        };
        Ok(Piece { tensor, dtype })
    }

    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub fn shape(&self) -> &[usize] {
        self.tensor.dims()
    }

    /// Little-endian, row-major.
    pub fn bytes(&self) -> Vec<u8> {
        let flat = self.tensor.flatten_all().expect("contiguous");
        fn little<T: Copy, const N: usize>(values: Vec<T>, bytes: fn(T) -> [u8; N]) -> Vec<u8> {
            let mut out = Vec::with_capacity(values.len() * N);
            values.into_iter().for_each(|v| out.extend_from_slice(&bytes(v)));
            out
        }
        match self.dtype {
            Dtype::F64 => little(flat.to_vec1().expect("f64"), f64::to_le_bytes),
            Dtype::I64 => little(flat.to_vec1().expect("i64"), i64::to_le_bytes),
            _ => little(flat.to_vec1().expect("f32"), f32::to_le_bytes),
        }
    }
}

impl View for Piece {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        self.tensor.dims()
    }
    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes().into()
    }
    fn data_len(&self) -> usize {
        self.tensor.elem_count() * self.dtype.bitsize() / 8
    }
}

/// Writes a safetensors file, one tensor in memory at a time. `metadata` should have one key: more are written in random order.
pub fn write_tensors(
    folder: &Folder,
    name: &str,
    pieces: Vec<(String, Piece)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<(), RunError> {
    let written = folder.write(name, |file| serialize(pieces, metadata, file));
    written.map_err(|e| RunError::io(&folder.path().join(name), e))
}

/// The format in the order of the library: by type, the widest first, then by name. The library itself writes only to paths.
fn serialize(
    mut pieces: Vec<(String, Piece)>,
    metadata: Option<HashMap<String, String>>,
    file: &mut File,
) -> std::io::Result<()> {
    pieces.sort_by(|(a, x), (b, y)| y.dtype.cmp(&x.dtype).then(a.cmp(b)));
    let mut end = 0;
    let infos = pieces.iter().map(|(name, piece)| {
        let begin = end;
        end += piece.data_len();
        let info = TensorInfo { dtype: piece.dtype, shape: piece.shape().to_vec(), data_offsets: (begin, end) };
        (name.clone(), info)
    });
    let header = Metadata::new(metadata, infos.collect()).map_err(std::io::Error::other)?;
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for (_, piece) in pieces {
        out.write_all(&piece.bytes())?;
    }
    out.flush()
}

/// No header of a safetensors file is longer.
const MAX_HEADER: u64 = 100_000_000;

/// The bytes of a safetensors file. Where the length of the file is not the one that its header describes, only the header is read, and
/// the library says what is wrong with it.
pub fn read_tensors(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let size = file.metadata()?.len();
    let mut bytes = Vec::new();
    let claimed = claimed(&mut file, &mut bytes)?;
    if claimed == Some(size) {
        read_rest(file, size, &mut bytes)?;
    }
    Ok(bytes)
}

/// The length of a safetensors file according to its header; `None` if the header is wrong.
pub fn claimed_length(path: &Path) -> std::io::Result<Option<u64>> {
    claimed(&mut open_regular(path)?, &mut Vec::new())
}

/// Reads the header of a file into `bytes`.
fn claimed(file: &mut File, bytes: &mut Vec<u8>) -> std::io::Result<Option<u64>> {
    file.take(8).read_to_end(bytes)?;
    let Ok(length) = <[u8; 8]>::try_from(bytes.as_slice()).map(u64::from_le_bytes) else { return Ok(None) };
    if length > MAX_HEADER {
        return Ok(None);
    }
    file.take(length).read_to_end(bytes)?;
    let header: Option<Metadata> = serde_json::from_slice(&bytes[8..]).ok();
    Ok(header.map(|h| 8 + length + h.data_len() as u64))
}

/// Reads named tensors as f32. Of a file that has a [`seal`], the values must be those that were saved.
pub fn load(path: &Path) -> Result<Vec<(String, Tensor)>, RunError> {
    let bytes = read_tensors(path).map_err(|e| {
        RunError::Checkpoint(format!("cannot read the weights `{}`: {}", path.display(), super::plain(&e)))
    })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| {
        RunError::Checkpoint(format!(
            "`{}` is no safetensors file, or is cut off ({e}): copy it again, or name another",
            path.display()
        ))
    })?;
    if seal::of(&bytes).is_ok_and(|s| s.intact == Some(false)) {
        return Err(RunError::Checkpoint(format!(
            "the weights `{}` are damaged: their values are not those that were saved: copy them again, or name others",
            path.display()
        )));
    }
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

/// Saves all weights and buffers of a model; `binding` says of which network (`artifact::binding`).
pub fn save_model(folder: &Folder, name: &str, model: &Model, binding: &str) -> Result<(), RunError> {
    let tensors: Vec<(String, Tensor)> =
        model.named().iter().map(|(n, v)| (n.to_string(), v.as_tensor().clone())).collect();
    save_sealed(folder, name, &tensors, binding)
}

/// Loads weights into a model; all names and shapes must agree, and the message names the first that do not.
pub fn load_model(path: &Path, model: &Model) -> Result<(), RunError> {
    let loaded: HashMap<String, Tensor> = load(path)?.into_iter().collect();
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
                "the weight `{name}` of `{}` holds a value that is not a finite number: take the weights of an earlier epoch",
                path.display()
            )));
        }
    }
    for (name, var) in named {
        var.set(&loaded[name].to_device(&model.device)?)?;
    }
    Ok(())
}
