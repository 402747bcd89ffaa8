//! One file per command.

pub mod check;
pub mod compare;
pub mod data;
pub mod derive;
pub mod diff;
pub mod doctor;
pub mod evaluate;
pub mod explain;
pub mod fmt;
pub mod folds;
pub mod graph;
pub mod lsp;
pub mod network;
pub mod new;
pub mod predict;
pub mod profile;
pub mod run;
pub mod search;
pub mod session;
pub mod train;
pub mod verify;
