//! `conv(c)`: 2-D convolution (cross-correlation) of an image, grouped and dilated as in PyTorch's `Conv2d`.

use std::any::Any;
use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::input::{self, PADDING, SIZE, STEP, Window};
use super::kernel::{self, conv, conv_pool};
use super::max_pool::MaxPool;
use super::{Arity, Dim, Held, Init, Op, OpDef, OpError, Pass, TensorType, Way, WeightDef, path, pooling, relu};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "conv",
        doc: "2-D convolution: `[k, h, w]` to `[channels, h', w']` with \
              `h' = (h + 2 padding - dilation (kernel - 1) - 1) / stride + 1`, rounded down. \
              A convolution before `batch_norm` needs no bias: write `bias = false`.",
        args: &[
            AttrDef { name: "channels", ty: SIZE, need: Need::Required, doc: "Output channels." },
            AttrDef { name: "kernel", ty: STEP, need: Need::Default("3"), doc: "Height and width of the window." },
            AttrDef { name: "stride", ty: STEP, need: Need::Default("1"), doc: "Step between windows." },
            AttrDef {
                name: "padding",
                ty: PADDING,
                need: Need::Optional,
                doc: "Zeros on every side. Default: `(kernel - 1) * dilation / 2`, rounded down, which keeps the size at \
                      stride 1 for odd kernels.",
            },
            AttrDef { name: "dilation", ty: STEP, need: Need::Default("1"), doc: "Step between taps of the window." },
            AttrDef {
                name: "groups",
                ty: SIZE,
                need: Need::Default("1"),
                doc: "Groups of channels that do not see each other; as many as input channels makes it depthwise.",
            },
            AttrDef { name: "bias", ty: Ty::Bool, need: Need::Default("true"), doc: "Whether a bias is added." },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let (kernel, dilation) = (args.size("kernel"), args.size("dilation"));
        let window = Window {
            kernel,
            stride: args.size("stride"),
            padding: args.opt_size("padding").unwrap_or((kernel - 1) * dilation / 2),
            dilation,
        };
        let conv = Conv::new(&inputs[0], args.size("channels"), window, args.size("groups"), args.bool("bias"))?;
        Ok(vec![Box::new(conv)])
    },
};

#[derive(Debug, Clone)]
pub(super) struct Conv {
    from: Dim,
    to: usize,
    out: [Dim; 2],
    window: Window,
    groups: usize,
    bias: bool,
    relu: bool,
    /// A max pool after the ReLU, and its output.
    pool: Option<(Window, TensorType)>,
}

impl Conv {
    pub(super) fn new(
        input: &TensorType,
        to: usize,
        window: Window,
        groups: usize,
        bias: bool,
    ) -> std::result::Result<Conv, OpError> {
        let [from, h, w] = input::image(input)?;
        let divides = |n: usize| n.is_multiple_of(groups);
        if groups > 1 && !(from.known().is_none_or(divides) && divides(to)) {
            return Err(OpError::new(format!(
                "splits {from} channels into {to} by {groups} groups, and that leaves a rest"
            ))
            .help("`groups` must divide both the channels that come in and those that go out"));
        }
        Ok(Conv {
            from,
            to,
            out: [window.over(h, "height")?, window.over(w, "width")?],
            window,
            groups,
            bias,
            relu: false,
            pool: None,
        })
    }

    /// Inputs of one output value.
    fn fan_in(&self) -> Option<usize> {
        Some(self.from.known()? / self.groups * self.window.kernel * self.window.kernel)
    }
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        match (&self.pool, self.relu) {
            (Some(_), _) => "conv_relu_max_pool",
            (None, true) => "conv_relu",
            (None, false) => "conv",
        }
    }

    fn output(&self) -> TensorType {
        if let Some((_, output)) = &self.pool {
            return output.clone();
        }
        TensorType::Dense(vec![self.to.into(), self.out[0], self.out[1]])
    }

    fn weights(&self) -> Vec<WeightDef> {
        let per_group = self.from.known().map_or(Dim::Open, |n| Dim::Known(n / self.groups));
        let k = Dim::Known(self.window.kernel);
        let mut weights = vec![WeightDef::trained("weight", [self.to.into(), per_group, k, k], Init::FanIn)];
        if self.bias {
            let init = self.fan_in().map_or(Init::Const(0.0), |n| Init::Uniform { bound: 1.0 / (n as f64).sqrt() });
            weights.push(WeightDef::trained("bias", [self.to.into()], init));
        }
        weights
    }

    fn macs(&self) -> Option<u64> {
        input::count([self.fan_in()?.into(), self.to.into(), self.out[0], self.out[1]])
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let (x, weight) = (&inputs[0], &weights[0]);
        if path::own_kernel(x) {
            let conv = conv::Conv { window: self.window, groups: self.groups, relu: self.relu };
            if let Some((window, _)) = &self.pool {
                let kernel = conv_pool::ConvPool::new(conv, *window);
                return match weights.get(1) {
                    Some(bias) => kernel::apply3(kernel, x, weight, bias),
                    None => kernel::apply2(kernel, x, weight),
                };
            }
            return match weights.get(1) {
                Some(bias) => kernel::apply3(conv, x, weight, bias),
                None => kernel::apply2(conv, x, weight),
            };
        }
        #[cfg(feature = "cudnn")]
        if path::on_cuda(x) {
            let kernel = super::cuda::conv::Conv { window: self.window, groups: self.groups, relu: self.relu };
            let y = match weights.get(1) {
                Some(bias) => super::cuda::apply3(kernel, x, weight, bias)?,
                None => super::cuda::apply2(kernel, x, weight)?,
            };
            return match &self.pool {
                Some((window, _)) => super::cuda::apply1(super::cuda::pool::Max::new(*window), &y),
                None => Ok(y),
            };
        }
        let Window { stride, padding, dilation, .. } = self.window;
        let y = self.even(x)?.conv2d(weight, padding, stride, dilation, self.groups)?;
        let y = match weights.get(1) {
            Some(bias) => y.broadcast_add(&bias.reshape((1, self.to, 1, 1))?)?,
            None => y,
        };
        let y = if self.relu { relu::composed(&y)? } else { y };
        match &self.pool {
            Some((window, _)) => pooling::max(window, &y),
            None => Ok(y),
        }
    }

    fn fuse(&self, next: &dyn Op) -> Option<Arc<dyn Op>> {
        if !self.relu {
            return relu::is_relu(next).then(|| Arc::new(Conv { relu: true, ..self.clone() }) as Arc<dyn Op>);
        }
        let window = (next as &dyn Any).downcast_ref::<MaxPool>()?.window;
        let pool = Some((window, next.output()));
        self.pool.is_none().then(|| Arc::new(Conv { pool, ..self.clone() }) as Arc<dyn Op>)
    }

    fn held(&self) -> Held {
        match (&self.pool, self.relu) {
            // The place of each maximum.
            (Some((_, output)), _) => {
                // The image before the pool, and its gradient.
                let image = TensorType::Dense(vec![self.to.into(), self.out[0], self.out[1]]);
                let room = 4 * image.elements().unwrap_or(0) as u64;
                Held { room, ..Held::BOTH.and(output.elements().map(|n| 4 * n)) }
            }
            (None, true) => Held::BOTH,
            (None, false) => Held::INPUT,
        }
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        // With a pool it is two kernels on a GPU.
        match cfg!(feature = "cudnn") && self.pool.is_none() {
            true => Way::by_any_kernel(inputs),
            false => Way::by_kernel(inputs),
        }
    }
}

impl Conv {
    /// candle's gradient takes the rows and columns beyond the last window to be equally many. Zeros on the right and below
    /// make them so; no window reaches them.
    fn even(&self, x: &Tensor) -> Result<Tensor> {
        let rest = |size: usize| (size + 2 * self.window.padding - self.window.span()) % self.window.stride;
        let (h, w) = (rest(x.dim(2)?), rest(x.dim(3)?));
        let most = h.max(w);
        x.pad_with_zeros(2, 0, most - h)?.pad_with_zeros(3, 0, most - w)
    }
}
