//! How long checking takes, and how it grows: a long program (stages, blocks, tasks), and a large space (tasks and candidate
//! nodes). Each at a quarter, a half and the whole of the size; the best of three, in milliseconds. `cargo bench --bench check`.

#[path = "../tests/scale/programs.rs"]
mod programs;

use std::fmt::Write;
use std::path::Path;
use std::time::Instant;

/// About `lines` lines: half blocks and stages that use them, half tasks of three lines with their heads.
fn long_program(lines: usize) -> String {
    let stages = (lines / 40).max(1);
    let tasks = lines / 8;
    let blocks = lines / 4;
    let mut t = String::from("mtl 1\n\ninput x: f32[64]\n\n");
    for i in 0..blocks {
        writeln!(t, "block b{i}(units: int = 32) = linear(units) -> relu").unwrap();
    }
    for i in 0..tasks {
        writeln!(t, "task t{i}: binary {{\n  loss = bce\n  weight = 0.5\n}}\nhead for t{i} = linear(outputs)").unwrap();
    }
    t += "backbone net(x) {\n";
    for s in 0..stages {
        let links: Vec<String> =
            (s * blocks / stages..(s + 1) * blocks / stages).map(|b| format!("b{b}(32)")).collect();
        writeln!(t, "  stage s{s} =\n    {}", links.join("\n    -> ")).unwrap();
    }
    t += "}\n";
    t
}

/// `tasks` tasks, ten levels of as many copies.
fn large_space(tasks: usize) -> String {
    let mut t = String::from("mtl 1\n\ninput x: f32[64]\n\n");
    for i in 0..tasks {
        writeln!(t, "task t{i}: binary").unwrap();
    }
    t += "head for * = linear(outputs)\nbackbone net(x) {\n";
    for s in 0..10 {
        writeln!(t, "  stage s{s} = mlp(32)").unwrap();
    }
    t += "}\nspace s over net {\n";
    for s in 0..10 {
        writeln!(t, "  level s{s} {{ copies = {tasks} }}").unwrap();
    }
    t += "}\nsearch learn_to_branch\n";
    t
}

/// What 100,000 of anything may take, in milliseconds.
const MOST: f64 = 2_000.0;

/// Milliseconds of one check; mistakes are allowed.
fn once(text: &str) -> f64 {
    let load = |p: &Path| Err(std::io::Error::other(p.display().to_string()));
    let start = Instant::now();
    std::hint::black_box(mtlc::driver::compile_text(text, Path::new("bench.mtl"), &Default::default(), &load));
    start.elapsed().as_secs_f64() * 1e3
}

/// Milliseconds of the fastest of three.
fn time(text: &str) -> f64 {
    let load = |p: &Path| Err(std::io::Error::other(p.display().to_string()));
    let mut best = f64::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        let compiled = mtlc::driver::compile_text(text, Path::new("bench.mtl"), &Default::default(), &load);
        best = best.min(start.elapsed().as_secs_f64() * 1e3);
        if let Some(d) = compiled.diagnostics.iter().find(|d| d.is_error()) {
            panic!("{}: {}", d.code.name(), d.message);
        }
    }
    best
}

fn main() {
    println!("{:<34} {:>8} {:>10}", "check", "lines", "ms");
    for part in [4, 2, 1] {
        let text = long_program(10_000 / part);
        println!("{:<34} {:>8} {:>10.1}", "long program", text.lines().count(), time(&text));
    }
    for part in [4, 2, 1] {
        let n = 1_000 / part;
        let text = large_space(n);
        let name = format!("{n} tasks, {} candidate nodes", 10 * n);
        println!("{name:<34} {:>8} {:>10.1}", text.lines().count(), time(&text));
    }
    println!("{:<52} {:>8} {:>10}", "100,000 of", "MiB", "ms");
    for (name, program) in programs::KINDS {
        let text = program(100_000);
        let ms = once(&text);
        let slow = if ms > MOST { "  more than two seconds" } else { "" };
        println!("{name:<52} {:>8.1} {ms:>10.0}{slow}", text.len() as f64 / (1 << 20) as f64);
    }
}
