//! Matrix-shaped work: `linear` and the learned scale and bias of the last dimension.

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::gemm::{Matrix, multiply};
use super::{Kernel, Real, View, buffer};

/// Rows that one task of an elementwise loop handles.
const ROWS: usize = 64;

/// Rows of a product that one task computes: every task packs the other factor again, so few tasks, but some.
fn part(rows: usize) -> usize {
    rows.div_ceil(4).clamp(32, 256)
}

/// `y = x W^T + b`, x `[..., k]`, W `[to, k]`, b? `[to]`.
pub struct Linear;

fn forward<T: Real>(x: View<T>, weight: View<T>, bias: Option<&[T]>) -> (Vec<T>, Shape) {
    let (to, k) = (weight.dims[0], weight.dims[1]);
    let rows: usize = x.dims[..x.dims.len() - 1].iter().product();
    let mut shape = x.dims.to_vec();
    *shape.last_mut().expect("linear reads at least one dimension") = to;
    let mut y = buffer(rows * to);
    if let Some(bias) = bias {
        y.par_chunks_mut(to * ROWS).for_each(|y| y.chunks_exact_mut(to).for_each(|y| y.copy_from_slice(bias)));
    }
    let weight = Matrix::new(weight.data, to, k).t();
    y.par_chunks_mut(to * part(rows)).enumerate().for_each(|(i, y)| {
        let x = Matrix::new(x.data, rows, k).rows(i * part(rows), y.len() / to);
        multiply(x, weight, y, to, bias.is_some());
    });
    (y, shape.into())
}

fn backward<T: Real>(x: View<T>, weight: View<T>, dy: &[T], wanted: [bool; 3]) -> [Option<Vec<T>>; 3] {
    let (to, k) = (weight.dims[0], weight.dims[1]);
    let rows: usize = x.dims[..x.dims.len() - 1].iter().product();
    let grad = Matrix::new(dy, rows, to);
    let dx = wanted[0].then(|| {
        let mut dx = buffer(rows * k);
        dx.par_chunks_mut(k * part(rows)).enumerate().for_each(|(i, dx)| {
            let grad = grad.rows(i * part(rows), dx.len() / k);
            multiply(grad, Matrix::new(weight.data, to, k), dx, k, false);
        });
        dx
    });
    let dweight = wanted[1].then(|| {
        let mut dw = buffer(to * k);
        dw.par_chunks_mut(k * part(to)).enumerate().for_each(|(i, dw)| {
            let grad = grad.t().rows(i * part(to), dw.len() / k);
            multiply(grad, Matrix::new(x.data, rows, k), dw, k, false);
        });
        dw
    });
    [dx, dweight, wanted[2].then(|| sum_rows(dy, to))]
}

/// Sum over rows, in order.
pub fn sum_rows<T: Real>(values: &[T], width: usize) -> Vec<T> {
    let mut total = vec![0f64; width];
    for row in values.chunks_exact(width) {
        for (t, v) in total.iter_mut().zip(row) {
            *t += v.to_f64();
        }
    }
    total.into_iter().map(T::of).collect()
}

impl Kernel<2> for Linear {
    const NAME: &'static str = "linear";
    const READS_OUTPUT: bool = false;

    fn forward<T: Real>(&self, [x, weight]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        Ok(forward(x, weight, None))
    }

    fn backward<T: Real>(
        &self,
        [x, weight]: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let [dx, dweight, _] = backward(x, weight, dy, [wanted[0], wanted[1], false]);
        Ok([dx, dweight])
    }
}

impl Kernel<3> for Linear {
    const NAME: &'static str = "linear";
    const READS_OUTPUT: bool = false;

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        Ok(forward(x, weight, Some(bias.data)))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, _]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        Ok(backward(x, weight, dy, wanted))
    }
}

/// `y = x * v` along the last dimension.
pub struct Scale;

impl Kernel<2> for Scale {
    const NAME: &'static str = "scale";
    const READS_OUTPUT: bool = false;

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
    const READS_OUTPUT: bool = false;

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
