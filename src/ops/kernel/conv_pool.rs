//! A convolution, ReLU and the max pool after them in one: of the image between, the places of the maxima are kept and nothing else.

use candle_core::{Result, Shape};

use super::conv::Conv;
use super::window::Max;
use super::{Kernel, Real, View};
use crate::ops::input::Window;

/// As [`Conv`] with `relu`, then [`Max`]. A maximum is positive exactly where its gradient passes the ReLU.
pub struct ConvPool {
    conv: Conv,
    pool: Max,
}

impl ConvPool {
    /// A convolution with its ReLU, and the windows of the pool.
    pub fn new(conv: Conv, window: Window) -> ConvPool {
        ConvPool { conv, pool: Max::new(window) }
    }

    fn pooled<T: Real>(&self, (y, shape): (Vec<T>, Shape)) -> Result<(Vec<T>, Shape)> {
        Kernel::<1>::forward(&self.pool, [View { data: &y, dims: shape.dims() }])
    }

    /// The gradient of the convolution's output, `[n, channels, ...]` of an input and weights of these dims.
    fn spread<T: Real>(&self, x: &[usize], weight: &[usize], dy: &[T]) -> Result<Vec<T>> {
        let dims = [x[0], weight[0], self.conv.window.count(x[2]), self.conv.window.count(x[3])];
        let nothing = View { data: &[], dims: &dims };
        let [grad] = Kernel::<1>::backward(&self.pool, [nothing], nothing, dy, [true])?;
        Ok(grad.expect("asked for"))
    }
}

impl Kernel<2> for ConvPool {
    const NAME: &'static str = "conv_relu_max_pool";

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], false)
    }

    fn rectified(&self) -> bool {
        true
    }

    fn forward<T: Real>(&self, inputs: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        self.pooled(self.conv.forward(inputs)?)
    }

    fn backward<T: Real>(
        &self,
        inputs: [View<T>; 2],
        y: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        self.conv.backward(inputs, y, &self.spread(inputs[0].dims, inputs[1].dims, dy)?, wanted)
    }
}

impl Kernel<3> for ConvPool {
    const NAME: &'static str = "conv_relu_max_pool";

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn rectified(&self) -> bool {
        true
    }

    fn forward<T: Real>(&self, inputs: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        self.pooled(self.conv.forward(inputs)?)
    }

    fn backward<T: Real>(
        &self,
        inputs: [View<T>; 3],
        y: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        self.conv.backward(inputs, y, &self.spread(inputs[0].dims, inputs[1].dims, dy)?, wanted)
    }
}
