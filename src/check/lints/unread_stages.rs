//! A stage that nothing reads.

use std::collections::HashSet;

use super::Facts;
use crate::diag::{Diagnostic, Diagnostics, codes};
use crate::hir::{Read, StageId};

pub(super) fn lint(facts: &Facts<'_>, diags: &mut Diagnostics) {
    let spec = facts.spec;
    let Some(backbone) = &spec.backbone else { return };
    if spec.tasks.iter().any(|t| t.head.is_none()) {
        return;
    }
    let mut read: HashSet<StageId> = HashSet::new();
    let all = backbone.stages.iter().map(|s| &s.reads).chain(spec.heads.iter().map(|h| &h.reads));
    for r in all.flatten() {
        if let Read::Stage(s) = r {
            read.insert(*s);
        }
    }
    for (i, stage) in backbone.stages.iter().enumerate() {
        if !read.contains(&StageId(i)) {
            diags.push(
                Diagnostic::new(
                    codes::BACKBONE_UNREAD,
                    stage.span,
                    format!("nothing reads the stage `{}`", stage.name),
                )
                .help("remove it, or read it in a later stage or a head with `from`"),
            );
        }
    }
}
