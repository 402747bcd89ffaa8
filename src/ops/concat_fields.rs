//! `concat_fields`: the vectors of all columns side by side.

use candle_core::{Result, Tensor};

use super::flatten::per_sample;
use super::{Arity, Held, Op, OpDef, OpError, Pass, TensorType, Way, input};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "concat_fields",
        doc: "The vectors of all columns side by side: `[columns, size]` to `[columns * size]`.",
        args: &[],
    },
    arity: Arity::One,
    make: |_, inputs| match input::dense(&inputs[0])? {
        [columns, size] => {
            let output = input::product([*columns, *size])?;
            Ok(vec![Box::new(ConcatFields { output: TensorType::Dense(vec![output]) })])
        }
        _ => Err(OpError::new(format!("takes one vector per column, `[columns, size]`, and this is {}", inputs[0]))
            .help("it follows `embedding(n)`; use `flatten` for anything else")),
    },
};

#[derive(Debug)]
struct ConcatFields {
    output: TensorType,
}

impl Op for ConcatFields {
    fn name(&self) -> &'static str {
        "concat_fields"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        per_sample(&inputs[0])
    }

    fn held(&self) -> Held {
        Held::VIEW
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}
