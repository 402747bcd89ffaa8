//! Running an op on random values.

use candle_core::{DType, Device, Tensor, Var};
use mtlc::ops::{Field, Fields, Op, Pass, TensorType};
use mtlc::random::Randomness;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub const BATCH: usize = 3;

pub fn pass(train: bool) -> Pass {
    Pass { train, random: Randomness::new(1), step: 7, site: 3, buffers: Vec::new() }
}

pub fn uniform(rng: &mut ChaCha8Rng, shape: &[usize], from: f64, to: f64) -> Tensor {
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| rng.random_range(from..to)).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// A random value of a type, and whether it is differentiated.
pub fn value(rng: &mut ChaCha8Rng, ty: &TensorType, batch: usize) -> (Var, bool) {
    let shape = [vec![batch], ty.sizes().unwrap()].concat();
    let (tensor, differentiated) = match ty {
        TensorType::Dense(_) => (uniform(rng, &shape, -2.0, 2.0), true),
        TensorType::Fields(Fields(columns)) => {
            let columns = columns.as_ref().unwrap();
            let mut draw = |field: &Field| match field {
                Field::Numeric => rng.random_range(-2.0..2.0),
                Field::Category { values } => rng.random_range(0..*values) as f64,
            };
            let values: Vec<f64> = (0..batch).flat_map(|_| columns.iter().map(&mut draw).collect::<Vec<_>>()).collect();
            (Tensor::from_vec(values, shape, &Device::Cpu).unwrap(), false)
        }
    };
    (Var::from_tensor(&tensor).unwrap(), differentiated)
}

/// Random weights of a chain, link by link; buffers positive.
pub fn weights(rng: &mut ChaCha8Rng, chain: &[Box<dyn Op>]) -> Vec<Vec<(Var, bool)>> {
    let weight = |def: mtlc::ops::WeightDef, rng: &mut ChaCha8Rng| {
        let shape: Vec<usize> = def.shape.iter().map(|d| d.known().unwrap()).collect();
        let from = if def.trained { -1.0 } else { 0.5 };
        (Var::from_tensor(&uniform(rng, &shape, from, 1.5)).unwrap(), def.trained)
    };
    chain.iter().map(|op| op.weights().into_iter().map(|def| weight(def, rng)).collect()).collect()
}

/// The chain applied; checks that each link gives the type that it says.
pub fn apply(chain: &[Box<dyn Op>], inputs: &[Tensor], weights: &[Vec<Tensor>], train: bool) -> Tensor {
    let mut values = inputs.to_vec();
    for (op, weights) in chain.iter().zip(weights) {
        let y = op.forward(&values, weights, &mut pass(train)).unwrap();
        assert_eq!(Some(&y.dims()[1..]), op.output().sizes().as_deref(), "{op:?}");
        assert_eq!(y.dtype(), weights.first().or(values.last()).unwrap().dtype(), "{op:?}");
        values = vec![y];
    }
    values.swap_remove(0)
}

pub fn tensors(vars: &[Vec<(Var, bool)>], dtype: DType) -> Vec<Vec<Tensor>> {
    vars.iter().map(|link| link.iter().map(|(v, _)| v.to_dtype(dtype).unwrap()).collect()).collect()
}

pub fn numbers(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

pub fn close(a: &Tensor, b: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(a.dims(), b.dims(), "{what}");
    for (i, (x, y)) in numbers(a).iter().zip(numbers(b)).enumerate() {
        assert!((x - y).abs() <= tolerance * (1.0 + y.abs()), "{what}: element {i}: {x} and {y}");
    }
}
