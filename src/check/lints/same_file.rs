//! Two splits that read the same file, so that the scores are not those of new rows.

use super::Facts;
use crate::data::{SPLITS, same_file};
use crate::diag::{Diagnostic, Diagnostics, codes};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    for data in &facts.spec.data {
        let files = (data.format.files)(&data.args);
        for same in same_file::by_name(&files) {
            // Some formats have no attribute of that name; then the whole item is marked.
            let span = |s: usize| data.args.span(SPLITS[s]).filter(|_| data.args.is_given(SPLITS[s]));
            let [first, second] = same.splits.map(span);
            let mut d = Diagnostic::new(codes::DATA_SAME_FILE, second.unwrap_or(data.span), same.message())
                .label("the same rows again")
                .help(same.help());
            if let Some(first) = first {
                d = d.also(first, "read here, too");
            }
            diags.push(d);
        }
    }
}
