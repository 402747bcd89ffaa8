//! What is learned of the choices of a supernet: a row of numbers for each, usually logits, and the optimiser that moves them.

use candle_core::{DType, Device, Result, Tensor, Var};

use crate::optim::{Gradients, Missing, Optimizer};
use crate::plan::Symbols;
use crate::runtime::RunError;
use crate::runtime::keeper;
use crate::runtime::model::{Decided, Model};
use crate::runtime::record::{ChoiceState, ChoicesEvent};
use crate::runtime::state::State;
use crate::schema::Call;

/// Rows of f64, by choice; one has as many numbers as its choice has options, unless a strategy keeps others.
pub struct Choices {
    /// In states.
    names: Vec<String>,
    rows: Vec<Var>,
    optimizer: Optimizer,
}

impl Choices {
    pub fn new(model: &Model, rows: Vec<Var>, optimizer: &Call) -> Result<Choices> {
        let named = model.symbols.choices.iter().enumerate();
        let names: Vec<String> = named.map(|(i, n)| format!("choice {i} {n}")).collect();
        let optimizer = Optimizer::new(optimizer, &pairs(&names, &rows))?;
        Ok(Choices { names, rows, optimizer })
    }

    /// Logits of 0: every option is as likely.
    pub fn even(model: &Model, optimizer: &Call) -> Result<Choices> {
        let zeros = |n: &usize| Var::zeros(*n, DType::F64, &Device::Cpu);
        Choices::new(model, model.plan.choices.iter().map(zeros).collect::<Result<_>>()?, optimizer)
    }

    pub fn read(&self) -> Result<Vec<Vec<f64>>> {
        self.rows.iter().map(|v| v.to_vec1::<f64>()).collect()
    }

    /// Puts these numbers in place, by choice.
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

    /// A step of the optimiser, its rate times `factor`, along the gradients of the rows; one that is absent rests, or counts as 0.
    pub fn step(&mut self, gradients: Vec<Option<Vec<f64>>>, factor: f64, missing: Missing) -> Result<()> {
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
        shares.push(entropy / (row.len() as f64).ln());
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
