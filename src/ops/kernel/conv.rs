//! 2-D convolution: implicit matrix products over padded images, see [`super::correlate`] and [`super::conv_weight`].

use candle_core::{Result, Shape, bail};

use super::correlate::{Correlation, Target};
use super::frame::Frame;
use super::micro::LANES;
use super::pack::{Panels, Rows, transpose};
use super::{Kernel, Real, View, both, buffer, chunks, conv_weight, depthwise, real};
use crate::ops::input::Window;

/// `conv(x: [n, ci, h, w], weight: [co, ci / groups, k, k], bias?: [co])`, then ReLU if asked.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    pub window: Window,
    pub groups: usize,
    /// `max(y, 0)`, with gradient 0 at 0.
    pub relu: bool,
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
    fn new(conv: &Conv, x: &[usize], weight: &[usize]) -> Result<Sizes> {
        let s = Sizes {
            n: x[0],
            ci: x[1],
            h: x[2],
            w: x[3],
            co: weight[0],
            oh: conv.window.count(x[2]),
            ow: conv.window.count(x[3]),
            groups: conv.groups,
            window: conv.window,
        };
        // Offsets within what one product reads are 32 bits wide.
        let most = s.n.saturating_mul(s.ci.max(s.co)).saturating_mul(s.frame().plane.max(s.back().0.plane));
        if most > u32::MAX as usize {
            bail!("a convolution reads {most} numbers at once; 2^32 are the most: make the batch smaller")
        }
        Ok(s)
    }

    /// Output channels of a group.
    pub fn cog(&self) -> usize {
        self.co / self.groups
    }
    /// Weights of an output channel.
    pub fn k(&self) -> usize {
        self.ci / self.groups * self.window.kernel * self.window.kernel
    }
    /// Output pixels.
    pub fn p(&self) -> usize {
        self.oh * self.ow
    }
    pub fn image(&self) -> usize {
        self.ci * self.h * self.w
    }
    /// One input channel per group: too little work for a matrix product.
    pub fn depthwise(&self) -> bool {
        self.ci == self.groups && self.groups > 1
    }
    /// Vector operations of one product.
    pub fn work(&self) -> usize {
        self.n * self.co * self.p() * self.k() / LANES
    }

    /// The input with the zeros that windows reach.
    pub fn frame(&self) -> Frame {
        let w = self.window;
        let size = [self.oh, self.ow].map(|o| (o.max(1) - 1) * w.stride + w.span());
        Frame::new([self.h, self.w], w.padding, size)
    }

    /// Offsets of the taps within a plane of [`Sizes::frame`].
    pub fn taps(&self) -> Vec<usize> {
        let (w, pitch) = (self.window, self.frame().pitch);
        (0..w.kernel * w.kernel).map(|t| (t / w.kernel * pitch + t % w.kernel) * w.dilation).collect()
    }

    /// The output's gradient with the zeros that input pixels reach, and the rows of zeros before it.
    pub fn back(&self) -> (Frame, usize) {
        let w = self.window;
        let before = (w.span() - 1).saturating_sub(w.padding).div_ceil(w.stride);
        let size = [self.h, self.w].map(|h| (h.max(1) - 1 + w.padding) / w.stride + before + 1);
        (Frame::new([self.oh, self.ow], before, size), before)
    }
}

fn forward<T: Real>(s: &Sizes, x: &[T], weight: &[T], bias: Option<&[T]>, relu: bool) -> Vec<T> {
    let mut y = buffer(s.n * s.co * s.p());
    if y.is_empty() {
        return y;
    }
    if s.depthwise() {
        depthwise::forward(s, x, weight, bias, relu, &mut y);
        return y;
    }
    let packed = pack(s, weight);
    let correlation = Correlation {
        n: s.n,
        groups: s.groups,
        from: s.ci / s.groups,
        to: s.cog(),
        frame: s.frame(),
        taps: &s.taps(),
        grid: [s.oh, s.ow],
        step: s.window.stride,
        weight: &packed,
        bias,
        relu,
        target: Target { size: [s.oh, s.ow], first: [0, 0], step: 1 },
    };
    correlation.run(x, &mut y);
    y
}

/// `[groups][panels of output channels][ci / groups * k * k, vectors * LANES]`.
fn pack<T: Real>(s: &Sizes, weight: &[T]) -> Vec<T> {
    let (k, panels) = (s.k(), Panels::new(s.cog()));
    panels.pack(s.groups, k, |group, panel, out| {
        let data = &weight[(group * s.cog() + panel.from) * k..];
        transpose(Rows { data, stride: k, rows: panel.columns, columns: k }, out, panel.vectors * LANES);
    })
}

/// `[groups][panels of input channels][co / groups * taps, vectors * LANES]`, for some of the taps.
fn pack_back<T: Real>(s: &Sizes, weight: &[T], taps: &[usize]) -> Vec<T> {
    let (cig, cog, k2) = (s.ci / s.groups, s.cog(), s.window.kernel * s.window.kernel);
    Panels::new(cig).pack(s.groups, cog * taps.len(), |group, panel, out| {
        let width = panel.vectors * LANES;
        let mut all = buffer(k2 * width);
        for (o, out) in out.chunks_exact_mut((taps.len() * width).max(1)).enumerate() {
            let data = &weight[((group * cog + o) * cig + panel.from) * k2..];
            if k2 == 1 {
                out[..panel.columns].copy_from_slice(&data[..panel.columns]);
                continue;
            }
            let rows = Rows { data, stride: k2, rows: panel.columns, columns: k2 };
            if taps.len() == k2 {
                transpose(rows, out, width);
                continue;
            }
            transpose(rows, &mut all, width);
            for (tap, out) in taps.iter().zip(out.chunks_exact_mut(width)) {
                out[..panel.columns].copy_from_slice(&all[tap * width..][..panel.columns]);
            }
        }
    })
}

/// The taps under which input pixels (top, left) + i * stride lie, and where each reads in a plane of [`Sizes::back`], from pixel i
/// on.
pub fn reach(s: &Sizes, before: usize, pitch: usize, [top, left]: [usize; 2]) -> (Vec<usize>, Vec<usize>) {
    let Window { kernel, stride, padding, dilation } = s.window;
    let one = |first: usize, tap: usize| {
        let ahead = (first + padding + before * stride).checked_sub(tap * dilation)?;
        ahead.is_multiple_of(stride).then_some(ahead / stride)
    };
    let place = |tap: usize| Some((tap, one(top, tap / kernel)? * pitch + one(left, tap % kernel)?));
    (0..kernel * kernel).filter_map(place).unzip()
}

/// The gradient of the input, `stride * stride` correlations of the gradient: input pixels with the same rest by the stride lie
/// under the same taps.
fn backward_input<T: Real>(s: &Sizes, weight: &[T], dy: &[T]) -> Vec<T> {
    let stride = s.window.stride;
    let (frame, before) = s.back();
    let mut dx = buffer(s.n * s.image());
    for (top, left) in (0..stride).flat_map(|top| (0..stride).map(move |left| (top, left))) {
        let (taps, offsets) = reach(s, before, frame.pitch, [top, left]);
        let packed = pack_back(s, weight, &taps);
        let correlation = Correlation {
            n: s.n,
            groups: s.groups,
            from: s.cog(),
            to: s.ci / s.groups,
            frame,
            taps: &offsets,
            grid: [s.h.saturating_sub(top).div_ceil(stride), s.w.saturating_sub(left).div_ceil(stride)],
            step: 1,
            weight: &packed,
            bias: None,
            relu: false,
            target: Target { size: [s.h, s.w], first: [top, left], step: stride },
        };
        correlation.run(dy, &mut dx);
    }
    dx
}

/// Gradients of input and weight, where wanted.
fn backward<T: Real>(s: &Sizes, x: &[T], weight: &[T], dy: &[T], wanted: [bool; 2]) -> [Option<Vec<T>>; 2] {
    if dy.is_empty() {
        return [(wanted[0], x.len()), (wanted[1], weight.len())].map(|(w, len)| w.then(|| vec![T::zero(); len]));
    }
    if s.depthwise() {
        return depthwise::backward(s, x, weight, dy, wanted);
    }
    let dx = || wanted[0].then(|| backward_input(s, weight, dy));
    let dweight = || wanted[1].then(|| conv_weight::gradient(s, x, dy));
    // Where weights are most of what there is, both at once would hold two more of them.
    if weight.len() > x.len() + dy.len() {
        return [dx(), dweight()];
    }
    let (dx, dweight) = both(s.work(), dx, dweight);
    [dx, dweight]
}

/// Gradient of the bias: the sum over samples and pixels.
fn backward_bias<T: Real>(s: &Sizes, dy: &[T]) -> Vec<T> {
    let p = s.p();
    let mut out = vec![T::zero(); s.co];
    chunks(&mut out, s.co.div_ceil(16), dy.len() / LANES, |i, out| {
        for (j, out) in out.iter_mut().enumerate() {
            let c = i * s.co.div_ceil(16) + j;
            *out = T::of((0..s.n).map(|sample| real::sum(&dy[(sample * s.co + c) * p..][..p])).sum());
        }
    });
    out
}

impl Kernel<2> for Conv {
    const NAME: &'static str = "conv";

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], false)
    }

    fn rectified(&self) -> bool {
        self.relu
    }

    fn forward<T: Real>(&self, [x, weight]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(self, x.dims, weight.dims)?;
        Ok((forward(&s, x.data, weight.data, None, self.relu), (s.n, s.co, s.oh, s.ow).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let s = Sizes::new(self, x.dims, weight.dims)?;
        Ok(backward(&s, x.data, weight.data, dy, wanted))
    }
}

impl Kernel<3> for Conv {
    const NAME: &'static str = "conv";

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn rectified(&self) -> bool {
        self.relu
    }

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(self, x.dims, weight.dims)?;
        Ok((forward(&s, x.data, weight.data, Some(bias.data), self.relu), (s.n, s.co, s.oh, s.ow).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, _]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let s = Sizes::new(self, x.dims, weight.dims)?;
        let [dx, dweight] = backward(&s, x.data, weight.data, dy, [wanted[0], wanted[1]]);
        Ok([dx, dweight, wanted[2].then(|| backward_bias(&s, dy))])
    }
}
