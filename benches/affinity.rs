//! What Branched Multi-Task Networks compute once the single-task networks are trained: affinities of 40 tasks from the features of
//! 500 samples at 6 locations, and the choice of the tree: over all trees for 5 tasks, by beam search for 40 and 200. Seconds, the
//! best of three. `cargo bench --bench affinity`.

use std::time::Instant;

use mtlc::random::Randomness;
use mtlc::search::affinity::beam::{Beam, Clustering, Direction, beam};
use mtlc::search::affinity::choose::{Problem, exact};
use mtlc::search::affinity::rsa::{Ranks, affinities, dissimilarities, ranks};
use rand::RngExt;

const LOCATIONS: usize = 6;
const SAMPLES: usize = 500;

/// Seconds of the fastest of three.
fn time(mut act: impl FnMut()) -> f64 {
    let once = |act: &mut dyn FnMut()| {
        let start = Instant::now();
        act();
        start.elapsed().as_secs_f64()
    };
    (0..3).map(|_| once(&mut act)).fold(f64::MAX, f64::min)
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
    println!("{:<58} {:>9}", "affinity", "s");
    for width in [512, 4096] {
        // Features are there before the clock starts.
        let mut rng = Randomness::new(0).stream("bench features", [width as u64, 0, 0]);
        let features: Vec<Vec<f32>> =
            (0..40).map(|_| (0..SAMPLES * width).map(|_| rng.random_range(-1.0f32..1.0)).collect()).collect();
        let seconds = time(|| {
            for _ in 0..LOCATIONS {
                let of = |f: &Vec<f32>| ranks(&dissimilarities(f, SAMPLES).expect("they are computed").0);
                let all: Vec<Ranks> = features.iter().map(of).collect();
                assert_eq!(affinities(&all).len(), 40);
            }
        });
        println!(
            "{:<58} {seconds:>9.3}",
            format!("40 tasks, {SAMPLES} samples of {width} numbers, {LOCATIONS} locations")
        );
    }
    let small = problem(5);
    println!("{:<58} {:>9.4}", "tree of 5 tasks, 6 locations: all trees", time(|| assert!(exact(&small).is_some())));
    for tasks in [40, 200] {
        let large = problem(tasks);
        let width = Beam { width: 500, direction: Direction::LastToFirst, clustering: Clustering::Cost };
        let seconds = time(|| assert!(beam(&large, width).is_some()));
        println!("{:<58} {seconds:>9.3}", format!("tree of {tasks} tasks, 6 locations: beam of 500"));
    }
}
