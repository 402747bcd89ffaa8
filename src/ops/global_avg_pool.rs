//! `global_avg_pool`: the mean of each channel of an image.

use candle_core::{Result, Tensor};

use super::kernel::{self, window};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, input, path};
use crate::schema::CallDef;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "global_avg_pool",
        doc: "Mean of each channel of an image: `[c, h, w]` to `[c]`.",
        args: &[],
    },
    arity: Arity::One,
    make: |_, inputs| {
        let [channels, ..] = input::image(&inputs[0])?;
        Ok(vec![Box::new(GlobalAvgPool { output: TensorType::Dense(vec![channels]) })])
    },
};

#[derive(Debug)]
struct GlobalAvgPool {
    output: TensorType,
}

impl Op for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        if path::own_kernel(&inputs[0]) {
            return kernel::apply1(window::Global, &inputs[0]);
        }
        #[cfg(feature = "cuda")]
        if path::on_cuda(&inputs[0]) {
            return super::cuda::apply1(super::cuda::pool::Global, &inputs[0]);
        }
        inputs[0].flatten_from(2)?.mean(2)
    }

    fn held(&self) -> Held {
        Held::NOTHING
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}
