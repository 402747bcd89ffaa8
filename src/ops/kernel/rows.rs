//! The learned scale and bias of the last dimension.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::simd::wide;
use super::{Kernel, Real, View, buffer, chunks};

/// Rows that one task of an elementwise loop handles.
const ROWS: usize = 64;

wide! {
    /// Adds the columns from `first` on of every row.
    fn add_rows[T: Real](total: &mut [f64], values: &[T], width: usize, first: usize) {
        for row in values.chunks_exact(width) {
            for (t, v) in total.iter_mut().zip(&row[first..]) {
                *t += v.to_f64();
            }
        }
    }
}

/// Sum over rows, in order.
pub fn sum_rows<T: Real>(values: &[T], width: usize) -> Vec<T> {
    /// Columns of one task.
    const SOME: usize = 128;
    let mut total = vec![0f64; width];
    chunks(&mut total, SOME, values.len() / 4, |i, total| add_rows(total, values, width, i * SOME));
    total.into_iter().map(T::of).collect()
}

/// `y = x * v` along the last dimension.
pub struct Scale;

impl Kernel<2> for Scale {
    const NAME: &'static str = "scale";

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], false)
    }

    fn forward<T: Real>(&self, [x, v]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        Ok((along(x.data, v.data, |x, v| x * v), x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [x, v]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let dv = wanted[1].then(|| {
            let mut total = vec![0f64; v.data.len()];
            for (g, x) in dy.chunks_exact(total.len()).zip(x.data.chunks_exact(total.len())) {
                for ((t, g), x) in total.iter_mut().zip(g).zip(x) {
                    *t += g.to_f64() * x.to_f64();
                }
            }
            total.into_iter().map(T::of).collect()
        });
        Ok([wanted[0].then(|| along(dy, v.data, |g, v| g * v)), dv])
    }
}

/// `y = x + v` along the last dimension.
pub struct Shift;

impl Kernel<2> for Shift {
    const NAME: &'static str = "bias";

    fn reads(&self) -> ([bool; 2], bool) {
        ([false, true], false)
    }

    fn forward<T: Real>(&self, [x, v]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        Ok((along(x.data, v.data, |x, v| x + v), x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [_, v]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        Ok([wanted[0].then(|| dy.to_vec()), wanted[1].then(|| sum_rows(dy, v.data.len()))])
    }
}

/// `f(x, v)` with v repeated along the rows of x.
fn along<T: Real>(x: &[T], v: &[T], f: impl Fn(T, T) -> T + Sync) -> Vec<T> {
    let mut y = buffer(x.len());
    y.par_chunks_mut(v.len() * ROWS).zip(x.par_chunks(v.len() * ROWS)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(v.len()).zip(x.chunks_exact(v.len())) {
            for ((y, x), v) in y.iter_mut().zip(x).zip(v) {
                *y = f(*x, *v);
            }
        }
    });
    y
}
