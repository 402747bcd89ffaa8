//! `add(a, b, ...)`: the sum of values of one shape.

use candle_core::{Result, Tensor};

use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, input};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef { name: "add", doc: "Sum of values of one shape.", args: &[] },
    arity: Arity::Many,
    make: |_, inputs| Ok(vec![Box::new(Add { output: TensorType::Dense(input::same_shape(inputs)?) })]),
};

#[derive(Debug)]
struct Add {
    output: TensorType,
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        inputs[1..].iter().try_fold(inputs[0].clone(), |sum, x| sum + x)
    }

    fn held(&self) -> Held {
        Held::NOTHING
    }

    fn way(&self, _: &[Tensor]) -> Way {
        Way::Sum
    }
}
