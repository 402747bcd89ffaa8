//! `linear(n)`: y = x W^T + b over the last dimension.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::input::{self, SIZE};
use super::kernel::{self, linear};
use super::{Arity, Dim, Held, Init, Joined, Op, OpDef, Pass, TensorType, Way, WeightDef, path, relu};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "linear",
        doc: "Affine map of the last dimension: `[..., k]` to `[..., units]`.",
        args: &[
            AttrDef { name: "units", ty: SIZE, need: Need::Required, doc: "Size of the output." },
            AttrDef { name: "bias", ty: Ty::Bool, need: Need::Default("true"), doc: "Whether a bias is added." },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let dims = input::dense(&inputs[0])?;
        Ok(vec![Box::new(Linear {
            dims: dims.to_vec(),
            from: input::last(dims)?,
            to: args.size("units"),
            bias: args.bool("bias"),
            relu: false,
        })])
    },
};

#[derive(Debug, Clone)]
struct Linear {
    dims: Vec<Dim>,
    from: Dim,
    to: usize,
    bias: bool,
    relu: bool,
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        if self.relu { "linear_relu" } else { "linear" }
    }

    fn output(&self) -> TensorType {
        let mut dims = self.dims.clone();
        *dims.last_mut().expect("checked by make") = Dim::Known(self.to);
        TensorType::Dense(dims)
    }

    fn weights(&self) -> Vec<WeightDef> {
        let mut weights = vec![WeightDef::trained("weight", [self.to.into(), self.from], Init::FanIn)];
        if self.bias {
            let init = self.from.known().map_or(Init::Const(0.0), |k| Init::Uniform { bound: 1.0 / (k as f64).sqrt() });
            weights.push(WeightDef::trained("bias", [self.to.into()], init));
        }
        weights
    }

    fn macs(&self) -> Option<u64> {
        Some(input::count(self.dims.iter().copied())?.saturating_mul(self.to as u64))
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        if path::own_kernel(x) {
            return match weights.get(1) {
                Some(bias) => kernel::apply3(linear::Linear { relu: self.relu }, x, &weights[0], bias),
                None => kernel::apply2(linear::Linear { relu: self.relu }, x, &weights[0]),
            };
        }
        #[cfg(feature = "cuda")]
        if path::on_cuda(x) {
            let kernel = super::cuda::linear::Linear { relu: self.relu };
            return match weights.get(1) {
                Some(bias) => super::cuda::apply3(kernel, x, &weights[0], bias),
                None => super::cuda::apply2(kernel, x, &weights[0]),
            };
        }
        let y = x.broadcast_matmul(&weights[0].t()?)?;
        let y = match weights.get(1) {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        if self.relu { relu::composed(&y) } else { Ok(y) }
    }

    fn fuse(&self, next: &dyn Op) -> Option<Arc<dyn Op>> {
        (!self.relu && relu::is_relu(next)).then(|| Arc::new(Linear { relu: true, ..self.clone() }) as Arc<dyn Op>)
    }

    fn kin(&self) -> Option<String> {
        let Linear { dims, bias, relu, .. } = self;
        Some(format!("linear {dims:?} {bias} {relu}"))
    }

    fn siblings(&self, x: &Tensor, weights: &[Vec<Tensor>]) -> Result<Option<Joined>> {
        if path::own_kernel(x) {
            return kernel::siblings::forward(x, weights, self.relu);
        }
        #[cfg(feature = "cuda")]
        if path::on_cuda(x) {
            return super::cuda::siblings::forward(x, weights, self.relu);
        }
        Ok(None)
    }

    fn held(&self) -> Held {
        if self.relu { Held::BOTH } else { Held::INPUT }
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}
