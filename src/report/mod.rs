//! What people look at: drawings of specs, spaces and topologies, comparisons,
//! tables of results, and the summary of a check. Everything here
//! reads a [`Checked`](crate::check::Checked) and gives text; nothing decides anything.

pub mod compare;
pub mod diff;
pub mod folds;
pub mod graph;
pub mod picture;
pub mod predictions;
pub mod summary;
pub mod survey;
pub mod table;
