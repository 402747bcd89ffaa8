//! How the training split is dealt out: by the attributes of what trains, and in a search by what it holds back for its choices.

use crate::data::Batches;
use crate::random::Randomness;
use crate::schema::Args;

/// The batches of a training whose attributes are these: a search by `strategy`, or `train`.
pub fn batches(strategy: Option<&str>, args: &Args, rows: usize, random: Randomness) -> Batches {
    match strategy {
        Some("expected_cost") => Batches::of(args, rows, random).hold(args.float("split")),
        Some("reinforce") => Batches::of(args, rows - rewarded(args, rows), random),
        _ => Batches::of(args, rows, random),
    }
}

/// Rows of the training split that `reinforce` measures rewards on, and weights never see: a share is at least a row, and leaves one.
pub fn rewarded(args: &Args, rows: usize) -> usize {
    let split = args.float("split");
    let least = usize::from(split > 0.0);
    ((rows as f64 * split).round() as usize).max(least).min(rows.saturating_sub(1))
}
