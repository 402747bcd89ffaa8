//! What a training step allocates, counted by an allocator, against the account of `plan::memory`; and what forgetting saves. One
//! test: everything that runs beside it would be counted too.

#[path = "../../benches/models/mod.rs"]
#[allow(dead_code)]
mod models;
#[path = "../engine/programs.rs"]
#[allow(dead_code)]
mod programs;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use candle_core::{Device, Tensor};
use mtlc::plan::lower;
use mtlc::plan::memory::{Ledger, Pace};
use mtlc::plan::passes::{Switches, recompute};
use mtlc::random::Randomness;
use mtlc::runtime::fit::losses;
use mtlc::runtime::model::{Decided, Mode, Model};
use mtlc::runtime::synthetic;

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

struct Counting;

fn more(bytes: usize) {
    let now = NOW.fetch_add(bytes, Relaxed) + bytes;
    MOST.fetch_max(now, Relaxed);
}

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        more(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const BATCH: usize = 24;

/// The most bytes that a step allocated beside what was there, and the account of it, with a share of the plain account as budget.
fn step(text: &str, share: f64) -> (f64, recompute::Chosen) {
    let checked = programs::check(text);
    let network = programs::network(&checked);
    let (plan, symbols) = lower(&checked, &network).expect("all sizes are known");
    let random = Randomness::new(1);
    let mut model = Model::with(plan, symbols, random, &Device::Cpu, &Switches::all()).expect("weights");
    let pace = Pace { batch: BATCH as u64, early: false, losses: 1 };
    let plain = Ledger::new(&model.plan).most(pace, &[]);
    let chosen = recompute::run(&mut model.plan, pace, Some((plain as f64 * share) as u64), &Switches::all());
    let feed = synthetic::feed(&checked, BATCH, random).expect("a feed");
    let rows: Vec<u32> = (0..BATCH as u32).collect();
    let fed = feed.take(&feed.dataset.train, &rows, &Device::Cpu).expect("a batch");
    let decide = |(c, n): (usize, &usize)| {
        let probs = Tensor::from_vec(vec![1.0 / *n as f32; *n], *n, &Device::Cpu).expect("a tensor");
        Decided { index: c % n, probs: Some(probs), mask: None }
    };
    let decided: Vec<Decided> = model.plan.choices.iter().enumerate().map(decide).collect();
    let pass = || {
        let mode = Mode { train: true, idle: true, random, step: 1 };
        let tape = model.record(&fed.inputs, &decided, mode).expect("forward");
        let (total, _) = losses(&checked.spec, &feed, &model, &fed, &tape.outputs, |_| 0).expect("losses");
        tape.backward(&total).expect("backward")
    };
    // What is made once and stays is not the step's.
    drop(pass());
    let before = NOW.load(Relaxed);
    MOST.store(before, Relaxed);
    drop(pass());
    ((MOST.load(Relaxed) - before) as f64, chosen)
}

#[test]
fn the_account_is_what_a_step_allocates() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("threads");
    // Of tensors of a few hundred bytes most is what a tensor takes beside its numbers; there nothing is to fail, and no more.
    for (name, text) in programs::ALL {
        let [plain, least] = [1.0, 0.0].map(|share| pool.install(|| step(text, share)).1);
        assert!(plain.most > 0 && plain.again == 0.0 && least.most <= plain.most, "{name}: {plain:?} {least:?}");
    }
    // By name: whether forgetting helps, where weights and their gradients are not most of it.
    let models = [
        ("mlp", false),
        ("vgg", false),
        ("resnet18", true),
        ("ltb_conv_3.search", true),
        ("ltb_conv_3.derived", true),
        ("dmtg_celeba9_2.plain", false),
    ];
    for (name, helps) in models {
        let text = models::model(name).expect("a model").text;
        let mut steps: Vec<f64> = Vec::new();
        // Where nothing is gained, a budget in between gives the same plan.
        for share in if helps { &[1.0, 0.9, 0.0][..] } else { &[1.0, 0.0] } {
            let (measured, chosen) = pool.install(|| step(&text, *share));
            let ratio = measured / chosen.most as f64;
            println!("{name:22} budget {share}: {:>10} counted, {measured:>10} allocated, {chosen:?}", chosen.most);
            assert!((0.9..1.05).contains(&ratio), "{name}, budget {share}: {ratio} of the account is allocated");
            assert!(chosen.again < 1.0, "{name}: more than one way forward is computed again");
            let within = chosen.most == chosen.plain && chosen.again == 0.0;
            assert!(*share < 1.0 || within, "{name}: {chosen:?} within its own size");
            let before = steps.last().copied().unwrap_or(f64::INFINITY);
            assert!(measured <= 1.01 * before, "{name}: less memory was allowed, and more is taken");
            steps.push(measured);
        }
        let (plain, last) = (steps[0], steps[steps.len() - 1]);
        assert_eq!(last < 0.97 * plain, helps, "{name}: {last} bytes in place of {plain}");
    }
}
