//! What Branched Multi-Task Networks compute once the single-task networks are trained: affinities of 40 tasks from the features of
//! 500 samples at 6 locations, and the choice of the tree: over all trees for 5 tasks, by beam search for 40 and 200. Seconds by
//! the clock and of the processor, each the least of three. `cargo bench --bench affinity`.

use std::time::Instant;

use mtlc::random::Randomness;
use mtlc::search::affinity::beam::{Beam, Clustering, Direction, beam};
use mtlc::search::affinity::choose::{Problem, exact};
use mtlc::search::affinity::rsa::{Ranks, affinities, dissimilarities, ranks};
use rand::RngExt;

const LOCATIONS: usize = 6;
const SAMPLES: usize = 500;

/// Seconds that all threads of this program have run.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |i: usize| fields.get(i).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Prints the least of three, by the clock and of the processor.
fn time(name: &str, mut act: impl FnMut()) {
    let (mut wall, mut cpu) = (f64::MAX, f64::MAX);
    for _ in 0..3 {
        let (start, before) = (Instant::now(), cpu_seconds());
        act();
        wall = wall.min(start.elapsed().as_secs_f64());
        cpu = cpu.min(cpu_seconds() - before);
    }
    println!("{name:<58} {wall:>9.4} {cpu:>9.2}");
}

/// `1 - affinity` of tasks in families of five, drawn around 0.2 within a family and 0.8 beyond; budget: half of the single-task
/// networks.
fn problem(tasks: usize) -> Problem {
    let mut rng = Randomness::new(0).stream("bench problem", [tasks as u64, 0, 0]);
    let mut matrix = || {
        let mut d = vec![0.0; tasks * tasks];
        for i in 0..tasks {
            for j in i + 1..tasks {
                let middle = if i / 5 == j / 5 { 0.2 } else { 0.8 };
                let v: f64 = middle + rng.random_range(-0.2..0.2);
                (d[i * tasks + j], d[j * tasks + i]) = (v, v);
            }
        }
        d
    };
    Problem {
        tasks,
        dissimilarity: (0..LOCATIONS).map(|_| matrix()).collect(),
        sizes: vec![1000; LOCATIONS],
        most: vec![tasks; LOCATIONS],
        limit: 500.0 * (tasks * LOCATIONS) as f64,
    }
}

fn main() {
    println!("{:<58} {:>9} {:>9}", "affinity", "s", "CPU s");
    for width in [512, 4096] {
        // Features are there before the clock starts.
        let mut rng = Randomness::new(0).stream("bench features", [width as u64, 0, 0]);
        let features: Vec<Vec<f32>> =
            (0..40).map(|_| (0..SAMPLES * width).map(|_| rng.random_range(-1.0f32..1.0)).collect()).collect();
        time(&format!("40 tasks, {SAMPLES} samples of {width} numbers, {LOCATIONS} locations"), || {
            for _ in 0..LOCATIONS {
                let of = |f: &Vec<f32>| ranks(&dissimilarities(f, SAMPLES).expect("they are computed").0);
                let all: Vec<Ranks> = features.iter().map(of).collect();
                assert_eq!(affinities(&all).len(), 40);
            }
        });
    }
    let small = problem(5);
    time("tree of 5 tasks, 6 locations: all trees", || assert!(exact(&small).is_some()));
    for tasks in [40, 200] {
        let large = problem(tasks);
        let width = Beam { width: 500, direction: Direction::LastToFirst, clustering: Clustering::Cost };
        time(&format!("tree of {tasks} tasks, 6 locations: beam of 500"), || assert!(beam(&large, width).is_some()));
    }
}
