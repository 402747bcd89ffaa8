//! What ops take: the checks on input types that several ops share, and the sizes that follow.

use super::{Dim, OpError, TensorType};
use crate::schema::Ty;

/// A number of units or channels. The bound keeps products of a few sizes far from overflow.
pub const SIZE: Ty = Ty::Int { min: 1, max: 1 << 30 };
/// A window size, stride, dilation or factor.
pub const STEP: Ty = Ty::Int { min: 1, max: 1 << 16 };
/// A padding.
pub const PADDING: Ty = Ty::Int { min: 0, max: 1 << 16 };

/// Any tensor of numbers; columns are refused.
pub fn dense(input: &TensorType) -> Result<&[Dim], OpError> {
    match input {
        TensorType::Dense(dims) => Ok(dims),
        TensorType::Fields(_) => Err(OpError::new(format!("takes numbers, and this is {input}"))
            .help("turn columns into numbers first, with `one_hot` or `embedding(n) -> concat_fields`")),
    }
}

/// `[channels, height, width]`.
pub fn image(input: &TensorType) -> Result<[Dim; 3], OpError> {
    let dims = dense(input)?;
    dims.try_into().map_err(|_| {
        let error = OpError::new(format!("takes an image `[channels, height, width]`, and this is {input}"));
        if dims.len() < 3 {
            error.help("use it before the image is flattened or pooled away; `linear` takes vectors")
        } else {
            error.help("an image has exactly three dimensions beside the batch")
        }
    })
}

/// At least one dimension; gives the last.
pub fn last(dims: &[Dim]) -> Result<Dim, OpError> {
    dims.last().copied().ok_or_else(|| {
        OpError::new("takes at least one dimension, and this has none").help("`linear(1)` needs a vector to read")
    })
}

/// Columns of a table.
pub fn fields(input: &TensorType) -> Result<&super::Fields, OpError> {
    match input {
        TensorType::Fields(fields) => Ok(fields),
        TensorType::Dense(_) => Err(OpError::new(format!("takes columns of a table, and this is {input}"))
            .help("numbers need no encoding: leave this op out, or read an input that selects columns")),
    }
}

/// Windows along one dimension: PyTorch's `floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
}

impl Window {
    /// Pixels that the window spans.
    pub fn span(&self) -> usize {
        self.dilation * (self.kernel - 1) + 1
    }

    /// Number of windows. The window must fit, see [`Window::over`].
    pub fn count(&self, size: usize) -> usize {
        (size + 2 * self.padding - self.span()) / self.stride + 1
    }

    /// Output size, or that the window is larger than what it reads.
    pub fn over(&self, size: Dim, what: &str) -> Result<Dim, OpError> {
        let Some(size) = size.known() else { return Ok(Dim::Open) };
        let padded = size + 2 * self.padding;
        if self.span() <= padded {
            return Ok(Dim::Known(self.count(size)));
        }
        let span = self.span();
        let message = match self.padding {
            0 => format!("needs {span} pixels for its window, and the {what} is {size}"),
            p => format!(
                "needs {span} pixels for its window, and the {what} is {size}, {padded} with padding {p} on both sides"
            ),
        };
        let help = "pool or stride less before it, use a smaller kernel, or start from a larger image";
        Err(OpError { empty: true, ..OpError::new(message).help(help) })
    }
}

/// Product of sizes for MAC counts; `None` while one is open.
pub fn count(sizes: impl IntoIterator<Item = Dim>) -> Option<u64> {
    sizes.into_iter().try_fold(1u64, |n, d| Some(n.saturating_mul(d.known()? as u64)))
}

/// Product of sizes as a size; open if one is open.
pub fn product(sizes: impl IntoIterator<Item = Dim>) -> Result<Dim, OpError> {
    match count(sizes) {
        None => Ok(Dim::Open),
        Some(n) if n <= MAX_NUMBERS => Ok(Dim::Known(n as usize)),
        Some(n) => Err(too_many("a value", n, " per sample")),
    }
}

/// The most numbers of one value per sample, or of one weight: what no machine holds is a slip, and products of what is
/// allowed stay far from overflow.
pub const MAX_NUMBERS: u64 = 1 << 40;

fn too_many(what: &str, numbers: u64, per: &str) -> OpError {
    OpError::new(format!("would make {what} of {numbers} numbers{per}; 2^40 are the most")).help("make a size smaller")
}

/// Refuses an op whose result or weights no machine holds.
pub fn bounded(op: &dyn super::Op) -> Result<(), OpError> {
    if let TensorType::Dense(dims) = op.output()
        && let Some(n) = count(dims)
        && n > MAX_NUMBERS
    {
        return Err(too_many("a value", n, " per sample"));
    }
    match op.weights().into_iter().filter_map(|w| count(w.shape)).find(|n| *n > MAX_NUMBERS) {
        Some(n) => Err(too_many("a weight", n, "")),
        None => Ok(()),
    }
}

/// The shape of values that must all have one; an open size takes what another says.
pub fn same_shape(inputs: &[TensorType]) -> Result<Vec<Dim>, OpError> {
    let mut dims = dense(&inputs[0])?.to_vec();
    for input in &inputs[1..] {
        let other = dense(input)?;
        let agree = other.len() == dims.len()
            && dims.iter().zip(other).all(|(a, b)| a == b || a.known().is_none() || b.known().is_none());
        if !agree {
            return Err(OpError::new(format!("takes values of one shape, and these are {}", listing(inputs))).help(
                "bring them to one shape with `match(c)` or `linear(n)`, or lay them side by side with `concat`",
            ));
        }
        for (a, b) in dims.iter_mut().zip(other) {
            *a = if a.known().is_some() { *a } else { *b };
        }
    }
    Ok(dims)
}

/// "f32[3] and f32[4]".
pub fn listing(inputs: &[TensorType]) -> String {
    let mut shown: Vec<String> = inputs.iter().map(|t| t.to_string()).collect();
    let last = shown.pop().unwrap_or_default();
    if shown.is_empty() { last } else { format!("{} and {last}", shown.join(", ")) }
}
