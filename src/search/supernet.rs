//! What strategies that train one supernet in one phase have in common: the model, the loop, and what it comes to.

use super::bench::{Bench, Ended, Ground, Outcome};
use super::certainty::Certainty;
use super::choices::softmax;
use crate::data::Batches;
use crate::hir::{Query, Read, Spec};
use crate::ir::{Choice, routes};
use crate::plan::lower;
use crate::runtime::RunError;
use crate::runtime::control::Why;
use crate::runtime::epochs::{self, Course, Procedure};
use crate::runtime::evaluate::evaluate;
use crate::runtime::memory::Training;
use crate::runtime::model::{Decided, Model};
use crate::runtime::record::Listener;
use crate::runtime::state::Best;

/// A procedure that ends with decisions.
pub trait Chooser: Procedure {
    /// Restores the weights and choices of the selected epoch and returns that epoch; `None` if the last epoch is the result.
    fn select(&mut self) -> Result<Option<Best>, RunError> {
        Ok(None)
    }
    /// What is kept of the choices: a row for each.
    fn logits(&self) -> Result<Vec<Vec<f64>>, RunError>;
    /// An option for each choice.
    fn decisions(&self) -> Result<Vec<usize>, RunError>;
    /// The probabilities of each choice: of its options, or of each candidate independently.
    fn probabilities(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(self.logits()?.iter().map(|row| softmax(row)).collect())
    }
    /// The mean rewards in the first and in the last quarter of the steps of the choices, for strategies with rewards.
    fn rewards(&self) -> Option<[f64; 2]> {
        None
    }
}

/// What a procedure is made from: what is searched, the supernet's model, and the phase.
pub type Make<'g> = dyn for<'m> Fn(&'m Ground<'m>, &'m Model, &str) -> Result<Box<dyn Chooser + 'm>, RunError> + 'g;

/// Trains a supernet in one phase, `search`; weight steps go over the rows in `only`, or all. The validation scores are the
/// supernet's under the decisions, in the selected epoch.
pub fn train(
    ground: &Ground,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
    only: Option<Vec<u32>>,
    make: &Make,
) -> Result<Ended<Outcome>, RunError> {
    let &Ground { checked, network, search, feed, random, device } = ground;
    let (plan, symbols) = lower(checked, network).map_err(|e| RunError::NotYet(e.to_string()))?;
    let mut model = Model::new(plan, symbols, random, device)?;
    if let Some(training) = Training::search(search, &checked.spec, feed) {
        model.keep_within(&training, listener);
    }
    let mut keeper = bench.keeper("search", listener);
    let mut chooser = make(ground, &model, &keeper.phase)?;
    // Read the initial probabilities before a saved state is loaded.
    let start = chooser.probabilities()?;
    let batches = match &only {
        Some(rows) => Batches::of(&search.args, rows.len(), random),
        None => feed.training(&search.args, random),
    };
    let (epochs, evaluated) = (search.args.size("epochs"), feed.dataset.validation.rows);
    let course = Course { feed, device: &model.device, batches, only, epochs, evaluated };
    let ended = epochs::train(&course, &mut *chooser, &mut keeper, listener)?;
    if let Some(at) = ended.stopped.as_ref().filter(|at| at.why == Why::Signal) {
        return Ok(Ended::Stopped(at.clone(), None));
    }
    let selected = chooser.select()?;
    let (logits, decisions) = (chooser.logits()?, chooser.decisions()?);
    let name = search.strategy.call.name;
    let certainties = vec![Certainty::new(name, &start, &chooser.probabilities()?, chooser.rewards())];
    drop(chooser);
    if let Some(best) = &selected {
        listener.note(&format!("search: epoch {} of {} is kept", best.epoch, ended.epochs));
    }
    let validation = match (&ended.stopped, selected.map(|best| best.validation), ended.validation) {
        (_, Some(scores), _) | (None, None, Some(scores)) => Some(scores),
        _ => {
            let hard: Vec<Decided> = decisions.iter().map(|d| Decided::hard(*d)).collect();
            Some(evaluate(&model, &checked.spec, feed, &feed.dataset.validation, &hard, keeper.control)?)
        }
    };
    let (epochs, steps) = (ended.epochs, ended.steps);
    let outcome = Outcome { decisions, logits, certainties, validation, epochs, steps, supernet: Some(model) };
    Ok(match ended.stopped {
        Some(at) => Ended::Stopped(at, Some(outcome)),
        None => Ended::Done(outcome),
    })
}

/// An option in words: `low.a + low.c by embed`; `copies` are the candidates' names.
pub fn option_name(spec: &Spec, choice: &Choice, copies: &[String], number: usize) -> String {
    let crate::ir::ChoiceKind::Some { queries } = &choice.kind else { return copies[number].clone() };
    let (members, query) = routes::route(number, choice.queries());
    let names: Vec<&str> = members.iter().map(|m| copies[*m].as_str()).collect();
    let stages = spec.backbone.as_ref().map(|b| b.stages.as_slice()).unwrap_or_default();
    let by = match queries.get(query).filter(|_| queries.len() > 1 && members.len() > 1) {
        None => String::new(),
        Some(Query::Previous) => " by previous".into(),
        Some(Query::Read(Read::Stage(s))) => format!(" by {}", stages[s.0].name),
        Some(Query::Read(Read::Input(i))) => format!(" by {}", spec.inputs[i.0].name),
    };
    format!("{}{by}", names.join(" + "))
}
