//! Convolution with one input channel per group, directly: each tap of the window adds a shifted, scaled plane.

use rayon::prelude::*;

use super::Real;
use super::conv::Sizes;

/// Output channels per input channel.
fn multiplier(s: &Sizes) -> usize {
    s.co / s.ci
}

fn taps(s: &Sizes) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
    let k = s.window.kernel;
    (0..k * k).map(move |t| (t, t / k, t % k))
}

pub fn forward<T: Real>(s: &Sizes, x: &[T], weight: &[T], bias: Option<&[T]>, relu: bool, y: &mut [T]) {
    let (p, hw, k2) = (s.p(), s.h * s.w, s.window.kernel * s.window.kernel);
    y.par_chunks_mut(p).enumerate().for_each(|(i, y)| {
        let (sample, c) = (i / s.co, i % s.co);
        let x = &x[(sample * s.ci + c / multiplier(s)) * hw..][..hw];
        y.fill(bias.map_or(T::zero(), |b| b[c]));
        for (tap, ky, kx) in taps(s) {
            let a = weight[c * k2 + tap];
            s.tap_rows(&(0..s.oh), ky, kx, |oy, iy, lo, hi, ix| {
                let Some(iy) = iy else { return };
                if lo == hi {
                    return;
                }
                let (row, y) = (&x[iy * s.w + ix..(iy + 1) * s.w], &mut y[oy * s.ow..][lo..hi]);
                if s.window.stride == 1 {
                    for (y, x) in y.iter_mut().zip(row) {
                        *y += a * *x;
                    }
                } else {
                    for (y, x) in y.iter_mut().zip(row.iter().step_by(s.window.stride)) {
                        *y += a * *x;
                    }
                }
            });
        }
        if relu {
            y.iter_mut().filter(|v| **v <= T::zero()).for_each(|v| *v = T::zero());
        }
    });
}

pub fn backward<T: Real>(s: &Sizes, x: &[T], weight: &[T], dy: &[T], wanted: [bool; 2]) -> [Option<Vec<T>>; 2] {
    let (p, hw, k2, m) = (s.p(), s.h * s.w, s.window.kernel * s.window.kernel, multiplier(s));
    let dx = wanted[0].then(|| {
        let mut dx = vec![T::zero(); x.len()];
        dx.par_chunks_mut(hw).enumerate().for_each(|(i, dx)| {
            let (sample, ci) = (i / s.ci, i % s.ci);
            for c in ci * m..(ci + 1) * m {
                let dy = &dy[(sample * s.co + c) * p..][..p];
                for (tap, ky, kx) in taps(s) {
                    let a = weight[c * k2 + tap];
                    s.tap_rows(&(0..s.oh), ky, kx, |oy, iy, lo, hi, ix| {
                        let Some(iy) = iy else { return };
                        if lo == hi {
                            return;
                        }
                        let (row, dy) = (&mut dx[iy * s.w + ix..(iy + 1) * s.w], &dy[oy * s.ow..][lo..hi]);
                        if s.window.stride == 1 {
                            for (x, g) in row.iter_mut().zip(dy) {
                                *x += a * *g;
                            }
                        } else {
                            for (x, g) in row.iter_mut().step_by(s.window.stride).zip(dy) {
                                *x += a * *g;
                            }
                        }
                    });
                }
            }
        });
        dx
    });
    let dweight = wanted[1].then(|| {
        let mut dweight = vec![T::zero(); weight.len()];
        dweight.par_chunks_mut(k2).enumerate().for_each(|(c, dweight)| {
            for sample in 0..s.n {
                let dy = &dy[(sample * s.co + c) * p..][..p];
                let x = &x[(sample * s.ci + c / m) * hw..][..hw];
                for (tap, ky, kx) in taps(s) {
                    let mut total = T::zero();
                    s.tap_rows(&(0..s.oh), ky, kx, |oy, iy, lo, hi, ix| {
                        let Some(iy) = iy else { return };
                        if lo == hi {
                            return;
                        }
                        let (row, dy) = (&x[iy * s.w + ix..(iy + 1) * s.w], &dy[oy * s.ow..][lo..hi]);
                        total +=
                            if s.window.stride == 1 { dot(row, dy) } else { dot_strided(row, dy, s.window.stride) };
                    });
                    dweight[tap] += total;
                }
            }
        });
        dweight
    });
    [dx, dweight]
}

/// Eight lanes, so that it vectorises.
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::zero(); 8];
    let a = &a[..b.len()];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: T = a8.remainder().iter().zip(b8.remainder()).fold(T::zero(), |t, (x, y)| t + *x * *y);
    for (x, y) in a8.zip(b8) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += *x * *y;
        }
    }
    lanes.into_iter().fold(tail, |t, v| t + v)
}

fn dot_strided<T: Real>(a: &[T], b: &[T], stride: usize) -> T {
    a.iter().step_by(stride).zip(b).fold(T::zero(), |t, (x, y)| t + *x * *y)
}
