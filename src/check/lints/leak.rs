//! An input that holds the label: the network reads the answer.

use std::collections::HashSet;

use super::Facts;
use crate::data::label::Term;
use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::hir::{Columns, DataId, Input, Spec, Task};
use crate::schema::Value;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    for input in &spec.inputs {
        let taken = taken(spec, input);
        if taken.is_empty() {
            continue;
        }
        let mut leaked: Vec<(&str, &Task)> = Vec::new();
        for task in &spec.tasks {
            let Some(label) = &task.label else { continue };
            let mut columns = Vec::new();
            label.label.terms.iter().for_each(|t| columns_of(t, &mut columns));
            let read = |c: &&str| taken.iter().any(|(data, t)| *data == label.data && t.takes(c));
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

/// What a table input reads of a data set. An image that is a label, too, is no leak: it may be what is to be restored.
enum Taken<'a> {
    These(HashSet<&'a str>),
    /// All columns, whatever they are, but these.
    AllBut(HashSet<String>),
}

impl Taken<'_> {
    fn takes(&self, column: &str) -> bool {
        match self {
            Taken::These(names) => names.contains(column),
            Taken::AllBut(names) => !names.contains(column),
        }
    }
}

/// What an input reads, by data set.
fn taken<'a>(spec: &Spec, input: &'a Input) -> Vec<(DataId, Taken<'a>)> {
    if !matches!(input.ty, crate::ops::TensorType::Fields { .. }) {
        return Vec::new();
    }
    let listed = |args: &crate::schema::Args, name: &str| -> Vec<String> {
        let Some(Value::List(items)) = args.get(name) else { return Vec::new() };
        let text = |v: &Value| match v {
            Value::Name(n) => Some(n.join(".")),
            _ => None,
        };
        items.iter().filter_map(|i| text(&i.value)).collect()
    };
    let of = |c: &'a Columns| match &c.names {
        Some(names) => Taken::These(names.iter().map(String::as_str).collect()),
        None => {
            let dropped = listed(&spec.data[c.data.0].args, "drop");
            Taken::AllBut(listed(&input.args, "except").into_iter().chain(dropped).collect())
        }
    };
    input.from.iter().chain(&input.also).map(|c| (c.data, of(c))).collect()
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
