//! `relu`: max(x, 0), with gradient 0 at 0.

use std::any::Any;

use candle_core::{Result, Tensor};

use super::kernel::{self, relu};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, input, path};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "relu", doc: "max(x, 0); its gradient at 0 is 0.", args: &[] },
    arity: Arity::One,
    make: |_, inputs| {
        input::dense(&inputs[0])?;
        Ok(vec![Box::new(Relu { ty: inputs[0].clone() })])
    },
};

#[derive(Debug)]
struct Relu {
    ty: TensorType,
}

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        if path::own_kernel(x) {
            return kernel::apply1(relu::Relu, x);
        }
        #[cfg(feature = "cuda")]
        if path::on_cuda(x) {
            return super::cuda::apply1(super::cuda::relu::Relu, x);
        }
        composed(x)
    }

    fn held(&self) -> Held {
        Held { in_place: true, ..Held::OUTPUT }
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}

/// Of candle ops.
pub(super) fn composed(x: &Tensor) -> Result<Tensor> {
    // candle's `relu` has gradient 1 at 0.
    x.le(0.0)?.where_cond(&x.zeros_like()?, x)
}

pub(super) fn is_relu(op: &dyn Op) -> bool {
    (op as &dyn Any).is::<Relu>()
}
