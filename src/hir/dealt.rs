//! How the training split is divided into batches. This depends on the attributes of the training; a search may hold out rows for its
//! choices.

use crate::data::Batches;
use crate::random::Randomness;
use crate::schema::Args;

/// The batches of a training with these attributes: a search by `strategy`, or `train` if `strategy` is `None`.
pub fn batches(strategy: Option<&str>, args: &Args, rows: usize, random: Randomness) -> Batches {
    match strategy {
        Some("expected_cost") => Batches::of(args, rows, random).hold(args.float("split")),
        Some("reinforce") => Batches::of(args, rows - rewarded(args, rows), random),
        _ => Batches::of(args, rows, random),
    }
}

/// The number of training rows that `reinforce` holds out for rewards, so that weights are not trained on them. If `split` is above 0,
/// this is at least one row; one row always remains for training.
pub fn rewarded(args: &Args, rows: usize) -> usize {
    let split = args.float("split");
    let least = usize::from(split > 0.0);
    ((rows as f64 * split).round() as usize).max(least).min(rows.saturating_sub(1))
}
