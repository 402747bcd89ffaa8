//! What is learned of the choices of a supernet: a row of numbers for each, usually logits, and the optimiser that moves them.

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::optim::{Gradients, Missing, Optimizer};
use crate::plan::Symbols;
use crate::runtime::RunError;
use crate::runtime::keeper;
use crate::runtime::losses::Watch;
use crate::runtime::model::{Decided, Model};
use crate::runtime::record::{ChoiceState, ChoicesEvent};
use crate::runtime::state::{Position, State};
use crate::schema::Call;

/// Rows of f64, by choice; one has as many numbers as its choice has options, unless a strategy keeps others.
pub struct Choices {
    /// In states.
    names: Vec<String>,
    /// The names of the readers that choose, for messages.
    readers: Vec<String>,
    rows: Vec<Var>,
    optimizer: Optimizer,
}

impl Choices {
    pub fn new(model: &Model, rows: Vec<Var>, optimizer: &Call) -> Result<Choices> {
        let named = model.symbols.choices.iter().enumerate();
        let names: Vec<String> = named.map(|(i, n)| format!("choice {i} {n}")).collect();
        let optimizer = Optimizer::new(optimizer, &pairs(&names, &rows))?;
        Ok(Choices { names, readers: model.symbols.choices.clone(), rows, optimizer })
    }

    /// Logits of 0: every option is as likely.
    pub fn even(model: &Model, optimizer: &Call) -> Result<Choices> {
        let zeros = |n: &usize| Var::zeros(*n, DType::F64, &Device::Cpu);
        Choices::new(model, model.plan.choices.iter().map(zeros).collect::<Result<_>>()?, optimizer)
    }

    pub fn read(&self) -> Result<Vec<Vec<f64>>> {
        self.rows.iter().map(|v| v.to_vec1::<f64>()).collect()
    }

    /// Sets the logits of every choice.
    pub fn set(&self, rows: &[Vec<f64>]) -> Result<()> {
        let one = |(var, row): (&Var, &Vec<f64>)| var.set(&Tensor::from_slice(row, var.dims(), &Device::Cpu)?);
        self.rows.iter().zip(rows).try_for_each(one)
    }

    /// The option with the largest number, by choice.
    pub fn modes(&self) -> Result<Vec<usize>> {
        Ok(self.read()?.iter().map(|r| argmax(r)).collect())
    }

    /// The same, as a model takes it.
    pub fn hard(&self) -> Result<Vec<Decided>> {
        Ok(self.modes()?.into_iter().map(Decided::hard).collect())
    }

    /// Makes a step of the optimiser with the gradients of the rows. The learning rate is multiplied by `factor`. `missing` decides whether
    /// a row without a gradient is unchanged or has a gradient of 0. A gradient or a row that is not finite ends the run with an error.
    pub fn step(
        &mut self,
        gradients: Vec<Option<Vec<f64>>>,
        factor: f64,
        missing: Missing,
        (watch, at): (&Watch, &Position),
    ) -> std::result::Result<(), RunError> {
        for (name, row) in self.readers.iter().zip(&gradients) {
            watch.check_choice("gradient", name, row.as_deref().unwrap_or_default(), at)?;
        }
        self.follow(gradients, factor, missing)?;
        for (name, row) in self.readers.iter().zip(self.read()?) {
            watch.check_choice("logits", name, &row, at)?;
        }
        Ok(())
    }

    fn follow(&mut self, gradients: Vec<Option<Vec<f64>>>, factor: f64, missing: Missing) -> Result<()> {
        let all = pairs(&self.names, &self.rows);
        let mut gradients = gradients.into_iter();
        let gradients = Gradients::from_fn(&all, |_, v| {
            let row = gradients.next().expect("one per choice")?;
            Tensor::from_vec(row, v.dims(), &Device::Cpu).ok()
        });
        let rate = self.optimizer.lr() * factor;
        self.optimizer.step(&all, &gradients, rate, missing)
    }

    /// Forgets what the optimiser knows of earlier steps.
    pub fn begin_anew(&mut self, optimizer: &Call) -> Result<()> {
        self.optimizer = Optimizer::new(optimizer, &pairs(&self.names, &self.rows))?;
        Ok(())
    }

    /// For a state: rows under `choice/`, the optimiser under `chooser/`.
    pub fn save(&self) -> Result<Vec<(String, Tensor)>> {
        let rows = pairs(&self.names, &self.rows).into_iter().map(|(n, v)| (n, v.as_tensor().clone()));
        let mut tensors = keeper::prefixed("choice", rows);
        tensors.extend(self.optimizer.state()?.into_iter().map(|(n, t)| (format!("chooser/{n}"), t)));
        Ok(tensors)
    }

    pub fn load(&mut self, state: &State) -> std::result::Result<(), RunError> {
        keeper::set(&state.part("choice"), &pairs(&self.names, &self.rows))?;
        self.optimizer.load_state(&state.part("chooser"))?;
        Ok(())
    }
}

fn pairs<'a>(names: &'a [String], rows: &'a [Var]) -> Vec<(&'a str, &'a Var)> {
    names.iter().map(String::as_str).zip(rows).collect()
}

/// What is logged of the choices after an epoch.
pub fn choices_event(symbols: &Symbols, rows: &[Vec<f64>], epoch: usize, step: u64, temperature: f64) -> ChoicesEvent {
    let mut choices = Vec::new();
    let mut shares = Vec::new();
    for (c, row) in rows.iter().enumerate() {
        let probabilities = softmax(row);
        let entropy: f64 = probabilities.iter().map(|p| if *p > 0.0 { -p * p.ln() } else { 0.0 }).sum();
        // A single option is no choice and has no entropy.
        shares.push(if row.len() > 1 { entropy / (row.len() as f64).ln() } else { 0.0 });
        choices.push(ChoiceState {
            reader: symbols.choices[c].clone(),
            candidates: symbols.candidates[c].clone(),
            probabilities,
            entropy,
        });
    }
    let entropy = if shares.is_empty() { 0.0 } else { shares.iter().sum::<f64>() / shares.len() as f64 };
    ChoicesEvent { epoch, step, temperature, entropy, choices }
}

pub fn log_softmax(row: &[f64]) -> Vec<f64> {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|v| (v - max).exp()).sum();
    row.iter().map(|v| v - max - sum.ln()).collect()
}

pub fn softmax(row: &[f64]) -> Vec<f64> {
    log_softmax(row).into_iter().map(f64::exp).collect()
}

/// softmax(row / temperature). The largest logit is subtracted before the division, so that any temperature above 0 gives finite
/// results: in the limit 1 for the largest logit, and 0 for the others.
pub fn softmax_at(row: &[f64], temperature: f64) -> Vec<f64> {
    let max = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    softmax(&row.iter().map(|v| (v - max) / temperature).collect::<Vec<_>>())
}

/// Index of the largest; the first of equals.
pub fn argmax(row: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in row.iter().enumerate() {
        if *v > row[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Even at the smallest number above 0, results are finite and the largest logit has probability 1.
    #[test]
    fn no_temperature_above_zero_is_too_low() {
        let row = [0.3, -1.2, 2.5, 2.4999];
        for temperature in [5.0, 1.0, 1e-3, 1e-12, 1e-300, f64::MIN_POSITIVE, 5e-324] {
            let p = softmax_at(&row, temperature);
            assert!(p.iter().all(|p| p.is_finite()), "{temperature}: {p:?}");
            assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{temperature}: {p:?}");
            assert_eq!(argmax(&p), 2, "{temperature}: {p:?}");
        }
        assert_eq!(softmax_at(&row, 1e-12), [0.0, 0.0, 1.0, 0.0]);
        let plain = softmax(&row.map(|v| v / 2.5));
        assert!(softmax_at(&row, 2.5).iter().zip(plain).all(|(a, b)| (a - b).abs() < 1e-15));
    }

    /// Logits of any size give finite results.
    #[test]
    fn no_logits_are_too_far_apart() {
        for row in [[900.0, -900.0, 0.0], [1e300, -1e300, 1.0], [-1e5, -2e5, -3e5]] {
            assert!(softmax(&row).iter().all(|p| p.is_finite()), "{row:?}");
            assert!(log_softmax(&row).iter().all(|p| p.is_finite()), "{row:?}");
        }
    }
}
