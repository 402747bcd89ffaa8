//! Milliseconds of a training step of a large table alone: 1024 lookups in an embedding of 1,000,000 rows of 32, the way back, and the
//! optimiser. The gradient as rows, against all of it with its zeros. `cargo bench --bench table [-- ROWS]`; `peers/table.py` times
//! PyTorch's.

use std::time::Instant;

use candle_core::{Device, Tensor, Var};
use mtlc::ops::grad::Grad;
use mtlc::ops::kernel::record::recording;
use mtlc::ops::{self, Field, Fields, Pass, TensorType};
use mtlc::optim::{Gradient, Gradients, Missing, Optimizer, find_optimizer};
use mtlc::random::Randomness;
use mtlc::schema::{Args, Call, Value};
use mtlc::source::{FileId, Span, Spanned};

#[global_allocator]
static ALLOCATOR: mtlc::runtime::blocks::Blocks = mtlc::runtime::blocks::Blocks;

const SIZE: usize = 32;
const BATCH: usize = 1024;
const STEPS: usize = 15;

fn args(values: &[(&'static str, Value)]) -> Args {
    let mut args = Args::default();
    for (name, value) in values {
        args.set(name, Spanned { value: value.clone(), span: Span::new(FileId(0), 0, 0) }, true);
    }
    args
}

fn optimizer(name: &str) -> Call {
    let of = |n: &'static str, v: f64| (n, Value::Float(v));
    let (name, given): (&'static str, Vec<_>) = match name {
        "sgd" => ("sgd", vec![of("momentum", 0.0)]),
        "momentum" => ("sgd", vec![of("momentum", 0.9)]),
        _ => ("adam", vec![of("beta1", 0.9), of("beta2", 0.999), of("eps", 1e-8)]),
    };
    let mut all = vec![of("lr", 0.01), of("weight_decay", 0.0)];
    if name == "sgd" {
        all.extend([of("dampening", 0.0), ("nesterov", Value::Bool(false))]);
    }
    all.extend(given);
    assert!(find_optimizer(name).is_some());
    Call { name, args: args(&all) }
}

/// Median, least and most milliseconds of a step, the last ones of a longer training where `steps` says so.
fn time(rows: usize, optimizer_name: &str, as_rows: bool, warm: usize) -> [f64; 3] {
    let ty = TensorType::Fields(Fields(Some([Field::Category { values: rows }].as_slice().into())));
    let made = (ops::find("embedding").expect("an op").make)(&args(&[("size", Value::Int(SIZE as i64))]), &[ty]);
    let op = made.expect("an op").remove(0);
    let numbers: Vec<f32> = (0..rows * SIZE).map(|i| ((i * 7919 % 2003) as f32 - 1001.0) / 5000.0).collect();
    let table = Var::from_vec(numbers, (rows, SIZE), &Device::Cpu).expect("a table");
    let weights = [("table", &table)];
    let mut optimizer = Optimizer::new(&optimizer(optimizer_name), &weights).expect("an optimiser");
    let mut times = Vec::new();
    for step in 0..warm + STEPS {
        let mut state = step as u64 + 1;
        let mut draw = |_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % rows as u64) as f32
        };
        let x = Tensor::from_vec((0..BATCH).map(&mut draw).collect(), (BATCH, 1), &Device::Cpu).expect("a batch");
        let dy = Tensor::full(1e-3f32, (BATCH, 1, SIZE), &Device::Cpu).and_then(|t| t.contiguous()).expect("numbers");
        let start = Instant::now();
        let mut pass = Pass { train: true, random: Randomness::new(1), step: 0, site: 0, buffers: Vec::new() };
        let given = [table.as_tensor().detach()];
        let grad = if as_rows {
            let (_, mut calls) = recording(|| op.forward(&[x], &given, &mut pass).expect("forward"));
            let call = calls.pop().expect("one call");
            let found = call.backward(Grad::of(&dy).expect("a copy"), &[true], true).expect("backward");
            Gradient::of(found.into_iter().flatten().next().expect("a gradient"), &Device::Cpu).expect("a gradient")
        } else {
            // As it was: candle's graph of the op, and its gradient as it comes.
            let y = op.forward(&[x], &[table.as_tensor().clone()], &mut pass).expect("forward");
            let store = (y * dy).and_then(|y| y.sum_all()).and_then(|y| y.backward()).expect("backward");
            let grad = Grad::of(store.get(&table).expect("a gradient")).expect("a copy");
            Gradient::dense(grad.tensor(&Device::Cpu).expect("a gradient"))
        };
        let grads = Gradients::of(vec![Some(grad)]);
        optimizer.step(&weights, &grads, 0.01, Missing::Zero).expect("a step");
        if step >= warm {
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    times.sort_by(f64::total_cmp);
    [times[STEPS / 2], times[0], times[STEPS - 1]]
}

fn main() {
    mtlc::runtime::threads::join();
    let rows = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1_000_000);
    println!("{:<10} {:<8} {:>6} {:>10} {:>10} {:>10}", "optimiser", "gradient", "after", "ms a step", "least", "most");
    for name in ["sgd", "momentum", "adam"] {
        for (as_rows, warm) in [(false, 3), (true, 3), (true, 400)] {
            let [median, least, most] = time(rows, name, as_rows, warm);
            let gradient = if as_rows { "rows" } else { "dense" };
            println!("{name:<10} {gradient:<8} {warm:>6} {median:>10.2} {least:>10.2} {most:>10.2}");
        }
    }
}
