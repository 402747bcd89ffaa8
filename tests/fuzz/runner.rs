//! Feeds a target with inputs: first those of the corpus that failed once, then as many made ones as asked for. A law broken
//! is a panic; it is caught, the input made small and written down, and the rest goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Seek, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::dice::Dice;
use super::meter;

/// Something that reads inputs and has laws.
pub trait Target {
    fn name(&self) -> &'static str;
    /// Ending of its files in the corpus.
    fn ending(&self) -> &'static str;
    /// Rounds per round asked for, as `1 / n`; and rounds where nothing is asked for.
    fn rounds(&self) -> (u64, u64);
    fn make(&mut self, dice: &mut Dice) -> Vec<u8>;
    /// Panics where a law is broken; says how it went.
    fn run(&mut self, input: &[u8]) -> &'static str;
}

/// No input may take longer: the promise is for the program as it is shipped; a build for debugging gets more.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 8 } else { 1 });
/// After that the input is taken to hang: the process ends.
const HANG: Duration = Duration::from_secs(60);
/// No input may take more memory, beyond a multiple of its own size.
const MEMORY: usize = 512 << 20;
/// Distinct failures after which a target stops.
const ENOUGH: usize = 12;
/// Tries to make a failing input smaller.
const SHRINKING: usize = 4000;

thread_local! {
    static LAST_PANIC: RefCell<Option<(String, String)>> = const { RefCell::new(None) };
    static QUIET: RefCell<bool> = const { RefCell::new(false) };
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.replace('_', "").parse().ok()
}

/// `MTLC_FUZZ_SEED`, else the same one every time.
fn seed() -> u64 {
    number("MTLC_FUZZ_SEED").unwrap_or(1)
}

/// Panics of inputs are kept for the report, not printed as they come.
fn keep_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.with_borrow(|q| *q) {
                return usual(info);
            }
            let place = info.location().map_or("nowhere".into(), |l| format!("{}:{}", l.file(), l.line()));
            // A panic of the standard library is told from others by who called it.
            let place = if place.starts_with("/rustc") { caller().unwrap_or(place) } else { place };
            let text = info.payload_as_str().unwrap_or("a panic").to_string();
            LAST_PANIC.with_borrow_mut(|p| *p = Some((place, text)));
        }));
    });
}

/// The first place of our own on the stack.
fn caller() -> Option<String> {
    let stack = std::backtrace::Backtrace::force_capture().to_string();
    let place = stack.lines().map(str::trim).find_map(|l| l.strip_prefix("at ./src/"))?;
    Some(format!("src/{place}"))
}

/// Time of this thread alone, where the system tells it: what others do on the machine is not the input's.
fn clock() -> Duration {
    static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = told.as_deref().and_then(|t| t.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// One run of one input: how it went, or the place and text of the law it broke.
fn attempt(target: &mut dyn Target, input: &[u8]) -> (Result<&'static str, (String, String)>, Duration) {
    QUIET.with_borrow_mut(|q| *q = true);
    let start = clock();
    let (out, peak) = meter::peak(|| catch_unwind(AssertUnwindSafe(|| target.run(input))));
    let took = clock().saturating_sub(start);
    QUIET.with_borrow_mut(|q| *q = false);
    let out = match out {
        Ok(_) if peak > MEMORY + 64 * input.len() => {
            Err(("memory".into(), format!("the input takes {} MiB", peak >> 20)))
        }
        Ok(how) => Ok(how),
        Err(_) => Err(LAST_PANIC.with_borrow_mut(Option::take).unwrap_or_default()),
    };
    (out, took)
}

/// A failing input of the least size that still breaks the same law at the same place.
fn shrunk(target: &mut dyn Target, input: &[u8], place: &str) -> Vec<u8> {
    let mut best = input.to_vec();
    let mut tries = 0;
    let mut step = best.len().div_ceil(2);
    while step > 0 {
        let mut at = 0;
        let mut less = false;
        while at < best.len() && tries < SHRINKING {
            tries += 1;
            let mut smaller = best.clone();
            smaller.drain(at..(at + step).min(best.len()));
            if attempt(target, &smaller).0.is_err_and(|(p, _)| p == place) {
                best = smaller;
                less = true;
            } else {
                at += step;
            }
        }
        if tries >= SHRINKING {
            break;
        }
        step = if less && step > 1 { step } else { step / 2 };
    }
    best
}

/// Where failing inputs go; one folder per process.
fn folder() -> PathBuf {
    let path = std::env::temp_dir().join(format!("mtlc-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&path).expect("the temporary folder can be written");
    path
}

/// The inputs that failed once.
fn corpus(ending: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let list = std::fs::read_dir(&folder).map(|d| d.flatten().map(|e| e.path()).collect::<Vec<_>>());
    let mut files = list.unwrap_or_default();
    files.retain(|p| p.to_string_lossy().ends_with(ending));
    files.sort();
    files.into_iter().map(|p| (p.clone(), std::fs::read(&p).expect("it was listed"))).collect()
}

/// The round that is running, for a process that dies of it.
struct Watched {
    file: std::fs::File,
    since: std::sync::Arc<AtomicU64>,
    round: std::sync::Arc<AtomicU64>,
    clock: Instant,
}

impl Watched {
    fn start(name: &'static str) -> Watched {
        let file = std::fs::File::create(folder().join(format!("{name}.round"))).expect("writable");
        let (since, round) = (std::sync::Arc::new(AtomicU64::new(0)), std::sync::Arc::new(AtomicU64::new(0)));
        let clock = Instant::now();
        let seen = (since.clone(), round.clone());
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
                let began = seen.0.load(Ordering::Relaxed);
                if began == u64::MAX {
                    return;
                }
                if clock.elapsed().as_millis() as u64 > began + HANG.as_millis() as u64 {
                    eprintln!(
                        "{name}: round {} hangs; MTLC_FUZZ_SEED={} MTLC_FUZZ_ROUND={} runs it alone",
                        seen.1.load(Ordering::Relaxed),
                        seed(),
                        seen.1.load(Ordering::Relaxed)
                    );
                    std::process::exit(99);
                }
            }
        });
        Watched { file, since, round, clock }
    }

    fn begin(&mut self, round: u64) {
        self.since.store(self.clock.elapsed().as_millis() as u64, Ordering::Relaxed);
        self.round.store(round, Ordering::Relaxed);
        // The file outlives a stack overflow or a failed allocation, which nothing can catch.
        let _ = self.file.rewind().and_then(|()| writeln!(self.file, "{round:<20}"));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.since.store(u64::MAX, Ordering::Relaxed);
    }
}

/// Runs a target. `MTLC_FUZZ=N` asks for N rounds (readers take a share), `MTLC_FUZZ_SEED=S` for other inputs,
/// `MTLC_FUZZ_ROUND=R` for that input alone, `MTLC_FUZZ_INPUT=FILE` for that file alone.
pub fn fuzz(target: &mut dyn Target) {
    keep_panics();
    let name = target.name();
    if let Some(path) = std::env::var_os("MTLC_FUZZ_INPUT") {
        if path.to_string_lossy().ends_with(target.ending()) {
            let how = target.run(&std::fs::read(&path).expect("the input can be read"));
            println!("{name}: {how}");
        }
        return;
    }
    let mut watched = Watched::start(name);
    let mut failures: BTreeMap<String, String> = BTreeMap::new();
    for (path, input) in corpus(target.ending()) {
        watched.begin(0);
        let (out, took) = attempt(target, &input);
        if let Err((place, text)) = out {
            failures.insert(place.clone(), format!("{}: {place}: {text}", path.display()));
        }
        assert!(took < LIMIT, "{} takes {took:?}", path.display());
    }
    let (share, few) = target.rounds();
    let rounds = match number("MTLC_FUZZ_ROUND") {
        Some(r) => r..r + 1,
        None => 0..number("MTLC_FUZZ").map_or(few, |n| n.div_ceil(share)),
    };
    let start = Instant::now();
    let mut outcomes: BTreeMap<&str, u64> = BTreeMap::new();
    let mut slowest = (Duration::ZERO, 0u64);
    let mut done = 0u64;
    for round in rounds {
        let input = target.make(&mut Dice::new(seed(), name, round));
        watched.begin(round);
        let (out, mut took) = attempt(target, &input);
        if took > LIMIT {
            // A machine that was busy elsewhere is no reason: the input is asked again.
            took = took.min(attempt(target, &input).1);
        }
        done += 1;
        if took > slowest.0 {
            slowest = (took, round);
        }
        let broken = match out {
            Ok(how) => {
                *outcomes.entry(how).or_default() += 1;
                (took > LIMIT).then(|| (format!("slow-{round}"), format!("took {took:?}")))
            }
            Err((place, text)) => Some((place, text)),
        };
        if let Some((place, text)) = broken
            && !failures.contains_key(&place)
        {
            let small = if place.starts_with("slow") { input } else { shrunk(target, &input, &place) };
            let path = folder().join(format!("{name}-{round}{}", target.ending()));
            std::fs::write(&path, &small).expect("the temporary folder can be written");
            let text: String = text.chars().take(1500).collect();
            let report = format!(
                "{place}: {text}\n    seed {} round {round}; MTLC_FUZZ_INPUT={} runs it again",
                seed(),
                path.display()
            );
            eprintln!("{name}: {report}");
            failures.insert(place, report);
            if failures.len() >= ENOUGH {
                break;
            }
        }
        if done.is_multiple_of(100_000) {
            eprintln!("{name}: {done} after {:.0} s: {outcomes:?}", start.elapsed().as_secs_f64());
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{name}: {done} inputs in {seconds:.1} s ({:.0} a second), seed {}; {outcomes:?}; slowest {:.0} ms (round {})",
        done as f64 / seconds.max(1e-9),
        seed(),
        slowest.0.as_secs_f64() * 1e3,
        slowest.1
    );
    assert!(failures.is_empty(), "{name}\n{}", failures.into_values().collect::<Vec<_>>().join("\n"));
}
