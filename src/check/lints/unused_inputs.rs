//! An input that nothing reads.

use std::collections::HashSet;

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::Read;

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let Some(backbone) = &spec.backbone else { return };
    let mut used: HashSet<usize> = HashSet::new();
    let all = backbone.stages.iter().map(|s| &s.reads).chain(spec.heads.iter().map(|h| &h.reads));
    for r in all.flatten() {
        if let Read::Input(i) = r {
            used.insert(i.0);
        }
    }
    if let Some(space) = &spec.space {
        for mix in space.levels.iter().map(|l| &l.reads).chain([&space.heads.reads]).filter_map(|r| r.mix()) {
            for q in &mix.queries {
                if let crate::hir::Query::Read(Read::Input(i)) = q {
                    used.insert(i.0);
                }
            }
        }
    }
    if spec.topology.is_some() || diags.has_errors() {
        return;
    }
    for (i, input) in spec.inputs.iter().enumerate() {
        if !used.contains(&i) {
            diags.push(
                Diagnostic::new(codes::NAME_UNUSED, input.span, format!("nothing reads the input `{}`", input.name))
                    .help(format!(
                        "remove it, or read it in a stage: `stage s {{ from = [{}], out = ... }}`",
                        input.name
                    )),
            );
        }
    }
}
