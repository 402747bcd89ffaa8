//! `group_norm(groups)`: group normalisation (Wu and He 2018).

use candle_core::{Result, Tensor};

use super::input::{self, SIZE};
use super::kernel::segment;
use super::normalise::normalise;
use super::{Arity, Dim, Held, Init, Op, OpDef, OpError, Pass, TensorType, Way, WeightDef};
use crate::schema::{AttrDef, CallDef, EPSILON, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "group_norm",
        doc: "Normalises groups of channels of each sample of `[c]` or `[c, h, w]`, then scales and shifts each channel.",
        args: &[
            AttrDef { name: "groups", ty: SIZE, need: Need::Required, doc: "Number of groups; divides the channels." },
            AttrDef { name: "eps", ty: EPSILON, need: Need::Default("1e-5"), doc: "Added to the variance." },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let (dims, groups) = (input::dense(&inputs[0])?, args.size("groups"));
        let ([channels] | [channels, _, _]) = dims else {
            return Err(OpError::new(format!("takes `[c]` or an image `[c, h, w]`, and this is {}", inputs[0]))
                .help("put `flatten` before it, or use `layer_norm`"));
        };
        if channels.known().is_some_and(|c| !c.is_multiple_of(groups)) {
            return Err(OpError::new(format!(
                "splits {channels} channels into {groups} groups, and that leaves a rest"
            ))
            .help("choose a number of groups that divides the channels"));
        }
        Ok(vec![Box::new(GroupNorm { ty: inputs[0].clone(), channels: *channels, groups, eps: args.float("eps") })])
    },
};

#[derive(Debug)]
struct GroupNorm {
    ty: TensorType,
    channels: Dim,
    groups: usize,
    eps: f64,
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn weights(&self) -> Vec<WeightDef> {
        vec![
            WeightDef::trained("weight", [self.channels], Init::Const(1.0)),
            WeightDef::trained("bias", [self.channels], Init::Const(0.0)),
        ]
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        let shape = segment::Normalise {
            eps: self.eps,
            groups: self.groups,
            channels: x.dim(1)? / self.groups,
            pixels: x.dims()[2..].iter().product(),
        };
        normalise(shape, x, &weights[0], &weights[1])
    }

    fn held(&self) -> Held {
        Held::BOTH
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}
