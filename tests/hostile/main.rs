//! Hostile input: files that are cut, wrong, huge, endless or not files at all, and a machine that refuses. Every case has its message
//! and exit code in `messages/`, and leaves what was there as it was.
//!
//! A message says what, where, why and the way out; `UPDATE=1` rewrites the files: read them as the person it happens to.

#![cfg(unix)]

mod arithmetic;
mod data;
mod disk;
mod folders;
mod paths;
mod place;
mod screen;
#[path = "../support/sources.rs"]
mod sources;
mod specs;
#[path = "../data/support.rs"]
mod support;
mod weights;
