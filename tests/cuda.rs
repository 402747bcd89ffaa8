//! A GPU against the CPU: every op forward and back, every optimiser, whole training steps, going on from a saved state, and what is
//! sent over (`cuda/sent.rs`).
//!
//!     cargo test --release --features cuda,cudnn --test cuda
//!
//! on a machine with a GPU as `cuda:0`; without one every test fails and says so. TF32 is off here. `benches/gpu/emulate/run.sh`
//! runs the same where there is none, on a stand-in for driver and libraries.
#![cfg(feature = "cuda")]

#[allow(dead_code)]
#[path = "ops/cases.rs"]
mod cases;
#[allow(dead_code)]
#[path = "../benches/models/mod.rs"]
mod models;
#[allow(dead_code)]
#[path = "engine/programs.rs"]
mod programs;
#[allow(dead_code)]
#[path = "ops/run.rs"]
mod run;
#[path = "cuda/sent.rs"]
mod sent;

use std::sync::{RwLock, RwLockReadGuard};

use candle_core::{DType, Device, Tensor, Var};
use mtlc::check::Checked;
use mtlc::ir::Network;
use mtlc::ops::precision::Precision;
use mtlc::ops::{self, Dim, TensorType, path};
use mtlc::optim::{Gradients, Missing, Optimizer};
use mtlc::plan::lower;
use mtlc::plan::passes::Switches;
use mtlc::random::Randomness;
use mtlc::runtime::epochs::Procedure;
use mtlc::runtime::feed::{Fed, Feed};
use mtlc::runtime::fit::{Fitting, Job, losses};
use mtlc::runtime::model::{Decided, Mode, Model};
use mtlc::runtime::state::{Header, Position, State};
use mtlc::runtime::{device, synthetic};
use mtlc::search::learn_to_branch::Branching;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use run::{BATCH, close, numbers, tensors};

/// Products are in f32 for all tests that run at once, or in bf16 for one alone.
static PRECISION: RwLock<()> = RwLock::new(());

/// The GPU, with products in f32.
struct Plain {
    device: Device,
    _others: RwLockReadGuard<'static, ()>,
}

impl std::ops::Deref for Plain {
    type Target = Device;
    fn deref(&self) -> &Device {
        &self.device
    }
}

fn opened() -> Device {
    device::open("cuda:0").unwrap_or_else(|e| panic!("no GPU: these tests need one. {e}"))
}

fn gpu() -> Plain {
    let _others = PRECISION.read().unwrap_or_else(|e| e.into_inner());
    Precision::F32.begin();
    Plain { device: opened(), _others }
}

fn on(device: &Device, all: &[Tensor]) -> Vec<Tensor> {
    all.iter().map(|t| t.to_device(device).expect("a copy")).collect()
}

/// What an op gives on random values: its output, gradients of every input and weight that has one, and new buffers.
fn outcome(case: &cases::Case, seed: u64, device: &Device, dtype: DType, composed: bool) -> Vec<(String, Tensor)> {
    let plain = |t: &Tensor| t.to_dtype(dtype).unwrap();
    let act = || outcome_of(case, seed, device, &plain);
    if composed { path::composed(act) } else { act() }
}

/// The same of values that are numbers of this kind.
fn outcome_of(
    case: &cases::Case,
    seed: u64,
    device: &Device,
    kind: &dyn Fn(&Tensor) -> Tensor,
) -> Vec<(String, Tensor)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let chain = case.make().unwrap_or_else(|e| panic!("{}: {e:?}", case.describe()));
    let inputs: Vec<_> = case.inputs.iter().map(|ty| run::value(&mut rng, ty, BATCH)).collect();
    let weights = run::weights(&mut rng, &chain);
    let train = !seed.is_multiple_of(3);
    let leaf = |t: &Tensor| Var::from_tensor(&kind(t).to_device(device).unwrap()).unwrap();
    let leaves: Vec<(Var, bool)> = inputs.iter().map(|(v, wanted)| (leaf(v), *wanted)).collect();
    let weight_leaves: Vec<Vec<(Var, bool)>> = tensors(&weights, DType::F64)
        .iter()
        .zip(&weights)
        .map(|(link, defs)| link.iter().zip(defs).map(|(t, (_, trained))| (leaf(t), *trained)).collect())
        .collect();
    let mut values: Vec<Tensor> = leaves.iter().map(|(v, _)| v.as_tensor().clone()).collect();
    let mut buffers = Vec::new();
    for (op, weights) in chain.iter().zip(&weight_leaves) {
        let weights: Vec<Tensor> = weights.iter().map(|(v, _)| v.as_tensor().clone()).collect();
        let mut pass = run::pass(train);
        values = vec![op.forward(&values, &weights, &mut pass).unwrap_or_else(|e| panic!("{}: {e}", case.describe()))];
        buffers.extend(pass.buffers);
    }
    let y = values.swap_remove(0);
    let mix = run::uniform(&mut ChaCha8Rng::seed_from_u64(seed + 1), y.dims(), -1.0, 1.0);
    let store = (&y * kind(&mix).to_device(device).unwrap()).unwrap().sum_all().unwrap().backward().unwrap();
    let mut found = vec![("output".to_string(), y.detach())];
    let wanted = leaves.iter().chain(weight_leaves.iter().flatten()).filter(|(_, wanted)| *wanted);
    for (i, (v, _)) in wanted.enumerate() {
        if let Some(g) = store.get(v) {
            found.push((format!("gradient {i}"), g.clone()));
        }
    }
    found.extend(buffers.into_iter().map(|(i, t)| (format!("buffer {i}"), t)));
    found
}

#[test]
fn every_op_gives_the_values_and_gradients_of_the_cpu() {
    let gpu = gpu();
    for def in ops::table() {
        for seed in 0..24 {
            let case = cases::random(def, &mut ChaCha8Rng::seed_from_u64(seed)).expect("every op has cases");
            let expected = outcome(&case, seed, &Device::Cpu, DType::F64, false);
            for (composed, dtype, tolerance) in
                [(false, DType::F32, 2e-4), (true, DType::F32, 2e-4), (false, DType::F64, 1e-10)]
            {
                let found = outcome(&case, seed, &gpu, dtype, composed);
                let what = format!("{}, seed {seed}, {dtype:?}, composed {composed}", case.describe());
                assert_eq!(expected.len(), found.len(), "{what}");
                for ((name, a), (other, b)) in expected.iter().zip(&found) {
                    assert_eq!(name, other, "{what}");
                    close(&b.to_device(&Device::Cpu).unwrap(), a, tolerance, &format!("{what}, {name}"));
                }
            }
        }
    }
}

/// Larger values than the random cases have: several blocks, several parts of a sum, sizes that no power of two divides.
#[test]
fn large_ops_give_the_values_and_gradients_of_the_cpu() {
    let gpu = gpu();
    let shape = |sizes: &[usize]| vec![TensorType::Dense(sizes.iter().map(|n| Dim::Known(*n)).collect())];
    let case = |name: &str, args: &[(&'static str, usize)], sizes: &[usize]| cases::Case {
        def: ops::find(name).expect("an op"),
        args: args.iter().map(|(name, n)| (*name, cases::int(*n))).collect(),
        inputs: shape(sizes),
    };
    let window = [("kernel", 3), ("stride", 2), ("padding", 1)];
    for case in [
        case("batch_norm", &[], &[5, 57, 61]),
        case("batch_norm", &[], &[700]),
        case("relu", &[], &[3, 33, 31]),
        case("max_pool", &window, &[7, 29, 30]),
        case("avg_pool", &window, &[7, 29, 30]),
        case("global_avg_pool", &[], &[7, 29, 30]),
        case("linear", &[("units", 300)], &[513]),
        case("conv", &[("channels", 12), ("kernel", 3), ("stride", 2)], &[6, 23, 26]),
        case("conv", &[("channels", 12), ("kernel", 3), ("groups", 6)], &[6, 23, 26]),
    ] {
        // In training and, with a seed that 3 divides, in evaluation.
        for seed in [1, 3] {
            let expected = outcome(&case, seed, &Device::Cpu, DType::F64, false);
            let near = outcome(&case, seed, &Device::Cpu, DType::F32, false);
            let found = outcome(&case, seed, &gpu, DType::F32, false);
            for (((part, a), (_, near)), (_, b)) in expected.iter().zip(&near).zip(&found) {
                // Some gradients are lost to rounding more than others: as many digits as the CPU has in f32, within a factor.
                let cpu = gap(&numbers(a), &numbers(near));
                let far = gap(&numbers(a), &numbers(&b.to_device(&Device::Cpu).unwrap()));
                let what = case.describe();
                assert!(
                    far <= 1e-6 + 4.0 * cpu,
                    "{what}, seed {seed}, {part}: {far:e} of its norm, on the CPU {cpu:e}"
                );
            }
        }
    }
}

/// Of factors that bf16 holds, a product is exact but for its sums: in f32 here, rounded to bf16 where a convolution gives it out.
/// Of others it is off by their rounding, and by no more.
#[test]
fn half_precision_rounds_factors_alone() {
    let _alone = PRECISION.write().unwrap_or_else(|e| e.into_inner());
    let gpu = opened();
    let single = |t: &Tensor| t.to_dtype(DType::F32).unwrap();
    let held = |t: &Tensor| single(&t.to_dtype(DType::BF16).unwrap());
    let case = |name: &str, args: &[(&'static str, usize)], sizes: &[usize]| cases::Case {
        def: ops::find(name).expect("an op"),
        args: args.iter().map(|(name, n)| (*name, cases::int(*n))).collect(),
        inputs: vec![TensorType::Dense(sizes.iter().map(|n| Dim::Known(*n)).collect())],
    };
    for case in [
        case("linear", &[("units", 70)], &[130]),
        case("conv", &[("channels", 12), ("kernel", 3), ("stride", 2)], &[6, 13, 16]),
        case("conv", &[("channels", 12), ("kernel", 3), ("groups", 6)], &[6, 13, 16]),
    ] {
        let is_conv = case.def.call.name == "conv";
        if is_conv && !cfg!(feature = "cudnn") {
            continue;
        }
        for (kind, from, to) in [
            // A rounding to 8 bits is at most 2^-9 of a number.
            (&held as &dyn Fn(&Tensor) -> Tensor, 0.0, if is_conv { 2f64.powi(-9) } else { 1e-6 }),
            (&single, 2f64.powi(-13), 2f64.powi(-7)),
        ] {
            Precision::F32.begin();
            let expected = outcome_of(&case, 1, &Device::Cpu, kind);
            Precision::Bf16.begin();
            let found = outcome_of(&case, 1, &gpu, kind);
            for ((part, a), (_, b)) in expected.iter().zip(&found) {
                let far = gap(&numbers(a), &numbers(&b.to_device(&Device::Cpu).unwrap()));
                // The sum of a bias's gradient is no product.
                let bias = a.dims().len() == 1;
                let from = if bias { 0.0 } else { from };
                assert!(
                    (from..=to).contains(&far),
                    "{}, {part}: {far:e} is not in {from:e} to {to:e}",
                    case.describe()
                );
            }
        }
    }
    Precision::F32.begin();
}

/// Largest difference as a share of the larger norm.
fn gap(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let difference = norm(&mut a.iter().zip(b).map(|(a, b)| a - b));
    let size = norm(&mut a.iter().copied()).max(norm(&mut b.iter().copied()));
    if difference == 0.0 { 0.0 } else { difference / size }
}

/// A model with a batch of random samples.
struct Setting {
    checked: Checked,
    network: Network,
    feed: Feed,
    fed: Fed,
    model: Model,
}

const ROWS: u32 = 6;

impl Setting {
    fn new(text: &str, device: &Device, switches: &Switches) -> Setting {
        let checked = programs::check(text);
        let network = programs::network(&checked);
        let (plan, symbols) = lower(&checked, &network).expect("all sizes are known");
        let model = Model::with(plan, symbols, Randomness::new(1), device, switches).expect("weights");
        let feed = synthetic::feed(&checked, ROWS as usize, Randomness::new(1)).expect("a feed");
        let table = &feed.dataset.train;
        let fed = feed.take(table, &(0..ROWS).collect::<Vec<_>>(), device).expect("a batch");
        Setting { checked, network, feed, fed, model }
    }

    /// Loss, gradients of weights and choices, and running statistics of one step through the tape.
    fn learned(&self, state: usize) -> Vec<(String, Vec<f64>)> {
        let device = &self.model.device;
        let decided: Vec<Decided> = self
            .model
            .plan
            .choices
            .iter()
            .enumerate()
            .map(|(c, n)| {
                let weights: Vec<f32> = (0..*n).map(|i| 1.0 + ((i * 7 + c * 3 + state) % 5) as f32).collect();
                let total: f32 = weights.iter().sum();
                let probs = weights.iter().map(|w| w / total).collect::<Vec<_>>();
                let probs = Tensor::from_vec(probs, *n, device).expect("a tensor");
                Decided { index: (c * 5 + state) % n, probs: Some(probs), mask: None }
            })
            .collect();
        let mode = Mode { train: true, idle: state.is_multiple_of(2), random: Randomness::new(3), step: state as u64 };
        let tape = self.model.record(&self.fed.inputs, &decided, mode).expect("forward");
        let (total, _) =
            losses(&self.checked.spec, &self.feed, &self.model, &self.fed, &tape.outputs, |_| 0).expect("losses");
        let found = tape.backward(&total).expect("backward");
        let mut all = vec![("loss".to_string(), numbers(&total))];
        for (i, (name, var)) in self.model.trained().into_iter().enumerate() {
            let none = || vec![0.0; var.elem_count()];
            all.push((format!("gradient of {name}"), found.weights.get(i).map_or_else(none, numbers)));
        }
        let rows = found.choices.iter().zip(&self.model.plan.choices);
        let row = |(row, n): (&Option<Vec<f64>>, &usize)| row.clone().unwrap_or_else(|| vec![0.0; *n]);
        all.push(("gradient of choices".into(), rows.flat_map(row).collect()));
        let buffers = self.model.named().into_iter().zip(&self.model.plan.weights).filter(|(_, w)| !w.trained);
        all.extend(buffers.map(|((name, var), _)| (name.to_string(), numbers(var.as_tensor()))));
        all
    }

    /// A procedure that trains, or searches where there is a search.
    fn with<R>(&self, f: impl FnOnce(&mut dyn Procedure) -> R) -> R {
        let random = Randomness::new(5);
        let args = mtlc::experiment::train_args(&self.checked);
        let job = Job { spec: &self.checked.spec, feed: &self.feed, args: &args, random };
        match self.checked.spec.searches.first() {
            Some(search) => {
                f(&mut Branching::new(&self.checked, &self.network, search, &self.model, &self.feed, random, "test")
                    .expect("a procedure"))
            }
            None => f(&mut Fitting::new(&self.model, &job, "test").expect("a procedure")),
        }
    }

    fn weights(&self) -> Vec<(String, Vec<f64>)> {
        self.model.named().into_iter().map(|(n, v)| (n.to_string(), numbers(v.as_tensor()))).collect()
    }
}

fn steps(procedure: &mut dyn Procedure, fed: &Fed, at: &mut Position, count: usize) -> Vec<f64> {
    let mut values = Vec::new();
    for _ in 0..count {
        at.step += 1;
        values.push(procedure.step(fed, at).expect("a step"));
    }
    values
}

/// The programs of `tests/engine`, then those that are timed, with a small batch. `EMULATED` in the environment leaves those out that
/// would take a processor hours.
fn every_program() -> Vec<(String, String)> {
    if std::env::var_os("EMULATED").is_some() {
        return programs::ALL.iter().map(|(n, t)| (n.to_string(), t.to_string())).collect();
    }
    let timed = ["mlp", "vgg", "resnet18", "ltb_conv_3.search", "ltb_conv_3.derived", "ltb_mlp_3.search"];
    let small = programs::ALL.iter().map(|(n, t)| (n.to_string(), t.to_string()));
    small.chain(timed.iter().map(|n| (n.to_string(), models::model(n).expect("a model").text))).collect()
}

#[test]
fn a_step_gives_the_gradients_of_the_cpu() {
    let gpu = gpu();
    for (name, text) in every_program() {
        for switches in [Switches::all(), Switches::none()] {
            let (here, there) = (Setting::new(&text, &Device::Cpu, &switches), Setting::new(&text, &gpu, &switches));
            for state in 0..2 {
                // The CPU's two implementations round differently, and so fall on different sides of a ReLU's kink or a pool's tie now
                // and then, which a gradient shows: what lies between them says what to expect of a third.
                let before = here.model.snapshot().expect("a copy");
                let expected = here.learned(state);
                here.model.restore(&before).expect("restored");
                let other = path::composed(|| here.learned(state));
                let cpu = expected.iter().zip(&other).map(|((_, a), (_, b))| gap(a, b)).fold(0.0, f64::max);
                for ((part, a), (other, b)) in expected.iter().zip(&there.learned(state)) {
                    assert_eq!(part, other);
                    let (far, most) = (gap(a, b), 1e-4 + 4.0 * cpu);
                    println!("{name}, state {state}, {part}: {far:e} of its norm; between the CPU's two {cpu:e}");
                    assert!(
                        far <= most,
                        "{name}, state {state}, {switches:?}, {part}: {far:e} of its norm, not {most:e}"
                    );
                }
            }
        }
    }
}

#[test]
fn training_goes_the_way_of_the_cpu() {
    let gpu = gpu();
    for (name, text) in every_program() {
        let (here, there) =
            (Setting::new(&text, &Device::Cpu, &Switches::all()), Setting::new(&text, &gpu, &Switches::all()));
        let run = |s: &Setting| s.with(|p| steps(p, &s.fed, &mut Position { epoch: 1, ..Position::default() }, 3));
        let (a, b) = (run(&here), run(&there));
        assert!(gap(&a, &b) < 1e-3, "{name}: losses {a:?} and {b:?}");
        for ((weight, a), (_, b)) in here.weights().iter().zip(&there.weights()) {
            let far = gap(a, b);
            assert!(far < 2e-2, "{name}: `{weight}` is {far:e} away after three steps");
        }
    }
}

#[test]
fn going_on_from_a_state_gives_the_same_bytes() {
    let gpu = gpu();
    for (name, text) in programs::ALL {
        let bits = |s: &Setting| -> Vec<(String, Vec<u64>)> {
            s.weights().into_iter().map(|(n, v)| (n, v.iter().map(|v| v.to_bits()).collect())).collect()
        };
        let whole = Setting::new(text, &gpu, &Switches::all());
        let losses = whole.with(|p| steps(p, &whole.fed, &mut Position { epoch: 1, ..Position::default() }, 6));
        let first = Setting::new(text, &gpu, &Switches::all());
        let mut at = Position { epoch: 1, ..Position::default() };
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("state.safetensors");
        let before = first.with(|p| {
            let values = steps(p, &first.fed, &mut at, 3);
            let mut header = header(&at);
            let tensors = p.save(&mut header).expect("a state");
            let held = mtlc::source::Folder::open(folder.path()).expect("a folder");
            State { header, tensors }.write(&held, "state.safetensors").expect("written");
            values
        });
        let second = Setting::new(text, &gpu, &Switches::all());
        let after = second.with(|p| {
            p.load(&State::read(&file).expect("read")).expect("loaded");
            steps(p, &second.fed, &mut at, 3)
        });
        let parts: Vec<f64> = before.into_iter().chain(after).collect();
        assert_eq!(losses, parts, "{name}");
        assert!(bits(&whole) == bits(&second), "{name}: weights differ after going on");
    }
}

fn header(at: &Position) -> Header {
    Header {
        run: "test".into(),
        phase: "test".into(),
        position: at.clone(),
        best: None,
        train: None,
        validation: None,
        last_losses: Vec::new(),
        marks: Default::default(),
    }
}

#[test]
fn optimisers_give_the_weights_of_the_cpu() {
    let gpu = gpu();
    let shapes: [&[usize]; 4] = [&[3], &[70, 33], &[2048], &[5, 3, 3, 3]];
    for call in [
        "sgd(lr = 0.1)",
        "sgd(lr = 0.1, momentum = 0.9, weight_decay = 0.01, dampening = 0.3)",
        "sgd(lr = 0.1, momentum = 0.9, nesterov = true)",
        "adam(lr = 0.01, weight_decay = 0.02)",
        "adamw(lr = 0.01)",
    ] {
        let text = format!(
            "mtl 1\ninput x: f32[4]\ntask t: binary\nbackbone net(x) {{\n  stage s = linear(2)\n}}\nhead for * = linear(outputs)\n\
             train {{ optimizer = {call} }}\n"
        );
        let checked = programs::check(&text);
        let args = mtlc::experiment::train_args(&checked);
        let call = args.call("optimizer");
        for missing in [Missing::Zero, Missing::Skip] {
            for clip in [None, Some(1e6), Some(0.5)] {
                let run = |device: &Device| -> Vec<Vec<f64>> {
                    let mut rng = ChaCha8Rng::seed_from_u64(7);
                    let mut draw = |shape: &[usize]| {
                        run::uniform(&mut rng, shape, -1.0, 1.0)
                            .to_dtype(DType::F32)
                            .unwrap()
                            .to_device(device)
                            .unwrap()
                    };
                    let vars: Vec<Var> = shapes.iter().map(|s| Var::from_tensor(&draw(s)).unwrap()).collect();
                    let names = ["a", "b", "c", "d"];
                    let weights: Vec<(&str, &Var)> = names.iter().copied().zip(&vars).collect();
                    let mut optimizer = Optimizer::new(call, &weights).expect("an optimiser");
                    for step in 0..5 {
                        let all: Vec<Option<Tensor>> =
                            shapes.iter().enumerate().map(|(i, s)| Some(draw(s)).filter(|_| step != i)).collect();
                        let mut grads = Gradients::new(all);
                        if let Some(most) = clip {
                            grads.clip(most).expect("clipped");
                        }
                        optimizer.step(&weights, &grads, 0.05, missing).expect("a step");
                        // State that is saved and put back is the state.
                        let saved = optimizer.state().expect("a state");
                        optimizer = Optimizer::new(call, &weights).expect("an optimiser");
                        optimizer.load_state(&saved).expect("loaded");
                    }
                    vars.iter().map(|v| numbers(v.as_tensor())).collect()
                };
                for (i, (a, b)) in run(&Device::Cpu).iter().zip(&run(&gpu)).enumerate() {
                    let far = gap(a, b);
                    assert!(far <= 1e-6, "{} {missing:?}, clip {clip:?}, weight {i}: {far:e} of its norm", call.name);
                }
            }
        }
    }
}

/// On a device that holds them, tensors come back as they went.
#[test]
fn tensors_go_there_and_back() {
    let gpu = gpu();
    let t = run::uniform(&mut ChaCha8Rng::seed_from_u64(1), &[3, 5], -1.0, 1.0);
    let back = on(&Device::Cpu, &on(&gpu, std::slice::from_ref(&t)));
    assert_eq!(numbers(&back[0]), numbers(&t));
}
