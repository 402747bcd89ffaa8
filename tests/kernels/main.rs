//! Every kernel of the CPU against plain loops in f64 that share no code with it, at every level of vector instructions that the
//! machine has: values and all gradients, over random shapes with sizes on both sides of every threshold in the kernels.
//!
//! `KERNELS=10000 cargo test --release --test kernels -- --nocapture` draws as many shapes of each kernel; without it there are 300.
//! `SEED=17` draws that one alone. A draw that fails is printed with its seed and its shape.

#[path = "../support/dice.rs"]
mod dice;

mod campaign;
mod convolutions;
mod draws;
mod elementwise;
mod expected;
mod losses;
mod norms;
mod pools;
mod products;
mod tables;
