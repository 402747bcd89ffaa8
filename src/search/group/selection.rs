//! Selects the epoch of the search that is the result.

use candle_core::{Device, Result, Tensor};

use crate::runtime::RunError;
use crate::runtime::best::Kept;
use crate::runtime::model::Model;
use crate::runtime::record::{SplitLosses, SplitScores};
use crate::runtime::state::{Best, Header, State};
use crate::search::choices::Choices;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Last,
    /// The epoch of the lowest validation loss.
    Best,
    /// The last epoch whose validation and training loss were both below those of the previously selected epoch.
    Both,
}

/// The selected epoch so far, with its logits.
pub(super) struct Selection {
    rule: Rule,
    kept: Kept,
    logits: Vec<Vec<f64>>,
}

impl Selection {
    pub fn new(rule: &str) -> Selection {
        let rule = match rule {
            "best" => Rule::Best,
            "both" => Rule::Both,
            _ => Rule::Last,
        };
        Selection { rule, kept: Kept::default(), logits: Vec::new() }
    }

    /// Takes the scores of an evaluated epoch, and selects the epoch if it is better.
    pub fn epoch(
        &mut self,
        epoch: usize,
        train: SplitLosses,
        scores: &SplitScores,
        model: &Model,
        logits: Vec<Vec<f64>>,
    ) -> Result<()> {
        let learns = self.kept.best.as_ref().is_none_or(|b| train.loss < b.train.loss);
        let better = match self.rule {
            Rule::Last => false,
            Rule::Best => self.kept.is_beaten_by(scores),
            Rule::Both => self.kept.is_beaten_by(scores) && learns,
        };
        if better {
            self.kept.keep(epoch, train, scores, Some(model))?;
            self.logits = logits;
        }
        Ok(())
    }

    /// Restores the weights and logits of the selected epoch. Does nothing if the last epoch is the result, or if no epoch was evaluated.
    pub fn restore(&self, model: &Model, choices: &Choices) -> Result<Option<Best>> {
        if self.kept.best.is_some() {
            self.kept.restore(model)?;
            choices.set(&self.logits)?;
        }
        Ok(self.kept.best.clone())
    }

    pub fn save(&self, model: &Model, header: &mut Header) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = self.kept.save(model, header);
        if self.rule != Rule::Last {
            for (i, row) in self.logits.iter().enumerate() {
                tensors.push((format!("selection/logits {i}"), Tensor::from_slice(row, row.len(), &Device::Cpu)?));
            }
        }
        Ok(tensors)
    }

    pub fn load(&mut self, model: &Model, state: &State) -> std::result::Result<(), RunError> {
        if self.rule == Rule::Last {
            return Ok(());
        }
        self.kept.load(model, state, true)?;
        let saved: std::collections::HashMap<String, Tensor> = state.part("selection").into_iter().collect();
        let read = |name: &str| -> std::result::Result<Option<Vec<f64>>, RunError> {
            Ok(saved.get(name).map(|t| t.to_vec1::<f64>()).transpose()?)
        };
        self.logits.clear();
        while let Some(row) = read(&format!("logits {}", self.logits.len()))? {
            self.logits.push(row);
        }
        Ok(())
    }
}
