//! `flatten`: all dimensions in one.

use candle_core::{Result, Tensor};

use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, input};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "flatten",
        doc: "All dimensions in one, the last fastest: `[c, h, w]` to `[c * h * w]`.",
        args: &[],
    },
    arity: Arity::One,
    make: |_, inputs| {
        let output = input::product(input::dense(&inputs[0])?.iter().copied())?;
        Ok(vec![Box::new(Flatten { output: TensorType::Dense(vec![output]) })])
    },
};

#[derive(Debug)]
struct Flatten {
    output: TensorType,
}

impl Op for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
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

/// `[n, ...]` as `[n, product]`; a scalar per sample as `[n, 1]`.
pub(super) fn per_sample(x: &Tensor) -> Result<Tensor> {
    if x.rank() == 2 {
        return Ok(x.clone());
    }
    let n = x.dim(0)?;
    x.reshape((n, x.dims()[1..].iter().product::<usize>()))
}
