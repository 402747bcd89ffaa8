//! Strategies. A strategy is a parametrisation, an estimator and a procedure; each has a file of its own with a
//! `pub static DEF: StrategyDef` (what it is called, its attributes, what it can decide) and, where it runs already, its procedure.
//! Adding one: a file here and a line in [`TABLE`]. Checking reads the definitions only; what a procedure works with is [`bench`].

mod affinity;
mod all_shared;
pub mod bench;
mod defs;
mod expected_cost;
mod group;
mod independent;
pub mod learn_to_branch;
mod pairwise;
mod random;

use crate::diag::Diagnostic;
use crate::hir::{Search, Spec};
use crate::ir::Network;
use crate::schema::CallDef;

/// What a level or the heads leave to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Offer {
    /// Readers choose one parent: a tree level.
    Tree,
    /// Readers choose a subset, and perhaps a query: routes.
    Routes,
    /// Tasks choose among heads on every copy.
    HeadPerCopy,
}

impl Offer {
    pub fn describe(self) -> &'static str {
        match self {
            Offer::Tree => "a level that reads `one`",
            Offer::Routes => "a level that reads `some`",
            Offer::HeadPerCopy => "heads `per = copy`",
        }
    }
}

/// An entry of the strategy table: one row of "what fits what".
pub struct StrategyDef {
    pub call: CallDef,
    /// Published name and source, for messages and the reference.
    pub paper: &'static str,
    /// What it can decide.
    pub decides: &'static [Offer],
    /// Must be offered somewhere in its part of the space; empty: any of `decides`, or nothing at all for fixed rules.
    pub requires: &'static [Offer],
    /// Most levels with something to choose that it can decide at once.
    pub most_levels: Option<usize>,
    /// Can keep a budget.
    pub budget: bool,
    /// Takes `single { ... }`.
    pub single: bool,
    /// What it trains is the result already: the derived network with the supernet's weights is evaluated beside the retrained one.
    pub one_shot: bool,
    /// What the rest of the definition cannot say: mistakes between legal attributes, and spaces that it cannot decide.
    pub check: fn(&Spec, &Network, &Search) -> Vec<Diagnostic>,
    /// What runs. Strategies without check, draw and count, and are refused by name at `run`.
    pub procedure: Option<bench::Procedure>,
}

impl StrategyDef {
    pub fn runs(&self) -> bool {
        self.procedure.is_some()
    }
}

/// Nothing to say beside the definition.
pub fn fits_always(_: &Spec, _: &Network, _: &Search) -> Vec<Diagnostic> {
    Vec::new()
}

impl std::fmt::Debug for StrategyDef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.call.name)
    }
}

static TABLE: &[&StrategyDef] = &[
    &learn_to_branch::DEF,
    &affinity::DEF,
    &group::DEF,
    &defs::REINFORCE,
    &expected_cost::DEF,
    &pairwise::DEF,
    &defs::SNR,
    &defs::DSELECT_K,
    &random::DEF,
    &all_shared::DEF,
    &independent::DEF,
    &defs::FULL,
];

pub fn strategies() -> &'static [&'static StrategyDef] {
    TABLE
}

pub fn strategy(name: &str) -> Option<&'static StrategyDef> {
    TABLE.iter().copied().find(|s| s.call.name == name)
}
