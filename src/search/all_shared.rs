//! Hard parameter sharing: one copy of everything for all tasks. A rule, nothing is trained to find it.

use super::bench::{Bench, Ended, Ground, Outcome};
use super::{Offer, StrategyDef, fits_always};
use crate::runtime::RunError;
use crate::runtime::record::Listener;
use crate::schema::CallDef;

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef { name: "all_shared", doc: "One copy of everything for all tasks.", args: &[] },
    paper: "hard parameter sharing (Caruana 1997)",
    decides: &[Offer::Tree, Offer::Routes, Offer::HeadPerCopy],
    requires: &[],
    most_levels: None,
    whole: false,
    budget: false,
    single: false,
    one_shot: false,
    check: fits_always,
    procedure: search,
};

/// Everything reads the first copy.
fn search(ground: &Ground, _: &mut dyn Bench, _: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    Ok(Ended::Done(Outcome { decisions: vec![0; ground.network.choices.len()], ..Outcome::default() }))
}
