//! Convolutions: by matrix products, depthwise, and with a ReLU and a max pool at the end.

use mtlc::ops::input::Window;
use mtlc::ops::kernel::conv::Conv;
use mtlc::ops::kernel::conv_pool::ConvPool;

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::{budget, values};
use crate::expected::{Array, Call, Expected};
use crate::pools::{self, winners};
use crate::products::incoming;

/// Vectors and panels of channels.
const CHANNELS: [usize; 6] = [1, 4, 16, 48, 64, 130];
/// Small images, and pixels around the numbers that are worked on at once: 16, 32 and 512.
const SIDES: [usize; 7] = [1, 2, 4, 6, 8, 16, 23];

/// One convolution with all its sizes.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    pub n: usize,
    pub ci: usize,
    pub co: usize,
    pub h: usize,
    pub w: usize,
    pub groups: usize,
    pub window: Window,
}

impl Sizes {
    fn out(&self) -> [usize; 2] {
        [self.window.count(self.h), self.window.count(self.w)]
    }

    /// Multiplications.
    fn work(&self) -> usize {
        let [oh, ow] = self.out();
        self.n * self.co * oh * ow * self.ci / self.groups * self.window.kernel.pow(2)
    }

    /// Indices of output, input and weight of every multiplication.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let ([oh, ow], Window { kernel, stride, padding, dilation }) = (self.out(), self.window);
        let (cig, cog) = (self.ci / self.groups, self.co / self.groups);
        for n in 0..self.n {
            for o in 0..self.co {
                for y in 0..oh {
                    for x in 0..ow {
                        let out = ((n * self.co + o) * oh + y) * ow + x;
                        for c in 0..cig {
                            for ky in 0..kernel {
                                let row = (y * stride + ky * dilation).wrapping_sub(padding);
                                if row >= self.h {
                                    continue;
                                }
                                for kx in 0..kernel {
                                    let column = (x * stride + kx * dilation).wrapping_sub(padding);
                                    if column >= self.w {
                                        continue;
                                    }
                                    let from = o / cog * cig + c;
                                    let at = ((n * self.ci + from) * self.h + row) * self.w + column;
                                    f(out, at, ((o * cig + c) * kernel + ky) * kernel + kx);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A window that fits, of one of many kinds.
fn window(dice: &mut Dice, h: usize, w: usize) -> Window {
    loop {
        let kernel = dice.pick(&[1, 1, 2, 3, 3, 3, 4, 5, 7]);
        let dilation = if dice.one_in(4) { dice.between(2, 3) } else { 1 };
        let stride = if dice.one_in(2) { 1 } else { dice.between(1, 4) };
        let padding = match dice.between(0, 3) {
            0 => 0,
            1 | 2 => (kernel - 1) * dilation / 2,
            _ => dice.between(0, kernel * dilation + 1),
        };
        let window = Window { kernel, stride, padding, dilation };
        if window.span() <= h.min(w) + 2 * padding {
            return window;
        }
    }
}

fn sizes(dice: &mut Dice, depthwise: bool) -> Sizes {
    let budget = budget(dice);
    let mut n = dice.size(&[1, 8, 16], 40);
    let [mut h, mut w] = [dice.size(&SIDES, 40), dice.size(&SIDES, 40)];
    if dice.one_in(2) {
        w = h;
    }
    let groups = match depthwise {
        true => dice.size(&CHANNELS, 70).max(2),
        false if dice.one_in(4) => dice.between(2, 4),
        false => 1,
    };
    let [mut from, mut to] = [dice.size(&CHANNELS, 200), dice.size(&CHANNELS, 200)];
    if depthwise {
        (from, to) = (1, if dice.one_in(2) { 1 } else { dice.between(1, 3) });
    }
    loop {
        let s = Sizes { n, ci: from * groups, co: to * groups, h, w, groups, window: window(dice, h, w) };
        if s.work() <= budget {
            return s;
        }
        match dice.between(0, 3) {
            0 => n = dice.between(1, n.div_ceil(2)),
            1 if h > 8 || w > 8 => (h, w) = (dice.between(1, h), dice.between(1, w)),
            2 if !depthwise => from = dice.between(1, from.div_ceil(2)),
            _ if !depthwise => to = dice.between(1, to.div_ceil(2)),
            _ => n = dice.between(1, n.div_ceil(2)),
        }
    }
}

/// Input, weight, bias, and the sums before a ReLU.
struct Drawn {
    sizes: Sizes,
    relu: bool,
    bias: Option<Array>,
    x: Array,
    weight: Array,
    sums: Expected,
    broken: bool,
}

fn drawn(dice: &mut Dice, sizes: Sizes) -> Drawn {
    let (s, [oh, ow]) = (sizes, sizes.out());
    let k = s.window.kernel;
    let mut x = values(dice, &[s.n, s.ci, s.h, s.w]);
    let weight = values(dice, &[s.co, s.ci / s.groups, k, k]);
    let bias = dice.one_in(2).then(|| values(dice, &[s.co]));
    let broken = dice.one_in(20);
    if broken {
        let at = dice.between(0, x.data.len() - 1);
        x.data[at] = f64::NAN;
    }
    let mut sums = Expected::zeros(s.n * s.co * oh * ow, s.ci / s.groups * k * k + 1);
    if let Some(bias) = &bias {
        (0..sums.value.len()).for_each(|i| {
            let b = bias.data[i / (oh * ow) % s.co];
            sums.add(i, b, b.abs());
        });
    }
    s.each(|out, at, w| {
        let product = x.data[at] * weight.data[w];
        sums.value[out] += product;
        sums.size[out] += product.abs();
    });
    Drawn { sizes, relu: dice.one_in(2), bias, x, weight, sums, broken }
}

impl Drawn {
    /// Gradients of input, weight and bias from the gradient of the sums.
    fn back(&self, dsums: &Expected) -> [Expected; 3] {
        let (s, [oh, ow]) = (self.sizes, self.sizes.out());
        let mut dx = Expected::zeros(self.x.data.len(), s.co * s.window.kernel.pow(2));
        let mut dw = Expected::zeros(self.weight.data.len(), s.n * oh * ow);
        let mut db = Expected::zeros(s.co, s.n * oh * ow);
        s.each(|out, at, w| {
            let (g, size) = (dsums.value[out], dsums.size[out]);
            let (of_x, of_w) = (self.weight.data[w], self.x.data[at]);
            dx.add(at, g * of_x, size * of_x.abs());
            dw.add(w, g * of_w, size * of_w.abs());
        });
        let all = dsums.value.iter().zip(&dsums.size).enumerate();
        all.for_each(|(i, (g, size))| db.add(i / (oh * ow) % s.co, *g, *size));
        [dx, dw, db]
    }

    fn shape(&self) -> String {
        let Drawn { sizes, relu, bias, broken, .. } = self;
        format!("{sizes:?}, relu {relu}, bias {}, with a NaN {broken}", bias.is_some())
    }
}

fn conv(dice: &mut Dice, depthwise: bool) -> Trial {
    let sizes = sizes(dice, depthwise);
    let d = drawn(dice, sizes);
    let (relu, shape) = (d.relu, d.shape());
    let [dy, open] = incoming(dice, &d.sums, relu);
    let grads = if d.broken { [None, None, None] } else { d.back(&Expected::exact(&open)).map(Some) };
    let [oh, ow] = sizes.out();
    let dims = vec![sizes.n, sizes.co, oh, ow];
    let y = if relu { d.sums.rectified() } else { d.sums };
    let kernel = Conv { window: sizes.window, groups: sizes.groups, relu };
    let [dx, dw, db] = grads;
    match d.bias {
        Some(bias) => {
            Call { inputs: [d.x, d.weight, bias], dims, y, dy, grads: [dx, dw, db] }.trial(shape, move || kernel)
        }
        None => Call { inputs: [d.x, d.weight], dims, y, dy, grads: [dx, dw] }.trial(shape, move || kernel),
    }
}

#[test]
fn convolutions() {
    campaign("conv", |dice| conv(dice, false));
}

#[test]
fn depthwise_convolutions() {
    campaign("depthwise conv", |dice| conv(dice, true));
}

fn conv_pool(dice: &mut Dice) -> Trial {
    // A convolution whose output a window fits into.
    let depthwise = dice.one_in(4);
    let (sizes, pool) = loop {
        let sizes = sizes(dice, depthwise);
        let [oh, ow] = sizes.out();
        if let Some(pool) = pools::window(dice, oh, ow) {
            break (sizes, pool);
        }
    };
    let mut d = drawn(dice, sizes);
    d.relu = true;
    let shape = format!("{}, then {pool:?}", d.shape());
    let [oh, ow] = sizes.out();
    let rectified = d.sums.rectified();
    let won = winners(&pool, oh, ow, &rectified.value);
    let dy = values(dice, &[won.len()]).data;
    // A place that won in several windows gets the sum of their gradients.
    let mut dsums = Expected::zeros(d.sums.value.len(), pool.kernel.pow(2));
    let mut given = vec![0.0; won.len()];
    let mut y = Expected { terms: d.sums.terms, ..Expected::default() };
    for (i, (window, winner)) in won.iter().enumerate() {
        // Where rounding decides, the result is as far off as the least exact of the window may be.
        let size = window.iter().map(|at| d.sums.size[*at]).fold(0.0, f64::max);
        y.push(rectified.value[*winner], size);
        let close = window.iter().any(|at| at != winner && d.sums.may_swap(*at, *winner));
        if d.sums.value[*winner] > 0.0 && !d.sums.may_be(*winner, 0.0) && !close {
            given[i] = dy[i];
            dsums.add(*winner, dy[i], dy[i].abs());
        }
    }
    let grads = if d.broken { [None, None, None] } else { d.back(&dsums).map(Some) };
    let dims = vec![sizes.n, sizes.co, pool.count(oh), pool.count(ow)];
    let conv = Conv { window: sizes.window, groups: sizes.groups, relu: true };
    let [dx, dw, db] = grads;
    match d.bias {
        Some(bias) => Call { inputs: [d.x, d.weight, bias], dims, y, dy: given, grads: [dx, dw, db] }
            .trial(shape, move || ConvPool::new(conv, pool)),
        None => Call { inputs: [d.x, d.weight], dims, y, dy: given, grads: [dx, dw] }
            .trial(shape, move || ConvPool::new(conv, pool)),
    }
}

#[test]
fn convolutions_with_a_relu_and_a_max_pool() {
    campaign("conv, relu, max pool", conv_pool);
}
