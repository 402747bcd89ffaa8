//! A folder with an example that is made short, the run of it that nothing disturbs, and runs that are struck.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Signal {
    Kill,
    Term,
}

/// When a run is struck: at a time from its start, or so long after a phase has begun.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    At(Duration),
    Search(Duration),
    Derivation(Duration),
    Retraining(Duration),
    Evaluation(Duration),
}

pub struct Place {
    pub name: &'static str,
    folder: tempfile::TempDir,
    /// How long a run takes that nothing disturbs, and what it leaves.
    pub whole: Duration,
    expected: BTreeMap<PathBuf, Vec<u8>>,
}

/// Three examples, with fewer epochs.
pub fn programs() -> Vec<Place> {
    vec![
        Place::new(
            "digits",
            &[
                ("epochs      = 20", "epochs      = 3"),
                ("epochs    = 30", "epochs    = 3"),
                ("conv_bn(16)", "conv_bn(4)"),
                ("conv_bn(32)", "conv_bn(8)"),
            ],
        ),
        Place::new("census", &[("epochs      = 12", "epochs      = 2"), ("epochs    = 12", "epochs    = 2")]),
        Place::new("synthetic_a", &[("samples     = 2000", "samples     = 400")]),
    ]
}

impl Place {
    fn new(name: &'static str, shorter: &[(&str, &str)]) -> Place {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let folder = tempfile::tempdir().expect("a folder");
        let mut text = std::fs::read_to_string(examples.join(format!("{name}.mtl"))).expect("an example");
        for (from, to) in shorter {
            assert!(text.contains(from), "{name}.mtl no longer says `{from}`");
            text = text.replace(from, to);
        }
        for sub in ["data", "parts"] {
            std::fs::create_dir(folder.path().join(sub)).expect("a folder");
            for entry in std::fs::read_dir(examples.join(sub)).expect("a folder").flatten() {
                if entry.path().is_file() {
                    std::fs::copy(entry.path(), folder.path().join(sub).join(entry.file_name())).expect("a copy");
                }
            }
        }
        std::fs::write(folder.path().join("net.mtl"), text).expect("a file");
        let mut place = Place { name, folder, whole: Duration::ZERO, expected: BTreeMap::new() };
        let start = Instant::now();
        let status = place.start(&place.fresh("1h")).wait().expect("it runs");
        assert!(status.success(), "{name} does not run");
        place.whole = start.elapsed();
        place.expected = place.left();
        place
    }

    fn run(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn fresh(&self, every: &str) -> Vec<String> {
        let mut args: Vec<String> = ["run", "net.mtl", "-o", "run", "--random", "1"].map(String::from).into();
        if self.name == "synthetic_a" {
            args.extend(["--set", "epochs=6", "--set", "warmup=1"].map(String::from));
        }
        args.extend(["--save-every".into(), every.into()]);
        args
    }

    fn start(&self, args: &[String]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_mtlc"))
            .args(args)
            .args(["--quiet", "--device", "cpu"])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary runs")
    }

    /// Removes what an earlier run has left.
    pub fn clear(&self) {
        let _ = std::fs::remove_dir_all(self.run());
    }

    /// Starts a run, or goes on with one, and ends it at the moment. The phase that it was in; `None` if it had not begun or was
    /// done before.
    pub fn strike(&self, resume: bool, every: &str, signal: Signal, moment: Moment) -> Option<String> {
        let args = match resume {
            true => ["run", "--resume", "run", "--save-every", every].map(String::from).into(),
            false => self.fresh(every),
        };
        let mut child = self.start(&args);
        self.wait_for(moment, &mut child);
        match signal {
            Signal::Kill => child.kill().expect("it is ours"),
            Signal::Term => {
                // Without a folder there is nothing to save, and without handlers nothing is.
                if !self.run().join("run.json").exists() {
                    let _ = child.kill();
                }
                let id = child.id().to_string();
                let _ = Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status();
            }
        }
        let code = child.wait().expect("it ends").code();
        match signal {
            _ if code == Some(0) => return None,
            Signal::Kill => assert_eq!(code, None, "{}: it failed by itself", self.name),
            // A signal that comes before the handlers are there ends it like any other program.
            Signal::Term => assert!(code == Some(75) || code.is_none(), "{}: code {code:?}", self.name),
        }
        self.run().join("run.json").exists().then(|| self.phase())
    }

    fn wait_for(&self, moment: Moment, child: &mut Child) {
        let (file, after) = match moment {
            Moment::At(time) => {
                std::thread::sleep(time);
                return;
            }
            Moment::Search(after) => ("run.json", after),
            Moment::Derivation(after) => ("search.json", after),
            Moment::Retraining(after) => ("derived/net.mtl", after),
            Moment::Evaluation(after) => ("checkpoints/derived.safetensors", after),
        };
        let file = self.run().join(file);
        while !file.exists() && child.try_wait().expect("it is ours").is_none() {
            std::thread::sleep(Duration::from_micros(300));
        }
        std::thread::sleep(after);
    }

    /// What was being done: the first phase that is not recorded.
    fn phase(&self) -> String {
        let text = std::fs::read_to_string(self.run().join("progress.json")).expect("it is there with the folder");
        let progress: Value = serde_json::from_str(&text).expect("it is whole");
        let phases = progress["phases"].as_array().expect("a list");
        match phases.last() {
            None if self.run().join("search.json").exists() => "derivation".into(),
            None => "search".into(),
            Some(p) if p["name"] == "search" && !self.run().join("derived/net.mtl").exists() => "derivation".into(),
            Some(p) if p["name"] != "search" && p["result"].is_null() => "evaluation".into(),
            Some(_) => "retraining".into(),
        }
    }

    pub fn resume(&self) {
        let output = Command::new(env!("CARGO_BIN_EXE_mtlc"))
            .args(["run", "--resume", "run", "--device", "cpu"])
            .current_dir(self.folder.path())
            .output()
            .expect("the binary runs");
        assert!(output.status.success(), "{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
    }

    #[track_caller]
    pub fn compare(&self, what: &str) {
        let left = self.left();
        let names = |m: &BTreeMap<PathBuf, Vec<u8>>| m.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&left), names(&self.expected), "{what}: other files");
        for (name, bytes) in &self.expected {
            assert!(left[name] == *bytes, "{what}: `{}` is another", name.display());
        }
    }

    /// Every file of the run; of JSON without times, and without who held the folder.
    fn left(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut out = BTreeMap::new();
        let mut stack = vec![self.run()];
        while let Some(folder) = stack.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
                let path = entry.path();
                if path.is_dir() {
                    stack.push(path);
                    continue;
                }
                let name = path.strip_prefix(self.run()).expect("below").to_path_buf();
                let bytes = std::fs::read(&path).expect("a file");
                let bytes = match path.extension().and_then(|e| e.to_str()) {
                    Some("lock") => Vec::new(),
                    None if name.as_os_str() == "SHA256SUMS" => Vec::new(),
                    Some("json") => timeless(std::str::from_utf8(&bytes).expect("text")).into_bytes(),
                    Some("jsonl") => {
                        let text = std::str::from_utf8(&bytes).expect("text");
                        text.lines().map(|l| timeless(l) + "\n").collect::<String>().into_bytes()
                    }
                    _ => bytes,
                };
                out.insert(name, bytes);
            }
        }
        out
    }
}

fn timeless(json: &str) -> String {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for key in ["seconds", "latency", "latency_batch", "marks", "sums"] {
                    map.remove(key);
                }
                map.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value: Value = serde_json::from_str(json).expect("JSON");
    strip(&mut value);
    value.to_string()
}
