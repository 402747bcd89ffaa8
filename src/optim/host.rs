//! The in-place pass on the CPU: weight, gradient and state are read and written once, in chunks that stay in cache, chunks of
//! large weights in parallel.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Tensor, Var, WithDType, bail};
use rayon::prelude::*;

use super::Gradient;
use crate::ops::rows::Rows;

/// Elements per chunk: of f32, weight, gradient and two slots take 128 KiB.
const CHUNK: usize = 8192;

/// State of one weight: up to two slots, unused ones empty.
#[derive(Debug)]
pub(super) struct Host<T> {
    slots: [Vec<T>; 2],
    /// Of a table whose gradients are rows: which rows have a state that is not all zeros. Looked up when it is first of use, and
    /// anew after anything else has changed the state.
    moving: Option<Vec<bool>>,
}

/// f32 or f64.
pub(super) trait Real: WithDType + Default {
    fn storage(storage: &mut CpuStorage) -> Option<&mut [Self]>;
    /// A chunk of zeros, the gradient of a weight that has none.
    fn zeros() -> &'static [Self; CHUNK];
    fn root(self) -> Self;
}

macro_rules! real {
    ($t:ty, $variant:ident) => {
        impl Real for $t {
            fn storage(storage: &mut CpuStorage) -> Option<&mut [$t]> {
                match storage {
                    CpuStorage::$variant(v) => Some(v),
                    _ => None,
                }
            }
            fn zeros() -> &'static [$t; CHUNK] {
                static ZEROS: [$t; CHUNK] = [0.0; CHUNK];
                &ZEROS
            }
            #[inline(always)]
            fn root(self) -> $t {
                self.sqrt()
            }
        }
    };
}
real!(f32, F32);
real!(f64, F64);

impl<T: Real> Host<T> {
    pub fn new(elements: usize, used: usize) -> Host<T> {
        Host {
            slots: std::array::from_fn(|i| if i < used { vec![T::default(); elements] } else { Vec::new() }),
            moving: None,
        }
    }

    pub fn save(&self, slot: usize, shape: &[usize]) -> Result<Tensor> {
        Tensor::from_slice(&self.slots[slot], shape, &candle_core::Device::Cpu)
    }

    pub fn load(&mut self, slot: usize, tensor: &Tensor) -> Result<()> {
        self.slots[slot] = tensor.flatten_all()?.to_vec1()?;
        self.moving = None;
        Ok(())
    }

    /// Applies a rule to the weight's storage; no gradient means zeros. `rests`: a zero gradient changes nothing where the state is
    /// all zeros.
    pub fn update<F>(&mut self, var: &Var, grad: Option<&Gradient>, rests: bool, rule: F) -> Result<()>
    where
        F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync,
    {
        let taken = |r: &&Rows| r.dtype() == T::DTYPE && (1..=CHUNK).contains(&r.size());
        if let Some(rows) = grad.and_then(Gradient::rows).filter(taken) {
            let moving = match (rests, self.slots[0].is_empty()) {
                (false, _) => Moving::All,
                (true, true) => Moving::Present,
                (true, false) => Moving::These(moved(&mut self.moving, &self.slots, rows.rows(), rows.size())),
            };
            let pass = Pass { slots: RefCell::new(&mut self.slots), rule, rows: Some((rows, moving)) };
            return var.inplace_op1(&pass);
        }
        self.moving = None;
        let pass = Pass { slots: RefCell::new(&mut self.slots), rule, rows: None };
        match grad {
            Some(grad) => var.inplace_op2(&grad.tensor().to_dtype(T::DTYPE)?.contiguous()?, &pass),
            None => var.inplace_op1(&pass),
        }
    }
}

/// All rows whose state is not all zeros, and these, which will have one from now on.
fn moved<'m, T: Real>(
    known: &'m mut Option<Vec<bool>>,
    slots: &[Vec<T>; 2],
    rows: &[usize],
    size: usize,
) -> &'m [bool] {
    let moves = |row: usize| {
        let mut numbers = slots.iter().filter(|s| !s.is_empty()).flat_map(|s| &s[row * size..][..size]);
        numbers.any(|v| *v != T::default())
    };
    let count = slots[0].len() / size;
    let moving = known.get_or_insert_with(|| (0..count).into_par_iter().map(moves).collect());
    rows.iter().for_each(|r| moving[*r] = true);
    moving
}

/// Which rows of a table are updated when its gradient is that of some.
#[derive(Clone, Copy)]
enum Moving<'a> {
    All,
    /// Those of the gradient.
    Present,
    /// By row; those of the gradient are among them.
    These(&'a [bool]),
}

struct Pass<'a, T, F> {
    slots: RefCell<&'a mut [Vec<T>; 2]>,
    rule: F,
    /// The gradient, if it is of rows.
    rows: Option<(&'a Rows, Moving<'a>)>,
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> Pass<'_, T, F> {
    fn run(&self, weight: &mut CpuStorage, layout: &Layout, grad: Option<&[T]>) -> Result<()> {
        let (Some(weight), Some((start, end))) = (T::storage(weight), layout.contiguous_offsets()) else {
            bail!("a weight changed its dtype or layout under the optimiser")
        };
        let mut slots = self.slots.borrow_mut();
        let [mut first, mut second] = slots.each_mut().map(Vec::as_mut_slice);
        let weight = &mut weight[start..end];
        if let Some((rows, moving)) = self.rows {
            return self.run_rows(weight, [first, second], rows, moving);
        }
        let mut chunks = Vec::with_capacity(weight.len().div_ceil(CHUNK));
        for (i, w) in weight.chunks_mut(CHUNK).enumerate() {
            let g = grad.map_or(&T::zeros()[..w.len()], |g| &g[i * CHUNK..][..w.len()]);
            let (s0, s1) = (split(&mut first, w.len()), split(&mut second, w.len()));
            chunks.push((w, g, [s0, s1]));
        }
        let rule = &self.rule;
        if chunks.len() == 1 {
            chunks.into_iter().for_each(|(w, g, s)| rule(w, g, s));
        } else {
            chunks.into_par_iter().for_each(|(w, g, s)| rule(w, g, s));
        }
        Ok(())
    }
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> Pass<'_, T, F> {
    /// Block by block of whole rows; of the gradient no more than a block is there with its zeros.
    fn run_rows(
        &self,
        weight: &mut [T],
        [mut first, mut second]: [&mut [T]; 2],
        rows: &Rows,
        moving: Moving,
    ) -> Result<()> {
        let (size, values, rule) = (rows.size(), rows.values::<T>()?, &self.rule);
        let rows = rows.rows();
        if let Moving::Present = moving {
            for (row, values) in rows.iter().zip(values.chunks_exact(size)) {
                rule(&mut weight[row * size..][..size], values, [&mut [], &mut []]);
            }
            return Ok(());
        }
        let block = CHUNK / size;
        let mut blocks = Vec::with_capacity(weight.len().div_ceil(block * size));
        for (i, w) in weight.chunks_mut(block * size).enumerate() {
            let (s0, s1) = (split(&mut first, w.len()), split(&mut second, w.len()));
            blocks.push((i * block, w, s0, s1));
        }
        blocks.into_par_iter().for_each(|(from, weight, mut first, mut second)| {
            let count = weight.len() / size;
            let here = rows.partition_point(|r| *r < from)..rows.partition_point(|r| *r < from + count);
            let mut own = Vec::new();
            let grad = match here.is_empty() {
                true => &T::zeros()[..weight.len()],
                false => {
                    own.resize(weight.len(), T::default());
                    for at in here {
                        own[(rows[at] - from) * size..][..size].copy_from_slice(&values[at * size..][..size]);
                    }
                    &own
                }
            };
            let moves = |row: usize| match moving {
                Moving::These(these) => these[from + row],
                _ => true,
            };
            // Neighbours that move together.
            let (mut weight, mut row) = (weight, 0);
            while row < count {
                let runs = moves(row);
                let end = (row..count).find(|r| moves(*r) != runs).unwrap_or(count);
                let n = (end - row) * size;
                let (w, s0, s1) = (split(&mut weight, n), split(&mut first, n), split(&mut second, n));
                if runs {
                    rule(w, &grad[row * size..][..n], [s0, s1]);
                }
                row = end;
            }
        });
        Ok(())
    }
}

/// Takes up to `n` elements from the front.
fn split<'a, T>(rest: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let n = n.min(rest.len());
    rest.split_off_mut(..n).expect("within bounds")
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> InplaceOp1 for Pass<'_, T, F> {
    fn name(&self) -> &'static str {
        "optimiser step"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, layout: &Layout) -> Result<()> {
        self.run(weight, layout, None)
    }
}

impl<T: Real, F: Fn(&mut [T], &[T], [&mut [T]; 2]) + Sync> InplaceOp2 for Pass<'_, T, F> {
    fn name(&self) -> &'static str {
        "optimiser step"
    }

    fn cpu_fwd(&self, weight: &mut CpuStorage, layout: &Layout, grad: &CpuStorage, grad_l: &Layout) -> Result<()> {
        let Some((start, end)) = grad_l.contiguous_offsets() else { bail!("a gradient is not contiguous") };
        self.run(weight, layout, Some(&grad.as_slice::<T>()?[start..end]))
    }
}
