//! The straight-through choice of a parent, as Learning to Branch has it (Guo et al. 2020). No op of the language: a search
//! strategy puts it where a copy reads one of several.

use candle_core::{CpuStorage, DType, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use super::grad::Grad;
use super::kernel::record::Host;
use super::kernel::{self, Kernel, Real, View};
use super::path;

/// `selected`, which is `candidates[index]`, with the gradient of `sum_i d_i candidates[i]` where
/// `d = one_hot(index) + probs - stopgrad(probs)`: the candidate that was selected gets the incoming gradient g, the others
/// none, and `probs[i]` (shape `[candidates]`) gets the sum of `g * candidates[i]`, so every candidate must have been computed.
pub fn straight_through(selected: &Tensor, candidates: &[Tensor], probs: &Tensor, index: usize) -> Result<Tensor> {
    if index >= candidates.len() || probs.elem_count() != candidates.len() {
        bail!("choice {index} of {} candidates, with {} probabilities", candidates.len(), probs.elem_count());
    }
    let candidates: Vec<Tensor> = candidates.iter().map(|c| c.detach().contiguous()).collect::<Result<_>>()?;
    if path::own_kernel(selected) {
        return kernel::apply2(Choose { candidates }, selected, probs);
    }
    // The value stays exactly `selected`: what is added is its probability minus itself, zero but for the gradient.
    let soft = (probs - probs.detach())?.flatten_all()?;
    let mut shape = vec![1; selected.rank() + 1];
    shape[0] = candidates.len();
    let mixed = Tensor::stack(&candidates, 0)?.broadcast_mul(&soft.reshape(shape)?)?.sum(0)?;
    selected + mixed
}

/// Numbers known here, or still on their way from a device: a tensor of f64, one each.
pub enum Numbers {
    Known(Vec<f64>),
    Held(Tensor),
}

/// d loss / d probability of each candidate: the sum of the incoming gradient times it (equation 6 of Learning to Branch). Of a
/// gradient in main memory it is known; elsewhere nothing waits for it.
pub fn probability_gradient(grad: &Grad, candidates: &[Tensor]) -> Result<Numbers> {
    if let Grad::Held(g) = grad {
        let dots = candidates.iter().map(|c| (g * c)?.sum_all()?.to_dtype(DType::F64));
        return Ok(Numbers::Held(Tensor::stack(&dots.collect::<Result<Vec<_>>>()?, 0)?));
    }
    let dot = |c: &Tensor| match grad {
        Grad::Host(Host { values: CpuStorage::F32(g), .. }) => {
            kernel::with::<f32, _>(&c.contiguous()?, |c| product(g, c))
        }
        Grad::Host(Host { values: CpuStorage::F64(g), .. }) => {
            kernel::with::<f64, _>(&c.contiguous()?, |c| product(g, c))
        }
        _ => bail!("gradients are f32 or f64"),
    };
    Ok(Numbers::Known(candidates.iter().map(dot).collect::<Result<_>>()?))
}

/// Partial sums by block, added in order.
fn product<T: Real>(g: &[T], c: &[T]) -> f64 {
    let blocks = c.par_chunks(kernel::BLOCK).zip(g.par_chunks(kernel::BLOCK));
    let sums: Vec<f64> = blocks.map(|(c, g)| kernel::real::sum_products(g, c, T::zero())).collect();
    sums.into_iter().sum()
}

struct Choose {
    candidates: Vec<Tensor>,
}

impl Kernel<2> for Choose {
    const NAME: &'static str = "straight_through";

    fn forward<T: Real>(&self, [selected, _]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        Ok((selected.data.to_vec(), selected.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        _: [View<T>; 2],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let dot = |candidate: &Tensor| kernel::with::<T, _>(candidate, |c| T::of(product(dy, c)));
        let dprobs = wanted[1].then(|| self.candidates.iter().map(dot).collect::<Result<Vec<T>>>()).transpose()?;
        Ok([wanted[0].then(|| dy.to_vec()), dprobs])
    }
}
