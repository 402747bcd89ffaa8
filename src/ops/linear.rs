//! `linear(n)`: y = x W^T + b over the last dimension.

use candle_core::{Result, Tensor};

use super::{Arity, Dim, Init, Op, OpDef, OpError, Pass, TensorType, WeightDef};
use crate::schema::{AttrDef, COUNT, CallDef, Need, Ty};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "linear",
        doc: "Affine map of the last dimension: `[..., k]` to `[..., units]`.",
        args: &[
            AttrDef { name: "units", ty: COUNT, need: Need::Required, doc: "Size of the output." },
            AttrDef { name: "bias", ty: Ty::Bool, need: Need::Default("true"), doc: "Whether a bias is added." },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let TensorType::Dense(dims) = &inputs[0] else {
            return Err(OpError::new(format!("takes numbers, and this is {}", inputs[0]))
                .help("turn columns into numbers first, with `one_hot` or `embedding(n) -> concat_fields`"));
        };
        match dims.as_slice() {
            [] => Err(OpError::new("takes at least one dimension, and this has none")),
            [.., last] => Ok(vec![Box::new(Linear {
                dims: dims.clone(),
                from: *last,
                to: args.size("units"),
                bias: args.bool("bias"),
            })]),
        }
    },
};

#[derive(Debug)]
struct Linear {
    dims: Vec<Dim>,
    from: Dim,
    to: usize,
    bias: bool,
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn output(&self) -> TensorType {
        let mut dims = self.dims.clone();
        *dims.last_mut().expect("checked by make") = Dim::Known(self.to);
        TensorType::Dense(dims)
    }

    fn weights(&self) -> Vec<WeightDef> {
        let mut weights = vec![WeightDef {
            name: "weight".into(),
            shape: vec![self.to.into(), self.from],
            init: Init::FanIn,
            trained: true,
        }];
        if self.bias {
            let init = self.from.known().map_or(Init::Const(0.0), |k| Init::Uniform { bound: 1.0 / (k as f64).sqrt() });
            weights.push(WeightDef { name: "bias".into(), shape: vec![self.to.into()], init, trained: true });
        }
        weights
    }

    fn macs(&self) -> Option<u64> {
        let rows: usize = self.dims[..self.dims.len() - 1].iter().map(|d| d.known()).product::<Option<usize>>()?;
        Some(rows as u64 * self.from.known()? as u64 * self.to as u64)
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let y = inputs[0].broadcast_matmul(&weights[0].t()?)?;
        match weights.get(1) {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
