//! Resizing by a whole factor, as a weighted sum of two rows and two columns per output pixel.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::{Kernel, Real, View, buffer};

/// What output pixel `i` reads along one dimension: `(1 - t) x[low] + t x[high]`.
#[derive(Debug, Clone, Copy)]
pub struct Tap {
    pub low: usize,
    pub high: usize,
    pub t: f64,
}

/// Taps along a dimension of `size` pixels. Bilinear taps are PyTorch's with `align_corners = false`: pixel centres at
/// `(i + 1/2) / factor - 1/2`, held at the edge.
pub fn taps(size: usize, factor: usize, bilinear: bool) -> Vec<Tap> {
    (0..size * factor)
        .map(|i| {
            if !bilinear {
                return Tap { low: i / factor, high: i / factor, t: 0.0 };
            }
            let at = ((i as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
            let low = (at as usize).min(size - 1);
            Tap { low, high: (low + 1).min(size - 1), t: at - low as f64 }
        })
        .collect()
}

pub struct Upsample {
    pub factor: usize,
    pub bilinear: bool,
}

impl Upsample {
    fn taps(&self, dims: &[usize]) -> (Vec<Tap>, Vec<Tap>) {
        (taps(dims[2], self.factor, self.bilinear), taps(dims[3], self.factor, self.bilinear))
    }
}

impl Kernel<1> for Upsample {
    const NAME: &'static str = "upsample";

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        let (h, w) = (x.dims[2], x.dims[3]);
        let (rows, columns) = self.taps(x.dims);
        let mut y = buffer::<T>(x.data.len() * self.factor * self.factor);
        y.par_chunks_mut(rows.len() * columns.len()).zip(x.data.par_chunks(h * w)).for_each(|(y, x)| {
            for (y, row) in y.chunks_exact_mut(columns.len()).zip(&rows) {
                let (low, high, t) = (&x[row.low * w..][..w], &x[row.high * w..][..w], T::of(row.t));
                for (y, column) in y.iter_mut().zip(&columns) {
                    let s = T::of(column.t);
                    let upper = low[column.low] + (low[column.high] - low[column.low]) * s;
                    let lower = high[column.low] + (high[column.high] - high[column.low]) * s;
                    *y = upper + (lower - upper) * t;
                }
            }
        });
        Ok((y, (x.dims[0], x.dims[1], rows.len(), columns.len()).into()))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        let (h, w) = (x.dims[2], x.dims[3]);
        let (rows, columns) = self.taps(x.dims);
        let mut dx = vec![T::zero(); x.data.len()];
        dx.par_chunks_mut(h * w).zip(dy.par_chunks(rows.len() * columns.len())).for_each(|(dx, dy)| {
            for (dy, row) in dy.chunks_exact(columns.len()).zip(&rows) {
                let t = T::of(row.t);
                for (g, column) in dy.iter().zip(&columns) {
                    let (s, lower) = (T::of(column.t), *g * t);
                    let upper = *g - lower;
                    dx[row.low * w + column.low] += upper * (T::one() - s);
                    dx[row.low * w + column.high] += upper * s;
                    dx[row.high * w + column.low] += lower * (T::one() - s);
                    dx[row.high * w + column.high] += lower * s;
                }
            }
        });
        Ok([Some(dx)])
    }
}
