//! `concat(a, b, ...)`: values one after the other along their first dimension.

use candle_core::{Result, Tensor};

use super::{Arity, Dim, Op, OpDef, OpError, Pass, TensorType, input};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "concat",
        doc: "Values one after the other along the first dimension: channels of images, elements of vectors. The other \
              dimensions must agree.",
        args: &[],
    },
    arity: Arity::Many,
    make: |_, inputs| {
        let disagree = || {
            let message = format!(
                "takes values that differ in the first dimension only, and these are {}",
                input::listing(inputs)
            );
            OpError::new(message)
                .help("bring images to one height and width with `upsample` or a pool, or `flatten` them")
        };
        let mut firsts = Vec::new();
        let mut rests = Vec::new();
        for input in inputs {
            let [first, rest @ ..] = input::dense(input)? else { return Err(disagree()) };
            firsts.push(*first);
            rests.push(TensorType::Dense(rest.to_vec()));
        }
        let rest = input::same_shape(&rests).map_err(|_| disagree())?;
        let first = firsts.iter().map(|d| d.known()).sum::<Option<usize>>().map_or(Dim::Open, Dim::Known);
        Ok(vec![Box::new(Concat { output: TensorType::Dense([vec![first], rest].concat()) })])
    },
};

#[derive(Debug)]
struct Concat {
    output: TensorType,
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        Tensor::cat(inputs, 1)
    }
}
