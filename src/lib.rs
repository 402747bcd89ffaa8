//! `mtlc`: the compiler and tool for `.mtl`.

pub mod diag;
pub mod fmt;
pub mod source;
pub mod syntax;
