//! max(x, 0), with gradient 0 at 0.

use candle_core::{Result, Shape};

use super::{Kernel, Real, View, map, map2};

pub struct Relu;

impl Kernel<1> for Relu {
    const NAME: &'static str = "relu";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], true)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        // Not `max`: a NaN must stay one.
        Ok((map(x.data, |x| x.zero_if(x <= T::zero())), x.dims.into()))
    }

    fn backward<T: Real>(&self, _: [View<T>; 1], y: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        Ok([Some(masked(y.data, dy))])
    }
}

/// The gradient before a ReLU whose output is `y`.
pub fn masked<T: Real>(y: &[T], dy: &[T]) -> Vec<T> {
    map2(y, dy, |y, g| g.zero_if(y <= T::zero()))
}
