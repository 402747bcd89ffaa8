//! `bias`: a learned shift of every element of the last dimension.

use candle_core::{Result, Tensor};

use super::kernel::{self, rows};
use super::{Arity, Dim, Held, Init, Op, OpDef, Pass, TensorType, Way, WeightDef, input, path};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "bias",
        doc: "Plus a learned number for every element of the last dimension, 0 at first.",
        args: &[],
    },
    arity: Arity::One,
    make: |_, inputs| {
        let last = input::last(input::dense(&inputs[0])?)?;
        Ok(vec![Box::new(Bias { ty: inputs[0].clone(), last })])
    },
};

#[derive(Debug)]
struct Bias {
    ty: TensorType,
    last: Dim,
}

impl Op for Bias {
    fn name(&self) -> &'static str {
        "bias"
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn weights(&self) -> Vec<WeightDef> {
        vec![WeightDef::trained("bias", [self.last], Init::Const(0.0))]
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        if path::own_kernel(&inputs[0]) {
            return kernel::apply2(rows::Shift, &inputs[0], &weights[0]);
        }
        inputs[0].broadcast_add(&weights[0])
    }

    fn held(&self) -> Held {
        Held::NOTHING
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}
