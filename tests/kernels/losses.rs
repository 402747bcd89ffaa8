//! Losses that have kernels, with and without a mask, over the labels that count.

use candle_core::{Device, Tensor, Var};
use mtlc::objective::find_loss;
use mtlc::schema::{Args, Value};
use mtlc::source::{FileId, Span, Spanned};

use crate::campaign::{Trial, campaign};
use crate::dice::Dice;
use crate::draws::reals;
use crate::expected::{Array, Expected, Rounded};

/// Labels that one task looks at, of each kind of loss.
const LABELS: [usize; 5] = [1, 16, 256, 4096, 1 << 15];

/// A loss with what it reads, and what should come out.
struct Loss {
    name: &'static str,
    argument: Option<(&'static str, f64)>,
    output: Array,
    labels: Array,
    mask: Option<Array>,
    /// The gradient that comes in.
    factor: f64,
    value: Expected,
    grad: Expected,
}

impl Loss {
    fn compare<T: Rounded>(&self) -> Result<usize, String> {
        let mut args = Args::default();
        if let Some((name, value)) = self.argument {
            args.set(name, Spanned { value: Value::Float(value), span: Span::new(FileId(0), 0, 0) }, true);
        }
        let tensor = |a: &Array| Tensor::from_vec(a.typed::<T>(), a.dims.clone(), &Device::Cpu).expect("a tensor");
        let output = Var::from_tensor(&tensor(&self.output)).expect("a variable");
        let loss = find_loss(self.name).expect("a loss");
        let mask = self.mask.as_ref().map(tensor);
        let value =
            loss.forward(&args, output.as_tensor(), &tensor(&self.labels), mask.as_ref()).map_err(|e| e.to_string())?;
        let grads = (&value * self.factor).and_then(|v| v.backward()).map_err(|e| e.to_string())?;
        let values = |t: &Tensor| t.flatten_all().and_then(|t| t.to_vec1::<T>()).expect("numbers");
        let grad = grads.get(&output).ok_or("no gradient")?;
        Ok(self.value.compare("loss", &values(&value))? + self.grad.compare("gradient", &values(grad))?)
    }

    fn trial(self) -> Trial {
        let Loss { name, argument, output, mask, .. } = &self;
        let mask = mask.as_ref().map(|m| &m.dims);
        let shape = format!("{name} {argument:?} of {:?}, mask {mask:?}", output.dims);
        Trial { shape, run: Box::new(move || Ok(self.compare::<f32>()? + self.compare::<f64>()?)) }
    }
}

/// A mask of 0 and 1, sometimes without a 1.
fn mask(dice: &mut Dice, dims: &[usize]) -> Array {
    let share = dice.between(0, 4);
    let len = dims.iter().product();
    let data = (0..len).map(|_| if dice.between(1, 4) <= share { 1.0 } else { 0.0 }).collect();
    Array { dims: dims.to_vec(), data }
}

/// Value and slope of one label, and what rounding of both is measured by.
fn curve(name: &str, argument: f64, x: f64, y: f64) -> [f64; 4] {
    let (d, far) = (x - y, x.abs() + y.abs());
    match name {
        "mse" => [d * d, 2.0 * d, far * far, 2.0 * far],
        "l1" => [d.abs(), if d == 0.0 { 0.0 } else { d.signum() }, far, 1.0],
        "huber" if d.abs() > argument => {
            [argument * (d.abs() - argument / 2.0), argument * d.signum(), argument * (far + argument), far + argument]
        }
        "huber" => [d * d / 2.0, d, far * far, far + argument],
        "bce" => {
            // The logarithm of the sigmoid of -|x| is exact on both sides.
            let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
            let weight = 1.0 + (argument - 1.0) * y;
            let value = argument * y * softplus(-x) + (1.0 - y) * softplus(x);
            let slope = (1.0 - y) - weight / (1.0 + x.exp());
            [value, slope, (1.0 + argument) * (1.0 + x.abs()), (1.0 + argument) * (1.0 + x.abs())]
        }
        _ => panic!("no curve for `{name}`"),
    }
}

fn pointwise(dice: &mut Dice) -> Trial {
    let name = dice.pick(&["mse", "l1", "huber", "bce"]);
    let argument = match name {
        "huber" => Some(("delta", dice.real(0.1, 2.0))),
        "bce" if dice.one_in(2) => Some(("pos_weight", dice.real(0.1, 5.0))),
        _ => None,
    };
    let most = if dice.one_in(12) { 300_000 } else { 40_000 };
    let draw = [dice.size(&LABELS, 40_000), dice.size(&[1, 3, 16], 64)];
    let dims @ [n, k] = dice.fit(draw, most);
    let (wide, exact) = (dice.pick(&[1.0, 30.0]), dice.one_in(8));
    let output = reals(dice, &dims, -wide, wide);
    let mut labels = match name {
        "bce" => mask(dice, &dims),
        // Errors of 0 have a gradient of their own.
        _ if exact => output.clone(),
        _ => reals(dice, &dims, -wide, wide),
    };
    let mask = match dice.between(0, 3) {
        0 => Some(mask(dice, &[n])),
        1 => Some(mask(dice, &dims)),
        _ => None,
    };
    let counts = |i: usize| mask.as_ref().is_none_or(|m| m.data[if m.dims.len() == 1 { i / k } else { i }] != 0.0);
    // What does not count is not read.
    (0..n * k).filter(|i| !counts(*i)).for_each(|i| labels.data[i] = f64::NAN);
    let count = (0..n * k).filter(|i| counts(*i)).count().max(1) as f64;
    let factor = dice.real(-2.0, 2.0);
    let (mut value, mut grad) = (Expected::zeros(1, n * k), Expected::zeros(n * k, 2));
    for i in (0..n * k).filter(|i| counts(*i)) {
        let [v, slope, size, of_slope] = curve(name, argument.map_or(1.0, |a| a.1), output.data[i], labels.data[i]);
        value.add(0, v / count, size / count);
        grad.add(i, factor * slope / count, factor.abs() * of_slope / count);
    }
    Loss { name, argument, output, labels, mask, factor, value, grad }.trial()
}

#[test]
fn losses_of_one_number() {
    campaign("losses of one number", pointwise);
}

fn cross_entropy(dice: &mut Dice) -> Trial {
    let most = if dice.one_in(12) { 120_000 } else { 12_000 };
    let draw = [dice.size(&LABELS, 20_000), dice.size(&[2, 16], 200), dice.size(&[1, 16, 256], 600)];
    let [n, classes, pixels] = dice.fit(draw, most);
    // Per sample, or per pixel.
    let rest = if pixels == 1 && dice.one_in(2) { vec![] } else { vec![1, pixels] };
    let dims = [vec![n, classes], rest.clone()].concat();
    let wide = dice.pick(&[1.0, 20.0]);
    let output = reals(dice, &dims, -wide, wide);
    let labels_dims = [vec![n], rest].concat();
    let mut labels = Array { data: Vec::new(), dims: labels_dims.clone() };
    labels.data.extend((0..n * pixels).map(|_| dice.between(0, classes - 1) as f64));
    let mask = match dice.between(0, 3) {
        0 => Some(mask(dice, &[n])),
        1 => Some(mask(dice, &labels_dims)),
        _ => None,
    };
    let per_sample = mask.as_ref().is_some_and(|m| m.data.len() == n);
    let counts = |i: usize| mask.as_ref().is_none_or(|m| m.data[if per_sample { i / pixels } else { i }] != 0.0);
    (0..n * pixels).filter(|i| !counts(*i)).for_each(|i| labels.data[i] = f64::NAN);
    let count = (0..n * pixels).filter(|i| counts(*i)).count().max(1) as f64;
    let smoothing = if dice.one_in(2) { 0.0 } else { dice.real(0.01, 0.5) };
    let factor = dice.real(-2.0, 2.0);
    let (mut value, mut grad) = (Expected::zeros(1, n * pixels), Expected::zeros(output.data.len(), classes));
    for i in (0..n * pixels).filter(|i| counts(*i)) {
        let at = |c: usize| (i / pixels * classes + c) * pixels + i % pixels;
        let top = (0..classes).map(|c| output.data[at(c)]).fold(f64::NEG_INFINITY, f64::max);
        let log = top + (0..classes).map(|c| (output.data[at(c)] - top).exp()).sum::<f64>().ln();
        for c in 0..classes {
            let target = smoothing / classes as f64 + if c as f64 == labels.data[i] { 1.0 - smoothing } else { 0.0 };
            let x = output.data[at(c)];
            value.add(0, target * (log - x) / count, target * (log.abs() + x.abs() + 4.0) / count);
            let p = (x - log).exp();
            let size = p * (1.0 + 4.0 * wide) + target;
            grad.add(at(c), factor * (p - target) / count, factor.abs() * size / count);
        }
    }
    let argument = Some(("label_smoothing", smoothing));
    Loss { name: "cross_entropy", argument, output, labels, mask, factor, value, grad }.trial()
}

#[test]
fn cross_entropies() {
    campaign("cross-entropy", cross_entropy);
}
