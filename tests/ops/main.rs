//! Ops: types against real tensors, gradients against finite differences, values against hand computation.

mod cases;
mod gradients;
mod run;
mod siblings;
mod types;
mod values;
