//! What a search that trains its result leaves: the derived network with the supernet's weights, and the same fine-tuned.

use super::phases::{Training, network};
use super::run::{Phase, Run, Trained};
use super::{Candidate, Failure, NetworkResult, inherit, measure, network_model, networks, searched_supernet};
use crate::artifact;
use crate::check::Checked;
use crate::ir::derive::Derived;
use crate::random::Randomness;
use crate::runtime::epochs::Stopped;
use crate::runtime::model::Model;
use crate::runtime::record::Listener;
use crate::runtime::{RunError, checkpoint};
use crate::schema::Args;

pub const ONE_SHOT: &str = "one_shot";
pub const FINE_TUNED: &str = "fine_tuned";

/// Both, or what is left of that.
pub(super) fn all(
    run: &mut Run,
    derived: &Derived,
    results: &mut Vec<NetworkResult>,
    listener: &mut dyn Listener,
) -> Result<Option<Stopped>, Failure> {
    pruned(run, derived, results, listener)?;
    fine_tuned(run, derived, results, listener)
}

/// Evaluates the derived network with the weights that the search gave it: nothing is trained.
fn pruned(
    run: &mut Run,
    derived: &Derived,
    results: &mut Vec<NetworkResult>,
    listener: &mut dyn Listener,
) -> Result<(), Failure> {
    let name = ONE_SHOT;
    if let Some(result) = run.done(name).and_then(|d| d.result.clone()) {
        listener.note(&format!("{name}: done before"));
        results.push(result);
        return Ok(());
    }
    let prepared = run.prepared.clone();
    let candidate = Candidate { name: name.into(), topology: derived.topology.clone() };
    let supernet = searched_supernet(&prepared, &run.folder, &run.device)?;
    let (network, model) = network_model(&prepared, &candidate.topology, Randomness::new(run.info.seed), &run.device)?;
    inherit(prepared.checked(), derived, &supernet, &model)?;
    let binding = artifact::binding(&prepared.checked().spec, Some(&candidate.topology));
    run.folder.save(name, &model, &binding)?;
    networks::write(&prepared, &candidate, &run.folder)?;
    let result = measure(&prepared, &network, &model, name, &run.control)?;
    let (trained, marks) = (Trained { epochs: 0, best_epoch: 0, train: None, seconds: 0.0 }, listener.marks()?);
    run.record(Phase { name: name.into(), trained: Some(trained), result: Some(result.clone()), marks })?;
    results.push(result);
    Ok(())
}

/// DMTG's fine-tuning: from the pruned network's weights each group and the heads of its tasks are trained further, and what lies
/// before the groups stays, running statistics too. Groups have no weight in common, so that training all at once takes the
/// steps of training one after the other, as the code does; the epoch that is kept is the best for all together. Schedule,
/// clipping and weighting, which no released file tells: none.
fn fine_tuned(
    run: &mut Run,
    derived: &Derived,
    results: &mut Vec<NetworkResult>,
    listener: &mut dyn Listener,
) -> Result<Option<Stopped>, Failure> {
    let prepared = run.prepared.clone();
    let checked = prepared.checked();
    let Some(args) = tuning(&checked.spec.searches[0].args) else { return Ok(None) };
    let weights = run.folder.checkpoint(ONE_SHOT);
    let start = |model: &mut Model| -> Result<(), RunError> {
        checkpoint::load_model(&weights, model)?;
        model.freeze(|unit| before_groups(checked, unit));
        Ok(())
    };
    let candidate = Candidate { name: FINE_TUNED.into(), topology: derived.topology.clone() };
    network(run, &Training { own: None, candidate: &candidate, args: Some(args), start: &start }, results, listener)
}

/// What `fine_tune` asks for, as attributes of a training.
fn tuning(search: &Args) -> Option<Args> {
    let value = |name: &str| search.iter().find(|(n, _)| *n == name).map(|(_, v)| v.clone());
    let mut args = crate::hir::build::defaults(crate::hir::schema::train_attrs());
    args.set("epochs", value("fine_tune")?, true);
    args.set("batch", value("batch")?, true);
    args.set("drop_last", value("drop_last")?, true);
    args.set("optimizer", value("tuner").or_else(|| value("weights"))?, true);
    Some(args)
}

/// Whether a unit of the derived network lies before the groups.
fn before_groups(checked: &Checked, unit: &str) -> bool {
    let choices = checked.supernet.as_ref().map(|n| n.choices.as_slice()).unwrap_or_default();
    let stages = checked.spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let (stage, head) = (unit.rsplit_once('.').map_or(unit, |(stage, _)| stage), unit.starts_with("heads."));
    let place = stages.iter().position(|s| s.name == stage);
    !head && choices.first().is_some_and(|group| place.is_none_or(|p| p < group.of.0))
}
