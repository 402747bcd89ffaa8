//! `softmax` over the last dimension.

use candle_core::{D, Result, Tensor};

use super::kernel::{self, segment};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, input, path};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "softmax", doc: "exp(x) over its sum, along the last dimension.", args: &[] },
    arity: Arity::One,
    make: |_, inputs| {
        input::last(input::dense(&inputs[0])?)?;
        Ok(vec![Box::new(Softmax { ty: inputs[0].clone() })])
    },
};

#[derive(Debug)]
struct Softmax {
    ty: TensorType,
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        softmax(&inputs[0])
    }

    fn held(&self) -> Held {
        Held::BOTH
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}

/// Softmax over the last dimension.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if path::own_kernel(x) {
        return kernel::apply1(segment::Softmax, x);
    }
    // The result does not depend on the maximum, so no gradient goes through it.
    let e = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}
