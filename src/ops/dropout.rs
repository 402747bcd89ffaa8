//! `dropout(p)`: inverted dropout (Srivastava et al. 2014), its mask a function of seed, step and site alone.

use candle_core::{Result, Shape, Tensor};
use rand::Rng;
use rayon::prelude::*;

use super::kernel::{self, Kernel, Real, View};
use super::{Arity, Held, Op, OpDef, Pass, TensorType, Way, input, path, send};
use crate::random::Randomness;
use crate::schema::{AttrDef, CallDef, FRACTION, Need};

pub static DEF: OpDef = OpDef {
    call: CallDef {
        name: "dropout",
        doc: "In training, sets each number to 0 with probability `p` and multiplies the others by 1 / (1 - p).",
        args: &[AttrDef { name: "p", ty: FRACTION, need: Need::Default("0.5"), doc: "Probability of a zero." }],
    },
    arity: Arity::One,
    make: |args, inputs| {
        input::dense(&inputs[0])?;
        Ok(vec![Box::new(Dropout { ty: inputs[0].clone(), p: args.float("p") })])
    },
};

#[derive(Debug)]
struct Dropout {
    ty: TensorType,
    p: f64,
}

/// Numbers drawn by one task: the stream is seekable, so parts of a mask are drawn in parallel.
const PART: usize = 1 << 16;

impl Dropout {
    /// What is kept, of `len` numbers.
    fn mask(&self, random: Randomness, step: u64, site: u64, len: usize) -> Vec<bool> {
        let stream = random.stream("dropout", [step, site, 0]);
        // Dropped below this many of 2^32 values: exact at 0 and 1.
        let limit = (self.p * (1u64 << 32) as f64) as u64;
        let mut keep = vec![false; len];
        keep.par_chunks_mut(PART).enumerate().for_each(|(part, keep)| {
            let mut stream = stream.clone();
            stream.set_word_pos((part * PART) as u128);
            keep.iter_mut().for_each(|k| *k = u64::from(stream.next_u32()) >= limit);
        });
        keep
    }

    fn factor(&self) -> f64 {
        if self.p < 1.0 { 1.0 / (1.0 - self.p) } else { 0.0 }
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn output(&self) -> TensorType {
        self.ty.clone()
    }

    fn forward(&self, inputs: &[Tensor], _: &[Tensor], pass: &mut Pass) -> Result<Tensor> {
        let x = &inputs[0];
        if !pass.train || self.p == 0.0 {
            return Ok(x.clone());
        }
        let keep = self.mask(pass.random, pass.step, pass.site, x.elem_count());
        if path::own_kernel(x) {
            return kernel::apply1(Mask { keep, factor: self.factor() }, x);
        }
        let keep: Vec<u8> = keep.into_iter().map(u8::from).collect();
        let mask = (send::tensor(keep, x.shape(), x.device())?.to_dtype(x.dtype())? * self.factor())?;
        x * mask
    }

    fn held(&self) -> Held {
        if self.p == 0.0 {
            return Held::VIEW;
        }
        // A byte a number.
        Held::NOTHING.and(self.ty.elements())
    }

    fn way(&self, inputs: &[Tensor]) -> Way {
        Way::by_kernel(inputs)
    }
}

struct Mask {
    keep: Vec<bool>,
    factor: f64,
}

impl Mask {
    fn apply<T: Real>(&self, x: &[T]) -> Vec<T> {
        let factor = T::of(self.factor);
        let mut y = kernel::buffer(x.len());
        let blocks = x.par_chunks(kernel::BLOCK).zip(self.keep.par_chunks(kernel::BLOCK));
        y.par_chunks_mut(kernel::BLOCK).zip(blocks).for_each(|(y, (x, keep))| {
            for ((y, x), keep) in y.iter_mut().zip(x).zip(keep) {
                *y = if *keep { *x * factor } else { T::zero() };
            }
        });
        y
    }
}

impl Kernel<1> for Mask {
    const NAME: &'static str = "dropout";

    fn reads(&self) -> ([bool; 1], bool) {
        ([false], false)
    }

    fn forward<T: Real>(&self, [x]: [View<T>; 1]) -> Result<(Vec<T>, Shape)> {
        Ok((self.apply(x.data), x.dims.into()))
    }

    fn backward<T: Real>(&self, _: [View<T>; 1], _: View<T>, dy: &[T], _: [bool; 1]) -> Result<[Option<Vec<T>>; 1]> {
        Ok([Some(self.apply(dy))])
    }
}
