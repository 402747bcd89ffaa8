//! New rows for trained networks, and a look at data before training: by the binary, on small data and on the examples'.

#[path = "../support/mod.rs"]
mod expectations;
#[allow(dead_code)]
#[path = "../run/support.rs"]
mod support;

mod arrays;
mod checked;
mod look;
mod messages;
mod odd_tables;
mod pictures;
mod same;
mod tables;
