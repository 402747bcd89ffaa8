//! Linear layers that read one value give as one what each gives by itself.

use candle_core::{DType, Device, Tensor, Var};
use mtlc::ops::grad::Grad;
use mtlc::ops::kernel::linear::Linear;
use mtlc::ops::kernel::{apply2, apply3, siblings};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::run::{close, numbers, uniform};

/// Samples, what they read, and the outputs of each: few and many panels, many terms, few rows.
const SIZES: [(&[usize], &[usize]); 5] = [
    (&[70, 33], &[1, 10, 3]),
    (&[300, 40], &[63, 50, 63, 60, 63, 48, 63, 63, 17]),
    (&[65, 600], &[16, 16, 16, 16]),
    (&[4, 9, 20], &[7, 5]),
    (&[256, 600], &[32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32]),
];

fn one(x: &Tensor, w: &[Tensor], relu: bool) -> Tensor {
    match w {
        [weight] => apply2(Linear { relu }, x, weight),
        _ => apply3(Linear { relu }, x, &w[0], &w[1]),
    }
    .unwrap()
}

#[test]
fn siblings_are_what_each_is_alone() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut checked = 0;
    for (shape, outputs) in SIZES {
        for (relu, bias, dtype) in [(false, true, DType::F32), (true, true, DType::F64), (true, false, DType::F32)] {
            let mut draw = |shape: &[usize]| uniform(&mut rng, shape, -1.0, 1.0).to_dtype(dtype).unwrap();
            let x = Var::from_tensor(&draw(shape)).unwrap();
            let k = shape[shape.len() - 1];
            let weights: Vec<Vec<Var>> = outputs
                .iter()
                .map(|n| {
                    let mut list = vec![Var::from_tensor(&draw(&[*n, k])).unwrap()];
                    list.extend(bias.then(|| Var::from_tensor(&draw(&[*n])).unwrap()));
                    list
                })
                .collect();
            let plain: Vec<Vec<Tensor>> =
                weights.iter().map(|w| w.iter().map(|v| v.as_tensor().clone()).collect()).collect();
            let detached: Vec<Vec<Tensor>> = plain.iter().map(|w| w.iter().map(Tensor::detach).collect()).collect();
            let joined = siblings::forward(&x.as_tensor().detach(), &detached, relu).unwrap().expect("enough rows");
            // The second has no gradient.
            let with: Vec<usize> = (0..outputs.len()).filter(|i| *i != 1).collect();
            let mut grads = Vec::new();
            let mut loss = Tensor::zeros((), dtype, &Device::Cpu).unwrap();
            for (i, w) in plain.iter().enumerate() {
                let alone = one(x.as_tensor(), w, relu);
                assert_eq!(numbers(&alone), numbers(&joined.outputs[i]), "{shape:?} {outputs:?}: output {i}");
                if with.contains(&i) {
                    let dy = draw(alone.dims());
                    grads.push((i, Grad::of(&dy).unwrap()));
                    loss = (loss + (alone * dy).unwrap().sum_all().unwrap()).unwrap();
                }
            }
            let store = loss.backward().unwrap();
            // A second way back finds the same.
            for last in [false, true] {
                let found = joined.back.backward(grads.clone(), [true, true], last).unwrap();
                let dx = found.x.expect("wanted").tensor(&Device::Cpu).unwrap();
                let most = if dtype == DType::F64 { 1e-12 } else { 1e-5 };
                close(&dx, store.get(&x).unwrap(), most, "what they read");
                assert_eq!(found.weights.iter().map(|(i, _)| *i).collect::<Vec<_>>(), with);
                for (i, list) in found.weights {
                    for (grad, var) in list.into_iter().zip(&weights[i]) {
                        let grad = grad.expect("wanted").tensor(&Device::Cpu).unwrap();
                        assert_eq!(numbers(&grad), numbers(store.get(var).unwrap()), "{shape:?}: weight of {i}");
                        checked += 1;
                    }
                }
            }
            let none = joined.back.backward(grads, [false, false], true).unwrap();
            assert!(none.x.is_none() && none.weights.iter().all(|(_, w)| w.iter().all(Option::is_none)));
        }
    }
    assert!(checked > 50, "{checked} gradients");
    // Where each alone is cheaper, there are no siblings.
    for (rows, outputs) in [(2, 40), (600, 512)] {
        let x = Tensor::ones((rows, 512), DType::F32, &Device::Cpu).unwrap();
        let maps = vec![vec![Tensor::ones((outputs, 512), DType::F32, &Device::Cpu).unwrap()]; 2];
        assert!(siblings::forward(&x, &maps, false).unwrap().is_none());
    }
}
