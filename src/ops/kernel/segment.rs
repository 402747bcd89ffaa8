//! Layer and group norm: statistics of contiguous segments of one sample. And softmax, which also works segment by segment.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::{Kernel, Real, View, buffer, real};

/// Normalises contiguous segments, then scales and shifts each channel. A segment has `channels` channels of `pixels` values;
/// segments cycle through `groups` sets of channels.
#[derive(Debug, Clone, Copy)]
pub struct Normalise {
    pub eps: f64,
    pub groups: usize,
    pub channels: usize,
    pub pixels: usize,
}

impl Normalise {
    fn len(&self) -> usize {
        self.channels * self.pixels
    }

    /// Mean and 1 / sqrt(var + eps).
    fn stats<T: Real>(&self, x: &[T]) -> (T, f64) {
        let n = x.len() as f64;
        let mean = T::of(real::sum(x) / n);
        (mean, 1.0 / (real::sum_squares(x, mean) / n + self.eps).sqrt())
    }
}

impl Kernel<3> for Normalise {
    const NAME: &'static str = "normalise";

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let mut y = buffer(x.data.len());
        y.par_chunks_mut(self.len()).zip(x.data.par_chunks(self.len())).enumerate().for_each(|(i, (y, x))| {
            let (mean, inverse) = self.stats(x);
            let first = i % self.groups * self.channels;
            if self.pixels == 1 {
                let inverse = T::of(inverse);
                let line = weight.data[first..].iter().zip(&bias.data[first..]);
                for ((y, x), (w, b)) in y.iter_mut().zip(x).zip(line) {
                    *y = (*x - mean) * inverse * *w + *b;
                }
                return;
            }
            for (j, (y, x)) in y.chunks_exact_mut(self.pixels).zip(x.chunks_exact(self.pixels)).enumerate() {
                let (slope, shift) = (weight.data[first + j] * T::of(inverse), bias.data[first + j]);
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (*x - mean) * slope + shift;
                }
            }
        });
        Ok((y, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, _]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let total = self.groups * self.channels;
        let mut dx = buffer(x.data.len());
        // At most 16 parts, by size alone: their sums of weight gradients are added in order.
        let part = (x.data.len() / self.len()).div_ceil(16).max(1);
        let sums: Vec<Vec<[f64; 2]>> = dx
            .par_chunks_mut(part * self.len())
            .zip(x.data.par_chunks(part * self.len()))
            .zip(dy.par_chunks(part * self.len()))
            .enumerate()
            .map(|(p, ((dx, x), dy))| {
                let mut sums = vec![[0f64; 2]; total];
                let segments = dx.chunks_exact_mut(self.len()).zip(x.chunks_exact(self.len()));
                for (i, ((dx, x), dy)) in segments.zip(dy.chunks_exact(self.len())).enumerate() {
                    let first = (p * part + i) % self.groups * self.channels;
                    self.segment(x, dy, &weight.data[first..], &mut sums[first..], dx);
                }
                sums
            })
            .collect();
        let of = |k: usize| (0..total).map(|c| T::of(sums.iter().map(|s| s[c][k]).sum())).collect();
        Ok([wanted[0].then_some(dx), wanted[1].then(|| of(0)), wanted[2].then(|| of(1))])
    }
}

impl Normalise {
    /// One segment back: adds the gradients of weight and bias to `sums`, writes that of x.
    fn segment<T: Real>(&self, x: &[T], dy: &[T], weight: &[T], sums: &mut [[f64; 2]], dx: &mut [T]) {
        let (mean, inverse) = self.stats(x);
        let (mut sum, mut dot) = (0f64, 0f64);
        let mut add = |w: T, [of_weight, of_bias]: &mut [f64; 2], s: f64, d: f64| {
            *of_weight += d;
            *of_bias += s;
            sum += s * w.to_f64();
            dot += d * w.to_f64();
        };
        if self.pixels == 1 {
            for (((x, g), w), sums) in x.iter().zip(dy).zip(weight).zip(sums) {
                add(*w, sums, g.to_f64(), (*g * (*x - mean)).to_f64() * inverse);
            }
        } else {
            let rows = x.chunks_exact(self.pixels).zip(dy.chunks_exact(self.pixels));
            for (((x, dy), w), sums) in rows.zip(weight).zip(sums) {
                add(*w, sums, real::sum(dy), real::sum_products(dy, x, mean) * inverse);
            }
        }
        let n = x.len() as f64;
        let (inv, base, lean) = (T::of(inverse), T::of(sum / n), T::of(dot / n * inverse));
        let back = |g: T, x: T, w: T| inv * (g * w - base - (x - mean) * lean);
        if self.pixels == 1 {
            for (((dx, x), g), w) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
                *dx = back(*g, *x, *w);
            }
            return;
        }
        let rows = dx.chunks_exact_mut(self.pixels).zip(x.chunks_exact(self.pixels)).zip(dy.chunks_exact(self.pixels));
        for (((dx, x), dy), w) in rows.zip(weight) {
            for ((dx, x), g) in dx.iter_mut().zip(x).zip(dy) {
                *dx = back(*g, *x, *w);
            }
        }
    }
}

/// Softmax over the last dimension.
pub struct Softmax;

impl Kernel<1> for Softmax {
    const NAME: &'static str = "softmax";

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let k = x.dims[x.dims.len() - 1];
        let mut y = buffer(x.data.len());
        y.par_chunks_mut(k).zip(x.data.par_chunks(k)).for_each(|(y, x)| {
            let top = x.iter().copied().fold(T::neg_infinity(), |m, v| if v > m { v } else { m });
            let mut total = T::zero();
            for (y, x) in y.iter_mut().zip(x) {
                *y = (*x - top).exp();
                total += *y;
            }
            y.iter_mut().for_each(|y| *y /= total);
        });
        Ok((y, x.dims.into()))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], y: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        let k = x.dims[x.dims.len() - 1];
        let mut dx = buffer(dy.len());
        dx.par_chunks_mut(k).zip(y.data.par_chunks(k)).zip(dy.par_chunks(k)).for_each(|((dx, y), dy)| {
            let dot = y.iter().zip(dy).fold(T::zero(), |t, (y, g)| t + *y * *g);
            for ((dx, y), g) in dx.iter_mut().zip(y).zip(dy) {
                *dx = *y * (*g - dot);
            }
        });
        Ok([Some(dx)])
    }
}
