//! Findings that the numbers of a result do not show: a search that has decided nothing, or a network that is no better than a constant.
//! They are reported together with the result, on the terminal and in `summary.json`.

use serde::{Deserialize, Serialize};

use super::NetworkResult;
use crate::check::{Checked, cost};
use crate::data::LabelData;
use crate::diag::suggest;
use crate::ir::Network;
use crate::ir::derive::Derived;
use crate::objective::{self, Better};
use crate::plan::Plan;
use crate::runtime::RunError;
use crate::runtime::constant::Constants;
use crate::runtime::feed::Feed;
use crate::runtime::record::TaskScores;
use crate::search::certainty::Certainty;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The probabilities of the choices hardly changed.
    Undecided,
    /// Everything is shared, though the space offers more.
    Collapsed,
    /// The reward of `reinforce` did not rise.
    FlatReward,
    /// Tasks choose the same copy of a stage, but the topology, a tree, separates them.
    Remerged,
    /// The metric or the loss of a task is no better than that of a constant prediction.
    NoBetterThanConstant,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub kind: Kind,
    /// The network of the finding. Absent for the search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The name of the measure (`auc`, `entropy`), followed by its value and the value that it is compared with.
    pub measure: String,
    pub value: f64,
    pub against: f64,
    /// One sentence for people.
    pub text: String,
    pub help: String,
}

/// A search has decided nothing if at least this fraction of its choices is undecided.
const MOST: f64 = 0.5;

/// Strategies that follow a fixed rule and do not learn.
const RULES: [&str; 4] = ["all_shared", "independent", "full", "random"];

/// The findings about a search.
pub fn of_search(checked: &Checked, network: &Network, derived: &Derived, certainties: &[Certainty]) -> Vec<Finding> {
    let mut out = Vec::new();
    for c in certainties {
        let strategy = &c.strategy;
        if c.choices > 0 && c.open as f64 >= MOST * c.choices as f64 {
            out.push(Finding {
                kind: Kind::Undecided,
                network: None,
                task: None,
                measure: "entropy".into(),
                value: c.entropy,
                against: c.start,
                text: format!(
                    "`{strategy}` has decided little or nothing: the probabilities of {} of {} choices are near their initial values or \
                     nearly even (mean entropy {:.4} of 1, at the start {:.4}), so much of the topology may be chance",
                    c.open, c.choices, c.entropy, c.start
                ),
                help: "search for more epochs, or with a higher learning rate of the choices: `choices = adam(lr = 0.05)`".into(),
            });
        }
        if let Some([first, last]) = c.rewards.filter(|[first, last]| last <= first) {
            out.push(Finding {
                kind: Kind::FlatReward,
                network: None,
                task: None,
                measure: "reward".into(),
                value: last,
                against: first,
                text: format!(
                    "the rewards of `{strategy}` never rose: their mean was {first:.4} in the first quarter of the steps, and {last:.4} \
                     in the last"
                ),
                help: "search for more epochs, or average more networks per step: `samples = 8`".into(),
            });
        }
        for met in &c.remerged {
            let tasks = suggest::listing(met.tasks.iter().map(String::as_str));
            out.push(Finding {
                kind: Kind::Remerged,
                network: None,
                task: None,
                measure: "tasks".into(),
                value: met.tasks.len() as f64,
                against: 0.0,
                text: format!(
                    "{tasks} choose the same copy of `{}` after they have chosen different copies of an earlier stage; the topology is a \
                     tree, and they stay separate",
                    met.stage
                ),
                help: "`expected_cost.json` has the probabilities; more epochs, or a lower temperature at the end, may settle it".into(),
            });
        }
    }
    let searched = checked.spec.searches.iter().any(|s| !RULES.contains(&s.strategy.call.name));
    let nodes = &derived.topology.nodes;
    let shared = nodes.iter().all(|n| nodes.iter().filter(|m| m.stage == n.stage).count() == 1);
    // If the budget allows nothing else, this is no surprise: `check` has reported it.
    if searched && shared && !network.choices.is_empty() && checked.spec.tasks.len() > 1 && !forced(checked) {
        out.push(Finding {
            kind: Kind::Collapsed,
            network: None,
            task: None,
            measure: "copies".into(),
            value: nodes.len() as f64,
            against: crate::check::cost::copies(network).values().sum::<usize>() as f64,
            text: "every choice came out the same: the topology is the one that shares everything, `all_shared`".into(),
            help: "that may be the best there is; other seeds, or `mtlc compare`, show whether it is a decision or a collapse".into(),
        });
    }
    out
}

/// Whether only the shared network meets the budget of a search.
fn forced(checked: &Checked) -> bool {
    let stages: Vec<cost::Cost> = checked.stages.iter().map(|t| t.cost).collect();
    let Some(heads) = checked.heads.iter().map(|t| t.as_ref().map(|t| t.cost)).collect::<Option<Vec<_>>>() else {
        return false;
    };
    checked.spec.searches.iter().any(|search| cost::forced(&checked.spec, search, &stages, &heads).is_some())
}

/// The findings about a trained network: compares its tasks with constant predictions, on the split that tables show.
pub fn of_network(
    checked: &Checked,
    feed: &Feed,
    plan: &Plan,
    result: &NetworkResult,
) -> Result<Vec<Finding>, RunError> {
    let (scores, split) = result.shown();
    let table = if result.test.is_some() { &feed.dataset.test } else { &feed.dataset.validation };
    let mut out = Vec::new();
    for (output, found) in plan.outputs.iter().zip(&scores.tasks) {
        let task = &checked.spec.tasks[output.task];
        let place = feed.label_of(output.task);
        let counts = Counts::of(&table.labels[place], table.rows);
        // Without labels there is nothing to compare; a note has reported it.
        if counts.labels == 0 {
            continue;
        }
        let constants = Constants::of(task, &feed.dataset.train.labels[place], feed.dataset.train.rows);
        let constants = constants.scores(task, feed, table, place)?;
        let likelihood = ["bce", "cross_entropy"].contains(&task.loss.name);
        if let Some(Beaten { measure, value, against, chance }) = no_better(found, &constants, counts, likelihood) {
            let name = &result.name;
            let (no_better, few) = match chance {
                false => ("no better", String::new()),
                true => {
                    let few = format!("; with so few labels ({}), the difference may be chance", counts.labels);
                    ("not shown to be better", few)
                }
            };
            out.push(Finding {
                kind: Kind::NoBetterThanConstant,
                network: Some(name.clone()),
                task: Some(task.name.clone()),
                text: format!(
                    "`{name}` is {no_better} than a constant at `{}`: {split} {measure} {value:.4}, and {against:.4} where every row gets the \
                     same output{few}",
                    task.name
                ),
                help: "look at the label and at what the inputs hold (`mtlc data check`), then at the learning rate and the epochs".into(),
                measure,
                value,
                against,
            });
        }
    }
    Ok(out)
}

/// The labels of a table that count, over components and pixels.
#[derive(Debug, Clone, Copy)]
struct Counts {
    labels: usize,
    /// The values up to 0.5, and those above.
    zeros: f64,
    ones: f64,
}

impl Counts {
    fn of(labels: &LabelData, rows: usize) -> Counts {
        let mut found = [0u64; 2];
        for row in 0..rows {
            for (i, value) in labels.row(row).iter().enumerate() {
                found[usize::from(*value > 0.5)] += u64::from(labels.counts(row, i % labels.labels.max(1)));
            }
        }
        let labels = (0..rows).map(|row| labels.counted(row)).sum();
        Counts { labels, zeros: found[0] as f64, ones: found[1] as f64 }
    }
}

/// A task that is no better than the best constant.
struct Beaten {
    measure: String,
    value: f64,
    /// The value of the constant.
    against: f64,
    /// Whether the value is the better one, by so little that chance explains it.
    chance: bool,
}

/// Whether a task is no better than the best constant: neither by its loss nor by its first metric.
///
/// Both can differ from those of a constant by chance alone. Within two standard errors, a metric is no better. With n labels, a log-likelihood
/// (`likelihood`) that is lower by less than 8/n is within about two standard errors: an improvement d has a variance of about 2d per
/// label. For other losses, the margin is 8/n of the loss itself.
fn no_better(found: &TaskScores, constants: &[TaskScores], counts: Counts, likelihood: bool) -> Option<Beaten> {
    let loss = constants.iter().map(|c| c.loss).filter(|l| l.is_finite()).min_by(f64::total_cmp)?;
    let Counts { labels, zeros, ones } = counts;
    let labels = labels as f64;
    let margin = if likelihood { 8.0 / labels } else { loss.abs() * (8.0 / labels).min(1.0) };
    if found.loss < loss - margin {
        return None;
    }
    let by_loss = Some(Beaten { measure: "loss".into(), value: found.loss, against: loss, chance: found.loss < loss });
    let Some(metric) = found.metrics.first() else { return by_loss };
    let def = objective::find_metric(metric.name.split('(').next().unwrap_or_default())?;
    let sign = if def.better == Better::Higher { 1.0 } else { -1.0 };
    let of = |c: &TaskScores| c.metrics.first().and_then(|m| m.value);
    let best = constants.iter().filter_map(of).max_by(|a, b| (sign * a).total_cmp(&(sign * b)));
    let (Some(value), Some(best)) = (metric.value, best) else { return by_loss };
    let error = match metric.name.as_str() {
        // The standard error of the Mann-Whitney statistic if the scores do not depend on the labels.
        "auc" if zeros > 0.0 && ones > 0.0 => ((zeros + ones + 1.0) / (12.0 * zeros * ones)).sqrt(),
        "accuracy" => (best * (1.0 - best) / labels).sqrt(),
        _ => 0.0,
    };
    let ahead = sign * (value - best);
    (ahead <= 2.0 * error).then(|| Beaten { measure: metric.name.clone(), value, against: best, chance: ahead > 0.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::record::MetricScore;

    fn scores(name: &str, value: Option<f64>, loss: f64) -> TaskScores {
        let metrics = vec![MetricScore { name: name.into(), value, undefined: None }];
        TaskScores { task: "t".into(), loss, metrics }
    }

    fn found(name: &str, value: Option<f64>, loss: f64, constant: f64) -> bool {
        let counts = Counts { labels: 1000, zeros: 500.0, ones: 500.0 };
        no_better(&scores(name, value, loss), &[scores(name, Some(constant), 0.5)], counts, false).is_some()
    }

    #[test]
    fn a_constant_is_beaten_or_not() {
        // With 1,000 rows, two standard errors are 0.037.
        assert!(!found("auc", Some(0.9), 0.9, 0.5), "ranks well, badly calibrated");
        assert!(!found("auc", Some(0.52), 0.49, 0.5), "the loss shows that something is learned");
        assert!(found("auc", Some(0.52), 0.51, 0.5), "an AUC off by chance");
        assert!(found("auc", Some(0.4), 0.7, 0.5));
        assert!(found("rmse", Some(3.2), 0.6, 3.1) && !found("rmse", Some(3.0), 0.4, 3.1));
        // Rare labels: the constant is right as often, and the loss is better.
        assert!(!found("accuracy", Some(0.94), 0.4, 0.95) && !found("accuracy", Some(0.95), 0.4, 0.95));
        assert!(found("accuracy", Some(0.95), 0.5, 0.95) && found("f1", Some(0.6), 0.5, 0.66));
        // Labels drawn by a coin: two standard errors are 0.032.
        assert!(found("accuracy", Some(0.53), 0.499, 0.5) && !found("accuracy", Some(0.54), 0.51, 0.5));
        let by_chance = |value, loss| {
            let scores = |value, loss| scores("accuracy", Some(value), loss);
            let counts = Counts { labels: 12, zeros: 6.0, ones: 6.0 };
            no_better(&scores(value, loss), &[scores(0.5, 0.5)], counts, true).expect("twelve labels").chance
        };
        assert!(by_chance(0.6, 0.4) && !by_chance(0.5, 0.4) && !by_chance(0.4, 0.6));
        // Rare labels: 8/n is more than 8/n of a small loss.
        let rare = |likelihood| {
            let counts = Counts { labels: 1000, zeros: 990.0, ones: 10.0 };
            let of = |loss| scores("auc", Some(0.5), loss);
            no_better(&of(0.053), &[of(0.056)], counts, likelihood).is_some()
        };
        assert!(rare(true) && !rare(false));
        assert!(found("r2", None, 0.5, 0.0) && !found("r2", None, 0.4, 0.0), "undefined: the loss decides");
    }
}
