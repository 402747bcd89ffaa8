//! Linear maps that read one value, as one: what they read is packed once for all of them, forward and back, and its gradient is one
//! product over the outputs of all, in place of a sum of products.

use std::sync::{Mutex, PoisonError};

use candle_core::{CpuStorage, Device, Result, Tensor, bail};
use rayon::prelude::*;

use super::linear::{Left, Right, Sizes, output, products};
use super::record::Host;
use super::rows::sum_rows;
use super::{Real, View, buffer, chunks, relu, with};
use crate::ops::grad::Grad;
use crate::ops::joint::{Found, Joined, Joint};

/// Outputs of a map from which on it is quicker by itself, and holds less: its gradients are taken by the optimiser before those of the
/// next are there.
const WIDE: usize = 64;

/// The maps, as far as their gradients need them.
struct Siblings {
    x: Tensor,
    /// A weight `[to, k]`, and a bias `[to]` or none, of each.
    weights: Vec<Vec<Tensor>>,
    /// The outputs, if a ReLU is at their end; gone as soon as they have masked a gradient for the last time.
    sides: Mutex<Vec<Option<Tensor>>>,
}

/// `x W_i^T + b_i` of every sibling, then ReLU if asked; x `[..., k]`. `None` where each by itself is cheaper: of
/// few rows, or to many outputs.
pub fn forward(x: &Tensor, weights: &[Vec<Tensor>], relu: bool) -> Result<Option<Joined>> {
    let x = x.contiguous()?.detach();
    let outputs = match x.dtype() {
        candle_core::DType::F32 => values::<f32>(&x, weights, relu)?,
        candle_core::DType::F64 => values::<f64>(&x, weights, relu)?,
        _ => bail!("linear knows f32 and f64 only"),
    };
    let Some(outputs) = outputs else { return Ok(None) };
    let sides = outputs.iter().map(|y| relu.then(|| y.clone())).collect();
    let back = Box::new(Siblings { x, weights: weights.to_vec(), sides: Mutex::new(sides) });
    Ok(Some(Joined { outputs, back }))
}

fn sizes(x: &Tensor, weights: &[Vec<Tensor>]) -> Result<Vec<Sizes>> {
    // Sizes alone are asked for.
    let of = |w: &Vec<Tensor>| {
        Sizes::new::<f32>(&View { data: &[], dims: x.dims() }, &View { data: &[], dims: w[0].dims() })
    };
    weights.iter().map(of).collect()
}

fn values<T: Real>(x: &Tensor, weights: &[Vec<Tensor>], relu: bool) -> Result<Option<Vec<Tensor>>> {
    let sizes = sizes(x, weights)?;
    if sizes.iter().any(|s| s.turned() || s.to >= WIDE) {
        return Ok(None);
    }
    let (rows, k) = (sizes[0].rows, sizes[0].k);
    let biases: Vec<Vec<T>> = weights
        .iter()
        .map(|w| w.get(1).map_or_else(|| Ok(Vec::new()), |b| with::<T, _>(b, <[T]>::to_vec)))
        .collect::<Result<_>>()?;
    let mut rights = Vec::with_capacity(sizes.len());
    for ((w, s), bias) in weights.iter().zip(&sizes).zip(&biases) {
        let bias = (!bias.is_empty()).then_some(bias.as_slice());
        rights.push(with::<T, _>(&w[0], |w| Right::columns(w, k, s.to))?.then(bias, relu));
    }
    let all = with::<T, _>(x, |x| products(&Left::rows(x, rows, k), &rights))?;
    let shape = |s: &Sizes| output(&View::<T> { data: &[], dims: x.dims() }, s.to);
    let tensors = all.into_iter().zip(&sizes).map(|(y, s)| Tensor::from_vec(y, shape(s), &Device::Cpu));
    Ok(Some(tensors.collect::<Result<_>>()?))
}

impl Siblings {
    fn typed<T: Real>(&self, grads: Vec<(usize, Vec<T>)>, wanted: [bool; 2], last: bool) -> Result<Found> {
        let sizes = sizes(&self.x, &self.weights)?;
        let (rows, k) = (sizes[0].rows, sizes[0].k);
        let mut masked = Vec::with_capacity(grads.len());
        for (i, mut grad) in grads {
            let mut sides = self.sides.lock().unwrap_or_else(PoisonError::into_inner);
            let side = if last { sides[i].take() } else { sides[i].clone() };
            drop(sides);
            if let Some(y) = side {
                with::<T, _>(&y, |y| relu::mask(y, &mut grad))?;
            }
            masked.push((i, grad));
        }
        let host = |values: Vec<T>, like: &Tensor| {
            Grad::Host(Host { values: T::to_cpu_storage_owned(values), shape: like.shape().clone() })
        };
        // What they read, by the sum over the outputs of all of them.
        let x = if wanted[0] { Some(host(self.input(&masked, &sizes)?, &self.x)) } else { None };
        if !wanted[1] {
            let none = |(i, _): (usize, Vec<T>)| (i, vec![None; self.weights[i].len()]);
            return Ok(Found { x, weights: masked.into_iter().map(none).collect() });
        }
        // Each weight by itself; what they read is packed once.
        let right = with::<T, _>(&self.x, |x| Right::rows(&[x], rows, k))?;
        let right = std::slice::from_ref(&right);
        let one = |(i, dy): (usize, Vec<T>)| {
            let to = sizes[i].to;
            let of = |place: usize, values: Vec<T>| Some(host(values, &self.weights[i][place]));
            let mut found = vec![None; self.weights[i].len()];
            let dw = products(&Left::columns(&dy, to, rows), right).pop();
            found[0] = of(0, dw.expect("one for one"));
            if found.len() > 1 {
                found[1] = of(1, sum_rows(&dy, to));
            }
            (i, found)
        };
        Ok(Found { x, weights: masked.into_par_iter().with_max_len(1).map(one).collect() })
    }

    /// `sum_i dy_i W_i`, `[rows, k]`.
    fn input<T: Real>(&self, grads: &[(usize, Vec<T>)], sizes: &[Sizes]) -> Result<Vec<T>> {
        let (rows, k) = (sizes[0].rows, sizes[0].k);
        let mut weights: Vec<Vec<T>> = Vec::with_capacity(grads.len());
        for (i, _) in grads {
            weights.push(with::<T, _>(&self.weights[*i][0], <[T]>::to_vec)?);
        }
        let weights: Vec<&[T]> = weights.iter().map(Vec::as_slice).collect();
        let to: usize = grads.iter().map(|(i, _)| sizes[*i].to).sum();
        let mut beside: Vec<T> = buffer(rows * to);
        chunks(&mut beside, 64 * to, rows * to / 4, |block, out| {
            for (row, out) in out.chunks_exact_mut(to).enumerate() {
                let mut rest = out;
                for (i, dy) in grads {
                    let (place, tail) = rest.split_at_mut(sizes[*i].to);
                    place.copy_from_slice(&dy[(block * 64 + row) * place.len()..][..place.len()]);
                    rest = tail;
                }
            }
        });
        let dx = products(&Left::rows(&beside, rows, to), &[Right::rows(&weights, to, k)]).pop();
        Ok(dx.expect("one for one"))
    }
}

impl Joint for Siblings {
    fn backward(&self, grads: Vec<(usize, Grad)>, wanted: [bool; 2], last: bool) -> Result<Found> {
        let mut single = Vec::new();
        let mut double = Vec::new();
        for (i, grad) in grads {
            match grad.host()?.values {
                CpuStorage::F32(g) => single.push((i, g)),
                CpuStorage::F64(g) => double.push((i, g)),
                _ => bail!("linear knows f32 and f64 only"),
            }
        }
        if double.is_empty() { self.typed(single, wanted, last) } else { self.typed(double, wanted, last) }
    }
}
