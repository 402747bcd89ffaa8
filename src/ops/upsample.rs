//! `upsample(factor)`: an image enlarged by a whole factor.

use candle_core::{Result, Tensor};

use super::input::{self, STEP};
use super::kernel::{self, resample};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, path};
use crate::schema::{AttrDef, CallDef, Need, Ty};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "upsample",
        doc: "Enlarges an image by a whole factor: `[c, h, w]` to `[c, factor * h, factor * w]`.",
        args: &[
            AttrDef { name: "factor", ty: STEP, need: Need::Required, doc: "How many times as high and wide." },
            AttrDef {
                name: "mode",
                ty: Ty::OneOf(&["nearest", "bilinear"]),
                need: Need::Default("nearest"),
                doc: "`nearest` repeats pixels; `bilinear` interpolates, as PyTorch does with `align_corners = False`.",
            },
        ],
    },
    arity: Arity::One,
    make: |args, inputs| {
        let factor = args.size("factor");
        let [c, h, w] = input::image(&inputs[0])?;
        let output = vec![c, input::product([h, factor.into()])?, input::product([w, factor.into()])?];
        let bilinear = args.str("mode") == "bilinear";
        Ok(vec![Box::new(Upsample { output: TensorType::Dense(output), factor, bilinear })])
    },
};

#[derive(Debug)]
struct Upsample {
    output: TensorType,
    factor: usize,
    bilinear: bool,
}

impl Op for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn output(&self) -> TensorType {
        self.output.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], _: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        if path::own_kernel(x) {
            return kernel::apply1(resample::Upsample { factor: self.factor, bilinear: self.bilinear }, x);
        }
        let (n, c, h, w) = x.dims4()?;
        if self.bilinear {
            return self.interpolate(&self.interpolate(x, 2)?, 3);
        }
        let f = self.factor;
        x.reshape((n, c, h, 1, w, 1))?.broadcast_as((n, c, h, f, w, f))?.reshape((n, c, h * f, w * f))
    }

    fn held(&self) -> Held {
        Held::BOTH
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}

impl Upsample {
    /// Along one dimension: two selections, weighted.
    fn interpolate(&self, x: &Tensor, dim: usize) -> Result<Tensor> {
        let taps = resample::taps(x.dim(dim)?, self.factor, true);
        let mut along = vec![1; x.rank()];
        along[dim] = taps.len();
        let positions = |of: fn(&resample::Tap) -> usize| {
            let at: Vec<u32> = taps.iter().map(|t| of(t) as u32).collect();
            Tensor::from_vec(at, taps.len(), x.device())
        };
        let (low, high) = (x.index_select(&positions(|t| t.low)?, dim)?, x.index_select(&positions(|t| t.high)?, dim)?);
        let t: Vec<f64> = taps.iter().map(|t| t.t).collect();
        let t = Tensor::from_vec(t, along, x.device())?.to_dtype(x.dtype())?;
        low.broadcast_mul(&t.affine(-1.0, 1.0)?)? + high.broadcast_mul(&t)?
    }
}
