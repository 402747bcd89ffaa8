//! Linear maps that read one value, as one: of meaning with `kernel::siblings` of the CPU. Weights are gathered into one matrix, and
//! what comes out of the product goes to each by itself, in one launch: a few launches for any number of siblings.

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, PushKernelArg};
use candle_core::{Result, Tensor, bail};

use super::linear::{Factor, product};
use super::{Gpu, address, blocks, pinned, size, tensor, with};
use crate::ops::grad::Grad;
use crate::ops::joint::{Found, Joined, Joint};

/// A matrix `[rows, width]` beside others: addresses of its numbers and of what stands beside them, or 0, its first column and width;
/// `kernels.cu` counts on it.
type Part = [u64; 4];

struct Siblings {
    x: Tensor,
    weights: Vec<Vec<Tensor>>,
    /// The outputs, if a ReLU is at their end.
    sides: Option<Vec<Tensor>>,
}

/// Lays matrices of these widths side by side: addresses of each, and of what stands beside it.
fn parts(list: impl Iterator<Item = Result<(u64, u64, usize)>>) -> Result<(Vec<Part>, usize)> {
    let (mut parts, mut all) = (Vec::new(), 0);
    for part in list {
        let (data, beside, width) = part?;
        parts.push([data, beside, all as u64, width as u64]);
        all += width;
    }
    Ok((parts, all))
}

/// Matrices side by side as one, `[rows, width of all]`.
fn gather(gpu: &Gpu, (parts, width): (Vec<Part>, usize), rows: usize) -> Result<CudaSlice<f32>> {
    let mut all = gpu.buffer(rows * width)?;
    let table = pinned::send(gpu, &parts.concat())?;
    let (count, n, columns) = (size(parts.len())?, size(rows)?, size(width)?);
    size(rows * width)?;
    let f = gpu.function("gather")?;
    let mut launch = f.builder();
    launch.arg(&mut all).arg(&table).arg(&count).arg(&n).arg(&columns);
    // SAFETY: the parts are alive here, of `rows` rows each, and as wide together as `all` is.
    unsafe { launch.launch(blocks(rows * width)) }.w()?;
    Ok(all)
}

/// And back: every part of `all` in a tensor of its shape, with a bias of its own added if it has one, then ReLU if asked.
fn scatter(
    gpu: &Gpu,
    all: &CudaSlice<f32>,
    rows: usize,
    relu: bool,
    shapes: &[(Vec<usize>, Option<&Tensor>)],
) -> Result<Vec<Tensor>> {
    let make = |(shape, _): &(Vec<usize>, Option<&Tensor>)| {
        let values = gpu.buffer(shape.iter().product())?;
        Ok(tensor(gpu, values, shape.as_slice()))
    };
    let tensors: Vec<Tensor> = shapes.iter().map(make).collect::<Result<_>>()?;
    let part = |(t, (_, bias)): (&Tensor, &(_, Option<&Tensor>))| {
        Ok((address(t)?, bias.map(address).transpose()?.unwrap_or(0), t.elem_count() / rows.max(1)))
    };
    let (parts, width) = parts(tensors.iter().zip(shapes).map(part))?;
    let table = pinned::send(gpu, &parts.concat())?;
    let (count, n, columns, relu) = (size(parts.len())?, size(rows)?, size(width)?, i32::from(relu));
    let f = gpu.function("scatter")?;
    let mut launch = f.builder();
    launch.arg(all).arg(&table).arg(&count).arg(&n).arg(&columns).arg(&relu);
    // SAFETY: the parts are new, of `rows` rows each, and as wide together as `all` is.
    unsafe { launch.launch(blocks(rows * width)) }.w()?;
    Ok(tensors)
}

/// `x W_i^T + b_i` of every sibling, then ReLU if asked; x `[..., k]`.
pub fn forward(x: &Tensor, weights: &[Vec<Tensor>], relu: bool) -> Result<Option<Joined>> {
    let (gpu, x) = (Gpu::of(x)?, x.contiguous()?.detach());
    let s = Siblings { x, weights: weights.to_vec(), sides: None };
    let (rows, k) = s.sizes();
    let (all, to) = s.together(&gpu, 0..weights.len())?;
    let y = with(&[Some(&s.x)], |views| {
        let x = views[0].as_ref().expect("given");
        let (weight, x) = (all.slice(..), Factor { data: x.data()?, inner: k, turned: false });
        product(&gpu, [to, rows, k], Factor { data: &weight, inner: k, turned: true }, x)
    })?;
    let shape = |w: &Vec<Tensor>| {
        let mut dims = s.x.dims().to_vec();
        *dims.last_mut().expect("a linear map reads a dimension") = w[0].dims()[0];
        dims
    };
    let shapes: Vec<(Vec<usize>, Option<&Tensor>)> = weights.iter().map(|w| (shape(w), w.get(1))).collect();
    let outputs = scatter(&gpu, &y, rows, relu, &shapes)?;
    let sides = relu.then(|| outputs.clone());
    Ok(Some(Joined { outputs, back: Box::new(Siblings { sides, ..s }) }))
}

impl Siblings {
    /// Rows of what they read, and its width.
    fn sizes(&self) -> (usize, usize) {
        let dims = self.x.dims();
        (dims[..dims.len() - 1].iter().product(), dims[dims.len() - 1])
    }

    /// The weights of some of them as one, `[outputs of all, k]`, and how many outputs that are.
    fn together(&self, gpu: &Gpu, which: impl Iterator<Item = usize>) -> Result<(CudaSlice<f32>, usize)> {
        let (_, k) = self.sizes();
        let of = |i: usize| Ok((address(&self.weights[i][0])?, 0, self.weights[i][0].elem_count()));
        let (parts, numbers) = parts(which.map(of))?;
        Ok((gather(gpu, (parts, numbers), 1)?, numbers / k))
    }
}

impl Joint for Siblings {
    fn backward(&self, grads: Vec<(usize, Grad)>, wanted: [bool; 2], _: bool) -> Result<Found> {
        let (gpu, (rows, k)) = (Gpu::of(&self.x)?, self.sizes());
        let mut held = Vec::with_capacity(grads.len());
        for (i, grad) in grads {
            let Grad::Held(grad) = grad else { bail!("siblings were given a gradient in main memory") };
            held.push((i, grad.contiguous()?));
        }
        let part = |(i, grad): &(usize, Tensor)| {
            let side = self.sides.as_ref().map(|s| address(&s[*i])).transpose()?.unwrap_or(0);
            Ok((address(grad)?, side, self.weights[*i][0].dims()[0]))
        };
        let (parts, to) = parts(held.iter().map(part))?;
        let dy = gather(&gpu, (parts, to), rows)?;
        let dy = dy.slice(..);
        let by_unit = |turned| Factor { data: &dy, inner: to, turned };
        let x = match wanted[0] {
            false => None,
            true => {
                let (weight, _) = self.together(&gpu, held.iter().map(|(i, _)| *i))?;
                let weight = weight.slice(..);
                let weight = Factor { data: &weight, inner: k, turned: false };
                Some(Grad::Held(tensor(&gpu, product(&gpu, [k, rows, to], weight, by_unit(false))?, self.x.shape())))
            }
        };
        let mut weights: Vec<(usize, Vec<Option<Grad>>)> =
            held.iter().map(|(i, _)| (*i, vec![None; self.weights[*i].len()])).collect();
        if wanted[1] {
            let all = with(&[Some(&self.x)], |views| {
                let x = Factor { data: views[0].as_ref().expect("given").data()?, inner: k, turned: false };
                product(&gpu, [k, to, rows], x, by_unit(true))
            })?;
            let bias = weights[0].1.len() > 1;
            let sums = bias.then(|| gpu.channel_sums(&dy, [rows, to, 1])).transpose()?;
            for (place, all) in [Some(all), sums].into_iter().enumerate() {
                let Some(all) = all else { continue };
                let shape = |(i, _): &(usize, _)| (self.weights[*i][place].dims().to_vec(), None);
                let shapes: Vec<(Vec<usize>, Option<&Tensor>)> = weights.iter().map(shape).collect();
                for ((_, found), grad) in weights.iter_mut().zip(scatter(&gpu, &all, 1, false, &shapes)?) {
                    found[place] = Some(Grad::Held(grad));
                }
            }
        }
        Ok(Found { x, weights })
    }
}
