//! Pooling over windows of an image, plane by plane.

use std::sync::OnceLock;

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::simd::wide;
use super::{Kernel, Real, View, buffer, chunks, real};
use crate::ops::input::Window;

/// Pixels whose planes one task reads.
const PLANES: usize = 1 << 14;

/// Sizes of one plane and its output.
#[derive(Clone, Copy)]
struct Plane {
    h: usize,
    w: usize,
    oh: usize,
    ow: usize,
}

fn plane(window: &Window, dims: &[usize]) -> Plane {
    Plane { h: dims[2], w: dims[3], oh: window.count(dims[2]), ow: window.count(dims[3]) }
}

impl Plane {
    fn output(&self, dims: &[usize]) -> Shape {
        (dims[0], dims[1], self.oh, self.ow).into()
    }
}

/// The part of the `i`-th window that lies on the image.
fn clip(window: &Window, i: usize, size: usize) -> std::ops::Range<usize> {
    let from = i * window.stride;
    from.saturating_sub(window.padding)..(from + window.kernel).saturating_sub(window.padding).min(size)
}

/// Maximum; the gradient goes to the first largest element of each window.
pub struct Max {
    pub window: Window,
    /// Where in its plane each maximum was.
    pub winners: OnceLock<Vec<u32>>,
}

impl Max {
    pub fn new(window: Window) -> Max {
        Max { window, winners: OnceLock::new() }
    }
}

wide! {
    /// Maxima of one plane for windows of 2 x 2 that do not overlap.
    fn quarters[T: Real](w: usize, ow: usize, x: &[T], y: &mut [T], winners: &mut [u32]) {
        for (oy, (y, winners)) in y.chunks_exact_mut(ow).zip(winners.chunks_exact_mut(ow)).enumerate() {
            let (top, bottom) = x[2 * oy * w..].split_at(w);
            let rows = top.chunks_exact(2).zip(bottom.chunks_exact(2));
            for (i, ((y, winner), (top, bottom))) in y.iter_mut().zip(winners).zip(rows).enumerate() {
                let first = (2 * oy * w) as u32 + 2 * i as u32;
                let (mut best, mut at) = (top[0], first);
                for (v, place) in [(top[1], 1), (bottom[0], w as u32), (bottom[1], w as u32 + 1)] {
                    // A NaN must stay one. Without a branch, as a vector.
                    let wins = (v > best) | v.is_nan();
                    best = if wins { v } else { best };
                    at = if wins { first + place } else { at };
                }
                (*y, *winner) = (best, at);
            }
        }
    }
}

wide! {
    /// Maxima of one plane, a row of outputs and a tap of the window at a time. `S` is the stride, or 0 where it is not known in
    /// advance, told by an array of nothing.
    fn maxima[T: Real, const S: usize](_stride: [(); S], w: &Window, s: &Plane, x: &[T], y: &mut [T], winners: &mut [u32]) {
        let stride = if S == 0 { w.stride } else { S };
        let outputs = y.chunks_exact_mut(s.ow).zip(winners.chunks_exact_mut(s.ow)).enumerate();
        for (oy, (y, winners)) in outputs {
            let rows = clip(w, oy, s.h);
            for (ox, at) in winners.iter_mut().enumerate() {
                *at = (rows.start * s.w + (ox * stride).saturating_sub(w.padding)) as u32;
            }
            y.fill(T::neg_infinity());
            for (iy, kx) in rows.flat_map(|iy| (0..w.kernel).map(move |kx| (iy, kx))) {
                // Outputs whose window has this tap on the image.
                let lo = w.padding.saturating_sub(kx).div_ceil(stride).min(s.ow);
                let hi = (s.w + w.padding).saturating_sub(kx).div_ceil(stride).clamp(lo, s.ow);
                if lo == hi {
                    continue;
                }
                let first = iy * s.w + lo * stride + kx - w.padding;
                let x = &x[first..first + (hi - lo - 1) * stride + 1];
                let (best, at) = (&mut y[lo..hi], &mut winners[lo..hi]);
                let (from, step) = (first as u32, stride as u32);
                for i in 0..hi - lo {
                    // SAFETY: i < hi - lo, which is how long `best` and `at` are, and `x` is cut to the last of these.
                    let (v, best, at) =
                        unsafe { (*x.get_unchecked(i * stride), best.get_unchecked_mut(i), at.get_unchecked_mut(i)) };
                    // A NaN must stay one. Without a branch, as a vector.
                    let wins = (v > *best) | v.is_nan();
                    *best = if wins { v } else { *best };
                    *at = if wins { from + i as u32 * step } else { *at };
                }
            }
        }
    }
}

impl Kernel<1> for Max {
    const NAME: &'static str = "max_pool";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let s = plane(&self.window, x.dims);
        let len = x.dims[0] * x.dims[1] * s.oh * s.ow;
        let (mut y, mut winners) = (buffer::<T>(len), vec![0u32; len]);
        if len == 0 {
            return Ok((y, s.output(x.dims)));
        }
        let some = PLANES.div_ceil(s.h * s.w) * s.oh * s.ow;
        let mut parts: Vec<_> = y.chunks_mut(some).zip(winners.chunks_mut(some)).collect();
        chunks(&mut parts, 1, x.data.len() / 4, |i, part| {
            let (y, winners) = &mut part[0];
            let x = &x.data[i * PLANES.div_ceil(s.h * s.w) * s.h * s.w..];
            let outputs = y.chunks_exact_mut(s.oh * s.ow).zip(winners.chunks_exact_mut(s.oh * s.ow));
            for ((y, winners), x) in outputs.zip(x.chunks_exact(s.h * s.w)) {
                match self.window.stride {
                    2 if self.window.kernel == 2 && self.window.padding == 0 => quarters(s.w, s.ow, x, y, winners),
                    1 => maxima([(); 1], &self.window, &s, x, y, winners),
                    2 => maxima([(); 2], &self.window, &s, x, y, winners),
                    _ => maxima([(); 0], &self.window, &s, x, y, winners),
                }
            }
        });
        drop(parts);
        let _ = self.winners.set(winners);
        Ok((y, s.output(x.dims)))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        let s = plane(&self.window, x.dims);
        let winners = self.winners.get().expect("forward ran");
        let mut dx = vec![T::zero(); x.count()];
        let planes = dy.par_chunks(s.oh * s.ow).zip(winners.par_chunks(s.oh * s.ow));
        dx.par_chunks_mut(s.h * s.w).zip(planes).for_each(|(dx, (dy, winners))| {
            for (g, at) in dy.iter().zip(winners) {
                dx[*at as usize] += *g;
            }
        });
        Ok([Some(dx)])
    }
}

/// Mean; of the whole window, or of its part on the image.
pub struct Average {
    pub window: Window,
    pub count_padding: bool,
}

impl Average {
    /// Share of an element in window (rows, columns).
    fn share<T: Real>(&self, rows: usize, columns: usize) -> T {
        let whole = self.window.kernel * self.window.kernel;
        T::of(1.0 / if self.count_padding { whole } else { rows * columns } as f64)
    }
}

impl Kernel<1> for Average {
    const NAME: &'static str = "avg_pool";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let s = plane(&self.window, x.dims);
        let mut y = buffer::<T>(x.dims[0] * x.dims[1] * s.oh * s.ow);
        let columns: Vec<_> = (0..s.ow).map(|i| clip(&self.window, i, s.w)).collect();
        y.par_chunks_mut(s.oh * s.ow).zip(x.data.par_chunks(s.h * s.w)).for_each(|(y, x)| {
            for oy in 0..s.oh {
                let rows = clip(&self.window, oy, s.h);
                for (ox, columns) in columns.iter().enumerate() {
                    let mut total = T::zero();
                    for iy in rows.clone() {
                        for v in &x[iy * s.w + columns.start..iy * s.w + columns.end] {
                            total += *v;
                        }
                    }
                    y[oy * s.ow + ox] = total * self.share(rows.len(), columns.len());
                }
            }
        });
        Ok((y, s.output(x.dims)))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        let s = plane(&self.window, x.dims);
        let mut dx = vec![T::zero(); x.count()];
        let columns: Vec<_> = (0..s.ow).map(|i| clip(&self.window, i, s.w)).collect();
        dx.par_chunks_mut(s.h * s.w).zip(dy.par_chunks(s.oh * s.ow)).for_each(|(dx, dy)| {
            for oy in 0..s.oh {
                let rows = clip(&self.window, oy, s.h);
                for (ox, columns) in columns.iter().enumerate() {
                    let g = dy[oy * s.ow + ox] * self.share(rows.len(), columns.len());
                    for iy in rows.clone() {
                        for v in &mut dx[iy * s.w + columns.start..iy * s.w + columns.end] {
                            *v += g;
                        }
                    }
                }
            }
        });
        Ok([Some(dx)])
    }
}

/// Mean of each plane: `[n, c, h, w]` to `[n, c]`.
pub struct Global;

impl Kernel<1> for Global {
    const NAME: &'static str = "global_avg_pool";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let p = x.dims[2] * x.dims[3];
        let mut y = buffer(x.dims[0] * x.dims[1]);
        let some = PLANES.div_ceil(p);
        chunks(&mut y, some, x.data.len() / 4, |i, y| {
            for (y, x) in y.iter_mut().zip(x.data[i * some * p..].chunks_exact(p)) {
                let sum = if p < 16 { x.iter().map(|v| v.to_f64()).sum() } else { real::sum(x) };
                *y = T::of(sum / p as f64);
            }
        });
        Ok((y, (x.dims[0], x.dims[1]).into()))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        let p = x.dims[2] * x.dims[3];
        let mut dx = buffer(x.count());
        let some = PLANES.div_ceil(p);
        chunks(&mut dx, some * p, x.count() / 8, |i, dx| {
            dx.chunks_exact_mut(p).zip(&dy[i * some..]).for_each(|(dx, g)| dx.fill(*g / T::of(p as f64)));
        });
        Ok([Some(dx)])
    }
}
