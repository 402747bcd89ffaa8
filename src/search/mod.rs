//! Strategies. A strategy is a parametrisation, an estimator and a procedure; each has a file of its own with a
//! `pub static DEF: StrategyDef` (what it is called, its attributes, what it can decide) and its procedure.
//! Adding one: a file here and a line in [`TABLE`]. Checking reads the definitions only; what a procedure works with is [`bench`], and
//! several searches of one program run by [`composed`].

pub mod affinity;
mod all_shared;
pub mod bench;
pub mod certainty;
pub mod choices;
pub mod composed;
mod dselect_k;
mod expected_cost;
mod full;
pub mod group;
mod independent;
pub mod learn_to_branch;
pub mod outside;
mod pairwise;
mod random;
pub mod reinforce;
mod relaxed;
mod snr;
pub mod supernet;

use std::sync::{Mutex, OnceLock};

use crate::diag::Diagnostic;
use crate::hir::{Search, Spec};
use crate::ir::Network;
use crate::schema::{Args, AttrDef, CallDef, Ty};

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
    /// Decides a whole space or nothing: what it works on is no single level.
    pub whole: bool,
    /// Can keep a budget.
    pub budget: bool,
    /// Takes `single { ... }`.
    pub single: bool,
    /// What it trains is the result already: the derived network with the supernet's weights is evaluated beside the retrained one.
    pub one_shot: bool,
    /// What the rest of the definition cannot say: mistakes between legal attributes, and spaces that it cannot decide.
    pub check: fn(&Spec, &Network, &Search) -> Vec<Diagnostic>,
    /// What runs.
    pub procedure: bench::Procedure,
}

impl StrategyDef {
    /// How it stands to a space that offers this, all of it the strategy's own.
    pub fn on(&self, offer: Offer) -> Standing {
        match self.decides.contains(&offer) {
            true => Standing::Runs,
            false => Standing::Refused(match offer {
                Offer::Tree => "finds no parents",
                Offer::Routes => "finds no subsets",
                Offer::HeadPerCopy => "weighs no heads",
            }),
        }
    }

    /// The attribute that names an external table of results, if it is given: then nothing is trained for them. A strategy with `single`
    /// has no other path among its attributes.
    pub fn table(&self, args: &Args) -> Option<&'static str> {
        let is_given = |a: &&AttrDef| matches!(a.ty, Ty::Path) && args.is_given(a.name);
        self.call.args.iter().find(is_given).map(|a| a.name)
    }

    /// How it stands to a part of a space, other levels being other strategies'.
    pub fn on_a_part(&self) -> Standing {
        if self.whole { Standing::Refused("decides whole networks") } else { Standing::Runs }
    }
}

/// How a strategy stands to a kind of space: what does not run is refused when the program is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Runs,
    Refused(&'static str),
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
    &reinforce::DEF,
    &expected_cost::DEF,
    &pairwise::DEF,
    &snr::DEF,
    &dselect_k::DEF,
    &random::DEF,
    &all_shared::DEF,
    &independent::DEF,
    &full::DEF,
];

/// Strategies of programs that bring their own.
static ADDED: Mutex<Vec<&'static StrategyDef>> = Mutex::new(Vec::new());
static ALL: OnceLock<Vec<&'static StrategyDef>> = OnceLock::new();

/// Adds a strategy to the table, from a program of your own (`examples/own_strategy.rs`); before anything reads the table.
///
/// # Panics
///
/// Where the name is taken, or the table was read already: mistakes of that program, at its first line.
pub fn add(def: &'static StrategyDef) {
    assert!(ALL.get().is_none(), "strategies are added before any is looked up");
    let mut added = ADDED.lock().expect("no panic while it is held");
    let taken = TABLE.iter().chain(added.iter()).any(|s| s.call.name == def.call.name);
    assert!(!taken, "there is a strategy called `{}` already", def.call.name);
    added.push(def);
}

pub fn strategies() -> &'static [&'static StrategyDef] {
    ALL.get_or_init(|| {
        let added = ADDED.lock().expect("no panic while it is held");
        TABLE.iter().chain(added.iter()).copied().collect()
    })
}

pub fn strategy(name: &str) -> Option<&'static StrategyDef> {
    strategies().iter().copied().find(|s| s.call.name == name)
}
