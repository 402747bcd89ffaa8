//! `mul(a, b, ...)`: the elementwise product of values of one shape.

use candle_core::{Result, Tensor};

use super::{Arity, Op, OpDef, Pass, TensorType, input};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "mul", doc: "Elementwise product of values of one shape.", args: &[] },
    arity: Arity::Many,
    make: |_, inputs| Ok(vec![Box::new(Mul { output: TensorType::Dense(input::same_shape(inputs)?) })]),
};

#[derive(Debug)]
struct Mul {
    output: TensorType,
}

impl Op for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        inputs[1..].iter().try_fold(inputs[0].clone(), |product, x| product * x)
    }
}
