//! Batch norm: statistics in two passes over a channel, mean first (one pass loses digits where the mean is large).

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape};
use rayon::prelude::*;

use super::{Kernel, Real, View, buffer, real};

/// Mean and biased variance per channel.
#[derive(Debug, Clone)]
pub struct Stats {
    pub mean: Vec<f64>,
    pub var: Vec<f64>,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias` of x `[n, c, ...]`, with the statistics given, or those of the batch.
pub struct BatchNorm {
    pub eps: f64,
    pub given: Option<Stats>,
    /// What was used, for running averages and the way back.
    pub used: Arc<OnceLock<Stats>>,
}

/// Sums per channel of `f(plane of each sample)`, channels in parallel, samples in order; for planes of one pixel, rows in
/// order with all channels at once.
fn per_channel<T: Real>(
    c: usize,
    p: usize,
    len: usize,
    plane: impl Fn(usize, std::ops::Range<usize>) -> f64 + Sync,
    pixel: impl Fn(usize, usize) -> T,
) -> Vec<f64> {
    let n = len / (c * p);
    if p == 1 {
        let mut total = vec![0f64; c];
        for row in 0..n {
            for (ch, t) in total.iter_mut().enumerate() {
                *t += pixel(ch, row * c + ch).to_f64();
            }
        }
        return total;
    }
    let sum = |ch: usize| (0..n).map(|b| plane(ch, (b * c + ch) * p..(b * c + ch + 1) * p)).sum();
    (0..c).into_par_iter().map(sum).collect()
}

fn batch_stats<T: Real>(x: &[T], c: usize, p: usize) -> Stats {
    let count = (x.len() / c) as f64;
    let mean: Vec<f64> = per_channel(c, p, x.len(), |_, at| real::sum(&x[at]), |_, i| x[i]);
    let mean: Vec<f64> = mean.into_iter().map(|s| s / count).collect();
    let at_mean: Vec<T> = mean.iter().map(|m| T::of(*m)).collect();
    let var = per_channel(
        c,
        p,
        x.len(),
        |ch, at| real::sum_squares(&x[at], at_mean[ch]),
        |ch, i| {
            let d = x[i] - at_mean[ch];
            d * d
        },
    );
    Stats { mean, var: var.into_iter().map(|s| s / count).collect() }
}

impl BatchNorm {
    fn inverse(&self, stats: &Stats) -> Vec<f64> {
        stats.var.iter().map(|v| 1.0 / (v + self.eps).sqrt()).collect()
    }
}

impl Kernel<3> for BatchNorm {
    const NAME: &'static str = "batch_norm";
    const READS_OUTPUT: bool = false;

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (c, p) = (x.dims[1], x.dims[2..].iter().product::<usize>());
        let stats = match &self.given {
            Some(stats) => stats.clone(),
            None => batch_stats(x.data, c, p),
        };
        let inverse = self.inverse(&stats);
        let slope: Vec<T> = (0..c).map(|i| T::of(weight.data[i].to_f64() * inverse[i])).collect();
        let mean: Vec<T> = stats.mean.iter().map(|m| T::of(*m)).collect();
        let mut y = buffer(x.data.len());
        y.par_chunks_mut(c * p).zip(x.data.par_chunks(c * p)).for_each(|(y, x)| {
            if p == 1 {
                for i in 0..c {
                    y[i] = (x[i] - mean[i]) * slope[i] + bias.data[i];
                }
                return;
            }
            for (i, (y, x)) in y.chunks_exact_mut(p).zip(x.chunks_exact(p)).enumerate() {
                let (m, s, b) = (mean[i], slope[i], bias.data[i]);
                for (y, x) in y.iter_mut().zip(x) {
                    *y = (*x - m) * s + b;
                }
            }
        });
        let _ = self.used.set(stats);
        Ok((y, x.dims.into()))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, _]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (c, p) = (x.dims[1], x.dims[2..].iter().product::<usize>());
        let stats = self.used.get().expect("forward ran");
        let inverse = self.inverse(stats);
        let mean: Vec<T> = stats.mean.iter().map(|m| T::of(*m)).collect();
        let x = x.data;
        // Sums of the gradient, and of the gradient times the normalised value.
        let sum = per_channel(c, p, x.len(), |_, at| real::sum(&dy[at]), |_, i| dy[i]);
        let mut dot = per_channel(
            c,
            p,
            x.len(),
            |ch, at| real::sum_products(&dy[at.clone()], &x[at], mean[ch]),
            |ch, i| dy[i] * (x[i] - mean[ch]),
        );
        dot.iter_mut().zip(&inverse).for_each(|(d, inv)| *d *= inv);
        let dx = wanted[0].then(|| {
            let count = (x.len() / c) as f64;
            // dx = slope (dy - base - (x - mean) lean); with given statistics the sums play no part.
            let part = if self.given.is_some() { 0.0 } else { 1.0 / count };
            let coefficients: Vec<[T; 4]> = (0..c)
                .map(|i| {
                    let slope = weight.data[i].to_f64() * inverse[i];
                    [mean[i], T::of(slope), T::of(sum[i] * part), T::of(dot[i] * part * inverse[i])]
                })
                .collect();
            let mut dx = buffer(x.len());
            dx.par_chunks_mut(c * p).zip(x.par_chunks(c * p)).zip(dy.par_chunks(c * p)).for_each(|((dx, x), dy)| {
                let planes = dx.chunks_exact_mut(p).zip(x.chunks_exact(p)).zip(dy.chunks_exact(p));
                for (((dx, x), dy), [mean, slope, base, lean]) in planes.zip(&coefficients) {
                    for ((dx, x), g) in dx.iter_mut().zip(x).zip(dy) {
                        *dx = *slope * (*g - *base - (*x - *mean) * *lean);
                    }
                }
            });
            dx
        });
        let cast = |v: Vec<f64>| v.into_iter().map(T::of).collect();
        Ok([dx, wanted[1].then(|| cast(dot)), wanted[2].then(|| cast(sum))])
    }
}
