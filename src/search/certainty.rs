//! How far a search that learns probabilities has got: compares the final probabilities with the initial ones.

use serde::{Deserialize, Serialize};

/// The certainty of one search. Probabilities are by choice and option. Those of a choice add up to 1, or are independent probabilities
/// of each candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Certainty {
    pub strategy: String,
    /// The number of choices with more than one option.
    pub choices: usize,
    /// The number of these choices that are undecided: all probabilities are within [`NEAR`] of their initial values, or the entropy is
    /// above [`EVEN`] of its largest possible value.
    pub open: usize,
    /// The mean entropy of the choices, as a fraction of the largest possible entropy: at the start (`start`) and at the end (`entropy`).
    pub start: f64,
    pub entropy: f64,
    /// The mean rewards in the first and in the last quarter of the steps of the choices, for strategies with rewards.
    pub rewards: Option<[f64; 2]>,
    /// Tasks that the topology separates although they choose the same copy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remerged: Vec<Remerged>,
}

/// Tasks that choose the same copy of a stage although they chose different copies of an earlier stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Remerged {
    pub stage: String,
    pub tasks: Vec<String>,
}

/// A probability that has changed by less than this counts as unchanged.
pub const NEAR: f64 = 0.05;

/// A choice with a larger fraction of the largest possible entropy is undecided, whatever its initial probabilities. Of two options, the
/// likelier one then has a probability below 0.63.
pub const EVEN: f64 = 0.95;

impl Certainty {
    /// `start` and `end` contain a row of probabilities per choice.
    pub fn new(strategy: &str, start: &[Vec<f64>], end: &[Vec<f64>], rewards: Option<[f64; 2]>) -> Certainty {
        let pairs = || start.iter().zip(end).filter(|(_, e)| e.len() > 1);
        let near = |(s, e): &(&Vec<f64>, &Vec<f64>)| s.iter().zip(*e).all(|(s, e)| (s - e).abs() < NEAR);
        let undecided = |pair: &(&Vec<f64>, &Vec<f64>)| near(pair) || share(pair.1) > EVEN;
        let (choices, open) = (pairs().count(), pairs().filter(undecided).count());
        type Rows<'a> = (&'a Vec<f64>, &'a Vec<f64>);
        let mean = |of: &dyn Fn(&Rows) -> f64| match choices {
            0 => 0.0,
            n => pairs().map(|p| of(&p)).sum::<f64>() / n as f64,
        };
        Certainty {
            strategy: strategy.to_string(),
            choices,
            open,
            start: mean(&|(s, _)| share(s)),
            entropy: mean(&|(_, e)| share(e)),
            rewards,
            remerged: Vec::new(),
        }
    }
}

/// The entropy of one choice as a fraction of its largest possible entropy.
fn share(p: &[f64]) -> f64 {
    let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
    let one_of = (p.iter().sum::<f64>() - 1.0).abs() < 1e-6;
    match one_of {
        true => p.iter().map(|p| part(*p)).sum::<f64>() / (p.len() as f64).ln(),
        false => p.iter().map(|p| part(*p) + part(1.0 - p)).sum::<f64>() / (p.len() as f64 * std::f64::consts::LN_2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_moved_is_decided() {
        let even = vec![vec![0.5, 0.5], vec![0.25; 4], vec![1.0]];
        let c = Certainty::new("s", &even, &[vec![0.52, 0.48], vec![0.9, 0.05, 0.03, 0.02], vec![1.0]], None);
        assert_eq!((c.choices, c.open), (2, 1), "what has one option is no choice");
        assert_eq!(c.start, 1.0);
        assert!(c.entropy < 0.7);
        // Moved, and nearly even: 0.62 to 0.38 has 0.958 of the largest entropy, 0.65 to 0.35 has 0.934.
        let c = Certainty::new("s", &vec![vec![0.5, 0.5]; 2], &[vec![0.62, 0.38], vec![0.65, 0.35]], None);
        assert_eq!(c.open, 1);
        // Independent candidates: at 0.9 and 0.1 the entropy is the same, but the decisions are opposite.
        let c = Certainty::new("s", &[vec![0.9, 0.9]], &[vec![0.1, 0.1]], None);
        assert_eq!(c.open, 0);
        assert!((c.start - c.entropy).abs() < 1e-12);
        assert_eq!(Certainty::new("s", &[], &[], None).entropy, 0.0);
    }
}
