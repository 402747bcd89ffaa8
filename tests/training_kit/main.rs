//! What training is made of, against references written here: losses, metrics, optimisers, schedules and loss weightings.

mod calls;
mod losses;
mod metrics;
mod optimizers;
mod pytorch;
mod schedules;
mod weightings;
