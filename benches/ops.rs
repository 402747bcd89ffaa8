//! Milliseconds per op, forward and backward, over the list in `ops.txt`: the least of many runs. `peers/ops.py` times the same
//! list in PyTorch. `cargo bench --bench ops [NAME...]`; `THREADS` and `SECONDS` (per
//! op) from the environment; `CPU=1` for seconds of the processor.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use candle_core::{Device, Shape, Tensor, Var};
use mtlc::ops::input::Window;
use mtlc::ops::kernel::{Kernel, View, batch, conv, linear, relu, window};
use mtlc::optim::{Gradients, Missing, Optimizer};
use mtlc::schema::{Args, Call, Value};
use mtlc::source::{FileId, Span, Spanned};

#[global_allocator]
static ALLOCATOR: mtlc::runtime::blocks::Blocks = mtlc::runtime::blocks::Blocks;

fn environment(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Seconds so far: of the processor where asked and known, which other programs disturb less, else of the clock.
fn now() -> f64 {
    #[cfg(unix)]
    if environment("CPU", 0.0) > 0.0 {
        let t = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        return t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9;
    }
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

fn best<R>(mut f: impl FnMut() -> R) -> f64 {
    let seconds = environment("SECONDS", 0.3);
    f();
    f();
    let (mut least, start) = (f64::INFINITY, Instant::now());
    loop {
        let from = now();
        std::hint::black_box(f());
        least = least.min(now() - from);
        if start.elapsed().as_secs_f64() > seconds {
            return least * 1e3;
        }
    }
}

/// Numbers from -1 to 1, the same in every run.
fn values(len: usize) -> Vec<f32> {
    let mut state = 1u32;
    let next = |_| {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(next).collect()
}

fn time<const N: usize, K: Kernel<N>>(kernel: impl Fn() -> K, shapes: [&[usize]; N]) -> [f64; 2] {
    let data = shapes.map(|s| values(s.iter().product()));
    let views = || std::array::from_fn(|i| View { data: &data[i][..], dims: shapes[i] });
    let forward = best(|| kernel().forward(views()).unwrap());
    let kernel = kernel();
    let (y, shape): (Vec<f32>, Shape) = kernel.forward(views()).unwrap();
    let dy = values(y.len());
    let output = View { data: &y[..], dims: shape.dims() };
    let backward = best(|| kernel.backward(views(), output, &dy, [true; N]).unwrap());
    [forward, backward]
}

fn optimiser(name: &'static str, args: &[(&'static str, Value)], count: usize, size: usize) -> [f64; 2] {
    let vars: Vec<(String, Var)> =
        (0..count).map(|i| (format!("w{i}"), Var::from_vec(values(size), size, &Device::Cpu).unwrap())).collect();
    let weights: Vec<(&str, &Var)> = vars.iter().map(|(n, v)| (n.as_str(), v)).collect();
    // A call names every argument that its table has.
    let mut all = Args::default();
    for (name, value) in args {
        all.set(name, Spanned { value: value.clone(), span: Span::new(FileId(0), 0, 0) }, true);
    }
    let call = Call { name, args: all };
    let mut optimiser = Optimizer::new(&call, &weights).unwrap();
    let grad = Tensor::from_vec(values(size), size, &Device::Cpu).unwrap();
    let grads = Gradients::from_fn(&weights, |_, _| Some(grad.copy().unwrap()));
    [best(|| optimiser.step(&weights, &grads, 1e-6, Missing::Zero).unwrap()), 0.0]
}

fn measure(name: &str, s: &[usize]) -> [f64; 2] {
    match name {
        "conv" | "conv_relu" => {
            let [n, ci, size, co, kernel, stride, padding, groups] = s.try_into().expect("eight sizes");
            let (x, w) = ([n, ci, size, size], [co, ci / groups, kernel, kernel]);
            let window = Window { kernel, stride, padding, dilation: 1 };
            match name {
                "conv" => time(|| conv::Conv { window, groups, relu: false }, [&x, &w]),
                _ => time(|| conv::Conv { window, groups, relu: true }, [&x, &w, &[co]]),
            }
        }
        "linear" | "linear_relu" => {
            let relu = name == "linear_relu";
            time(|| linear::Linear { relu }, [&[s[0], s[1]], &[s[2], s[1]], &[s[2]]])
        }
        "batch_norm" | "batch_norm_relu" => {
            let relu = name == "batch_norm_relu";
            let norm = || batch::BatchNorm { eps: 1e-5, given: None, relu, used: Arc::new(OnceLock::new()) };
            time(norm, [&[s[0], s[1], s[2], s[2]], &[s[1]], &[s[1]]])
        }
        "sgd" => {
            let numbers = [("lr", 1e-6), ("momentum", 0.9), ("weight_decay", 0.0), ("dampening", 0.0)];
            let mut args: Vec<_> = numbers.map(|(n, v)| (n, Value::Float(v))).into();
            args.push(("nesterov", Value::Bool(false)));
            optimiser("sgd", &args, s[0], s[1])
        }
        "adam" => {
            let numbers = [("lr", 1e-6), ("beta1", 0.9), ("beta2", 0.999), ("eps", 1e-8), ("weight_decay", 0.0)];
            optimiser("adam", &numbers.map(|(n, v)| (n, Value::Float(v))), s[0], s[1])
        }
        _ => {
            let x = [s[0], s[1], s[2], s[2]];
            let pool = |kernel, stride, padding| Window { kernel, stride, padding, dilation: 1 };
            match name {
                "relu" => time(|| relu::Relu, [&x]),
                "max_pool" => time(|| window::Max::new(pool(2, 2, 0)), [&x]),
                "max_pool3" => time(|| window::Max::new(pool(3, 2, 1)), [&x]),
                "global_avg_pool" => time(|| window::Global, [&x]),
                _ => panic!("no op {name}"),
            }
        }
    }
}

fn main() {
    let threads = environment("THREADS", 2.0) as usize;
    rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build_global().expect("the first pool");
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    println!("{:36}|   forward  backward", "ms");
    for line in include_str!("ops.txt").lines().filter(|l| !l.is_empty() && !l.starts_with('#')) {
        if !asked.is_empty() && !asked.iter().any(|a| line.contains(a.as_str())) {
            continue;
        }
        let mut words = line.split(' ');
        let name = words.next().expect("a name");
        let sizes: Vec<usize> = words.map(|w| w.parse().expect("a size")).collect();
        let [forward, backward] = measure(name, &sizes);
        println!("{line:36}|{forward:10.3}{backward:10.3}");
    }
}
