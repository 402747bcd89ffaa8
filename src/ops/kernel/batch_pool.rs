//! Batch norm, ReLU and the max pool after them in one: of what lies between, nothing is written. Every stage of a small
//! convolutional network ends in the three, and their time is that of memory.

use candle_core::{Result, Shape};

use super::batch::{BatchNorm, Line, Planes, stats_of};
use super::simd::wide;
use super::{Kernel, Real, View, buffer, channels, real};

/// The norm, whose `relu` says whether there is one, then the largest of every `k` x `k` window without overlap. The gradient goes
/// to the first largest element of each window.
pub struct BatchPool {
    pub norm: BatchNorm,
    pub k: usize,
}

/// Sizes of one plane: what lies beyond the last whole window is read by none.
#[derive(Clone, Copy)]
struct Plane {
    w: usize,
    k: usize,
    oh: usize,
    ow: usize,
}

/// Room for a row of windows.
struct Row<T> {
    best: Vec<T>,
    /// Row of the window that the largest of a column is in.
    from: Vec<u8>,
}

impl BatchPool {
    fn plane(&self, dims: &[usize]) -> Plane {
        Plane { w: dims[3], k: self.k, oh: dims[2] / self.k, ow: dims[3] / self.k }
    }
}

impl Plane {
    fn room<T: Real>(&self) -> Row<T> {
        Row { best: vec![T::zero(); self.ow * self.k], from: vec![0; self.ow * self.k] }
    }

    /// The largest of every window of a row of windows, and its place within the window (row by row).
    fn row<T: Real>(&self, line: &Line<T>, x: &[T], oy: usize, room: &mut Row<T>, y: &mut [T], at: &mut [u8]) {
        let (k, width) = (self.k, self.ow * self.k);
        for ky in 0..k {
            down(&mut room.best, &mut room.from, &x[(oy * k + ky) * self.w..][..width], *line, ky as u8);
        }
        match k {
            // Known when compiled, it becomes vectors.
            2 => across(y, at, &room.best, &room.from, 2),
            _ => across(y, at, &room.best, &room.from, k),
        }
    }
}

wide! {
    /// One row of windows: of every column the largest so far, the first of equals, and the row that it is in.
    fn down[T: Real](best: &mut [T], from: &mut [u8], x: &[T], line: Line<T>, ky: u8) {
        for ((best, from), x) in best.iter_mut().zip(from).zip(x) {
            let v = line.at(*x);
            // A NaN must stay one.
            let larger = ky == 0 || v > *best || v.is_nan();
            *best = if larger { v } else { *best };
            *from = if larger { ky } else { *from };
        }
    }
}

wide! {
    /// Of the columns of every window the largest, the first of equals in the order of rows.
    fn across[T: Real](y: &mut [T], at: &mut [u8], best: &[T], from: &[u8], k: usize) {
        for ((y, at), (best, from)) in y.iter_mut().zip(at).zip(best.chunks_exact(k).zip(from.chunks_exact(k))) {
            let (mut largest, mut place) = (best[0], from[0] as usize * k);
            for kx in 1..k {
                let here = from[kx] as usize * k + kx;
                let larger = best[kx] > largest || best[kx].is_nan() || best[kx] == largest && here < place;
                largest = if larger { best[kx] } else { largest };
                place = if larger { here } else { place };
            }
            (*y, *at) = (largest, place as u8);
        }
    }
}

wide! {
    /// The way back where no gradient comes in.
    fn around[T: Real](dx: &mut [T], x: &[T], line: Line<T>, base: T, lean: T) {
        for (dx, x) in dx.iter_mut().zip(x) {
            *dx = line.slope * (T::zero() - base - (*x - line.mean) * lean);
        }
    }
}

impl Kernel<3> for BatchPool {
    const NAME: &'static str = "batch_norm_max_pool";

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (n, c, p, s) = (x.dims[0], x.dims[1], x.dims[2] * x.dims[3], self.plane(x.dims));
        let x = x.data;
        let mut y = buffer(n * c * s.oh * s.ow);
        let stats = channels(&mut y, c, s.oh * s.ow, x.len() / 2, |i, out| {
            let planes = Planes::new(x, i, c, p);
            let stats = self.norm.given_at(i).unwrap_or_else(|| stats_of(&planes, x));
            let line = self.norm.line(stats, weight.data[i], bias.data[i]);
            let mut parts = planes.each(x).flat_map(|x| x.chunks_exact(p));
            let (mut room, mut at) = (s.room(), vec![0; s.ow]);
            out.each(|y| {
                let Some(x) = parts.next() else { return };
                for (oy, y) in y.chunks_exact_mut(s.ow).enumerate() {
                    s.row(&line, x, oy, &mut room, y, &mut at);
                }
            });
            stats
        });
        self.norm.keep(stats);
        Ok((y, (n, c, s.oh, s.ow).into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, bias]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (n, c, p, s) = (x.dims[0], x.dims[1], x.dims[2] * x.dims[3], self.plane(x.dims));
        let (x, windows) = (x.data, s.oh * s.ow);
        let part = if self.norm.given.is_some() { 0.0 } else { 1.0 / (n * p) as f64 };
        let mut dx = buffer(x.len());
        let sums = channels(&mut dx, c, p, x.len() / 2, |i, out| {
            let (stats, inverse) = self.norm.used_at(i);
            let line = self.norm.line(stats, weight.data[i], bias.data[i]);
            let planes = Planes::new(x, i, c, p);
            // The winners of all windows of the channel; what they give and get, for the two sums and for the way back.
            let (mut room, mut y) = (s.room(), vec![T::zero(); s.ow]);
            let mut at = vec![0u8; n * windows];
            let (mut taken, mut open) = (buffer(n * windows), buffer(n * windows));
            for (sample, x) in planes.each(x).flat_map(|x| x.chunks_exact(p)).enumerate() {
                for oy in 0..s.oh {
                    let place = sample * windows + oy * s.ow;
                    let at = &mut at[place..][..s.ow];
                    s.row(&line, x, oy, &mut room, &mut y, at);
                    let from = &dy[(sample * c + i) * windows + oy * s.ow..][..s.ow];
                    let out = taken[place..][..s.ow].iter_mut().zip(&mut open[place..][..s.ow]);
                    for ((ox, (taken, open)), ((at, y), g)) in out.enumerate().zip(at.iter().zip(&y).zip(from)) {
                        let at = *at as usize;
                        *taken = x[(oy * s.k + at / s.k) * s.w + ox * s.k + at % s.k];
                        *open = if *y <= line.floor { T::zero() } else { *g };
                    }
                }
            }
            let sum = real::sum(&open);
            let dot = real::sum_products(&open, &taken, line.mean) * inverse;
            // dx = slope (g - base - (x - mean) lean), as of the norm alone; g is there at winners only.
            let (base, lean) = (T::of(sum * part), T::of(dot * part * inverse));
            let mut parts = planes.each(x).flat_map(|x| x.chunks_exact(p)).enumerate();
            out.each(|dx| {
                let Some((sample, x)) = parts.next() else { return };
                around(dx, x, line, base, lean);
                for oy in 0..s.oh {
                    let place = sample * windows + oy * s.ow;
                    let winners = at[place..][..s.ow].iter().zip(&open[place..][..s.ow]);
                    for (ox, (at, g)) in winners.enumerate() {
                        let at = *at as usize;
                        let at = (oy * s.k + at / s.k) * s.w + ox * s.k + at % s.k;
                        dx[at] = line.slope * (*g - base - (x[at] - line.mean) * lean);
                    }
                }
            });
            [sum, dot]
        });
        let of = |k: usize| sums.iter().map(|s| T::of(s[k])).collect();
        Ok([wanted[0].then_some(dx), wanted[1].then(|| of(1)), wanted[2].then(|| of(0))])
    }
}
