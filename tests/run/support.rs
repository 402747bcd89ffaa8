//! A folder with data, specs in it, and the binary that is run there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use candle_core::Device;
use mtlc::experiment::bench::Loose;
use mtlc::experiment::{self, Ended, Found, Prepared, RunFolder};
use mtlc::runtime::control::Control;
use mtlc::runtime::model::Model;
use mtlc::runtime::record::{ChoicesEvent, EpochEvent, Listener};
use serde_json::Value;

/// A temporary folder, gone at the end.
pub struct Place {
    folder: tempfile::TempDir,
}

/// How a command ended.
pub struct Output {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Output {
    #[track_caller]
    pub fn ok(self) -> Output {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

impl Place {
    pub fn new() -> Place {
        Place { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With `train.csv` of 60 rows and a spec `net.mtl` that reads it.
    pub fn table() -> Place {
        let place = Place::new();
        place.write("train.csv", table(60).as_bytes());
        place.write("net.mtl", SPEC.as_bytes());
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("a folder");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Values of a `.jsonl`.
    pub fn lines(&self, name: &str) -> Vec<Value> {
        self.text(name).lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{name}: {e}"))).collect()
    }

    /// Runs `mtlc` in the folder; the arguments stand apart by blanks.
    pub fn run(&self, arguments: &str) -> Output {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &str, environment: &[(&str, &str)]) -> Output {
        self.run_program(Path::new(env!("CARGO_BIN_EXE_mtlc")), arguments, environment)
    }

    /// Runs another program that is `mtlc` and more.
    pub fn run_program(&self, program: &Path, arguments: &str, environment: &[(&str, &str)]) -> Output {
        let output = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .envs(environment.iter().copied())
            .env_remove("RUST_BACKTRACE")
            .output()
            .expect("the binary runs");
        let text = |b: Vec<u8>| String::from_utf8(b).expect("UTF-8");
        Output { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Every file below the folder with its bytes.
    pub fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut out = BTreeMap::new();
        let mut stack = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = stack.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    stack.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a file");
                    out.insert(path.strip_prefix(self.folder.path()).expect("below").to_path_buf(), bytes);
                }
            }
        }
        out
    }
}

/// A table of three numbers, a category, and labels of three kinds that follow from them.
pub fn table(rows: usize) -> String {
    let mut out = String::from("a,b,colour,yes,kind,value\n");
    for i in 0..rows {
        let a = ((i * 37) % 19) as f64 / 10.0 - 0.9;
        let b = ((i * 53) % 23) as f64 / 10.0 - 1.1;
        let colour = ["red", "green", "blue"][i * 7 % 3];
        let yes = u8::from(a + b > 0.0);
        let kind = (i * 11 + usize::from(a > 0.0)) % 3;
        out += &format!("{a:.1},{b:.1},{colour},{yes},{kind},{:.3}\n", a * b + 0.5);
    }
    out
}

/// Reads `train.csv`: three tasks, a trunk and up to three branches.
pub const SPEC: &str = r#"mtl 1

param epochs: int = 2
param warmup: float = 1
param lr: float = 1e-2
param strategy_idle: string = "advance"

data d { format = csv, train = "train.csv", validation = share(0.2, of = train), test = share(0.2, of = train) }

input x: fields { from = d, except = [yes, kind, value] }

task yes: binary { label = d.yes == 1 }
task kind: classes(3) { from = d.kind }
task value: regression(1) { from = d.value }

backbone net(x) {
  stage trunk  = one_hot -> linear(8) -> relu
  stage branch = linear(6) -> relu
}

head for * = linear(outputs)

space branching over net {
  level trunk  { copies = 2 }
  level branch { copies = 3, reads = one }
  heads        { per = task, reads = one }
}

search learn_to_branch {
  epochs = epochs, warmup = warmup, batch = 12
  weights = adam(lr = lr)
  choices = adam(lr = 0.05)
  idle = strategy_idle
}

train { epochs = epochs, batch = 12, optimizer = adam(lr = lr) }
"#;

/// A version 1 `.npy` of f32.
pub fn npy(shape: &[usize], values: &[f32]) -> Vec<u8> {
    let sizes: String = shape.iter().map(|s| format!("{s}, ")).collect();
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({sizes}), }}\n");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.bytes());
    out.extend(values.iter().flat_map(|v| v.to_le_bytes()));
    out
}

/// Numbers between -1 and 1 without a pattern that matters.
pub fn numbers(n: usize, salt: u64) -> Vec<f32> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

#[track_caller]
pub fn prepare(path: &Path, set: &[(&str, &str)]) -> Prepared {
    let set: Vec<(String, String)> = set.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    match experiment::prepare(path, &set) {
        Ok(p) => p,
        Err(e) => panic!("{}: {}", path.display(), why(e)),
    }
}

pub fn why(failure: experiment::Failure) -> String {
    match failure {
        experiment::Failure::Run(e) => e.to_string(),
        experiment::Failure::Spec(c) => {
            let all: Vec<&str> = c.diagnostics.iter().map(|d| d.message.as_str()).collect();
            all.join("; ")
        }
    }
}

/// What a run said.
#[derive(Default)]
pub struct Heard {
    pub epochs: Vec<EpochEvent>,
    pub choices: Vec<ChoicesEvent>,
    pub losses: Vec<f64>,
}

impl Listener for Heard {
    fn step(&mut self, _: &str, _: usize, _: u64, loss: &dyn Fn() -> Option<f64>) {
        self.losses.extend(loss());
    }
    fn epoch(&mut self, event: &EpochEvent) {
        self.epochs.push(event.clone());
    }
    fn choices(&mut self, event: &ChoicesEvent) {
        self.choices.push(event.clone());
    }
}

/// A search into a folder that is thrown away.
#[track_caller]
pub fn search(prepared: &Prepared, seed: u64, heard: &mut Heard) -> Found {
    let place = Place::new();
    let folder = RunFolder::create(&place.path("run")).expect("a folder");
    let mut bench = Loose { folder: folder.clone(), control: Control::free() };
    match experiment::search(prepared, &folder, seed, &Device::Cpu, &mut bench, heard) {
        Ok(Ended::Done(found)) => found,
        Ok(Ended::Stopped(..)) => panic!("nothing asked it to stop"),
        Err(e) => panic!("{}", why(e)),
    }
}

/// A linear map in f64, to follow a network by plain loops; also what a gradient of one is.
#[derive(Debug, Clone)]
pub struct Map {
    pub weight: Vec<Vec<f64>>,
    pub bias: Vec<f64>,
}

impl Map {
    /// The one of a unit that has one.
    pub fn of(model: &Model, unit: &str) -> Map {
        let of = |end: &str| -> Vec<Vec<f64>> {
            let named = model.named();
            let found: Vec<_> =
                named.iter().filter(|(n, _)| n.starts_with(&format!("{unit}.")) && n.ends_with(end)).collect();
            assert_eq!(found.len(), 1, "{unit} {end}");
            let t = found[0].1.as_tensor();
            let rows = if t.rank() == 2 { t.dims()[0] } else { 1 };
            let flat = t.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("numbers");
            flat.chunks(flat.len() / rows).map(|r| r.iter().map(|v| f64::from(*v)).collect()).collect()
        };
        Map { weight: of("weight"), bias: of("bias").remove(0) }
    }

    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let dot = |row: &Vec<f64>| row.iter().zip(x).map(|(a, b)| a * b).sum::<f64>();
        self.weight.iter().zip(&self.bias).map(|(row, b)| dot(row) + b).collect()
    }
}
