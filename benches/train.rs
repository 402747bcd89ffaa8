//! Milliseconds of a training step. `cargo bench --bench train [-- NAME ...]` times the models of `models/mod.rs`; `-- bounds [NAME
//! ...]` tells how long their products would take at the best rate.
//! `benches/peers/compare.py` runs this program and PyTorch in turns, by the lines that `worker` reads, and prints the ratios.
//! `--device cuda:0` and `--batch N` say where, and with how many samples a step; on a GPU the clock is read when it has finished.
//! `--memory N` lets a step take N MiB by the plan's account, and compute again what does not fit.

mod models;

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use candle_core::{Device, Tensor};
use mtlc::check::Checked;
use mtlc::driver::compile_text;
use mtlc::experiment::{network_of, train_args};
use mtlc::ir::Network;
use mtlc::ops::kernel::linear::Linear;
use mtlc::ops::kernel::{Kernel, View};
use mtlc::ops::precision::Precision;
use mtlc::plan::memory::Pace;
use mtlc::plan::passes::{Switches, recompute};
use mtlc::plan::{Kind, lower};
use mtlc::random::Randomness;
use mtlc::runtime::epochs::Procedure;
use mtlc::runtime::feed::{Fed, Feed};
use mtlc::runtime::fit::{Fitting, Job, losses};
use mtlc::runtime::model::{Decided, Mode, Model};
use mtlc::runtime::state::Position;
use mtlc::runtime::synthetic;
use mtlc::runtime::tape::Observer;
use mtlc::schema::Args;
use mtlc::search::bench::Ground;
use mtlc::search::group::Grouping;
use mtlc::search::learn_to_branch::Branching;

#[global_allocator]
static ALLOCATOR: mtlc::runtime::blocks::Blocks = mtlc::runtime::blocks::Blocks;

const RANDOM: u64 = 1;

/// All that a step needs, built once.
struct Bench {
    model: models::Model,
    checked: Checked,
    network: Network,
    plan: Model,
    feed: Feed,
    fed: Fed,
    args: Args,
    device: Device,
}

/// Where steps run, and on how many samples; each model has its own number.
struct Place {
    device: Device,
    batch: Option<usize>,
    /// MiB of a step.
    memory: Option<u64>,
}

impl Place {
    const CPU: Place = Place { device: Device::Cpu, batch: None, memory: None };

    /// Takes `--device`, `--precision` and `--batch` out of the arguments.
    fn taken(args: &mut Vec<String>) -> Place {
        let mut take = |name: &str| {
            let at = args.iter().position(|a| a == name)?;
            args.remove(at);
            (at < args.len()).then(|| args.remove(at))
        };
        let device =
            take("--device").map_or(Device::Cpu, |d| mtlc::runtime::device::open(&d).unwrap_or_else(|e| panic!("{e}")));
        let precision =
            take("--precision").map_or(Precision::F32, |p| Precision::named(&p).expect("f32, tf32 or bf16"));
        precision.begin();
        let batch = take("--batch").map(|n| n.parse().expect("a number of samples"));
        let memory = take("--memory").map(|n| n.parse().expect("a number of MiB"));
        Place { device, batch, memory }
    }
}

/// The program with another number of samples a step.
fn with_batch(text: &str, batch: usize) -> String {
    let mut parts = text.split("batch = ");
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        out += &format!("batch = {batch}{}", part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    out
}

impl Bench {
    fn new(name: &str, place: &Place) -> Bench {
        Bench::of(name, &Switches::chosen(), place)
    }

    fn of(name: &str, switches: &Switches, place: &Place) -> Bench {
        let mut model = models::model(name).unwrap_or_else(|| panic!("no model is called `{name}`"));
        if let Some(batch) = place.batch {
            model.text = with_batch(&model.text, batch);
        }
        let device = place.device.clone();
        let none = |_: &Path| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        let compiled = compile_text(&model.text, Path::new("bench.mtl"), &Default::default(), &none);
        let said: Vec<String> = compiled.diagnostics.iter().map(|d| d.message.clone()).collect();
        let checked = compiled.checked.unwrap_or_else(|| panic!("{name}: {said:?}\n{}", model.text));
        let network = match (model.step, &checked.spec.topology, &checked.supernet) {
            (models::Step::Train, Some(t), _) => network_of(&checked, t).expect("checked"),
            (models::Step::Train, None, _) => {
                network_of(&checked, &mtlc::ir::partition::all_shared(&checked.spec)).expect("checked")
            }
            (_, _, Some(supernet)) => supernet.clone(),
            _ => panic!("{name} has no space"),
        };
        let (plan, symbols) = lower(&checked, &network).expect("all sizes are known");
        let mut plan = Model::with(plan, symbols, Randomness::new(RANDOM), &device, switches).expect("weights fit");
        let args = match model.step {
            models::Step::Train => train_args(&checked),
            _ => checked.spec.searches[0].args.clone(),
        };
        let batch = args.size("batch");
        if let Some(memory) = place.memory {
            let pace = Pace { batch: batch as u64, early: device.is_cpu(), losses: 1 };
            let chosen = recompute::run(&mut plan.plan, pace, Some(memory << 20), switches);
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            eprintln!(
                "{name}: {:.0} MiB in place of {:.0}, {:.0}% of the way forward twice: {:?}",
                mib(chosen.most),
                mib(chosen.plain),
                100.0 * chosen.again,
                plan.plan.forgotten
            );
        }
        let feed = synthetic::feed(&checked, batch, Randomness::new(RANDOM)).expect("sizes are known");
        let table = &feed.dataset.train;
        let rows: Vec<u32> = (0..batch as u32).collect();
        let fed = feed.take(table, &rows, &device).expect("a batch");
        Bench { model, checked, network, plan, feed, fed, args, device }
    }

    /// Runs `f` with the procedure of a step.
    fn with<R>(&self, f: impl FnOnce(&mut dyn Procedure) -> R) -> R {
        let random = Randomness::new(RANDOM);
        if self.model.step == models::Step::Train {
            let job = Job { spec: &self.checked.spec, feed: &self.feed, args: &self.args, random };
            return f(&mut Fitting::new(&self.plan, &job, "bench").expect("a procedure"));
        }
        let search = &self.checked.spec.searches[0];
        if self.model.step == models::Step::Group {
            return f(&mut Grouping::new(&self.ground(), &self.plan, "bench").expect("a procedure"));
        }
        let made = Branching::new(&self.checked, &self.network, search, &self.plan, &self.feed, random, "bench");
        f(&mut made.expect("a procedure"))
    }

    fn ground(&self) -> Ground<'_> {
        let search = &self.checked.spec.searches[0];
        let (checked, network, feed) = (&self.checked, &self.network, &self.feed);
        Ground { checked, network, search, feed, random: Randomness::new(RANDOM), device: &self.device }
    }

    /// The same of DMTG's supernet: shares of the groups, and gradients with respect to the logits they are the softmax of.
    fn pull(&self, all: &mut Vec<(String, Tensor)>, shares: &[Vec<f64>]) {
        let ground = self.ground();
        let values = self.plan.snapshot().expect("a copy");
        let mut grouping = Grouping::new(&ground, &self.plan, "bench").expect("a procedure");
        // Groups that differ tell more than groups that start alike.
        self.plan.restore(&values).expect("the same shapes");
        let mut kinks = Kinks { bench: self, seen: Vec::new() };
        let at = Position { epoch: 1, step: 1, ..Position::default() };
        let found = grouping.pull(&self.fed, &at, shares, Some(&mut kinks)).expect("a step");
        all.extend(kinks.seen);
        all.push(("loss".into(), Tensor::new(&[found.stepped.total as f32], &Device::Cpu).expect("one")));
        for (i, (name, _)) in self.plan.trained().into_iter().enumerate() {
            let grad = found.weights.get(i).expect("all are reached").contiguous().expect("contiguous");
            all.push((format!("grad/{name}"), grad));
        }
        for (c, (shares, grad)) in shares.iter().zip(&found.logits).enumerate() {
            all.push((format!("probs/{c}"), Tensor::new(shares.as_slice(), &Device::Cpu).expect("a tensor")));
            all.push((format!("grad_logits/{c}"), Tensor::new(grad.as_slice(), &Device::Cpu).expect("a tensor")));
        }
        for (name, var) in self.plan.named() {
            all.push((format!("after/{name}"), var.as_tensor().clone()));
        }
    }

    /// Weights, batch, what one forward and backward pass gives, and the outputs of all ReLUs, as a safetensors file.
    fn dump(&self, path: &Path) {
        let mut all: Vec<(String, Tensor)> = Vec::new();
        for (name, var) in self.plan.named() {
            all.push((format!("weight/{name}"), var.as_tensor().copy().expect("a copy")));
        }
        for (input, tensor) in &self.fed.inputs {
            all.push((format!("input/{input}"), tensor.clone()));
        }
        for (i, labels) in self.fed.labels.iter().enumerate() {
            all.push((format!("label/{i}"), labels.clone()));
        }
        let train = self.model.step == models::Step::Train;
        let mut probs: Vec<Tensor> = Vec::new();
        let mut decided = Vec::new();
        let shares = |(c, n): (usize, &usize)| -> Vec<f64> {
            let weights: Vec<f64> = (0..*n).map(|i| 1.0 + ((i * 7 + c * 3) % 5) as f64).collect();
            let total: f64 = weights.iter().sum();
            weights.iter().map(|w| w / total).collect()
        };
        let all_shares: Vec<Vec<f64>> = self.plan.plan.choices.iter().enumerate().map(shares).collect();
        if self.model.step == models::Step::Group {
            self.pull(&mut all, &all_shares);
            return safetensors::serialize_to_file(all.iter().map(|(n, t)| (n, t)), None, path).expect("written");
        }
        for (c, n) in self.plan.plan.choices.iter().enumerate() {
            let shares: Vec<f32> = all_shares[c].iter().map(|w| *w as f32).collect();
            let shares = Tensor::from_vec(shares, *n, &Device::Cpu).expect("a tensor");
            decided.push(Decided { index: (c * 5 + 1) % n, probs: Some(shares.clone()), mask: None });
            probs.push(shares);
        }
        let mode = Mode { train: true, idle: !train, random: Randomness::new(RANDOM), step: 1 };
        let mut kinks = Kinks { bench: self, seen: Vec::new() };
        let tape = self.plan.record_observed(&self.fed.inputs, &decided, mode, Some(&mut kinks)).expect("forward");
        all.extend(kinks.seen);
        let (total, _) =
            losses(&self.checked.spec, &self.feed, &self.plan, &self.fed, &tape.outputs, |_| 0).expect("losses");
        for (i, heads) in tape.outputs.heads.iter().enumerate() {
            all.push((format!("output/{i}"), heads[0].as_ref().expect("one head a task").detach()));
        }
        let learned = tape.backward(&total).expect("backward");
        all.push(("loss".into(), total.reshape(1).expect("a number")));
        for (i, (name, var)) in self.plan.trained().into_iter().enumerate() {
            let grad = learned.weights.get(i).cloned().unwrap_or_else(|| var.zeros_like().expect("zeros"));
            all.push((format!("grad/{name}"), grad.contiguous().expect("contiguous")));
        }
        for (name, var) in self.plan.named() {
            all.push((format!("after/{name}"), var.as_tensor().clone()));
        }
        for (c, (shares, d)) in probs.into_iter().zip(&decided).enumerate() {
            let found = learned.choices[c].clone().unwrap_or_else(|| vec![0.0; shares.elem_count()]);
            let found: Vec<f32> = found.into_iter().map(|v| v as f32).collect();
            all.push((format!("probs/{c}"), shares));
            all.push((format!("index/{c}"), Tensor::from_vec(vec![d.index as f32], 1, &Device::Cpu).expect("one")));
            let n = found.len();
            all.push((format!("grad_probs/{c}"), Tensor::from_vec(found, n, &Device::Cpu).expect("a tensor")));
        }
        safetensors::serialize_to_file(all.iter().map(|(n, t)| (n, t)), None, path).expect("written");
    }
}

/// Multiplications of a step's products per batch, forward and back.
#[derive(Default)]
struct Arithmetic<'a> {
    of: Option<&'a Bench>,
    forward: u64,
    backward: u64,
}

impl Arithmetic<'_> {
    fn macs(&self, step: usize) -> u64 {
        match &self.of.expect("given").plan.plan.steps[step].kind {
            Kind::Op(op) => op.macs().unwrap_or(0) * self.of.expect("given").fed.rows as u64,
            _ => 0,
        }
    }

    /// To the weights, and to what was read unless that is an input of the network.
    fn back(&self, step: usize) -> u64 {
        let plan = &self.of.expect("given").plan.plan;
        let input = |v: &usize| plan.inputs.iter().any(|(_, i)| i == v);
        self.macs(step) * if plan.steps[step].inputs.iter().all(input) { 1 } else { 2 }
    }
}

impl Observer for Arithmetic<'_> {
    fn forward(&mut self, step: usize, _: f64, _: &Tensor) {
        self.forward += self.macs(step);
        // A group's heads all have a loss, and so has all of a fixed network.
        if self.of.expect("given").model.step != models::Step::Search {
            self.backward += self.back(step);
        }
    }

    fn backward(&mut self, step: usize, _: f64) {
        if self.of.expect("given").model.step == models::Step::Search {
            self.backward += self.back(step);
        }
    }
}

impl Bench {
    /// Mean multiplications of a step, forward and back, over some samples of the choices.
    fn arithmetic(&self) -> [f64; 2] {
        const SAMPLES: usize = 16;
        let mut count = Arithmetic { of: Some(self), ..Default::default() };
        for sample in 0..SAMPLES {
            let random = Randomness::new(sample as u64);
            let decide = |(c, n): (usize, &usize)| {
                let probs = vec![1.0 / *n as f32; *n];
                let probs = Tensor::from_vec(probs, *n, &Device::Cpu).expect("a tensor");
                let index = random.permutation("bounds", [c as u64, 0, 0], *n)[0] as usize;
                let soft = self.model.step != models::Step::Weights;
                Decided { index, probs: soft.then_some(probs), mask: None }
            };
            let decided: Vec<Decided> = self.plan.plan.choices.iter().enumerate().map(decide).collect();
            let mode = Mode { train: true, idle: self.model.step == models::Step::Search, random, step: 1 };
            let tape = self.plan.record_observed(&self.fed.inputs, &decided, mode, Some(&mut count)).expect("forward");
            let (total, _) =
                losses(&self.checked.spec, &self.feed, &self.plan, &self.fed, &tape.outputs, |_| 0).expect("losses");
            tape.backward_observed(&total, Some(&mut count)).expect("backward");
        }
        [count.forward, count.backward].map(|n| n as f64 / SAMPLES as f64)
    }

    /// Median, least and most milliseconds of a step.
    fn milliseconds(&self) -> [f64; 3] {
        let mut times = self.with(|procedure| {
            let mut at = Position { epoch: 1, ..Position::default() };
            let mut step = || {
                at.step += 1;
                let start = Instant::now();
                procedure.step(&self.fed, &mut at).expect("a step");
                self.device.synchronize().expect("a device that works");
                start.elapsed().as_secs_f64() * 1e3
            };
            (0..3).for_each(|_| {
                step();
            });
            (0..15).map(|_| step()).collect::<Vec<f64>>()
        });
        times.sort_by(f64::total_cmp);
        [times[7], times[0], times[14]]
    }
}

/// GFLOP/s of a large product with as many threads as a step has: the most that arithmetic can reach here.
fn attainable() -> f64 {
    const SIZE: usize = 1536;
    let matrix = |salt: usize| (0..SIZE * SIZE).map(|i| ((i * 7 + salt) % 13) as f32).collect::<Vec<f32>>();
    let (a, b) = (matrix(1), matrix(2));
    let dims = [SIZE, SIZE];
    let product = || {
        let start = Instant::now();
        let views = [View { data: &a, dims: &dims }, View { data: &b, dims: &dims }];
        let y = Kernel::<2>::forward(&Linear { relu: false }, views).expect("a product");
        std::hint::black_box(y);
        start.elapsed().as_secs_f64()
    };
    let least = (0..20).map(|_| product()).fold(f64::INFINITY, f64::min);
    2.0 * (SIZE * SIZE * SIZE) as f64 / least / 1e9
}

/// For each model the time that its products take at the best rate, and the share of a step that this is.
fn bounds(names: Vec<String>) {
    let rate = attainable();
    println!("A large product reaches {rate:.0} GFLOP/s with {} threads.\n", rayon::current_num_threads());
    println!("| model | forward GFLOP | backward GFLOP | bound ms | step ms | share |\n|---|---|---|---|---|---|");
    for name in names {
        let bench = Bench::new(&name, &Place::CPU);
        let [forward, backward] = bench.arithmetic().map(|n| 2.0 * n / 1e9);
        let (bound, [step, ..]) = ((forward + backward) / rate * 1e3, bench.milliseconds());
        println!("| {name} | {forward:.3} | {backward:.3} | {bound:.2} | {step:.2} | {:.2} |", bound / step);
    }
}

/// Outputs of all ReLUs: which side of its kink each number fell on.
struct Kinks<'a> {
    bench: &'a Bench,
    seen: Vec<(String, Tensor)>,
}

impl Observer for Kinks<'_> {
    fn forward(&mut self, step: usize, _: f64, output: &Tensor) {
        let plan = &self.bench.plan.plan;
        if let (Kind::Op(op), Some(unit)) = (&plan.steps[step].kind, plan.steps[step].unit)
            && op.name() == "relu"
        {
            let index = plan.steps[..step].iter().filter(|s| s.unit == Some(unit)).count();
            let name = format!("relu/{}.{index}", self.bench.plan.symbols.units[unit]);
            self.seen.push((name, output.copy().expect("a copy")));
        }
    }

    fn backward(&mut self, _: usize, _: f64) {}
}

/// Seconds that all threads of this program have run.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Of `/proc/self/status`, in bytes.
fn memory(key: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or_default();
    line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse::<u64>().unwrap_or(0) << 10
}

/// Bytes that are taken on the device: at the peak in main memory, now on a GPU, whose memory this process does not give back.
fn taken(device: &Device, key: &str) -> u64 {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(gpu) => gpu.cuda_stream().context().mem_get_info().map_or(0, |(free, all)| (all - free) as u64),
        _ => memory(key),
    }
}

/// Reads `run N` and answers `wall cpu grown`: seconds of N steps, and bytes at the peak above what there was before the first.
fn worker(bench: &Bench) {
    mtlc::runtime::blocks::give_back();
    // From here on the peak counts anew.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let before = taken(&bench.device, "VmRSS");
    bench.with(|procedure| {
        let mut at = Position { epoch: 1, ..Position::default() };
        println!("ready");
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let Some(steps) = line.strip_prefix("run ").and_then(|n| n.parse::<u64>().ok()) else { return };
            bench.device.synchronize().expect("a device that works");
            let (start, cpu) = (Instant::now(), cpu_seconds());
            for _ in 0..steps {
                at.step += 1;
                procedure.step(&bench.fed, &mut at).expect("a step");
            }
            bench.device.synchronize().expect("a device that works");
            let wall = start.elapsed().as_secs_f64();
            println!("{wall} {} {}", cpu_seconds() - cpu, taken(&bench.device, "VmHWM").saturating_sub(before));
            let _ = std::io::stdout().flush();
        }
    });
}

fn main() {
    mtlc::runtime::threads::join();
    let mut args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let place = Place::taken(&mut args);
    match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["names"] => models::names().iter().for_each(|n| println!("{n}")),
        ["worker", name] => {
            if place.device.is_cpu() {
                // Code that a first step loads is no memory of a step.
                let small = Bench::new(name, &Place { batch: Some(2), ..Place::CPU });
                small
                    .with(|p| p.step(&small.fed, &mut Position { epoch: 1, step: 1, ..Position::default() }).map(drop))
                    .expect("a step");
            }
            worker(&Bench::new(name, &place))
        }
        // Every op by itself, so that every ReLU is seen.
        ["dump", name, path] => Bench::of(name, &Switches::none(), &Place::CPU).dump(Path::new(path)),
        ["bounds"] => bounds(models::names()),
        ["bounds", names @ ..] => bounds(names.iter().map(|n| n.to_string()).collect()),
        names => {
            let names = if names.is_empty() { models::names() } else { names.iter().map(|n| n.to_string()).collect() };
            println!("{:<22} {:>10} {:>10} {:>10}", "model", "ms a step", "least", "most");
            for name in names {
                let bench = Bench::new(&name, &place);
                let [median, least, most] = bench.milliseconds();
                println!("{name:<22} {median:>10.2} {least:>10.2} {most:>10.2}");
            }
        }
    }
}
