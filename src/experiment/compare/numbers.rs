//! What a comparison says in numbers: means and spreads over seeds, improvements over single-task networks, agreement of topologies,
//! and the verdict against random search.

use serde::{Deserialize, Serialize};

use crate::experiment::NetworkResult;
use crate::ir::partition::adjusted_rand;
use crate::objective::{Better, find_metric};

/// A number over several seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub mean: f64,
    /// Sample standard deviation (n - 1); none of one value.
    pub deviation: Option<f64>,
    pub n: usize,
}

impl Spread {
    /// Of the finite ones.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let square = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        let deviation = (n > 1).then(|| (square / (n - 1) as f64).sqrt());
        (n > 0).then_some(Spread { mean, deviation, n })
    }
}

/// Relative improvement over single-task networks in percent (Vandenhende et al. 2020, Delta_MTL): the mean over tasks of the mean over
/// a task's metrics of (-1)^l (M - M_b) / |M_b|, l = 1 where lower is better. The paper has one metric per task and none that is
/// negative. `None` where a task has no metric that both know and whose base is not 0.
pub fn delta(network: &NetworkResult, base: &NetworkResult) -> Option<f64> {
    let (of, from) = (network.shown().0, base.shown().0);
    let mut sum = 0.0;
    for (task, other) in of.tasks.iter().zip(&from.tasks) {
        let change = |m: &crate::runtime::record::MetricScore| {
            let base = other.metrics.iter().find(|o| o.name == m.name)?.value.filter(|v| *v != 0.0)?;
            let word = m.name.split('(').next().unwrap_or_default();
            let sign = match find_metric(word)?.better {
                Better::Higher => 1.0,
                Better::Lower => -1.0,
            };
            Some(sign * (m.value? - base) / base.abs())
        };
        let changes: Vec<f64> = task.metrics.iter().filter_map(change).collect();
        if changes.is_empty() {
            return None;
        }
        sum += changes.iter().sum::<f64>() / changes.len() as f64;
    }
    Some(100.0 * sum / of.tasks.len().max(1) as f64)
}

/// The grouping of the tasks at each stage: `[stage][task]`, as in `ir::partition::chain`.
pub type Chain = Vec<Vec<Option<usize>>>;

/// By stage, the mean over pairs of seeds of the adjusted Rand index of their groupings; `None` of fewer than two.
pub fn agreement(chains: &[Chain]) -> Option<Vec<f64>> {
    let first = chains.first()?;
    let mut out = Vec::with_capacity(first.len());
    for stage in 0..first.len() {
        let mut all = Vec::new();
        for (i, a) in chains.iter().enumerate() {
            for b in &chains[..i] {
                let both = a[stage].iter().zip(&b[stage]).filter_map(|(a, b)| Some(((*a)?, (*b)?)));
                let (a, b): (Vec<usize>, Vec<usize>) = both.unzip();
                all.push(adjusted_rand(&a, &b));
            }
        }
        out.push(Spread::of(all)?.mean);
    }
    Some(out)
}

/// How a strategy stands to random search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    Better,
    Worse,
    /// The mean difference is no larger than the spread of the differences.
    WithinSpread,
    /// One seed has no spread, and two differ by chance.
    FewSeeds,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// `delta_m` in percentage points, or `loss` where a metric has no number; more is better for the first only.
    pub measure: String,
    /// Of the strategy's value minus random search's, seed by seed.
    pub difference: Spread,
    /// Seeds in which the strategy is better.
    pub better_in: usize,
    pub standing: Standing,
}

/// Of paired seeds for a verdict: the spread of two differences is their distance and tells nothing.
const FEWEST: usize = 3;

/// Compares seed by seed. `sign` is 1 where more is better, else -1. The difference exceeds the spread if its mean is larger than the
/// standard deviation of the differences.
pub fn verdict(measure: &str, pairs: &[(f64, f64)], sign: f64) -> Option<Verdict> {
    let differences: Vec<f64> = pairs.iter().map(|(own, random)| own - random).collect();
    let difference = Spread::of(differences.iter().copied())?;
    let standing = match difference.deviation {
        _ if differences.len() < FEWEST => Standing::FewSeeds,
        None => Standing::FewSeeds,
        Some(d) if sign * difference.mean > d => Standing::Better,
        Some(d) if -sign * difference.mean > d => Standing::Worse,
        Some(_) => Standing::WithinSpread,
    };
    let better_in = differences.iter().filter(|d| sign * **d > 0.0).count();
    Some(Verdict { measure: measure.to_string(), difference, better_in, standing })
}

impl Verdict {
    /// "does not beat random search: ..."
    pub fn words(&self) -> String {
        let d = self.difference;
        let unit = if self.measure == "delta_m" { " points of delta-m" } else { " of the loss" };
        let spread = d.deviation.map_or(String::new(), |s| format!(" ± {s:.3}"));
        let by = format!("{:+.3}{spread}{unit} over {} paired seeds, better in {}", d.mean, d.n, self.better_in);
        match self.standing {
            Standing::Better => format!("beats random search: {by}"),
            Standing::Worse => format!("does not beat random search, and is worse by more than the spread: {by}"),
            Standing::WithinSpread => {
                format!("does not beat random search: the difference does not exceed the spread: {by}")
            }
            Standing::FewSeeds => format!("fewer than {FEWEST} seeds decide nothing: {by}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::record::{MetricScore, SplitScores, TaskScores};

    fn network(values: &[(&str, f64)]) -> NetworkResult {
        let task = |(name, v): &(&str, f64)| TaskScores {
            task: "t".into(),
            loss: 1.0,
            metrics: vec![MetricScore { name: name.to_string(), value: Some(*v), undefined: None }],
        };
        let validation = SplitScores { loss: 1.0, tasks: values.iter().map(task).collect() };
        NetworkResult {
            name: "n".into(),
            params: 1,
            macs: 1,
            shared: Default::default(),
            epochs: 1,
            best_epoch: 1,
            train: None,
            validation,
            test: None,
            latency: None,
            latency_batch: None,
            findings: Vec::new(),
            seconds: 0.0,
        }
    }

    /// A row of the table of Branched Multi-Task Networks: 65.2, 11.7, 2.57 alone; 61.5, 11.8, 2.66 together is -3.33 %. The table's own
    /// metrics are rounded to a tenth and a hundredth, which alone moves their mean by up to 0.2 points.
    #[test]
    fn delta_of_a_published_row() {
        let base = network(&[("accuracy", 65.2), ("mae", 11.7), ("mae", 2.57)]);
        let shared = network(&[("accuracy", 61.5), ("mae", 11.8), ("mae", 2.66)]);
        let found = delta(&shared, &base).expect("a number");
        let by_hand = -(3.7 / 65.2 + 0.1 / 11.7 + 0.09 / 2.57) / 3.0 * 100.0;
        assert!((found - by_hand).abs() < 1e-9, "{found} is not {by_hand}");
        assert!((found + 3.33).abs() < 0.2, "{found}");
        assert_eq!(delta(&base, &base), Some(0.0));
        assert_eq!(delta(&base, &network(&[("accuracy", 0.0), ("mae", 1.0), ("mae", 1.0)])), None);
    }

    #[test]
    fn spreads_and_verdicts() {
        let s = Spread::of([1.0, 2.0, 6.0]).expect("numbers");
        assert_eq!((s.mean, s.n), (3.0, 3));
        assert!((s.deviation.expect("three") - 7f64.sqrt()).abs() < 1e-12);
        assert_eq!(Spread::of([f64::NAN]), None);
        let of = |pairs: &[(f64, f64)], sign| verdict("delta_m", pairs, sign).expect("numbers").standing;
        assert_eq!(of(&[(2.0, 1.0), (2.1, 1.0), (1.9, 1.0)], 1.0), Standing::Better);
        assert_eq!(of(&[(2.0, 1.0), (2.1, 1.0), (1.9, 1.0)], -1.0), Standing::Worse);
        assert_eq!(of(&[(2.0, 1.0), (0.0, 1.0), (1.5, 1.0)], 1.0), Standing::WithinSpread);
        // The topologies that random search found: no difference, no spread, and not better.
        assert_eq!(of(&[(1.0, 1.0), (3.0, 3.0), (1.0, 1.0)], 1.0), Standing::WithinSpread);
        assert_eq!(of(&[(2.0, 1.0)], 1.0), Standing::FewSeeds);
        assert_eq!(of(&[(2.0, 1.0), (2.0, 1.0)][..2], 1.0), Standing::FewSeeds);
    }

    #[test]
    fn agreement_by_stage() {
        let a: Chain = vec![vec![Some(0), Some(0), Some(0)], vec![Some(0), Some(0), Some(1)]];
        let b: Chain = vec![vec![Some(0), Some(0), Some(0)], vec![Some(0), Some(1), Some(1)]];
        let found = agreement(&[a.clone(), b.clone()]).expect("two seeds");
        assert_eq!(found[0], 1.0);
        assert!((found[1] - adjusted_rand(&[0, 0, 1], &[0, 1, 1])).abs() < 1e-12);
        assert_eq!(agreement(&[a]).map(|v| v.len()), None);
    }
}
