//! The estimate of a run's memory against the peak that the process reaches (`VmHWM`), and limits that it is compared with.

#![cfg(target_os = "linux")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const BIN: &str = env!("CARGO_BIN_EXE_mtlc");

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).expect("a file");
    }
}

/// The most bytes that a process has had, read until it ends.
fn peak(child: &mut std::process::Child) -> u64 {
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let now = line.and_then(|l| l.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024;
        most = most.max(now);
        if child.try_wait().expect("it runs").is_some() {
            return most;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// "1.57 GiB", "133 MiB"
fn bytes(text: &str) -> u64 {
    let (number, unit) = text.split_once(' ').unwrap_or_else(|| panic!("{text}"));
    let scale = match unit {
        "KiB" => 1u64 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        other => panic!("{other}"),
    };
    (number.parse::<f64>().unwrap_or_else(|e| panic!("{text}: {e}")) * scale as f64) as u64
}

/// What `mtlc` estimates, and what it comes to.
fn measured(folder: &Path, arguments: &[&str]) -> (u64, u64) {
    let stderr = folder.join("stderr");
    let file = std::fs::File::create(&stderr).expect("a file");
    let mut child = Command::new(BIN)
        .args(arguments)
        .args(["--device", "cpu"])
        .current_dir(folder)
        .env("RAYON_NUM_THREADS", "2")
        .stdout(Stdio::null())
        .stderr(file)
        .spawn()
        .expect("the binary runs");
    let peak = peak(&mut child);
    let said = std::fs::read_to_string(&stderr).expect("it was written");
    assert!(child.wait().expect("it ended").success(), "{said}");
    let about = said.split("memory: about ").nth(1).unwrap_or_else(|| panic!("no estimate in {said}"));
    let about = about.split(" for ").next().expect("a size");
    (bytes(about), peak)
}

#[track_caller]
fn agree(name: &str, place: &Place, arguments: &[&str]) {
    let (estimate, peak) = measured(place.0.path(), arguments);
    let ratio = estimate as f64 / peak as f64;
    println!(
        "{name:20} estimated {:6.1} MiB, peak {:6.1} MiB, ratio {ratio:.2}",
        estimate as f64 / 1048576.0,
        peak as f64 / 1048576.0
    );
    assert!((1.0 / 1.3..=1.3).contains(&ratio), "{name}: {estimate} bytes are estimated, and {peak} are taken");
}

/// A number from 0 to 1 by its place.
fn noise(i: usize) -> f64 {
    let x = (i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 31)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// A table of numbers as Python prints them, with a label.
fn table(rows: usize, columns: usize) -> String {
    let names: Vec<String> = (0..columns).map(|c| format!("n{c}")).collect();
    let mut out = format!("{},y\n", names.join(","));
    for r in 0..rows {
        for c in 0..columns {
            write!(out, "{},", noise(r * columns + c) * 2.0 - 1.0).expect("to memory");
        }
        writeln!(out, "{}", r % 2).expect("to memory");
    }
    out
}

const MLP: &str =
    "input x: fields { from = d, except = [y] }\ntask y: binary { label = d.y == 1 }\nhead for y = linear(outputs)\n";

#[test]
fn a_table_of_many_rows() {
    let place = Place::new();
    place.write("t.csv", table(60_000, 30).as_bytes());
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\" }}\n{MLP}backbone net(x) {{ stage s = one_hot -> mlp(8) }}\ntrain {{ epochs = 1, batch = \
         4096 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    agree("table", &place, &["train", "p.mtl", "-o", "R"]);
}

#[test]
fn a_wide_network() {
    let place = Place::new();
    place.write("t.csv", table(40, 4).as_bytes());
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\" }}\n{MLP}backbone net(x) {{ stage s = one_hot -> linear(3000) -> relu -> linear(3000) -> \
         relu }}\ntrain {{ epochs = 1, batch = 16 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    agree("wide", &place, &["train", "p.mtl", "-o", "R"]);
}

/// Thirty tasks without a topology: they share everything, and no network of thirty copies is counted.
#[test]
fn what_is_not_trained_does_not_count() {
    let place = Place::new();
    let names: Vec<String> = (0..30).map(|t| format!("t{t}")).collect();
    let mut rows = format!("a,{}\n", names.join(","));
    for r in 0..40 {
        let labels: Vec<&str> = (0..30).map(|t| if noise(r * 30 + t) < 0.5 { "0" } else { "1" }).collect();
        writeln!(rows, "{},{}", noise(r), labels.join(",")).expect("to memory");
    }
    place.write("t.csv", rows.as_bytes());
    let tasks: String = names.iter().map(|t| format!("task {t}: classes(2) {{ from = d.{t} }}\n")).collect();
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\", validation = share(0.2) }}\ninput x: f32[1] {{ from = d.a }}\n{tasks}backbone net(x) {{ \
         stage s = linear(2500) -> relu -> linear(2500) -> relu }}\nhead for * = linear(outputs)\ntrain {{ epochs = 1, batch = 16 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    agree("thirty tasks", &place, &["train", "p.mtl", "-o", "R"]);
}

fn idx(sizes: &[u32], values: Vec<u8>) -> Vec<u8> {
    let mut out = vec![0, 0, 8, sizes.len() as u8];
    sizes.iter().for_each(|s| out.extend(s.to_be_bytes()));
    out.extend(values);
    out
}

#[test]
fn convolutions() {
    let place = Place::new();
    let (n, side) = (64, 48);
    place.write(
        "images",
        &idx(&[n, side, side], (0..n * side * side).map(|i| (noise(i as usize) * 255.0) as u8).collect()),
    );
    place.write("labels", &idx(&[n], (0..n).map(|i| (i % 2) as u8).collect()));
    let text = "mtl 1\ndata d { format = idx, images = \"images\", labels = \"labels\", validation = share(0.25) }\ninput x: f32[1, 48, 48] { from = \
                d.image, scale = [0, 1] }\ntask y: binary { label = d.label == 1 }\nbackbone net(x) {\n  stage a = conv(24, kernel = 3) -> relu -> \
                conv(24, kernel = 3) -> relu -> max_pool(2)\n  stage b = conv(32, kernel = 3) -> relu -> global_avg_pool\n}\nhead for y = \
                linear(outputs)\ntrain { epochs = 1, batch = 32 }\n";
    place.write("p.mtl", text.as_bytes());
    agree("convolutions", &place, &["train", "p.mtl", "-o", "R"]);
}

#[test]
fn an_embedding_of_many_words() {
    let place = Place::new();
    let mut rows = "word,y\n".to_string();
    for r in 0..40_000 {
        writeln!(rows, "w{},{}", r % 30_000, r % 2).expect("to memory");
    }
    place.write("t.csv", rows.as_bytes());
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\", categories = [word] }}\n{MLP}backbone net(x) {{ stage s = embedding(128) -> \
         concat_fields -> linear(16) -> relu }}\ntrain {{ epochs = 1, batch = 512 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    agree("embedding", &place, &["train", "p.mtl", "-o", "R"]);
}

#[test]
fn a_search() {
    let place = Place::new();
    place.write("t.csv", table(80, 6).as_bytes());
    let text = "mtl 1\ndata d { format = csv, train = \"t.csv\", validation = share(0.25) }\ninput x: fields { from = d, except = [y] }\ntask a: binary { \
                label = d.y == 1 }\ntask b: binary { label = d.n0 > 0 }\ntask c: binary { label = d.n1 > 0 }\nbackbone net(x) {\n  stage e = one_hot -> \
                linear(900) -> relu\n  stage s = linear(900) -> relu\n  stage t = linear(900) -> relu\n}\nhead for * = linear(outputs)\nspace tree over net \
                {\n  level e { copies = 1 }\n  level s { copies = 2 }\n  level t { copies = 3 }\n}\nsearch learn_to_branch { epochs = 1, warmup = 0, batch = \
                32 }\ntrain { epochs = 1, batch = 32 }\n";
    place.write("p.mtl", text.as_bytes());
    agree("search", &place, &["search", "p.mtl", "-o", "R"]);
    agree("run", &place, &["run", "p.mtl", "-o", "S"]);
}

/// `ulimit -v` and `ulimit -d` are what can be had.
#[test]
fn limits_of_the_shell() {
    let place = Place::new();
    place.write("t.csv", table(40, 4).as_bytes());
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\" }}\n{MLP}backbone net(x) {{ stage s = one_hot -> linear(9000) -> relu -> linear(9000) -> \
         relu }}\ntrain {{ epochs = 1, batch = 16 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    for limit in ["ulimit -v 1500000", "ulimit -d 1000000"] {
        let o = Command::new("sh")
            .args(["-c", &format!("{limit}; exec \"{BIN}\" train p.mtl -o R --device cpu")])
            .current_dir(place.0.path())
            .env("RAYON_NUM_THREADS", "2")
            .output()
            .expect("the binary runs");
        let said = String::from_utf8_lossy(&o.stderr).into_owned();
        assert_eq!(o.status.code(), Some(1), "{limit}: {said}");
        assert!(said.contains("the run needs about 1.") && said.contains("MiB that can be had"), "{limit}: {said}");
        assert!(!place.path("R").exists());
    }
}

/// If memory runs out anywhere, the program ends with a message and never with the backtrace of an abort. If memory suffices, it succeeds.
#[test]
fn running_out_of_memory_is_reported() {
    let place = Place::new();
    place.write("t.csv", table(20_000, 20).as_bytes());
    let text = format!(
        "mtl 1\ndata d {{ format = csv, train = \"t.csv\" }}\n{MLP}backbone net(x) {{ stage s = one_hot -> mlp(8) }}\ntrain {{ epochs = 1, \
         batch = 4096 }}\n"
    );
    place.write("p.mtl", text.as_bytes());
    let mut seen = [0, 0];
    for limit in [40, 80, 130, 220, 800] {
        let train = format!("train p.mtl --device cpu --ignore-memory -q -o R{limit}");
        for command in ["data check p.mtl", train.as_str()] {
            let o = Command::new("sh")
                .args(["-c", &format!("ulimit -v {}; exec \"{BIN}\" {command}", limit * 1024)])
                .current_dir(place.0.path())
                .env("RAYON_NUM_THREADS", "2")
                .output()
                .expect("the binary runs");
            let said = String::from_utf8_lossy(&o.stderr).into_owned();
            assert!(!said.contains("backtrace") && !said.contains("bug in mtlc"), "{limit} MiB, {command}: {said}");
            match o.status.code() {
                Some(0) => seen[0] += 1,
                Some(1) => {
                    assert!(
                        said.contains("error: out of memory: ") && said.contains("ulimit -v"),
                        "{limit} MiB, {command}: {said}"
                    );
                    seen[1] += 1;
                }
                other => panic!("{limit} MiB, {command}: {other:?}, {said}"),
            }
        }
    }
    println!("{} commands succeeded, {} ran out of memory", seen[0], seen[1]);
    assert!(seen[0] > 0 && seen[1] > 0);
}
