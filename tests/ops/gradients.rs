//! Every op of the table, on both paths: random legal uses, output types against real tensors, and gradients with respect to
//! every input and trained weight against central differences in f64.

use candle_core::{DType, Tensor, Var};
use mtlc::ops::{self, path};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::cases::{self, Case};
use crate::run::{self, BATCH, apply, close, numbers, tensors};

const CASES: usize = 40;
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-6;
/// Elements of a tensor that are checked, at random.
const CHECKED: usize = 12;

#[test]
fn every_op_has_cases() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for def in ops::table() {
        assert!(cases::random(def, &mut rng).is_some(), "`{}` has no cases in tests/ops/cases.rs", def.call.name);
    }
}

#[test]
fn gradients_are_right() {
    for def in ops::table() {
        for seed in 0..CASES as u64 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let case = cases::random(def, &mut rng).expect("every op has cases");
            check(&case, &mut rng, seed);
        }
    }
}

fn check(case: &Case, rng: &mut ChaCha8Rng, seed: u64) {
    let chain = case.make().unwrap_or_else(|e| panic!("{}: {e:?}", case.describe()));
    let inputs: Vec<(Var, bool)> = case.inputs.iter().map(|ty| run::value(rng, ty, BATCH)).collect();
    let weights = run::weights(rng, &chain);
    let train = !seed.is_multiple_of(3);

    let values: Vec<Tensor> = inputs.iter().map(|(v, _)| v.as_tensor().clone()).collect();
    let plain = |dtype| {
        let values: Vec<Tensor> = values.iter().map(|v| v.to_dtype(dtype).unwrap()).collect();
        apply(&chain, &values, &tensors(&weights, dtype), train)
    };
    let own = plain(DType::F64);
    close(&path::composed(|| plain(DType::F64)), &own, 1e-12, &case.describe());
    close(&plain(DType::F32), &own, 2e-4, &case.describe());

    let mix = run::uniform(rng, own.dims(), -1.0, 1.0);
    let again: Vec<Tensor> = values.iter().map(|v| run::uniform(rng, v.dims(), -1.0, 1.0)).collect();
    // The loss reads every input a second time, before or after the op, for gradients that must add up.
    let loss = |second: bool, first: bool| {
        let values: Vec<Tensor> = inputs.iter().map(|(v, _)| v.as_tensor().clone()).collect();
        let extra = || {
            let squares = values.iter().zip(&again).map(|(v, c)| (v.sqr().unwrap() * c).unwrap().sum_all().unwrap());
            squares.reduce(|a, b| (a + b).unwrap()).unwrap()
        };
        let held = first.then(extra);
        let weights: Vec<Vec<Tensor>> =
            weights.iter().map(|link| link.iter().map(|(v, _)| v.as_tensor().clone()).collect()).collect();
        let y = (apply(&chain, &values, &weights, train) * &mix).unwrap().sum_all().unwrap();
        match (second, held) {
            (false, _) => y,
            (true, Some(extra)) => (extra + y).unwrap(),
            (true, None) => (y + extra()).unwrap(),
        }
    };

    let all: Vec<&Var> = inputs
        .iter()
        .chain(weights.iter().flatten())
        .filter(|(_, differentiated)| *differentiated)
        .map(|(v, _)| v)
        .collect();
    for (composed, second, first) in
        [(false, false, false), (false, true, false), (false, true, true), (true, false, false), (true, true, true)]
    {
        let run = |f: &dyn Fn() -> Tensor| if composed { path::composed(f) } else { f() };
        let what = format!("{}, composed {composed}, input used twice {second}, train {train}", case.describe());
        let value = run(&|| loss(second, first));
        let grads = value.backward().unwrap();
        for (i, var) in all.iter().enumerate() {
            // Nothing but an op without links may leave an input unread.
            let Some(grad) = grads.get(var) else {
                panic!("{what}: no gradient for tensor {i}");
            };
            assert_eq!(grad.dims(), var.dims(), "{what}");
            let grad = numbers(grad);
            for _ in 0..CHECKED.min(grad.len()) {
                let at = rng.random_range(0..grad.len());
                let slope = difference(var, at, &|| run(&|| loss(second, first)));
                assert!(
                    (slope - grad[at]).abs() <= TOLERANCE * (1.0 + slope.abs()),
                    "{what}: tensor {i} {:?}, element {at}: {} by backward, {slope} by difference",
                    var.dims(),
                    grad[at],
                );
            }
        }
    }
}

/// Central difference in one element.
fn difference(var: &Var, at: usize, loss: &dyn Fn() -> Tensor) -> f64 {
    let before = var.as_tensor().copy().unwrap();
    let shifted = |by: f64| {
        let mut values = numbers(&before);
        values[at] += by;
        var.set(&Tensor::from_vec(values, before.dims(), before.device()).unwrap()).unwrap();
        loss().to_scalar::<f64>().unwrap()
    };
    let slope = (shifted(STEP) - shifted(-STEP)) / (2.0 * STEP);
    var.set(&before).unwrap();
    slope
}
