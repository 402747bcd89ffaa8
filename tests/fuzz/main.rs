//! Seeded fuzzing, in this process: mutated specs through parse, check and fmt, mutated files through every reader. No panic, no
//! hang, no gigabytes, no wrong success.
//!
//! ```text
//! cargo test --test fuzz                                          a few seconds
//! MTLC_FUZZ=2_000_000 cargo test --release --test fuzz -- --nocapture   that many specs, a tenth as many files per reader
//! ```
//! `MTLC_FUZZ_SEED` makes other inputs. An input that breaks a law is made small and written to the temporary folder; the report
//! says how to run it again. Once mended it moves to `corpus/`, which is read first, always.

mod dice;
mod judge;
mod meter;
mod mutate;
mod readers;
mod runner;
mod seeds;
mod specs;
#[path = "../data/support.rs"]
mod support;

#[test]
fn specs() {
    runner::fuzz(&mut specs::Specs::new());
}

#[test]
fn derived() {
    runner::fuzz(&mut readers::derived::Derived::new());
}

#[test]
fn checkpoints() {
    runner::fuzz(&mut readers::checkpoints::Checkpoints::new());
}

#[test]
fn states() {
    runner::fuzz(&mut readers::states::States::new());
}

#[test]
fn tables() {
    runner::fuzz(&mut readers::tables::Tables::new());
}

#[test]
fn schemas() {
    runner::fuzz(&mut readers::schemas::Schemas::new());
}

#[test]
fn arrays() {
    runner::fuzz(&mut readers::arrays::Arrays::new());
}

#[test]
fn records() {
    runner::fuzz(&mut readers::records::Records::new());
}
