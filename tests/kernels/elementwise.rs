//! Kernels of one element at a time: activations, ReLU, and the scale and bias of the last dimension.

use candle_core::{Device, Tensor, Var};
use mtlc::ops::kernel::relu::Relu;
use mtlc::ops::kernel::rows::{Scale, Shift};
use mtlc::ops::{self, Pass, TensorType};
use mtlc::random::Randomness;
use mtlc::schema::{Args, Need, Ty, Value};
use mtlc::source::{FileId, Span, Spanned};

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::{reals, values};
use crate::expected::{Array, Call, Expected, Rounded};

/// Numbers of one task, and from where on there are several.
const LENGTHS: [usize; 5] = [1, 8, 16, 1 << 15, 1 << 18];

fn length(dice: &mut Dice) -> usize {
    let most = if dice.one_in(12) { 300_000 } else { 40_000 };
    dice.size(&LENGTHS, most)
}

#[test]
fn relu() {
    campaign("relu", |dice| {
        let n = length(dice);
        let mut x = values(dice, &[n]);
        let dy = values(dice, &[n]).data;
        let grad = x.data.iter().zip(&dy).map(|(x, g)| if *x > 0.0 { *g } else { 0.0 }).collect();
        if dice.one_in(10) {
            x.data[n / 2] = f64::NAN;
        }
        // Nothing is rounded. A NaN passes its gradient on.
        let exact = |value: Vec<f64>| Expected { size: vec![0.0; n], value, terms: 1 };
        let y = exact(x.data.clone()).rectified();
        let mut dx = exact(grad);
        if x.data[n / 2].is_nan() {
            dx.value[n / 2] = dy[n / 2];
        }
        let call = Call { dims: vec![n], y, dy, grads: [Some(dx)], inputs: [x] };
        call.trial(format!("[{n}]"), || Relu)
    });
}

fn rows(dice: &mut Dice) -> [usize; 2] {
    let most = length(dice).max(1000);
    let draw = [dice.size(&[1, 64, 128], 5000), dice.size(&[1, 16, 128, 256], 1000)];
    dice.fit(draw, most)
}

#[test]
fn scale() {
    campaign("scale", |dice| {
        let [n, k] = rows(dice);
        let (x, v, dy) = (values(dice, &[n, k]), values(dice, &[k]), values(dice, &[n, k]).data);
        let (mut y, mut dx, mut dv) = (Expected::zeros(0, 1), Expected::zeros(0, 1), Expected::zeros(k, n));
        for (i, (x, g)) in x.data.iter().zip(&dy).enumerate() {
            let v = v.data[i % k];
            y.push(x * v, (x * v).abs());
            dx.push(g * v, (g * v).abs());
            dv.add(i % k, g * x, (g * x).abs());
        }
        let call = Call { dims: vec![n, k], y, dy, grads: [Some(dx), Some(dv)], inputs: [x, v] };
        call.trial(format!("[{n}, {k}]"), || Scale)
    });
}

#[test]
fn bias() {
    campaign("bias", |dice| {
        let [n, k] = rows(dice);
        let (x, v, dy) = (values(dice, &[n, k]), values(dice, &[k]), values(dice, &[n, k]).data);
        let (mut y, mut dx, mut dv) = (Expected::zeros(0, 1), Expected::zeros(0, 1), Expected::zeros(k, n));
        for (i, (x, g)) in x.data.iter().zip(&dy).enumerate() {
            y.push(x + v.data[i % k], x.abs() + v.data[i % k].abs());
            dx.push(*g, 0.0);
            dv.add(i % k, *g, g.abs());
        }
        let call = Call { dims: vec![n, k], y, dy, grads: [Some(dx), Some(dv)], inputs: [x, v] };
        call.trial(format!("[{n}, {k}]"), || Shift)
    });
}

/// The error function by a series whose terms are all positive, and from 3 on by the continued fraction of what is left to 1.
fn erf(x: f64) -> f64 {
    if x < 0.0 {
        return -erf(-x);
    }
    if x < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..100 {
            term *= 2.0 * x * x / (2 * n + 1) as f64;
            sum += term;
        }
        return sum * 2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp();
    }
    let fraction = (1..100).rev().fold(0.0, |f, n| n as f64 / 2.0 / (x + f));
    1.0 - (-x * x).exp() / (std::f64::consts::PI.sqrt() * (x + fraction))
}

/// Value and slope at x, and what rounding of both is measured by.
fn curve(name: &str, x: f64, argument: f64) -> [f64; 4] {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match name {
        "sigmoid" => [sigmoid, sigmoid * (1.0 - sigmoid), sigmoid * (1.0 + x.abs()), sigmoid * (1.0 + x.abs())],
        "tanh" => [x.tanh(), 1.0 - x.tanh().powi(2), 1.0, 2.0],
        "silu" => {
            let slope = sigmoid + x * sigmoid * (1.0 - sigmoid);
            [x * sigmoid, slope, (x * sigmoid).abs() * (1.0 + x.abs()), 1.0 + x.abs()]
        }
        "gelu" => {
            let normal = 0.5 * (1.0 + erf(x / 2f64.sqrt()));
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            [x * normal, normal + x * density, x.abs(), 1.0 + x.abs()]
        }
        "elu" if x <= 0.0 => [argument * x.exp_m1(), argument * x.exp(), argument.abs(), 2.0 * argument.abs()],
        "leaky_relu" if x <= 0.0 => [argument * x, argument, (argument * x).abs(), argument.abs()],
        "elu" | "leaky_relu" => [x, 1.0, x.abs(), 1.0],
        _ => panic!("no curve for `{name}`"),
    }
}

const CURVES: [(&str, Option<&str>); 6] = [
    ("sigmoid", None),
    ("tanh", None),
    ("silu", None),
    ("gelu", None),
    ("elu", Some("alpha")),
    ("leaky_relu", Some("slope")),
];

/// One activation of the language with its argument, over numbers.
struct Activation {
    name: &'static str,
    argument: Option<(&'static str, f64)>,
    x: Array,
    dy: Array,
    y: Expected,
    dx: Expected,
}

fn activation(dice: &mut Dice) -> (String, Activation) {
    let (name, argument) = dice.pick(&CURVES);
    let n = length(dice);
    let argument = argument.map(|a| (a, dice.real(0.0, 2.0)));
    let wide = dice.pick(&[1.0, 4.0, 60.0]);
    let (x, dy) = (reals(dice, &[1, n], -wide, wide), values(dice, &[1, n]));
    let (mut y, mut dx) = (Expected::zeros(0, 1), Expected::zeros(0, 1));
    for (x, g) in x.data.iter().zip(&dy.data) {
        let [value, slope, size, of_slope] = curve(name, *x, argument.map_or(0.0, |a| a.1));
        y.push(value, size);
        dx.push(g * slope, g.abs() * of_slope);
    }
    (format!("{name} {argument:?} of {n} numbers up to {wide}"), Activation { name, argument, x, dy, y, dx })
}

impl Activation {
    fn compare<T: Rounded>(&self) -> Result<usize, String> {
        let def = ops::find(self.name).expect("an op");
        let mut args = Args::default();
        for attr in def.call.args {
            let (Some((_, value)), Ty::Float { .. }, Need::Default(_)) = (self.argument, attr.ty, attr.need) else {
                panic!("`{}` has other arguments", self.name)
            };
            args.set(attr.name, Spanned { value: Value::Float(value), span: Span::new(FileId(0), 0, 0) }, true);
        }
        let op = (def.make)(&args, &[TensorType::dense([self.x.data.len()])]).expect("a legal op").remove(0);
        let tensor = |a: &Array| Tensor::from_vec(a.typed::<T>(), a.dims.clone(), &Device::Cpu).expect("a tensor");
        let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<T>()).expect("numbers");
        let x = Var::from_tensor(&tensor(&self.x)).expect("a variable");
        let mut pass = Pass { train: true, random: Randomness::new(1), step: 0, site: 0, buffers: Vec::new() };
        let y = op.forward(&[x.as_tensor().clone()], &[], &mut pass).map_err(|e| e.to_string())?;
        let loss = (&y * tensor(&self.dy)).and_then(|t| t.sum_all()).map_err(|e| e.to_string())?;
        let grads = loss.backward().map_err(|e| e.to_string())?;
        let dx = grads.get(&x).ok_or("no gradient")?;
        Ok(self.y.compare("output", &values(&y))? + self.dx.compare("gradient", &values(dx))?)
    }
}

#[test]
fn activations() {
    campaign("activations", |dice| {
        let (shape, activation) = activation(dice);
        let run = move || Ok(activation.compare::<f32>()? + activation.compare::<f64>()?);
        Trial { shape, run: Box::new(run) }
    });
}
