//! Optimisers against the published steps, written out one scalar at a time in f64.

use candle_core::{DType, Device, Tensor, Var};
use mtlc::ops::rows::Rows;
use mtlc::optim::{Gradient, Gradients, Missing, Optimizer, find_optimizer};
use mtlc::schema::{Call, Value};

use crate::calls::{call, number};

fn make(name: &str, written: &[(&'static str, f64)]) -> Call {
    let value = |(n, v): &(&'static str, f64)| (*n, if *n == "nesterov" { Value::Bool(*v != 0.0) } else { number(*v) });
    call(&find_optimizer(name).unwrap().call, &written.iter().map(value).collect::<Vec<_>>())
}

fn numbers(n: usize, salt: u64) -> Vec<f64> {
    (0..n as u64).map(|i| (((i + 1) * 2654435761 + salt * 40503) % 10007) as f64 / 10007.0 * 4.0 - 2.0).collect()
}

fn values(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn var(values: &[f64], dtype: DType) -> Var {
    Var::from_tensor(&Tensor::from_slice(values, values.len(), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()).unwrap()
}

#[derive(Default, Clone)]
struct Reference {
    t: i32,
    m: f64,
    v: f64,
}

impl Reference {
    fn step(&mut self, name: &str, o: &[(&'static str, f64)], lr: f64, w: f64, mut g: f64) -> f64 {
        let get = |n: &str, d: f64| o.iter().find(|(k, _)| *k == n).map_or(d, |(_, v)| *v);
        self.t += 1;
        if name == "sgd" {
            let momentum = get("momentum", 0.0);
            g += get("weight_decay", 0.0) * w;
            if momentum != 0.0 {
                self.m = if self.t == 1 { g } else { momentum * self.m + (1.0 - get("dampening", 0.0)) * g };
                g = if get("nesterov", 0.0) != 0.0 { g + momentum * self.m } else { self.m };
            }
            return w - lr * g;
        }
        let (b1, b2, eps) = (get("beta1", 0.9), get("beta2", 0.999), get("eps", 1e-8));
        let mut w = w;
        match name {
            "adam" => g += get("weight_decay", 0.0) * w,
            _ => w -= lr * get("weight_decay", 0.01) * w,
        }
        self.m = b1 * self.m + (1.0 - b1) * g;
        self.v = b2 * self.v + (1.0 - b2) * g * g;
        let mean = self.m / (1.0 - b1.powi(self.t));
        let square = self.v / (1.0 - b2.powi(self.t));
        w - lr * mean / (square.sqrt() + eps)
    }
}

const CASES: &[(&str, &[(&str, f64)])] = &[
    ("sgd", &[("lr", 0.1)]),
    ("sgd", &[("lr", 0.1), ("weight_decay", 0.05)]),
    ("sgd", &[("lr", 0.1), ("momentum", 0.9)]),
    ("sgd", &[("lr", 0.1), ("momentum", 0.9), ("weight_decay", 5e-4), ("dampening", 0.3)]),
    ("sgd", &[("lr", 0.1), ("momentum", 0.9), ("weight_decay", 5e-4), ("nesterov", 1.0)]),
    ("adam", &[("lr", 0.01)]),
    ("adam", &[("lr", 0.01), ("weight_decay", 0.1), ("beta1", 0.8), ("beta2", 0.95), ("eps", 1e-3)]),
    ("adamw", &[("lr", 0.01)]),
    ("adamw", &[("lr", 0.01), ("weight_decay", 0.2)]),
];

/// Six steps, the gradient missing in the third and in the last, the rate changing every step.
fn follow(name: &str, o: &'static [(&'static str, f64)], dtype: DType, n: usize, missing: Missing, tolerance: f64) {
    let w = var(&numbers(n, 1), dtype);
    let weights = [("w", &w)];
    let mut optimizer = Optimizer::new(&make(name, o), &weights).unwrap();
    assert_eq!(optimizer.lr(), o[0].1);
    let mut want: Vec<(f64, Reference)> = values(&w).into_iter().map(|w| (w, Reference::default())).collect();
    for step in 0..6 {
        let lr = optimizer.lr() / (1.0 + step as f64);
        let grad = (step != 2 && step != 5).then(|| var(&numbers(n, 10 + step), dtype).into_inner());
        let grads = Gradients::from_fn(&weights, |_, _| grad.clone());
        optimizer.step(&weights, &grads, lr, missing).unwrap();
        if grad.is_some() || missing == Missing::Zero {
            let grad = grad.map_or(vec![0.0; n], |g| values(&g));
            want.iter_mut().zip(grad).for_each(|((w, r), g)| *w = r.step(name, o, lr, *w, g));
        }
        for (got, (want, _)) in values(&w).iter().zip(&want) {
            assert!(
                (got - want).abs() <= tolerance,
                "{name} {o:?} {dtype:?} {missing:?} step {step}: {got} is not {want}"
            );
        }
    }
}

#[test]
fn steps_are_the_published_ones() {
    for (name, o) in CASES {
        for missing in [Missing::Zero, Missing::Skip] {
            follow(name, o, DType::F64, 5, missing, 1e-13);
            follow(name, o, DType::F32, 5, missing, 2e-6);
            follow(name, o, DType::F32, 20_000, missing, 2e-6); // several chunks
            follow(name, o, DType::BF16, 5, missing, 0.1); // by tensor operations
        }
    }
}

#[test]
fn state_continues_where_it_was_saved() {
    for (name, o) in CASES {
        for dtype in [DType::F32, DType::F64, DType::BF16] {
            let (a, b) = (var(&numbers(9, 1), dtype), var(&numbers(4, 2), dtype));
            let weights = [("layer.weight", &a), ("layer.bias", &b)];
            let grads = |step: u64| {
                Gradients::from_fn(&weights, |name, w| {
                    let absent = name == "layer.bias" && step.is_multiple_of(2);
                    (!absent).then(|| var(&numbers(w.elem_count(), 30 + step), dtype).into_inner())
                })
            };
            let mut whole = Optimizer::new(&make(name, o), &weights).unwrap();
            (0..3).for_each(|s| whole.step(&weights, &grads(s), 0.1, Missing::Skip).unwrap());
            let mut saved = whole.state().unwrap();
            let middle = [a.copy().unwrap(), b.copy().unwrap()];
            (3..6).for_each(|s| whole.step(&weights, &grads(s), 0.1, Missing::Skip).unwrap());
            let want = (values(&a), values(&b));

            a.set(&middle[0]).unwrap();
            b.set(&middle[1]).unwrap();
            saved.reverse();
            let mut resumed = Optimizer::new(&make(name, o), &weights).unwrap();
            resumed.load_state(&saved).unwrap();
            (3..6).for_each(|s| resumed.step(&weights, &grads(s), 0.1, Missing::Skip).unwrap());
            assert_eq!((values(&a), values(&b)), want, "{name} {o:?} {dtype:?}");
            let bits =
                |o: &Optimizer| o.state().unwrap().iter().map(|(n, t)| (n.clone(), values(t))).collect::<Vec<_>>();
            assert_eq!(bits(&whole), bits(&resumed));
        }
    }
}

#[test]
fn state_has_stable_names_and_is_checked_when_loaded() {
    let (a, b) = (var(&[1.0, 2.0], DType::F32), var(&[3.0], DType::F32));
    let weights = [("b.weight", &a), ("a.weight", &b)];
    let adam = make("adam", &[("lr", 0.1)]);
    let mut optimizer = Optimizer::new(&adam, &weights).unwrap();
    let state = optimizer.state().unwrap();
    let names: Vec<&str> = state.iter().map(|(n, _)| n.as_str()).collect();
    let want =
        ["b.weight/step", "b.weight/mean", "b.weight/square", "a.weight/step", "a.weight/mean", "a.weight/square"];
    assert_eq!(names, want);

    let fails = |o: &mut Optimizer, s: &[(String, Tensor)], text: &str| {
        let error = o.load_state(s).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    fails(&mut optimizer, &state[1..], "no optimiser state b.weight/step");
    let mut other = state.clone();
    other[1].0 = "c.weight/mean".into();
    fails(&mut optimizer, &other, "c.weight/mean belongs to no weight");
    other = state.clone();
    other[4].1 = state[1].1.clone();
    fails(&mut optimizer, &other, "a.weight/mean");
    optimizer.load_state(&state).unwrap();

    assert!(
        Optimizer::new(&adam, &[("a", &a), ("a", &b)]).unwrap_err().to_string().contains("two weights are named a")
    );
    let unknown = [("c", &a)];
    let grads = Gradients::from_fn(&unknown, |_, _| None);
    assert!(optimizer.step(&unknown, &grads, 0.1, Missing::Zero).is_err());
}

#[test]
fn a_weight_may_be_left_out_or_stand_elsewhere() {
    let start = [numbers(3, 1), numbers(3, 2)];
    let adam = make("adam", &[("lr", 0.1)]);
    let run = |swap: bool| {
        let (a, b) = (var(&start[0], DType::F32), var(&start[1], DType::F32));
        let mut optimizer = Optimizer::new(&adam, &[("a", &a), ("b", &b)]).unwrap();
        let order = if swap { [("b", &b), ("a", &a)] } else { [("a", &a), ("b", &b)] };
        let gradient = |w: &Var| Some((w.as_tensor() * 2.0).unwrap());
        optimizer.step(&order, &Gradients::from_fn(&order, |_, w| gradient(w)), 0.1, Missing::Zero).unwrap();
        optimizer
            .step(&[("a", &a)], &Gradients::from_fn(&[("a", &a)], |_, w| gradient(w)), 0.1, Missing::Zero)
            .unwrap();
        (values(&a), values(&b))
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn gradients_come_from_a_backward_pass() {
    let (a, b) = (var(&[1.0, -2.0], DType::F32), var(&[5.0], DType::F32));
    let weights = [("a", &a), ("b", &b)];
    let store = a.sqr().unwrap().sum_all().unwrap().backward().unwrap();
    let grads = Gradients::from_store(&weights, &store);
    assert!(grads.get(1).is_none());
    let mut sgd = Optimizer::new(&make("sgd", &[("lr", 0.25)]), &weights).unwrap();
    sgd.step(&weights, &grads, sgd.lr(), Missing::Skip).unwrap();
    assert_eq!((values(&a), values(&b)), (vec![0.5, -1.0], vec![5.0]));
}

#[test]
fn clipping_keeps_the_direction_and_the_global_norm() {
    let (a, b) = (var(&[0.0, 0.0], DType::F32), var(&[0.0], DType::F32));
    let weights = [("a", &a), ("b", &b)];
    let gradient = |name: &str| if name == "a" { var(&[3.0, 0.0], DType::F32) } else { var(&[4.0], DType::F32) };
    let mut grads = Gradients::from_fn(&weights, |name, _| Some(gradient(name).into_inner()));
    assert_eq!(grads.norm().unwrap(), 5.0);
    assert_eq!(grads.clip_norm(10.0).unwrap(), 5.0);
    assert_eq!(grads.scale(), 1.0);
    assert_eq!(grads.clip_norm(1.0).unwrap(), 5.0);
    let mut sgd = Optimizer::new(&make("sgd", &[("lr", 1.0)]), &weights).unwrap();
    sgd.step(&weights, &grads, 1.0, Missing::Skip).unwrap();
    let scale = 1.0 / (5.0 + 1e-6);
    for (got, want) in [values(&a), values(&b)].concat().iter().zip([-3.0 * scale, 0.0, -4.0 * scale]) {
        assert!((got - want).abs() < 1e-7, "{got} is not {want}");
    }
    let all_zero = Gradients::from_fn(&weights, |_, _| None);
    assert_eq!(all_zero.norm().unwrap(), 0.0);
}

#[test]
fn norms_and_steps_do_not_depend_on_threads() {
    let n = 300_000;
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let w = var(&numbers(n, 1), DType::F32);
            let weights = [("w", &w)];
            let mut optimizer = Optimizer::new(&make("adamw", &[("lr", 0.1)]), &weights).unwrap();
            let mut norms = Vec::new();
            for step in 0..3 {
                let grad = var(&numbers(n, step), DType::F32).into_inner();
                let mut grads = Gradients::from_fn(&weights, |_, _| Some(grad.clone()));
                norms.push(grads.clip_norm(1.0).unwrap().to_bits());
                optimizer.step(&weights, &grads, 0.1, Missing::Zero).unwrap();
            }
            (norms, values(&w))
        })
    };
    assert!(run(1) == run(5));
}

#[test]
fn views_of_gradients_are_read_rightly() {
    let w = Var::from_tensor(&Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let weights = [("w", &w)];
    let grad = Tensor::arange(0f32, 12.0, &Device::Cpu).unwrap().reshape((2, 6)).unwrap();
    let grad = grad.narrow(1, 1, 2).unwrap().flatten_all().unwrap(); // 1 2 7 8
    let grad = Tensor::cat(&[&grad, &grad.narrow(0, 0, 2).unwrap()], 0).unwrap().reshape((3, 2)).unwrap().t().unwrap();
    let grads = Gradients::from_fn(&weights, |_, _| Some(grad.clone()));
    assert!((grads.norm().unwrap() - (1f64 + 4.0 + 49.0 + 64.0 + 1.0 + 4.0).sqrt()).abs() < 1e-12);
    let mut sgd = Optimizer::new(&make("sgd", &[("lr", 1.0)]), &weights).unwrap();
    sgd.step(&weights, &grads, 1.0, Missing::Skip).unwrap();
    assert_eq!(values(&w), [-1.0, -7.0, -1.0, -2.0, -8.0, -2.0]);
}

#[test]
fn arguments_that_rule_each_other_out_are_refused() {
    for (name, o, argument) in [
        ("sgd", &[("lr", 0.1), ("nesterov", 1.0)][..], "nesterov"),
        ("sgd", &[("lr", 0.1), ("nesterov", 1.0), ("momentum", 0.9), ("dampening", 0.1)], "nesterov"),
        ("adam", &[("lr", 0.1), ("beta1", 1.0)], "beta1"),
        ("adamw", &[("lr", 0.1), ("beta2", 1.0)], "beta2"),
    ] {
        let def = find_optimizer(name).unwrap();
        assert_eq!((def.check)(&make(name, o).args).unwrap_err().argument, argument);
        assert!(Optimizer::new(&make(name, o), &[]).is_err());
    }
}

/// A gradient of some rows of a table, and the same with its zeros.
fn some_rows(table: [usize; 2], step: usize, dtype: DType) -> (Gradient, Gradient) {
    let rows: Vec<usize> = (0..table[0]).filter(|r| (r * 7 + step * 5).is_multiple_of(61) || *r / 3 == step).collect();
    let values = numbers(rows.len() * table[1], step as u64);
    let rows = match dtype {
        DType::F64 => Rows::new(rows, values, (&table).into()),
        _ => Rows::new(rows, values.iter().map(|v| *v as f32).collect(), (&table).into()),
    };
    let rows = rows.unwrap();
    let dense = rows.tensor(&Device::Cpu).unwrap();
    (Gradient::of_rows(rows), Gradient::dense(dense))
}

/// Rows alone give what the table's gradient with its zeros gives, to the last bit: with moments that move without a gradient,
/// decay, clipping, a step without a gradient and a dense one between, and a state that is saved and loaded.
#[test]
fn rows_are_updated_as_their_table_is() {
    let eps = ("adam", &[("lr", 0.01), ("eps", 1e-37)] as &[(&str, f64)]);
    for (name, o) in CASES.iter().copied().chain([eps]) {
        for (table, dtype) in [([700, 24], DType::F32), ([700, 24], DType::F64), ([3000, 1], DType::F32)] {
            let run = |as_rows: bool| {
                let start = numbers(table[0] * table[1], 3);
                let w = Var::from_tensor(&var(&start, dtype).reshape(&table).unwrap()).unwrap();
                let weights = [("w", &w)];
                let mut optimizer = Optimizer::new(&make(name, o), &weights).unwrap();
                let mut norms = Vec::new();
                for step in 0..12 {
                    let (rows, dense) = some_rows(table, step, dtype);
                    let given = match step {
                        4 => None,
                        7 => Some(dense),
                        _ => Some(if as_rows { rows } else { dense }),
                    };
                    let mut grads = Gradients::of(vec![given]);
                    if step % 3 == 2 {
                        norms.push(grads.clip_norm(0.5).unwrap().to_bits());
                    }
                    optimizer.step(&weights, &grads, 0.05, Missing::Zero).unwrap();
                    if step == 9 {
                        let saved = optimizer.state().unwrap();
                        optimizer = Optimizer::new(&make(name, o), &weights).unwrap();
                        optimizer.load_state(&saved).unwrap();
                    }
                }
                let state = optimizer.state().unwrap();
                let all = state.iter().map(|(_, t)| t).chain([w.as_tensor()]).flat_map(values).map(f64::to_bits);
                (norms, all.collect::<Vec<u64>>())
            };
            assert!(run(true) == run(false), "{name} {o:?} {table:?} {dtype:?}");
        }
    }
}

#[test]
fn norms_of_rows_are_those_of_their_table() {
    for table in [[10, 3], [30_000, 7], [9, 20_000]] {
        for step in 0..3 {
            let (rows, dense) = some_rows(table, step, DType::F32);
            assert!(!rows.rows().unwrap().rows().is_empty());
            let norm = |g: Gradient| Gradients::of(vec![Some(g)]).norm().unwrap();
            assert_eq!(norm(rows).to_bits(), norm(dense).to_bits(), "{table:?}");
        }
    }
}

#[test]
fn sums_of_rows_are_those_of_their_tables() {
    let ((a, wide), (b, other)) = (some_rows([200, 5], 1, DType::F32), some_rows([200, 5], 2, DType::F32));
    let sum = a.rows().unwrap().plus(b.rows().unwrap()).unwrap();
    let expected = (wide.tensor() + other.tensor()).unwrap();
    assert_eq!(values(&sum.tensor(&Device::Cpu).unwrap()), values(&expected));
    assert!(sum.rows().len() > a.rows().unwrap().rows().len());
    assert!(Rows::new(vec![1, 1], vec![0f32; 4], (3, 2).into()).is_err(), "a row twice");
    assert!(Rows::new(vec![3], vec![0f32; 2], (3, 2).into()).is_err(), "a row that is not there");
    assert!(Rows::new(vec![2], vec![0f32; 3], (3, 2).into()).is_err(), "too many numbers");
}
