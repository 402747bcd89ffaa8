//! 2-D convolution by im2col and matrix products, after Chellapilla et al. (2006): columns of a few samples at a time, so that
//! they stay in cache and a product has enough columns to be worth its packing.

use std::ops::Range;

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::{Kernel, Real, View, buffer, depthwise, real};
use crate::ops::input::Window;

/// Output pixels that one matrix product should have at least.
const COLUMNS: usize = 768;
/// Output pixels that it should have at most, where an image alone has more: the columns of a large image fill memory, not
/// cache.
const BAND: usize = 2048;
/// Weights from which a copy of their gradient is too large to hold many of.
const LARGE: usize = 1 << 20;

/// `conv(x: [n, ci, h, w], weight: [co, ci / groups, k, k], bias?: [co])`.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    pub window: Window,
    pub groups: usize,
}

/// All sizes of one call.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub n: usize,
    pub ci: usize,
    pub h: usize,
    pub w: usize,
    pub co: usize,
    pub oh: usize,
    pub ow: usize,
    pub groups: usize,
    pub window: Window,
}

impl Sizes {
    fn new(conv: &Conv, x: &[usize], weight: &[usize]) -> Sizes {
        Sizes {
            n: x[0],
            ci: x[1],
            h: x[2],
            w: x[3],
            co: weight[0],
            oh: conv.window.count(x[2]),
            ow: conv.window.count(x[3]),
            groups: conv.groups,
            window: conv.window,
        }
    }

    /// Output channels of a group.
    fn cog(&self) -> usize {
        self.co / self.groups
    }
    /// Weights of an output channel.
    fn k(&self) -> usize {
        self.ci / self.groups * self.window.kernel * self.window.kernel
    }
    /// Output pixels.
    pub fn p(&self) -> usize {
        self.oh * self.ow
    }
    fn image(&self) -> usize {
        self.ci * self.h * self.w
    }
    /// A 1x1 convolution reads its input as it lies.
    fn plain(&self) -> bool {
        let w = self.window;
        w.kernel == 1 && w.stride == 1 && w.padding == 0
    }
    /// One input channel per group: too little work for a matrix product.
    pub fn depthwise(&self) -> bool {
        self.ci == self.groups && self.groups > 1
    }
    /// Samples per product: enough columns to be worth the packing, yet several chunks to share between threads. From the
    /// sizes alone, so that results do not depend on the threads.
    fn chunk(&self) -> usize {
        COLUMNS.div_ceil(self.p().max(1)).clamp(1, self.n.div_ceil(4).max(1))
    }

    /// Bands of output rows that one product computes: all of a small image, as many as fill the columns of a large one.
    fn bands(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (oh, rows) = (self.oh, if self.plain() { self.oh } else { BAND.div_ceil(self.ow) });
        (0..oh).step_by(rows).map(move |from| from..(from + rows).min(oh))
    }

    /// Columns of the largest band of a chunk.
    fn columns(&self) -> usize {
        self.chunk() * self.bands().next().map_or(0, |band| band.len()) * self.ow
    }

    /// The columns of a band of `b` samples of one group: row (c, ky, kx), column (sample, oy, ox).
    fn im2col<T: Real>(&self, x: &[T], group: usize, b: usize, band: &Range<usize>, col: &mut [T]) {
        let (p, np, kernel) = (band.len() * self.ow, b * band.len() * self.ow, self.window.kernel);
        let cig = self.ci / self.groups;
        for (row, out) in col.chunks_exact_mut(np).enumerate() {
            let (c, tap) = (group * cig + row / (kernel * kernel), row % (kernel * kernel));
            for (sample, out) in out.chunks_exact_mut(p).enumerate() {
                let plane = &x[(sample * self.ci + c) * self.h * self.w..][..self.h * self.w];
                self.tap_rows(band, tap / kernel, tap % kernel, |oy, iy, lo, hi, ix| {
                    let out = &mut out[(oy - band.start) * self.ow..][..self.ow];
                    let Some(iy) = iy else { return out.fill(T::zero()) };
                    out[..lo].fill(T::zero());
                    out[hi..].fill(T::zero());
                    let (out, row) = (&mut out[lo..hi], &plane[iy * self.w..][..self.w]);
                    if out.is_empty() {
                        return;
                    }
                    if self.window.stride == 1 {
                        out.copy_from_slice(&row[ix..ix + (hi - lo)]);
                    } else {
                        for (o, v) in out.iter_mut().zip(row[ix..].iter().step_by(self.window.stride)) {
                            *o = *v;
                        }
                    }
                });
            }
        }
    }

    /// The transpose of [`Sizes::im2col`]: adds columns to the pixels that they came from.
    fn col2im<T: Real>(&self, col: &[T], group: usize, b: usize, band: &Range<usize>, x: &mut [T]) {
        let (p, np, kernel) = (band.len() * self.ow, b * band.len() * self.ow, self.window.kernel);
        let cig = self.ci / self.groups;
        for (row, col) in col.chunks_exact(np).enumerate() {
            let (c, tap) = (group * cig + row / (kernel * kernel), row % (kernel * kernel));
            for (sample, col) in col.chunks_exact(p).enumerate() {
                let plane = &mut x[(sample * self.ci + c) * self.h * self.w..][..self.h * self.w];
                self.tap_rows(band, tap / kernel, tap % kernel, |oy, iy, lo, hi, ix| {
                    let Some(iy) = iy else { return };
                    let (col, row) = (&col[(oy - band.start) * self.ow..][lo..hi], &mut plane[iy * self.w..][..self.w]);
                    if col.is_empty() {
                        return;
                    }
                    if self.window.stride == 1 {
                        for (x, v) in row[ix..ix + (hi - lo)].iter_mut().zip(col) {
                            *x += *v;
                        }
                    } else {
                        for (x, v) in row[ix..].iter_mut().step_by(self.window.stride).zip(col) {
                            *x += *v;
                        }
                    }
                });
            }
        }
    }

    /// For one tap of the window, every output row of a band: `f(oy, input row or none, lo, hi, ix)` where outputs `lo..hi` lie over
    /// the image, the first of them over column `ix`.
    #[inline(always)]
    pub fn tap_rows(
        &self,
        band: &Range<usize>,
        ky: usize,
        kx: usize,
        mut f: impl FnMut(usize, Option<usize>, usize, usize, usize),
    ) {
        let Window { stride, padding, dilation, .. } = self.window;
        let first = kx * dilation;
        let lo = padding.saturating_sub(first).div_ceil(stride).min(self.ow);
        // Outputs with ox * stride + first - padding < w.
        let hi = (self.w + padding).saturating_sub(first).div_ceil(stride).clamp(lo, self.ow);
        let ix = (lo * stride + first).saturating_sub(padding);
        for oy in band.clone() {
            let iy = (oy * stride + ky * dilation).checked_sub(padding).filter(|iy| *iy < self.h);
            f(oy, iy, lo, hi, ix);
        }
    }
}

/// Room for one task.
struct Scratch<T> {
    col: Vec<T>,
    out: Vec<T>,
}

impl<T: Real> Scratch<T> {
    fn new(s: &Sizes) -> Scratch<T> {
        let np = s.columns();
        Scratch { col: buffer(s.k() * np), out: buffer(s.cog() * np) }
    }
}

fn forward<T: Real>(s: &Sizes, x: &[T], weight: &[T], bias: Option<&[T]>) -> Vec<T> {
    let mut y = buffer(s.n * s.co * s.p());
    if y.is_empty() {
        return y;
    }
    let (k, p, cog) = (s.k(), s.p(), s.cog());
    let add_bias = |y: &mut [T]| {
        let Some(bias) = bias else { return };
        for (i, row) in y.chunks_exact_mut(p).enumerate() {
            let b = bias[i % s.co];
            row.iter_mut().for_each(|v| *v += b);
        }
    };
    if s.depthwise() {
        depthwise::forward(s, x, weight, &mut y);
        y.par_chunks_mut(s.co * p).for_each(add_bias);
        return y;
    }
    let weight = Matrix::new(weight, s.co, k);
    let chunks = y.par_chunks_mut(s.chunk() * s.co * p).zip(x.par_chunks(s.chunk() * s.image()));
    chunks.for_each_init(
        || Scratch::new(s),
        |room, (y, x)| {
            let b = y.len() / (s.co * p);
            for (group, band) in (0..s.groups).flat_map(|group| s.bands().map(move |band| (group, band))) {
                let (weight, at, np) = (weight.rows(group * cog, cog), band.start * s.ow, b * band.len() * s.ow);
                let col = if s.plain() && b == 1 {
                    &x[group * k * p..][..k * p]
                } else {
                    s.im2col(x, group, b, &band, &mut room.col[..k * np]);
                    &room.col[..k * np]
                };
                let col = Matrix::new(col, k, np);
                if b == 1 {
                    multiply(weight, col, &mut y[group * cog * p..][..cog * p][at..], p, false);
                    continue;
                }
                let out = &mut room.out[..cog * np];
                multiply(weight, col, out, np, false);
                let pixels = np / b;
                for (c, out) in out.chunks_exact(np).enumerate() {
                    for (sample, out) in out.chunks_exact(pixels).enumerate() {
                        y[(sample * s.co + group * cog + c) * p + at..][..pixels].copy_from_slice(out);
                    }
                }
            }
            add_bias(y);
        },
    );
    y
}

/// Gradients of input and weight, where wanted.
fn backward<T: Real>(s: &Sizes, x: &[T], weight: &[T], dy: &[T], wanted: [bool; 2]) -> [Option<Vec<T>>; 2] {
    let mut dx = vec![T::zero(); if wanted[0] { x.len() } else { 0 }];
    let mut dweight = vec![T::zero(); weight.len()];
    if !dy.is_empty() {
        if s.depthwise() {
            depthwise::backward(s, x, weight, dy, wanted[0].then_some(&mut dx), wanted[1].then_some(&mut dweight));
        } else {
            backward_chunks(s, x, weight, dy, &mut dx, &mut dweight, wanted);
        }
    }
    [wanted[0].then_some(dx), wanted[1].then_some(dweight)]
}

fn backward_chunks<T: Real>(
    s: &Sizes,
    x: &[T],
    weight: &[T],
    dy: &[T],
    dx: &mut [T],
    dweight: &mut [T],
    wanted: [bool; 2],
) {
    let (k, p, cog, chunk) = (s.k(), s.p(), s.cog(), s.chunk());
    // Weight gradients are summed per part, then over parts in order. The parts follow from the sizes.
    let parts = s.n.div_ceil(chunk).min(if weight.len() >= LARGE { 4 } else { 16 });
    let per_part = s.n.div_ceil(chunk).div_ceil(parts) * chunk;
    let parts = s.n.div_ceil(per_part);
    let matrix = Matrix::new(weight, s.co, k);
    let part = |x: &[T], dy: &[T], dx: &mut [T]| {
        let mut dweight = vec![T::zero(); if wanted[1] { weight.len() } else { 0 }];
        let mut room = Scratch::new(s);
        let samples = dy.len() / (s.co * p);
        for from in (0..samples).step_by(chunk) {
            let b = chunk.min(samples - from);
            let x = &x[from * s.image()..][..b * s.image()];
            let dy = &dy[from * s.co * p..][..b * s.co * p];
            for (group, band) in (0..s.groups).flat_map(|group| s.bands().map(move |band| (group, band))) {
                let (at, pixels) = (band.start * s.ow, band.len() * s.ow);
                let np = b * pixels;
                let grad = if b == 1 {
                    Matrix::with_stride(&dy[group * cog * p..][..cog * p][at..], cog, np, p)
                } else {
                    for (c, out) in room.out[..cog * np].chunks_exact_mut(np).enumerate() {
                        for (sample, out) in out.chunks_exact_mut(pixels).enumerate() {
                            out.copy_from_slice(&dy[(sample * s.co + group * cog + c) * p + at..][..pixels]);
                        }
                    }
                    Matrix::new(&room.out[..cog * np], cog, np)
                };
                let plain = s.plain() && b == 1;
                if wanted[1] {
                    let col = if plain {
                        &x[group * k * p..][..k * p]
                    } else {
                        s.im2col(x, group, b, &band, &mut room.col[..k * np]);
                        &room.col[..k * np]
                    };
                    let out = &mut dweight[group * cog * k..][..cog * k];
                    multiply(grad, Matrix::new(col, k, np).t(), out, k, true);
                }
                if wanted[0] {
                    let weight = matrix.rows(group * cog, cog).t();
                    let dx = &mut dx[from * s.image()..][..b * s.image()];
                    if plain {
                        multiply(weight, grad, &mut dx[group * k * p..][..k * p], np, false);
                    } else {
                        multiply(weight, grad, &mut room.col[..k * np], np, false);
                        s.col2im(&room.col[..k * np], group, b, &band, dx);
                    }
                }
            }
        }
        dweight
    };
    let inputs = x.par_chunks(per_part * s.image()).zip(dy.par_chunks(per_part * s.co * p));
    let sums: Vec<Vec<T>> = if wanted[0] {
        inputs.zip(dx.par_chunks_mut(per_part * s.image())).map(|((x, dy), dx)| part(x, dy, dx)).collect()
    } else {
        inputs.map(|(x, dy)| part(x, dy, &mut [])).collect()
    };
    debug_assert_eq!(sums.len(), parts);
    if wanted[1] {
        for sum in &sums {
            for (total, v) in dweight.iter_mut().zip(sum) {
                *total += *v;
            }
        }
    }
}

/// Gradient of the bias: the sum over samples and pixels.
fn backward_bias<T: Real>(s: &Sizes, dy: &[T]) -> Vec<T> {
    let p = s.p();
    (0..s.co)
        .into_par_iter()
        .map(|c| T::of((0..s.n).map(|sample| real::sum(&dy[(sample * s.co + c) * p..][..p])).sum()))
        .collect()
}

impl Kernel<2> for Conv {
    const NAME: &'static str = "conv";
    const READS_OUTPUT: bool = false;

    fn forward<T: Real>(&self, [x, weight]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(self, x.dims, weight.dims);
        Ok((forward(&s, x.data, weight.data, None), (s.n, s.co, s.oh, s.ow).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let s = Sizes::new(self, x.dims, weight.dims);
        Ok(backward(&s, x.data, weight.data, dy, wanted))
    }
}

impl Kernel<3> for Conv {
    const NAME: &'static str = "conv";
    const READS_OUTPUT: bool = false;

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(self, x.dims, weight.dims);
        Ok((forward(&s, x.data, weight.data, Some(bias.data)), (s.n, s.co, s.oh, s.ow).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, _]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let s = Sizes::new(self, x.dims, weight.dims);
        let [dx, dweight] = backward(&s, x.data, weight.data, dy, [wanted[0], wanted[1]]);
        Ok([dx, dweight, wanted[2].then(|| backward_bias(&s, dy))])
    }
}
