//! The language server through its protocol: every feature, and what a client may do to it.

mod client;
mod features;
mod first_file;
mod hostile;
mod positions;
mod replay;
