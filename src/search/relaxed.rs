//! What strategies that relax the subset of every reader have in common: numbers per reader that become a mask over its candidates
//! (`Decided::relaxed`), learned jointly with the weights on the training loss.

use std::rc::Rc;

use candle_core::{Device, Tensor, Var};

use super::bench::{Bench, Ended, Ground, Outcome};
use super::choices::Choices;
use super::supernet::{Chooser, train};
use crate::diag::{Diagnostic, codes};
use crate::hir::{Search, Spec};
use crate::ir::{Network, routes};
use crate::optim::{Missing, Optimizer, Schedule};
use crate::random::Randomness;
use crate::runtime::RunError;
use crate::runtime::control::Control;
use crate::runtime::epochs::Procedure;
use crate::runtime::evaluate::evaluate;
use crate::runtime::feed::Fed;
use crate::runtime::fit::losses;
use crate::runtime::keeper;
use crate::runtime::losses::{Stepped, Watch};
use crate::runtime::model::{Decided, Mode, Model};
use crate::runtime::record::{ChoiceState, ChoicesEvent, Listener, SplitScores};
use crate::runtime::state::{Header, Position, State};
use crate::runtime::weigher::Weigher;

/// A parametrisation of subsets by a row of numbers per reader.
pub trait Masks {
    /// How many numbers a reader of so many candidates has, and where they start; `choice` counts draws.
    fn start(&self, candidates: usize, random: Randomness, choice: usize) -> Vec<f64>;
    /// The mask of a training step, `[candidates]` in [0, 1] and somewhere above 0; `draw` are the counters of its noise.
    fn mask(&self, row: &[f64], candidates: usize, random: Randomness, draw: [u64; 3]) -> Vec<f64>;
    /// d loss / d row, where `pull` is d loss / d mask of the same draw.
    fn gradient(
        &self,
        row: &[f64],
        candidates: usize,
        random: Randomness,
        draw: [u64; 3],
        pull: Option<&[f64]>,
    ) -> Vec<f64>;
    /// What is added to the loss for one reader.
    fn penalty(&self, row: &[f64], candidates: usize) -> f64;
    /// The subset that is derived, in order and not empty; and how much each candidate is taken, in [0, 1].
    fn subset(&self, row: &[f64], candidates: usize) -> (Vec<usize>, Vec<f64>);
}

/// Refuses readers whose query is to be found: a mask says nothing of it.
pub fn check(spec: &Spec, network: &Network, search: &Search) -> Vec<Diagnostic> {
    let Some(space) = &spec.space else { return Vec::new() };
    let mine = network.choices.iter().filter(|c| search.covers(c.reader.stage()));
    let Some(choice) = mine.into_iter().find(|c| c.queries() > 1) else { return Vec::new() };
    let reads = match choice.reader.stage() {
        Some(s) => &space.levels[s.0].reads,
        None => &space.heads.reads,
    };
    let name = search.strategy.call.name;
    let at = search.on_span.unwrap_or(search.span);
    let found = Diagnostic::new(
        codes::SEARCH_MISFIT,
        at,
        format!("`{name}` finds subsets, and here a query is to be found too"),
    );
    let found = match reads.mix() {
        Some(mix) => found.also(mix.span, format!("one of {} queries", choice.queries())),
        None => found,
    };
    vec![found.help("name one query, or search with `reinforce`")]
}

/// The procedure of a parametrisation: one phase, `search`.
pub fn search(
    ground: &Ground,
    bench: &mut dyn Bench,
    listener: &mut dyn Listener,
    masks: Rc<dyn Masks>,
) -> Result<Ended<Outcome>, RunError> {
    train(ground, bench, listener, None, &|ground, model, phase| {
        Ok(Box::new(Relaxing::new(ground, model, phase, masks.clone())?))
    })
}

struct Relaxing<'a> {
    ground: &'a Ground<'a>,
    model: &'a Model,
    masks: Rc<dyn Masks>,
    per_epoch: usize,
    epochs: usize,
    warmup: u64,
    schedule: Schedule,
    clip: Option<f64>,
    optimizer: Optimizer,
    weights: Vec<(&'a str, &'a Var)>,
    choices: Choices,
    weigher: Weigher,
    watch: Watch,
}

impl<'a> Relaxing<'a> {
    fn new(
        ground: &'a Ground<'a>,
        model: &'a Model,
        phase: &str,
        masks: Rc<dyn Masks>,
    ) -> Result<Relaxing<'a>, RunError> {
        let args = &ground.search.args;
        let per_epoch = ground.feed.training(args, ground.random).per_epoch();
        let weights = model.trained();
        let mut rows = Vec::new();
        for (i, c) in ground.network.choices.iter().enumerate() {
            let start = masks.start(c.candidates, ground.random, i);
            rows.push(Var::from_vec(start.clone(), start.len(), &Device::Cpu)?);
        }
        Ok(Relaxing {
            ground,
            model,
            masks,
            per_epoch,
            epochs: args.size("epochs"),
            warmup: args.duration("warmup").steps(per_epoch).round() as u64,
            schedule: args.opt_call("schedule").map_or_else(|| Schedule::constant(1.0), Schedule::new),
            clip: args.opt_float("clip"),
            optimizer: Optimizer::new(args.call("weights"), &weights)?,
            choices: Choices::new(model, rows, args.call("choices"))?,
            weigher: Weigher::new(args, args.call("weights"), &ground.checked.spec, model, ground.random)?,
            weights,
            watch: Watch::new(phase, model, &ground.checked.spec),
        })
    }

    fn candidates(&self, choice: usize) -> usize {
        self.ground.network.choices[choice].candidates
    }
}

impl Procedure for Relaxing<'_> {
    fn watch(&mut self) -> &mut Watch {
        &mut self.watch
    }

    fn step(&mut self, fed: &Fed, at: &mut Position) -> Result<Stepped, RunError> {
        let random = self.ground.random;
        let rows = self.choices.read()?;
        let draw = |c: usize| [at.step, c as u64, 0];
        let mut decided = Vec::new();
        for (c, row) in rows.iter().enumerate() {
            let mask = self.masks.mask(row, self.candidates(c), random, draw(c));
            // What would be 0 in single precision does not run.
            decided.push(Decided::relaxed(mask.into_iter().map(|v| v as f32).collect()));
        }
        let mode = Mode { train: true, idle: false, random, step: at.step };
        let tape = self.model.record(&fed.inputs, &decided, mode)?;
        let (total, each) = losses(&self.ground.checked.spec, self.ground.feed, self.model, fed, &tape.outputs, |_| 0)?;
        let stepped = self.watch.check(&total, &each, at)?;
        let factor = self.schedule.value(at.step, self.per_epoch, self.epochs);
        let parts = (self.ground.feed, self.model, fed);
        let learned = self.weigher.weigh(tape, (&total, &each), parts, at, factor, None)?.learned;
        let penalty: f64 = rows.iter().enumerate().map(|(c, r)| self.masks.penalty(r, self.candidates(c))).sum();
        if at.step > self.warmup {
            let row = |(c, row): (usize, &Vec<f64>)| {
                self.masks.gradient(row, self.candidates(c), random, draw(c), learned.choices[c].as_deref())
            };
            let gradients = rows.iter().enumerate().map(row).map(Some).collect();
            self.choices.step(gradients, factor, Missing::Zero, (&self.watch, &*at))?;
        }
        let mut grads = learned.weights;
        if let Some(c) = self.clip {
            grads.clip(c)?;
        }
        at.learning_rate = self.optimizer.lr() * factor;
        self.optimizer.step(&self.weights, &grads, at.learning_rate, Missing::Skip)?;
        if self.weigher.looks_again() {
            let outputs = self.model.look(&fed.inputs, &decided, mode)?;
            let again = losses(&self.ground.checked.spec, self.ground.feed, self.model, fed, &outputs, |_| 0)?.1;
            self.weigher.after(&again)?;
        }
        Ok(stepped.plus(penalty))
    }

    fn evaluate(&mut self, control: &Control) -> Result<SplitScores, RunError> {
        let hard: Vec<Decided> = self.decisions()?.into_iter().map(Decided::hard).collect();
        let feed = self.ground.feed;
        evaluate(self.model, &self.ground.checked.spec, feed, &feed.dataset.validation, &hard, control)
    }

    fn epoch(&mut self, at: &Position, _: &SplitScores, listener: &mut dyn Listener) -> Result<bool, RunError> {
        let mut choices = Vec::new();
        let mut shares = 0.0;
        for (c, row) in self.choices.read()?.iter().enumerate() {
            // Each candidate for itself: these add up to no particular number.
            let (_, taken) = self.masks.subset(row, self.candidates(c));
            let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
            let entropy: f64 = taken.iter().map(|p| part(*p) + part(1.0 - *p)).sum();
            shares += entropy / (taken.len() as f64 * std::f64::consts::LN_2);
            choices.push(ChoiceState {
                reader: self.model.symbols.choices[c].clone(),
                candidates: self.model.symbols.candidates[c].clone(),
                probabilities: taken,
                entropy,
            });
        }
        let entropy = shares / choices.len().max(1) as f64;
        listener.choices(&ChoicesEvent { epoch: at.epoch, step: at.step, temperature: 1.0, entropy, choices });
        Ok(true)
    }

    fn save(&self, _: &mut Header) -> Result<Vec<(String, Tensor)>, RunError> {
        let mut tensors = keeper::tensors(self.model, &self.optimizer)?;
        tensors.extend(self.choices.save()?);
        tensors.extend(self.weigher.save()?);
        Ok(tensors)
    }

    fn load(&mut self, state: &State) -> Result<(), RunError> {
        keeper::restore(state, self.model, &mut self.optimizer)?;
        self.choices.load(state)?;
        self.weigher.load(state)?;
        Ok(())
    }
}

impl Chooser for Relaxing<'_> {
    fn probabilities(&self) -> Result<Vec<Vec<f64>>, RunError> {
        let rows = self.choices.read()?;
        Ok(rows.iter().enumerate().map(|(c, row)| self.masks.subset(row, self.candidates(c)).1).collect())
    }

    fn logits(&self) -> Result<Vec<Vec<f64>>, RunError> {
        Ok(self.choices.read()?)
    }

    fn decisions(&self) -> Result<Vec<usize>, RunError> {
        let subset = |(c, row): (usize, &Vec<f64>)| routes::number(&self.masks.subset(row, self.candidates(c)).0, 0, 1);
        Ok(self.choices.read()?.iter().enumerate().map(subset).collect())
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// The gradient of a parametrisation against central differences of `sum_i pull_i mask_i + penalty`.
    pub fn gradient_is_right(masks: &dyn Masks, candidates: usize, row: &[f64], pull: &[f64]) {
        let random = Randomness::new(4);
        for n in 0..20 {
            let draw = [n, 0, 0];
            let value = |row: &[f64]| {
                let mask = masks.mask(row, candidates, random, draw);
                assert!(mask.iter().all(|m| (0.0..=1.0).contains(m)) && mask.iter().any(|m| *m > 0.0), "{mask:?}");
                mask.iter().zip(pull).map(|(m, p)| m * p).sum::<f64>() + masks.penalty(row, candidates)
            };
            let gradient = masks.gradient(row, candidates, random, draw, Some(pull));
            assert_eq!(gradient.len(), row.len());
            for i in 0..row.len() {
                let moved = |by: f64| {
                    let mut row = row.to_vec();
                    row[i] += by;
                    value(&row)
                };
                let expected = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!(
                    (gradient[i] - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                    "{i}: {} {expected}",
                    gradient[i]
                );
            }
        }
    }
}
