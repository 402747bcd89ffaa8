//! Pooling over windows of an image, plane by plane.

use std::sync::OnceLock;

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::{Kernel, Real, View, buffer, real};
use crate::ops::input::Window;

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

impl Kernel<1> for Max {
    const NAME: &'static str = "max_pool";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let s = plane(&self.window, x.dims);
        let len = x.dims[0] * x.dims[1] * s.oh * s.ow;
        let (mut y, mut winners) = (buffer::<T>(len), vec![0u32; len]);
        let columns: Vec<_> = (0..s.ow).map(|i| clip(&self.window, i, s.w)).collect();
        let planes = y.par_chunks_mut(s.oh * s.ow).zip(winners.par_chunks_mut(s.oh * s.ow));
        planes.zip(x.data.par_chunks(s.h * s.w)).for_each(|((y, winners), x)| {
            for oy in 0..s.oh {
                let rows = clip(&self.window, oy, s.h);
                for (ox, columns) in columns.iter().enumerate() {
                    let first = rows.start * s.w + columns.start;
                    let (mut best, mut at) = (x[first], first);
                    for iy in rows.clone() {
                        let from = iy * s.w + columns.start;
                        for (j, v) in x[from..from + columns.len()].iter().enumerate() {
                            // A NaN must stay one.
                            if *v > best || v.is_nan() {
                                (best, at) = (*v, from + j);
                            }
                        }
                    }
                    y[oy * s.ow + ox] = best;
                    winners[oy * s.ow + ox] = at as u32;
                }
            }
        });
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
        let y = x.data.par_chunks(p).map(|x| T::of(real::sum(x) / p as f64)).collect();
        Ok((y, (x.dims[0], x.dims[1]).into()))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        let p = x.dims[2] * x.dims[3];
        let mut dx = buffer(x.count());
        dx.par_chunks_mut(p).zip(dy).for_each(|(dx, g)| dx.fill(*g / T::of(p as f64)));
        Ok([Some(dx)])
    }
}
