//! What layer norm and group norm share.

use candle_core::{Result, Tensor};

use super::kernel::{self, segment};
use super::path;

/// Normalises segments as [`segment::Normalise`] has it; x is `[n, ...]`, weight and bias are `[groups * channels]`.
pub(super) fn normalise(shape: segment::Normalise, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if path::own_kernel(x) {
        return kernel::apply3(shape, x, weight, bias);
    }
    let segment::Normalise { eps, groups, channels, pixels } = shape;
    let segments = x.elem_count() / (channels * pixels);
    let rows = x.reshape((segments, channels * pixels))?;
    let centred = rows.broadcast_sub(&rows.mean_keepdim(1)?)?;
    let var = centred.sqr()?.mean_keepdim(1)?;
    let normal = centred.broadcast_div(&(var + eps)?.sqrt()?)?;
    let by_channel = normal.reshape((segments / groups, groups * channels, pixels))?;
    let along = |v: &Tensor| v.reshape((1, groups * channels, 1));
    by_channel.broadcast_mul(&along(weight)?)?.broadcast_add(&along(bias)?)?.reshape(x.dims())
}
