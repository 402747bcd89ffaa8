//! Tasks whose initial losses differ by a factor of 100 or more: one task from all others, or two groups of tasks. The gradients of the
//! small losses are then negligible next to those of the large ones.

use super::Facts;
use crate::data::{Facts as ColumnFacts, label::Term};
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::hir::{Spec, Task};
use crate::objective::TaskKind;

/// How many times smaller is suspicious.
const TIMES: f64 = 100.0;

/// A task and its initial loss.
struct Start<'a> {
    loss: f64,
    task: &'a Task,
}

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let mut starts: Vec<Start> = Vec::new();
    for task in spec.tasks.iter().filter(|t| t.weight > 0.0) {
        // Beside one whose loss is not known, nothing is small.
        let Some(loss) = initial_loss(spec, task) else { return };
        starts.push(Start { loss: loss * task.weight, task });
    }
    starts.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    let gap = |at: &usize| starts[*at].loss / starts[at - 1].loss;
    // The widest gap; the first one if several are equal.
    let widest = (1..starts.len()).rev().max_by(|a, b| gap(a).total_cmp(&gap(b)));
    let Some(at) = widest.filter(|at| gap(at) * 1.0001 >= TIMES) else { return };
    let (low, high) = starts.split_at(at);
    diags.push(match (low, high) {
        ([one], _) => alone(one.task, one.loss, high[0].loss),
        (_, [one]) => alone(one.task, one.loss, low[low.len() - 1].loss),
        _ => groups(low, high),
    });
}

/// One task whose loss is far from all others; `next` is the nearest of the other losses.
fn alone(task: &Task, loss: f64, next: f64) -> Diagnostic {
    let (bound, label) = match loss < next {
        true => ("more", "a hundredth of the others: it is hardly learned"),
        false => ("less", "a hundred times the others: they are hardly learned"),
    };
    let message = format!(
        "the loss of `{}` begins at about {}, all others at {} or {bound}",
        task.name,
        rounded(loss),
        rounded(next)
    );
    let weight = format!("`weight = {}`", rounded(task.weight * next / loss));
    let help = match (loss < next, is_raw(task)) {
        (true, false) => format!("increase its weight: {weight}"),
        (true, true) => {
            format!("increase its weight, {weight}, or standardise its label: remove `standardize = false`")
        }
        (false, false) => format!("scale its label, or decrease its weight: {weight}"),
        (false, true) => {
            format!("standardise its label (remove `standardize = false`), or decrease its weight: {weight}")
        }
    };
    Diagnostic::new(codes::TASK_SCALE, task.span, message).label(label).help(help)
}

/// Two groups of several tasks each, sorted by their losses.
fn groups(low: &[Start], high: &[Start]) -> Diagnostic {
    let names = |starts: &[Start]| {
        let mut tasks: Vec<&Task> = starts.iter().map(|s| s.task).collect();
        tasks.sort_by_key(|t| (t.span.file, t.span.start));
        suggest::listing(tasks.iter().map(|t| t.name.as_str()))
    };
    let message = format!(
        "the losses of {} begin at {} or less, those of {} at {} or more",
        names(low),
        rounded(low[low.len() - 1].loss),
        names(high),
        rounded(high[0].loss)
    );
    let first = |starts: &[Start]| starts.iter().map(|s| s.task.span).min_by_key(|s| (s.file, s.start));
    let (small, large) = (first(low).expect("a group has tasks"), first(high).expect("a group has tasks"));
    let help = match low.iter().chain(high).any(|s| is_raw(s.task)) {
        true => "standardise the labels: remove `standardize = false`".to_string(),
        false => "give the tasks a `weight`, so that their losses are of one size".to_string(),
    };
    Diagnostic::new(codes::TASK_SCALE, small, message)
        .label("a hundredth of the others: these are hardly learned")
        .also(large, "a hundred times as large")
        .help(help)
}

/// Whether the label is not standardised only because of `standardize = false`.
fn is_raw(task: &Task) -> bool {
    task.kind.has_units() && !task.standardize
}

/// A number for people: two digits that matter.
fn rounded(v: f64) -> String {
    let digits = (1.0 - v.abs().log10().floor()).clamp(0.0, 12.0);
    let power = 10f64.powf(digits);
    format!("{}", (v * power).round() / power)
}

/// The loss of an untrained network: ln K for K classes, the magnitude of the label for a regression.
fn initial_loss(spec: &Spec, task: &Task) -> Option<f64> {
    let loss = match (task.kind, task.loss.name) {
        (TaskKind::Binary | TaskKind::Multilabel(_), "bce") => 2f64.ln(),
        (TaskKind::Classes(Some(n)) | TaskKind::Segmentation(n), "cross_entropy") if n > 1 => (n as f64).ln(),
        // A standardised label has a standard deviation of 1.
        (kind, "mse" | "l1") if kind.has_units() && task.standardize => 1.0,
        (kind, loss) if kind.has_units() => {
            let all = spreads(spec, task)?;
            let of = |&[mean, std]: &[f64; 2]| {
                // The network learns the label divided by `unit`; a standardised label has its mean subtracted first.
                let unit = if task.standardize && std > 0.0 { std } else { 1.0 };
                let size = if task.standardize { std / unit } else { (mean * mean + std * std).sqrt() };
                Some(match loss {
                    "mse" => size * size,
                    "l1" => size,
                    "huber" => {
                        let delta = task.loss.args.float("delta") / unit;
                        if size <= delta { size * size / 2.0 } else { delta * (size - delta / 2.0) }
                    }
                    _ => return None,
                })
            };
            all.iter().map(of).sum::<Option<f64>>()? / all.len() as f64
        }
        _ => return None,
    };
    (loss > 0.0 && loss.is_finite()).then_some(loss)
}

/// Mean and standard deviation of each component of a label, if the frozen schema has them.
fn spreads(spec: &Spec, task: &Task) -> Option<Vec<[f64; 2]>> {
    let label = task.label.as_ref()?;
    let schema = spec.data[label.data.0].schema.as_ref()?;
    if let Some(facts) = schema.label(&task.name) {
        return Some(facts.mean.iter().zip(&facts.std).map(|(m, s)| [*m, *s]).collect());
    }
    let of = |term: &Term| {
        let Term::Column(name, _) = term else { return None };
        match &schema.column(name)?.facts {
            ColumnFacts::Numeric { mean, std, .. } => Some([*mean, *std]),
            _ => None,
        }
    };
    label.label.terms.iter().map(of).collect::<Option<Vec<_>>>().filter(|all| !all.is_empty())
}
