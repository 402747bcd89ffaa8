//! The statistics for the standardisation of a label ([`Units`]), from the training labels that count.

use crate::objective::Units;

/// The mean and standard deviation of the training labels of one task, for each component: depth and a single number have one
/// component, `regression(n)` has n. Missing labels, masked rows and ignored pixels are not included.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelFacts {
    pub task: String,
    pub mean: Vec<f64>,
    /// The population standard deviation; 0 for a component that is constant or has no label.
    pub std: Vec<f64>,
}

/// A standard deviation below this fraction of the largest label is a rounding error and counts as 0.
const NO_SPREAD: f64 = 1e-12;

impl LabelFacts {
    /// Computes the statistics from the labels of each component, in row order.
    pub fn measure(task: &str, components: &[Moments]) -> LabelFacts {
        let (mean, std) = components.iter().map(Moments::facts).unzip();
        LabelFacts { task: task.into(), mean, std }
    }

    pub fn units(&self) -> Units {
        Units::new(&self.mean, &self.std)
    }
}

/// Online mean and sum of squared deviations of a list of numbers (Welford 1962).
#[derive(Debug, Clone, Copy, Default)]
pub struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
    largest: f64,
}

impl Moments {
    pub fn add(&mut self, v: f64) {
        self.count += 1.0;
        let from = v - self.mean;
        self.mean += from / self.count;
        self.squares += from * (v - self.mean);
        self.largest = self.largest.max(v.abs());
    }

    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The standard deviation of the population; 0 if there are no numbers.
    pub fn std(&self) -> f64 {
        (self.squares / self.count.max(1.0)).sqrt()
    }

    /// The mean and the standard deviation, rounded so that they do not differ between machines: the deviation to nine significant digits,
    /// the mean to the digits that matter relative to the deviation.
    fn facts(&self) -> (f64, f64) {
        if self.count == 0.0 {
            return (0.0, 0.0);
        }
        let std = self.std();
        if std <= NO_SPREAD * self.largest {
            return (format!("{:.14e}", self.mean).parse::<f64>().expect("a printed number") + 0.0, 0.0);
        }
        let std = nine_digits(std);
        (digits_beside(self.mean, std), std)
    }
}

/// Rounds a number to nine significant digits; adding zero turns -0 into 0.
pub(super) fn nine_digits(v: f64) -> f64 {
    format!("{v:.8e}").parse::<f64>().expect("a printed number") + 0.0
}

/// Rounds the mean of values with this deviation: to nine significant digits, or, if these are too coarse relative to the deviation, to a
/// billionth of the deviation.
pub(super) fn mean_beside(mean: f64, std: f64) -> f64 {
    // Beyond this ratio, nine digits would shift encoded values by more than some millionths.
    const FAR: f64 = 1000.0;
    if mean.abs() > FAR * std { digits_beside(mean, std) } else { nine_digits(mean) }
}

/// Rounds a number to a billionth of `unit`.
fn digits_beside(v: f64, unit: f64) -> f64 {
    let places = (8.0 - unit.log10().floor()).clamp(0.0, 300.0) as usize;
    format!("{v:.places$}").parse::<f64>().expect("a printed number") + 0.0
}
