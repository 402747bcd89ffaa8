//! Values by hand: running statistics, gates, ties, masks, interpolation, the straight-through choice, and that the number of
//! threads changes no bit.

use candle_core::{DType, Device, Tensor, Var};
use mtlc::ops::{Field, Fields, Op, TensorType, path, select};
use mtlc::schema::Value;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::cases::{int, op, word};
use crate::run::{close, numbers, pass, uniform};

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_vec(values.to_vec(), shape, &Device::Cpu).unwrap()
}

fn forward(chain: &[Box<dyn Op>], inputs: &[Tensor], weights: &[Tensor]) -> Tensor {
    chain[0].forward(inputs, weights, &mut pass(true)).unwrap()
}

/// `f` on both paths.
fn both(f: impl Fn(&str)) {
    f("own kernel");
    path::composed(|| f("composed"));
}

#[test]
fn batch_norm_keeps_running_statistics_as_pytorch_does() {
    let norm = op("batch_norm", &[], &[TensorType::dense([2, 1, 3])]);
    let mut rng = rng(1);
    let x = uniform(&mut rng, &[4, 2, 1, 3], -1.0, 5.0);
    let (weight, bias) = (tensor(&[2.0, -1.0], &[2]), tensor(&[0.5, 3.0], &[2]));
    let (mean, var) = (tensor(&[0.2, -0.4], &[2]), tensor(&[1.5, 0.8], &[2]));
    both(|path| {
        let weights = [weight.clone(), bias.clone(), mean.clone(), var.clone()];
        let mut state = pass(true);
        let y = norm[0].forward(std::slice::from_ref(&x), &weights, &mut state).unwrap();
        let at = |t: &Tensor, n: usize, c: usize, p: usize| numbers(t)[(n * 2 + c) * 3 + p];
        assert_eq!(state.buffers.iter().map(|b| b.0).collect::<Vec<_>>(), [2, 3]);
        let (new_mean, new_var) = (numbers(&state.buffers[0].1), numbers(&state.buffers[1].1));
        for c in 0..2 {
            let values: Vec<f64> =
                (0..4).flat_map(|n| (0..3).map(move |p| (n, p))).map(|(n, p)| at(&x, n, c, p)).collect();
            let m = values.iter().sum::<f64>() / 12.0;
            let squares = values.iter().map(|v| (v - m).powi(2)).sum::<f64>();
            let expected =
                (at(&x, 3, c, 1) - m) / (squares / 12.0 + 1e-5).sqrt() * numbers(&weight)[c] + numbers(&bias)[c];
            assert!((at(&y, 3, c, 1) - expected).abs() < 1e-12, "{path}");
            assert!((new_mean[c] - (0.9 * numbers(&mean)[c] + 0.1 * m)).abs() < 1e-12, "{path}");
            assert!((new_var[c] - (0.9 * numbers(&var)[c] + 0.1 * squares / 11.0)).abs() < 1e-12, "{path}");
        }
        let mut state = pass(false);
        let y = norm[0].forward(std::slice::from_ref(&x), &weights, &mut state).unwrap();
        assert!(state.buffers.is_empty());
        let expected = 3.0 - (at(&x, 2, 1, 0) + 0.4) / (0.8f64 + 1e-5).sqrt();
        assert!((at(&y, 2, 1, 0) - expected).abs() < 1e-12, "{path}");
    });
}

#[test]
fn batch_norm_of_a_single_value_uses_the_running_statistics() {
    let norm = op("batch_norm", &[], &[TensorType::dense([2])]);
    let (one, zero) = (tensor(&[1.0; 2], &[2]), tensor(&[0.0; 2], &[2]));
    both(|path| {
        let mut state = pass(true);
        let weights = [one.clone(), zero.clone(), zero.clone(), one.clone()];
        let y = norm[0].forward(&[tensor(&[3.0, -7.0], &[1, 2])], &weights, &mut state).unwrap();
        let expected = [3.0, -7.0].map(|v: f64| v / (1.0 + 1e-5f64).sqrt());
        close(&y, &tensor(&expected, &[1, 2]), 1e-12, path);
        assert!(state.buffers.is_empty(), "{path}: they stay as they are");
    });
}

#[test]
fn mixes_by_hand() {
    let query = tensor(&[1.0, 2.0, -1.0, 0.5], &[2, 2]);
    let (a, b) = (tensor(&[1.0, 2.0, 3.0, 4.0], &[2, 2]), tensor(&[-1.0, 0.0, 1.0, 10.0], &[2, 2]));
    let gate = tensor(&[0.5, -1.0, 0.25, 2.0], &[2, 2]);
    let dense = TensorType::dense([2]);
    let inputs = [query, a.clone(), b.clone()];
    let mix = |name, types: &[TensorType]| op("mix", &[("gate", word(name))], types);
    // W q of the two samples.
    let logits = [[-1.5, 4.25], [-1.0, 0.75]];
    let expect = |gates: [[f64; 2]; 2]| {
        let (a, b) = (numbers(&a), numbers(&b));
        let values: Vec<f64> = (0..4).map(|i| gates[i / 2][0] * a[i] + gates[i / 2][1] * b[i]).collect();
        tensor(&values, &[2, 2])
    };
    both(|path| {
        let three = [dense.clone(), dense.clone(), dense.clone()];
        let y = forward(&mix("softmax", &three), &inputs, std::slice::from_ref(&gate));
        let softmax = logits.map(|l| {
            let total = l.iter().map(|v: &f64| v.exp()).sum::<f64>();
            l.map(|v| v.exp() / total)
        });
        close(&y, &expect(softmax), 1e-12, path);
        let y = forward(&mix("sigmoid", &three), &inputs, std::slice::from_ref(&gate));
        close(&y, &expect(logits.map(|l| l.map(|v| 1.0 / (1.0 + (-v).exp())))), 1e-12, path);
        close(&forward(&mix("sum", &three[1..]), &inputs[1..], &[]), &expect([[1.0; 2]; 2]), 1e-12, path);
        close(&forward(&mix("mean", &three[1..]), &inputs[1..], &[]), &expect([[0.5; 2]; 2]), 1e-12, path);
    });
}

#[test]
fn ties_and_kinks_have_one_gradient() {
    both(|path| {
        let x = Var::from_tensor(&tensor(&[-1.0, 0.0, 0.0, 2.0], &[1, 1, 2, 2])).unwrap();
        let relu = op("relu", &[], &[TensorType::dense([1, 2, 2])]);
        let grads = forward(&relu, &[x.as_tensor().clone()], &[]).sum_all().unwrap().backward().unwrap();
        assert_eq!(numbers(grads.get(&x).unwrap()), [0.0, 0.0, 0.0, 1.0], "{path}");
        // Of equal elements one wins: the gradient is shared out once.
        let flat = Var::from_tensor(&tensor(&[5.0; 9], &[1, 1, 3, 3])).unwrap();
        let pool = op("max_pool", &[("kernel", int(3))], &[TensorType::dense([1, 3, 3])]);
        let grads = forward(&pool, &[flat.as_tensor().clone()], &[]).sum_all().unwrap().backward().unwrap();
        assert_eq!(numbers(grads.get(&flat).unwrap()).iter().sum::<f64>(), 1.0, "{path}");
    });
}

#[test]
fn nothing_hides_a_nan() {
    both(|path| {
        let x = tensor(&[1.0, f64::NAN, 3.0, 2.0], &[1, 1, 2, 2]);
        let ty = [TensorType::dense([1, 2, 2])];
        assert!(numbers(&forward(&op("relu", &[], &ty), std::slice::from_ref(&x), &[]))[1].is_nan(), "{path}");
        let pooled = numbers(&forward(&op("avg_pool", &[("kernel", int(2))], &ty), std::slice::from_ref(&x), &[]));
        assert!(pooled[0].is_nan(), "{path}");
    });
    let x = tensor(&[1.0, f64::NAN, 3.0, 2.0], &[1, 1, 2, 2]);
    let pool = op("max_pool", &[("kernel", int(2))], &[TensorType::dense([1, 2, 2])]);
    assert!(numbers(&forward(&pool, &[x], &[]))[0].is_nan());
}

#[test]
fn far_out_activations_have_finite_gradients() {
    for name in ["relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softmax"] {
        both(|path| {
            let x = tensor(&[-1e4, -200.0, 0.0, 200.0, 1e4], &[1, 5]).to_dtype(DType::F32).unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let chain = op(name, &[], &[TensorType::dense([5])]);
            let y = forward(&chain, &[x.as_tensor().clone()], &[]);
            let grads = y.sum_all().unwrap().backward().unwrap();
            let all = [numbers(&y), numbers(grads.get(&x).unwrap())].concat();
            assert!(all.iter().all(|v| v.is_finite()), "{name}, {path}: {all:?}");
        });
    }
}

#[test]
fn dropout_is_a_function_of_step_and_site() {
    let chain = op("dropout", &[("p", Value::Float(0.25))], &[TensorType::dense([300, 300])]);
    let x = Tensor::ones((2, 300, 300), DType::F32, &Device::Cpu).unwrap();
    let run = |step, site, threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut state = pass(true);
        (state.step, state.site) = (step, site);
        numbers(&pool.install(|| chain[0].forward(std::slice::from_ref(&x), &[], &mut state)).unwrap())
    };
    let first = run(1, 1, 1);
    assert_eq!(first, run(1, 1, 3));
    assert!(first != run(2, 1, 1) && first != run(1, 2, 1));
    assert!(first.iter().all(|v| *v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
    let kept = first.iter().filter(|v| **v > 0.0).count() as f64 / first.len() as f64;
    assert!((kept - 0.75).abs() < 0.01, "{kept}");
    let y = chain[0].forward(std::slice::from_ref(&x), &[], &mut pass(false)).unwrap();
    assert_eq!(numbers(&y), numbers(&x));
}

#[test]
fn columns_become_numbers() {
    let fields = [Field::Category { values: 3 }, Field::Numeric, Field::Category { values: 2 }];
    let ty = TensorType::Fields(Fields(Some(fields.to_vec().into())));
    let x = tensor(&[2.0, -0.5, 0.0, 0.0, 4.0, 1.0], &[2, 3]);
    both(|path| {
        let hot = forward(&op("one_hot", &[], std::slice::from_ref(&ty)), std::slice::from_ref(&x), &[]);
        assert_eq!(numbers(&hot), [0., 0., 1., -0.5, 1., 0., 1., 0., 0., 4., 0., 1.], "{path}");
        let embedding = op("embedding", &[("size", int(1))], std::slice::from_ref(&ty));
        let weights = [tensor(&[10., 11., 12., 20., 21.], &[5, 1]), tensor(&[3.0], &[1, 1]), tensor(&[100.0], &[1, 1])];
        let y = forward(&embedding, std::slice::from_ref(&x), &weights);
        assert_eq!(numbers(&y), [12.0, 98.5, 20.0, 10.0, 112.0, 21.0], "{path}");
    });
    // A number that is no category of the column is an error, never another category's vector.
    let embedding = op("embedding", &[("size", int(1))], std::slice::from_ref(&ty));
    let weights = [tensor(&[0.0; 5], &[5, 1]), tensor(&[3.0], &[1, 1]), tensor(&[100.0], &[1, 1])];
    let beyond = tensor(&[3.0, 0.0, 0.0], &[1, 3]);
    assert!(embedding[0].forward(&[beyond], &weights, &mut pass(true)).is_err());
}

#[test]
fn bilinear_is_pytorchs() {
    // torch.nn.functional.interpolate(scale_factor=2, mode="bilinear", align_corners=False) of [[1, 2], [3, 4]].
    let expected = [1.0, 1.25, 1.75, 2.0, 1.5, 1.75, 2.25, 2.5, 2.5, 2.75, 3.25, 3.5, 3.0, 3.25, 3.75, 4.0];
    let chain = op("upsample", &[("factor", int(2)), ("mode", word("bilinear"))], &[TensorType::dense([1, 2, 2])]);
    both(|path| {
        let y = forward(&chain, &[tensor(&[1.0, 2.0, 3.0, 4.0], &[1, 1, 2, 2])], &[]);
        close(&y, &tensor(&expected, &[1, 1, 4, 4]), 1e-12, path);
    });
}

#[test]
fn straight_through_choice() {
    let mut rng = rng(5);
    let make = |rng: &mut ChaCha8Rng, dtype: DType| {
        let of = |t: Tensor| Var::from_tensor(&t.to_dtype(dtype).unwrap()).unwrap();
        let parents: Vec<Var> = (0..3).map(|_| of(uniform(rng, &[2, 3, 2], -1.0, 1.0))).collect();
        (parents, of(uniform(rng, &[3], 0.0, 1.0)), uniform(rng, &[2, 3, 2], -1.0, 1.0).to_dtype(dtype).unwrap())
    };
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
        let (parents, probs, grad) = make(&mut rng, dtype);
        for index in 0..3 {
            // As it is written: d = hard + soft - stopgrad(soft), times the features, selected ones apart.
            let hard: Vec<f64> = (0..3).map(|i| f64::from(u8::from(i == index))).collect();
            let hard = tensor(&hard, &[3]).to_dtype(dtype).unwrap();
            let d = ((hard + probs.as_tensor()).unwrap() - probs.detach()).unwrap();
            let terms = (0..3).map(|i| {
                let parent = if i == index { parents[i].as_tensor().clone() } else { parents[i].detach() };
                parent.broadcast_mul(&d.narrow(0, i, 1).unwrap().reshape((1, 1, 1)).unwrap()).unwrap()
            });
            let plain = terms.reduce(|a, b| (a + b).unwrap()).unwrap();
            let expected = (&plain * &grad).unwrap().sum_all().unwrap().backward().unwrap();
            both(|path| {
                let features: Vec<Tensor> = parents.iter().map(|p| (p.as_tensor() * 1.0).unwrap()).collect();
                let y = select::straight_through(&features[index], &features, &probs, index).unwrap();
                assert_eq!(numbers(&y), numbers(&parents[index]), "{path}");
                let grads = (y * &grad).unwrap().sum_all().unwrap().backward().unwrap();
                close(grads.get(&probs).unwrap(), expected.get(&probs).unwrap(), tolerance, path);
                for (i, parent) in parents.iter().enumerate() {
                    assert_eq!(grads.get(parent).is_some(), i == index, "{path}: candidate {i}");
                }
                close(grads.get(&parents[index]).unwrap(), &grad, tolerance, path);
            });
        }
    }
}

#[test]
fn large_images_are_cut_without_a_seam() {
    for (stride, dilation, bias) in [(1, 1, true), (2, 1, false), (1, 2, true)] {
        let args =
            [("channels", int(3)), ("stride", int(stride)), ("dilation", int(dilation)), ("bias", Value::Bool(bias))];
        let chain = op("conv", &args, &[TensorType::dense([2, 107, 93])]);
        let mut rng = rng(3);
        let x = Var::from_tensor(&uniform(&mut rng, &[2, 2, 107, 93], -1.0, 1.0)).unwrap();
        let weights: Vec<Var> = crate::run::weights(&mut rng, &chain).remove(0).into_iter().map(|(w, _)| w).collect();
        let run = || {
            let weights_now: Vec<Tensor> = weights.iter().map(|w| w.as_tensor().clone()).collect();
            let y = forward(&chain, &[x.as_tensor().clone()], &weights_now);
            let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            let wanted = std::iter::once(&x).chain(&weights).map(|v| grads.get(v).unwrap().clone());
            std::iter::once(y).chain(wanted).collect::<Vec<_>>()
        };
        for (own, composed) in run().iter().zip(path::composed(run)) {
            close(own, &composed, 1e-11, &format!("stride {stride}, dilation {dilation}"));
        }
    }
}

#[test]
fn threads_change_no_bit() {
    type Use = (&'static str, Vec<(&'static str, Value)>, [usize; 4]);
    let uses: [Use; 5] = [
        ("conv", vec![("channels", int(16))], [12, 6, 13, 11]),
        ("conv", vec![("channels", int(8)), ("stride", int(2)), ("groups", int(2))], [9, 6, 20, 20]),
        ("conv", vec![("channels", int(6)), ("groups", int(6))], [7, 6, 12, 12]),
        ("batch_norm", vec![], [33, 5, 9, 9]),
        ("group_norm", vec![("groups", int(2))], [37, 4, 5, 5]),
    ];
    for (name, args, shape) in uses {
        let chain = op(name, &args, &[TensorType::dense(shape[1..].to_vec())]);
        let mut rng = rng(9);
        let var = |t: Tensor| Var::from_tensor(&t.to_dtype(DType::F32).unwrap()).unwrap();
        let x = var(uniform(&mut rng, &shape, -1.0, 1.0));
        let weights = crate::run::weights(&mut rng, &chain).remove(0);
        let weights: Vec<Var> = weights.into_iter().map(|(w, _)| var(w.as_tensor().clone())).collect();
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let weights_now: Vec<Tensor> = weights.iter().map(|w| w.as_tensor().clone()).collect();
                let y = forward(&chain, &[x.as_tensor().clone()], &weights_now);
                let grads = y.sqr().unwrap().sum_all().unwrap().backward().unwrap();
                let wanted = std::iter::once(&x).chain(&weights).filter_map(|v| grads.get(v));
                std::iter::once(&y).chain(wanted).map(numbers).collect::<Vec<_>>()
            })
        };
        let one = run(1);
        for threads in [2, 3] {
            assert!(one == run(threads), "{name} {args:?}: {threads} threads");
        }
    }
}
