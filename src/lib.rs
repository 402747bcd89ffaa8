//! `mtlc`: the compiler and tool for `.mtl`.

pub mod data;
pub mod diag;
pub mod fmt;
pub mod objective;
pub mod ops;
pub mod optim;
pub mod random;
pub mod schema;
pub mod source;
pub mod syntax;
