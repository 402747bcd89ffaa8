//! `mtlc doctor`: what this build and this machine are, a short self-test, and what is known to go wrong with the way out.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::exit::{Exit, Outcome};
use crate::cli::terminal::Terminal;
use crate::report::table::human_bytes;
use crate::runtime::selftest;
use crate::screen::paint;
use crate::source::machine;

/// As pinned in `Cargo.lock`; a test compares.
const LIBRARIES: [(&str, &str); 5] = [
    ("candle-core", "0.11.1"),
    ("candle-nn", "0.11.1"),
    ("safetensors", "0.8.0"),
    ("gemm", "0.19.0"),
    ("rayon", "1.12.0"),
];

/// Less than this is pointed out.
const LITTLE: u64 = 1 << 30;

/// What was found. Facts go to standard output; problems too, after them.
#[derive(Default)]
struct Report {
    facts: Vec<(&'static str, String, Value)>,
    problems: Vec<Problem>,
}

struct Problem {
    /// Nothing will work before it is mended; else it works, and slower or less.
    fatal: bool,
    what: String,
    help: String,
}

impl Report {
    fn fact(&mut self, name: &'static str, text: impl Into<String>, value: Value) {
        self.facts.push((name, text.into(), value));
    }

    fn warn(&mut self, what: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem { fatal: false, what: what.into(), help: help.into() });
    }

    fn fail(&mut self, what: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem { fatal: true, what: what.into(), help: help.into() });
    }
}

pub fn run(terminal: &Terminal) -> Outcome {
    let mut r = Report::default();
    build(&mut r);
    processor(&mut r);
    memory(&mut r);
    folders(&mut r);
    devices(&mut r);
    screen(&mut r, terminal);
    let fatal = r.problems.iter().any(|p| p.fatal);
    match terminal.json {
        true => {
            let facts: serde_json::Map<String, Value> =
                r.facts.iter().map(|(n, _, v)| (n.replace(' ', "_"), v.clone())).collect();
            let problems: Vec<Value> =
                r.problems.iter().map(|p| json!({ "fatal": p.fatal, "what": p.what, "help": p.help })).collect();
            terminal.object(&json!({ "version": 1, "ok": !fatal, "facts": facts, "problems": problems }));
        }
        false => show(&r, terminal),
    }
    Ok(if fatal { Exit::Failure } else { Exit::Ok })
}

fn show(r: &Report, terminal: &Terminal) {
    let width = r.facts.iter().map(|(n, ..)| n.len()).max().unwrap_or(0);
    for (name, text, _) in &r.facts {
        terminal.product(&format!("{name:width$}  {text}\n"));
    }
    terminal.product("\n");
    for p in &r.problems {
        let (word, style) = if p.fatal { ("error", "1;31") } else { ("warning", "1;33") };
        let word = paint(&format!("{word}:"), style, terminal.stdout_color());
        terminal.product(&format!("{word} {}\n  help: {}\n", p.what, p.help));
    }
    if r.problems.is_empty() {
        terminal.product("no problem was found\n");
    }
}

fn build(r: &mut Report) {
    let version = env!("CARGO_PKG_VERSION");
    // A build may say which commit it is of; nothing is run at build time to find out.
    let commit = option_env!("MTLC_COMMIT").filter(|c| !c.is_empty());
    let text = commit.map_or_else(|| "commit not recorded in this build".to_string(), |c| format!("commit {c}"));
    r.fact("version", format!("mtlc {version}, {text}"), json!({ "mtlc": version, "commit": commit }));
    let cuda = cfg!(feature = "cuda");
    let optimised = !cfg!(debug_assertions);
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let text = format!(
        "{os} {arch}, {}, {}",
        if optimised { "optimised" } else { "not optimised" },
        if cuda { "with CUDA" } else { "without CUDA" }
    );
    r.fact("build", text, json!({ "os": os, "arch": arch, "optimised": optimised, "cuda": cuda }));
    if !optimised {
        r.warn(
            "this is a development build: training is several times slower",
            "build it with `cargo build --release`",
        );
    }
    let libraries = LIBRARIES.map(|(n, v)| format!("{n} {v}")).join(", ");
    r.fact("libraries", libraries, Value::Object(LIBRARIES.iter().map(|(n, v)| (n.to_string(), json!(v))).collect()));
}

fn processor(r: &mut Report) {
    let found = vectors();
    let has: Vec<&str> = found.iter().filter(|(_, there)| *there).map(|(n, _)| *n).collect();
    let text = if has.is_empty() { "none of those that the kernels use".to_string() } else { has.join(", ") };
    r.fact("vectors", text, Value::Object(found.iter().map(|(n, t)| (n.to_string(), json!(t))).collect()));
    if cfg!(target_arch = "x86_64") && !["AVX2", "FMA"].iter().all(|n| has.contains(n)) {
        r.warn(
            "this processor has no AVX2 and FMA: results are right, training is several times slower",
            "run on a processor of 2013 or later; in a virtual machine, let it pass the host's features on",
        );
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = rayon::current_num_threads();
    let set = std::env::var("RAYON_NUM_THREADS").ok();
    let said = set.as_ref().map_or("RAYON_NUM_THREADS is not set".to_string(), |v| format!("RAYON_NUM_THREADS={v}"));
    r.fact(
        "threads",
        format!("{threads} of {cores} that can run at once; {said}"),
        json!({ "threads": threads, "cores": cores, "RAYON_NUM_THREADS": set }),
    );
    if let Some(v) = &set
        && v.trim().parse::<usize>().is_err()
    {
        r.warn(
            format!("RAYON_NUM_THREADS is `{v}`, which is no number and does nothing"),
            "set it to a number, or unset it",
        );
    }
    if threads > cores {
        r.warn(
            format!("{threads} threads share {cores} cores: they wait for one another"),
            format!("set RAYON_NUM_THREADS={cores}, or unset it"),
        );
    }
    if set.is_none() && std::env::var_os("OMP_NUM_THREADS").is_some() {
        r.warn("OMP_NUM_THREADS is set and does nothing here", "set RAYON_NUM_THREADS to limit the threads of `mtlc`");
    }
}

/// Instruction sets for which the kernels have code of their own.
fn vectors() -> Vec<(&'static str, bool)> {
    #[cfg(target_arch = "x86_64")]
    {
        vec![
            ("AVX2", is_x86_feature_detected!("avx2")),
            ("FMA", is_x86_feature_detected!("fma")),
            ("AVX-512", is_x86_feature_detected!("avx512f")),
        ]
    }
    #[cfg(target_arch = "aarch64")]
    {
        vec![("NEON", std::arch::is_aarch64_feature_detected!("neon"))]
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    {
        Vec::new()
    }
}

fn memory(r: &mut Report) {
    let (total, available) = (machine::total_memory(), machine::available_memory());
    let text = match (available, total) {
        (Some(a), Some(t)) => format!("{} available of {}", human_bytes(a), human_bytes(t)),
        _ => "not known on this system".to_string(),
    };
    r.fact("memory", text, json!({ "available": available, "total": total }));
    if available.is_some_and(|a| a < LITTLE) {
        r.warn("less than 1 GiB of memory is available", "end other programs, or train with a smaller `batch`");
    }
}

fn folders(r: &mut Report) {
    let here = std::env::current_dir();
    let (current, temporary) = (here.as_ref().map_or(PathBuf::from("."), PathBuf::clone), std::env::temp_dir());
    let places = [
        ("current folder", current.as_path(), "runs are written here unless `-o` says otherwise"),
        ("temp folder", temporary.as_path(), "set TMPDIR to a folder that can be written"),
    ];
    for (name, path, help) in places {
        let tried = selftest::keep(path);
        let free = machine::free_disk(path);
        let room = free.map_or("free space not known".to_string(), |f| format!("{} free", human_bytes(f)));
        let state = match &tried {
            Ok(()) => "weights can be written and read back".to_string(),
            Err(why) => format!("cannot be used: {why}"),
        };
        r.fact(
            name,
            format!("{}: {state}, {room}", shown(path)),
            json!({ "path": path.display().to_string(), "writable": tried.is_ok(), "free": free }),
        );
        if let Err(why) = tried {
            // Only runs into this very folder need it.
            r.warn(format!("the {name} `{}` cannot be used: {why}", shown(path)), help);
        } else if free.is_some_and(|f| f < LITTLE) {
            r.warn(
                format!("less than 1 GiB is free where the {name} lies"),
                "a run keeps the weights of four networks: make room",
            );
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn devices(r: &mut Report) {
    let cpu = selftest::compute(&candle_core::Device::Cpu);
    let text = match &cpu {
        Ok(took) => format!("a product and its gradients are right ({:.1} ms)", took.as_secs_f64() * 1e3),
        Err(why) => format!("wrong: {why}"),
    };
    r.fact("cpu", text, json!({ "ok": cpu.is_ok(), "seconds": cpu.as_ref().ok().map(|t| t.as_secs_f64()) }));
    if let Err(why) = cpu {
        r.fail(
            format!("the CPU computes wrongly: {why}"),
            "results of this machine cannot be trusted: test its memory, and report this with the output of `mtlc doctor`",
        );
    }
    let driver = driver();
    let (ok, text) = match (cfg!(feature = "cuda"), &driver) {
        (false, None) => (None, "not in this build; no NVIDIA driver is loaded".to_string()),
        (false, Some(v)) => (None, format!("not in this build; NVIDIA driver {v} is loaded")),
        (true, _) => match gpu() {
            Ok(text) => (Some(true), text),
            Err(why) => (Some(false), format!("cannot be used: {why}")),
        },
    };
    r.fact("cuda", text.clone(), json!({ "ok": ok, "driver": driver, "text": text }));
    match (ok, &driver) {
        (None, Some(_)) => r.warn(
            "there is an NVIDIA GPU driver, and this build computes on the CPU only",
            "build with `cargo build --release --features cuda,cudnn` to use the GPU",
        ),
        (Some(false), None) => r.warn(
            "this build has CUDA, and no NVIDIA driver is loaded: `--device auto` takes the CPU",
            "install the driver, or in a container pass the GPU on (`--gpus all`)",
        ),
        (Some(false), Some(_)) => r.warn(
            format!("the GPU cannot be used: {text}"),
            "the driver must be as new as the CUDA toolkit of this build; check CUDA_VISIBLE_DEVICES and `nvidia-smi`",
        ),
        _ => {}
    }
}

/// Version of the loaded NVIDIA driver, as Linux tells it.
fn driver() -> Option<String> {
    let text = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let line = text.lines().next()?;
    let version = line.split_whitespace().find(|w| w.contains('.') && w.starts_with(|c: char| c.is_ascii_digit()));
    Some(version.unwrap_or("of unknown version").to_string())
}

/// Opens the first GPU and computes on it. A missing library ends in a panic below candle: here that is an answer.
fn gpu() -> Result<String, String> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let tried = std::panic::catch_unwind(|| {
        let device = crate::runtime::device::open("cuda:0").map_err(|e| e.to_string())?;
        // The rounding of TF32 is no error, and would hide one.
        crate::ops::precision::Precision::F32.begin();
        // The first product loads libraries and kernels.
        selftest::compute(&device)?;
        selftest::compute(&device)
    });
    std::panic::set_hook(hook);
    match tried {
        Ok(Ok(took)) => {
            Ok(format!("cuda:0: a product and its gradients are right ({:.1} ms)", took.as_secs_f64() * 1e3))
        }
        Ok(Err(why)) => Err(why),
        Err(_) => Err("the CUDA libraries cannot be loaded".to_string()),
    }
}

fn screen(r: &mut Report, terminal: &Terminal) {
    use std::io::IsTerminal;
    let out = std::io::stdout().is_terminal();
    let color = terminal.stdout_color();
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.is_empty()));
    let unicode = set.as_ref().is_some_and(|v| v.to_lowercase().replace('-', "").contains("utf8")) || cfg!(windows);
    let width = terminal.stdout_width();
    r.fact(
        "terminal",
        format!(
            "{}, {width} columns, colour {}, {}",
            if out { "standard output is a terminal" } else { "standard output is no terminal" },
            if color { "on" } else { "off" },
            if unicode { "UTF-8" } else { "the locale does not say UTF-8" },
        ),
        json!({ "stdout_is_terminal": out, "columns": width, "color": color, "unicode": unicode, "locale": set }),
    );
    if out && !unicode {
        r.warn("the locale does not say UTF-8: lines of tables and drawings may look broken", "set LANG=C.UTF-8");
    }
    if out && width < 60 {
        r.warn(format!("the terminal has {width} columns: tables will wrap"), "widen it, or use `--json`");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn libraries_are_those_of_the_lock_file() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock")).expect("Cargo.lock");
        for (name, version) in super::LIBRARIES {
            let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
            assert!(lock.contains(&entry), "{name} is not at {version} any more: change LIBRARIES");
        }
    }
}
