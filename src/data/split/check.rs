//! Checks splits without reading the data: attributes that contradict each other, and columns that the data do not have.

use super::attributes::{Taken, columns, named, taken};
use crate::data::label;
use crate::data::outline::Known;
use crate::diag::{Diagnostic, codes};
use crate::schema::{Args, Value};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Name};

fn wrong(span: Span, message: impl Into<String>, help: impl Into<String>) -> Diagnostic {
    Diagnostic::new(codes::DATA_SPLIT, span, message).help(help)
}

/// Reports attributes that contradict each other. `test_files`: the test split is read from files of its own.
pub fn check(args: &Args, item: Span, test_files: bool) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let span = |name: &str| args.span(name).filter(|_| args.is_given(name)).unwrap_or(item);
    let [validation, test] = ["validation", "test"].map(|s| taken(args, s));
    let both =
        || [("validation", &validation), ("test", &test)].into_iter().filter_map(|(n, t)| Some((n, t.as_ref()?)));
    if named(args).is_some() {
        for split in ["validation", "test"] {
            let own = match args.get(split).filter(|_| args.is_given(split)) {
                Some(Value::Call(_)) | None => continue,
                Some(Value::Expr(_)) => "an expression",
                Some(_) => "a file",
            };
            found.push(
                wrong(
                    span(split),
                    format!("the {split} split is given twice: by the column of `split`, and here by {own}"),
                    format!("keep `split` or `{split}`"),
                )
                .also(span("split"), "a column that names the splits"),
            );
        }
    }
    for (split, t) in both() {
        if let Some(g) = t.grouping().filter(|g| g.time.is_some()) {
            let other = match (g.by.is_empty(), &g.stratify) {
                (false, _) => "groups",
                (true, Some(_)) => "strata",
                (true, None) => continue,
            };
            found.push(wrong(
                span(split),
                format!("the {split} rows cannot be both the last in time and drawn by {other}"),
                "keep `time`, or the other",
            ));
        }
        match t {
            Taken::Fold { index, of, .. } if index > of => {
                found.push(wrong(span(split), format!("there is no fold {index} of {of}"), format!("write 1 to {of}")));
            }
            Taken::Share { of_test: true, .. } if split == "test" => {
                found.push(wrong(span(split), "`test` is a share of itself", "write `test = share(..., of = train)`"));
            }
            Taken::Share { of_test: true, .. } if test.is_none() && !test_files && named(args).is_none() => {
                found.push(wrong(
                    span(split),
                    "`validation` is a share of the test split, and there is none",
                    "write `of = train`, or give `test` a file or a share",
                ));
            }
            _ => {}
        }
    }
    match (&validation, &test) {
        (Some(Taken::Fold { of: a, .. }), Some(Taken::Fold { of: b, .. })) if a != b => found.push(wrong(
            span("validation"),
            format!(
                "the folds of `validation` and `test` are cut differently, into {a} and {b}: their rows would overlap"
            ),
            "give both the same number of folds",
        )),
        (Some(a @ Taken::Fold { .. }), Some(b @ Taken::Fold { .. })) if a == b => {
            found.push(wrong(span("validation"), "`validation` and `test` are the same fold", "choose another fold"));
        }
        (Some(a @ Taken::Fold { .. }), Some(b @ Taken::Fold { .. })) if a.grouping() != b.grouping() => {
            found.push(wrong(
                span("validation"),
                "the folds of `validation` and `test` are drawn differently: their rows would overlap",
                "give both the same `by` and `stratify`",
            ));
        }
        _ => {}
    }
    let fractions = both().filter(|(_, t)| !t.of_test()).map(|(_, t)| match t {
        Taken::Share { fraction, .. } => *fraction,
        _ => 0.0,
    });
    let total: f64 = fractions.sum();
    if total >= 1.0 {
        found.push(wrong(
            span(if args.is_given("test") { "test" } else { "validation" }),
            format!(
                "the shares of the training rows add up to {}, which leaves none to train on",
                (total * 1e6).round() / 1e6
            ),
            "make the shares smaller; together they must stay below 1",
        ));
    }
    for attribute in ["stratify", "time"] {
        let draws = both().any(|(_, t)| t.grouping().is_some());
        if args.get(attribute).is_some() && !draws {
            found.push(wrong(
                span(attribute),
                format!("`{attribute}` has no effect: no split of this data set is a share or a fold"),
                "remove it, or give a split a share of the rows, for example `validation = share(0.1)`".to_string(),
            ));
        }
    }
    found
}

/// Checks columns and expressions against the known facts of the data set.
pub fn check_columns(args: &Args, known: &Known) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut expression = |e: &Expr, condition: bool| {
        let checked = match as_column(e) {
            Some(name) if !condition => known.require(&name).map(|_| ()).map_err(|d| vec![*d]),
            _ => label::check_row(e, condition, [known]).map(|_| ()),
        };
        found.extend(checked.err().into_iter().flatten());
    };
    for split in ["validation", "test"] {
        match args.get(split) {
            Some(Value::Expr(e)) => expression(e, true),
            Some(Value::Call(c)) => c.args.get("stratify").iter().for_each(|v| {
                if let Value::Expr(e) = v {
                    expression(e, false);
                }
            }),
            _ => {}
        }
    }
    if let Some(Value::Expr(e)) = args.get("stratify") {
        expression(e, false);
    }
    let lists = |args: &Args, attribute: &str| -> Vec<Name> {
        let span = args.span(attribute);
        columns(args, attribute)
            .into_iter()
            .filter_map(|text| Some(Name { text, quoted: false, span: span? }))
            .collect()
    };
    let mut names: Vec<Name> = ["group", "time"].iter().flat_map(|a| lists(args, a)).collect();
    for split in ["validation", "test"] {
        if let Some(Value::Call(c)) = args.get(split) {
            names.extend(["by", "time"].iter().flat_map(|a| lists(&c.args, a)));
        }
    }
    for name in names {
        found.extend(known.require(&name).err().map(|d| *d));
    }
    found
}

/// The column, if the expression is a column with or without its data set: `label`, `d.label`.
pub fn as_column(e: &Expr) -> Option<Name> {
    match &e.kind {
        ExprKind::Path(parts) if parts.len() <= 2 => parts.last().cloned(),
        ExprKind::Str(text) => Some(Name { text: text.clone(), quoted: true, span: e.span }),
        _ => None,
    }
}
