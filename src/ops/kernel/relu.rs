//! max(x, 0), with gradient 0 at 0.

use candle_core::{Result, Shape};

use super::{BLOCK, Kernel, Real, View, chunks, map, map2, simd};

pub struct Relu;

impl Kernel<1> for Relu {
    const NAME: &'static str = "relu";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn rectified(&self) -> bool {
        true
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        // Not `max`: a NaN must stay one.
        Ok((map(x.data, |x| x.zero_if(x <= T::zero())), x.dims.into()))
    }

    fn backward<T: Real>(&self, _: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        Ok([Some(dy.to_vec())])
    }

    fn backward_of<T: Real>(
        &self,
        _: [View<T>; 1],
        _: View<T>,
        dy: Vec<T>,
        _: [bool; 1],
    ) -> Result<[Option<Vec<T>>; 1]> {
        Ok([Some(dy)])
    }
}

/// The gradient before a ReLU whose output is `y`.
pub fn masked<T: Real>(y: &[T], dy: &[T]) -> Vec<T> {
    map2(y, dy, |y, g| g.zero_if(y <= T::zero()))
}

/// The same in place.
pub fn mask<T: Real>(y: &[T], dy: &mut [T]) {
    chunks(dy, BLOCK, y.len() / 4, |i, dy| simd::change(dy, &y[i * BLOCK..], |g, y| g.zero_if(y <= T::zero())));
}
