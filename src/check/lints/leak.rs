//! An input that holds the label: the network reads the answer.

use super::Facts;
use crate::data::label::Term;
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::hir::{Input, Spec, Task};
use crate::schema::Value;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    for input in &spec.inputs {
        let mut leaked: Vec<(&str, &Task)> = Vec::new();
        for task in &spec.tasks {
            let Some(label) = &task.label else { continue };
            let mut columns = Vec::new();
            label.label.terms.iter().for_each(|t| columns_of(t, &mut columns));
            let read = |c: &&str| reads(spec, input, label.data.0, c);
            leaked.extend(columns.into_iter().filter(read).map(|c| (c, task)));
        }
        leaked.dedup_by_key(|l| l.0);
        let Some((column, task)) = leaked.first() else { continue };
        let mut names: Vec<&str> = leaked.iter().map(|l| l.0).collect();
        names.sort_unstable();
        names.dedup();
        let list = names.iter().map(|n| crate::data::name_text(n)).collect::<Vec<_>>().join(", ");
        diags.push(
            Diagnostic::new(
                codes::DATA_LEAK,
                input.from.as_ref().map_or(input.span, |f| f.span),
                format!("the input `{}` holds {}, which labels are computed from", input.name, suggest::listing(names)),
            )
            .label("the network reads the answer")
            .also(task.span, format!("its label reads `{column}`"))
            .help(format!("leave it out of the input: `except = [{list}]`")),
        );
    }
}

/// Whether a table input takes this column. An image that is a label, too, is no leak: it may be what is to be restored.
fn reads(spec: &Spec, input: &Input, data: usize, column: &str) -> bool {
    if !matches!(input.ty, crate::ops::TensorType::Fields { .. }) {
        return false;
    }
    input.from.iter().chain(&input.also).filter(|c| c.data.0 == data).any(|c| match &c.names {
        Some(names) => names.iter().any(|n| n == column),
        // All columns, whatever they are, less those that are named.
        None => {
            let excepted = |v: &Value| matches!(v, Value::Name(n) if n.join(".") == column);
            let listed = |args: &crate::schema::Args, name: &str| {
                matches!(args.get(name), Some(Value::List(items)) if items.iter().any(|i| excepted(&i.value)))
            };
            !listed(&input.args, "except") && !listed(&spec.data[data].args, "drop")
        }
    })
}

fn columns_of<'a>(term: &'a Term, out: &mut Vec<&'a str>) {
    match term {
        Term::Column(name, _) | Term::IsMissing(name, _) => out.push(name),
        Term::Not(t) | Term::Neg(t) | Term::Truth(t) | Term::OneOf(t, _) | Term::Within(t, ..) => columns_of(t, out),
        Term::Binary(_, a, b) => {
            columns_of(a, out);
            columns_of(b, out);
        }
        Term::Number(_) | Term::Text(_) | Term::Bool(_) => {}
    }
}
