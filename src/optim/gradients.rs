//! Gradients in the order of the weights, and clipping by their global norm.

use std::sync::OnceLock;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var, WithDType};
use rayon::prelude::*;

use crate::ops::grad::Grad;
use crate::ops::rows::Rows;

/// The gradient of one weight.
#[derive(Debug, Clone)]
pub struct Gradient {
    dense: OnceLock<Tensor>,
    /// Of a large table.
    rows: Option<Rows>,
}

impl Gradient {
    pub fn dense(tensor: Tensor) -> Gradient {
        Gradient { dense: OnceLock::from(tensor), rows: None }
    }

    /// Zero in all other rows.
    pub fn of_rows(rows: Rows) -> Gradient {
        Gradient { dense: OnceLock::new(), rows: Some(rows) }
    }

    /// From the way back.
    pub fn of(grad: Grad, device: &Device) -> Result<Gradient> {
        match grad {
            Grad::Rows(rows) if device.is_cpu() => Ok(Gradient::of_rows(rows)),
            grad => grad.tensor(device).map(Gradient::dense),
        }
    }

    pub fn dims(&self) -> &[usize] {
        self.rows.as_ref().map_or_else(|| self.tensor().dims(), |r| r.shape().dims())
    }

    /// All of it; of rows it is made when it is first asked for.
    pub fn tensor(&self) -> &Tensor {
        self.dense.get_or_init(|| {
            let rows = self.rows.as_ref().expect("one of the two is there");
            rows.tensor(&Device::Cpu).expect("numbers in the shape of the table")
        })
    }

    pub fn rows(&self) -> Option<&Rows> {
        self.rows.as_ref()
    }
}

/// The gradients of one step, in the order of the weights. Clipping reads them once and rewrites nothing: the factor is
/// applied inside [`super::Optimizer::step`].
#[derive(Debug, Clone)]
pub struct Gradients {
    list: Vec<Option<Gradient>>,
    scale: f64,
    /// A further factor, one number on the gradients' device.
    #[cfg(feature = "cuda")]
    on_device: Option<Tensor>,
}

impl Gradients {
    /// One per weight, in their order.
    pub fn new(list: Vec<Option<Tensor>>) -> Gradients {
        Gradients::of(list.into_iter().map(|g| g.map(Gradient::dense)).collect())
    }

    /// The same, some of them of rows.
    pub fn of(list: Vec<Option<Gradient>>) -> Gradients {
        Gradients {
            list,
            scale: 1.0,
            #[cfg(feature = "cuda")]
            on_device: None,
        }
    }

    /// From a backward pass; a weight that the loss did not reach has none.
    pub fn from_store(weights: &[(&str, &Var)], store: &GradStore) -> Gradients {
        Gradients::from_fn(weights, |_, var| store.get(var).cloned())
    }

    /// From anything that knows them by name or by weight.
    pub fn from_fn(weights: &[(&str, &Var)], mut grad: impl FnMut(&str, &Var) -> Option<Tensor>) -> Gradients {
        Gradients::new(weights.iter().map(|(name, var)| grad(name, var)).collect())
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The i-th weight's gradient, before clipping.
    pub fn get(&self, i: usize) -> Option<&Tensor> {
        self.list[i].as_ref().map(Gradient::tensor)
    }

    /// The same, rows as they are.
    pub fn gradient(&self, i: usize) -> Option<&Gradient> {
        self.list[i].as_ref()
    }

    /// The factor that clipping asks for; 1 before.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Euclidean norm of all gradients together, before clipping; missing ones count as zero. On the CPU summed in f64 over
    /// chunks of a fixed size in a fixed order: the same for any number of threads.
    pub fn norm(&self) -> Result<f64> {
        let (mut host, mut device) = (0.0, Vec::new());
        for grad in self.list.iter().flatten() {
            if let Some(rows) = grad.rows() {
                host += match rows.dtype() {
                    DType::F64 => rows_square_sum::<f64>(rows)?,
                    _ => rows_square_sum::<f32>(rows)?,
                };
                continue;
            }
            let grad = grad.tensor();
            match (grad.device().is_cpu(), grad.dtype()) {
                (true, DType::F64) => host += square_sum(&grad.flatten_all()?.to_vec1::<f64>()?),
                (true, dtype) => {
                    let grad = if dtype == DType::F32 { grad.clone() } else { grad.to_dtype(DType::F32)? };
                    let grad = grad.contiguous()?;
                    let (storage, layout) = grad.storage_and_layout();
                    let candle_core::Storage::Cpu(storage) = &*storage else { unreachable!("the device is the CPU") };
                    let (start, end) = layout.contiguous_offsets().expect("made contiguous");
                    host += square_sum(&storage.as_slice::<f32>()?[start..end]);
                }
                // One number per tensor, and one wait for all.
                (false, _) => device.push(grad.to_dtype(DType::F32)?.sqr()?.sum_all()?),
            }
        }
        if !device.is_empty() {
            host += Tensor::stack(&device, 0)?.to_vec1::<f32>()?.into_iter().map(f64::from).sum::<f64>();
        }
        Ok(host.sqrt())
    }

    /// Scales all gradients by min(1, max / (norm + 1e-6)), as PyTorch's `clip_grad_norm_`, and gives the norm from before. A
    /// norm that is not finite makes the step's weights so; look at it before stepping.
    pub fn clip_norm(&mut self, max: f64) -> Result<f64> {
        let norm = self.norm()?;
        let factor = max / (norm + 1e-6);
        self.scale = if factor >= 1.0 { 1.0 } else { factor };
        Ok(norm)
    }

    /// The same, without the norm from before: on a GPU the factor stays there, and nothing waits for it.
    pub fn clip(&mut self, max: f64) -> Result<()> {
        #[cfg(feature = "cuda")]
        if super::cuda::can_clip(self.list.iter().flatten().map(Gradient::tensor)) {
            self.on_device = Some(super::cuda::clip(self.list.iter().flatten().map(Gradient::tensor), max)?);
            return Ok(());
        }
        self.clip_norm(max).map(|_| ())
    }

    /// The factor of clipping where weights on a GPU are updated; none where it is 1.
    #[cfg(feature = "cuda")]
    pub(super) fn scale_on_device(&self, weights: &[(&str, &Var)]) -> Result<Option<Tensor>> {
        match (&self.on_device, weights.iter().find(|(_, var)| super::cuda::can(var))) {
            (Some(scale), _) => Ok(Some(scale.clone())),
            (None, Some((_, var))) if self.scale != 1.0 => super::cuda::number(var, self.scale).map(Some),
            _ => Ok(None),
        }
    }
}

/// Of the numbers that are added as one by [`square_sum`].
const CHUNK: usize = 1 << 16;

/// What [`square_sum`] gives of the rows with their zeros: the same numbers into the same sums, in the same order.
fn rows_square_sum<T: WithDType + Into<f64>>(rows: &Rows) -> Result<f64> {
    let (size, values) = (rows.size(), rows.values::<T>()?);
    let (mut all, mut lanes, mut chunk) = (0.0, [0.0f64; 8], 0);
    for (row, values) in rows.rows().iter().zip(values.chunks_exact(size.max(1))) {
        for (i, v) in values.iter().enumerate() {
            let at = row * size + i;
            if at / CHUNK != chunk {
                all += lanes.iter().sum::<f64>();
                (lanes, chunk) = ([0.0; 8], at / CHUNK);
            }
            let v: f64 = (*v).into();
            lanes[at % 8] += v * v;
        }
    }
    Ok(all + lanes.iter().sum::<f64>())
}

/// In f64, eight sums side by side within chunks of a fixed size.
fn square_sum<T: Copy + Into<f64> + Sync>(values: &[T]) -> f64 {
    let chunk = |chunk: &[T]| {
        let mut lanes = [0.0; 8];
        for part in chunk.chunks(8) {
            for (lane, v) in lanes.iter_mut().zip(part) {
                let v: f64 = (*v).into();
                *lane += v * v;
            }
        }
        lanes.iter().sum::<f64>()
    };
    if values.len() <= CHUNK {
        chunk(values)
    } else {
        values.par_chunks(CHUNK).map(chunk).collect::<Vec<f64>>().iter().sum()
    }
}
