//! `batch_norm`: batch normalisation (Ioffe and Szegedy 2015), as PyTorch computes it.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use candle_core::{DType, Result, Tensor};

use super::input::Window;
use super::kernel::{self, batch, batch_pool};
use super::max_pool::MaxPool;
use super::{Arity, Dim, Held, Init, Op, OpDef, OpError, Pass, TensorType, Way, WeightDef, input, path, pooling, relu};
use crate::schema::{AttrDef, CallDef, EPSILON, FRACTION, Need};

const MOMENTUM: f64 = 0.1;
const EPS: f64 = 1e-5;

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "batch_norm",
        doc: "Normalises each channel of `[c]` or `[c, h, w]` over the batch, then scales and shifts it. Evaluation uses \
              running statistics. A training batch with one value per channel (one row of `[c]`) has no variance: it is normalised by the \
              running statistics and does not change them.",
        args: &[
            AttrDef {
                name: "momentum",
                ty: FRACTION,
                need: Need::Default("0.1"),
                doc: "Share of a new batch in the running statistics.",
            },
            AttrDef { name: "eps", ty: EPSILON, need: Need::Default("1e-5"), doc: "Added to the variance." },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let mut norm = BatchNorm::new(&inputs[0])?;
        (norm.momentum, norm.eps) = (args.float("momentum"), args.float("eps"));
        Ok(vec![Box::new(norm)])
    },
};

#[derive(Debug, Clone)]
pub(super) struct BatchNorm {
    /// Of the output.
    ty: TensorType,
    channels: Dim,
    momentum: f64,
    eps: f64,
    /// What follows, where it is one with it.
    relu: bool,
    pool: Option<Window>,
}

impl BatchNorm {
    pub(super) fn new(input: &TensorType) -> std::result::Result<BatchNorm, OpError> {
        match input::dense(input)? {
            [c] | [c, _, _] => {
                Ok(BatchNorm { ty: input.clone(), channels: *c, momentum: MOMENTUM, eps: EPS, relu: false, pool: None })
            }
            _ => Err(OpError::new(format!("takes `[c]` or an image `[c, h, w]`, and this is {input}"))
                .help("put `flatten` or `concat_fields` before it, or use `layer_norm`")),
        }
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        match (self.relu, self.pool.is_some()) {
            (false, false) => "batch_norm",
            (true, false) => "batch_norm_relu",
            (false, true) => "batch_norm_max_pool",
            (true, true) => "batch_norm_relu_max_pool",
        }
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn weights(&self) -> Vec<WeightDef> {
        vec![
            WeightDef::trained("weight", [self.channels], Init::Const(1.0)),
            WeightDef::trained("bias", [self.channels], Init::Const(0.0)),
            WeightDef::buffer("running_mean", [self.channels], 0.0),
            WeightDef::buffer("running_var", [self.channels], 1.0),
        ]
    }

    fn forward(&self, inputs: &[Tensor], weights: &[Tensor], pass: &mut Pass) -> Result<Tensor> {
        let (x, [weight, bias, mean, var]) = (&inputs[0], weights) else {
            candle_core::bail!("batch_norm has four weights");
        };
        let count = x.elem_count() / x.dim(1)?.max(1);
        // A single value has no variance: with batch statistics, every output would equal the bias.
        let train = pass.train && count > 1;
        #[cfg(feature = "cuda")]
        if path::on_cuda(x) {
            return self.on_cuda(x, weights, train, pass);
        }
        let (y, batch) = if path::own_kernel(x) {
            self.own(x, weights, train)?
        } else if train {
            let (y, mean, var) = self.composed(x, weight, bias)?;
            (y, Some([mean, var]))
        } else {
            (self.affine(x, weight, bias, mean, var)?, None)
        };
        let y = match (path::own_kernel(x), self.relu) {
            (false, true) => relu::composed(&y)?,
            _ => y,
        };
        let y = match (path::own_kernel(x), &self.pool) {
            (false, Some(window)) => pooling::max(window, &y)?,
            _ => y,
        };
        if let Some([batch_mean, batch_var]) = batch {
            // PyTorch's running variance is unbiased.
            let unbiased = (batch_var * (count as f64 / (count - 1) as f64))?;
            for (index, old, new) in [(2, mean, batch_mean), (3, var, unbiased)] {
                let next = ((old.detach() * (1.0 - self.momentum))? + (new.to_dtype(old.dtype())? * self.momentum)?)?;
                pass.buffers.push((index, next));
            }
        }
        Ok(y)
    }

    fn fuse(&self, next: &dyn Op) -> Option<Arc<dyn Op>> {
        if self.pool.is_some() {
            return None;
        }
        if relu::is_relu(next) {
            return (!self.relu).then(|| Arc::new(BatchNorm { relu: true, ..self.clone() }) as Arc<dyn Op>);
        }
        let window = (next as &dyn Any).downcast_ref::<MaxPool>()?.window;
        let plain = window.kernel == window.stride && window.padding == 0 && window.dilation == 1;
        // A place within the window is one byte.
        (plain && window.kernel < 16)
            .then(|| Arc::new(BatchNorm { pool: Some(window), ty: next.output(), ..self.clone() }) as Arc<dyn Op>)
    }

    fn held(&self) -> Held {
        Held::INPUT
    }

    fn least_rows(&self) -> usize {
        // Use the sizes of the input, since a fused pool may have reduced the number of pixels.
        let pixels = |sizes: Vec<usize>| sizes.iter().skip(1).product::<usize>();
        let one = self.pool.is_none() && self.ty.sizes().map(pixels) == Some(1);
        if one { 2 } else { 1 }
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_any_kernel(inputs)
    }
}

impl BatchNorm {
    fn own(&self, x: &Tensor, weights: &[Tensor], train: bool) -> Result<(Tensor, Option<[Tensor; 2]>)> {
        let values = |t: &Tensor| t.to_dtype(DType::F64)?.to_vec1::<f64>();
        let given = match train {
            true => None,
            false => Some(batch::Stats { mean: values(&weights[2])?, var: values(&weights[3])? }),
        };
        let used = Arc::new(OnceLock::new());
        let norm = batch::BatchNorm { eps: self.eps, given, relu: self.relu, used: used.clone() };
        let y = match self.pool {
            None => kernel::apply3(norm, x, &weights[0], &weights[1])?,
            Some(window) => {
                kernel::apply3(batch_pool::BatchPool { norm, k: window.kernel }, x, &weights[0], &weights[1])?
            }
        };
        if !train {
            return Ok((y, None));
        }
        let batch::Stats { mean, var } = used.get().expect("forward ran").clone();
        let c = mean.len();
        Ok((y, Some([Tensor::from_vec(mean, c, x.device())?, Tensor::from_vec(var, c, x.device())?])))
    }

    #[cfg(feature = "cuda")]
    fn on_cuda(&self, x: &Tensor, weights: &[Tensor], train: bool, pass: &mut Pass) -> Result<Tensor> {
        let used = Arc::new(OnceLock::new());
        let norm = super::cuda::norm::BatchNorm {
            eps: self.eps,
            momentum: self.momentum,
            running: [weights[2].detach(), weights[3].detach()],
            given: !train,
            relu: self.relu,
            pool: self.pool.map(super::cuda::pool::Max::new),
            used: used.clone(),
        };
        let y = super::cuda::apply3(norm, x, &weights[0], &weights[1])?;
        if let Some([mean, var]) = used.get().and_then(|u| u.next.clone()) {
            pass.buffers.extend([(2, mean), (3, var)]);
        }
        Ok(y)
    }

    /// With the statistics of the batch, which are returned as `[c]`, without gradient.
    fn composed(&self, x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        let axes = x.rank();
        let mean_over = |t: &Tensor| match axes {
            4 => t.mean_keepdim(3)?.mean_keepdim(2)?.mean_keepdim(0),
            _ => t.mean_keepdim(0),
        };
        let mean = mean_over(x)?;
        let centred = x.broadcast_sub(&mean)?;
        let var = mean_over(&centred.sqr()?)?;
        let slope = (&var + self.eps)?.sqrt()?.recip()?.broadcast_mul(&along(weight, x)?)?;
        let y = centred.broadcast_mul(&slope)?.broadcast_add(&along(bias, x)?)?;
        Ok((y, mean.detach().flatten_all()?, var.detach().flatten_all()?))
    }

    fn affine(&self, x: &Tensor, weight: &Tensor, bias: &Tensor, mean: &Tensor, var: &Tensor) -> Result<Tensor> {
        let slope = (weight * (var + self.eps)?.sqrt()?.recip()?)?;
        x.broadcast_sub(&along(mean, x)?)?.broadcast_mul(&along(&slope, x)?)?.broadcast_add(&along(bias, x)?)
    }
}

/// `[c]` as `[1, c, 1, 1]` for an image, `[1, c]` for a vector.
fn along(v: &Tensor, x: &Tensor) -> Result<Tensor> {
    let mut shape = vec![1; x.rank()];
    shape[1] = v.elem_count();
    v.reshape(shape)
}
