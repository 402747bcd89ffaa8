//! What a kernel should give, how far rounding may take it from there, and the comparison.

use mtlc::ops::kernel::{Kernel, Real, View};

use crate::campaign::Trial;

/// A tensor. Values are exact as f32, so that kernels of both types read the same numbers.
#[derive(Debug, Clone)]
pub struct Array {
    pub dims: Vec<usize>,
    pub data: Vec<f64>,
}

impl Array {
    pub fn typed<T: Real>(&self) -> Vec<T> {
        self.data.iter().map(|v| T::of(*v)).collect()
    }
}

/// f32 and f64 with their rounding.
pub trait Rounded: Real {
    const NAME: &'static str;
    /// The distance from 1 to the next number.
    const STEP: f64;
}

impl Rounded for f32 {
    const NAME: &'static str = "f32";
    const STEP: f64 = f32::EPSILON as f64;
}

impl Rounded for f64 {
    const NAME: &'static str = "f64";
    const STEP: f64 = f64::EPSILON;
}

/// Values by plain loops, with the sum of the absolute values of what each was added up from: rounding is measured by that.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    pub value: Vec<f64>,
    pub size: Vec<f64>,
    /// How many numbers were added up for one, at most.
    pub terms: usize,
}

/// What no number of f32 is as small as.
const TINY: f64 = 1e-40;

impl Expected {
    pub fn zeros(len: usize, terms: usize) -> Expected {
        Expected { value: vec![0.0; len], size: vec![0.0; len], terms }
    }

    /// Numbers that nothing has rounded yet.
    pub fn exact(values: &[f64]) -> Expected {
        Expected { value: values.to_vec(), size: values.iter().map(|v| v.abs()).collect(), terms: 1 }
    }

    /// Adds a term.
    pub fn add(&mut self, i: usize, value: f64, size: f64) {
        self.value[i] += value;
        self.size[i] += size;
    }

    pub fn push(&mut self, value: f64, size: f64) {
        self.value.push(value);
        self.size.push(size);
    }

    /// How far a kernel may be from element i: every addition rounds a part of the sum, and the errors have no direction.
    fn room(&self, i: usize, step: f64) -> f64 {
        step * (8.0 + 2.0 * (self.terms as f64).sqrt()) * self.size[i] + TINY
    }

    /// Whether rounding in f32 may decide on which side of a limit element i is.
    pub fn may_be(&self, i: usize, limit: f64) -> bool {
        (self.value[i] - limit).abs() <= self.room(i, f32::STEP)
    }

    /// Whether rounding in f32 may decide which of two elements is larger.
    pub fn may_swap(&self, i: usize, j: usize) -> bool {
        (self.value[i] - self.value[j]).abs() <= self.room(i, f32::STEP) + self.room(j, f32::STEP)
    }

    /// 0 where negative; a NaN stays one.
    pub fn rectified(&self) -> Expected {
        let value = self.value.iter().map(|v| if *v <= 0.0 { 0.0 } else { *v }).collect();
        Expected { value, ..self.clone() }
    }

    /// Compares with what a kernel gave; gives how many numbers.
    pub fn compare<T: Rounded>(&self, what: &str, found: &[T]) -> Result<usize, String> {
        if found.len() != self.value.len() {
            return Err(format!("{what}: {} numbers, expected {}", found.len(), self.value.len()));
        }
        for (i, (found, value)) in found.iter().zip(&self.value).enumerate() {
            let found = found.to_f64();
            let right = match value.is_finite() {
                true => (found - value).abs() <= self.room(i, T::STEP),
                false => found == *value || found.is_nan() && value.is_nan(),
            };
            if !right {
                let room = self.room(i, T::STEP);
                return Err(format!(
                    "{}, {what}, element {i} of {}: {found:e}, expected {value:e} within {room:e}",
                    T::NAME,
                    self.value.len()
                ));
            }
        }
        Ok(found.len())
    }
}

/// One call of a kernel.
pub struct Call<const N: usize> {
    pub inputs: [Array; N],
    pub dims: Vec<usize>,
    pub y: Expected,
    /// The gradient that comes in; 0 where rounding decides what it does.
    pub dy: Vec<f64>,
    /// Of the inputs that have a gradient.
    pub grads: [Option<Expected>; N],
}

impl<const N: usize> Call<N> {
    /// Compares a kernel with it, in f32 and in f64.
    pub fn trial<K: Kernel<N>>(self, shape: String, make: impl Fn() -> K + 'static) -> Trial {
        let run = move || Ok(self.typed::<K, f32>(&make)? + self.typed::<K, f64>(&make)?);
        Trial { shape, run: Box::new(run) }
    }

    fn typed<K: Kernel<N>, T: Rounded>(&self, make: &impl Fn() -> K) -> Result<usize, String> {
        let data: Vec<Vec<T>> = self.inputs.iter().map(Array::typed).collect();
        let view = |i: usize| View { data: &data[i], dims: &self.inputs[i].dims };
        let kernel = make();
        let (y, shape) = kernel.forward(std::array::from_fn(view)).map_err(|e| format!("forward: {e}"))?;
        if shape.dims() != self.dims {
            return Err(format!("an output of {:?}, expected {:?}", shape.dims(), self.dims));
        }
        let mut compared = self.y.compare("output", &y)?;
        let mut dy: Vec<T> = self.dy.iter().map(|g| T::of(*g)).collect();
        if kernel.rectified() {
            dy.iter_mut().zip(&y).filter(|(_, y)| **y <= T::zero()).for_each(|(g, _)| *g = T::zero());
        }
        // Of what a kernel does not read on its way back it is given the shape alone, as the tape does.
        let (reads, reads_output) = kernel.reads();
        let kept = |i: usize| if reads[i] { view(i) } else { View { data: &[], dims: &self.inputs[i].dims } };
        let output = View { data: if reads_output { &y } else { &[] }, dims: &self.dims };
        // All gradients, and one alone.
        let alone = y.len() % N;
        for wanted in [[true; N], std::array::from_fn(|i| i == alone)] {
            let found = kernel
                .backward_of(std::array::from_fn(kept), output, dy.clone(), wanted)
                .map_err(|e| format!("backward: {e}"))?;
            for (i, (found, expected)) in found.iter().zip(&self.grads).enumerate() {
                let (Some(expected), true) = (expected, wanted[i]) else { continue };
                let found = found.as_ref().ok_or_else(|| format!("no gradient of input {i}"))?;
                compared += expected.compare(&format!("gradient of input {i}"), found)?;
            }
        }
        Ok(compared)
    }
}

/// Sums by element with the rounding of every addition added up too (Neumaier 1974): exact enough to judge kernels that work in f64.
pub struct Sums {
    sum: Vec<f64>,
    lost: Vec<f64>,
}

impl Sums {
    pub fn zeros(len: usize) -> Sums {
        Sums { sum: vec![0.0; len], lost: vec![0.0; len] }
    }

    pub fn add(&mut self, i: usize, value: f64) {
        let (old, new) = (self.sum[i], self.sum[i] + value);
        self.lost[i] += if old.abs() >= value.abs() { (old - new) + value } else { (value - new) + old };
        self.sum[i] = new;
    }

    pub fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
        let (mut sum, count) = (Sums::zeros(1), values.len());
        values.for_each(|v| sum.add(0, v));
        sum.over(count as f64)[0]
    }

    /// The sums, divided by a number.
    pub fn over(&self, count: f64) -> Vec<f64> {
        self.sum.iter().zip(&self.lost).map(|(s, l)| (s + l) / count).collect()
    }
}
