//! Batch norm: statistics in two passes over a channel, mean first (one pass loses digits where the mean is large). All passes
//! over a channel follow each other, while it is in cache.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape};

use super::simd::wide;
use super::{Kernel, Real, View, buffer, channels, chunks, real};

/// Pixels below which the planes of a channel are brought together before work begins.
const SMALL: usize = 32;
/// Gradients that are kept while they are summed.
const SOME: usize = 1 << 10;
/// Channels of one task where each has one value per sample.
const COLUMNS: usize = 64;
/// Rows of one task there.
const ROWS: usize = 64;
/// Batches of up to this many rows are computed in f64 there. The terms of the gradient cancel, for two rows almost entirely, and their
/// rounding errors, divided by a small deviation, would exceed the rest.
const FEW: usize = 32;

/// Mean and biased variance per channel.
#[derive(Debug, Clone)]
pub struct Stats {
    pub mean: Vec<f64>,
    pub var: Vec<f64>,
}

/// `(x - mean) / sqrt(var + eps) * weight + bias` of x `[n, c, ...]`, with the statistics given, or those of the batch (Ioffe and
/// Szegedy 2015); then ReLU if asked.
pub struct BatchNorm {
    pub eps: f64,
    pub given: Option<Stats>,
    /// `max(y, 0)`, with gradient 0 at 0.
    pub relu: bool,
    /// What was used, for running averages and the way back.
    pub used: Arc<OnceLock<Stats>>,
}

/// What one channel is computed with: y = (x - mean) slope + bias.
#[derive(Clone, Copy)]
pub(super) struct Line<T> {
    pub mean: T,
    pub slope: T,
    bias: T,
    /// Values up to it become 0: 0 with a ReLU, else no number, which nothing is below.
    pub floor: T,
}

impl<T: Real> Line<T> {
    #[inline(always)]
    pub fn at(&self, x: T) -> T {
        let y = (x - self.mean) * self.slope + self.bias;
        y.zero_if(y <= self.floor)
    }

    /// The gradient before the ReLU: what the forward pass computed is computed again rather than read.
    #[inline(always)]
    fn open(&self, x: T, g: T) -> T {
        g.zero_if((x - self.mean) * self.slope + self.bias <= self.floor)
    }

    /// dx = slope (g - base - (x - mean) lean), with g the gradient before the ReLU.
    #[inline(always)]
    fn back(&self, base: T, lean: T, x: T, g: T) -> T {
        self.slope * (self.open(x, g) - base - (x - self.mean) * lean)
    }
}

wide! {
    fn apply[T: Real](y: &mut [T], x: &[T], line: Line<T>) {
        for (y, x) in y.iter_mut().zip(x) {
            *y = line.at(*x);
        }
    }
}

wide! {
    fn back[T: Real](dx: &mut [T], x: &[T], dy: &[T], line: Line<T>, base: T, lean: T) {
        for ((dx, x), g) in dx.iter_mut().zip(x).zip(dy) {
            *dx = line.back(base, lean, *x, *g);
        }
    }
}

wide! {
    /// The gradient before the ReLU.
    fn open[T: Real](out: &mut [T], x: &[T], dy: &[T], line: Line<T>) {
        for ((out, x), g) in out.iter_mut().zip(x).zip(dy) {
            *out = line.open(*x, *g);
        }
    }
}

/// Sums of the gradient g before the ReLU, and of g (x - mean).
fn sums<T: Real>(x: &[T], dy: &[T], line: Line<T>, relu: bool) -> [f64; 2] {
    if !relu {
        return [real::sum(dy), real::sum_products(dy, x, line.mean)];
    }
    let (mut sum, mut dot) = (0.0, 0.0);
    let mut room = [T::zero(); SOME];
    for (x, dy) in x.chunks(SOME).zip(dy.chunks(SOME)) {
        let g = &mut room[..x.len()];
        open(g, x, dy, line);
        sum += real::sum(g);
        dot += real::sum_products(g, x, line.mean);
    }
    [sum, dot]
}

/// The planes of one channel: in place, or brought together where they are small.
pub(super) struct Planes<T> {
    together: Option<Vec<T>>,
    first: usize,
    step: usize,
    p: usize,
    n: usize,
}

impl<T: Real> Planes<T> {
    pub fn new(x: &[T], channel: usize, c: usize, p: usize) -> Planes<T> {
        let (first, step, n) = (channel * p, c * p, x.len() / (c * p));
        let together = (p < SMALL).then(|| {
            let mut out = buffer(n * p);
            for (i, out) in out.chunks_exact_mut(p).enumerate() {
                out.copy_from_slice(&x[first + i * step..][..p]);
            }
            out
        });
        Planes { together, first, step, p, n }
    }

    /// One slice after the other: all of the channel, or a plane each.
    pub fn each<'a>(&'a self, x: &'a [T]) -> impl Iterator<Item = &'a [T]> {
        let count = if self.together.is_some() { 1 } else { self.n };
        (0..count).map(move |i| match &self.together {
            Some(all) => &all[..],
            None => &x[self.first + i * self.step..][..self.p],
        })
    }
}

/// Mean and biased variance of one channel.
pub(super) fn stats_of<T: Real>(planes: &Planes<T>, x: &[T]) -> [f64; 2] {
    let count = (planes.n * planes.p) as f64;
    let mean = planes.each(x).map(real::sum).sum::<f64>() / count;
    let at = T::of(mean);
    [mean, planes.each(x).map(|x| real::sum_squares(x, at)).sum::<f64>() / count]
}

/// Sums over rows of `f(row, channel, index)`, for x `[n, c]`: rows in order, some channels at a time.
fn columns(n: usize, c: usize, f: impl Fn(usize, usize) -> f64 + Sync) -> Vec<f64> {
    let mut total = vec![0f64; c];
    chunks(&mut total, COLUMNS, n * c / 4, |i, total| {
        for row in 0..n {
            let first = i * COLUMNS;
            for (j, t) in total.iter_mut().enumerate() {
                *t += f(first + j, row * c + first + j);
            }
        }
    });
    total
}

impl BatchNorm {
    fn inverse(&self, var: f64) -> f64 {
        1.0 / (var + self.eps).sqrt()
    }

    pub(super) fn line<T: Real>(&self, [mean, var]: [f64; 2], weight: T, bias: T) -> Line<T> {
        let slope = T::of(weight.to_f64() * self.inverse(var));
        let floor = if self.relu { T::zero() } else { T::of(f64::NAN) };
        Line { mean: T::of(mean), slope, bias, floor }
    }

    /// The statistics of a channel that were given.
    pub(super) fn given_at(&self, channel: usize) -> Option<[f64; 2]> {
        self.given.as_ref().map(|g| [g.mean[channel], g.var[channel]])
    }

    /// Keeps the statistics that were used, by channel.
    pub(super) fn keep(&self, stats: Vec<[f64; 2]>) {
        let (mean, var) = stats.into_iter().map(|[mean, var]| (mean, var)).unzip();
        let _ = self.used.set(Stats { mean, var });
    }

    /// The statistics that were used for a channel, and one over its deviation.
    pub(super) fn used_at(&self, channel: usize) -> ([f64; 2], f64) {
        let used = self.used.get().expect("forward ran");
        ([used.mean[channel], used.var[channel]], self.inverse(used.var[channel]))
    }

    fn forward_rows<T: Real>(&self, x: &[T], weight: &[T], bias: &[T]) -> (Vec<T>, Stats) {
        let c = weight.len();
        let stats = self.given.clone().unwrap_or_else(|| {
            let n = x.len() / c;
            let mean: Vec<f64> = columns(n, c, |_, i| x[i].to_f64()).into_iter().map(|s| s / n as f64).collect();
            let at: Vec<T> = mean.iter().map(|m| T::of(*m)).collect();
            let squares = match n <= FEW {
                true => columns(n, c, |ch, i| (x[i].to_f64() - mean[ch]).powi(2)),
                false => columns(n, c, |ch, i| ((x[i] - at[ch]) * (x[i] - at[ch])).to_f64()),
            };
            Stats { mean, var: squares.into_iter().map(|s| s / n as f64).collect() }
        });
        let lines = self.lines(&stats, weight, bias);
        let mut y = buffer(x.len());
        chunks(&mut y, ROWS * c, x.len() / 4, |i, y| {
            for (y, x) in y.chunks_exact_mut(c).zip(x[i * ROWS * c..].chunks_exact(c)) {
                for ((y, x), line) in y.iter_mut().zip(x).zip(&lines) {
                    *y = line.at(*x);
                }
            }
        });
        (y, stats)
    }

    /// The gradient of x `[n, c]` for few rows, and the sums of the gradient and of its product with the normalised value, per channel.
    /// `part`: see [`BatchNorm::backward`].
    fn backward_few<T: Real>(
        &self,
        dx: &mut [T],
        x: &[T],
        dy: &[T],
        lines: &[Line<T>],
        weight: &[T],
        part: f64,
    ) -> Vec<[f64; 2]> {
        let (c, stats) = (lines.len(), self.used.get().expect("forward ran"));
        let n = x.len() / c;
        let inverse: Vec<f64> = stats.var.iter().map(|v| self.inverse(*v)).collect();
        let open = |ch: usize, i: usize| lines[ch].open(x[i], dy[i]).to_f64();
        let normal = |ch: usize, i: usize| (x[i].to_f64() - stats.mean[ch]) * inverse[ch];
        let sum = columns(n, c, open);
        let dot = columns(n, c, |ch, i| open(ch, i) * normal(ch, i));
        for (i, dx) in dx.iter_mut().enumerate() {
            let ch = i % c;
            let value = open(ch, i) - sum[ch] * part - normal(ch, i) * dot[ch] * part;
            *dx = T::of(weight[ch].to_f64() * inverse[ch] * value);
        }
        sum.into_iter().zip(dot).map(|(sum, dot)| [sum, dot]).collect()
    }

    fn lines<T: Real>(&self, stats: &Stats, weight: &[T], bias: &[T]) -> Vec<Line<T>> {
        (0..weight.len()).map(|i| self.line([stats.mean[i], stats.var[i]], weight[i], bias[i])).collect()
    }
}

impl Kernel<3> for BatchNorm {
    const NAME: &'static str = "batch_norm";

    fn reads(&self) -> ([bool; 3], bool) {
        ([true; 3], false)
    }

    fn forward<T: Real>(&self, [x, weight, bias]: [View<T>; 3]) -> Result<(Vec<T>, Shape)> {
        let (c, p) = (x.dims[1], x.dims[2..].iter().product::<usize>());
        let shape = x.dims.into();
        let x = x.data;
        if p == 1 {
            let (y, stats) = self.forward_rows(x, weight.data, bias.data);
            let _ = self.used.set(stats);
            return Ok((y, shape));
        }
        let mut y = buffer(x.len());
        let stats = channels(&mut y, c, p, x.len() / 2, |i, out| {
            let planes = Planes::new(x, i, c, p);
            let stats = self.given_at(i).unwrap_or_else(|| stats_of(&planes, x));
            let line = self.line(stats, weight.data[i], bias.data[i]);
            let mut parts = planes.each(x).flat_map(|x| x.chunks_exact(p));
            out.each(|y| {
                let Some(x) = parts.next() else { return };
                apply(y, x, line);
            });
            stats
        });
        self.keep(stats);
        Ok((y, shape))
    }

    fn backward<T: Real>(
        &self,
        [x, weight, bias]: [View<T>; 3],
        _: View<T>,
        dy: &[T],
        wanted: [bool; 3],
    ) -> Result<[Option<Vec<T>>; 3]> {
        let (c, p) = (x.dims[1], x.dims[2..].iter().product::<usize>());
        let stats = self.used.get().expect("forward ran");
        let lines = self.lines(stats, weight.data, bias.data);
        let x = x.data;
        let count = (x.len() / c) as f64;
        // `base` and `lean` of `Line::back`, from the sums of g and of g times the normalised value. With given statistics the sums
        // play no part.
        let part = if self.given.is_some() { 0.0 } else { 1.0 / count };
        let slopes = |i: usize, sum: f64, dot: f64| (T::of(sum * part), T::of(dot * part * self.inverse(stats.var[i])));
        let mut dx = buffer(x.len());
        let totals: Vec<[f64; 2]> = if p == 1 && x.len() / c <= FEW {
            self.backward_few(&mut dx, x, dy, &lines, weight.data, part)
        } else if p == 1 {
            let n = x.len() / c;
            let sum = columns(n, c, |ch, i| lines[ch].open(x[i], dy[i]).to_f64());
            let dot = columns(n, c, |ch, i| (lines[ch].open(x[i], dy[i]) * (x[i] - lines[ch].mean)).to_f64());
            let sums: Vec<[f64; 2]> = (0..c).map(|i| [sum[i], dot[i] * self.inverse(stats.var[i])]).collect();
            let slopes: Vec<(T, T)> = sums.iter().enumerate().map(|(i, [sum, dot])| slopes(i, *sum, *dot)).collect();
            chunks(&mut dx, ROWS * c, x.len() / 4, |i, dx| {
                let from = i * ROWS * c;
                let rows = x[from..].chunks_exact(c).zip(dy[from..].chunks_exact(c));
                for (dx, (x, dy)) in dx.chunks_exact_mut(c).zip(rows) {
                    let values = dx.iter_mut().zip(x).zip(dy);
                    for (((dx, x), g), (line, (base, lean))) in values.zip(lines.iter().zip(&slopes)) {
                        *dx = line.back(*base, *lean, *x, *g);
                    }
                }
            });
            sums
        } else {
            channels(&mut dx, c, p, x.len() / 2, |i, out| {
                let (line, xs, gs) = (lines[i], Planes::new(x, i, c, p), Planes::new(dy, i, c, p));
                let (mut sum, mut dot) = (0.0, 0.0);
                for (x, g) in xs.each(x).zip(gs.each(dy)) {
                    let [s, d] = sums(x, g, line, self.relu);
                    (sum, dot) = (sum + s, dot + d);
                }
                dot *= self.inverse(stats.var[i]);
                let (base, lean) = slopes(i, sum, dot);
                let mut parts = xs.each(x).zip(gs.each(dy)).flat_map(|(x, g)| x.chunks_exact(p).zip(g.chunks_exact(p)));
                out.each(|dx| {
                    let Some((x, dy)) = parts.next() else { return };
                    back(dx, x, dy, line, base, lean);
                });
                [sum, dot]
            })
        };
        let of = |k: usize| totals.iter().map(|s| T::of(s[k])).collect();
        Ok([wanted[0].then_some(dx), wanted[1].then(|| of(1)), wanted[2].then(|| of(0))])
    }
}
