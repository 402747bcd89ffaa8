//! The units in which a task's labels are learned. A label of a regression or of depth is standardised: the network learns
//! `(label - mean) / std`, with the mean and the standard deviation of the training labels, for each component by itself. Losses are
//! in these units; metrics, predictions and all that people read are in the label's own.

/// A linear map for each component. A component without spread is shifted and not scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Units {
    /// By the means and deviations of the components.
    pub fn new(mean: &[f64], std: &[f64]) -> Units {
        let std = std.iter().map(|s| if *s > 0.0 { *s } else { 1.0 }).collect();
        Units { mean: mean.to_vec(), std }
    }

    /// Distances from a number for each component.
    pub fn about(mean: &[f64]) -> Units {
        Units::new(mean, &vec![1.0; mean.len()])
    }

    /// What the network learns for a label. `at` is the place of the number in its sample.
    pub fn learned(&self, at: usize, label: f64) -> f64 {
        let c = at % self.mean.len();
        (label - self.mean[c]) / self.std[c]
    }

    /// The label for a number that the network learned or gave.
    pub fn original(&self, at: usize, learned: f64) -> f64 {
        let c = at % self.mean.len();
        self.mean[c] + self.std[c] * learned
    }

    /// How large one learned unit is in the label's units, for each component.
    pub fn scale(&self) -> &[f64] {
        &self.std
    }
}
