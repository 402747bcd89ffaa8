//! What activations share: an op from a curve and its slope.

use std::fmt::Debug;

use candle_core::{Result, Shape, Tensor};

use super::kernel::{self, Kernel, Real, View};
use super::{Held, Made, Op, Pass, TensorType, Way, input, path};

/// A function of one number, applied to every element.
pub(super) trait Curve: Debug + Clone + Send + Sync + 'static {
    const NAME: &'static str;
    /// The slope follows from y alone.
    const FROM_OUTPUT: bool = false;

    fn value<T: Real>(&self, x: T) -> T;

    /// dy/dx at x, where y = value(x).
    fn slope<T: Real>(&self, x: T, y: T) -> T;

    /// The same of candle ops.
    fn composed(&self, x: &Tensor) -> Result<Tensor>;
}

pub(super) fn make<C: Curve>(curve: C, inputs: &[TensorType]) -> Made {
    input::dense(&inputs[0])?;
    Ok(vec![Box::new(Pointwise { curve, ty: inputs[0].clone() })])
}

#[derive(Debug)]
struct Pointwise<C> {
    curve: C,
    ty: TensorType,
}

impl<C: Curve> Op for Pointwise<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        if path::own_kernel(&inputs[0]) {
            kernel::apply1(Every(self.curve.clone()), &inputs[0])
        } else {
            self.curve.composed(&inputs[0])
        }
    }

    fn held(&self) -> Held {
        if C::FROM_OUTPUT { Held::OUTPUT } else { Held::BOTH }
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}

struct Every<C>(C);

impl<C: Curve> Kernel<1> for Every<C> {
    const NAME: &'static str = C::NAME;

    fn reads(&self) -> ([bool; 1], bool) {
        ([!C::FROM_OUTPUT], true)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        Ok((kernel::map(x.data, |x| self.0.value(x)), x.dims.into()))
    }

    fn backward<T: Real>(&self, [x]: [View<T>; 1], y: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        if C::FROM_OUTPUT {
            return Ok([Some(kernel::map2(y.data, dy, |y, g| g * self.0.slope(T::zero(), y)))]);
        }
        Ok([Some(kernel::map3(x.data, y.data, dy, |x, y, g| g * self.0.slope(x, y)))])
    }
}
