//! The best epoch of a training so far: its number, its scores, and its weights.

use candle_core::Tensor;

use super::RunError;
use super::keeper;
use super::model::Model;
use super::record::{SplitLosses, SplitScores};
use super::state::{Best, Header, State};

#[derive(Default)]
pub struct Kept {
    pub best: Option<Best>,
    /// Its weights, if the training restores them at the end.
    values: Option<Vec<Tensor>>,
}

impl Kept {
    /// Whether these scores are better than those of the best epoch so far.
    pub fn is_beaten_by(&self, scores: &SplitScores) -> bool {
        self.best.as_ref().is_none_or(|b| scores.loss < b.validation.loss)
    }

    /// Stores this epoch as the best one; with `weights`, also stores the current weights of the model.
    pub fn keep(
        &mut self,
        epoch: usize,
        train: SplitLosses,
        scores: &SplitScores,
        weights: Option<&Model>,
    ) -> candle_core::Result<()> {
        self.best = Some(Best { epoch, train, validation: scores.clone() });
        self.values = weights.map(Model::snapshot).transpose()?;
        Ok(())
    }

    /// Restores the stored weights in the model. Without stored weights, the model is unchanged.
    pub fn restore(&self, model: &Model) -> candle_core::Result<()> {
        self.values.as_ref().map_or(Ok(()), |values| model.restore(values))
    }

    /// Saves the epoch in a state: `best` in the header, and the weights under `best/`.
    pub fn save(&self, model: &Model, header: &mut Header) -> Vec<(String, Tensor)> {
        header.best = self.best.clone();
        let names = model.named().into_iter().map(|(n, _)| n);
        self.values.iter().flat_map(|v| keeper::prefixed("best", names.clone().zip(v.iter().cloned()))).collect()
    }

    /// Loads the epoch from a state. `weights`: whether the state contains weights.
    pub fn load(&mut self, model: &Model, state: &State, weights: bool) -> Result<(), RunError> {
        self.best = state.header.best.clone();
        if self.best.is_some() && weights {
            let saved: std::collections::HashMap<String, Tensor> = state.part("best").into_iter().collect();
            let values = model.named().into_iter().map(|(n, v)| match saved.get(n) {
                Some(t) => Ok(t.to_device(v.device())?),
                None => Err(RunError::Checkpoint(format!("the saved state has no best value of `{n}`"))),
            });
            self.values = Some(values.collect::<Result<_, _>>()?);
        }
        Ok(())
    }
}
