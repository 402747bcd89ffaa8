//! The door between a strategy and the rest: what its procedure works on, what it works with, and what it comes to.
//!
//! A strategy that runs is one function, [`Procedure`]. It trains as many networks as it likes, each in a phase with a name of its
//! own, so that a run that is stopped goes on in the phase where it stood; and it ends with one decision per choice of the space.
//! Derivation, retraining, records, verification and messages follow from the decisions and are the same for all.

use candle_core::{Device, Tensor};

use std::path::PathBuf;

use crate::check::Checked;
use crate::hir::{Search, Topology};
use crate::ir::Network;
use crate::ir::derive::{decided, derive};
use crate::plan::lower;
use crate::random::Randomness;
use crate::runtime::control::Control;
use crate::runtime::epochs::Stopped;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::Feed;
use crate::runtime::fit::{Job, fit};
use crate::runtime::keeper::Keeper;
use crate::runtime::memory::Training;
use crate::runtime::model::Model;
use crate::runtime::record::{Listener, SplitLosses, SplitScores};
use crate::runtime::{RunError, checkpoint};
use crate::schema::Args;
use crate::search::certainty::Certainty;

/// What is searched, and on what.
pub struct Ground<'a> {
    pub checked: &'a Checked,
    /// The supernet of the space, with its choices.
    pub network: &'a Network,
    pub search: &'a Search,
    pub feed: &'a Feed,
    pub random: Randomness,
    pub device: &'a Device,
}

fn defaults() -> Args {
    crate::hir::build::defaults(crate::hir::schema::train_attrs())
}

impl Ground<'_> {
    /// The topology that these decisions, one per choice, come to.
    pub fn topology(&self, decisions: &[usize]) -> Topology {
        let space = self.checked.spec.space.as_ref().expect("a search has a space");
        derive(&self.checked.spec, space, self.network, &decided(self.network, decisions)).topology
    }

    /// The attributes of `train`; its defaults where there is none.
    pub fn train_args(&self) -> Args {
        self.checked.spec.train.as_ref().map_or_else(defaults, |t| t.args.clone())
    }

    /// The attributes of the search's `single { ... }`, the same as `train`'s.
    pub fn single_args(&self) -> Args {
        self.search.single.clone().unwrap_or_else(defaults)
    }
}

/// The place of a run where a strategy works: phases that are kept, and files.
pub trait Bench {
    /// What looks after a phase, with the state that it goes on from.
    fn keeper(&self, phase: &str, listener: &mut dyn Listener) -> Keeper<'_>;
    fn control(&self) -> &Control;
    /// What is recorded of a phase that is done.
    fn done(&self, phase: &str) -> Option<Trained>;
    /// Records that a phase is done; all that it leaves is on disk by then.
    fn record(&mut self, phase: &str, trained: Trained, listener: &mut dyn Listener) -> Result<(), RunError>;
    /// Where the weights of a phase's network are kept.
    fn weights(&self, phase: &str) -> PathBuf;
    /// Saves the weights of a phase's network.
    fn save(&self, phase: &str, tensors: &[(String, Tensor)]) -> Result<(), RunError>;
    /// Leaves a file with the run.
    fn write(&self, name: &str, text: &str) -> Result<(), RunError>;
    /// A file that was left with the run.
    fn read(&self, name: &str) -> Result<String, RunError>;
}

/// What is known of a training that is done.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trained {
    pub epochs: usize,
    pub best_epoch: usize,
    /// Training losses of the epoch whose weights were kept.
    #[serde(default)]
    pub train: Option<SplitLosses>,
    pub seconds: f64,
}

/// How something long ended.
pub enum Ended<T> {
    Done(T),
    /// With its state saved, and what it had found by then: the clock leaves time to look, a signal does not.
    Stopped(Stopped, Option<T>),
}

/// What a search comes to.
#[derive(Default)]
pub struct Outcome {
    /// The chosen option of every choice of the space, in order: a candidate, or the number of a route (`ir::routes`).
    pub decisions: Vec<usize>,
    /// A row per choice, where the strategy has logits.
    pub logits: Vec<Vec<f64>>,
    /// How much its probabilities have changed, if it has any; one entry per search.
    pub certainties: Vec<Certainty>,
    /// What the search knows of its result before anything is retrained; what that is, each strategy says.
    pub validation: Option<SplitScores>,
    /// Trained in all phases together.
    pub epochs: usize,
    pub steps: u64,
    /// The supernet with its weights, where one was trained.
    pub supernet: Option<Model>,
}

/// A strategy's procedure: from the beginning, or from where the bench says that it stood.
pub type Procedure = fn(&Ground, &mut dyn Bench, &mut dyn Listener) -> Result<Ended<Outcome>, RunError>;

/// A fixed network that was trained as a phase of a search.
pub struct Part {
    pub network: Network,
    /// With the selected epoch's weights.
    pub model: Model,
    pub trained: Trained,
    /// Of the selected weights.
    pub validation: SplitScores,
}

/// Trains a network without choices as a phase of a search; one that was trained before is loaded. The attributes are `train`'s.
pub fn train_part(
    ground: &Ground,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
    phase: &str,
    network: Network,
    args: &Args,
) -> Result<Ended<Part>, RunError> {
    let (plan, symbols) = lower(ground.checked, &network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let mut model = Model::new(plan, symbols, ground.random, ground.device)?;
    let path = bench.weights(phase);
    let trained = match bench.done(phase) {
        Some(trained) => {
            listener.note(&format!("{phase}: trained before"));
            checkpoint::load_model(&path, &model)?;
            trained
        }
        None => {
            let job = Job { spec: &ground.checked.spec, feed: ground.feed, args, random: ground.random };
            let training = Training::of(args, ground.feed, ground.device.is_cpu()).within(&ground.checked.spec);
            model.keep_within(&training, listener);
            let start = std::time::Instant::now();
            let mut keeper = bench.keeper(phase, listener);
            let fitted = fit(&model, &job, &mut keeper, listener)?;
            drop(keeper);
            let seconds = start.elapsed().as_secs_f64();
            if let Some(at) = fitted.stopped {
                return Ok(Ended::Stopped(at, None));
            }
            let named: Vec<(String, Tensor)> =
                model.named().into_iter().map(|(n, v)| (n.to_string(), v.as_tensor().clone())).collect();
            bench.save(phase, &named)?;
            let trained = Trained { epochs: fitted.epochs, best_epoch: fitted.epoch, train: fitted.train, seconds };
            bench.record(phase, trained.clone(), listener)?;
            trained
        }
    };
    let (spec, feed) = (&ground.checked.spec, ground.feed);
    let validation = evaluate(&model, spec, feed, &feed.dataset.validation, &[], bench.control())?;
    Ok(Ended::Done(Part { network, model, trained, validation }))
}
