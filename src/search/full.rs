//! Every route taken: MMoE where heads mix all experts (Ma et al. 2018). A rule, nothing is trained to find it.

use super::bench::{Bench, Ended, Ground, Outcome};
use super::{Offer, StrategyDef, fits_always};
use crate::ir::Choice;
use crate::runtime::RunError;
use crate::runtime::record::Listener;
use crate::schema::CallDef;

pub static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "full",
        doc: "Every route taken, by the first query where there are several: MMoE where heads mix all experts.",
        args: &[],
    },
    paper: "Ma et al. 2018, MMoE",
    decides: &[Offer::Routes],
    requires: &[Offer::Routes],
    most_levels: None,
    whole: false,
    budget: false,
    single: false,
    one_shot: false,
    check: fits_always,
    procedure: search,
};

fn search(ground: &Ground, _: &mut dyn Bench, _: &mut dyn Listener) -> Result<Ended<Outcome>, RunError> {
    let decisions = ground.network.choices.iter().map(Choice::everything).collect();
    Ok(Ended::Done(Outcome { decisions, ..Outcome::default() }))
}
