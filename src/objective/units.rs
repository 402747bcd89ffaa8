//! The units in which the labels of a task are learned. Labels of regression and depth are standardised: the network learns
//! `(label - mean) / std`, with the mean and the standard deviation of the training labels, separately for each component. Losses are in
//! these units; metrics, predictions and everything that people read are in the label's own units.

/// A linear map for each component. A component with a standard deviation of 0 is shifted but not scaled.
#[derive(Debug, Clone, PartialEq)]
pub struct Units {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Units {
    /// The units with the given means and standard deviations of the components.
    pub fn new(mean: &[f64], std: &[f64]) -> Units {
        let std = std.iter().map(|s| if *s > 0.0 { *s } else { 1.0 }).collect();
        Units { mean: mean.to_vec(), std }
    }

    /// Units without scaling: each component is its distance from `mean`.
    pub fn about(mean: &[f64]) -> Units {
        Units::new(mean, &vec![1.0; mean.len()])
    }

    /// Converts a label to the units that the network learns. `at` is the index of the number in its sample.
    pub fn learned(&self, at: usize, label: f64) -> f64 {
        let c = at % self.mean.len();
        (label - self.mean[c]) / self.std[c]
    }

    /// Converts a number of the network back to the label's own units.
    pub fn original(&self, at: usize, learned: f64) -> f64 {
        let c = at % self.mean.len();
        self.mean[c] + self.std[c] * learned
    }

    /// Like [`Units::original`], for display: the shortest decimal number that is converted to `learned` in 32 bits.
    pub fn shown(&self, at: usize, learned: f32) -> f64 {
        let label = self.original(at, f64::from(learned));
        let rounded = |places: usize| format!("{label:.places$}").parse::<f64>().expect("a printed number") + 0.0;
        (0..=17).map(rounded).find(|v| self.learned(at, *v) as f32 == learned).unwrap_or(label)
    }

    /// The size of one learned unit in the label's own units, for each component.
    pub fn scale(&self) -> &[f64] {
        &self.std
    }
}
