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

    /// The label for a number that is held in 32 bits, as people read it: the shortest decimal number that is learned as this one.
    pub fn shown(&self, at: usize, learned: f32) -> f64 {
        let label = self.original(at, f64::from(learned));
        let rounded = |places: usize| format!("{label:.places$}").parse::<f64>().expect("a printed number") + 0.0;
        (0..=17).map(rounded).find(|v| self.learned(at, *v) as f32 == learned).unwrap_or(label)
    }

    /// How large one learned unit is in the label's units, for each component.
    pub fn scale(&self) -> &[f64] {
        &self.std
    }
}
