//! Linear maps, alone and as siblings.

use candle_core::{DType, Device, Tensor};
use mtlc::ops::grad::Grad;
use mtlc::ops::kernel::linear::Linear;
use mtlc::ops::kernel::siblings;

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::{budget, values};
use crate::expected::{Array, Call, Expected, Rounded};

/// Vectors, tiles, panels, packed rows and terms, terms whose panel stays in cache, panels from which on the left factor is packed.
const SIZES: [usize; 14] = [1, 6, 8, 12, 16, 24, 48, 64, 128, 144, 170, 256, 449, 512];

/// Rows, what they read, outputs.
fn sizes(dice: &mut Dice) -> [usize; 3] {
    let budget = budget(dice);
    let mut draw = [(); 3].map(|()| dice.size(&SIZES, 2100));
    // Which factor is packed follows from the order of the sizes.
    if dice.one_in(4) {
        draw[0] = (draw[dice.between(1, 2)] + dice.between(0, 2)).saturating_sub(1).max(1);
    }
    dice.fit(draw, budget)
}

/// One linear map: the sums before a ReLU.
fn forward(x: &[f64], weight: &[f64], bias: Option<&[f64]>, [rows, k, to]: [usize; 3]) -> Expected {
    let mut y = Expected::zeros(rows * to, k + 1);
    for r in 0..rows {
        for o in 0..to {
            let (mut value, mut size) = bias.map_or((0.0, 0.0), |b| (b[o], b[o].abs()));
            for (x, w) in x[r * k..(r + 1) * k].iter().zip(&weight[o * k..(o + 1) * k]) {
                value += x * w;
                size += (x * w).abs();
            }
            y.add(r * to + o, value, size);
        }
    }
    y
}

/// Adds `dy W` to the gradient of what was read.
fn back_to_input(dx: &mut Expected, weight: &[f64], dy: &[f64], [rows, k, to]: [usize; 3]) {
    for r in 0..rows {
        for o in 0..to {
            let g = dy[r * to + o];
            for i in 0..k {
                dx.add(r * k + i, g * weight[o * k + i], (g * weight[o * k + i]).abs());
            }
        }
    }
}

/// Gradients of weight and bias.
fn back_to_weights(x: &[f64], dy: &[f64], [rows, k, to]: [usize; 3]) -> [Expected; 2] {
    let (mut dw, mut db) = (Expected::zeros(to * k, rows), Expected::zeros(to, rows));
    for r in 0..rows {
        for o in 0..to {
            let g = dy[r * to + o];
            db.add(o, g, g.abs());
            for i in 0..k {
                dw.add(o * k + i, g * x[r * k + i], (g * x[r * k + i]).abs());
            }
        }
    }
    [dw, db]
}

/// A gradient that comes in, 0 where rounding may decide whether it passes a ReLU; and what passes.
pub fn incoming(dice: &mut Dice, sums: &Expected, relu: bool) -> [Vec<f64>; 2] {
    let dy = values(dice, &[sums.value.len()]).data.into_iter().enumerate();
    let given: Vec<f64> = dy.map(|(i, g)| if relu && sums.may_be(i, 0.0) { 0.0 } else { g }).collect();
    let passes = given.iter().zip(&sums.value).map(|(g, v)| if relu && *v <= 0.0 { 0.0 } else { *g }).collect();
    [given, passes]
}

fn linear(dice: &mut Dice) -> Trial {
    let sizes @ [rows, k, to] = sizes(dice);
    let (relu, with_bias) = (dice.one_in(2), dice.one_in(2));
    // Samples may have rows of their own.
    let dims = match (2..=4).find(|n| rows.is_multiple_of(*n)) {
        Some(n) if dice.one_in(4) => vec![rows / n, n, k],
        _ => vec![rows, k],
    };
    let (mut x, weight, bias) = (values(dice, &dims), values(dice, &[to, k]), values(dice, &[to]));
    let broken = dice.one_in(20);
    if broken {
        let at = dice.between(0, x.data.len() - 1);
        x.data[at] = dice.pick(&[f64::NAN, f64::INFINITY]);
    }
    let sums = forward(&x.data, &weight.data, with_bias.then_some(&bias.data), sizes);
    // What is not a number is followed forward alone.
    let [dy, open] = if broken { [vec![0.0; rows * to], Vec::new()] } else { incoming(dice, &sums, relu) };
    let [dx, dw, db] = if broken {
        [None, None, None]
    } else {
        let mut dx = Expected::zeros(rows * k, to);
        back_to_input(&mut dx, &weight.data, &open, sizes);
        let [dw, db] = back_to_weights(&x.data, &open, sizes);
        [Some(dx), Some(dw), Some(db)]
    };
    let y = if relu { sums.rectified() } else { sums };
    let out: Vec<usize> = [&dims[..dims.len() - 1], &[to]].concat();
    let shape = format!("linear of {dims:?} to {to}, relu {relu}, bias {with_bias}");
    if with_bias {
        let call = Call { inputs: [x, weight, bias], dims: out, y, dy, grads: [dx, dw, db] };
        return call.trial(shape, move || Linear { relu });
    }
    Call { inputs: [x, weight], dims: out, y, dy, grads: [dx, dw] }.trial(shape, move || Linear { relu })
}

#[test]
fn linear_maps() {
    campaign("linear", linear);
}

/// A single output reads its factors as rows and as columns: every number of inputs around each threshold, with one sample and more.
#[test]
fn linear_maps_of_one_output() {
    campaign("linear of one output", |dice| {
        let (rows, k) = (dice.size(&[2, 24, 48], 100), dice.size(&[64, 448, 512, 896, 1024], 3000));
        let sizes = [rows, k, 1];
        let (x, weight) = (values(dice, &[rows, k]), values(dice, &[1, k]));
        let y = forward(&x.data, &weight.data, None, sizes);
        let dy = values(dice, &[rows]).data;
        let mut dx = Expected::zeros(rows * k, 1);
        back_to_input(&mut dx, &weight.data, &dy, sizes);
        let [dw, _] = back_to_weights(&x.data, &dy, sizes);
        let call = Call { inputs: [x, weight], dims: vec![rows, 1], y, dy, grads: [Some(dx), Some(dw)] };
        call.trial(format!("linear of [{rows}, {k}] to 1"), || Linear { relu: false })
    });
}

/// Several maps of one value.
struct Family {
    x: Array,
    /// Weight and bias of each.
    maps: Vec<(Array, Option<Array>)>,
    relu: bool,
    /// Outputs of each, and the gradients that come in, of some.
    y: Vec<Expected>,
    dy: Vec<(usize, Array)>,
    dx: Expected,
    dweights: Vec<[Expected; 2]>,
}

fn family(dice: &mut Dice) -> (String, Family) {
    let count = dice.between(2, 20);
    let budget = budget(dice);
    let mut outputs: Vec<usize> = (0..count).map(|_| dice.size(&[1, 16, 48, 63], 63)).collect();
    // From some number of outputs on, each is computed alone.
    if dice.one_in(12) {
        outputs[0] = dice.between(64, 70);
    }
    let width: usize = outputs.iter().sum();
    let [rows, k] = [dice.size(&SIZES, 600), dice.size(&SIZES, 1100)];
    let [rows, k] = dice.fit([rows, k], (budget / width).max(1));
    let (relu, bias) = (dice.one_in(2), dice.one_in(2));
    let x = values(dice, &[rows, k]);
    let maps: Vec<(Array, Option<Array>)> =
        outputs.iter().map(|to| (values(dice, &[*to, k]), bias.then(|| values(dice, &[*to])))).collect();
    let mut dx = Expected::zeros(rows * k, width);
    let (mut y, mut all, mut dweights) = (Vec::new(), Vec::new(), Vec::new());
    let none = dice.between(0, count - 1);
    for (i, ((weight, bias), to)) in maps.iter().zip(&outputs).enumerate() {
        let sizes = [rows, k, *to];
        let sums = forward(&x.data, &weight.data, bias.as_ref().map(|b| &b.data[..]), sizes);
        if i != none {
            let [dy, open] = incoming(dice, &sums, relu);
            back_to_input(&mut dx, &weight.data, &open, sizes);
            dweights.push(back_to_weights(&x.data, &open, sizes));
            all.push((i, Array { dims: vec![rows, *to], data: dy }));
        }
        y.push(if relu { sums.rectified() } else { sums });
    }
    let shape =
        format!("siblings of [{rows}, {k}] to {outputs:?}, relu {relu}, bias {bias}, without a gradient of {none}");
    (shape, Family { x, maps, relu, y, dy: all, dx, dweights })
}

impl Family {
    fn compare<T: Rounded>(&self, dtype: DType) -> Result<usize, String> {
        let tensor = |a: &Array| Tensor::from_vec(a.typed::<T>(), a.dims.clone(), &Device::Cpu).expect("a tensor");
        let values = |t: Tensor| {
            assert_eq!(t.dtype(), dtype);
            t.flatten_all().and_then(|t| t.to_vec1::<T>()).expect("numbers")
        };
        let weights: Vec<Vec<Tensor>> =
            self.maps.iter().map(|(w, b)| std::iter::once(w).chain(b).map(tensor).collect()).collect();
        let joined = siblings::forward(&tensor(&self.x), &weights, self.relu).map_err(|e| e.to_string())?;
        // Few rows, or many outputs: each is computed alone, which the test of linear maps compares.
        let Some(joined) = joined else { return Ok(0) };
        let mut compared = 0;
        for (i, (y, expected)) in joined.outputs.into_iter().zip(&self.y).enumerate() {
            compared += expected.compare(&format!("output {i}"), &values(y))?;
        }
        let grads: Vec<(usize, Grad)> =
            self.dy.iter().map(|(i, dy)| (*i, Grad::of(&tensor(dy)).expect("a gradient"))).collect();
        for (wanted, last) in [([true, false], false), ([false, true], false), ([true, true], true)] {
            let found = joined.back.backward(grads.clone(), wanted, last).map_err(|e| e.to_string())?;
            if wanted[0] {
                let dx = found.x.ok_or("no gradient of what they read")?.tensor(&Device::Cpu).expect("a tensor");
                compared += self.dx.compare("gradient of what they read", &values(dx))?;
            }
            if wanted[1] {
                for ((i, found), expected) in found.weights.into_iter().zip(&self.dweights) {
                    for (grad, expected) in found.into_iter().zip(expected) {
                        let grad = grad.ok_or("no gradient of a weight")?.tensor(&Device::Cpu).expect("a tensor");
                        compared += expected.compare(&format!("gradient of the weights of {i}"), &values(grad))?;
                    }
                }
            }
        }
        Ok(compared)
    }
}

#[test]
fn siblings_together() {
    campaign("siblings", |dice| {
        let (shape, family) = family(dice);
        let run = move || Ok(family.compare::<f32>(DType::F32)? + family.compare::<f64>(DType::F64)?);
        Trial { shape, run: Box::new(run) }
    });
}
