//! `avg_pool(k)`: the mean of each window.

use candle_core::{Result, Tensor};

use super::input::{PADDING, STEP, Window};
use super::kernel::{self, window};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, path, pooling};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "avg_pool",
        doc: "Mean of each window of an image.",
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
            AttrDef {
                name: "count_include_pad",
                ty: Ty::Bool,
                need: Need::Default("true"),
                doc: "Whether padding counts, as zeros, in the mean of a window at the edge (PyTorch's default); if not, the \
                      mean is of the pixels that lie on the image.",
            },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let (window, output) = pooling::make(args, &inputs[0])?;
        Ok(vec![Box::new(AvgPool { window, output, count_padding: args.bool("count_include_pad") })])
    },
};

#[derive(Debug)]
struct AvgPool {
    window: Window,
    output: TensorType,
    count_padding: bool,
}

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        if path::own_kernel(x) {
            let kernel = window::Average { window: self.window, count_padding: self.count_padding };
            return kernel::apply1(kernel, x);
        }
        #[cfg(feature = "cuda")]
        if path::on_cuda(x) {
            let kernel = super::cuda::pool::Average { window: self.window, count_padding: self.count_padding };
            return super::cuda::apply1(kernel, x);
        }
        pooling::average(&self.window, x, self.count_padding)
    }

    fn held(&self) -> Held {
        Held::NOTHING
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}
