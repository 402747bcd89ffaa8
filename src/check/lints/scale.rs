//! A task whose loss is a hundredth of all others': its gradient is lost in theirs.

use super::Facts;
use crate::data::{Facts as ColumnFacts, label::Term};
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Spec, Task};
use crate::objective::TaskKind;

/// How many times smaller is suspicious.
const TIMES: f64 = 100.0;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let mut scales: Vec<(f64, &Task)> = Vec::new();
    for task in spec.tasks.iter().filter(|t| t.weight > 0.0) {
        // Beside one whose loss is not known, nothing is small.
        let Some(loss) = initial_loss(spec, task) else { return };
        scales.push((loss * task.weight, task));
    }
    scales.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (low, high) = match scales.as_slice() {
        [a, b, ..] if a.0 * TIMES <= b.0 * 1.0001 => (a, b),
        [.., a, b] if a.0 * TIMES <= b.0 * 1.0001 => {
            // One that drowns all others.
            let message = format!(
                "the loss of `{}` begins at about {}, all others' at {} or less",
                b.1.name,
                rounded(b.0),
                rounded(a.0)
            );
            diags.push(
                Diagnostic::new(codes::TASK_SCALE, b.1.span, message)
                    .label("a hundred times the others': they are hardly learned")
                    .help(format!("scale its label, or weigh it down: `weight = {}`", rounded(b.1.weight * a.0 / b.0))),
            );
            return;
        }
        _ => return,
    };
    let message = format!(
        "the loss of `{}` begins at about {}, all others' at {} or more",
        low.1.name,
        rounded(low.0),
        rounded(high.0)
    );
    diags.push(
        Diagnostic::new(codes::TASK_SCALE, low.1.span, message)
            .label("a hundredth of the others': it is hardly learned")
            .help(format!("weigh it up: `weight = {}`", rounded(low.1.weight * high.0 / low.0))),
    );
}

/// A number for people: two digits that matter.
fn rounded(v: f64) -> String {
    let digits = (1.0 - v.abs().log10().floor()).clamp(0.0, 12.0);
    let power = 10f64.powf(digits);
    format!("{}", (v * power).round() / power)
}

/// The loss of a network that knows nothing: ln K for K classes, the spread of the label for a regression.
fn initial_loss(spec: &Spec, task: &Task) -> Option<f64> {
    match (task.kind, task.loss.name) {
        (TaskKind::Binary | TaskKind::Multilabel(_), "bce") => Some(2f64.ln()),
        (TaskKind::Classes(Some(n)) | TaskKind::Segmentation(n), "cross_entropy") if n > 1 => Some((n as f64).ln()),
        (TaskKind::Regression(_), loss @ ("mse" | "l1")) => {
            let label = task.label.as_ref()?;
            let [Term::Column(name, _)] = label.label.terms.as_slice() else { return None };
            let schema = spec.data[label.data.0].schema.as_ref()?;
            let column = schema.columns.iter().find(|c| c.name == *name)?;
            let ColumnFacts::Numeric { mean, std, .. } = &column.facts else { return None };
            let square = mean * mean + std * std;
            let scale = if loss == "mse" { square } else { square.sqrt() };
            (scale > 0.0).then_some(scale)
        }
        _ => None,
    }
}
