//! Values by hand, and gradients against central differences in f64 with the output used twice.

use candle_core::{DType, Device, Result, Tensor, Var};
use mtlc::objective::{LossDef, TaskKind, default_loss, find_loss, losses};
use mtlc::ops::path;
use mtlc::schema::Value;

use crate::calls::{call, number};

fn loss(name: &str) -> &'static LossDef {
    find_loss(name).unwrap_or_else(|| panic!("no loss {name}"))
}

fn apply(
    def: &LossDef,
    written: &[(&'static str, Value)],
    x: &Tensor,
    y: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    def.forward(&call(&def.call, written).args, x, y, mask)
}

/// Fixed values without a pattern, in (-2, 2).
fn numbers(n: usize, salt: u64) -> Vec<f64> {
    (0..n as u64).map(|i| (((i + 1) * 2654435761 + salt * 40503) % 10007) as f64 / 10007.0 * 4.0 - 2.0).collect()
}

fn tensor(values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

fn scalar(t: &Tensor) -> f64 {
    assert_eq!(t.rank(), 0, "a loss is a scalar");
    t.to_dtype(DType::F64).unwrap().to_scalar().unwrap()
}

/// Compares d/dx [L(x) + 3 L(x^2)] with (f(x + h) - f(x - h)) / 2h.
fn check_gradient(
    name: &str,
    written: &[(&'static str, Value)],
    shape: &[usize],
    labels: &Tensor,
    mask: Option<&Tensor>,
) {
    let def = loss(name);
    let total = |x: &Tensor| -> Result<Tensor> {
        apply(def, written, x, labels, mask)? + (apply(def, written, &x.sqr()?, labels, mask)? * 3.0)?
    };
    let n: usize = shape.iter().product();
    let at = numbers(n, 7);
    let x = Var::from_tensor(&tensor(&at, shape)).unwrap();
    let grads = total(&x).unwrap().backward().unwrap();
    let got: Vec<f64> = grads.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    for i in 0..n {
        let h = 1e-5;
        let moved = |by: f64| {
            let mut v = at.clone();
            v[i] += by;
            scalar(&total(&tensor(&v, shape)).unwrap())
        };
        let want = (moved(h) - moved(-h)) / (2.0 * h);
        assert!(
            (got[i] - want).abs() < 1e-7 * want.abs().max(1.0),
            "{name} {shape:?} at {i}: {} is not {want}",
            got[i]
        );
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    let bits = |n: usize| numbers(n, 3).iter().map(|v| f64::from(*v > 0.0)).collect::<Vec<_>>();
    let half = |n: usize| Some(tensor(&bits(n), &[n]));
    for mask in [None, half(6), Some(tensor(&bits(12), &[6, 2])), Some(tensor(&[0.0; 6], &[6, 1]))] {
        let m = mask.as_ref();
        let labels = tensor(&bits(12), &[6, 2]);
        check_gradient("bce", &[], &[6, 2], &labels, m);
        check_gradient("bce", &[("pos_weight", number(2.5))], &[6, 2], &labels, m);
        let labels = tensor(&numbers(12, 11), &[6, 2]);
        for name in ["mse", "l1", "huber"] {
            check_gradient(name, &[], &[6, 2], &labels, m);
        }
        check_gradient("huber", &[("delta", number(0.3))], &[6, 2], &labels, m);
    }
    let classes = tensor(&[0.0, 3.0, 1.0, 2.0, 2.0, 0.0], &[6, 1]);
    for mask in [None, half(6)] {
        check_gradient("cross_entropy", &[], &[6, 4], &classes, mask.as_ref());
        check_gradient("cross_entropy", &[("label_smoothing", number(0.1))], &[6, 4], &classes, mask.as_ref());
    }
}

#[test]
fn gradients_of_dense_kinds_agree_with_finite_differences() {
    let pixels =
        |shape: &[usize]| tensor(&numbers(12, 5).iter().map(|v| f64::from(*v > -0.5)).collect::<Vec<_>>(), shape);
    for mask in [None, Some(pixels(&[2, 2, 3])), Some(pixels(&[2, 1, 2, 3])), Some(tensor(&[0.0, 1.0], &[2]))] {
        let m = mask.as_ref();
        let classes: Vec<f64> = (0..12).map(|i| ((i * 5) % 3) as f64).collect();
        check_gradient("cross_entropy", &[], &[2, 3, 2, 3], &tensor(&classes, &[2, 2, 3]), m);
        check_gradient("cosine", &[], &[2, 3, 2, 3], &tensor(&numbers(36, 2), &[2, 3, 2, 3]), m);
        check_gradient("l1", &[], &[2, 1, 2, 3], &tensor(&numbers(12, 2), &[2, 2, 3]), m);
        check_gradient("mse", &[], &[2, 3, 2, 3], &tensor(&numbers(36, 2), &[2, 3, 2, 3]), m);
    }
}

#[test]
fn values_by_hand() {
    let x = tensor(&[0.0, 2.0, -1.0, 0.5], &[4, 1]);
    let y = tensor(&[1.0, 0.0, 0.0, 1.0], &[4, 1]);
    let ln = |v: f64| (1.0 + v.exp()).ln();
    let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    let value = |name, written: &[_], mask: Option<&Tensor>| scalar(&apply(loss(name), written, &x, &y, mask).unwrap());

    near(value("bce", &[], None), (ln(0.0) + ln(2.0) + ln(-1.0) + ln(-0.5)) / 4.0);
    near(
        value("bce", &[("pos_weight", number(3.0))], None),
        (3.0 * ln(0.0) + ln(2.0) + ln(-1.0) + 3.0 * ln(-0.5)) / 4.0,
    );
    near(value("mse", &[], None), (1.0 + 4.0 + 1.0 + 0.25) / 4.0);
    near(value("l1", &[], None), (1.0 + 2.0 + 1.0 + 0.5) / 4.0);
    near(value("huber", &[], None), (0.5 + 1.5 + 0.5 + 0.125) / 4.0);
    let mask = tensor(&[0.0, 1.0, 0.0, 1.0], &[4]);
    near(value("mse", &[], Some(&mask)), 4.25 / 2.0);

    let x = tensor(&[1.0, 2.0, 3.0, 0.0, 0.0, 0.0], &[2, 3]);
    let y = tensor(&[2.0, 1.0], &[2, 1]);
    let lse = (1f64.exp() + 2f64.exp() + 3f64.exp()).ln();
    let three = 3f64.ln();
    let got = scalar(&apply(loss("cross_entropy"), &[], &x, &y, None).unwrap());
    near(got, ((lse - 3.0) + three) / 2.0);
    let got = scalar(&apply(loss("cross_entropy"), &[("label_smoothing", number(0.3))], &x, &y, None).unwrap());
    near(got, ((0.7 * (lse - 3.0) + 0.3 * (lse - 2.0)) + three) / 2.0);

    let x = tensor(&[3.0, 0.0, 4.0, 1.0, 0.0, 0.0], &[1, 3, 1, 2]); // vectors (3, 4, 0) and (0, 1, 0)
    let y = tensor(&[1.0, 0.0, 0.0, -2.0, 0.0, 0.0], &[1, 3, 1, 2]); // vectors (1, 0, 0) and (0, -2, 0)
    near(scalar(&apply(loss("cosine"), &[], &x, &y, None).unwrap()), ((1.0 - 0.6) + 2.0) / 2.0);
}

/// A sample's part is what is left of the value when no other sample is labelled, by the share of labels that are its own.
#[test]
fn parts_of_samples_sum_to_the_value() {
    let y = tensor(&numbers(12, 11), &[4, 3]);
    let x = tensor(&numbers(12, 7), &[4, 3]);
    let (classes, pixels) = (tensor(&[2.0, 0.0, 1.0, 1.0], &[4, 1]), tensor(&numbers(72, 5), &[4, 3, 2, 3]));
    let labelled = tensor(&[1.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0], &[4, 3]);
    let rows = tensor(&[1.0, 0.0, 1.0, 1.0], &[4]);
    let bits = y.ge(0f64).unwrap().to_dtype(DType::F64).unwrap();
    for (name, x, y, mask) in [
        ("mse", &x, &y, None),
        ("mse", &x, &y, Some(&labelled)),
        ("huber", &x, &y, Some(&labelled)),
        ("l1", &x, &y, Some(&rows)),
        ("bce", &x, &bits, Some(&labelled)),
        ("cross_entropy", &x, &classes, None),
        ("cross_entropy", &x, &classes, Some(&rows)),
        ("cosine", &pixels, &pixels.flip(&[1]).unwrap(), None),
        ("cosine", &pixels, &pixels.flip(&[1]).unwrap(), Some(&rows)),
    ] {
        let def = loss(name);
        let args = call(&def.call, &[]).args;
        let parts: Vec<f64> = def.by_sample(&args, x, y, mask).unwrap().to_vec1().unwrap();
        let whole = scalar(&def.forward(&args, x, y, mask).unwrap());
        assert_eq!(parts.len(), 4, "{name}");
        assert!((parts.iter().sum::<f64>() - whole).abs() < 1e-12, "{name}: {parts:?} {whole}");
        // One sample alone: its own mean, weighed by its labels.
        let count = |m: Option<&Tensor>| m.map_or(12.0, |m| m.sum_all().unwrap().to_scalar::<f64>().unwrap());
        for (i, part) in parts.iter().enumerate() {
            let row = |t: &Tensor| t.narrow(0, i, 1).unwrap();
            let own = mask.map(row);
            let alone = scalar(&def.forward(&args, &row(x), &row(y), own.as_ref()).unwrap());
            let share = match mask {
                None => 0.25,
                Some(m) => count(own.as_ref()) / count(Some(m)),
            };
            assert!((part - alone * share).abs() < 1e-12, "{name} {i}: {part} {alone} {share}");
        }
    }
}

/// Value and gradient of a loss, in f32.
fn both(def: &LossDef, written: &[(&'static str, Value)], x: &[f64], y: &Tensor, mask: Option<&Tensor>) -> Vec<f64> {
    let x = tensor(x, &[5000, 4]).to_dtype(DType::F32).unwrap();
    let x = Var::from_tensor(&x).unwrap();
    let loss = (apply(def, written, &x, y, mask).unwrap() * 3.0).unwrap();
    let grads = loss.backward().unwrap();
    let mut all = vec![scalar(&loss)];
    let grad = grads.get(&x).unwrap().to_dtype(DType::F64).unwrap();
    all.extend(grad.flatten_all().unwrap().to_vec1::<f64>().unwrap());
    all
}

#[test]
fn kernels_give_what_the_compositions_give() {
    let x: Vec<f64> = numbers(20_000, 7).iter().map(|v| v * 20.0).collect();
    let bits: Vec<f64> = numbers(20_000, 3).iter().map(|v| f64::from(*v > 0.0)).collect();
    let some = tensor(&numbers(5000, 9).iter().map(|v| f64::from(*v > -1.0)).collect::<Vec<_>>(), &[5000]);
    let classes = tensor(&(0..5000).map(|i| ((i * 7) % 4) as f64).collect::<Vec<_>>(), &[5000, 1]);
    let (bits, any) = (tensor(&bits, &[5000, 4]), tensor(&numbers(20_000, 11), &[5000, 4]));
    let weighted = [("pos_weight", number(2.5))];
    let (delta, smoothed) = ([("delta", number(0.7))], [("label_smoothing", number(0.1))]);
    for (name, written, labels) in [
        ("bce", &[] as &[_], &bits),
        ("bce", &weighted, &bits),
        ("mse", &[], &any),
        ("l1", &[], &any),
        ("huber", &delta, &any),
        ("cross_entropy", &[], &classes),
        ("cross_entropy", &smoothed, &classes),
    ] {
        for mask in [None, Some(&some)] {
            let ours = both(loss(name), written, &x, labels, mask);
            let theirs = path::composed(|| both(loss(name), written, &x, labels, mask));
            let most = theirs.iter().skip(1).fold(0.0f64, |m, v| m.max(v.abs()));
            assert!((ours[0] - theirs[0]).abs() <= 1e-5 * theirs[0].abs(), "{name}: {} and {}", ours[0], theirs[0]);
            for (i, (a, b)) in ours.iter().zip(&theirs).enumerate().skip(1) {
                assert!((a - b).abs() <= 2e-6 * most, "{name} at {i}: {a} and {b}");
            }
        }
    }
}

#[test]
fn what_is_masked_is_never_read() {
    for def in losses() {
        let (shape, label_shape): (&[usize], &[usize]) = match def.call.name {
            "cross_entropy" => (&[2, 3], &[2, 1]),
            "cosine" => (&[2, 3, 1, 1], &[2, 3, 1, 1]),
            _ => (&[2, 3], &[2, 3]),
        };
        let x = Var::from_tensor(&tensor(&numbers(6, 1), shape)).unwrap();
        let mut labels = vec![f64::NAN; label_shape.iter().product()];
        let none = apply(def, &[], &x, &tensor(&labels, label_shape), Some(&tensor(&[0.0, 0.0], &[2]))).unwrap();
        assert_eq!(scalar(&none), 0.0, "{}", def.call.name);
        let grads = none.backward().unwrap();
        let grad: Vec<f64> = grads.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(grad.iter().all(|g| *g == 0.0), "{}: {grad:?}", def.call.name);

        let n = labels.len() / 2;
        labels[..n].fill(1.0);
        let masked = apply(def, &[], &x, &tensor(&labels, label_shape), Some(&tensor(&[1.0, 0.0], &[2]))).unwrap();
        let first = x.narrow(0, 0, 1).unwrap();
        let mut first_shape = label_shape.to_vec();
        first_shape[0] = 1;
        let alone = apply(def, &[], &first, &tensor(&labels[..n], &first_shape), None).unwrap();
        assert!((scalar(&masked) - scalar(&alone)).abs() < 1e-12, "{}", def.call.name);
        let grad = masked.backward().unwrap();
        let grad: Vec<f64> = grad.get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(grad.iter().all(|g| g.is_finite()) && grad[3..].iter().all(|g| *g == 0.0), "{grad:?}");
    }
}

#[test]
fn bce_holds_at_zero_and_at_the_ends_in_f32() {
    let x = Var::from_slice(&[0f32, 0.0, 200.0, -200.0, 200.0, -200.0], (6, 1), &Device::Cpu).unwrap();
    let y = Tensor::new(&[[1f32], [0.0], [1.0], [0.0], [0.0], [1.0]], &Device::Cpu).unwrap();
    let l = apply(loss("bce"), &[], &x, &y, None).unwrap();
    assert!((scalar(&l) - (2.0 * 2f64.ln() + 400.0) / 6.0).abs() < 1e-5, "{l}");
    let grad: Vec<f32> = l.backward().unwrap().get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    for (got, want) in grad.iter().zip([-0.5, 0.5, 0.0, 0.0, 1.0, -1.0]) {
        assert!((got * 6.0 - want).abs() < 1e-6, "{grad:?}");
    }
}

#[test]
fn l1_and_huber_pull_nowhere_at_zero_error() {
    for name in ["l1", "huber"] {
        let x = Var::from_slice(&[0f32, 1.0], (2, 1), &Device::Cpu).unwrap();
        let l = apply(loss(name), &[], &x, x.as_detached_tensor().as_ref(), None).unwrap();
        let grad: Vec<f32> = l.backward().unwrap().get(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(grad, [0.0, 0.0], "{name}");
    }
}

#[test]
fn a_wrong_class_index_is_an_error() {
    let x = tensor(&numbers(6, 1), &[2, 3]);
    for wrong in [3.0, -1.0, 0.5, f64::NAN] {
        let error = apply(loss("cross_entropy"), &[], &x, &tensor(&[0.0, wrong], &[2, 1]), None).unwrap_err();
        assert!(error.to_string().contains("not one of 3 classes"), "{error}");
    }
}

#[test]
fn half_precision_is_summed_in_f32() {
    let x = tensor(&[0.5; 64], &[64, 1]).to_dtype(DType::BF16).unwrap();
    let y = tensor(&[0.0; 64], &[64, 1]).to_dtype(DType::F32).unwrap();
    let l = apply(loss("mse"), &[], &x, &y, None).unwrap();
    assert_eq!((l.dtype(), scalar(&l)), (DType::F32, 0.25));
}

#[test]
fn every_kind_has_one_default_that_fits() {
    use TaskKind::*;
    let kinds =
        [Binary, Classes(Some(3)), Classes(None), Multilabel(Some(2)), Regression(2), Segmentation(4), Depth, Normals];
    for kind in kinds {
        assert_eq!(losses().iter().filter(|d| (d.default_for)(kind)).count(), 1, "{kind:?}");
        assert!((default_loss(kind).fits)(kind), "{kind:?}");
    }
    assert_eq!(default_loss(Binary).call.name, "bce");
    assert_eq!(default_loss(Regression(1)).call.name, "mse");
}
