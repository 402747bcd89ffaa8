//! Mistakes planted at random into the programs that the repository ships, and what the compiler says of them.
//!
//! One draw is a kind of mistake and a place, both by a seed: every kind is equally likely, and within a kind every place of every
//! program where the mistake can be made is equally likely. Nobody chooses places. A plant that leaves a program of the same
//! meaning (its digest) is no mistake and is drawn again.
//!
//! - **found**: there is an error or a warning that the program did not have before, and a label or an edit of it touches a line of
//!   the mistake, or its text names what was planted.
//! - **line**: the *first* error or warning that the program did not have before has its primary label on a line of the mistake.
//!   These are the lines of the changed text. Where text was taken away: the line it stood on and, where that line is gone, its
//!   neighbours. Where two places disagree (a bracket and where it should close, a definition and a use, a thing and its copy, a
//!   part and the item that lacks it), each of them.
//! - **fix right**, by what can be known of the intention:
//!   - *certain*: the original can be told from the text (slips of the keyboard, other languages' spelling). Right is when applying
//!     the fixes on offer, again and again as `check --fix` does but the bold ones too, ends in a program that checks and has the digest of the
//!     original. `safe` counts those where the fixes that `check --fix` applies are enough.
//!   - *named*: it cannot be told (a value that was deleted). Right is when the first report, in its label, help or fix, names
//!     a concrete thing to write.
//!
//! And a safe fix must never turn a mistake into another program that checks without a word: `spoilt` counts those, and must stay 0.
//!
//! `PLANTED=N` in the environment draws N per pool, `PLANTED_SEED=S` with another seed, `PLANTED_SHOW=1` shows what went wrong.

mod foreign;
mod judge;
mod pairs;
mod parts;
mod program;
mod signs;
mod texts;
mod values;
mod words;

use std::collections::BTreeMap;

use mtlc::random::Randomness;
use program::{Expect, Plant, Program};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// A kind of mistake: its name, and all places of a program where it can be made (details by the generator).
pub struct Kind {
    pub name: &'static str,
    pub places: fn(&Program, &mut ChaCha8Rng) -> Vec<Plant>,
}

fn kinds() -> Vec<&'static Kind> {
    [foreign::KINDS, signs::KINDS, texts::KINDS, words::KINDS, values::KINDS, parts::KINDS]
        .into_iter()
        .flatten()
        .collect()
}

#[derive(Default, Clone)]
struct Row {
    planted: usize,
    found: usize,
    line: usize,
    certain: [usize; 3],
    named: [usize; 2],
    spoilt: usize,
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.planted += other.planted;
        self.found += other.found;
        self.line += other.line;
        (0..3).for_each(|i| self.certain[i] += other.certain[i]);
        (0..2).for_each(|i| self.named[i] += other.named[i]);
        self.spoilt += other.spoilt;
    }

    fn print(&self, name: &str) {
        let of = |right: usize, all: usize| if all == 0 { "-".into() } else { format!("{right}/{all}") };
        println!(
            "{name:28} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>7}",
            self.planted,
            of(self.found, self.planted),
            of(self.line, self.planted),
            of(self.certain[1], self.certain[0]),
            of(self.certain[2], self.certain[0]),
            of(self.named[1], self.named[0]),
            self.spoilt
        );
    }
}

fn number(variable: &str, absent: u64) -> u64 {
    std::env::var(variable).ok().and_then(|v| v.parse().ok()).unwrap_or(absent)
}

/// Draws, plants, judges; prints the table and gives the sum.
fn round(pool: &str, programs: &[Program], draws: u64) -> Row {
    let random = Randomness::new(number("PLANTED_SEED", 1));
    let show = number("PLANTED_SHOW", 0) > 0;
    let kinds = kinds();
    let mut rows: BTreeMap<usize, Row> = BTreeMap::new();
    for draw in 0..draws {
        for attempt in 0.. {
            assert!(attempt < 1000, "no kind of mistake can be planted");
            let mut rng = random.stream(pool, [draw, attempt, 0]);
            let kind = rng.random_range(0..kinds.len());
            let places: Vec<(usize, Plant)> = programs
                .iter()
                .enumerate()
                .flat_map(|(i, p)| (kinds[kind].places)(p, &mut rng).into_iter().map(move |plant| (i, plant)))
                .collect();
            if places.is_empty() {
                continue;
            }
            let (program, plant) = &places[rng.random_range(0..places.len())];
            let Some(verdict) = judge::judge(&programs[*program], plant) else { continue };
            let row = rows.entry(kind).or_default();
            row.planted += 1;
            row.found += usize::from(verdict.found);
            row.line += usize::from(verdict.line);
            match plant.expect {
                Expect::Original => {
                    row.certain[0] += 1;
                    row.certain[1] += usize::from(verdict.right);
                    row.certain[2] += usize::from(verdict.safe);
                }
                Expect::Named(_) => {
                    row.named[0] += 1;
                    row.named[1] += usize::from(verdict.right);
                }
            }
            row.spoilt += usize::from(verdict.spoilt);
            if show && (!verdict.found || !verdict.line || !verdict.right || verdict.spoilt) {
                println!("---- {pool} {draw}: {}\n{}", kinds[kind].name, verdict.story);
            }
            break;
        }
    }
    println!("\n{pool}: {} programs, {draws} mistakes of {} kinds", programs.len(), kinds.len());
    println!(
        "{:28} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>7}",
        "kind", "planted", "found", "line", "certain", "safe", "named", "spoilt"
    );
    let mut sum = Row::default();
    for (kind, row) in &rows {
        row.print(kinds[*kind].name);
        sum.add(row);
    }
    sum.print("all");
    let right = sum.certain[1] + sum.named[1];
    let percent = |n: usize| 100.0 * n as f64 / sum.planted as f64;
    println!(
        "found {:.1} %, line {:.1} %, fix right {:.1} % ({right} of {}: {} certain, {} named)",
        percent(sum.found),
        percent(sum.line),
        percent(right),
        sum.planted,
        sum.certain[0],
        sum.named[0]
    );
    sum
}

fn hold(pool: &str, programs: &[Program], draws: u64) {
    let sum = round(pool, programs, number("PLANTED", draws));
    let share = |n: usize| n as f64 / sum.planted as f64;
    assert_eq!(sum.found, sum.planted, "every planted mistake is found");
    assert!(share(sum.line) >= 0.97, "on the right line: {:.3}", share(sum.line));
    assert!(share(sum.certain[1] + sum.named[1]) >= 0.90, "fix right");
    assert_eq!(sum.spoilt, 0, "a safe fix made another program");
}

#[test]
fn mistakes_in_the_examples_are_found() {
    hold("examples", &program::load(&["examples", "src/cli/templates"]), 500);
}

/// Other programs, with routes, topologies, schemas and budgets, which the examples lack.
#[test]
fn mistakes_in_the_golden_programs_are_found() {
    hold("golden", &program::load(&["tests/golden/programs"]), 200);
}

#[test]
fn a_mistake_hides_no_other() {
    let mut programs = program::load(&["examples", "src/cli/templates"]);
    programs.extend(program::load(&["tests/golden/programs"]));
    let (hidden, new) = pairs::hidden_and_new(&programs, number("PLANTED", 300));
    assert!(hidden <= 0.02, "something is hidden in {hidden:.3} of the pairs");
    assert!(new <= 0.02, "something is added in {new:.3} of the pairs");
}
