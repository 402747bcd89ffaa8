//! `mtlc`: the compiler and tool for `.mtl`.

pub mod check;
pub mod data;
pub mod diag;
pub mod driver;
pub mod fmt;
pub mod hir;
pub mod ir;
pub mod objective;
pub mod ops;
pub mod optim;
pub mod plan;
pub mod random;
pub mod report;
pub mod schema;
pub mod search;
pub mod source;
pub mod std;
pub mod syntax;
