//! Programs that the language can express but training does not support: `check` refuses them, so that a program that checks also runs.

use crate::diag::{Diagnostic, Diagnostics, codes, suggest};
use crate::hir::Spec;
use crate::source::Span;

/// The positions of the data sets that inputs, labels and masks read, in order.
pub fn data_sets(spec: &Spec) -> Vec<usize> {
    let mut used: Vec<usize> = places(spec).map(|(data, _)| data).collect();
    used.sort_unstable();
    used.dedup();
    used
}

/// Every use of a data set: its index and its place in the program.
fn places(spec: &Spec) -> impl Iterator<Item = (usize, Span)> {
    let inputs = spec.inputs.iter().flat_map(|i| i.from.iter().chain(&i.also)).map(|c| (c.data.0, c.span));
    let labels = spec.tasks.iter().flat_map(|t| t.label.iter().chain(&t.mask).map(|l| (l.data.0, t.span)));
    inputs.chain(labels)
}

/// The message, of `check` and of a run, for a program that reads several data sets.
pub fn several(spec: &Spec) -> String {
    let names = data_sets(spec).into_iter().map(|d| spec.data[d].name.as_str());
    format!("inputs and tasks read several data sets, {}: this does not run yet", suggest::listing(names))
}

/// Reports what prevents a program from being trained. A program that reads no data at all is unfinished, not wrong.
pub(super) fn runs(spec: &Spec, diags: &mut Diagnostics) {
    let used = data_sets(spec);
    if used.len() > 1 {
        let first = places(spec).next().expect("there are several");
        let other = places(spec).find(|(data, _)| *data != first.0).expect("there are several");
        diags.push(
            Diagnostic::new(codes::DATA_SEVERAL, other.1, several(spec))
                .label(format!("reads `{}`", spec.data[other.0].name))
                .also(first.1, format!("reads `{}`", spec.data[first.0].name))
                .help(
                    "put the columns into one data set; where a label is missing, the row does not count for that task",
                ),
        );
    }
    if used.is_empty() {
        return;
    }
    for input in spec.inputs.iter().filter(|i| i.from.is_none()) {
        let columns = format!("from = {}", crate::data::name_text(&spec.data[used[0]].name));
        diags.push(
            Diagnostic::new(codes::TYPE_MISSING_ATTRIBUTE, input.span, no_source(&input.name))
                .label("`from` is missing")
                .help(format!("name the columns: `{columns}.COLUMN`, or `{columns}` for all of them")),
        );
    }
}

/// The message for an input without `from` in a program whose labels read data.
pub fn no_source(input: &str) -> String {
    format!("the input `{input}` has no `from`: say which columns it reads")
}
