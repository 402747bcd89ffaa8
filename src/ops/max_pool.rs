//! `max_pool(k)`: the largest element of each window.

use candle_core::{Result, Tensor};

use super::input::{PADDING, STEP, Window};
use super::kernel::{self, window};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, path, pooling};
use crate::schema::{AttrDef, CallDef, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "max_pool",
        doc: "Largest element of each window of an image; padding never wins. Of equal elements, the first gets the gradient.",
        args: &[
            AttrDef { name: "kernel", ty: STEP, need: Need::Required, doc: "Height and width of the window." },
            AttrDef {
                name: "stride",
                ty: STEP,
                need: Need::Optional,
                doc: "Step between windows. Default: the window, so that windows do not overlap.",
            },
            AttrDef {
                name: "padding",
                ty: PADDING,
                need: Need::Default("0"),
                doc: "Pixels added on every side, at most half the window.",
            },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let (window, output) = pooling::make(args, &inputs[0])?;
        Ok(vec![Box::new(MaxPool { window, output })])
    },
};

#[derive(Debug)]
pub(super) struct MaxPool {
    pub window: Window,
    output: TensorType,
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        if path::own_kernel(x) {
            return kernel::apply1(window::Max::new(self.window), x);
        }
        #[cfg(feature = "cuda")]
        if path::on_cuda(x) {
            return super::cuda::apply1(super::cuda::pool::Max::new(self.window), x);
        }
        pooling::max(&self.window, x)
    }

    fn held(&self) -> Held {
        // The place of each maximum.
        Held::NOTHING.and(self.output.elements().map(|n| 4 * n))
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}
