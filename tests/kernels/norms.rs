//! Batch norm alone and with a max pool, layer and group norm, softmax.

use std::sync::{Arc, OnceLock};

use mtlc::ops::input::Window;
use mtlc::ops::kernel::batch::{BatchNorm, Stats};
use mtlc::ops::kernel::batch_pool::BatchPool;
use mtlc::ops::kernel::segment::{Normalise, Softmax};

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::{reals, values};
use crate::expected::{Array, Call, Expected, Sums};
use crate::pools::winners;

/// Samples and channels that are worked on at once.
const COUNTS: [usize; 5] = [1, 16, 63, 64, 128];
/// Values of a channel in one sample: planes are brought together below 32, gradients kept by 1024, sums cut at 4096.
const PLANES: [usize; 6] = [1, 16, 32, 256, 1024, 4096];

/// `[n, c, h, w]` or, of one value per channel, sometimes `[n, c]`.
fn dims(dice: &mut Dice) -> Vec<usize> {
    let most = if dice.one_in(8) { 300_000 } else { 20_000 };
    let [n, c, p] = [dice.size(&COUNTS, 300), dice.size(&COUNTS, 200), dice.size(&PLANES, 9000)];
    let [n, c, p] = dice.fit([n, c, p], most);
    let h = (1..=p).rev().filter(|h| h * h <= p).find(|h| p.is_multiple_of(*h)).expect("1 divides");
    if p == 1 && dice.one_in(2) { vec![n, c] } else { vec![n, c, h, p / h] }
}

/// Values of a channel around a mean of their own.
fn around_means(dice: &mut Dice, dims: &[usize]) -> Array {
    let (c, p) = (dims[1], dims[2..].iter().product::<usize>());
    let far = dice.pick(&[0.0, 1.0, 10.0]);
    let middle: Vec<f64> = (0..c).map(|_| dice.real(-far - 0.1, far + 0.1)).collect();
    let mut x = values(dice, dims);
    x.data.iter_mut().enumerate().for_each(|(i, v)| *v = f64::from((*v + middle[i / p % c]) as f32));
    x
}

/// A norm before its ReLU and pool.
struct Normed {
    x: Array,
    weight: Array,
    bias: Array,
    eps: f64,
    given: Option<Stats>,
    mean: Vec<f64>,
    /// The mean of the absolute values. The rounding error of the mean is relative to it, because large values may add up to a mean near 0.
    about: Vec<f64>,
    /// One over the deviation.
    inverse: Vec<f64>,
    y: Expected,
}

fn normed(dice: &mut Dice, dims: &[usize]) -> Normed {
    let (n, c, p) = (dims[0], dims[1], dims[2..].iter().product::<usize>());
    let x = around_means(dice, dims);
    let (weight, bias) = (reals(dice, &[c], -1.5, 1.5), values(dice, &[c]));
    let eps = dice.pick(&[1e-5, 1e-3]);
    let count = (n * p) as f64;
    let given = dice
        .one_in(4)
        .then(|| Stats { mean: reals(dice, &[c], -1.0, 1.0).data, var: reals(dice, &[c], 0.2, 2.0).data });
    let Stats { mean, var } = given.clone().unwrap_or_else(|| {
        let (mut sums, mut squares) = (Sums::zeros(c), Sums::zeros(c));
        x.data.iter().enumerate().for_each(|(i, v)| sums.add(i / p % c, *v));
        let mean = sums.over(count);
        x.data.iter().enumerate().for_each(|(i, v)| squares.add(i / p % c, (v - mean[i / p % c]).powi(2)));
        Stats { mean, var: squares.over(count) }
    });
    let about = match given {
        // Given statistics are not computed from a sum.
        Some(_) => mean.iter().map(|m| m.abs()).collect(),
        None => {
            let mut sums = Sums::zeros(c);
            x.data.iter().enumerate().for_each(|(i, v)| sums.add(i / p % c, v.abs()));
            sums.over(count)
        }
    };
    let inverse: Vec<f64> = var.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
    let mut y = Expected { terms: n * p, ..Expected::default() };
    for (i, v) in x.data.iter().enumerate() {
        let ch = i / p % c;
        let slope = weight.data[ch] * inverse[ch];
        y.push((v - mean[ch]) * slope + bias.data[ch], (v.abs() + about[ch]) * slope.abs() + bias.data[ch].abs());
    }
    Normed { x, weight, bias, eps, given, mean, about, inverse, y }
}

impl Normed {
    fn kernel(&self, relu: bool) -> impl Fn() -> BatchNorm + 'static {
        let (eps, given) = (self.eps, self.given.clone());
        move || BatchNorm { eps, given: given.clone(), relu, used: Arc::new(OnceLock::new()) }
    }

    /// Gradients from the gradient of what the norm gives.
    fn back(&self, dy: &[f64]) -> [Option<Expected>; 3] {
        let (c, p) = (self.x.dims[1], self.x.dims[2..].iter().product::<usize>());
        let count = (self.x.data.len() / c) as f64;
        let (mut dw, mut db) = (Expected::zeros(c, self.y.terms), Expected::zeros(c, self.y.terms));
        for (i, (v, g)) in self.x.data.iter().zip(dy).enumerate() {
            let (ch, far) = (i / p % c, v.abs() + self.about[i / p % c]);
            dw.add(ch, g * (v - self.mean[ch]) * self.inverse[ch], g.abs() * far * self.inverse[ch]);
            db.add(ch, *g, g.abs());
        }
        let mut dx = Expected { terms: self.y.terms, ..Expected::default() };
        // Statistics that were given have no gradient.
        let part = if self.given.is_some() { 0.0 } else { 1.0 / count };
        for (i, (v, g)) in self.x.data.iter().zip(dy).enumerate() {
            let ch = i / p % c;
            let (slope, mean, inverse) = (self.weight.data[ch] * self.inverse[ch], self.mean[ch], self.inverse[ch]);
            let value = g - db.value[ch] * part - (v - mean) * inverse * dw.value[ch] * part;
            let far = (v.abs() + self.about[ch]) * inverse * dw.size[ch] * part;
            dx.push(slope * value, slope.abs() * (g.abs() + db.size[ch] * part + far));
        }
        [Some(dx), Some(dw), Some(db)]
    }

    fn shape(&self, relu: bool) -> String {
        format!("{:?}, relu {relu}, statistics given {}", self.x.dims, self.given.is_some())
    }
}

fn batch_norm(dice: &mut Dice) -> Trial {
    let dims = dims(dice);
    let norm = normed(dice, &dims);
    let relu = dice.one_in(2);
    let passes = |i: usize| !relu || norm.y.value[i] > 0.0;
    let dy = values(dice, &dims).data;
    let dy: Vec<f64> = dy.iter().enumerate().map(|(i, g)| if norm.y.may_be(i, 0.0) { 0.0 } else { *g }).collect();
    let open: Vec<f64> = dy.iter().enumerate().map(|(i, g)| if passes(i) { *g } else { 0.0 }).collect();
    let (grads, make, shape) = (norm.back(&open), norm.kernel(relu), norm.shape(relu));
    let y = if relu { norm.y.rectified() } else { norm.y };
    Call { dims, y, dy, grads, inputs: [norm.x, norm.weight, norm.bias] }.trial(shape, make)
}

#[test]
fn batch_norms() {
    campaign("batch norm", batch_norm);
}

/// The statistics are those of the batch, or those given.
#[test]
fn statistics_of_batch_norms() {
    campaign("statistics of batch norm", |dice| {
        let dims = dims(dice);
        let norm = normed(dice, &dims);
        let (make, shape) = (norm.kernel(false), norm.shape(false));
        let run = move || {
            use mtlc::ops::kernel::{Kernel, View};
            let kernel = make();
            let data = [&norm.x, &norm.weight, &norm.bias].map(Array::typed::<f32>);
            let shapes = [&norm.x.dims, &norm.weight.dims, &norm.bias.dims];
            let views = std::array::from_fn(|i| View { data: &data[i], dims: shapes[i] });
            Kernel::<3>::forward(&kernel, views).map_err(|e| e.to_string())?;
            let used = kernel.used.get().ok_or("no statistics are kept")?;
            let far = norm.x.data.iter().fold(0f64, |m, v| m.max(v.abs()));
            let (mut mean, mut inverse) = (Expected::zeros(0, norm.y.terms), Expected::zeros(0, norm.y.terms));
            for (m, i) in norm.mean.iter().zip(&norm.inverse) {
                mean.push(*m, far.max(m.abs()));
                // The error of a value, as a share of the deviation.
                inverse.push(*i, i * (1.0 + (far + m.abs()) * i));
            }
            let of = |v: &[f64]| v.iter().map(|v| *v as f32).collect::<Vec<_>>();
            let found: Vec<f64> = used.var.iter().map(|v| 1.0 / (v + norm.eps).sqrt()).collect();
            Ok(mean.compare("mean", &of(&used.mean))? + inverse.compare("one over the deviation", &of(&found))?)
        };
        Trial { shape, run: Box::new(run) }
    });
}

fn batch_pool(dice: &mut Dice) -> Trial {
    let (dims, k) = loop {
        let (dims, k) = (dims(dice), dice.pick(&[1, 2, 2, 3, 4, 15]));
        if dims.len() == 4 && k <= dims[2] {
            break (dims, k);
        }
    };
    let norm = normed(dice, &dims);
    let relu = dice.one_in(2);
    let window = Window { kernel: k, stride: k, padding: 0, dilation: 1 };
    let rectified = if relu { norm.y.rectified() } else { norm.y.clone() };
    let won = winners(&window, dims[2], dims[3], &rectified.value);
    let all = values(dice, &[won.len()]).data;
    let (mut y, mut dy) = (Expected { terms: norm.y.terms, ..Expected::default() }, vec![0.0; won.len()]);
    let mut open = vec![0.0; norm.x.data.len()];
    for (i, (places, winner)) in won.iter().enumerate() {
        let size = places.iter().map(|at| norm.y.size[*at]).fold(0.0, f64::max);
        y.push(rectified.value[*winner], size);
        // Equal values stay equal, and the first of them wins.
        let close = |at: &usize| norm.y.may_swap(*at, *winner) && norm.x.data[*at] != norm.x.data[*winner];
        let passes = !relu || norm.y.value[*winner] > 0.0;
        if !(places.iter().any(close) || relu && norm.y.may_be(*winner, 0.0)) {
            dy[i] = all[i];
            open[*winner] += if passes { all[i] } else { 0.0 };
        }
    }
    let grads = norm.back(&open);
    let (make, shape) = (norm.kernel(relu), format!("{}, windows of {k}", norm.shape(relu)));
    let dims = vec![dims[0], dims[1], dims[2] / k, dims[3] / k];
    Call { dims, y, dy, grads, inputs: [norm.x, norm.weight, norm.bias] }
        .trial(shape, move || BatchPool { norm: make(), k })
}

#[test]
fn batch_norms_with_a_max_pool() {
    campaign("batch norm, max pool", batch_pool);
}

fn normalise(dice: &mut Dice) -> Trial {
    let most = if dice.one_in(8) { 300_000 } else { 20_000 };
    let draw =
        [dice.size(&[1, 16, 32], 100), dice.size(&[1, 4], 8), dice.size(&[1, 16, 64], 300), dice.size(&PLANES, 5000)];
    let [n, groups, channels, mut pixels] = dice.fit(draw, most);
    if dice.one_in(3) {
        pixels = 1;
    }
    let dims = [n, groups * channels, pixels];
    let (x, len, total) = (around_means(dice, &dims), channels * pixels, groups * channels);
    let (weight, bias) = (reals(dice, &[total], -1.5, 1.5), values(dice, &[total]));
    let dy = values(dice, &dims).data;
    let eps = 1e-5;
    let (mut y, mut dx) = (Expected::zeros(0, len), Expected::zeros(0, len));
    let (mut dw, mut db) = (Expected::zeros(total, n * pixels), Expected::zeros(total, n * pixels));
    for (s, (xs, gs)) in x.data.chunks(len).zip(dy.chunks(len)).enumerate() {
        let mean = Sums::mean(xs.iter().copied());
        let about = Sums::mean(xs.iter().map(|v| v.abs()));
        let var = Sums::mean(xs.iter().map(|v| (v - mean).powi(2)));
        let inverse = 1.0 / (var + eps).sqrt();
        let channel = |i: usize| s % groups * channels + i / pixels;
        let (mut base, mut lean) = ([0.0; 2], [0.0; 2]);
        for (i, (v, g)) in xs.iter().zip(gs).enumerate() {
            let (w, far) = (weight.data[channel(i)], (v.abs() + about) * inverse);
            let b = bias.data[channel(i)];
            y.push((v - mean) * inverse * w + b, far * w.abs() + b.abs());
            dw.add(channel(i), g * (v - mean) * inverse, g.abs() * far);
            db.add(channel(i), *g, g.abs());
            base = [base[0] + g * w / len as f64, base[1] + (g * w).abs() / len as f64];
            lean[0] += g * w * (v - mean) * inverse / len as f64;
            lean[1] += (g * w).abs() * far / len as f64;
        }
        for (i, (v, g)) in xs.iter().zip(gs).enumerate() {
            let (w, far) = (weight.data[channel(i)], (v.abs() + about) * inverse);
            let value = g * w - base[0] - (v - mean) * inverse * lean[0];
            dx.push(inverse * value, inverse * ((g * w).abs() + base[1] + far * lean[1]));
        }
    }
    let shape = format!("{n} samples, {groups} groups of {channels} channels of {pixels}");
    let call = Call { dims: dims.to_vec(), y, dy, grads: [Some(dx), Some(dw), Some(db)], inputs: [x, weight, bias] };
    call.trial(shape, move || Normalise { eps, groups, channels, pixels })
}

#[test]
fn layer_and_group_norms() {
    campaign("layer and group norm", normalise);
}

#[test]
fn softmax() {
    campaign("softmax", |dice| {
        let draw = [dice.size(&[1, 64], 200), dice.size(&[1, 2, 16, 64], 1500)];
        let [n, k] = dice.fit(draw, 20_000);
        let wide = dice.pick(&[1.0, 10.0, 80.0]);
        let x = reals(dice, &[n, k], -wide, wide);
        let dy = values(dice, &[n, k]).data;
        let (mut y, mut dx) = (Expected::zeros(0, k), Expected::zeros(0, k));
        for (xs, gs) in x.data.chunks(k).zip(dy.chunks(k)) {
            let top = xs.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
            let sum: f64 = xs.iter().map(|v| (v - top).exp()).sum();
            let p: Vec<f64> = xs.iter().map(|v| (v - top).exp() / sum).collect();
            let dot: f64 = p.iter().zip(gs).map(|(p, g)| p * g).sum();
            let all: f64 = p.iter().zip(gs).map(|(p, g)| (p * g).abs() * (1.0 + 4.0 * wide)).sum();
            for (p, g) in p.iter().zip(gs) {
                // The error of an exponential grows with its argument.
                y.push(*p, p * (1.0 + 4.0 * wide));
                dx.push(p * (g - dot), p * (1.0 + 4.0 * wide) * (g.abs() + all));
            }
        }
        let call = Call { dims: vec![n, k], y, dy, grads: [Some(dx)], inputs: [x] };
        call.trial(format!("[{n}, {k}], logits up to {wide}"), || Softmax)
    });
}
