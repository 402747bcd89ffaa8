//! Pools over windows, pools over planes, and upsampling.

use mtlc::ops::input::Window;
use mtlc::ops::kernel::resample::Upsample;
use mtlc::ops::kernel::window::{Average, Global, Max};

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::values;
use crate::expected::{Call, Expected};

/// Sides of images: small ones, and one whose plane is all that a task reads, 128 x 128.
const SIDES: [usize; 8] = [1, 2, 3, 4, 8, 16, 32, 128];

/// A window that fits, its padding at most half of it; none if none was found.
pub fn window(dice: &mut Dice, h: usize, w: usize) -> Option<Window> {
    (0..20).find_map(|_| {
        let kernel = dice.between(1, 4);
        let stride = if dice.one_in(2) { kernel } else { dice.between(1, 4) };
        let padding = if dice.one_in(2) { 0 } else { dice.between(0, kernel / 2) };
        let window = Window { kernel, stride, padding, dilation: 1 };
        (kernel <= h.min(w) + 2 * padding).then_some(window)
    })
}

/// `[n, c, h, w]`.
fn image(dice: &mut Dice) -> [usize; 4] {
    let most = if dice.one_in(10) { 400_000 } else { 20_000 };
    let draw = [dice.size(&[1, 4], 20), dice.size(&[1, 16], 40), dice.size(&SIDES, 150), dice.size(&SIDES, 150)];
    dice.fit(draw, most)
}

fn image_with_window(dice: &mut Dice) -> ([usize; 4], Window) {
    loop {
        let dims = image(dice);
        if let Some(window) = window(dice, dims[2], dims[3]) {
            return (dims, window);
        }
    }
}

/// Of every window of every plane the places on the image, row by row.
fn places(window: &Window, h: usize, w: usize, planes: usize) -> Vec<Vec<usize>> {
    let along = |i: usize, size: usize| {
        let taps = (0..window.kernel).map(move |k| (i * window.stride + k).wrapping_sub(window.padding));
        taps.filter(move |at| *at < size).collect::<Vec<_>>()
    };
    let mut all = Vec::new();
    for plane in 0..planes {
        for y in 0..window.count(h) {
            for x in 0..window.count(w) {
                let columns = along(x, w);
                let place = |row: usize| columns.iter().map(move |column| (plane * h + row) * w + column);
                all.push(along(y, h).into_iter().flat_map(place).collect());
            }
        }
    }
    all
}

/// Places and the first largest of every window; the last NaN where there is one.
pub fn winners(window: &Window, h: usize, w: usize, x: &[f64]) -> Vec<(Vec<usize>, usize)> {
    let all = places(window, h, w, x.len() / (h * w)).into_iter();
    all.map(|places| {
        let larger = |best: usize, at: usize| if x[at] > x[best] || x[at].is_nan() { at } else { best };
        let winner = places.iter().copied().reduce(larger).expect("a window lies on the image");
        (places, winner)
    })
    .collect()
}

#[test]
fn max_pools() {
    campaign("max pool", |dice| {
        let (dims @ [n, c, h, w], window) = image_with_window(dice);
        let mut x = values(dice, &dims);
        if dice.one_in(10) {
            let at = dice.between(0, x.data.len() - 1);
            x.data[at] = dice.pick(&[f64::NAN, f64::NEG_INFINITY]);
        }
        let won = winners(&window, h, w, &x.data);
        let dy = values(dice, &[won.len()]).data;
        let (mut y, mut dx) = (Expected::default(), Expected::zeros(x.data.len(), window.kernel.pow(2)));
        for ((_, winner), g) in won.iter().zip(&dy) {
            // A maximum is exact.
            y.push(x.data[*winner], 0.0);
            dx.add(*winner, *g, g.abs());
        }
        let dims = vec![n, c, window.count(h), window.count(w)];
        Call { dims, y, dy, grads: [Some(dx)], inputs: [x] }
            .trial(format!("{window:?} over {:?}", [n, c, h, w]), move || Max::new(window))
    });
}

#[test]
fn average_pools() {
    campaign("avg pool", |dice| {
        let (dims @ [n, c, h, w], window) = image_with_window(dice);
        let count_padding = dice.one_in(2);
        let x = values(dice, &dims);
        let all = places(&window, h, w, n * c);
        let dy = values(dice, &[all.len()]).data;
        let terms = window.kernel.pow(2);
        let (mut y, mut dx) = (Expected::zeros(all.len(), terms), Expected::zeros(x.data.len(), terms));
        for (i, (places, g)) in all.iter().zip(&dy).enumerate() {
            let count = if count_padding { terms } else { places.len() } as f64;
            for at in places {
                y.add(i, x.data[*at] / count, (x.data[*at] / count).abs());
                dx.add(*at, g / count, (g / count).abs());
            }
        }
        let dims = vec![n, c, window.count(h), window.count(w)];
        let shape = format!("{window:?} over {:?}, padding counts {count_padding}", [n, c, h, w]);
        Call { dims, y, dy, grads: [Some(dx)], inputs: [x] }.trial(shape, move || Average { window, count_padding })
    });
}

#[test]
fn global_average_pools() {
    campaign("global avg pool", |dice| {
        let dims @ [n, c, h, w] = image(dice);
        let (x, p) = (values(dice, &dims), (h * w) as f64);
        let dy = values(dice, &[n * c]).data;
        let (mut y, mut dx) = (Expected::zeros(n * c, h * w), Expected::default());
        for (i, v) in x.data.iter().enumerate() {
            y.add(i / (h * w), v / p, (v / p).abs());
            dx.push(dy[i / (h * w)] / p, (dy[i / (h * w)] / p).abs());
        }
        let call = Call { dims: vec![n, c], y, dy, grads: [Some(dx)], inputs: [x] };
        call.trial(format!("{dims:?}"), || Global)
    });
}

/// The two pixels that an output pixel lies between along one dimension, and the share of the second.
fn between(i: usize, size: usize, factor: usize, bilinear: bool) -> [(usize, f64); 2] {
    if !bilinear {
        return [(i / factor, 1.0), (i / factor, 0.0)];
    }
    let at = ((2 * i + 1) as f64 / (2 * factor) as f64 - 0.5).clamp(0.0, (size - 1) as f64);
    let share = at - at.floor();
    [(at.floor() as usize, 1.0 - share), ((at.floor() as usize + 1).min(size - 1), share)]
}

fn upsample(dice: &mut Dice) -> Trial {
    let (factor, bilinear) = (dice.between(1, 4), dice.one_in(2));
    let draw = [dice.between(1, 6), dice.between(1, 12), dice.size(&SIDES, 40), dice.size(&SIDES, 40)];
    let dims @ [n, c, h, w] = dice.fit(draw, 4000);
    let x = values(dice, &dims);
    let (oh, ow) = (h * factor, w * factor);
    let dy = values(dice, &[n * c * oh * ow]).data;
    let (mut y, mut dx) = (Expected::zeros(dy.len(), 8), Expected::zeros(x.data.len(), 4 * factor * factor));
    for (i, g) in dy.iter().enumerate() {
        let (plane, row, column) = (i / (oh * ow), i / ow % oh, i % ow);
        for (row, of_row) in between(row, h, factor, bilinear) {
            for (column, of_column) in between(column, w, factor, bilinear) {
                let at = (plane * h + row) * w + column;
                let share = of_row * of_column;
                // Differences are added up, which may be twice as large as what they are of.
                y.add(i, x.data[at] * share, 3.0 * x.data[at].abs());
                dx.add(at, g * share, 3.0 * g.abs());
            }
        }
    }
    let call = Call { dims: vec![n, c, oh, ow], y, dy, grads: [Some(dx)], inputs: [x] };
    call.trial(format!("{dims:?} by {factor}, bilinear {bilinear}"), move || Upsample { factor, bilinear })
}

#[test]
fn upsampling() {
    campaign("upsample", upsample);
}
