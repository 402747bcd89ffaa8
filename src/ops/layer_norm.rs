//! `layer_norm`: layer normalisation (Ba et al. 2016) of the last dimension.

use candle_core::{Result, Tensor};

use super::kernel::segment;
use super::normalise::normalise;
use super::{Arity, Dim, Held, Init, Op, OpDef, OpError, Pass, TensorType, Way, WeightDef, input};
use crate::schema::{AttrDef, CallDef, EPSILON, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "layer_norm",
        doc: "Normalises the last dimension of each sample, then scales and shifts every element of it.",
        args: &[AttrDef { name: "eps", ty: EPSILON, need: Need::Default("1e-5"), doc: "Added to the variance." }],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let dims = input::dense(&inputs[0])?;
        if dims.len() == 3 {
            return Err(OpError::new(format!("normalises the last dimension, and this is an image, {}", inputs[0]))
                .help("`group_norm(1)` normalises all channels and pixels of an image together"));
        }
        Ok(vec![Box::new(LayerNorm { ty: inputs[0].clone(), last: input::last(dims)?, eps: args.float("eps") })])
    },
};

#[derive(Debug)]
struct LayerNorm {
    ty: TensorType,
    last: Dim,
    eps: f64,
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn weights(&self) -> Vec<WeightDef> {
        vec![
            WeightDef::trained("weight", [self.last], Init::Const(1.0)),
            WeightDef::trained("bias", [self.last], Init::Const(0.0)),
        ]
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let shape = segment::Normalise { eps: self.eps, groups: 1, channels: weights[0].elem_count(), pixels: 1 };
        normalise(shape, &inputs[0], &weights[0], &weights[1])
    }

    fn held(&self) -> Held {
        Held::BOTH
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}
