//! Losses in one pass over outputs and labels, and their gradients in another. The mean is over what the mask counts, at least one;
//! what it does not count is never read.

use candle_core::{Result, Shape, bail};
use rayon::prelude::*;

use super::real::sum_by;
use super::{BLOCK, Kernel, Real, View, buffer, chunks, map2};

/// A loss of one output and its label.
pub trait Curve: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    fn value<T: Real>(&self, x: T, y: T) -> T;
    /// d value / d x.
    fn slope<T: Real>(&self, x: T, y: T) -> T;
}

/// The mean of a [`Curve`] over outputs and labels of one shape; with a mask of 0 and 1 the third.
pub struct Pointwise<C>(pub C);

/// `f(chunk)` for chunks of `size` of `0..len`, added in order.
fn total(len: usize, size: usize, work: usize, f: impl Fn(std::ops::Range<usize>) -> f64 + Sync + Send) -> f64 {
    let part = |i: usize| f(i * size..((i + 1) * size).min(len));
    let parts = len.div_ceil(size.max(1));
    match work < super::PARALLEL {
        true => (0..parts).map(part).sum(),
        false => (0..parts).into_par_iter().map(part).collect::<Vec<f64>>().iter().sum(),
    }
}

/// How many are counted, at least one: what a sum is divided by.
fn counted<T: Real>(mask: &[T]) -> f64 {
    mask.iter().filter(|m| **m != T::zero()).count().max(1) as f64
}

fn scalar<T: Real>(value: f64) -> Result<(Vec<T>, Shape)> {
    Ok((vec![T::of(value)], Shape::from(())))
}

impl<C: Curve> Kernel<2> for Pointwise<C> {
    const NAME: &'static str = C::NAME;

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], false)
    }

    fn forward<T: Real>(&self, [x, y]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let (len, curve) = (x.data.len(), self.0);
        let sum = total(len, BLOCK, len, |at| sum_by(&x.data[at.clone()], &y.data[at], |x, y| curve.value(x, y)));
        scalar(sum / len.max(1) as f64)
    }

    fn backward<T: Real>(
        &self,
        [x, y]: [View<T>; 2],
        _: View<T>,
        grad: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let (share, curve) = (grad[0] / T::of(x.data.len().max(1) as f64), self.0);
        Ok([wanted[0].then(|| map2(x.data, y.data, |x, y| share * curve.slope(x, y))), None])
    }
}

impl<C: Curve> Kernel<3> for Pointwise<C> {
    const NAME: &'static str = C::NAME;

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn forward<T: Real>(&self, [x, y, mask]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let one = |i: usize| match mask.data[i] == T::zero() {
            true => 0.0,
            false => self.0.value(x.data[i], y.data[i]).to_f64(),
        };
        let sum = total(x.data.len(), BLOCK, x.data.len(), |at| at.map(one).sum());
        scalar(sum / counted(mask.data))
    }

    fn backward<T: Real>(
        &self,
        [x, y, mask]: [View<T>; 3],
        _: View<T>,
        grad: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let share = grad[0] / T::of(counted(mask.data));
        let dx = wanted[0].then(|| {
            super::map3(x.data, y.data, mask.data, |x, y, m| match m == T::zero() {
                true => T::zero(),
                false => share * self.0.slope(x, y),
            })
        });
        Ok([dx, None, None])
    }
}

/// Softmax cross-entropy of `x: [n, classes, pixels...]` and class indices `[n, 1, pixels...]`; with a mask of the labels' shape the
/// third.
pub struct CrossEntropy {
    /// Share of the target that is spread evenly.
    pub smoothing: f64,
}

/// Sizes of one call.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    classes: usize,
    pixels: usize,
}

impl Sizes {
    fn new<T>(x: &View<T>) -> Sizes {
        Sizes { n: x.dims[0], classes: x.dims[1], pixels: x.dims[2..].iter().product() }
    }

    fn labels(&self) -> usize {
        self.n * self.pixels
    }

    /// Logits of a label: the place of the first; the others lie `pixels` apart.
    fn first(&self, label: usize) -> usize {
        label / self.pixels.max(1) * self.classes * self.pixels + label % self.pixels.max(1)
    }
}

/// Labels that one task looks at.
const SOME: usize = 256;

impl CrossEntropy {
    /// The sum of the losses of counted labels.
    fn sum<T: Real>(&self, s: Sizes, x: &[T], labels: &[T], mask: Option<&[T]>) -> Result<f64> {
        let counts = |i: usize| mask.is_none_or(|m| m[i] != T::zero());
        let right = |v: f64| v.fract() == 0.0 && v >= 0.0 && v < s.classes as f64;
        if let Some(i) = (0..s.labels()).find(|i| counts(*i) && !right(labels[*i].to_f64())) {
            bail!(
                "label {} is not one of {} classes, counted from 0; a missing label needs a mask",
                labels[i].to_f64(),
                s.classes
            )
        }
        let (keep, spread) = (1.0 - self.smoothing, self.smoothing / s.classes as f64);
        let one = |i: usize| {
            if !counts(i) {
                return 0.0;
            }
            let (first, label) = (s.first(i), labels[i].to_f64() as usize);
            let at = |c: usize| x[first + c * s.pixels];
            let (most, sum) = softmax(s, &x[first..]);
            let log = most.to_f64() + sum.to_f64().ln();
            let mut loss = keep * (log - at(label).to_f64());
            if spread > 0.0 {
                loss += spread * (0..s.classes).map(|c| log - at(c).to_f64()).sum::<f64>();
            }
            loss
        };
        Ok(total(s.labels(), SOME, x.len() * 4, |at| at.map(one).sum()))
    }

    fn gradient<T: Real>(&self, s: Sizes, x: &[T], labels: &[T], mask: Option<&[T]>, share: T) -> Vec<T> {
        let (keep, spread) = (T::of(1.0 - self.smoothing), T::of(self.smoothing / s.classes as f64));
        let mut dx = buffer(x.len());
        let per_sample = s.classes * s.pixels;
        let samples = SOME.div_ceil(s.pixels.max(1));
        if dx.is_empty() {
            return dx;
        }
        chunks(&mut dx, samples * per_sample, x.len() * 4, |chunk, dx| {
            for i in 0..dx.len() / s.classes {
                let label = chunk * samples * s.pixels + i;
                let (from, to) = (s.first(label), s.first(i));
                if mask.is_some_and(|m| m[label] == T::zero()) {
                    (0..s.classes).for_each(|c| dx[to + c * s.pixels] = T::zero());
                    continue;
                }
                let (most, sum) = softmax(s, &x[from..]);
                for c in 0..s.classes {
                    let p = (x[from + c * s.pixels] - most).exp() / sum;
                    dx[to + c * s.pixels] = share * (p - spread);
                }
                dx[to + labels[label].to_f64() as usize * s.pixels] -= share * keep;
            }
        });
        dx
    }
}

/// The largest logit, and the sum of exp(logit - largest).
fn softmax<T: Real>(s: Sizes, x: &[T]) -> (T, T) {
    let at = |c: usize| x[c * s.pixels];
    let most = (0..s.classes).map(at).fold(T::neg_infinity(), |a, b| if b > a || b.is_nan() { b } else { a });
    let mut sum = T::zero();
    (0..s.classes).for_each(|c| sum += (at(c) - most).exp());
    (most, sum)
}

impl Kernel<2> for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    fn reads(&self) -> ([bool; 2], bool) {
        ([true; 2], false)
    }

    fn forward<T: Real>(&self, [x, labels]: [View<T>; 2]) -> Result<(Vec<T>, Shape)> {
        let s = Sizes::new(&x);
        scalar(self.sum(s, x.data, labels.data, None)? / s.labels().max(1) as f64)
    }

    fn backward<T: Real>(
        &self,
        [x, labels]: [View<T>; 2],
        _: View<T>,
        grad: &[T],
        wanted: [bool; 2],
    ) -> Result<[Option<Vec<T>>; 2]> {
        let s = Sizes::new(&x);
        let share = grad[0] / T::of(s.labels().max(1) as f64);
        Ok([wanted[0].then(|| self.gradient(s, x.data, labels.data, None, share)), None])
    }
}

impl Kernel<3> for CrossEntropy {
    const NAME: &'static str = "cross_entropy";

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn forward<T: Real>(&self, [x, labels, mask]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        scalar(self.sum(Sizes::new(&x), x.data, labels.data, Some(mask.data))? / counted(mask.data))
    }

    fn backward<T: Real>(
        &self,
        [x, labels, mask]: [View<T>; 3],
        _: View<T>,
        grad: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let share = grad[0] / T::of(counted(mask.data));
        let dx = || self.gradient(Sizes::new(&x), x.data, labels.data, Some(mask.data), share);
        Ok([wanted[0].then(dx), None, None])
    }
}
