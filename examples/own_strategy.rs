//! A strategy of your own, in one file and one line: this program is `mtlc` with the strategy `keep_better` beside the others.
//!
//! ```text
//! cargo run --release --example own_strategy -- run my.mtl        # search keep_better { epochs = 20 }
//! ```
//!
//! A strategy is a definition and a procedure. The definition is a table entry: name and attributes (typed, with defaults and
//! sentences: `check`, completion, hover and `mtlc explain` read them), what it can decide, what it must find. The procedure gets
//! the ground (the checked spec, the space as a network with choices, the data) and a bench to work at, and ends with a decision for
//! every choice. Derivation, the topology as text, retraining, baselines, records, resuming and messages are the same for all.
//!
//! To give it to everybody, move the file to `src/search/` and write `&keep_better::DEF` into the table in `src/search/mod.rs`.
//!
//! `keep_better` trains two networks, all shared and as separate as the space allows, and keeps the one that validates better.

use std::process::ExitCode;

use mtlc::ir::{fixed, partition};
use mtlc::runtime::RunError;
use mtlc::runtime::record::Listener;
use mtlc::schema::{AttrDef, COUNT, CallDef, Need};
use mtlc::search::bench::{Bench, Ended, Ground, Outcome, train_part};
use mtlc::search::{self, Offer, StrategyDef, fits_always};
use mtlc::source::Spanned;

static DEF: StrategyDef = StrategyDef {
    call: CallDef {
        name: "keep_better",
        doc: "Trains the all-shared and the most separate tree of the space and keeps the better on validation.",
        args: &[AttrDef { name: "epochs", ty: COUNT, need: Need::Default("10"), doc: "Epochs of each of the two." }],
    },
    paper: "an example",
    decides: &[Offer::Tree],
    requires: &[Offer::Tree],
    most_levels: None,
    budget: false,
    single: false,
    one_shot: false,
    whole: false,
    check: fits_always,
    procedure: keep_better,
};

fn keep_better(
    ground: &Ground,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
) -> Result<Ended<Outcome>, RunError> {
    let (spec, network) = (&ground.checked.spec, ground.network);
    let copies = mtlc::check::cost::copies(network);
    let stages = ground.checked.stages.len();
    let tasks = 0..spec.tasks.len();
    // Which copy each task takes, by stage.
    let shared = vec![vec![0; tasks.len()]; stages];
    let apart: Vec<Vec<usize>> =
        (0..stages).map(|s| tasks.clone().map(|t| t.min(copies.get(&s).map_or(0, |c| c - 1))).collect()).collect();
    let no_tree = || RunError::NotYet("a level of this space has fewer copies than the one before".into());

    // The attributes of `train`, but for the epochs.
    let mut args = ground.train_args();
    let value = ground.search.args.get("epochs").expect("it has a default").clone();
    args.set("epochs", Spanned { value, span: ground.search.span }, false);
    let mut best: Option<Outcome> = None;
    let mut epochs = 0;
    for (phase, chain) in [("shared", &shared), ("apart", &apart)] {
        let decisions = partition::decisions(network, chain).ok_or_else(no_tree)?;
        let topology = ground.topology(&decisions);
        let fixed = fixed(spec, &topology, &mut Default::default()).ok_or_else(no_tree)?;
        // A phase has a name: a run that is stopped goes on in it.
        let part = match train_part(ground, bench, listener, phase, fixed, &args)? {
            Ended::Done(part) => part,
            Ended::Stopped(at, _) => return Ok(Ended::Stopped(at, None)),
        };
        epochs += part.trained.epochs;
        let loss = |o: &Outcome| o.validation.as_ref().map_or(f64::INFINITY, |v| v.loss);
        if best.as_ref().is_none_or(|b| part.validation.loss < loss(b)) {
            best = Some(Outcome { decisions, validation: Some(part.validation), ..Outcome::default() });
        }
    }
    Ok(Ended::Done(Outcome { epochs, ..best.expect("there were two") }))
}

fn main() -> ExitCode {
    // The one line.
    search::add(&DEF);
    mtlc::cli::main()
}
