//! Runs survive: one that is killed or stopped anywhere, and then resumed, ends with the bytes of one that never was.
//!
//! Moments are drawn by a seed: half uniformly over the time that an uninterrupted run takes, half within a phase (search,
//! derivation, retraining, evaluation) that is waited for. `MTLC_KILLS=200` kills that often, `MTLC_SEED=7` draws others, and
//! `--nocapture` shows what happened.

mod place;

use std::time::Duration;

use place::{Moment, Place, Signal, programs};

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// Draws that depend on the seed alone.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn moment(&mut self, whole: Duration) -> Moment {
        let after = Duration::from_micros(self.below(40_000));
        match self.below(8) {
            0..4 => Moment::At(whole.mul_f64(self.below(10_000) as f64 / 10_000.0)),
            4 => Moment::Search(after),
            5 => Moment::Derivation(after),
            6 => Moment::Retraining(after),
            _ => Moment::Evaluation(after),
        }
    }
}

/// Ends runs `count` times, each `times` in a row, and resumes them; every end is compared. Gives how many ends fell into which
/// phase.
fn campaign(programs: &[Place], signal: Signal, count: u64, times: usize, seed: u64) -> Vec<(String, usize)> {
    let mut draws = Draws(seed);
    let mut phases: Vec<(String, usize)> = Vec::new();
    let mut done = 0;
    while done < count {
        let place: &Place = &programs[(done + seed) as usize % programs.len()];
        // Often enough that most resumes begin within a phase, and sometimes never.
        let every = ["0s", "20ms", "200ms", "1h"][draws.below(4) as usize];
        place.clear();
        let mut struck = Vec::new();
        for n in 0..times {
            let moment = draws.moment(place.whole / (n as u32 + 1));
            match place.strike(n > 0, every, signal, moment) {
                Some(phase) => struck.push(phase),
                None => break,
            }
        }
        // The run ended first, or had not begun: another moment.
        if struck.len() < times {
            continue;
        }
        place.resume();
        place.compare(&format!("{} --save-every {every}, {signal:?} in {}", place.name, struck.join(" and ")));
        for phase in struck {
            match phases.iter_mut().find(|(p, _)| *p == phase) {
                Some((_, n)) => *n += 1,
                None => phases.push((phase, 1)),
            }
        }
        done += 1;
        if done % 20 == 0 {
            println!("{done} of {count}");
        }
    }
    phases.sort();
    phases
}

fn report(what: &str, count: u64, phases: &[(String, usize)]) {
    let parts: Vec<String> = phases.iter().map(|(p, n)| format!("{p} {n}")).collect();
    println!("{what}: {count} of {count} ends identical; struck in {}", parts.join(", "));
}

#[test]
fn runs_that_were_ended_early_end_with_the_same_bytes() {
    let (count, seed) = (from_environment("MTLC_KILLS", 3), from_environment("MTLC_SEED", 1));
    let programs = programs();
    let fewer = (count / 10).max(1);
    report("SIGKILL", count, &campaign(&programs, Signal::Kill, count, 1, seed));
    report("SIGTERM", fewer, &campaign(&programs, Signal::Term, fewer, 1, seed + 1000));
    report("SIGKILL twice in one run", fewer, &campaign(&programs, Signal::Kill, fewer, 2, seed + 2000));
}
