//! What training is made of, against references written here: losses, metrics, optimisers and schedules.

mod calls;
mod losses;
mod metrics;
mod optimizers;
mod pytorch;
mod schedules;
