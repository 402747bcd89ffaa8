//! What the pools share: their windows, and the compositions for devices without kernels.

use candle_core::{D, Result, Tensor};

use super::input::{self, Window};
use super::{Dim, OpError, TensorType};
use crate::schema::Args;

/// Window and output type of a pool.
pub(super) fn make(args: &Args, input: &TensorType) -> std::result::Result<(Window, TensorType), OpError> {
    let kernel = args.size("kernel");
    let stride = args.opt_size("stride").unwrap_or(kernel);
    let window = Window { kernel, stride, padding: args.size("padding"), dilation: 1 };
    let [c, h, w] = input::image(input)?;
    if window.padding * 2 > kernel {
        return Err(OpError::new(format!("has padding {} around a window of {kernel}", window.padding))
            .help("padding may be at most half the window, or a window could lie outside the image"));
    }
    let out: [Dim; 3] = [c, window.over(h, "height")?, window.over(w, "width")?];
    Ok((window, TensorType::Dense(out.into())))
}

/// Every element of every window: `[n, c, h, w]` to `[n, c, h', w', kernel * kernel]`, with `fill` around the image.
fn windows(window: &Window, x: &Tensor, fill: f64) -> Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let padded = pad(&pad(x, 2, window.padding, fill)?, 3, window.padding, fill)?;
    let at = |from: usize, count: usize| {
        let positions: Vec<u32> = (0..count).map(|i| (from + i * window.stride) as u32).collect();
        Tensor::from_vec(positions, count, x.device())
    };
    let mut views = Vec::with_capacity(window.kernel * window.kernel);
    for ky in 0..window.kernel {
        let rows = padded.index_select(&at(ky, window.count(h))?, 2)?;
        for kx in 0..window.kernel {
            views.push(rows.index_select(&at(kx, window.count(w))?, 3)?);
        }
    }
    Tensor::stack(&views, 4)
}

fn pad(x: &Tensor, dim: usize, by: usize, fill: f64) -> Result<Tensor> {
    if by == 0 {
        return Ok(x.clone());
    }
    let mut shape = x.dims().to_vec();
    shape[dim] = by;
    let side = Tensor::full(fill as f32, shape, x.device())?.to_dtype(x.dtype())?;
    Tensor::cat(&[&side, x, &side], dim)
}

/// The maximum, picked by its position: of equal elements one gets the gradient, not all.
pub(super) fn max(window: &Window, x: &Tensor) -> Result<Tensor> {
    let views = windows(window, x, f64::NEG_INFINITY)?;
    let winners = views.detach().argmax_keepdim(D::Minus1)?;
    views.gather(&winners, D::Minus1)?.squeeze(D::Minus1)
}

pub(super) fn average(window: &Window, x: &Tensor, count_padding: bool) -> Result<Tensor> {
    let total = windows(window, x, 0.0)?.sum(D::Minus1)?;
    if count_padding || window.padding == 0 {
        return total / (window.kernel * window.kernel) as f64;
    }
    let ones = Tensor::ones((1, 1, x.dim(2)?, x.dim(3)?), x.dtype(), x.device())?;
    total.broadcast_div(&windows(window, &ones, 0.0)?.sum(D::Minus1)?)
}
